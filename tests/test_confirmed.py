"""`runs.confirmed`: what a database says of a confirmation, and what the front is made of then."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from records import NOON, mixer, study, trial, vit

from runs.confirmation.errors import ConfirmationError
from runs.confirmation.membership import Membership
from runs.confirmed import Confirmed, find_confirmed, read_confirmed
from runs.record import ImageResults, Origin, State, StudyRecord, TrialRecord
from runs.record import TestReading as Reading
from runs.writer import Writer, open_writer

SEARCHED = [
    trial(0, config=mixer(hidden_dim=8), accuracy=0.6),
    trial(1, config=mixer(hidden_dim=32), accuracy=0.95),
    trial(2, config=mixer(hidden_dim=16), accuracy=0.85),
    trial(3, config=vit(hidden_dim=12), accuracy=0.7),
    trial(4, config=mixer(hidden_dim=24), accuracy=0.9, origin=Origin.BASELINE),
    trial(5, config=mixer(hidden_dim=48), accuracy=0.5, state=State.PRUNED, rung=2, error="slow"),
]
TRUE = {0: 0.6, 1: 0.9, 2: 0.85, 3: 0.5, 4: 0.8, 5: 0.4}
N = 2_000


def bits(accuracy: float, seed: int, number: int = 0) -> np.ndarray:
    """Images of which about so many are right."""
    return np.random.default_rng([seed, number]).random(N) < accuracy


def result(trial: TrialRecord, accuracy: float, split: str) -> ImageResults:
    right = bits(accuracy, trial.seed, 10 * (trial.parent or 0) + len(split))
    return ImageResults(
        trial=trial.number, split=split, num_images=N, right=np.packbits(right).tobytes()
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Writer]:
    with open_writer(f"sqlite:///{tmp_path}/t.db") as store:
        store.put_study(study(spec=study().spec | {"families": ["mixer", "vit"]}))
        store.add_trials("digits", SEARCHED)
        yield store


def confirm(
    store: Writer,
    first_seed: int = 10,
    seeds: int = 3,
    candidates: Sequence[int] = range(6),
    states: Mapping[tuple[int, int], State] = {},
    planned: int | None = None,
) -> list[TrialRecord]:
    """Fresh trainings of candidates as the truth has them; of `planned` seeds, more are to come."""
    store.add_confirmation(
        "digits",
        {
            "kind": "front",
            "seeds": planned or seeds,
            "level": 0.95,
            "first_seed": first_seed,
            "candidates": [{"trial": number, "probability": None} for number in candidates],
            "left_out": [],
        },
    )
    ended = []
    for number in candidates:
        for seed in range(first_seed, first_seed + seeds):
            state = states.get((number, seed), State.COMPLETE)
            fresh = replace(
                SEARCHED[number],
                origin=Origin.CONFIRMATION,
                parent=number,
                seed=seed,
                state=State.RUNNING,
                accuracy=None,
                loss=None,
                finished_at=None,
                rung=None,
                error=None,
            )
            (added,) = store.add_trials("digits", [fresh])
            done = replace(added, state=state, finished_at=NOON)
            if state is State.COMPLETE:
                found = result(added, TRUE[number], "validation")
                accuracy = float(np.unpackbits(np.frombuffer(found.right, np.uint8))[:N].mean())
                done = replace(done, accuracy=accuracy, loss=1.0)
                store.end_trials("digits", [done], image_results=[found])
            else:
                store.end_trials("digits", [replace(done, error="it diverged")])
            ended.append(done)
    return ended


def read_test(store: Writer, trials: Sequence[TrialRecord]) -> None:
    reading = Reading(
        test_digest="a" * 64,
        study="digits",
        trial=None,
        read_at=NOON,
        purpose="confirmation 0",
        command="python -m search.confirm --study digits",
    )
    done = [t for t in trials if t.state is State.COMPLETE]
    store.add_test_reading(reading, [result(t, TRUE[t.parent or 0] - 0.02, "test") for t in done])


def by_parent(found: Confirmed, values: Sequence[object]) -> dict[int, object]:
    return {n.parent.number: v for n, v in zip(found.networks, values, strict=True)}


def test_networks_are_judged_cheapest_first_in_groups_of_their_own(store: Writer) -> None:
    confirm(store)
    found = read_confirmed(store, "digits")
    assert list(found.costs) == sorted(found.costs)
    assert by_parent(found, found.groups) == {
        **dict.fromkeys((0, 1, 2, 5), "Mixer"),
        3: "ViT",
        4: "Mixer baseline",
    }
    marks = by_parent(found, found.memberships)
    assert marks == {
        **dict.fromkeys((0, 1, 2), Membership.ON),
        5: Membership.OFF,  # dearer and worse
        3: Membership.ON,
        4: Membership.ON,  # alone in their groups
    }
    assert [d.families for d in found.comparisons] == [
        ("Mixer", "ViT"),
        ("Mixer", "Mixer baseline"),
    ]


def test_validation_reports_until_test_is_read(store: Writer) -> None:
    ended = confirm(store)
    found = read_confirmed(store, "digits")
    assert not found.is_tested
    assert found.readings is None
    fresh = np.mean([t.accuracy for t in ended if t.parent == 1])
    assert by_parent(found, [a.value for a in found.accuracies])[1] == pytest.approx(fresh)
    assert all("validation" in said for said in found.sentences())

    read_test(store, ended)
    found = read_confirmed(store, "digits")
    assert (found.is_tested, found.readings) == (True, 1)
    tested = by_parent(found, found.accuracies)[1]
    assert 0.86 < tested.low < tested.value < tested.high < 0.90
    assert all(said.endswith("3 seeds, test read once") for said in found.sentences())
    mean = next(mean for mean in found.means() if mean.number == 1)
    assert mean.accuracy == pytest.approx(fresh), "what is taken home is chosen by validation"


def test_the_search_owed_something_to_luck(store: Writer) -> None:
    confirm(store)
    found = read_confirmed(store, "digits")
    optimism = by_parent(found, found.optimism)
    assert optimism[1].value == pytest.approx(0.05, abs=0.02)
    assert optimism[1].excludes_zero
    assert not optimism[0].excludes_zero
    assert optimism[5] is None, "it was stopped early"


def test_a_network_of_which_a_training_failed_is_not_judged(store: Writer) -> None:
    confirm(store, states={(2, 11): State.FAILED})
    found = read_confirmed(store, "digits")
    assert 2 not in by_parent(found, found.groups)
    assert [n.parent.number for n in found.failed] == [2]


def test_of_two_confirmations_each_has_its_own_seeds(store: Writer) -> None:
    confirm(store, candidates=[0, 1])
    confirm(store, candidates=[1, 2], first_seed=13, seeds=2)
    first, second = (read_confirmed(store, "digits", number) for number in (0, 1))
    assert [[t.seed for t in n.trials] for n in first.networks] == [[10, 11, 12]] * 2
    assert [[t.seed for t in n.trials] for n in second.networks] == [[13, 14]] * 2
    assert read_confirmed(store, "digits").record.number == 1


def test_who_may_be_on_the_front_can_be_taken_home(store: Writer) -> None:
    ended = confirm(store)
    read_test(store, ended)
    found = read_confirmed(store, "digits")
    means = found.means()
    assert {mean.number for mean in means} == {0, 1, 2, 3, 4}
    trial, trials, facts = found.behind(next(mean for mean in means if mean.number == 2))
    assert trial.origin is Origin.CONFIRMATION
    assert [t.seed for t in trials] == [10, 11, 12]
    assert facts["front"] == "on"
    assert facts["search_accuracy"] == 0.85
    assert facts["low"] < facts["accuracy"] < facts["high"]


def test_the_hypervolume_is_that_of_whom_validation_chose(store: Writer) -> None:
    read_test(store, confirm(store, candidates=[0, 1, 2]))
    found = read_confirmed(store, "digits")
    (volume,) = found.hypervolumes.values()
    ceiling, guess = found.study.cost_ceiling, found.study.guess_accuracy
    tested = [a.value for a in found.accuracies]
    ends = [*found.costs[1:], ceiling]
    by_hand = sum(
        (accuracy - guess) * np.log10(end / cost)
        for accuracy, cost, end in zip(tested, found.costs, ends, strict=True)
    )
    assert volume.value == pytest.approx(by_hand)
    assert volume.low < volume.value < volume.high


def test_what_is_not_there_is_a_sentence(store: Writer) -> None:
    assert find_confirmed(store, "digits") is None
    with pytest.raises(ConfirmationError, match="no confirmation; make one: python"):
        read_confirmed(store, "digits")
    confirm(store, seeds=1)
    with pytest.raises(ConfirmationError, match="two trainings with fresh seeds yet"):
        read_confirmed(store, "digits")
    assert find_confirmed(store, "digits") is None


def test_the_ceiling_of_the_study_is_above_its_trials() -> None:
    """Else the tests above would compare nothing."""
    found: StudyRecord = study()
    assert all(t.flops < found.cost_ceiling for t in SEARCHED)


def test_the_undecided_are_told_how_many_seeds_would_decide_them(store: Writer) -> None:
    confirm(store)
    assert read_confirmed(store, "digits").seeds_to_decide == {}
    close = dict.fromkeys(TRUE, 0.8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[__name__], "TRUE", close)
        confirm(store, first_seed=20)
    found = read_confirmed(store, "digits")
    unsure = {i for i, m in enumerate(found.memberships) if m is Membership.UNDECIDED}
    assert unsure
    assert set(found.seeds_to_decide) == unsure
    assert all(number is None or number > 3 for number in found.seeds_to_decide.values())
