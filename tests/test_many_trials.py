"""Many trials that sleep: nothing is lost or locked, and the last costs no more than the first."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from followed import Followed
from records import DIGITS, WIDE_SPACE, mixer, seeds, study, trial, vit
from rich.console import Console

from runs.reader import open_reader
from runs.record import Origin, State, TrialRecord
from search.report.progress import LiveReporter
from search.schedule.scheduler import Scheduler
from search.spec.rungs import NO_RUNGS
from search.spec.studies import StudySpec
from space.cost import cost

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import stub_trials  # noqa: E402


@pytest.mark.parametrize(
    ("trials", "seconds", "workers", "readers"),
    [
        pytest.param(
            *(200, 0.005, 2, 4),
            marks=pytest.mark.fault("4 readers during 200 trials that sleep 5 ms"),
        ),
        pytest.param(
            *(2_000, 0.005, 1, 8),
            marks=[
                pytest.mark.slow,
                pytest.mark.fault("8 readers during 2,000 trials that sleep 5 ms"),
            ],
        ),
        pytest.param(
            *(10_000, 0.2, 16, 0),
            marks=[
                pytest.mark.slow,
                pytest.mark.fault("10,000 trials that sleep 200 ms, 16 workers"),
            ],
        ),
    ],
)
def test_readers_that_look_on_neither_lock_nor_lose_anything(
    tmp_path: Path, trials: int, seconds: float, workers: int, readers: int
) -> None:
    storage = f"sqlite:///{tmp_path}/stubs.db"
    spec = stub_trials.study_of(trials, epochs=2)
    taken = stub_trials.run(storage, spec, workers=workers, trial_seconds=seconds, readers=readers)
    met = taken["readers"]
    assert [reader["errors"] for reader in met] == [[]] * readers
    assert all(reader["polls"] > 2 and 0 < reader["trials"] <= trials for reader in met)
    with open_reader(storage) as store:
        found, epochs = store.trials(spec.name), store.epochs(spec.name)
    assert [t.number for t in found] == list(range(trials))
    assert {t.state for t in found} == {State.COMPLETE}
    assert len({t.config for t in found}) == trials
    assert [(e.trial, e.epoch) for e in epochs] == [(n, e) for n in range(trials) for e in (1, 2)]


def status_of(trials: list[TrialRecord]) -> Followed:
    return Followed(study(), trials, goal=9_999, baselines=0, images_per_epoch=100)


def test_what_is_kept_of_a_study_is_what_would_be_found_in_all_its_trials() -> None:
    search = [trial(n, accuracy=(7 * n % 10) / 10) for n in range(6)]
    ends = [
        *search,
        trial(6, config=vit(), origin=Origin.BASELINE),
        *seeds(7, 0.5, 0.99, config=mixer(hidden_dim=200)),
        trial(9, state=State.FAILED, accuracy=None),
        trial(10, state=State.PRUNED, accuracy=0.95),
        trial(11, state=State.REFUSED, accuracy=None, config=search[0].config),
        trial(12, accuracy=0.99, config=mixer(hidden_dim=4)),
    ]
    began = [replace(t, state=State.RUNNING, accuracy=None) for t in ends]
    kept = status_of([])
    there: dict[int, TrialRecord] = {}

    def compare() -> None:
        found = status_of(list(there.values()))
        for name in ("trials", "counts", "front", "finished", "finished_baselines", "hypervolume"):
            assert getattr(kept, name) == getattr(found, name), name

    for batch in (slice(0, 5), slice(5, 9), slice(9, 13)):
        for start in began[batch]:
            if ends[start.number].state is not State.REFUSED:
                kept.start(start)
                there[start.number] = start
                compare()
        for end in ends[batch]:
            kept.end(end)
            there[end.number] = end
            compare()
    assert [t.number for t in kept.front] == [12]
    assert kept.finished == 10
    assert kept.finished_baselines == 1


def steps(work: Callable[[], object]) -> int:
    """Bytecode instructions that some work takes: no clock, so any machine counts the same."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


FEW, MANY = 100, 2_000
"""Trials of a study; what goes through them all takes a step more for each at the least."""

SPACE = replace(WIDE_SPACE, ranges={**WIDE_SPACE.ranges, "hidden_dim": tuple(range(8, 808, 8))})


def history(count: int) -> list[TrialRecord]:
    """Complete trials of as many Mixers, no better the one than the other."""
    members = list(SPACE.members(DIGITS))[-count:]
    done = trial(accuracy=0.5)
    return [
        replace(done, number=n, config=c, params=cost(c).params, macs=cost(c).macs)
        for n, c in enumerate(members)
    ]


def test_showing_how_one_more_trial_ended_takes_as_long_after_many_as_after_few() -> None:
    def taken(count: int) -> int:
        reporter = LiveReporter(Console(quiet=True), status_of(history(count)))
        one_more = trial(count, config=mixer(), accuracy=0.1)

        def show() -> None:
            reporter.started(replace(one_more, state=State.RUNNING, accuracy=None))
            reporter.ended(one_more)
            reporter.panel()

        return steps(show)

    assert taken(MANY) - taken(FEW) < (MANY - FEW) / 2


def test_proposing_one_more_trial_at_random_takes_as_long_after_many_as_after_few() -> None:
    def taken(count: int) -> int:
        scheduler = Scheduler(
            StudySpec(name="digits", dataset="digits", sampler="random", rungs=NO_RUNGS),
            {"mixer": SPACE},
            DIGITS,
            max_flops=10**12,
            baselines=(),
            history=history(count),
            curves={},
            num_trials=10_000,
            refuse=lambda proposal, reason: pytest.fail(reason),
        )

        def propose() -> None:
            suggestion = scheduler.suggest()
            assert suggestion is not None
            scheduler.on_end(suggestion, [trial(count, config=suggestion.config)], [0.5])

        return min(steps(propose) for _ in range(5))  # a draw that was tried is drawn again

    assert taken(MANY) - taken(FEW) < (MANY - FEW) / 2
