"""What a table of all trials can show of each, by the headings a person reads."""

from __future__ import annotations

from collections.abc import Sequence

from runs.record import StudyRecord, TrialRecord
from space.config import ImageTask
from space.families import find_family

_BEFORE = {
    "state": "State",
    "origin": "Origin",
    "label": "Configuration",
    "seed": "Seed",
    "accuracy": "Accuracy",
    "flops": "FLOPs",
    "params": "Parameters",
}
_AFTER = {
    "images_per_second": "Images/s",
    "train_seconds": "Training (s)",
    "finished_at": "Ended",
    "error": "Reason",
}
_MORE = {
    "on_front": "On the front",
    "loss": "Loss (nats)",
    "epochs": "Epochs",
    "rung": "Rung",
    "parent": "Repeats",
    "macs": "MACs",
    "eval_seconds": "Validating (s)",
    "trace_seconds": "Tracing (s)",
    "compile_seconds": "Compiling (s)",
    "cache_hit": "From the cache",
    "wall_seconds": "Wall clock (s)",
    "device_bytes": "Device memory (bytes)",
    "device_kind": "Device",
    "git_revision": "Git revision",
    "started_at": "Started",
}


def usual_columns(study: StudyRecord, trials: Sequence[TrialRecord]) -> dict[str, str]:
    """Those that are shown unless others are chosen: columns of `runs.frames.trials_frame` to
    headings; what the families search is among them, under the names of the fields."""
    searched = [
        name
        for family in dict.fromkeys(t.family for t in trials)
        for name in find_family(family).ranges.model_fields
    ]
    fields = dict.fromkeys(searched)
    return _BEFORE | {study.cost.name: study.cost.label} | {name: name for name in fields} | _AFTER


def all_columns(study: StudyRecord, trials: Sequence[TrialRecord]) -> dict[str, str]:
    """All that can be chosen, the usual ones first."""
    asked = {"family", *ImageTask.model_fields}
    kinds = {type(t.config): t.config for t in trials}.values()
    others = [name for config in kinds for name in config.model_dump() if name not in asked]
    costs = [name for t in trials for name in t.costs]
    more = {name: name for name in dict.fromkeys([*others, *costs])}
    usual = usual_columns(study, trials)
    return usual | {name: label for name, label in (more | _MORE).items() if name not in usual}
