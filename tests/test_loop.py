"""The coordinator: what it asks, refuses, writes and takes up again."""

from __future__ import annotations

import itertools
import math
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from one_worker import OneWorker, Trainer
from records import WIDE_SPACE, mixers
from records import epoch as an_epoch
from records import study as a_study

from runs.reader import open_reader
from runs.record import (
    Environment,
    EpochRecord,
    Failure,
    Origin,
    State,
    StudyRecord,
    Timing,
    TrialRecord,
)
from runs.seeds import by_configuration
from runs.writer import Writer, open_writer
from search.protocol import (
    EpochDone,
    Event,
    Failed,
    Finished,
    RequestDone,
    Started,
    TrialRequest,
    Warned,
    WorkerDied,
    Workers,
)
from search.schedule.candidate import Candidate
from search.schedule.optuna_adapter import SAMPLERS, OptunaAdapter
from search.schedule.scheduler import New, Resume, Scheduler, Suggestion, one_by_one
from search.spec.recipe import Recipe
from search.spec.retry import RetryPolicy
from search.spec.rungs import NO_RUNGS, RungSpec
from search.spec.studies import StudySpec
from search.study.loop import Search
from search.study.stop_signals import Stopping, Terminated
from space.config import Config, ImageTask, ViTConfig
from space.cost import cost
from space.search_space import SearchSpace

