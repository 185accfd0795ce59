"""The rungs of a study: which configurations reached which, and which of them continue."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from runs.record import Origin, State, TrialRecord
from runs.rungs import first_exempt, stands_for
from runs.seeds import by_configuration, mean_curve
from search.schedule.candidate import Candidate
from search.schedule.stopping_rule import (
    MIN_RANK_CORRELATION,
    Peer,
    StoppingRule,
    gain_after,
    rank_correlation,
    spread_of,
    stopping_decision,
)
from search.spec.rungs import RungSpec
from space.config import Config
from space.costs import FLOPS, Cost


class Action(Enum):
    """What a worker does with its trials after the epoch of a rung."""

    CONTINUE = "continue"
    STOP = "stop"


@dataclass(frozen=True)
class RungDecision:
    """What becomes of a configuration at a rung."""

    action: Action = Action.CONTINUE
    reason: str | None = None
    """Why the rule would stop it, in words; None if it would not."""

    @property
    def stops(self) -> bool:
        """Whether its training ends here."""
        return self.action is Action.STOP

    @property
    def is_exempt(self) -> bool:
        """Whether it continues against the rule, to measure what stopping costs."""
        return self.reason is not None and not self.stops


@dataclass(frozen=True)
class _Ended:
    """A configuration that was trained to the end."""

    cost: float
    curve: tuple[float, ...]


class EarlyStopping:
    """Decides at every rung of a study; the same decisions for the same history.

    Args:
        spec: the rungs.
        epochs: of a whole training.
        seed: of the study.
        history: its trials so far.
        curves: accuracies by epoch, of the trials by number.
        rule: decides who stops.
        cost: what the study minimises.

    Raises:
        ValueError: there are too few epochs for the rungs asked for.
    """

    def __init__(
        self,
        spec: RungSpec,
        *,
        epochs: int,
        seed: int,
        history: Sequence[TrialRecord] = (),
        curves: Mapping[int, Sequence[float]] | None = None,
        rule: StoppingRule = stopping_decision,
        cost: Cost = FLOPS,
    ) -> None:
        spec = spec.settled()
        self._cost = cost
        self.rungs = spec.epochs(epochs)
        """The epochs after which trials are compared."""
        self._exempt_share = spec.spared or 0.0
        self._is_weighted = spec.exempt == "weighted"
        self._first_exempt = first_exempt({"rungs": spec.model_dump()})
        self._rule = rule
        self._epochs = epochs
        self._seed = seed
        self._peers: dict[int, dict[Config, Peer]] = defaultdict(dict)
        self._ended: dict[Config, _Ended] = {}
        self._to_be_stopped: dict[Config, bool] = {}
        """In the order they were; whether each is exempt."""
        for (config, origin), trials in by_configuration(history).items():
            if origin is not Origin.SEARCH:
                continue
            if any(t.rung is not None for t in trials):  # those that run count in what is exempt
                self._to_be_stopped[config] = all(t.state is not State.PRUNED for t in trials)
            if all(t.state is not State.RUNNING for t in trials):
                self.recall(config, trials, curves or {})

    def decide(self, candidate: Candidate, epoch: int, accuracy: float) -> RungDecision:
        """Whether a configuration continues after the epoch of a rung.

        Args:
            candidate: of the search, not a baseline.
            epoch: one of `rungs`.
            accuracy: the mean of its seeds.
        """
        config = candidate.config
        others = self._peers[epoch]
        others.pop(config, None)
        peer = Peer(candidate.cost, accuracy)
        behind = self._rule(peer, list(others.values()), self._spread(epoch))
        others[config] = Peer(peer.cost, accuracy, goes_on=behind is None)
        if behind is None:
            return RungDecision()
        exempt = self._to_be_stopped.setdefault(config, self._is_exempt(config))
        action = Action.CONTINUE if exempt else Action.STOP
        return RungDecision(action, behind.in_words(peer, epoch, self._epochs, self._cost.unit))

    def ended(self, candidate: Candidate, curve: Sequence[float]) -> None:
        """A configuration has trained to the end, with this curve (the mean of its seeds)."""
        if len(curve) == self._epochs:
            self._ended[candidate.config] = _Ended(candidate.cost, tuple(curve))

    def recall(
        self, config: Config, trials: Sequence[TrialRecord], curves: Mapping[int, Sequence[float]]
    ) -> None:
        """What was decided of a configuration before: it continued at all rungs it trained past."""
        curve = mean_curve([curves.get(t.number, ()) for t in trials])
        last = trials[0].rung
        candidate = Candidate.recorded(trials[0], self._cost)
        for epoch in self.rungs:
            if epoch <= len(curve) and (last is None or epoch <= last):
                self._peers[epoch][config] = Peer(candidate.cost, curve[epoch - 1], epoch != last)
        if all(t.state is State.COMPLETE for t in trials):
            self.ended(candidate, curve)

    def _spread(self, epoch: int) -> float | None:
        """Of what trials gain after a rung; None where too little is known, or the rung says too
        little, to stop any."""
        ended = list(self._ended.values())
        weights = self._weights() if self._is_weighted else None
        spread = spread_of([gain_after(e.curve, epoch) for e in ended], weights)
        if spread is None or not self._is_weighted:
            return spread
        correlation = rank_correlation(
            [e.cost for e in ended],
            [e.curve[epoch - 1] for e in ended],
            [e.curve[-1] for e in ended],
            weights,
        )
        ranks = correlation is None or correlation >= MIN_RANK_CORRELATION
        return spread if ranks else None

    def _weights(self) -> list[float]:
        """How many configurations each that was trained to the end stands for.

        Those that were stopped are like the exempt ones, and unlike all others: without weights
        what is stopped would never widen the spread that decides about stopping.
        """
        exempt = [c for c, exempt in self._to_be_stopped.items() if exempt and c in self._ended]
        num_stopped = sum(not exempt for exempt in self._to_be_stopped.values())
        shares = stands_for(len(exempt), num_stopped, self._first_exempt)
        weights = dict.fromkeys(self._ended, 1.0) | dict(zip(exempt, shares, strict=True))
        return list(weights.values())

    def _is_exempt(self, config: Config) -> bool:
        """The first to be stopped, then by lot: drawn alike for a configuration every time."""
        if len(self._to_be_stopped) < self._first_exempt:
            return True
        lot = random.Random(f"{self._seed}/spared/{config.model_dump_json()}")
        return lot.random() < self._exempt_share
