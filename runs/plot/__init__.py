"""Figures in Plotly: accuracy against cost, learning curves, the progress of a search.

    import runs.plot

    figure = runs.plot.front("mixer_cifar")
    runs.plot.save(figure, "front.svg")

The functions named here take a study by its name; the modules below take numbers, and the pages of
the dashboard draw with them too.
"""

from runs.plot.of_study import NothingToDrawError, curves, front, hypervolume
from runs.plot.saving import FigureError, save

__all__ = [
    "FigureError",
    "NothingToDrawError",
    "curves",
    "front",
    "hypervolume",
    "save",
]
