"""chapterhouse: makes, runs, marks and ports a course of notebooks."""
