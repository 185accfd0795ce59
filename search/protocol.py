"""What crosses the border between the coordinator and whoever trains: no JAX, no SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runs.record import Environment, EpochRecord, Failure, Timing, TrialRecord
from search.spec.recipe import Recipe
from space.config import Config

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from search.data import ImageData


@dataclass(frozen=True)
class CheckpointPolicy:
    """How trials under way are kept, so that whoever takes them up again need not start anew."""

    file: Path
    every_seconds: float
    """Between two checkpoints, at least; the first comes so long after the first step."""
    keeps_last: bool = False
    """Whether there is one of the last epoch too."""


@dataclass(frozen=True, eq=False)
class StartWeights:
    """Weights that trainings start from, and how their network takes pixels."""

    content: bytes
    """Of a safetensors file: see `space.weights_file`."""
    pixel_mean: tuple[float, ...]
    """A channel, in units of a pixel value: of the images that these weights were trained on."""
    pixel_std: tuple[float, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, kw_only=True)
class TrialRequest:
    """All that trials of one configuration need besides the data: a number and a seed each."""

    numbers: tuple[int, ...]
    seeds: tuple[int, ...]
    config: Config
    recipe: Recipe
    rungs: tuple[int, ...] = ()
    """Epochs after which the coordinator says whether the trials go on."""
    checkpointing: CheckpointPolicy | None = None
    """If there is a checkpoint of these trials, they go on from there."""
    weights_facts: Mapping[str, str] | None = None
    """What their weights' files are to say of the study; None where no weights are kept."""
    predicts: bool = False
    """Whether the class that each trial predicts of every validation image is wanted."""
    starts_from: str | None = None
    """Digest of the `StartWeights` that the worker has; None where initial weights are drawn."""


@dataclass(frozen=True)
class Started:
    """The device is at work: whoever reads the events may take a moment for something else."""

    epochs: tuple[EpochRecord, ...] = ()
    """What was trained before, as a checkpoint has it: the trials go on after that."""


@dataclass(frozen=True)
class Warned:
    """Something a person should know; the trials go on."""

    sentence: str
    is_lasting: bool = False
    """Whether saying the same once more tells nobody anything."""


@dataclass(frozen=True)
class EpochDone:
    """An epoch was trained and validated, by every trial that is still sound."""

    epochs: tuple[EpochRecord, ...]


@dataclass(frozen=True, eq=False)
class Predicted:
    """Of a trial that finishes next: what it makes of the validation images."""

    trial: int
    classes: npt.NDArray[np.uint16]
    """[num_validation], in the order of the split, after the last epoch it trained."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A trial has trained all its epochs, or up to the rung where it was told to stop."""

    trial: int
    accuracy: float
    loss: float
    timing: Timing


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A failure of a trial that is a result: the study goes on."""

    trial: int
    reason: str
    failure: Failure
    timeout_seconds: float | None = None
    """The time limit it ran into."""
    timing: Timing | None = None


@dataclass(frozen=True)
class WeightsOffered:
    """Trials are complete: the worker waits for a decision whether it sends their weights."""


@dataclass(frozen=True)
class WeightsSent:
    """The weights of a complete trial, as the bytes of a safetensors file."""

    trial: int
    content: bytes


@dataclass(frozen=True)
class RequestDone:
    """A request is through: whoever trained it may be given the next."""


@dataclass(frozen=True)
class Broken:
    """A device failed under what it trained, and may be of no use any more."""

    reason: str
    failure: Failure = Failure.LOST_WORKER
    """What that makes of the trials, should it happen to them again."""


@dataclass(frozen=True)
class WorkerDied:
    """Whoever trained is no more; somebody else is there in its place, with nothing to do."""

    reason: str
    failure: Failure = Failure.LOST_WORKER
    """Why the trials have failed, should they not be tried once more."""
    timeout_seconds: float | None = None
    """The time limit they ran into."""

    @property
    def may_retry(self) -> bool:
        """Whether what it trained may be tried once more."""
        return self.failure is not Failure.TIMEOUT


Event = Started | Warned | EpochDone | Predicted | Finished | Failed | WeightsOffered | WeightsSent
"""Of the trials of a request; `RequestDone` or `WorkerDied` come after the last."""


@dataclass(frozen=True)
class Setup:
    """What a worker has to know before it can train."""

    images: ImageData
    device_kind: str
    sharers: int = 1
    """How many workers share the memory of a CPU."""
    start: StartWeights | None = None
    """What trainings start from; None where initial weights are drawn."""


@dataclass(frozen=True)
class Ready:
    """A worker has its device and the images on it."""

    environment: Environment
    platform: str


@dataclass(frozen=True)
class Refusal:
    """A worker cannot have what was asked for, in a sentence."""

    sentence: str


@dataclass(frozen=True)
class WorkerCrashed:
    """A worker had an exception nobody expected."""

    traceback: str


@dataclass(frozen=True)
class Decision:
    """Of the coordinator: at a rung about its trials, at their end about their weights."""

    goes_on: bool


@dataclass(frozen=True)
class Alive:
    """Of a worker, every few seconds, whatever it does."""


@dataclass(frozen=True)
class Interruption:
    """Of the coordinator: finish the epoch, keep a checkpoint, and end."""


@dataclass(frozen=True)
class Announcement:
    """What will be requested next."""

    config: Config
    recipe: Recipe
    num_seeds: int


class Workers(Protocol):
    """Whoever trains, one request each at a time: see `search.workers.processes`."""

    @property
    def count(self) -> int:
        """How many there are, numbered from 0."""

    @property
    def environment(self) -> Environment:
        """What they train on."""

    def compile_ahead(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """What will be requested of a worker next."""

    def start(self, worker: int, request: TrialRequest) -> None:
        """Has a worker train, which trains nothing else now."""

    def decide(self, worker: int, goes_on: bool) -> None:
        """Tells a worker that waits: after the epoch of a rung whether its trials go on, after
        `WeightsOffered` whether it sends their weights."""

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        """Waits for what happens next, and tells of which worker."""

    def interrupt(self) -> None:
        """Has what is trained kept, and waits a while until it is; nobody trains afterwards."""


class StartWorkers(Protocol):
    """Workers that are open, and train once they are given images."""

    def __call__(self, images: ImageData, start: StartWeights | None = None) -> Workers:
        """Workers with the images, and the weights that trainings start from, on their devices.

        Raises:
            MixerSearchError: there is no such device, or no worker could start.
        """


class Reporter(Protocol):
    """Whoever shows how a study goes."""

    def started(self, trial: TrialRecord) -> None:
        """A trial begins: compiling, then training."""

    def epoch(self, epoch: EpochRecord) -> None:
        """A running trial has trained an epoch more."""

    def ended(self, trial: TrialRecord) -> None:
        """A trial is complete, failed, pruned or was refused."""

    def note(self, sentence: str) -> None:
        """Something a person should know."""
