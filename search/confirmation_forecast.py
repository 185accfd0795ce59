"""What a confirmation would train, worked out without writing, training or opening images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from runs.asked import images_per_epoch
from runs.confirmed import of_kind
from runs.confirmed_networks import Network, networks_of
from runs.reader import open_reader
from runs.record import State, TrialRecord
from runs.test_readings import all_readings, readings_line
from search.spec.confirmation import ConfirmationSettings
from search.study.confirm import check_budget, new_plan, task_of, unfinished
from search.study.state import StudyState
from search.study.test_split import check_unread
from space.quantities import counted, format_count, format_seconds


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a confirmation would train, and roughly what that would take."""

    study: str
    candidates: tuple[tuple[int, str], ...]
    """Number and label of every trial that is repeated."""
    seeds: int
    """A candidate, in the mean."""
    trainings: int
    """Those that have not ended."""
    training_flops: float | None
    """Of these; None where no trial of the study was timed."""
    seconds: float | None
    """Of these, at the pace of all that the study trained to the end; None before one was timed."""
    test_readings: int
    """So far, of the split that is read when all is trained."""
    test_line: str
    """The same in words."""

    def facts(self) -> dict[str, Any]:
        """For `--json`."""
        candidates = [{"trial": number, "label": label} for number, label in self.candidates]
        facts = asdict(self) | {"candidates": candidates}
        del facts["test_line"]
        return facts

    def lines(self) -> Iterator[str]:
        """For a person."""
        yield f"{self.study}: {counted(len(self.candidates), 'candidate')}"
        for number, label in self.candidates:
            yield f"  trial {number}, {label}"
        if not self.trainings:
            yield "all is trained; --again makes another confirmation; nothing was written"
            return
        size = ""
        if self.training_flops is not None:
            size = f", {format_count(self.training_flops)} training FLOPs"
        if self.seconds is not None:
            size += f", {format_seconds(self.seconds)} at the pace of the study"
        yield f"{counted(self.trainings, 'training')}, {self.seeds} seeds each in the mean{size}"
        yield (
            "then the test split, where the data set has one, is opened and read once; so far: "
            f"{self.test_line}"
        )
        yield "nothing was written; leave --dry-run out to begin"


def forecast(study: str, settings: ConfirmationSettings, storage: str | None) -> Forecast:
    """Works a confirmation out.

    Raises:
        MixerSearchError: what would refuse it.
    """
    settings.check()
    with open_reader(storage) as store:
        check_unread(store, study, again=settings.again)
        record, state = store.study(study), StudyState.read(store, study)
        kept, begun = of_kind(store, study, "front"), unfinished(store, study)
        is_complete = begun is None and bool(kept) and not settings.again
        plans = [one.plan for one in store.confirmations(study)]
        if begun is not None or is_complete:
            plan = kept[-1].plan
        else:
            plan = new_plan(record, state, settings)
            plans = [*plans, plan]
        readings = all_readings(store, study)
        images = images_per_epoch([*state.trials.values()])
        if images is not None and not is_complete:
            trained = images * max(t.epochs for t in state.trials.values())
            check_budget(task_of(store, record, settings, plan, images_trained=trained, at_once=1))
    trials = [*state.trials.values()]
    networks = networks_of(plan, trials, plans)
    missing = 0 if is_complete else _missing(networks, settings.seeds)
    # Which candidates get the seeds that are adaptive shows only later: each counts as the mean
    work = fmean(n.parent.flops * n.parent.epochs for n in networks)
    flops = None if images is None else 3.0 * missing * images * work
    pace = _seconds_per_flop(trials)
    seconds = None if pace is None else pace * missing * work
    return Forecast(
        study=study,
        candidates=tuple((n.parent.number, n.parent.label) for n in networks),
        seeds=settings.seeds,
        trainings=missing,
        training_flops=flops,
        seconds=seconds,
        test_readings=len(readings),
        test_line=readings_line(readings),
    )


def _missing(networks: Sequence[Network], seeds: int) -> int:
    """Trainings until there are so many seeds a candidate in the mean; one that failed gets none
    any more."""
    judged = [network for network in networks if not network.has_failed]
    ended = sum(t.state is not State.RUNNING for network in judged for t in network.trials)
    return max(0, seeds * len(judged) - ended)


def _seconds_per_flop(trials: Sequence[TrialRecord]) -> float | None:
    """Of the study's wall clock, by a network's FLOPs times its epochs."""
    timed = [t for t in trials if t.state is State.COMPLETE and t.wall_seconds is not None]
    work = sum(t.flops * t.epochs for t in timed)
    return sum(t.wall_seconds or 0.0 for t in timed) / work if work else None
