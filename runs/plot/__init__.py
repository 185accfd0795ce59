"""Figures in Plotly: accuracy against cost, learning curves, the progress of a search."""
