"""The rungs of a study: which configurations reached which, and which of them continue."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from runs.record import Origin, State, TrialRecord
from runs.seeds import by_configuration, mean_curve
from search.schedule.candidate import Candidate
from search.schedule.stopping_rule import (
    Peer,
    StoppingRule,
    gain_after,
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
        self._cost = cost
        self.rungs = spec.epochs(epochs)
        """The epochs after which trials are compared."""
        self._exempt_share = spec.spared
        self._rule = rule
        self._epochs = epochs
        self._seed = seed
        self._peers: dict[int, dict[Config, Peer]] = defaultdict(dict)
        self._gains: dict[int, dict[Config, float]] = defaultdict(dict)
        """Of those trained to the end, by rung."""
        for (config, origin), trials in by_configuration(history).items():
            if origin is Origin.SEARCH and all(t.state is not State.RUNNING for t in trials):
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
        spread = spread_of(list(self._gains[epoch].values()))
        behind = self._rule(peer, list(others.values()), spread)
        others[config] = Peer(peer.cost, accuracy, goes_on=behind is None)
        if behind is None:
            return RungDecision()
        action = Action.CONTINUE if self._is_exempt(config) else Action.STOP
        return RungDecision(action, behind.in_words(peer, epoch, self._epochs, self._cost.unit))

    def ended(self, config: Config, curve: Sequence[float]) -> None:
        """A configuration has trained to the end, with this curve (the mean of its seeds)."""
        if len(curve) == self._epochs:
            for epoch in self.rungs:
                self._gains[epoch][config] = gain_after(curve, epoch)

    def recall(
        self, config: Config, trials: Sequence[TrialRecord], curves: Mapping[int, Sequence[float]]
    ) -> None:
        """What was decided of a configuration before: it continued at all rungs it trained past."""
        curve = mean_curve([curves.get(t.number, ()) for t in trials])
        last = trials[0].rung
        cost = Candidate.recorded(trials[0], self._cost).cost
        for epoch in self.rungs:
            if epoch <= len(curve) and (last is None or epoch <= last):
                self._peers[epoch][config] = Peer(cost, curve[epoch - 1], epoch != last)
        if all(t.state is State.COMPLETE for t in trials):
            self.ended(config, curve)

    def _is_exempt(self, config: Config) -> bool:
        """Drawn by lot, the same for a configuration every time."""
        lot = random.Random(f"{self._seed}/spared/{config.model_dump_json()}")
        return lot.random() < self._exempt_share
