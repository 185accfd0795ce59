"""Formats in which a trained network leaves: one module each, which writes it and proves it."""
