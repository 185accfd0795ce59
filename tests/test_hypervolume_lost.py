"""What early stopping has lost, by the exempt: by hand, and against what is known to be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from records import at, mixer, study, trial

from runs import pareto
from runs.hypervolume_lost import HypervolumeLost, hypervolume_lost, share_lost
from runs.record import State, TrialRecord
from runs.winners import objectives, reference_of

STUDY = study(spec={"rungs": {"spared": 0.15, "exempt": "weighted"}})
BEFORE = study(spec={"rungs": {"spared": 0.05}})


def searched(exempt: Sequence[float], num_stopped: int) -> list[TrialRecord]:
    """One cheap trial of 50 %, exempt ones of these accuracies at twice its cost, stopped ones."""
    return [
        at(1_000_000, 0.5, 0, rung=None),
        *(at(2_000_000, a, 1 + i, rung=4) for i, a in enumerate(exempt)),
        *(at(2_000_000, 0.2, 50 + i, state=State.PRUNED, rung=4) for i in range(num_stopped)),
    ]


def hypervolume(trials: Sequence[TrialRecord]) -> float:
    return pareto.hypervolume(*objectives(trials), reference_of(STUDY))


def test_each_exempt_trial_counts_for_the_stopped_ones_it_stands_for() -> None:
    """One of five widens the front; ten were stopped, so that twice as much is lost."""
    exempt = [0.4, 0.4, 0.7, 0.4, 0.4]
    found = hypervolume_lost(BEFORE, searched(exempt, 10))
    complete = searched(exempt, 0)
    gain = hypervolume(complete) - hypervolume(complete[:1])
    assert (found.num_stopped, found.num_exempt, found.num_adding) == (10, 5, 1)
    assert found.share is not None
    assert found.share.value == pytest.approx(2 * gain / (hypervolume(complete) + 2 * gain))
    assert found.share.low == 0 < found.share.value < found.share.high < 1


def test_once_the_lot_has_drawn_enough_the_first_ones_speak_for_themselves() -> None:
    first, by_lot = [0.7, 0.4, 0.4, 0.4], [0.4] * 5
    lost = hypervolume_lost(STUDY, searched([*first, *by_lot], 20))
    assert (lost.num_exempt, lost.num_adding, lost.share) == (5, 0, None)
    before = hypervolume_lost(BEFORE, searched([*first, *by_lot], 20))
    assert (before.num_exempt, before.num_adding) == (9, 1)
    few = hypervolume_lost(STUDY, searched([*first, *by_lot[:2]], 20))
    assert (few.num_exempt, few.num_adding) == (6, 1)


@pytest.mark.parametrize(("count", "used"), [(4, 4), (5, 5), (7, 7), (8, 8), (9, 5), (12, 8)])
def test_more_exempt_trials_never_unsay_an_estimate(count: int, used: int) -> None:
    lost = hypervolume_lost(STUDY, searched([0.7] * count, 20))
    assert lost.num_exempt == used
    assert ("cannot be said" in (lost.sentence or "")) is (count < 5)


def test_what_is_useless_widens_no_front() -> None:
    trials = searched([0.7] + [0.4] * 4, 10)
    useless = replace(BEFORE, spec=BEFORE.spec | {"min_accuracy": 0.8})
    assert hypervolume_lost(useless, trials).num_adding == 0


def test_the_interval_covers_what_the_stopped_ones_would_have_added() -> None:
    """Ten exempt and fifty stopped ones of one kind: 60 % add something, as much as it comes."""
    rng, covered, errors = np.random.default_rng(0), [], []
    for _ in range(400):
        gains = np.where(rng.random(60) < 0.6, rng.uniform(0, 0.02, 60), 0)
        truth = gains[10:].sum()
        share = share_lost(1.0, gains[:10], np.full(10, 5.0))
        covered.append(share.low <= truth / (1 + truth) <= share.high)
        errors.append(share.value - truth / (1 + truth))
    assert 0.92 <= fmean(covered) <= 0.98
    assert abs(fmean(errors)) < 0.01


@pytest.mark.parametrize(
    ("exempt", "stopped", "sentence"),
    [
        ([0.4], 0, None),
        ([], 3, "cannot be said yet: no exempt configurations speak for those that were stopped"),
        ([0.9], 3, "cannot be said yet: 1 exempt configuration speaks for those that were stopped"),
        (
            [0.4] * 9,
            20,
            "none of the 9 exempt configurations widens the front, so that of the 20 stopped ones "
            "at most 28 % would have (95 % confidence)",
        ),
        ([0.4] * 8 + [0.7], 20, "9 exempt configurations tell, of which 1 widens the front"),
    ],
)
def test_the_sentence_says_what_is_known(
    exempt: list[float], stopped: int, sentence: str | None
) -> None:
    found = hypervolume_lost(BEFORE, searched(exempt, stopped)).sentence
    assert found == sentence or (found is not None and sentence is not None and sentence in found)


def test_a_study_in_which_nothing_was_found_has_lost_nothing_that_is_known() -> None:
    stopped = trial(0, config=mixer(), state=State.PRUNED, rung=4)
    found = hypervolume_lost(STUDY, [stopped])
    assert found == HypervolumeLost(num_stopped=1, num_exempt=0, num_adding=0, share=None)
