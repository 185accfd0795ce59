"""What a confirmation is asked for, and what follows from that: what is to be trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runs.confirmed_networks import FEWEST_SEEDS, Network
from runs.record import ImageResults
from search.spec.studies import StudyError

MOST_A_FAMILY = 12
"""Candidates of a searched family."""
FIRST_ROUND = 3
"""Seeds of every candidate, before it is asked where more of them decide most."""


@dataclass(frozen=True, kw_only=True)
class ConfirmationTask:
    """What is to be trained, and what has been.

    Args:
        networks: the candidates with their trials, in the order of the plan.
        groups: the group of each, within which it has rivals.
        first_seed: of every candidate; the next ones follow.
        seeds: trainings of a candidate, in the mean.
        at_once: how many seeds of the first round one request trains.
        is_uniform: whether every candidate has as many.
        training_flops: of one training of each.
        max_training_flops: of all that the confirmation trains, what is trained already included.
        results: validation results by trial, as far as they are stored.
    """

    networks: Sequence[Network]
    groups: Sequence[str]
    first_seed: int
    seeds: int
    at_once: int
    is_uniform: bool
    training_flops: Sequence[float]
    max_training_flops: float = math.inf
    results: Callable[[], Mapping[int, ImageResults]]

    @property
    def first_round(self) -> int:
        """Seeds of every candidate in the first round."""
        return self.seeds if self.is_uniform else min(FIRST_ROUND, self.seeds)

    @property
    def first_round_flops(self) -> float:
        """What it takes from the start."""
        return self.first_round * sum(self.training_flops)

    @property
    def num_trainings(self) -> int:
        """Of all candidates together."""
        return self.seeds * len(self.networks)


@dataclass(frozen=True, kw_only=True)
class ConfirmationSettings:
    """How a front is confirmed.

    Attributes:
        kind: `front`, or `repeats` of two configurations, for the noise of a training.
        seeds: fresh trainings a candidate, in the mean.
        is_uniform: whether each has as many; else three at first, the rest where they decide most.
        level: of intervals.
        max_training_flops: of all trainings of the confirmation.
        candidates: of every searched family, at most.
        keeps_classes: whether predicted classes are stored, not only whether they are right.
        again: whether a finished confirmation is followed by another, with other seeds.
    """

    kind: str = "front"
    seeds: int = 5
    is_uniform: bool = False
    level: float = 0.95
    max_training_flops: float | None = None
    candidates: int = MOST_A_FAMILY
    keeps_classes: bool = False
    again: bool = False

    def check(self) -> None:
        """Refuses what cannot be.

        Raises:
            StudyError: a setting is out of its range.
        """
        if self.seeds < FEWEST_SEEDS:
            raise StudyError(
                f"--seeds {self.seeds}: the scatter between seeds needs {FEWEST_SEEDS} of every "
                f"configuration; give {FEWEST_SEEDS} or more"
            )
        if not 0.5 <= self.level < 1:
            raise StudyError(f"--level {self.level}: give a share from 0.5 to less than 1: 0.95")
        if self.candidates < 1:
            raise StudyError(f"--candidates {self.candidates}: give 1 or more")
