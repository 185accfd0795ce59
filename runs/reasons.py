"""Why trials did not complete, in kinds that can be counted."""

from __future__ import annotations

from collections.abc import Sequence

from runs.record import Failure, State, TrialRecord

_FAILURES = {
    Failure.DIVERGED: "Diverged: the loss was not finite",
    Failure.TIMEOUT: "Ran into the time limit",
    Failure.LOST_WORKER: "Lost its worker twice",
    Failure.OUT_OF_MEMORY: "Ran out of memory",
    Failure.DOES_NOT_FIT: "Does not fit the device, by estimate",
    None: "Failed for another reason",
}


def reason_of(trial: TrialRecord) -> str | None:
    """The kind of its reason, in fixed words; None of a trial that is complete or runs.

    A trial's own words (`TrialRecord.error`) have its numbers, and may be a stranger's text.
    """
    match trial.state:
        case State.FAILED:
            return _FAILURES[trial.failure]
        case State.PRUNED:
            return f"Stopped early after epoch {trial.rung}" if trial.rung else "Stopped early"
        case State.REFUSED:
            words = trial.error or ""
            if words.startswith("tried before"):
                return "Refused: tried before"
            if words.startswith("over the budget"):
                return "Refused: over the budget"
            return "Refused for another reason"
    return None


def by_reason(trials: Sequence[TrialRecord]) -> dict[str, list[TrialRecord]]:
    """The trials of each kind of reason, the latest first; failures first, then what was stopped,
    then what was refused, and the most frequent reason first among these."""
    groups: dict[str, list[TrialRecord]] = {}
    for trial in reversed(trials):
        reason = reason_of(trial)
        if reason is not None:
            groups.setdefault(reason, []).append(trial)
    order = (State.FAILED, State.PRUNED, State.REFUSED)
    return dict(
        sorted(groups.items(), key=lambda kind: (order.index(kind[1][0].state), -len(kind[1])))
    )
