"""The searches that are compared: ours, and each baseline as its own experts would set it.

All get what our sampler gets: the ceiling, what was tried before, and, where the name says so,
our first trials. All run through the coordinator of `search.run`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from course import Course
from find_table import find_table
from joint_sampler import SPREAD_STARTS, JointSampler, ListSampler, cheapest_first, mostly_cheap
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from own_study import OwnStudySampler
from simulator import Replay, replay
from table import Table
from warm_from import trials_on

from search.schedule.candidate_space import CandidateSpace
from search.schedule.optuna_adapter import SAMPLERS, SamplerSpec
from search.spec.rungs import NO_RUNGS, RungSpec

Build = Callable[[int, CandidateSpace, float], JointSampler]
"""From a seed, the candidates and the accuracy of guessing."""

MOST_TRIALS = 150
"""A study that is compared ends after so many; what it had not found by then counts as never."""

PEER_TRIALS = 60
"""A recorded study ends after so many; what it had not found by then it may have found later."""

TARGET = 0.98
"""A study ends where it has that share of the hypervolume, above either accuracy."""

POPULATION = 20
"""Of NSGA-II: fits studies of some hundred trials."""

RANDOM_STARTS = 10
"""Of TPE, by Optuna's default."""


@dataclass(frozen=True)
class Method:
    """A sampler and its rungs."""

    sampler: str | Build
    """One of `search.run`, by name, or how to make another."""
    rungs: RungSpec = NO_RUNGS
    is_ours: bool = False
    """Ours, or a part of it: no baseline."""
    warm_from: str | None = None
    """The table that an earlier study searched."""
    is_recorded: bool = False
    """Needs the extra `peers`, so its courses were recorded once, of fewer trials."""

    def replay(self, table: Table, seed: int, **limits: Any) -> Replay:
        """A study of that seed on the table."""
        sampler = SAMPLERS[self.sampler] if isinstance(self.sampler, str) else _once(self.sampler)
        earlier = trials_on(self.warm_from, seed) if self.warm_from else ()
        return replay(
            table, seed=seed, sampler=sampler, rungs=self.rungs, earlier=earlier, **limits
        )

    def is_for(self, table: Table) -> bool:
        """Whether it can be compared there: a warm start is from another table of the same
        families."""
        if self.warm_from is None:
            return True
        source = find_table(self.warm_from)
        shared = set(source.spec.families) & set(table.spec.families)
        return source.name != table.name and bool(shared)


def _once(build: Build) -> SamplerSpec:
    """A sampler with a state: the same one for every ask of a study."""
    made: list[JointSampler] = []

    def make(
        seed: int, candidates: CandidateSpace, guess_accuracy: float, *_: object
    ) -> BaseSampler:
        if not made:
            made.append(build(seed, candidates, guess_accuracy))
        made[0].ask_seed = seed
        return made[0]

    return SamplerSpec(make, random_trials=0)


def _cheapest(seed: int, candidates: CandidateSpace, guess: float) -> JointSampler:
    return ListSampler(candidates, cheapest_first, seed=seed)


def _mostly_cheap(seed: int, candidates: CandidateSpace, guess: float) -> JointSampler:
    return ListSampler(candidates, mostly_cheap, seed=seed)


def _nsga2(
    seed: int, candidates: CandidateSpace, guess: float, our_starts: bool = False
) -> JointSampler:
    """A child over the ceiling is drawn again: it takes no place in the population."""
    return OwnStudySampler(
        lambda seed: NSGAIISampler(seed=seed, population_size=POPULATION),
        candidates,
        guess_accuracy=guess,
        seed=seed,
        our_starts=our_starts,
        random_starts=POPULATION - (SPREAD_STARTS if our_starts else 0),
        constrained=False,
    )


def _tpe(
    seed: int, candidates: CandidateSpace, guess: float, our_starts: bool = False
) -> JointSampler:
    starts = SPREAD_STARTS if our_starts else RANDOM_STARTS
    return OwnStudySampler(
        lambda seed: TPESampler(
            seed=seed, multivariate=True, constant_liar=True, n_startup_trials=starts
        ),
        candidates,
        guess_accuracy=guess,
        seed=seed,
        our_starts=our_starts,
        random_starts=0 if our_starts else RANDOM_STARTS,
    )


def _gp(seed: int, candidates: CandidateSpace, guess: float) -> JointSampler:
    """It models FLOPs too: Optuna has no way to tell it that they are known."""
    from optuna.samplers import GPSampler

    return OwnStudySampler(
        lambda seed: GPSampler(seed=seed, n_startup_trials=SPREAD_STARTS),
        candidates,
        guess_accuracy=guess,
        seed=seed,
        our_starts=True,
        tries=5,  # each fits its model anew
    )


def _botorch(seed: int, candidates: CandidateSpace, guess: float) -> JointSampler:
    from botorch_sampler import BoTorchSampler

    return BoTorchSampler(candidates, guess_accuracy=guess, seed=seed)


METHODS: dict[str, Method] = {
    "random": Method("random"),
    "random, p ~ 1/FLOPs": Method(_mostly_cheap),
    "cheapest first": Method(_cheapest),
    "cheapest first, our rungs": Method(_cheapest, RungSpec()),
    "NSGA-II": Method(_nsga2),
    "NSGA-II, our starts": Method(partial(_nsga2, our_starts=True)),
    "TPE": Method(_tpe),
    "TPE, our starts": Method(partial(_tpe, our_starts=True)),
    "GPSampler, our starts": Method(_gp, is_recorded=True),
    "BoTorch, our starts": Method(_botorch, is_recorded=True),
    "random, our rungs": Method("random", RungSpec(), is_ours=True),
    "ours, no rungs": Method("cost_aware", is_ours=True),
    "ours": Method("cost_aware", RungSpec(), is_ours=True),
    "ours, warm from digits": Method("cost_aware", RungSpec(), is_ours=True, warm_from="digits"),
    "ours, warm from large": Method("cost_aware", RungSpec(), is_ours=True, warm_from="large"),
}
"""By name. TPE is multivariate, with constant liar and the ceiling as a constraint."""

OURS = "ours"
WARM = [name for name, method in METHODS.items() if method.warm_from]
BASELINES = [name for name, method in METHODS.items() if not method.is_ours]
RECORDED = [name for name, method in METHODS.items() if method.is_recorded]


def course_of(table: Table, name: str, seed: int, **limits: Any) -> Course:
    """Where a study of that method stands as its trials end."""
    return METHODS[name].replay(table, seed, **limits).thinned()
