"""Early stopping: what the rule never does, whatever the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from statistics import NormalDist
from typing import Any

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
    rank_correlation,
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


def test_a_trial_that_stands_for_a_hundred_counts_as_so_many_in_the_spread() -> None:
    gains = Random(0).choices([0.1, 0.2, 0.3], k=500)
    weighted = spread_of([*gains, 2.0, 2.1], [1.0] * 500 + [100.0] * 2)
    assert weighted == pytest.approx(spread_of([*gains, *[2.0, 2.1] * 100]), rel=0.03)


@given(st.lists(st.tuples(ACCURACIES, ACCURACIES), min_size=12, max_size=12, unique=True))
def test_the_rank_correlation_of_trials_of_one_cost_is_goodman_and_kruskals_gamma(
    trials: list[tuple[float, float]],
) -> None:
    """Nine trials are each other's neighbours: all pairs, by hand."""
    early, final = zip(*trials[:9], strict=True)
    signs = [
        np.sign(a[0] - b[0]) * np.sign(a[1] - b[1])
        for i, a in enumerate(trials[:9])
        for b in trials[:i]
    ]
    found = rank_correlation([1e6] * 9, early, final)
    pairs = np.count_nonzero(signs)
    assert (found is None) == (pairs < 10)
    if found is not None:
        assert found == pytest.approx(sum(signs) / pairs)


def test_trials_far_apart_in_cost_say_nothing_of_a_rung() -> None:
    """The larger is better at every epoch; among equals the rung has them upside down."""
    costs = [10.0**k * (1 + 0.01 * i) for k in (5, 6, 7) for i in range(6)]
    early = [0.3 * k + 0.01 * i for k in range(3) for i in range(6)]
    final = [0.3 * k - 0.01 * i for k in range(3) for i in range(6)]
    assert rank_correlation(costs, early, final) == -1
    assert rank_correlation(costs, early, early) == 1
    assert rank_correlation(costs[:4], early[:4], final[:4]) is None


def test_an_exempt_trial_counts_in_the_rank_correlation_for_those_it_stands_for() -> None:
    early, final = [0.5, 0.51, 0.52, 0.53, 0.54, 0.2], [0.6, 0.61, 0.62, 0.63, 0.64, 0.9]
    plain = rank_correlation([1e6] * 6, early, final)
    weighted = rank_correlation([1e6] * 6, early, final, [1.0] * 5 + [4.0])
    assert (plain, weighted) == (pytest.approx(5 / 15), pytest.approx(-10 / 30))


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


UNWEIGHTED: dict[str, Any] = {"exempt": "unweighted"}
"""As studies from before there was a choice."""


def everyone(peer: Peer, others: Sequence[Peer], spread: float | None) -> TooFarBehind:
    """A rule that would stop all."""
    return TooFarBehind(Peer(1, 1.0), 0.1)


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
            book.ended(Candidate.of(config), curve(final))
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
        book.ended(Candidate.of(config), [first, 0.5, 0.7, *[0.79 + 0.001 * i] * 9])
    late = mixer(hidden_dim=80)
    assert not book.decide(Candidate.of(late), 1, 0.35).stops
    assert book.decide(Candidate.of(late), 4, 0.7).stops


def test_an_exempt_trial_trains_on_and_is_told_apart() -> None:
    book = fresh(exempt=1.0)
    assert not any(played(book, FINALS[:6]))
    decision = book.decide(Candidate.of(mixer(hidden_dim=80)), 4, 0.05)
    assert decision.is_exempt
    assert decision.reason


@pytest.mark.parametrize(("changes", "first", "share"), [({}, 4, 0.15), (UNWEIGHTED, 0, 0.05)])
def test_the_first_to_be_stopped_are_exempt_and_the_others_by_lot(
    changes: dict[str, Any], first: int, share: float
) -> None:
    book = EarlyStopping(RungSpec(**changes), epochs=12, seed=0, rule=everyone)
    stops = [book.decide(Candidate.of(mixer(hidden_dim=h)), 4, 0.1).stops for h in range(1, 1001)]
    assert not any(stops[:first])
    assert stops[first:].count(False) / len(stops[first:]) == pytest.approx(share, abs=0.03)


