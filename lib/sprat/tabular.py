"""Tables: rows in memory, and the encodings that make them ready for a network."""

from sprat.rows import MISSING, Rows

__all__ = ["MISSING", "Rows"]
