"""Which configuration the next training with a fresh seed decides most about.

The rule looks one training ahead, and at validation alone. Whether a configuration i is on the
front hangs on its own accuracy and on that of the record it has to beat. With P its support,
q = P (1 - P) is how undecided that is, and a training of j is worth

    (q_j + sum_i q_i P(the record of i is j)) / (N_j sqrt(cost of a training of j)),

N_j its trainings so far. For configurations in a chain of costs this approximates the optimal
computing budget allocation (Chen, Lin, Yücesan & Chick, Discrete Event Dyn. Syst. 10, 2000), in
which a record gets sqrt of the sum of squares of what its challengers get.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from runs.confirmation.draws import NUM_DRAWS, draw
from runs.confirmation.estimate import Estimate
from runs.confirmation.image_results import Floats
from runs.confirmation.membership import record_shares, support


def worth(
    validation: Estimate,
    cost: npt.ArrayLike,
    training_cost: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    under_way: npt.ArrayLike = 0,
    num_draws: int = NUM_DRAWS,
) -> Floats:
    """(m,) what one more training of each is worth; zeros where nothing is undecided.

    Args:
        validation: the estimate from fresh validation.
        cost: (m,) of a configuration, on which the front rests.
        training_cost: (m,) of one training, in any unit.
        under_way: (m,) trainings that have been started and have not reported.
    """
    draws = draw(validation, rng, num_draws)
    on_front = support(draws, cost)
    undecided = on_front * (1 - on_front)
    decides = undecided + undecided @ record_shares(draws, cost)
    trainings = validation.num_seeds + np.asarray(under_way)
    return np.asarray(decides / (trainings * np.sqrt(np.asarray(training_cost, dtype=np.float64))))


def next_seed(
    validation: Estimate,
    cost: npt.ArrayLike,
    training_cost: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    budget: float = math.inf,
    under_way: npt.ArrayLike = 0,
    num_draws: int = NUM_DRAWS,
) -> int | None:
    """The index of the configuration to train next; None where the budget pays for none that
    would decide anything. The arguments are those of `worth`.

    Args:
        budget: what is left, in the unit of `training_cost`.
    """
    value = worth(validation, cost, training_cost, rng, under_way=under_way, num_draws=num_draws)
    value[np.asarray(training_cost, dtype=np.float64) > budget] = 0.0
    best = int(value.argmax())
    return best if value[best] > 0 else None
