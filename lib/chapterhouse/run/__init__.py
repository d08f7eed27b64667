"""Executing chapters: papermill, limits, results kept by content."""
