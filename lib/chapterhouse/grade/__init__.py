"""Grading: the student's code runs in a sandbox, the verdict is computed outside it."""
