"""A checkpoint: what trials under way are, in one file that is whole or not there.

Flax's msgpack, in which nothing can be executed, behind a digest. A file is written under another
name, synced and renamed: a process killed, or a disk full, in the middle of it leaves the
checkpoint before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import numpy as np
from flax import serialization

from runs.record import EpochRecord, Failure, Timing
from search.protocol import Failed, TrialRequest
from search.train.epoch import TrainState, state_shapes
from space.whole_file import whole_file

_MAGIC = b"mixer-search checkpoint 1\n"


class CheckpointError(Exception):
    """The file is no checkpoint, or not a whole one."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Trials of one request after an epoch."""

    epoch: int
    state: TrainState
    """NumPy arrays, a seed along the leading axis."""
    epochs: tuple[EpochRecord, ...]
    """Of all the trials, up to that epoch."""
    failures: tuple[Failed, ...] = ()
    """Of the trials that had failed by then."""
    epoch_seconds: tuple[float, ...] = ()
    """What each epoch took."""


def save(file: Path, request: TrialRequest, checkpoint: Checkpoint) -> None:
    """Replaces the file by a newer checkpoint.

    Raises:
        OSError: it cannot be written; the one before is still there.
    """
    facts = {
        "request": _fingerprint(request),
        "epoch": checkpoint.epoch,
        "epochs": [asdict(epoch) for epoch in checkpoint.epochs],
        "failures": [asdict(failure) for failure in checkpoint.failures],
        "epoch_seconds": checkpoint.epoch_seconds,
    }
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(checkpoint.state)]
    body = serialization.msgpack_serialize({"facts": json.dumps(facts), "leaves": leaves})
    with whole_file(file, sync=True) as stream:
        stream.write(_MAGIC + hashlib.sha256(body).digest() + body)


def load(file: Path, request: TrialRequest) -> Checkpoint | None:
    """The checkpoint of these trials; None where there is none, or one of other trials.

    Raises:
        CheckpointError: the file is damaged, or cannot be read.
    """
    try:
        found = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CheckpointError(error.strerror) from None
    start = len(_MAGIC)
    body = found[start + 32 :]
    if not found.startswith(_MAGIC) or hashlib.sha256(body).digest() != found[start : start + 32]:
        raise CheckpointError("it is not whole")
    content = serialization.msgpack_restore(body)
    facts = json.loads(content["facts"])
    if facts["request"] != _fingerprint(request):
        return None
    shapes = state_shapes(request.config, len(request.seeds), request.recipe)
    leaves = content["leaves"]
    if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in jax.tree.leaves(shapes)]:
        return None  # of another version of the network or the optimiser
    return Checkpoint(
        epoch=facts["epoch"],
        state=jax.tree.unflatten(jax.tree.structure(shapes), leaves),
        epochs=tuple(EpochRecord(**epoch) for epoch in facts["epochs"]),
        failures=tuple(_failure(**failure) for failure in facts["failures"]),
        epoch_seconds=tuple(facts["epoch_seconds"]),
    )


def _failure(trial: int, reason: str, timing: dict[str, float] | None, **_: object) -> Failed:
    """Of a seed without which the others train on: it diverged, or all would have failed."""
    known = None if timing is None else Timing(**timing)  # type: ignore[arg-type]
    return Failed(trial=trial, reason=reason, failure=Failure.DIVERGED, timing=known)


def _fingerprint(request: TrialRequest) -> str:
    """Equal for requests of which one may go on where the other stopped."""
    told = [request.numbers, request.seeds]
    recipe = request.recipe.model_dump(mode="json")
    if not request.recipe.freeze:  # which checkpoints of older versions do not know
        del recipe["freeze"]
    named = [request.config.model_dump(mode="json"), recipe]
    facts = [told, named] if request.starts_from is None else [told, named, request.starts_from]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
