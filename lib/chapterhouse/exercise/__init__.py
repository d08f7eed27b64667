"""An exercise folder, the student's notebook made from it, and the answers taken back out."""
