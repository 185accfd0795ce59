"""Results as pandas: a row a trial, or a row an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from runs.record import EpochRecord, Origin, State, TrialRecord
from runs.seeds import over_seeds
from runs.winners import front
from space.costs import FLOPS, Cost


def trials_frame(
    trials: Sequence[TrialRecord], min_accuracy: float = 0.0, cost: Cost = FLOPS
) -> pd.DataFrame:
    """One row a trial, in the order given.

    Columns: number, state, origin, family, label, on_front (whether the configuration, by the mean
    of its seeds, is on the front of the search, or of the baselines; of the search's only those
    that reach `min_accuracy`), accuracy, loss, params, macs, flops, `cost` by its name where it is
    none of these, other costs that are kept with a trial, by their names, seed, epochs, parent (the
    number of the trial that it repeats), rung (after which it was, or would have been, stopped),
    the timings, train_flop_per_second (3 x FLOPs x images a second), device_bytes, device_kind,
    git_revision, failure (why it failed, in a word), timeout_seconds (the limit it ran into),
    error, started_at, finished_at, and the fields of the configurations.
    """
    rows = []
    on_front = {
        (trial.config, origin)
        for origin in (Origin.SEARCH, Origin.BASELINE)
        for trial in front(
            over_seeds([t for t in trials if t.origin is origin]),
            min_accuracy if origin is Origin.SEARCH else 0.0,
            cost,
        )
    }
    for trial in trials:
        timing, environment = trial.timing, trial.environment
        rows.append(
            {
                "number": trial.number,
                "state": trial.state.value,
                "origin": trial.origin.value,
                "family": trial.config.family,
                "label": trial.label,
                "on_front": trial.state is State.COMPLETE
                and (trial.config, trial.origin) in on_front,
                "accuracy": trial.accuracy,
                "loss": trial.loss,
                "params": trial.params,
                "macs": trial.macs,
                "flops": trial.flops,
                cost.name: trial.cost(cost),
                **trial.costs,
                "seed": trial.seed,
                "epochs": trial.epochs,
                "parent": trial.parent,
                "rung": trial.rung,
                "wall_seconds": trial.wall_seconds,
                "trace_seconds": timing and timing.trace_seconds,
                "compile_seconds": timing and timing.compile_seconds,
                "cache_hit": timing and timing.cache_hit,
                "train_seconds": timing and timing.train_seconds,
                "eval_seconds": timing and timing.eval_seconds,
                "images_per_second": timing and timing.images_per_second,
                "train_flop_per_second": trial.train_flop_per_second,
                "device_bytes": timing and timing.device_bytes,
                "device_kind": environment and environment.device_kind,
                "git_revision": environment and environment.git_revision,
                "failure": trial.failure and trial.failure.value,
                "timeout_seconds": trial.timeout_seconds,
                "error": trial.error,
                "started_at": trial.started_at,
                "finished_at": trial.finished_at,
                **trial.config.model_dump(exclude={"family"}),
            }
        )
    columns = list(dict.fromkeys([*_COLUMNS, cost.name]))
    return pd.DataFrame(rows, columns=None if rows else columns)


def epochs_frame(epochs: Sequence[EpochRecord]) -> pd.DataFrame:
    """One row an epoch: trial, epoch, losses, accuracies, learning rate, elapsed seconds."""
    columns = list(EpochRecord.__dataclass_fields__)
    return pd.DataFrame([asdict(epoch) for epoch in epochs], columns=columns)


_COLUMNS = [
    *("number", "state", "origin", "family", "label", "on_front", "accuracy", "loss", "params"),
    *("macs", "flops", "seed", "epochs", "parent", "rung", "wall_seconds", "trace_seconds"),
    *("compile_seconds", "cache_hit", "train_seconds", "eval_seconds", "images_per_second"),
    *("train_flop_per_second", "device_bytes", "device_kind", "git_revision"),
    *("failure", "timeout_seconds", "error", "started_at", "finished_at"),
]
