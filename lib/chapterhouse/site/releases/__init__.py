"""Versioned releases of a site, side by side in one folder that can be published as it is.

A site that is built for a version (`marks`) carries its name and a place in each page's head. The
folder of releases (`shelf`) has one sub-folder a version, and files at its root (`front`) that lead
to the newest and tell every page, also those of older sites, which versions there are.
"""
