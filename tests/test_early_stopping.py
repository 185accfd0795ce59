"""Early stopping: what the rule never does, whatever the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import mixer, running, trial

from runs.record import Origin, State
from search.schedule.candidate import Candidate
from search.schedule.early_stopping import EarlyStopping
from search.schedule.stopping_rule import (
    Peer,
    TooFarBehind,
    gain_after,
    spread_of,
    stopping_decision,
)
from search.spec.rungs import NO_RUNGS, RungSpec
from space.cost import cost

ACCURACIES = st.floats(0, 1)
PEERS = st.builds(Peer, st.integers(10_000, 4_000_000), ACCURACIES, st.booleans())
SPREADS = st.floats(0.01, 0.5)


def band(peer: Peer) -> int:
    """Half a decade of FLOPs."""
    return math.floor(2 * math.log10(peer.cost))


@given(PEERS, st.lists(PEERS, max_size=30), SPREADS)
def test_a_trial_is_stopped_only_if_one_of_no_more_flops_is_better(
    peer: Peer, others: list[Peer], spread: float
) -> None:
    found = stopping_decision(peer, others, spread)
    if found:
        assert found.ahead in others
        assert found.ahead.cost <= peer.cost
        assert found.ahead.accuracy - peer.accuracy >= found.allowed >= 0


@given(PEERS, st.lists(PEERS, max_size=12), SPREADS, st.randoms())
def test_the_order_of_arrival_does_not_matter(
    peer: Peer, others: list[Peer], spread: float, rng: object
) -> None:
    shuffled = list(others)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        stopping_decision(peer, others, spread),
        stopping_decision(peer, shuffled, spread),
    )
    assert (first is None) == (second is None)
    if first and second:
        assert first.in_words(peer, 4, 12) == second.in_words(peer, 4, 12)


@given(PEERS, st.lists(PEERS, max_size=30), SPREADS)
def test_the_best_and_the_first_two_of_a_band_go_on(
    peer: Peer, others: list[Peer], spread: float
) -> None:
    near = [other for other in others if band(other) == band(peer)]
    is_best = all(peer.accuracy >= other.accuracy for other in near)
    if is_best or sum(other.goes_on for other in near) < 2:
        assert stopping_decision(peer, others, spread) is None


@given(PEERS, st.lists(PEERS, max_size=30), SPREADS, st.floats(0, 0.5))
def test_who_would_be_stopped_would_be_with_less_accuracy_too(
    peer: Peer, others: list[Peer], spread: float, less: float
) -> None:
    worse = replace(peer, accuracy=max(0.0, peer.accuracy - less))
    if stopping_decision(peer, others, spread):
        assert stopping_decision(worse, others, spread)


def test_of_two_equal_trials_chance_stops_one_in_forty_four() -> None:
    """Two standard deviations of a *difference*: a normal variable is below that in 2.275 %.

    Both end at the same accuracy and come there in ways of their own, so that at the rung each is
    off by one spread, and the difference between them by the root of two of it.
    """
    spread, draws = 0.25, 20_000
    chance = NormalDist().cdf
    noise = np.random.default_rng(0).normal(0.3, spread, (draws, 2))
    stopped = 0
    for here, there in noise.tolist():
        ahead = Peer(1_000_000, chance(there))
        stopped += (
            stopping_decision(Peer(1_000_001, chance(here)), [ahead, ahead], spread) is not None
        )
    assert stopped / draws == pytest.approx(0.02275, abs=0.004)


@pytest.mark.parametrize("spread", [0.05, 0.25, 0.4])
def test_what_chance_explains_is_two_root_two_spreads_on_the_scale_of_probits(
    spread: float,
) -> None:
    ahead = Peer(1_000_000, 0.5)  # whose probit is 0
    threshold = NormalDist().cdf(-2.8284271 * spread)
    above, below = (Peer(1_000_001, threshold + aside) for aside in (1e-6, -1e-6))
    assert stopping_decision(above, [ahead, ahead], spread) is None
    found = stopping_decision(below, [ahead, ahead], spread)
    assert found is not None
    assert found.ahead == ahead
    assert found.allowed == pytest.approx(0.5 - threshold, abs=1e-6)


def test_nobody_is_stopped_before_enough_have_finished() -> None:
    peers = [Peer(1_000_000, 0.99)] * 9
    assert stopping_decision(Peer(1_100_000, 0.1), peers, None) is None
    assert stopping_decision(Peer(1_100_000, 0.1), peers, 0.2)
    gain = gain_after([0.5, 0.6], 1)
    assert spread_of([gain] * 5) is None
    assert spread_of([gain] * 6) == pytest.approx(0)


@given(st.lists(st.floats(-4, 4), min_size=6, max_size=60), st.randoms())
def test_the_spread_is_the_standard_deviation_in_whatever_order(
    gains: list[float], chance: Random
) -> None:
    spread = spread_of(gains)
    assert spread == pytest.approx(np.std(gains, ddof=1), abs=1e-12)
    chance.shuffle(gains)
    assert spread_of(gains) == spread


def test_a_gain_is_from_the_epoch_to_the_last_one() -> None:
    """In probits: 0 at one half, 1 at 84.13 %, -1 at 15.87 %."""
    rises = [0.1587, 0.5, 0.6, 0.8413]
    assert [gain_after(rises, epoch) for epoch in (1, 2, 4)] == pytest.approx([2, 1, 0], abs=1e-3)


def test_rungs_lie_at_powers_of_eta() -> None:
    assert RungSpec().epochs(12) == (1, 4)
    assert RungSpec().epochs(40) == (4, 13)
    assert RungSpec().epochs(2) == ()
    assert RungSpec(count=3, eta=2).epochs(40) == (5, 10, 20)
    assert NO_RUNGS.epochs(40) == ()


def test_more_rungs_than_epochs_are_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="count=3 with eta=3 needs at least 27 epochs, not 12"):
        RungSpec(count=3).epochs(12)


def curve(final: float) -> list[float]:
    return [final * epoch / 12 for epoch in range(1, 13)]


def fresh(exempt: float = 0.0) -> EarlyStopping:
    return EarlyStopping(RungSpec(spared=exempt), epochs=12, seed=0)


def played(book: EarlyStopping, finals: list[float]) -> list[bool]:
    """Judges configurations of almost equal FLOPs at epoch 4; says who was stopped."""
    stops = []
    for i, final in enumerate(finals):
        config = mixer(hidden_dim=64 + i)
        decision = book.decide(Candidate.of(config), 4, curve(final)[3])
        stops.append(decision.stops)
        if not decision.stops:
            book.ended(config, curve(final))
    return stops


FINALS = [0.9, 0.91, 0.93, 0.9, 0.92, 0.94, 0.2, 0.95, 0.1]


def test_one_far_behind_is_stopped_with_the_reason_in_words() -> None:
    book = fresh()
    assert played(book, FINALS) == [i in (6, 8) for i in range(9)]
    reason = book.decide(Candidate.of(mixer(hidden_dim=80)), 4, 0.05).reason
    assert reason is not None
    assert reason.startswith("stopped after epoch 4 of 12: 5.0 % where a trial of no more FLOPs")


def test_each_rung_has_a_spread_of_its_own() -> None:
    """Early accuracies foretell little here and later ones much."""
    book = fresh()
    for i in range(6):
        config, first = mixer(hidden_dim=64 + i), 0.2 + 0.1 * i
        for epoch, accuracy in zip(book.rungs, (first, 0.79), strict=True):
            assert not book.decide(Candidate.of(config), epoch, accuracy).stops
        book.ended(config, [first, 0.5, 0.7, *[0.79 + 0.001 * i] * 9])
    late = mixer(hidden_dim=80)
    assert not book.decide(Candidate.of(late), 1, 0.35).stops
    assert book.decide(Candidate.of(late), 4, 0.7).stops


def test_an_exempt_trial_trains_on_and_is_told_apart() -> None:
    book = fresh(exempt=1.0)
    assert not any(played(book, FINALS[:6]))
    decision = book.decide(Candidate.of(mixer(hidden_dim=80)), 4, 0.05)
    assert decision.is_exempt
    assert decision.reason


def test_the_share_of_exempt_trials_is_what_was_asked_for() -> None:
    book = fresh(exempt=0.05)
    lots = [book._is_exempt(mixer(hidden_dim=h)) for h in range(1, 2001)]
    assert 0.03 < sum(lots) / len(lots) < 0.07


def test_a_book_rebuilt_from_records_decides_as_the_first_would() -> None:
    first = fresh()
    stops = played(first, FINALS)
    history = [
        trial(
            i,
            config=mixer(hidden_dim=64 + i),
            state=State.PRUNED if stopped else State.COMPLETE,
            rung=4 if stopped else None,
        )
        for i, stopped in enumerate(stops)
    ]
    curves = {i: curve(f)[: 4 if stops[i] else 12] for i, f in enumerate(FINALS)}
    again = EarlyStopping(RungSpec(spared=0.0), epochs=12, seed=0, history=history, curves=curves)
    for hidden_dim in range(90, 140):
        for accuracy in (0.1, 0.2, 0.25, 0.3):
            candidate = Candidate.of(mixer(hidden_dim=hidden_dim))
            assert first.decide(candidate, 4, accuracy) == again.decide(candidate, 4, accuracy)


def test_a_book_rebuilt_from_trials_of_every_fate_decides_as_the_first_would() -> None:
    """Stopped at either rung, spared, trained to the end, failed on the way, still running."""
    rng = np.random.default_rng(2)
    spec = RungSpec(spared=0.3)
    known: list[tuple[set[Peer], float | None]] = []

    def rule(peer: Peer, others: Sequence[Peer], spread: float | None) -> TooFarBehind | None:
        known.append((set(others), spread))
        return stopping_decision(peer, others, spread)

    first, history, curves = EarlyStopping(spec, epochs=12, seed=0, rule=rule), [], {}
    for i in range(60):
        config, speed, final = mixer(hidden_dim=64 + i), rng.uniform(0.6, 0.9), rng.uniform(0, 1)
        whole = [final * (1 - math.exp(-speed * epoch)) for epoch in range(1, 13)]
        fails_after = rng.choice([12, 12, 12, 0, 2, 5]) if i > 8 else 12
        state, judged, reached = State.COMPLETE, None, 12
        for epoch in range(1, 13):
            if epoch > fails_after:
                state, reached = State.FAILED, epoch - 1
                break
            if epoch in first.rungs and judged is None:
                decision = first.decide(Candidate.of(config), epoch, whole[epoch - 1])
                judged = epoch if decision.reason else None
                if decision.stops:
                    state, reached = State.PRUNED, epoch
                    break
        if state is State.COMPLETE:
            first.ended(config, whole)
        history.append(trial(i, config=config, state=state, rung=judged))
        curves[i] = whole[:reached]
    assert {(t.state, t.rung, len(curves[t.number])) for t in history} >= {
        *[(State.COMPLETE, rung, 12) for rung in (None, 1, 4)],
        *[(State.PRUNED, rung, rung) for rung in (1, 4)],
        *[(State.FAILED, None, epochs) for epochs in (0, 2, 5)],
    }
    for i in range(60, 70):
        history.append(running(i, config=mixer(hidden_dim=64 + i)))
        curves[i] = [0.99] * 4
    again = EarlyStopping(spec, epochs=12, seed=0, history=history, curves=curves, rule=rule)
    for epoch in first.rungs:
        for i in range(40, 80):
            asked = Candidate.of(mixer(hidden_dim=64 + i)), epoch, rng.uniform(0, 0.6)
            assert first.decide(*asked) == again.decide(*asked)
            assert known[-2] == known[-1]


def test_a_configuration_judged_again_is_no_peer_of_itself() -> None:
    """As after an interruption between the verdict and the next checkpoint."""
    seen: list[list[Peer]] = []

    def rule(peer: Peer, others: Sequence[Peer], spread: float | None) -> TooFarBehind | None:
        seen.append(list(others))
        return None

    book = EarlyStopping(RungSpec(), epochs=12, seed=0, rule=rule)
    other, config = mixer(hidden_dim=64), mixer(hidden_dim=65)
    book.decide(Candidate.of(other), 4, 0.5)
    for accuracy in (0.4, 0.3):
        book.decide(Candidate.of(config), 4, accuracy)
    book.decide(Candidate.of(other), 4, 0.5)
    flops = [cost(c).flops for c in (other, config)]
    one = Peer(flops[0], 0.5)
    assert seen == [[], [one], [one], [Peer(flops[1], 0.3)]]


def test_baselines_are_no_peers() -> None:
    history = [trial(i, origin=Origin.BASELINE) for i in range(9)]
    curves = {i: curve(0.99) for i in range(9)}
    book = EarlyStopping(RungSpec(), epochs=12, seed=0, history=history, curves=curves)
    assert not book.decide(Candidate.of(mixer()), 4, 0.01).stops
