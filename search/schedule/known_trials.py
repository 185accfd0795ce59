"""The trials of an Optuna study as the cost-aware sampler sees them: members of a space."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from optuna.trial import FrozenTrial, TrialState

from runs import pareto
from search.schedule.candidate_space import CandidateSpace

CURVE = "accuracy_by_epoch"
"""User attribute of a trial: its accuracies after every epoch it has trained, a list. With it the
sampler learns from trials that were stopped early, too."""

PROPOSED = "cost_aware:positions"
"""System attribute of a trial: what it was proposed, which others must know before it has asked
for its parameters."""


class KnownTrials:
    """The trials of a study that are members of the space, a row each.

    Args:
        candidates: the space.
        trials: of the study, whatever their state.
    """

    def __init__(self, candidates: CandidateSpace, trials: Sequence[FrozenTrial]) -> None:
        found = [(index, t) for t in trials if (index := _index_of(candidates, t)) is not None]
        self.trials = [trial for _, trial in found]
        self.indices = [index for index, _ in found]
        self.members = candidates.members(self.indices)
        self.is_complete = np.array([t.state is TrialState.COMPLETE for t in self.trials], bool)
        self.is_running = np.array([not t.state.is_finished() for t in self.trials], bool)

    def __len__(self) -> int:
        return len(self.trials)

    @cached_property
    def accuracies(self) -> npt.NDArray[np.float64]:
        """Of the complete trials, NaN of others.

        Raises:
            ValueError: one is none.
        """
        return np.array(
            [
                checked_accuracy(t.number, float(t.values[0])) if complete else np.nan
                for t, complete in zip(self.trials, self.is_complete, strict=True)
            ],
            dtype=np.float64,
        )

    @cached_property
    def front(self) -> list[int]:
        """Which complete trials are not dominated."""
        rows = np.flatnonzero(self.is_complete)
        costs = 10 ** self.members.log_flops[rows]
        return [int(rows[i]) for i in pareto.front(costs, self.accuracies[rows])]


def _index_of(candidates: CandidateSpace, trial: FrozenTrial) -> tuple[int, ...] | None:
    """The index of a trial; None if it is no member, or has asked for no parameters yet."""
    index = candidates.index_of(trial.params)
    if index is None and not trial.state.is_finished() and PROPOSED in trial.system_attrs:
        return tuple(trial.system_attrs[PROPOSED])
    return index


def checked_accuracy(number: int, accuracy: float) -> float:
    """The accuracy of the trial of that number.

    Raises:
        ValueError: it is none.
    """
    if not 0 <= accuracy <= 1:
        raise ValueError(
            f"trial {number} has the accuracy {accuracy:g}; the first objective must lie in "
            "[0, 1]: divide percents by 100, and return the accuracy first, the FLOPs second"
        )
    return accuracy