TASK = ImageTask(image_size=8, image_channels=1, num_classes=10)
SPACE = mixers(
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


@dataclass
class Quick:
    """A trainer whose accuracies follow from FLOPs and seed, without training."""

    announced: list[tuple[Config, int]] = field(default_factory=list)
    ahead: list[Recipe] = field(default_factory=list)
    requested: list[TrialRequest] = field(default_factory=list)

    def compile_ahead(self, config: Config, recipe: Recipe, num_seeds: int) -> None:
        self.announced.append((config, num_seeds))
        self.ahead.append(recipe)

    def run(
        self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        self.requested.append(request)
        yield Started()
        trials = list(zip(request.numbers, request.seeds, strict=True))
        for epoch in range(1, request.recipe.epochs + 1):
            yield EpochDone(tuple(an_epoch(epoch, number) for number, _ in trials))
        for number, seed in trials:
            accuracy = min(0.9, cost(request.config).flops / 1e6) + seed / 100
            yield Finished(trial=number, accuracy=accuracy, loss=1.0, timing=TIMING)


ENVIRONMENT = Environment(device_kind="none", versions={}, git_revision=None)
TIMING = Timing(compile_seconds=1, train_seconds=1, eval_seconds=1, images_per_second=1)


class KilledIn(Quick):
    """A trainer that is interrupted after so many epochs of a trial, as Ctrl-C would."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def run(
        self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        for event in super().run(request):
            yield event
            if isinstance(event, EpochDone) and event.epochs[0].epoch == self.epoch:
                raise KeyboardInterrupt


class Failing(Quick):
    """A trainer of whose trials one fails, before or after the device starts."""

    def __init__(self, number: int, *, starts: bool) -> None:
        super().__init__()
        self.number = number
        self.starts = starts

    def run(
        self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        if self.number not in request.numbers:
            yield from super().run(request)
            return
        if self.starts:
            yield Started()
        yield Failed(trial=self.number, reason="diverged at step 7", failure=Failure.DIVERGED)
        for number in request.numbers:
            if number != self.number:
                yield Finished(trial=number, accuracy=0.5, loss=1.0, timing=TIMING)


class Several:
    """Workers of which one after another does a step; some die in their first requests.

    Args:
        count: how many.
        deaths: how often whoever trains a trial dies, after an epoch of it.
        order: which worker's turn it is, over and over.
    """

    environment = ENVIRONMENT

    def __init__(
        self, count: int, *, deaths: dict[int, int] | None = None, order: tuple[int, ...] = ()
    ) -> None:
        self.count = count
        self.deaths = dict(deaths or {})
        self.at_once = 0
        self.announced: list[tuple[int, Config]] = []
        self.requested: list[tuple[int, TrialRequest]] = []
        self._events: dict[int, Iterator[Event]] = {}
        self._turns = itertools.cycle(order or range(count))

    def compile_ahead(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        self.announced.append((worker, config))

    def start(self, worker: int, request: TrialRequest) -> None:
        assert worker not in self._events, "it trains something else"
        self.requested.append((worker, request))
        self._events[worker] = Quick().run(request)
        self.at_once = max(self.at_once, len(self._events))

    def decide(self, worker: int, goes_on: bool) -> None: ...

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        worker = next(turn for turn in self._turns if turn in self._events)
        event = next(self._events[worker], RequestDone())
        if isinstance(event, EpochDone):
            number = event.epochs[0].trial
            if event.epochs[0].epoch == 2 and self.deaths.get(number, 0):
                self.deaths[number] -= 1
                event = WorkerDied("killed by SIGKILL")  # type: ignore[assignment]
        if isinstance(event, RequestDone | WorkerDied):
            del self._events[worker]
        return worker, event


SPEC = StudySpec.model_validate(
    {"name": "s", "dataset": "digits", "sampler": "tpe", "recipe": {"epochs": 3}}
)


def search(
    store: Writer,
    *,
    trainer: Trainer | None = None,
    workers: Workers | None = None,
    ceiling: int = 10**9,
    baselines: tuple[Config, ...] = (),
    space: SearchSpace = SPACE,
    **changes: object,
) -> tuple[Search, Listener]:
    listener = Listener()
    study: StudyRecord = store.add_study(a_study("s", flops_ceiling=ceiling))
    return (
        Search(
            study=study,
            spec=SPEC.model_copy(update=changes),
            spaces={space.family: space},
            task=TASK,
            baselines=baselines,
            store=store,
            workers=workers or OneWorker(trainer or Quick(), ENVIRONMENT),
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


def test_every_family_trains_at_its_own_learning_rate(store: Writer) -> None:
    trainer = Quick()
    rates = {"vit": 0.25}
    search(store, trainer=trainer, baselines=(VIT,), learning_rates=rates)[0].go(num_trials=2)
    trained = {(r.config.family, r.recipe.learning_rate) for r in trainer.requested}
    assert trained == {("vit", 0.25), ("mixer", SPEC.recipe.learning_rate)}
    assert trainer.ahead == [r.recipe for r in trainer.requested[1:]]


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
        search(store, trainer=KilledIn(epoch))[0].go(num_trials=5)
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
    trainer = Quick()
    searched, listener = search(store, trainer=trainer, ceiling=ceiling)
    searched.go(num_trials=16)
    assert all(cost(request.config).flops <= ceiling for request in trainer.requested)
    assert all(cost(config).flops <= ceiling for config, _ in trainer.announced)
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


@pytest.mark.fault("a trial that fails (its loss not finite, out of memory)")
@pytest.mark.parametrize("starts", [True, False])
def test_a_failed_trial_is_kept_with_its_reason_and_the_study_goes_on(
    store: Writer, starts: bool
) -> None:
    search(store, trainer=Failing(1, starts=starts))[0].go(num_trials=4)
    finished = [t for t in store.trials("s") if t.state is not State.REFUSED]
    assert [t.state for t in finished].count(State.FAILED) == 1
    assert len(finished) == 4
    failed = next(t for t in finished if t.state is State.FAILED)
    assert (failed.error, failed.failure) == ("diverged at step 7", Failure.DIVERGED)
    assert failed.accuracy is None


def test_a_bug_in_a_trial_is_not_swallowed(store: Writer) -> None:
    class Buggy(Quick):
        def run(
            self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
        ) -> Iterator[Event]:
            raise ZeroDivisionError
            yield

    with pytest.raises(ZeroDivisionError):
        search(store, trainer=Buggy())[0].go(num_trials=1)


def test_the_next_configuration_is_announced_while_one_trains(store: Writer) -> None:
    trainer = Quick()
    search(store, trainer=trainer, baselines=(VIT,))[0].go(num_trials=4)
    requested = [(request.config, len(request.seeds)) for request in trainer.requested]
    assert trainer.announced == requested[1:]


def test_every_seed_is_a_trial_and_their_mean_is_what_the_sampler_is_told(store: Writer) -> None:
    trainer = Quick()
    searched, _ = search(store, trainer=trainer, baselines=(VIT,), seeds=3, seed=5)
    searched.go(num_trials=4)
    assert [request.seeds for request in trainer.requested] == [(5, 6, 7)] * 5
    trials = [t for t in store.trials("s") if t.state is State.COMPLETE]
    assert [t.seed for t in trials] == [5, 6, 7] * 5
    assert len(store.epochs("s")) == 15 * 3
    adapter = OptunaAdapter(
        SPACE,
        TASK,
        max_flops=1e9,
        sampler=SAMPLERS["tpe"],
        seed=5,
        min_accuracy=None,
        history=[t for t in store.trials("s") if t.origin is Origin.SEARCH],
    )
    told = [t.values[0] for t in adapter._study.trials]
    alone = [min(0.9, cost(t.config).flops / 1e6) for t in trials[3::3]]
    assert told == pytest.approx([accuracy + 0.06 for accuracy in alone])


@pytest.mark.parametrize("killed", [1, 2])
def test_seeds_that_were_interrupted_train_again_together(
    store: Writer, tmp_path: Path, killed: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        search(store, trainer=KilledIn(killed), seeds=2)[0].go(num_trials=12)
    assert [t.state for t in store.trials("s")] == [State.RUNNING] * 2
    search(store, seeds=2)[0].go(num_trials=12)
    with open_writer(f"sqlite:///{tmp_path}/other.db") as through:
        search(through, seeds=2)[0].go(num_trials=12)
        assert configs(through, State.COMPLETE) == configs(store, State.COMPLETE)
        assert len(through.epochs("s")) == len(store.epochs("s"))


def test_only_the_seed_that_is_missing_is_trained_again(store: Writer) -> None:
    search(store, seeds=2)[0].go(num_trials=2)
    last = store.trials("s")[-1]
    store.update_trial(
        "s", replace(last, state=State.RUNNING, accuracy=None, loss=None, finished_at=None)
    )
    trainer = Quick()
    search(store, trainer=trainer, seeds=2)[0].go(num_trials=2)
    assert [request.numbers for request in trainer.requested] == [(last.number,)]
    assert store.trials("s")[-1].accuracy == last.accuracy


def test_a_configuration_one_of_whose_seeds_fails_is_a_failure_to_the_sampler(
    store: Writer,
) -> None:
    search(store, trainer=Failing(1, starts=True), seeds=2)[0].go(num_trials=3)
    states = [t.state for t in store.trials("s")][:4]
    assert states == [State.COMPLETE, State.FAILED, State.COMPLETE, State.COMPLETE]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
@pytest.mark.parametrize(
    "stops",
    [
        *(pytest.param(stops, marks=pytest.mark.slow) for stops in ([1], [11], [12, 13])),
        [5, 14, 20],
    ],
)
def test_a_study_taken_up_again_goes_as_if_never_interrupted(
    store: Writer, tmp_path: Path, sampler: str, stops: list[int]
) -> None:
    for stop in [*stops, 26]:
        search(store, space=WIDE_SPACE, sampler=sampler)[0].go(num_trials=stop)
    with open_writer(f"sqlite:///{tmp_path}/other.db") as through:
        search(through, space=WIDE_SPACE, sampler=sampler)[0].go(num_trials=26)
        assert configs(through, *State) == configs(store, *State)


@pytest.mark.parametrize("stop", [19, 20, 22, 26, 33, 40, 45])
def test_parents_are_who_they_were_when_they_were_chosen(
    store: Writer, tmp_path: Path, stop: int
) -> None:
    """NSGA-II chooses them once a generation, of the trials that are complete then."""
    for trials in (stop, 48):
        search(store, space=WIDE_SPACE, sampler="nsga2")[0].go(num_trials=trials)
    with open_writer(f"sqlite:///{tmp_path}/other.db") as through:
        search(through, space=WIDE_SPACE, sampler="nsga2")[0].go(num_trials=48)
        assert configs(through, *State) == configs(store, *State)


def begun_before_confirmations(store: Writer) -> Writer:
    """The database as the schema before had it, opened by this version."""
    with sqlite3.connect(store.where) as connection:
        for table in ("run_image_result", "run_confirmation", "run_note"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP INDEX ix_run_trial_parent")
        connection.execute("UPDATE run_schema SET version_num = '0007'")
    connection.close()
    return open_writer(f"sqlite:///{store.where}").__enter__()


def confirmed(store: Writer) -> Writer:
    """Some trials again with fresh seeds, one of which was interrupted and one failed."""
    parents = [t for t in store.trials("s") if t.state is State.COMPLETE][:3]
    for seed in (1_000, 1_001, 1_002):
        for parent in parents:
            repeat = replace(parent, seed=seed, accuracy=1.0)
            if seed == 1_001:
                fields = dict.fromkeys(("accuracy", "loss", "timing", "finished_at"))
                repeat = replace(repeat, state=State.RUNNING, **fields)
            if seed == 1_002:
                why = {"state": State.FAILED, "error": "its worker died", "failure": None}
                repeat = replace(repeat, accuracy=None, loss=None, **why)
            origin = {"origin": Origin.CONFIRMATION, "parent": parent.number}
            store.add_trial("s", replace(repeat, **origin))
    return store


@pytest.mark.parametrize("happens", [begun_before_confirmations, confirmed])
@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "cost_aware"])
def test_a_study_goes_on_from_an_older_schema_and_after_a_confirmation(
    store: Writer, tmp_path: Path, sampler: str, happens: Callable[[Writer], Writer]
) -> None:
    """With the proposals it would have made, and it trains none but its own, nor tries them again.

    What was interrupted of a confirmation stays so until that goes on.
    """
    search(store, space=WIDE_SPACE, sampler=sampler)[0].go(num_trials=11)
    store = happens(store)
    before = [t for t in store.trials("s") if t.origin is Origin.CONFIRMATION]
    going_on, listener = search(store, space=WIDE_SPACE, sampler=sampler)
    replace(going_on, retry=RetryPolicy(failed=True)).go(num_trials=22)
    assert not any("again" in note for note in listener.notes)
    assert [t for t in store.trials("s") if t.origin is Origin.CONFIRMATION] == before
    with open_writer(f"sqlite:///{tmp_path}/other.db") as through:
        search(through, space=WIDE_SPACE, sampler=sampler)[0].go(num_trials=22)
        searched = [t for t in store.trials("s") if t.origin is Origin.SEARCH]
        assert [t.config for t in searched] == configs(through, *State)
        assert [t.sampler_attrs for t in searched] == [t.sampler_attrs for t in through.trials("s")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_a_library_swallows_stops_the_study_at_the_next_epoch(
    store: Writer, number: signal.Signals
) -> None:
    class Swallowing(Quick):
        def run(
            self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
        ) -> Iterator[Event]:
            for event in super().run(request):
                with suppress(BaseException):
                    os.kill(os.getpid(), number)
                    time.sleep(0.01)
                yield event

    stopping = Stopping()
    searched = replace(search(store, trainer=Swallowing())[0], check_stop=stopping.check)
    with stopping.listen(), pytest.raises(KeyboardInterrupt) as stopped:
        searched.go(num_trials=3)
    assert isinstance(stopped.value, Terminated) == (number == signal.SIGTERM)
    assert [t.state for t in store.trials("s")] == [State.RUNNING]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 2, 0, 1, 2), (0, 0, 0, 0, 0, 1, 2)])
def test_several_workers_finish_exactly_what_was_asked_for(
    store: Writer, order: tuple[int, ...]
) -> None:
    workers = Several(3, order=order)
    search(store, workers=workers, baselines=(VIT,))[0].go(num_trials=13)
    trials = [t for t in store.trials("s") if t.state is not State.REFUSED]
    assert {t.state for t in trials} == {State.COMPLETE}
    assert len({t.config for t in trials}) == len(trials) == 14
    assert workers.at_once == 3
    assert len(store.epochs("s")) == 14 * 3
    assert all(t.num_workers == 3 for t in trials)


def test_a_worker_with_nothing_left_takes_over_what_another_compiled(store: Writer) -> None:
    workers = Several(2, order=(0, 1, 1, 1, 1, 1, 1, 1))  # the second is much faster
    search(store, workers=workers)[0].go(num_trials=6)
    announced_of_first = {config for worker, config in workers.announced if worker == 0}
    trained_by_second = {request.config for worker, request in workers.requested if worker == 1}
    assert announced_of_first & trained_by_second
    assert len(workers.requested) == 6


def test_a_trial_whose_worker_died_starts_again_under_its_number(store: Writer) -> None:
    workers = Several(2, deaths={1: 1})
    searched, listener = search(store, workers=workers)
    searched.go(num_trials=5)
    trials = [t for t in store.trials("s") if t.state is not State.REFUSED]
    assert [t.state for t in trials] == [State.COMPLETE] * 5
    assert [request.numbers for _, request in workers.requested].count((1,)) == 2
    assert {t.number: len(store.epochs("s", t.number)) for t in trials} == {
        t.number: 3 for t in trials
    }
    assert "trial 1 lost its worker (killed by SIGKILL) and starts again" in listener.notes


@pytest.mark.fault("a configuration that ends its worker twice")
def test_a_trial_whose_worker_died_twice_has_failed_and_the_study_goes_on(store: Writer) -> None:
    search(store, workers=Several(2, deaths={1: 9}))[0].go(num_trials=5)
    trials = [t for t in store.trials("s") if t.state is not State.REFUSED]
    failed = [t for t in trials if t.state is State.FAILED]
    assert [t.number for t in failed] == [1]
    assert failed[0].error == "its worker died twice (killed by SIGKILL)"
    assert failed[0].failure is Failure.LOST_WORKER
    assert [t.state for t in trials].count(State.COMPLETE) == 4


def test_a_worker_that_dies_with_nothing_to_do_is_no_loss(store: Writer) -> None:
    class Dying(Several):
        def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
            if self.deaths:
                self.deaths.clear()
                return 1, WorkerDied("killed by SIGKILL")
            return super().next()

    search(store, workers=Dying(2, deaths={0: 1}))[0].go(num_trials=1)
    assert configs(store, State.COMPLETE) == configs(store, *State)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_all_trials_that_were_running_are_taken_up_again(store: Writer, sampler: str) -> None:
    class Stopped(Several):
        def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
            worker, event = super().next()
            if isinstance(event, EpochDone) and event.epochs[0].trial >= 12:
                raise KeyboardInterrupt
            return worker, event

    with pytest.raises(KeyboardInterrupt):
        search(store, workers=Stopped(3), space=WIDE_SPACE, sampler=sampler)[0].go(num_trials=20)
    running = [t.number for t in store.trials("s") if t.state is State.RUNNING]
    assert len(running) == 3
    workers = Several(2)
    search(store, workers=workers, space=WIDE_SPACE, sampler=sampler)[0].go(num_trials=20)
    assert {number for _, r in workers.requested for number in r.numbers} >= set(running)
    trials = [t for t in store.trials("s") if t.state is not State.REFUSED]
    assert [t.state for t in trials] == [State.COMPLETE] * 20
    assert len({t.config for t in trials}) == 20
    assert len(store.epochs("s")) == 20 * 3


def test_the_shares_of_several_workers_add_up_to_the_wall_clock(store: Writer) -> None:
    began = time.perf_counter()
    search(store, workers=Several(3, order=(0, 1, 2, 2, 2)))[0].go(num_trials=7)
    elapsed = time.perf_counter() - began
    walls = sum(t.wall_seconds or 0 for t in store.trials("s"))
    assert 0.5 * elapsed < walls <= elapsed


def test_the_wall_clock_is_shared_out_among_the_trials(store: Writer) -> None:
    began = time.perf_counter()
    search(store, seeds=2, baselines=(VIT,))[0].go(num_trials=3)
    elapsed = time.perf_counter() - began
    walls = [t.wall_seconds or 0 for t in store.trials("s")]
    assert all(wall > 0 for wall in walls)
    assert walls[0] == walls[1]
    assert 0.5 * elapsed < sum(walls) <= elapsed


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

    class Watched(Quick):
        def run(
            self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
        ) -> Iterator[Event]:
            for event in super().run(request):
                yield event
                with open_reader(f"sqlite:///{tmp_path}/s.db") as reader:
                    (number,) = request.numbers
                    trial = reader.trial("s", number)
                    seen.append((trial.state, len(reader.epochs("s", number))))

    search(store, trainer=Watched())[0].go(num_trials=1)
    assert seen[:4] == [(State.RUNNING, epochs) for epochs in range(4)]


@pytest.mark.parametrize(("count", "epochs_known"), [(7, 0), (8, 9)])
def test_many_workers_are_told_what_comes_next_halfway_through_a_training(
    store: Writer, count: int, epochs_known: int
) -> None:
    class Noting(Several):
        def compile_ahead(
            self, worker: int, config: Config, recipe: Recipe, num_seeds: int
        ) -> None:
            super().compile_ahead(worker, config, recipe, num_seeds)
            known.append(len(store.epochs("s")))

    known: list[int] = []
    workers = Noting(count)
    search(store, workers=workers, sampler="random")[0].go(num_trials=2 * count)
    assert known[0] == epochs_known
    assert len(workers.announced) == count
    assert len(workers.requested) == 2 * count


class Learning(Quick):
    """A trainer whose accuracies climb to what its FLOPs allow; a few networks learn nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.trained: dict[int, int] = {}

    def run(
        self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        self.requested.append(request)
        yield Started()
        (number, *_) = request.numbers
        best = 0.5 + 0.1 * math.log10(cost(request.config).flops / 1e4)
        if request.config.patch_size == 4 and request.config.hidden_dim == 16:
            best = 0.12
        for epoch in range(1, request.recipe.epochs + 1):
            accuracy = best * epoch / request.recipe.epochs
            yield EpochDone(
                tuple(an_epoch(epoch, n, validation_accuracy=accuracy) for n in request.numbers)
            )
            self.trained[number] = epoch
            if epoch in request.rungs and not goes_on():
                break
        for n in request.numbers:
            yield Finished(trial=n, accuracy=accuracy, loss=1.0, timing=TIMING)


RUNGED: dict[str, Any] = {
    "recipe": Recipe(epochs=9),
    "sampler": "random",
    "rungs": RungSpec(spared=0.0),
}


def test_a_trial_far_behind_is_stopped_at_a_rung_and_recorded_with_the_reason(
    store: Writer,
) -> None:
    learning = Learning()
    search(store, trainer=learning, baselines=(VIT,), **RUNGED)[0].go(num_trials=32)
    trials = store.trials("s")
    pruned = [t for t in trials if t.state is State.PRUNED]
    assert pruned
    for trial in pruned:
        assert trial.config.patch_size == 4
        assert trial.rung in (1, 3)
        assert learning.trained[trial.number] == trial.rung == len(store.epochs("s", trial.number))
        assert trial.accuracy == pytest.approx(0.12 * trial.rung / 9)
        assert trial.error is not None
        assert trial.error.startswith(f"stopped after epoch {trial.rung} of 9")
    assert trials[0].origin is Origin.BASELINE
    assert learning.requested[0].rungs == ()
    assert all(t.rung is None and t.error is None for t in trials if t.state is State.COMPLETE)


def test_an_exempt_trial_is_complete_and_marked(store: Writer) -> None:
    changes = RUNGED | {"rungs": RungSpec(spared=1.0)}
    search(store, trainer=Learning(), **changes)[0].go(num_trials=32)
    trials = store.trials("s")
    assert {t.state for t in trials} == {State.COMPLETE}
    assert any(t.rung for t in trials)
    assert all(len(store.epochs("s", t.number)) == 9 for t in trials if t.rung)


def test_without_rungs_every_trial_is_trained_to_the_end(store: Writer) -> None:
    search(store, trainer=Learning(), **RUNGED | {"rungs": NO_RUNGS})[0].go(num_trials=32)
    assert {t.state for t in store.trials("s")} == {State.COMPLETE}


@pytest.mark.parametrize("sampler", ["cost_aware", "tpe"])
def test_a_study_with_rungs_taken_up_again_goes_as_if_never_interrupted(
    tmp_path: Path, sampler: str
) -> None:
    ends = []
    for name, stops in (("through", [30]), ("again", [7, 13, 22, 30])):
        with open_writer(f"sqlite:///{tmp_path}/{name}.db") as store:
            for stop in stops:
                changes = RUNGED | {"sampler": sampler, "space": WIDE_SPACE}
                search(store, trainer=Learning(), **changes)[0].go(num_trials=stop)
            ends.append([(t.config, t.state, t.rung, t.error) for t in store.trials("s")])
    assert ends[0] == ends[1]


def test_seeds_are_stopped_together_by_their_mean(store: Writer) -> None:
    search(store, trainer=Learning(), **RUNGED | {"seeds": 2})[0].go(num_trials=30)
    groups = by_configuration(store.trials("s")).values()
    assert any(group[0].state is State.PRUNED for group in groups)
    assert all(len({(t.state, t.rung) for t in group}) == 1 for group in groups)


class Kept(Learning):
    """As `Learning`, with a checkpoint after every other epoch; is interrupted now and then.

    Args:
        kept: the checkpoints, by the first number.
        interruptions: epochs, counted over all trials, in which Ctrl-C is pressed.
    """

    def __init__(self, kept: dict[int, list[EpochRecord]], interruptions: set[int]) -> None:
        super().__init__()
        self.kept = kept
        self.interruptions = interruptions
        self.count = 0

    def run(
        self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        first = min(request.numbers)
        before = self.kept.get(first, [])
        last = max((epoch.epoch for epoch in before), default=0)
        curve = list(before)
        late = replace(request, rungs=tuple(rung for rung in request.rungs if rung > last))
        for event in super().run(late, goes_on):
            if isinstance(event, Started):
                yield Started(tuple(before))
            elif not isinstance(event, EpochDone):
                yield event
            elif event.epochs[0].epoch > last:
                curve += event.epochs
                yield event
                self.count += 1
                if self.count in self.interruptions:
                    raise KeyboardInterrupt
                if event.epochs[0].epoch % 2 == 0:
                    self.kept[first] = list(curve)


@pytest.mark.parametrize(
    ("exempt", "seeds"),
    [
        (0.0, 1),
        (0.5, 2),
        *(
            pytest.param(exempt, seeds, marks=pytest.mark.slow)
            for exempt, seeds in [(0.0, 2), (0.5, 1), (1.0, 1), (1.0, 2)]
        ),
    ],
)
def test_interrupted_in_any_epoch_a_study_decides_what_it_would_have(
    tmp_path: Path, exempt: float, seeds: int
) -> None:
    ends = []
    changes = RUNGED | {"rungs": RungSpec(spared=exempt), "seeds": seeds, "baselines": (VIT,)}
    for name, interruptions in (("through", set()), ("again", set(range(3, 600, 7)))):
        kept: dict[int, list[EpochRecord]] = {}
        with open_writer(f"sqlite:///{tmp_path}/{name}.db") as store:
            for _ in range(100):
                trainer = Kept(kept, interruptions)
                with suppress(KeyboardInterrupt):
                    search(store, trainer=trainer, **changes)[0].go(num_trials=32)
                    break
                interruptions = {i - trainer.count for i in interruptions}
            assert len(store.epochs("s")) == len({(e.trial, e.epoch) for e in store.epochs("s")})
            ends.append(
                [
                    (t.config, t.state, t.rung, t.error, t.accuracy, store.epochs("s", t.number))
                    for t in store.trials("s")
                ]
            )
    assert ends[0] == ends[1]


def test_what_every_trial_warns_of_is_said_once(store: Writer) -> None:
    class Warns(Quick):
        def run(
            self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
        ) -> Iterator[Event]:
            yield Warned("the disk is full", is_lasting=True)
            yield Warned("a node has gone")
            yield from super().run(request)

    searched, listener = search(store, trainer=Warns())
    searched.go(num_trials=3)
    assert listener.notes.count("the disk is full") == 1
    assert listener.notes.count("a node has gone") == 3


def test_a_trial_that_goes_on_says_from_where(store: Writer) -> None:
    kept: dict[int, list[EpochRecord]] = {}
    changes = RUNGED | {"rungs": NO_RUNGS}
    with pytest.raises(KeyboardInterrupt):
        search(store, trainer=Kept(kept, {7}), **changes)[0].go(num_trials=1)
    searched, listener = search(store, trainer=Kept(kept, set()), **changes)
    searched.go(num_trials=1)
    assert listener.notes == ["trial 0 was interrupted and goes on after epoch 6 of 9"]
    assert [e.epoch for e in store.epochs("s", 0)] == [*range(1, 10)]


def test_a_study_that_has_found_enough_begins_nothing_but_what_was_given_or_had_begun(
    store: Writer,
) -> None:
    searched, _ = search(store, baselines=(VIT,))
    enough = replace(searched, enough=lambda: len(store.trials("s")) >= 3)
    enough.go(num_trials=9)
    trials = store.trials("s")
    assert [t.origin for t in trials] == [Origin.BASELINE, Origin.SEARCH, Origin.SEARCH]
    begun = replace(trials[1], state=State.RUNNING, accuracy=None, loss=None, finished_at=None)
    store.update_trial("s", begun)
    enough.go(num_trials=9)
    assert [t.state for t in store.trials("s")] == [State.COMPLETE] * 3
    searched.go(num_trials=4)
    assert sum(t.state is State.COMPLETE for t in store.trials("s")) == 5


SEEDS = (30, 31)


class Repeating(Scheduler):
    """Has trial 1 trained again, with `SEEDS`; what was interrupted of that goes on."""

    def __init__(self, spec: StudySpec, *_: object, history: Sequence[TrialRecord], **__: object):
        (first,) = (t for t in history if t.number == 1)
        begun = [t for t in history if t.parent == 1]
        told = {"candidate": Candidate.recorded(first), "origin": Origin.CONFIRMATION}
        self.due: list[New | Resume] = []
        if not begun:
            self.due = [New(**told, seeds=SEEDS, parent=1)]  # type: ignore[arg-type]
        elif any(t.state is State.RUNNING for t in begun):
            self.due = [Resume(**told, trials=tuple(begun))]  # type: ignore[arg-type]
        self._families = {}

    def suggest(self) -> New | Resume | None:
        return self.due.pop(0) if self.due else None

    def on_end(self, suggestion: Suggestion, trials: Sequence[TrialRecord], *_: object) -> None:
        self.due += one_by_one(suggestion, trials)

    @property
    def exhausted(self) -> bool:
        return False


def confirm(store: Writer, **changes: Any) -> tuple[Listener, Quick]:
    """Trains trial 1 of a study again."""
    trainer = changes.pop("trainer", None) or Quick()
    searched, listener = search(store, trainer=trainer)
    replace(searched, scheduler=Repeating, **changes).go(num_trials=0)
    return listener, trainer


def test_trials_have_the_seeds_and_the_parent_that_the_scheduler_gives_them(store: Writer) -> None:
    search(store)[0].go(num_trials=3)
    trainer = KilledIn(epoch=2)
    with suppress(KeyboardInterrupt):
        confirm(store, trainer=trainer)
    begun = store.trials("s")[3:]
    assert [(t.seed, t.parent, t.origin, t.state) for t in begun] == [
        (seed, 1, Origin.CONFIRMATION, State.RUNNING) for seed in SEEDS
    ]
    assert not any(request.predicts for request in trainer.requested), "nobody takes the classes"
    confirm(store)
    ended = store.trials("s")[3:]
    assert [(t.seed, t.parent, t.state) for t in ended] == [
        (seed, 1, State.COMPLETE) for seed in SEEDS
    ]
    assert {t.config for t in ended} == {store.trial("s", 1).config}


def test_a_study_goes_on_without_its_confirmations(store: Writer, tmp_path: Path) -> None:
    """As one that has none, though one of them is under way."""
    search(store)[0].go(num_trials=3)
    with suppress(KeyboardInterrupt):
        confirm(store, trainer=KilledIn(epoch=2))
    search(store)[0].go(num_trials=6)
    assert [t.state for t in store.trials("s") if t.parent == 1] == [State.RUNNING] * 2
    with open_writer(f"sqlite:///{tmp_path}/other.db") as through:
        search(through)[0].go(num_trials=6)
        searched = [t.config for t in store.trials("s") if t.parent is None]
        assert searched == configs(through, State.COMPLETE)


class Cramped(Quick):
    """A trainer with room for so many seeds at once."""

    def __init__(self, room: int, failure: Failure) -> None:
        super().__init__()
        self.room = room
        self.failure = failure

    def run(
        self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        if len(request.numbers) <= self.room:
            yield from super().run(request)
            return
        self.requested.append(request)
        for number in request.numbers:
            yield Failed(trial=number, reason="no room", failure=self.failure)


@pytest.mark.parametrize("failure", [Failure.DOES_NOT_FIT, Failure.OUT_OF_MEMORY])
@pytest.mark.parametrize("room", [0, 1, 2])
def test_seeds_for_which_together_a_device_has_no_room_are_trained_one_by_one(
    store: Writer, room: int, failure: Failure
) -> None:
    search(store)[0].go(num_trials=3)
    _, trainer = confirm(store, trainer=Cramped(room, failure))
    ends = store.trials("s")[3:]
    assert [t.seed for t in ends] == [*SEEDS]
    assert {t.state for t in ends} == {State.COMPLETE if room else State.FAILED}
    if room:
        assert {t.failure for t in ends} == {None}
    each = [(seed,) for seed in SEEDS]
    assert [r.seeds for r in trainer.requested] == ([SEEDS] if room == 2 else [SEEDS, *each])


class Adaptive(Repeating):
    """Trains every seed alone, and all but the first once that has reported."""

    def __init__(self, *args: Any, **others: Any) -> None:
        super().__init__(*args, **others)
        (whole,) = self.due
        assert isinstance(whole, New)
        self.due = [replace(whole, seeds=(40,))]
        self.later = [replace(whole, seeds=(seed,)) for seed in (41, 42, 43)]

    def on_end(self, *_: object) -> None:
        self.due, self.later = [*self.due, *self.later], []


def test_idle_workers_train_what_a_scheduler_suggests_once_it_knows_more(store: Writer) -> None:
    search(store)[0].go(num_trials=3)
    workers = Several(2)
    searched, _ = search(store, workers=workers)
    replace(searched, scheduler=Adaptive).go(num_trials=0)
    assert [r.seeds for _, r in workers.requested] == [(40,), (41,), (42,), (43,)]
    assert workers.at_once == 2
    assert {t.state for t in store.trials("s")} == {State.COMPLETE}
