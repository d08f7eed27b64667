"""The website: executed copies staged, built with Jupyter Book, with every asset its own."""
