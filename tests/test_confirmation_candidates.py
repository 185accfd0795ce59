"""`search.schedule.confirmation_candidates`: who is trained again, by all that a search saw."""

from __future__ import annotations

from dataclasses import replace

import pytest
from records import mixer, study, trial, vit

from runs.record import Origin, State, TrialRecord
from search.schedule.confirmation_candidates import (
    NothingToConfirmError,
    choose_candidates,
    choose_repeated,
)

ACCURACIES = (0.60, 0.70, 0.77, 0.82, 0.855, 0.88, 0.895, 0.90)


def searched(*changed: TrialRecord) -> list[TrialRecord]:
    """Mixers, the wider the more accurate, as 12 epochs gave it; some of them changed."""
    found = {
        i: trial(i, config=mixer(hidden_dim=8 * (i + 1)), accuracy=accuracy)
        for i, accuracy in enumerate(ACCURACIES)
    }
    return [*(found | {t.number: t for t in changed}).values()]


def curve(accuracy: float) -> list[float]:
    return [accuracy * (1 - 0.6 / epoch) for epoch in range(1, 12)] + [accuracy]


CURVES = {i: curve(accuracy) for i, accuracy in enumerate(ACCURACIES)}


def numbers(trials: tuple[TrialRecord, ...]) -> set[int]:
    return {t.number for t in trials}


def test_one_that_is_worse_than_a_cheaper_one_is_less_likely_and_not_struck_out() -> None:
    """Among such neighbours it may have had bad luck."""
    worse, better = (
        choose_candidates(
            study(), searched(trial(5, config=mixer(hidden_dim=48), accuracy=a)), CURVES
        )
        for a in (0.80, 0.88)
    )
    assert 0 < worse.probability[5] < better.probability[5] <= 1
    assert numbers(worse.trials) == set(range(8))


def test_no_more_a_family_than_asked_for_and_the_others_are_named() -> None:
    vits = [
        trial(10 + i, config=vit(hidden_dim=12 * (i + 1)), accuracy=0.5 + i / 10) for i in (0, 1, 2)
    ]
    both = replace(study(), spec=study().spec | {"families": ["mixer", "vit"]})
    found = choose_candidates(both, [*searched(), *vits], CURVES, most=2)
    assert [t.family for t in found.trials].count("mixer") == 2
    assert [t.family for t in found.trials].count("vit") == 2
    assert numbers(found.trials).isdisjoint(numbers(found.left_out))
    least = min(found.probability[t.number] for t in found.trials if t.family == "mixer")
    assert least > 0
    assert len(found.trials) + len(found.left_out) <= len(ACCURACIES) + len(vits)


def test_one_that_was_stopped_early_is_looked_at_by_what_it_would_have_reached() -> None:
    promising = replace(
        trial(6, config=mixer(hidden_dim=56)),
        state=State.PRUNED,
        rung=4,
        error="stopped",
        accuracy=curve(0.895)[3],
    )
    hopeless = replace(promising, number=7, config=mixer(hidden_dim=64), accuracy=0.2)
    curves = CURVES | {6: curve(0.895)[:4], 7: [0.1, 0.15, 0.18, 0.2]}
    found = choose_candidates(study(), searched(promising, hopeless), curves)
    assert 6 in numbers(found.trials)
    assert found.probability[6] > found.probability.get(7, 0)


def test_baselines_come_along_and_what_is_useless_does_not() -> None:
    given = trial(20, config=vit(), accuracy=0.3, origin=Origin.BASELINE)
    failed = replace(given, number=21, config=vit(hidden_dim=24), state=State.FAILED, accuracy=None)
    wanted = replace(study(), spec=study().spec | {"min_accuracy": 0.8})
    found = choose_candidates(wanted, [*searched(), given, failed], CURVES)
    assert numbers(found.trials) == {3, 4, 5, 6, 7, 20}


def test_the_noise_of_a_training_is_told_by_two_of_the_front() -> None:
    assert numbers(choose_repeated(study(), searched()).trials) == {4, 7}
    assert numbers(choose_repeated(study(), searched()[:1]).trials) == {0}


@pytest.mark.parametrize("choose", [choose_repeated, lambda s, t: choose_candidates(s, t, {})])
def test_without_a_complete_trial_there_is_nothing_to_confirm(choose: object) -> None:
    with pytest.raises(NothingToConfirmError, match="'digits' has no complete trial"):
        choose(study(), [trial(0, origin=Origin.BASELINE)])  # type: ignore[operator]
