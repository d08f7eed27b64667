"""Places to run a stranger's code, strongest first."""
