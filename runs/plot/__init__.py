"""Figures in Plotly: accuracy against cost, learning curves, the progress of a search.

    import runs.plot

    figure = runs.plot.front("mixer_cifar")
    runs.plot.save(figure, "front.svg")

The functions named here take a study by its name. Those of `runs.plot.figures` take numbers,
and the pages of the dashboard draw with them too.
"""

from runs.plot.of_parameters import importance, parallel
from runs.plot.of_study import compare, curves, difference, front, hypervolume, timeline
from runs.plot.reading import NothingToDrawError
from runs.plot.saving import FigureError, save

__all__ = [
    "FigureError",
    "NothingToDrawError",
    "compare",
    "curves",
    "difference",
    "front",
    "hypervolume",
    "importance",
    "parallel",
    "save",
    "timeline",
]
