"""What one worker is at, and what it does next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from runs.record import EpochRecord, State, TrialRecord
from search.protocol import Failed, Finished
from search.schedule.early_stopping import Verdict, mean_curve
from search.schedule.scheduler import Job

_GOES_ON = Verdict()


@dataclass
class Desk:
    """The coordinator's notes about one worker."""

    worker: int
    clock: float
    """Of `time.perf_counter()`: up to when its wall clock was given to trials."""
    job: Job | None = None
    trials: list[TrialRecord] = field(default_factory=list)
    """Of the job, those that had ended before included."""
    running: dict[int, TrialRecord] = field(default_factory=dict)
    """Of the job, by number, those it was asked to train."""
    curves: dict[int, list[float]] = field(default_factory=dict)
    """Of the job, accuracies by epoch, by number."""
    verdict: Verdict = _GOES_ON
    """What was decided of the job at the last rung it came to."""
    rungs: tuple[int, ...] = ()
    """Where the job is judged; a baseline never is."""
    setback: str | None = None
    """What happened to an earlier attempt, until it is known where this one goes on from."""
    was_elsewhere: bool = False
    """Whether the earlier attempt was another process's."""
    has_lost: bool = False
    """Whether a worker died in this job."""
    looked_ahead: bool = False
    """Whether it was settled what comes next."""
    ahead: Job | None = None

    def clear(self, job: Job | None) -> None:
        """Makes room for another job, or none."""
        self.job = job
        self.trials, self.running, self.curves = [], {}, {}
        self.verdict, self.rungs = _GOES_ON, ()
        self.setback = None
        self.was_elsewhere = self.has_lost = self.looked_ahead = False
        self.ahead = None

    def take(self, trials: Sequence[TrialRecord], curves: Mapping[int, Sequence[float]]) -> None:
        """The trials of the job, with the curves of those that have ended."""
        self.trials = list(trials)
        self.running = {t.number: t for t in trials if t.state is State.RUNNING}
        ended = [t.number for t in trials if t.number not in self.running]
        self.curves = {number: list(curves.get(number, ())) for number in ended}

    @property
    def first(self) -> int:
        """The number that stands for those it was asked to train."""
        return min(self.running)

    @property
    def under_way(self) -> list[TrialRecord]:
        """The trials that have not ended."""
        return [t for t in self.running.values() if t.state is State.RUNNING]

    @property
    def curve(self) -> list[float]:
        """The mean of all trials of the job, as far as all of them go."""
        return mean_curve([self.curves.get(t.number, ()) for t in self.trials])

    def add(self, epochs: Sequence[EpochRecord]) -> None:
        """What was trained now."""
        for epoch in epochs:
            self.curves.setdefault(epoch.trial, []).append(epoch.validation_accuracy)

    def again(self, epochs: Sequence[EpochRecord]) -> None:
        """Another attempt goes on from what these epochs trained, or from the start."""
        last = max((epoch.epoch for epoch in epochs), default=0)
        for number, trial in self.running.items():
            self.curves[number] = []
            rung = trial.rung if trial.rung is not None and trial.rung <= last else None
            unknown = ("error", "failure", "timeout_seconds", "accuracy", "loss", "timing")
            fresh = dict.fromkeys((*unknown, "finished_at")) | {"rung": rung}
            self.running[number] = replace(trial, state=State.RUNNING, **fresh)  # type: ignore[arg-type]
        self.add(epochs)
        rungs = {trial.rung for trial in self.running.values()}
        self.verdict = Verdict("decided before", is_spared=True) if rungs != {None} else _GOES_ON

    def judged(self, verdict: Verdict, epoch: int) -> None:
        """What was decided at a rung."""
        self.verdict = verdict
        if verdict.reason is not None:
            for number, trial in self.running.items():
                self.running[number] = replace(trial, rung=epoch)

    def finished(self, event: Finished) -> None:
        """A trial has trained all its epochs, or up to the rung where it was stopped."""
        self.running[event.trial] = replace(
            self.running[event.trial],
            state=State.PRUNED if self.verdict.stops else State.COMPLETE,
            error=self.verdict.reason if self.verdict.stops else None,
            accuracy=event.accuracy,
            loss=event.loss,
            timing=event.timing,
        )

    def failed(self, event: Failed) -> None:
        """A trial has ended without a result."""
        self.running[event.trial] = replace(
            self.running[event.trial],
            state=State.FAILED,
            error=event.reason,
            failure=event.failure,
            timeout_seconds=event.timeout_seconds,
            timing=event.timing,
        )


def seconds_in(epochs: Sequence[EpochRecord]) -> float:
    """What training these epochs took: the trials' shares together."""
    last: dict[int, float] = {}
    for epoch in epochs:
        last[epoch.trial] = max(last.get(epoch.trial, 0.0), epoch.elapsed_seconds)
    return sum(last.values())
