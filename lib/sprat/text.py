"""Texts: tokenisers, which are encodings from strings to the indices of a vocabulary's pieces."""