def test_whom_the_lot_exempts_depends_neither_on_when_nor_on_the_order() -> None:
    """As after a resume, or where several workers train."""
    asked = [Candidate.of(mixer(hidden_dim=h)) for h in range(1, 201)]

    def stopped(candidates: Sequence[Candidate]) -> set[int]:
        book = EarlyStopping(RungSpec(), epochs=12, seed=0, rule=everyone)
        found = [c.config.hidden_dim for c in candidates if book.decide(c, 4, 0.1).stops]
        return set(found) - {c.config.hidden_dim for c in [*asked[:4], *asked[-4:]]}

    assert stopped(asked) == stopped(asked[::-1])


def test_one_that_is_exempt_and_still_runs_counts_among_the_first() -> None:
    history = [running(i, config=mixer(hidden_dim=64 + i), rung=4) for i in range(3)]
    book = EarlyStopping(RungSpec(spared=1e-9), epochs=12, seed=0, history=history, rule=everyone)
    stops = [book.decide(Candidate.of(mixer(hidden_dim=h)), 4, 0.1).stops for h in (80, 81)]
    assert stops == [False, True]


def stops_of_late_bloomers(spec: RungSpec) -> int:
    """Of 30 that are far behind at a rung and level in the end, among 60."""
    book = EarlyStopping(spec, epochs=12, seed=0)
    rng, stops = Random(0), 0
    for i in range(60):
        candidate, end = Candidate.of(mixer(hidden_dim=64 + i)), 0.8 + 0.01 * rng.gauss(0, 1)
        late = i > 7 and i % 2 == 0
        at_rung = (0.45 if late else 0.75) + 0.01 * rng.gauss(0, 1)
        decision = book.decide(candidate, 4, at_rung)
        stops += decision.stops
        if not decision.stops:
            book.ended(candidate, [0.1, 0.2, 0.3, *[at_rung] * 7, end, end])
    return stops


def test_what_is_stopped_widens_the_spread_through_those_that_are_exempt() -> None:
    assert stops_of_late_bloomers(RungSpec(**UNWEIGHTED, spared=0.0)) == 25
    assert stops_of_late_bloomers(RungSpec()) == 0


@pytest.mark.parametrize(("changes", "weight"), [({"spared": 1e-9}, 6.0), (UNWEIGHTED, None)])
def test_an_exempt_trial_counts_in_the_spread_for_the_stopped_ones_it_stands_for(
    changes: dict[str, Any], weight: float | None
) -> None:
    """Of 24 that were to be stopped, four were trained to the end: each stands for six."""
    seen: list[float | None] = []

    def rule(peer: Peer, others: Sequence[Peer], spread: float | None) -> TooFarBehind | None:
        seen.append(spread)
        return everyone(peer, others, spread) if peer.accuracy < 0.5 else None

    book, gains, weights = EarlyStopping(RungSpec(**changes), epochs=12, seed=0, rule=rule), [], []
    for i in range(44):
        candidate, at_rung = Candidate.of(mixer(hidden_dim=64 + i)), 0.7 + 0.01 * i
        at_rung = at_rung if i < 20 else 0.3
        if not book.decide(candidate, 4, at_rung).stops:
            whole = [at_rung] * 11 + [at_rung + 0.05 if i < 20 else 0.8]
            book.ended(candidate, whole)
            gains.append(gain_after(whole, 4))
            weights.append((weight or 1.0) if i >= 20 else 1.0)
    book.decide(Candidate.of(mixer(hidden_dim=120)), 4, 0.9)
    assert (weights.count(6.0) == 4) == (weight is not None)
    assert seen[-1] == pytest.approx(spread_of(gains, weights))


@pytest.mark.parametrize(("ranks", "stops"), [(True, True), (False, False)])
def test_a_rung_that_does_not_rank_stops_nobody(ranks: bool, stops: bool) -> None:
    book = EarlyStopping(RungSpec(spared=0.0), epochs=12, seed=0)
    for i in range(8):
        candidate, early = Candidate.of(mixer(hidden_dim=64 + i)), 0.80 + 0.001 * i
        assert not book.decide(candidate, 4, early).stops
        book.ended(
            candidate, [0.1, 0.2, 0.3, *[early] * 8, early + (0.1 if ranks else -2 * (early - 0.8))]
        )
    assert book.decide(Candidate.of(mixer(hidden_dim=80)), 4, 0.3).stops is stops


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
            first.ended(Candidate.of(config), whole)
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
