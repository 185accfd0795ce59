"""The coordinator: what it asks, refuses, writes and takes up again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from records import study as a_study

from runs.record import (
    EpochRecord,
    Origin,
    State,
    StudyRecord,
    Surroundings,
    Timing,
    TrialRecord,
)
from runs.store import Writer, open_reader, open_writer
from search.loop import Search
from search.studies import StudySpec
from search.trial import EpochDone, Event, Failed, Finished, TrialRequest
from space.config import Config, ImageTask, ViTConfig
from space.cost import cost
from space.search_space import SearchSpace

TASK = ImageTask(image_size=8, image_channels=1, num_classes=10)
SPACE = SearchSpace(
    patch_size=(2, 4),
    hidden_dim=(8, 16),
    tokens_mlp_dim=(8, 16),
    channels_mlp_dim=(16, 32),
    num_blocks=(1, 2),
)
VIT = ViTConfig(
    **TASK.model_dump(), patch_size=2, hidden_dim=16, num_blocks=1, mlp_dim=32, num_heads=1
)


@dataclass
class Listener:
    """A reporter that remembers."""

    ends: list[TrialRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def started(self, trial: TrialRecord) -> None: ...

    def epoch(self, epoch: EpochRecord) -> None: ...

    def ended(self, trial: TrialRecord) -> None:
        self.ends.append(trial)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


def quick(request: TrialRequest) -> Iterator[Event]:
    """A trial whose accuracy follows from its FLOPs, without training."""
    accuracy = min(0.99, cost(request.config).flops / 1e6)
    for epoch in range(1, request.recipe.epochs + 1):
        yield EpochDone(
            EpochRecord(
                trial=request.number,
                epoch=epoch,
                train_loss=1.0,
                train_accuracy=accuracy,
                validation_loss=1.0,
                validation_accuracy=accuracy,
                learning_rate=1e-3,
                elapsed_seconds=0.1 * epoch,
            )
        )
    timing = Timing(compile_seconds=1, train_seconds=1, eval_seconds=1, images_per_second=1)
    yield Finished(accuracy, 1.0, timing)


def killed_in(epoch: int) -> object:
    """A trial that is interrupted after so many epochs, as Ctrl-C would."""

    def run(request: TrialRequest) -> Iterator[Event]:
        for event in quick(request):
            yield event
            if isinstance(event, EpochDone) and event.epoch.epoch == epoch:
                raise KeyboardInterrupt

    return run


SPEC = StudySpec.model_validate(
    {"name": "s", "dataset": "digits", "sampler": "tpe", "recipe": {"epochs": 3}}
)


def search(
    store: Writer,
    *,
    run: object = quick,
    ceiling: int = 10**9,
    baselines: tuple[Config, ...] = (),
    space: SearchSpace = SPACE,
) -> tuple[Search, Listener]:
    listener = Listener()
    study: StudyRecord = store.add_study(a_study("s", flops_ceiling=ceiling))
    surroundings = Surroundings(device_kind="none", versions={}, git_revision=None)
    return (
        Search(
            study=study,
            spec=SPEC,
            space=space,
            task=TASK,
            baselines=baselines,
            store=store,
            run=run,  # type: ignore[arg-type]
            surroundings=surroundings,
            reporter=listener,
        ),
        listener,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Writer]:
    with open_writer(f"sqlite:///{tmp_path}/s.db") as writer:
        yield writer


def configs(store: Writer, *states: State) -> list[Config]:
    return [t.config for t in store.trials("s") if t.state in states]


def test_a_study_has_the_trials_asked_for_and_every_epoch_of_them(store: Writer) -> None:
    search(store, baselines=(VIT,))[0].go(num_trials=5)
    trials = [t for t in store.trials("s") if t.state is State.COMPLETE]
    assert [t.origin for t in trials] == [Origin.BASELINE] + [Origin.SEARCH] * 5
    assert len(store.epochs("s")) == 6 * 3
    assert {e.epoch for e in store.epochs("s", trials[0].number)} == {1, 2, 3}


def test_the_same_call_again_adds_nothing(store: Writer) -> None:
    search(store, baselines=(VIT,))[0].go(num_trials=5)
    before = store.trials("s")
    search(store, baselines=(VIT,))[0].go(num_trials=5)
    assert store.trials("s") == before


def test_more_trials_go_on_where_the_study_was(store: Writer, tmp_path: Path) -> None:
    search(store)[0].go(num_trials=3)
    search(store)[0].go(num_trials=6)
    with open_writer(f"sqlite:///{tmp_path}/other.db") as through:
        search(through)[0].go(num_trials=6)
        assert configs(through, State.COMPLETE) == configs(store, State.COMPLETE)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interrupted_trial_is_trained_again_under_its_number(
    store: Writer, tmp_path: Path, epoch: int
) -> None:
    search(store)[0].go(num_trials=2)
    with pytest.raises(KeyboardInterrupt):
        search(store, run=killed_in(epoch))[0].go(num_trials=5)
    assert [t.state for t in store.trials("s")][-1] is State.RUNNING
    assert len(store.epochs("s", store.trials("s")[-1].number)) == epoch
    again, listener = search(store)
    again.go(num_trials=5)
    assert any("starts again" in note for note in listener.notes)
    with open_writer(f"sqlite:///{tmp_path}/other.db") as through:
        search(through)[0].go(num_trials=5)
        assert configs(through, State.COMPLETE) == configs(store, State.COMPLETE)
        assert through.epochs("s") == store.epochs("s")


def test_what_is_over_the_ceiling_is_refused_before_any_device_work(store: Writer) -> None:
    all_flops = sorted(cost(c).flops for c in SPACE.members(TASK))
    ceiling = all_flops[len(all_flops) // 2]
    trained: list[Config] = []

    def run(request: TrialRequest) -> Iterator[Event]:
        trained.append(request.config)
        yield from quick(request)

    searched, listener = search(store, run=run, ceiling=ceiling)
    searched.go(num_trials=16)
    assert all(cost(config).flops <= ceiling for config in trained)
    refused = [t for t in store.trials("s") if t.state is State.REFUSED]
    assert any("over the budget" in (t.error or "") for t in refused)
    assert len(listener.ends) == 16 + len(refused)


def test_a_small_space_is_tried_whole_and_once_then_the_study_ends_with_a_sentence(
    store: Writer,
) -> None:
    searched, listener = search(store)
    searched.go(num_trials=1000)
    complete = configs(store, State.COMPLETE)
    assert sorted(map(repr, complete)) == sorted(map(repr, SPACE.members(TASK)))
    assert "fewer trials than asked for" in listener.notes[-1]


def test_a_failed_trial_is_kept_with_its_reason_and_the_study_goes_on(store: Writer) -> None:
    def run(request: TrialRequest) -> Iterator[Event]:
        if request.number == 1:
            yield Failed("diverged: the loss was not finite at step 7 (epoch 1)")
        else:
            yield from quick(request)

    search(store, run=run)[0].go(num_trials=4)
    finished = [t for t in store.trials("s") if t.state is not State.REFUSED]
    assert [t.state for t in finished].count(State.FAILED) == 1
    assert len(finished) == 4
    failed = next(t for t in finished if t.state is State.FAILED)
    assert failed.error == "diverged: the loss was not finite at step 7 (epoch 1)"
    assert failed.accuracy is None


def test_a_bug_in_a_trial_is_not_swallowed(store: Writer) -> None:
    def run(request: TrialRequest) -> Iterator[Event]:
        raise ZeroDivisionError
        yield

    with pytest.raises(ZeroDivisionError):
        search(store, run=run)[0].go(num_trials=1)


def test_no_trial_starts_after_the_deadline(store: Writer) -> None:
    searched, listener = search(store, baselines=(VIT,))
    searched.go(num_trials=5, deadline=time.monotonic())
    assert store.trials("s") == []
    assert "time is up" in listener.notes[-1]


def test_a_mixer_that_is_a_baseline_is_not_searched_again(store: Writer) -> None:
    members = tuple(SPACE.members(TASK))
    search(store, baselines=members[:-1])[0].go(num_trials=5)
    searched = [t.config for t in store.trials("s") if t.origin is Origin.SEARCH]
    assert searched == [members[-1]]


def test_a_reader_sees_the_running_trial_and_its_epochs(store: Writer, tmp_path: Path) -> None:
    seen: list[tuple[State, int]] = []

    def run(request: TrialRequest) -> Iterator[Event]:
        for event in quick(request):
            yield event
            with open_reader(f"sqlite:///{tmp_path}/s.db") as reader:
                trial = reader.trial("s", request.number)
                seen.append((trial.state, len(reader.epochs("s", request.number))))

    search(store, run=run)[0].go(num_trials=1)
    assert seen[:3] == [(State.RUNNING, 1), (State.RUNNING, 2), (State.RUNNING, 3)]
