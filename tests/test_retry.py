"""Trials that failed for no fault of theirs are tried again; those that diverged are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from one_worker import OneWorker
from records import WIDE_SPACE, running, trial
from records import epoch as an_epoch
from test_loop import ENVIRONMENT, RUNGED, VIT, Learning, Listener, Quick, search

from runs.reader import open_reader
from runs.record import Failure, State
from runs.writer import Writer, open_writer
from search.protocol import EpochDone, Event, Failed, RequestDone, Started, TrialRequest, WorkerDied
from search.run import main as run
from search.spec.retry import RetryPolicy, causes
from search.study.checkpoint_folder import Checkpoints

TIMED_OUT = WorkerDied(
    "it took longer than 5 s (--trial-timeout)", failure=Failure.TIMEOUT, timeout_seconds=5.0
)
DIED = WorkerDied("killed by SIGKILL")


class Hindered(OneWorker):
    """A worker that is lost in its first epoch of some trials, or in which they fail.

    Args:
        ends: how, by the first number of a request.
        trainer: trains the others.
    """

    def __init__(self, ends: dict[int, WorkerDied | Failure], trainer: Any = None) -> None:
        super().__init__(trainer or Quick(), ENVIRONMENT)
        self.requested: list[tuple[int, ...]] = []
        self._ends = ends

    def start(self, worker: int, request: TrialRequest) -> None:
        super().start(worker, request)
        self.requested.append(request.numbers)
        if request.checkpointing:
            request.checkpointing.file.touch()
        self._now = request

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        worker, event = super().next()
        end = self._ends.get(self._now.numbers[0])
        if end is None or not isinstance(event, EpochDone):
            return worker, event
        if isinstance(end, WorkerDied):
            return worker, end
        self._events = iter(
            Failed(trial=number, reason=end.value, failure=end) for number in self._now.numbers
        )
        return super().next()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Writer]:
    with open_writer(f"sqlite:///{tmp_path}/s.db") as writer:
        yield writer


def go(
    store: Writer,
    num_trials: int,
    ends: dict[int, WorkerDied | Failure] | None = None,
    *,
    retry: RetryPolicy | None = None,
    trainer: Any = None,
    deadline: float | None = None,
    **changes: Any,
) -> tuple[list[tuple[int, ...]], Listener]:
    """Runs the study: what was requested of its worker, and what was said."""
    workers = Hindered(ends or {}, trainer)
    searched, listener = search(store, workers=workers, **changes)
    policy = retry or RetryPolicy(trial_seconds=5.0)
    replace(searched, retry=policy).go(num_trials=num_trials, deadline=deadline)
    return workers.requested, listener


FLAG = RetryPolicy(failed=True, trial_seconds=5.0)


@pytest.mark.parametrize(
    ("failure", "limit", "by_flag", "by_more_time"),
    [
        (Failure.TIMEOUT, 5.0, True, True),
        (Failure.TIMEOUT, None, True, False),  # of a version that kept no limit
        (Failure.LOST_WORKER, None, True, False),
        (Failure.OUT_OF_MEMORY, None, True, False),
        (Failure.DOES_NOT_FIT, None, True, False),
        (Failure.DIVERGED, None, False, False),
        (None, None, True, False),  # nothing says that it was the configuration
    ],
)
def test_what_is_tried_again(
    failure: Failure | None, limit: float | None, by_flag: bool, by_more_time: bool
) -> None:
    record = running(state=State.FAILED, failure=failure, timeout_seconds=limit)
    assert FLAG.takes(record) == by_flag
    for seconds, more in ((4.0, False), (5.0, False), (5.1, True), (None, True)):
        assert RetryPolicy(trial_seconds=seconds).takes(record) == (by_more_time and more)
    for state in (State.RUNNING, State.REFUSED, State.COMPLETE, State.PRUNED):
        assert not FLAG.takes(trial(state=state))


def test_a_trial_that_ran_into_its_limit_is_trained_once_the_limit_is_higher(
    store: Writer,
) -> None:
    go(store, 4, {1: TIMED_OUT, 2: TIMED_OUT})
    states = [t.state for t in store.trials("s")]
    assert states == [State.COMPLETE, State.FAILED, State.FAILED, State.COMPLETE]
    failed = store.trials("s")[1]
    assert (failed.failure, failed.timeout_seconds) == (Failure.TIMEOUT, 5.0)
    assert go(store, 4)[0] == []
    requested, listener = go(store, 4, retry=RetryPolicy(trial_seconds=3600.0))
    assert requested == [(1,), (2,)]
    assert listener.notes[0] == "tried again: 2 trials; 2 ran into --trial-timeout 5s"
    assert listener.notes[1].startswith("trial 1 had failed and starts again")
    for again in store.trials("s"):
        assert again.state is State.COMPLETE
        assert (again.failure, again.timeout_seconds, again.error) == (None, None, None)
        assert [e.epoch for e in store.epochs("s", again.number)] == [1, 2, 3]
    assert go(store, 4, retry=RetryPolicy(failed=True))[0] == []


def test_asked_to_a_study_tries_all_again_but_what_diverged(store: Writer) -> None:
    ends = {0: DIED, 1: Failure.DIVERGED, 2: Failure.OUT_OF_MEMORY, 3: Failure.DOES_NOT_FIT}
    go(store, 5, ends, baselines=(VIT,))  # the baseline is trial 0
    assert [t.failure for t in store.trials("s")[:4]] == [
        *(Failure.LOST_WORKER, Failure.DIVERGED, Failure.OUT_OF_MEMORY, Failure.DOES_NOT_FIT)
    ]
    assert go(store, 5, retry=RetryPolicy(trial_seconds=None), baselines=(VIT,))[0] == []
    assert go(store, 5, retry=FLAG)[0] == [(2,), (3,)], "no baselines are asked for"
    assert go(store, 5, retry=FLAG, baselines=(VIT,))[0] == [(0,)]
    states = [t.state for t in store.trials("s") if t.state is not State.REFUSED]
    assert states == [State.COMPLETE, State.FAILED, *[State.COMPLETE] * 4]


def test_what_fails_again_has_failed_as_it_did_last(store: Writer) -> None:
    go(store, 2, {0: TIMED_OUT})
    requested, _ = go(store, 2, {0: Failure.DIVERGED}, retry=FLAG)
    assert requested == [(0,)]
    failed = store.trial("s", 0)
    assert (failed.failure, failed.timeout_seconds) == (Failure.DIVERGED, None)
    assert go(store, 2, retry=FLAG)[0] == []


def test_of_several_seeds_those_are_tried_again_that_failed(store: Writer) -> None:
    go(store, 2, seeds=3)
    third = store.trial("s", 2)
    known = {"accuracy": None, "loss": None, "failure": Failure.LOST_WORKER, "error": "died"}
    store.update_trial("s", replace(third, state=State.FAILED, **known))
    assert go(store, 2, retry=FLAG, seeds=3)[0] == [(2,)]
    assert store.trial("s", 2).accuracy == third.accuracy
    assert {t.state for t in store.trials("s")} == {State.COMPLETE}


@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param("cost_aware", marks=pytest.mark.slow),
        pytest.param("tpe", marks=pytest.mark.slow),
        "nsga2",
    ],
)
def test_a_study_that_stops_after_a_retry_proposes_what_it_would_have(
    tmp_path: Path, sampler: str
) -> None:
    changes = {"space": WIDE_SPACE, "sampler": sampler}
    ends = []
    for name, stops in (("through", [26]), ("again", [22, 23, 26])):
        with open_writer(f"sqlite:///{tmp_path}/{name}.db") as store:
            go(store, 22, {3: TIMED_OUT, 14: DIED}, **changes)
            for stop in stops:
                go(store, stop, retry=FLAG, **changes)
            ends.append([(t.config, t.state, t.accuracy) for t in store.trials("s")])
    assert ends[0] == ends[1]
    assert State.FAILED not in {state for _, state, _ in ends[0]}


def test_a_trial_that_is_tried_again_is_judged_at_rungs_as_any(tmp_path: Path) -> None:
    """Of all that is random only the order differs: stopped are those far behind, with a reason."""
    with open_writer(f"sqlite:///{tmp_path}/s.db") as store:
        lost: dict[int, WorkerDied | Failure] = dict.fromkeys(range(20, 32), TIMED_OUT)
        go(store, 32, lost, trainer=Learning(), **RUNGED)
        go(store, 32, retry=FLAG, trainer=Learning(), **RUNGED)
        again = store.trials("s")[20:]
        pruned = [t for t in again if t.state is State.PRUNED]
        assert pruned
        assert all(t.failure is None and "stopped after epoch" in (t.error or "") for t in pruned)
        assert all(len(store.epochs("s", t.number)) == (t.rung or 9) for t in again)


def test_the_time_of_the_first_attempt_stays_in_the_sum(store: Writer) -> None:
    began = time.perf_counter()
    go(store, 3, {1: TIMED_OUT})
    before = store.trial("s", 1).wall_seconds
    go(store, 3, retry=FLAG)
    elapsed = time.perf_counter() - began
    after = store.trial("s", 1).wall_seconds
    assert before is not None
    assert after is not None
    assert before < after
    assert sum(t.wall_seconds or 0 for t in store.trials("s")) <= elapsed


def test_time_that_was_counted_when_a_trial_failed_is_not_counted_again(store: Writer) -> None:
    """Although its epochs of then, of 1.1 s each, are part of its curve."""

    class GoesOn(Quick):
        def run(
            self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
        ) -> Iterator[Event]:
            (number,) = request.numbers
            _, *events = super().run(request)
            yield Started((an_epoch(1, number), an_epoch(2, number)))
            yield from events[2:]

    go(store, 2, {1: TIMED_OUT})
    go(store, 2, retry=FLAG, trainer=GoesOn())
    again = store.trial("s", 1)
    assert len(store.epochs("s", 1)) == 3
    assert again.wall_seconds is not None
    assert again.wall_seconds < 1.1


def test_what_had_too_little_time_goes_on_from_its_checkpoint(
    store: Writer, tmp_path: Path
) -> None:
    """It is kept through studies that do not try it again; that of a worker that died is not."""
    searched, _ = search(store)
    kept = Checkpoints(tmp_path / "kept").of(searched.study, None)

    def at_end(ends: dict[int, WorkerDied | Failure], retry: RetryPolicy) -> list[Path]:
        workers = Hindered(ends)
        again = replace(search(store, workers=workers)[0], checkpoints=kept, retry=retry)
        again.go(num_trials=4)
        return sorted(kept.folder.iterdir())

    kept.folder.mkdir()
    first = kept.of(1).file
    assert at_end({1: TIMED_OUT, 2: DIED}, RetryPolicy(trial_seconds=5.0)) == [first]
    assert at_end({}, RetryPolicy(trial_seconds=5.0)) == [first]
    assert at_end({}, RetryPolicy(trial_seconds=6.0)) == []


def test_what_was_not_begun_again_in_time_has_failed_still(store: Writer) -> None:
    go(store, 3, {1: TIMED_OUT})
    before = store.trials("s")
    go(store, 3, retry=FLAG, deadline=time.monotonic())
    assert store.trials("s") == before


def test_a_dashboard_sees_a_trial_that_is_tried_again_by_who_runs_the_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    with open_writer(url) as store, open_reader(url) as reader:
        go(store, 2, {1: DIED})
        with store.hold("s"):
            before = reader.read("s")
            go(store, 2, retry=FLAG)
            seen = reader.read("s", before)
            assert seen.trials == store.trials("s")
    assert [t.state for t in seen.trials] == [State.COMPLETE] * 2


def test_causes_are_counted_the_most_frequent_first() -> None:
    limit = {"failure": Failure.TIMEOUT, "timeout_seconds": 5400.0}
    failed = [
        running(number, state=State.FAILED, **known)
        for number, known in enumerate(
            [
                {"failure": Failure.DIVERGED},
                limit,
                limit,
                limit | {"timeout_seconds": None},
                {"failure": None},
            ]
        )
    ]
    assert causes(failed) == (
        "2 ran into --trial-timeout 1h30m, 1 diverged, 1 ran into --trial-timeout, "
        "1 for another reason"
    )


@pytest.mark.usefixtures("here")
def test_the_command_with_a_higher_limit_trains_what_ran_into_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["--study", "mixer_smoke", "--trials", "1", "--no-baselines", "--device", "cpu"]
    command += ["--epochs", "100", "--no-rungs"]
    assert run([*command, "--trial-timeout", "0.1s"]) == 0
    said = capsys.readouterr().out
    assert (
        "1 failed: 1 ran into --trial-timeout 0.1s; try it again with --retry-failed, or " in said
    )
    assert run([*command, "--trial-timeout", "0.1s"]) == 0
    said = capsys.readouterr().out
    assert "nothing was left to train: the 1 trial asked for has ended" in said
    assert run([*command, "--trial-timeout", "1h"]) == 0
    said = capsys.readouterr().out
    assert "1 tried again: 1 complete" in said
    assert "1 trial complete, 0 baselines" in said
    with open_reader() as reader:
        (only,) = reader.trials("mixer_smoke")
        assert (only.state, only.failure) == (State.COMPLETE, None)
        assert len(reader.epochs("mixer_smoke", 0)) == 100
