"""What a study keeps of the earlier ones it learns from, and which it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.distributions import IntDistribution
from records import WIDE_SPACE, mixers, study, trial
from test_optuna_adapter import TASK

from runs.asked import started_from
from runs.record import State, TrialRecord
from runs.writer import Writer, open_writer
from search.schedule.candidate_space import CandidateSpace
from search.schedule.earlier_trials import EarlierTrials
from search.schedule.optuna_adapter import SAMPLERS, OptunaAdapter
from search.spec.studies import StudyError, StudySpec, with_changes
from search.spec.warm_start import WarmStartError
from search.study.earlier_studies import earlier_of, take_earlier

SPEC = StudySpec(name="new", dataset="digits", warm_start=("old",))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Writer]:
    with open_writer(f"sqlite:///{tmp_path}/s.db") as writer:
        yield writer


def add_old(store: Writer, count: int = 6, **changes: object) -> None:
    recipe = {"epochs": 8, "batch_size": 128}
    store.add_study(study("old", spec={"dataset": "cifar10", "recipe": recipe}))
    for number in range(count):
        known = trial(number, accuracy=0.3 + 0.05 * number)
        store.add_trial("old", replace(known, **changes))  # type: ignore[arg-type]


def test_what_is_taken_is_kept_with_the_study_that_learns(store: Writer) -> None:
    add_old(store)
    store.add_study(study("new", spec=SPEC.fixed() | {"earlier": take_earlier(SPEC, store)}))
    (taken,) = earlier_of(store.study("new"))
    assert taken.accuracies == tuple(0.3 + 0.05 * number for number in range(6))
    assert taken.values[3] == (2, 11, 8, 20, 2)
    assert taken.costs == tuple(float(t.flops) for t in store.trials("old"))
    assert started_from(store.study("new")) == {
        "old": "6 Mixers, of cifar10, trained with epochs 8 (here 30)"
    }


def test_a_study_of_another_database_is_read_there(store: Writer, tmp_path: Path) -> None:
    add_old(store)
    spec = with_changes(SPEC, warm_start=(f"sqlite:///{tmp_path}/s.db#old",))
    with open_writer(f"sqlite:///{tmp_path}/other.db") as other:
        (taken,) = take_earlier(spec, other)
    assert taken["study"] == f"sqlite:///{tmp_path}/s.db#old"
    assert len(taken["trials"][0]["accuracies"]) == 6


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@host/base", "postgresql://me@host/base?password=secret&a=b"]
)
def test_a_password_is_not_kept(url: str) -> None:
    kept = json.dumps(with_changes(SPEC, warm_start=(f"{url}#old",)).fixed())
    assert "secret" not in kept
    assert "***" in kept


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"count": 0}, "old: it has no finished trial, and 5 or more finished Mixers are needed"),
        ({"count": 4}, "old: it has 4 finished Mixers, and 5 or more"),
        ({"state": State.PRUNED, "rung": 2}, "it has no finished trial"),
    ],
)
def test_a_study_that_says_too_little_is_refused(
    store: Writer, changes: dict[str, object], sentence: str
) -> None:
    add_old(store, **changes)  # type: ignore[arg-type]
    with pytest.raises(WarmStartError, match=sentence):
        take_earlier(SPEC, store)


def test_a_study_of_another_family_is_refused(store: Writer) -> None:
    add_old(store)
    spec = with_changes(SPEC, families=("vit",))
    with pytest.raises(WarmStartError, match="it has 6 finished Mixers, and 5 or more finished Vi"):
        take_earlier(spec, store)


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("new", "warm start from new: that is the study itself"),
        ("odd", "warm start from odd: study 'odd' is not in "),
        ("mysql://h/d#old", "no database of the kind 'mysql' is supported"),
        ("sqlite:///nowhere.db#old", "nowhere.db does not exist"),
    ],
)
def test_what_cannot_be_read_is_refused(store: Writer, named: str, sentence: str) -> None:
    add_old(store)
    with pytest.raises(WarmStartError, match=sentence):
        take_earlier(with_changes(SPEC, warm_start=(named,)), store)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"warm_start": ("x/y",)}, "--warm-start: a study's name has no slash.*URL#STUDY"),
        ({"sampler": "tpe"}, "--warm-start: the sampler tpe learns from no earlier study"),
    ],
)
def test_what_no_earlier_study_can_be_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        with_changes(SPEC, **changes)


EARLIER = EarlierTrials(
    family="mixer",
    image_size=16,
    parameters=("patch_size", "hidden_dim", "unknown_here"),
    values=tuple((2 + 2 * (i % 2), 8 * (i + 1), i) for i in range(8)),
    costs=None,
    accuracies=tuple(0.1 * i for i in range(8)),
)


def adapter(history: list[TrialRecord], earlier: list[EarlierTrials]) -> OptunaAdapter:
    return OptunaAdapter(
        WIDE_SPACE,
        TASK,
        sampler=SAMPLERS["cost_aware"],
        seed=3,
        max_flops=1e9,
        min_accuracy=None,
        history=history,
        earlier=earlier,
    )


def searched(earlier: list[EarlierTrials], *, restart: bool) -> list[TrialRecord]:
    history: list[TrialRecord] = []
    asked = adapter(history, earlier)
    for number in range(9):
        if restart:
            asked = adapter(history, earlier)
        proposal = asked.ask()
        attrs, accuracy = proposal.sampler_attrs, 0.1 + proposal.config.num_blocks / 10
        done = trial(number, config=proposal.config, accuracy=accuracy, sampler_attrs=attrs)
        asked.tell([done], proposal)
        history.append(done)
    return history


def test_a_warm_started_search_that_is_rebuilt_proposes_what_it_would_have() -> None:
    through = [t.config for t in searched([EARLIER], restart=False)]
    assert [t.config for t in searched([EARLIER], restart=True)] == through
    assert [t.config for t in searched([], restart=False)] != through


def test_patches_are_compared_by_how_many_tile_an_image() -> None:
    candidates = CandidateSpace(
        {"patch_size": IntDistribution(0, 2)},  # 1, 2 and 4 pixels
        lambda params: 10.0 + params["patch_size"],
        scales={"patch_size": [0.0, 1.0, 2.0]},
    )
    earlier = EarlierTrials(
        family="mixer",
        image_size=16,
        parameters=("patch_size",),
        values=((2,), (2,), (4,), (4,), (8,), (8,)),
        costs=None,
        accuracies=(0.1, 0.2, 0.8, 0.9, 0.4, 0.5),
    )
    prior = earlier.prior(candidates, mixers(patch_size=(1, 2, 4)), TASK)
    expected = prior(candidates.members([(0,), (1,), (2,)]))
    assert expected.argsort().tolist() == [0, 2, 1]
