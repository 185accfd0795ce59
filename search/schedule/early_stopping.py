"""Keeps the book of a study's rungs: who came to which, who went on, who is spared."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from runs.record import Origin, State, TrialRecord
from runs.seeds import by_configuration
from search.schedule.stopping_rule import Peer, Rule, gain_after, objection, spread_of
from search.spec.rungs import RungSpec
from space.config import Config
from space.cost import cost


@dataclass(frozen=True)
class Verdict:
    """What becomes of a configuration at a rung."""

    reason: str | None = None
    """Why it should stop, in words; None if it should not."""
    is_spared: bool = False
    """Whether it is trained to the end nevertheless, so that we learn what stopping costs."""

    @property
    def stops(self) -> bool:
        """Whether its training ends here."""
        return self.reason is not None and not self.is_spared


class EarlyStopping:
    """Decides at every rung of a study; the same decisions for the same history.

    Args:
        spec: the rungs.
        epochs: of a whole training.
        seed: of the study.
        history: its trials so far.
        curves: accuracies by epoch, of the trials by number.
        rule: who is stopped.

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
        rule: Rule = objection,
    ) -> None:
        self.rungs = spec.epochs(epochs)
        """The epochs after which a trial is judged."""
        self._spared = spec.spared
        self._rule = rule
        self._epochs = epochs
        self._seed = seed
        self._peers: dict[int, dict[Config, Peer]] = defaultdict(dict)
        self._gains: dict[int, dict[Config, float]] = defaultdict(dict)
        """Of those trained to the end, by rung."""
        for (config, origin), trials in by_configuration(history).items():
            if origin is Origin.SEARCH and all(t.state is not State.RUNNING for t in trials):
                self.recall(config, trials, curves or {})

    def judge(self, config: Config, epoch: int, accuracy: float) -> Verdict:
        """Whether a configuration goes on after the epoch of a rung.

        Args:
            config: of the search, not a baseline.
            epoch: one of `rungs`.
            accuracy: the mean of its seeds.
        """
        others = self._peers[epoch]
        others.pop(config, None)
        peer = Peer(cost(config).flops, accuracy)
        spread = spread_of(list(self._gains[epoch].values()))
        found = self._rule(peer, list(others.values()), spread)
        others[config] = Peer(peer.flops, accuracy, goes_on=found is None)
        if found is None:
            return Verdict()
        return Verdict(found.in_words(peer, epoch, self._epochs), self._is_spared(config))

    def ended(self, config: Config, curve: Sequence[float]) -> None:
        """A configuration has trained to the end, with this curve (the mean of its seeds)."""
        if len(curve) == self._epochs:
            for epoch in self.rungs:
                self._gains[epoch][config] = gain_after(curve, epoch)

    def recall(
        self, config: Config, trials: Sequence[TrialRecord], curves: Mapping[int, Sequence[float]]
    ) -> None:
        """What was decided of a configuration before: where it trained to, it went on."""
        curve = mean_curve([curves.get(t.number, ()) for t in trials])
        judged = trials[0].rung
        for epoch in self.rungs:
            if epoch <= len(curve) and (judged is None or epoch <= judged):
                flops = trials[0].flops
                self._peers[epoch][config] = Peer(flops, curve[epoch - 1], epoch != judged)
        if all(t.state is State.COMPLETE for t in trials):
            self.ended(config, curve)

    def _is_spared(self, config: Config) -> bool:
        """By lot, the same for a configuration whenever it is drawn."""
        lot = random.Random(f"{self._seed}/spared/{config.model_dump_json()}")
        return lot.random() < self._spared


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of several seeds' curves, as far as all of them go."""
    return [fmean(values) for values in zip(*curves, strict=False)]
