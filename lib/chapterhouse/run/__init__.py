"""One chapter → papermill → one `Run`: executed, measured, watched, kept by content."""
