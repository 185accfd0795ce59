"""Results as pandas: a row a trial, or a row an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from runs import pareto
from runs.record import EpochRecord, State, StudyRecord, TrialRecord


def reference_of(study: StudyRecord) -> pareto.Reference:
    """The point the study's hypervolumes are measured to."""
    return pareto.Reference(accuracy=study.guess_accuracy, flops=float(study.flops_ceiling))


def trials_frame(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """One row a trial, in the order given.

    Columns: number, state, origin, family, label, on_front (among the finished trials of its own
    origin), accuracy, loss, params, macs, flops, seed, epochs, the timings, device_kind,
    git_revision, error, started_at, finished_at, and the fields of the configurations.
    """
    rows = []
    for trial in trials:
        timing, surroundings = trial.timing, trial.surroundings
        rows.append(
            {
                "number": trial.number,
                "state": trial.state.value,
                "origin": trial.origin.value,
                "family": trial.config.family,
                "label": trial.label,
                "accuracy": trial.accuracy,
                "loss": trial.loss,
                "params": trial.params,
                "macs": trial.macs,
                "flops": trial.flops,
                "seed": trial.seed,
                "epochs": trial.epochs,
                "compile_seconds": timing and timing.compile_seconds,
                "train_seconds": timing and timing.train_seconds,
                "eval_seconds": timing and timing.eval_seconds,
                "images_per_second": timing and timing.images_per_second,
                "device_kind": surroundings and surroundings.device_kind,
                "git_revision": surroundings and surroundings.git_revision,
                "error": trial.error,
                "started_at": trial.started_at,
                "finished_at": trial.finished_at,
                **trial.config.model_dump(exclude={"family"}),
            }
        )
    frame = pd.DataFrame(rows, columns=None if rows else _COLUMNS)
    return _with_front(frame)


def epochs_frame(epochs: Sequence[EpochRecord]) -> pd.DataFrame:
    """One row an epoch: trial, epoch, losses, accuracies, learning rate, elapsed seconds."""
    columns = list(EpochRecord.__dataclass_fields__)
    return pd.DataFrame([asdict(epoch) for epoch in epochs], columns=columns)


def _with_front(frame: pd.DataFrame) -> pd.DataFrame:
    on_front = pd.Series(data=False, index=frame.index, dtype=bool)
    for _, group in frame[frame["state"] == State.COMPLETE.value].groupby("origin"):
        chosen = pareto.front(group["flops"].to_numpy(float), group["accuracy"].to_numpy(float))
        on_front.loc[group.index[chosen]] = True
    frame.insert(5, "on_front", on_front)
    return frame


_COLUMNS = [
    *("number", "state", "origin", "family", "label", "accuracy", "loss", "params", "macs"),
    *("flops", "seed", "epochs", "compile_seconds", "train_seconds", "eval_seconds"),
    *("images_per_second", "device_kind", "git_revision", "error", "started_at", "finished_at"),
]
