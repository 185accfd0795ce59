"""The verbs of `python -m runs`: a module each."""
