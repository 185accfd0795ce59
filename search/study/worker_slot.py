"""What one worker trains, and what it trains next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from runs.record import EpochRecord, ImageResults, Origin, State, TrialRecord
from search.protocol import Failed, Finished, RequestDone, WorkerDied
from search.schedule.scheduler import New, Resume, RungDecision


@dataclass
class WorkerSlot:
    """The coordinator's view of one worker."""

    worker: int
    clock: float
    """Of `time.perf_counter()`: its wall clock up to here has been assigned to trials."""
    suggestion: New | Resume | None = None
    """What it trains; None when it is idle."""
    trials: list[TrialRecord] = field(default_factory=list)
    """Of the suggestion, those that had ended before included."""
    running: dict[int, TrialRecord] = field(default_factory=dict)
    """Of the suggestion, by number, those it was asked to train."""
    stop_reason: str | None = None
    """Why the trials were stopped at a rung; None if they were not."""
    setback: str | None = None
    """What happened to an earlier attempt, until it is known where this one goes on from."""
    was_elsewhere: bool = False
    """Whether the earlier attempt was another process's."""
    has_lost: bool = False
    """Whether a worker died while it trained the suggestion."""
    wants_weights: bool = False
    """Whether it was asked for the weights of the trials."""
    weights: dict[int, bytes] = field(default_factory=dict)
    """What it has sent of them, by trial."""
    image_results: dict[int, ImageResults] = field(default_factory=dict)
    """Which validation images they predict right, by trial, where it was asked."""
    looked_ahead: bool = False
    """Whether it was settled what comes next."""
    ahead: New | Resume | None = None

    def take(self, trials: Sequence[TrialRecord]) -> None:
        """The trials of the suggestion."""
        self.trials = list(trials)
        self.running = {t.number: t for t in trials if t.state is State.RUNNING}

    @property
    def first(self) -> int:
        """The number that stands for those it was asked to train."""
        return min(self.running)

    @property
    def under_way(self) -> list[TrialRecord]:
        """The trials that have not ended."""
        return [t for t in self.running.values() if t.state is State.RUNNING]

    @property
    def is_unfinished(self) -> bool:
        """Whether a trial has not ended, or one to be tested has not sent the weights for it."""
        return bool(self.under_way or (self._confirms and self._without_weights))

    @property
    def _confirms(self) -> bool:
        return self.suggestion is not None and self.suggestion.origin is Origin.CONFIRMATION

    @property
    def _without_weights(self) -> list[int]:
        """Numbers of the complete trials that have sent none."""
        complete = [n for n, trial in self.running.items() if trial.state is State.COMPLETE]
        return [number for number in complete if number not in self.weights]

    def again(self, epochs: Sequence[EpochRecord]) -> None:
        """Another attempt goes on from what these epochs trained, or from the start."""
        last = max((epoch.epoch for epoch in epochs), default=0)
        for number, trial in self.running.items():
            rung = trial.rung if trial.rung is not None and trial.rung <= last else None
            unknown = ("error", "failure", "timeout_seconds", "accuracy", "loss", "timing")
            fresh = dict.fromkeys((*unknown, "finished_at")) | {"rung": rung}
            self.running[number] = replace(trial, state=State.RUNNING, **fresh)  # type: ignore[arg-type]
        self.stop_reason = None
        self.weights, self.image_results = {}, {}

    @property
    def lost_weights(self) -> list[str]:
        """A sentence on weights that were asked for and never came; none where all came."""
        lost = [*map(str, self._without_weights)]
        if not self.wants_weights or not lost or self._confirms:  # which have failed without them
            return []
        trials = f"trial{'s' if len(lost) > 1 else ''} {', '.join(lost)}"
        return [f"the weights of {trials} are lost with their worker; the results are stored"]

    def decided(self, decision: RungDecision, epoch: int) -> None:
        """What was decided at a rung."""
        self.stop_reason = decision.reason if decision.stops else None
        if decision.reason is not None:
            for number, trial in self.running.items():
                self.running[number] = replace(trial, rung=epoch)

    def finished(self, event: Finished) -> None:
        """A trial has trained all its epochs, or up to the rung where it was stopped."""
        self.running[event.trial] = replace(
            self.running[event.trial],
            state=State.PRUNED if self.stop_reason else State.COMPLETE,
            error=self.stop_reason,
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

    def give_up(self, event: RequestDone | WorkerDied) -> None:
        """What has not ended has failed: its worker died for good."""
        for trial in self.under_way:
            assert isinstance(event, WorkerDied), "an idle worker has told how its trials ended"
            reason = f"its worker died twice ({event.reason})" if event.may_retry else event.reason
            failed = Failed(
                trial=trial.number,
                reason=reason,
                failure=event.failure,
                timeout_seconds=event.timeout_seconds,
            )
            self.failed(failed)


def seconds_in(epochs: Sequence[EpochRecord]) -> float:
    """What training these epochs took: the trials' shares together."""
    last: dict[int, float] = {}
    for epoch in epochs:
        last[epoch.trial] = max(last.get(epoch.trial, 0.0), epoch.elapsed_seconds)
    return sum(last.values())
