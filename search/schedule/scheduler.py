"""What a study trains next: what was interrupted, then baselines, then what the sampler proposes.

The study looks one configuration ahead: while one trains, the next is proposed and compiled. So
no proposal knows how the configuration just before it ended. A study of one worker that is taken
up again keeps to that, and proposes what it would have proposed. Where several workers train, what
a proposal knows depends on which of them was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runs.record import Origin, State, TrialRecord
from runs.seeds import by_configuration
from search.schedule.early_stopping import mean_curve
from search.schedule.optuna_adapter import Proposal, Proposer
from search.schedule.untried import Untried
from search.spec.studies import StudySpec
from space.config import Config, ImageTask
from space.cost import cost
from space.search_space import SearchSpace

_REFUSALS_IN_A_ROW = 10
"""After so many the sampler is repeating itself, and an untried configuration is drawn instead."""


@dataclass(frozen=True)
class Job:
    """A configuration that is due, with the trials it has already."""

    config: Config
    origin: Origin
    stored: tuple[TrialRecord, ...] = ()
    """One a seed; none if it was never begun."""
    proposal: Proposal | None = None


class Agenda:
    """Hands out jobs in order and learns how they ended.

    Args:
        spec: of the study.
        space: the ranges, narrowed to what can lie under the ceiling.
        task: of the images.
        max_flops: the study's ceiling.
        baselines: to be trained before the search.
        history: all trials of the study.
        curves: their accuracies by epoch, by number.
        num_trials: configurations of the search's own that are to be finished in the end.
        refuse: writes down a proposal that may not be tried, and why.
    """

    def __init__(
        self,
        spec: StudySpec,
        space: SearchSpace,
        task: ImageTask,
        *,
        max_flops: int,
        baselines: Sequence[Config],
        history: Sequence[TrialRecord],
        curves: Mapping[int, Sequence[float]],
        num_trials: int,
        refuse: Callable[[Proposal, str], TrialRecord],
    ) -> None:
        groups = by_configuration(history)
        searched = [t for t in history if t.origin is Origin.SEARCH]
        running = {t.config for t in searched if t.state is State.RUNNING}
        # in the order of their starts: what was tried again ended after trials of higher numbers
        ended = [t for t in searched if t.state not in {State.REFUSED, State.RUNNING}]
        last = max(ended, key=lambda t: (t.started_at, t.number), default=None)
        newest = last.config if last and not running else None
        self._proposer = Proposer(
            space,
            task,
            sampler=spec.sampler,
            seed=spec.seed,
            max_flops=max_flops,
            min_accuracy=spec.min_accuracy,
            history=searched,
            curves=curves,
            unheard=running if newest is None else {newest},
        )
        self._curves = curves
        self._max_flops = max_flops
        self._refuse = refuse
        self._untried = Untried(space, task, max_flops=max_flops, seed=spec.seed)
        self._tried = {config for config, _ in groups}
        self._missing = num_trials - sum(origin is Origin.SEARCH for _, origin in groups)
        self.exhausted = False
        """Whether there was nothing left to propose."""

        self._known: list[Job] = []
        self._unheard: Job | None = None
        for (config, origin), trials in groups.items():
            is_searched = origin is Origin.SEARCH
            proposal = self._proposer.unheard.get(config) if is_searched else None
            job = Job(config, origin, tuple(trials), proposal)
            if any(t.state is State.RUNNING for t in trials):
                self._known.append(job)
            elif is_searched and config == newest:
                self._unheard = job
        self._known += [Job(c, Origin.BASELINE) for c in baselines if c not in self._tried]
        self._tried |= set(baselines)

    def next(self) -> Job | None:
        """What is due after all that was handed out before; None when nothing is."""
        if self._known:
            return self._known.pop(0)
        if self._missing <= 0 or self.exhausted:
            return None
        proposal = self._propose()
        if self._unheard:
            job, self._unheard = self._unheard, None
            curves = [self._curves.get(trial.number, ()) for trial in job.stored]
            self.tell(job, job.stored, mean_curve(curves))
        if proposal is None:
            self.exhausted = True
            return None
        self._missing -= 1
        self._tried.add(proposal.config)
        return Job(proposal.config, Origin.SEARCH, proposal=proposal)

    def tell(self, job: Job, trials: Sequence[TrialRecord], curve: Sequence[float] = ()) -> None:
        """How the trials of a job ended, and the mean of their accuracies by epoch."""
        if job.proposal:
            self._proposer.tell(trials, job.proposal, curve)

    def _propose(self) -> Proposal | None:
        """The sampler's next configuration that may be tried; None when none is left."""
        if self._untried.none_left(self._tried):
            return None
        for _ in range(0 if self._proposer.at_random else _REFUSALS_IN_A_ROW):
            proposal = self._proposer.ask()
            reason = self._objection(proposal.config)
            if reason is None:
                return proposal
            self._proposer.tell([self._refuse(proposal, reason)], proposal)
        config = self._untried.draw(self._tried)
        return None if config is None else self._proposer.ask(config)

    def _objection(self, config: Config) -> str | None:
        """Why a configuration is not tried, in words; None if it may be."""
        flops = cost(config).flops
        if flops > self._max_flops:
            return f"over the budget: {flops:,} FLOPs of at most {self._max_flops:,}"
        if config in self._tried:
            return "tried before"
        return None
