"""One function that draws a configuration from the search space through an Optuna trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from space.config import Config, ImageTask
from space.search_space import SearchSpace

if TYPE_CHECKING:
    import optuna


def suggest(trial: optuna.trial.BaseTrial, space: SearchSpace, task: ImageTask) -> Config:
    """Draws every parameter of the space's family from its values.

    To Optuna a parameter is the index of its value: an ordered integer, so that a sampler knows
    64 to lie next to 96 in (32, 64, 96, 192), which a category would hide from it. Where the values
    it draws do not go together, the nearest that do are taken.
    """
    values = tuple(
        choices[trial.suggest_int(name, 0, len(choices) - 1)]
        for name, choices in space.ranges.items()
    )
    return space.member(task, **dict(zip(space.ranges, space.nearest(values), strict=True)))
