"""How many seeds would decide who is on the front, if the means stay as they are.

With n seeds a configuration the seed part of its variance shrinks to v / n, and v is known with as
many more degrees of freedom; the image part stays, since the validation images are these. So there
is a support after n seeds, and the least n at which it leaves the undecided range. New seeds move
the means too: of many confirmations of that size about half decide, the others a little later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from runs.confirmation.draws import NUM_DRAWS, draw
from runs.confirmation.estimate import Estimate
from runs.confirmation.image_results import Floats
from runs.confirmation.membership import OFF, ON, support

MOST_SEEDS = 100
"""The most seeds of a configuration that are considered."""


def seeds_to_decide(
    validation: Estimate,
    cost: npt.ArrayLike,
    undecided: Sequence[int],
    *,
    num_draws: int = NUM_DRAWS,
) -> dict[int, int | None]:
    """By index of each undecided configuration, how many seeds of each of them would decide it.

    Args:
        validation: the estimate from fresh validation, of configurations of one group.
        cost: (m,) exact.
        undecided: indices of those asked about.
        num_draws: joint draws of the accuracies.

    Returns:
        The least number of seeds, of all configurations together with those there are; None where
        `MOST_SEEDS` would not decide: the means are too close for the seeds, or for the images.
    """

    @cache
    def shares(num_seeds: int) -> Floats:
        draws = draw(with_seeds(validation, num_seeds), np.random.default_rng(0), num_draws)
        return support(draws, cost)

    def decides(index: int, num_seeds: int) -> bool:
        share = shares(num_seeds)[index]
        return bool(share >= ON or share <= OFF)

    fewest = int(validation.num_seeds.min())
    return {index: _least(partial(decides, index), fewest, MOST_SEEDS) for index in undecided}


def with_seeds(validation: Estimate, num_seeds: int) -> Estimate:
    """The same means after at least so many seeds a configuration."""
    trained = np.maximum(validation.num_seeds, num_seeds)
    return replace(
        validation,
        num_seeds=trained,
        degrees_of_freedom=validation.degrees_of_freedom + (trained - validation.num_seeds),
    )


def _least(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The least number above `low`, where it does not hold, for which it holds; None up to `high`.

    It is taken to hold for all greater ones.
    """
    if not holds(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
