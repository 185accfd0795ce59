"""Proposals: an Optuna study in memory, rebuilt from our records, asked and told by the loop.

Our SQL is the only truth. Optuna sees two objectives, accuracy (maximised) and log10 FLOPs
(minimised; the logarithm, so that its hypervolumes are ours), and of a trial only what our
records say. Every ask has a random generator of its own, made from the study's seed and the
number of asks before it: a study that was interrupted proposes what it would have proposed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseGASampler, BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from runs.record import State, TrialRecord
from space.config import ImageTask, MixerConfig
from space.search_space import SearchSpace
from space.suggest import suggest

optuna.logging.set_verbosity(optuna.logging.WARNING)

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "nsga2": lambda seed: NSGAIISampler(seed=seed, population_size=20),
    "random": lambda seed: RandomSampler(seed=seed),
}
"""Name to a sampler of that seed. NSGA-II's population fits studies of some hundred trials."""

_CONSTRAINT = "min_accuracy"


@dataclass(frozen=True)
class Proposal:
    """A configuration the sampler would like to see tried."""

    config: MixerConfig
    sampler_attrs: dict[str, Any]
    """To be kept in the trial's record, so that a rebuilt study has it."""
    optuna_trial: optuna.trial.Trial


class Proposer:
    """Asks and tells; holds nothing that the records and the specification do not hold."""

    def __init__(
        self,
        space: SearchSpace,
        task: ImageTask,
        *,
        sampler: str,
        seed: int,
        min_accuracy: float | None,
        history: Iterable[TrialRecord] = (),
    ) -> None:
        self._space = space
        self._task = task
        self._make_sampler = SAMPLERS[sampler]
        self._seed = seed
        self._min_accuracy = min_accuracy
        self._distributions: dict[str, BaseDistribution] = {
            name: IntDistribution(0, len(values) - 1) for name, values in space.ranges.items()
        }
        self._study = optuna.create_study(directions=["maximize", "minimize"])
        self._study.add_trials([self._frozen(trial) for trial in history])
        self._recall_generations()

    def ask(self) -> Proposal:
        """What the sampler proposes next; not checked against anything."""
        self._study.sampler = self._sampler()
        trial = self._study.ask()
        config = suggest(trial, self._space, self._task)
        asked = self._study.get_trials(deepcopy=False)[trial.number]
        return Proposal(config, dict(asked.system_attrs), trial)

    def tell(self, trial: TrialRecord, proposal: Proposal | None = None) -> None:
        """How a trial ended; without its proposal where it was not asked for in this process."""
        if proposal is None:
            self._study.add_trial(self._frozen(trial))
            return
        for name, value in self._constraints(trial).items():
            proposal.optuna_trial.set_constraint(name, value)
        if trial.state is State.COMPLETE:
            self._study.tell(proposal.optuna_trial, _values(trial))
        else:
            self._study.tell(proposal.optuna_trial, state=TrialState.FAIL)

    def _sampler(self) -> BaseSampler:
        seed = random.Random(f"{self._seed}/{len(self._study.trials)}").getrandbits(31)
        return self._make_sampler(seed)

    def _recall_generations(self) -> None:
        """Lets a genetic sampler choose its past parents again, as it did the first time.

        Optuna returns parents in the order of selection when it chooses them and in the order of
        trials ever after: an interrupted study would cross other pairs than an uninterrupted one.
        """
        sampler = self._sampler()
        if isinstance(sampler, BaseGASampler):
            generations = [
                value
                for trial in self._study.get_trials(deepcopy=False)
                for key, value in trial.system_attrs.items()
                if key.endswith(":generation")
            ]
            for generation in range(1, max(generations, default=0) + 1):
                sampler.get_parent_population(self._study, generation)

    def _frozen(self, trial: TrialRecord) -> optuna.trial.FrozenTrial:
        complete = trial.state is State.COMPLETE
        return optuna.trial.create_trial(
            state=TrialState.COMPLETE if complete else TrialState.FAIL,
            values=_values(trial) if complete else None,
            params={
                name: values.index(getattr(trial.config, name))
                for name, values in self._space.ranges.items()
            },
            distributions=self._distributions,
            system_attrs=trial.sampler_attrs,
            constraints=self._constraints(trial),
        )

    def _constraints(self, trial: TrialRecord) -> dict[str, float]:
        """Optuna's way to say a result is useless: above zero is infeasible."""
        if self._min_accuracy is None or trial.accuracy is None:
            return {}
        return {_CONSTRAINT: self._min_accuracy - trial.accuracy}


def _values(trial: TrialRecord) -> list[float]:
    assert trial.accuracy is not None, "a complete trial has an accuracy"
    return [trial.accuracy, math.log10(trial.flops)]
