"""The records that cross packages: what is known of a study, a trial, an epoch.

Frozen, and replaced as facts arrive (`dataclasses.replace`). No rows, sessions or Optuna trials
leave their own package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from space.costs import FLOPS, Cost, CostError, find_cost
from space.families import DEFAULT_FAMILIES, AnyConfig, family_of, label_of


class State(StrEnum):
    """Where a trial stands."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"  # stopped early on purpose
    FAILED = "failed"  # a known failure: see `Failure`
    REFUSED = "refused"  # never started: over the budget, or tried before


class Failure(StrEnum):
    """Why a trial failed."""

    DIVERGED = "diverged"  # its loss was not finite: the configuration's own fault
    TIMEOUT = "timeout"  # it took longer than --trial-timeout
    LOST_WORKER = "lost_worker"  # the worker that trained it died, twice
    OUT_OF_MEMORY = "out_of_memory"
    DOES_NOT_FIT = "does_not_fit"  # by estimate: it was not even compiled


class Origin(StrEnum):
    """Where a trial's configuration comes from."""

    SEARCH = "search"  # the sampler
    BASELINE = "baseline"  # it was given
    CONFIRMATION = "confirmation"  # a trial of the same study, trained again with a fresh seed
    FINETUNE = "finetune"  # as given, its weights those of another training


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """A search with one space a family, and one recipe, data set and goal."""

    name: str
    spec: dict[str, Any]
    """The full specification, as `StudySpec.model_dump(mode="json")` gives it, with the notes
    `dataset_version` and `decoder` on what was read, where the data set has versions,
    `num_validation`, on how many images accuracies are counted, `cost_ceiling` where the study
    minimises another cost than FLOPs, `rate_studies` where other studies found its learning rates
    (each has `rate_of`, its name), `first_name` where it was renamed, and `asked`: how many trials
    it was to have, and how it was to end, when it was last started."""
    num_classes: int
    """K: guessing is right once in K times, the accuracy of the reference point."""
    data_digest: str
    """Of the images trained and validated on: results on other images do not belong here."""
    flops_ceiling: int
    """No configuration that the study tries has more; of a study that minimises FLOPs it is the
    reference point's."""
    created_at: datetime

    @property
    def first_name(self) -> str:
        """The name under which it began: its checkpoints have it, however often it is renamed."""
        return str(self.spec.get("first_name", self.name))

    @property
    def guess_accuracy(self) -> float:
        """Accuracy of guessing, 1/K: the lower left of the hypervolume."""
        return 1.0 / self.num_classes

    @property
    def families(self) -> tuple[str, ...]:
        """The families it searches."""
        return tuple(self.spec.get("families", DEFAULT_FAMILIES))

    @property
    def cost(self) -> Cost:
        """What it minimises; by its name alone where the package that defines it is not here."""
        name = str(self.spec.get("cost", FLOPS.name))
        try:
            return find_cost(name)
        except CostError:
            return Cost(name=name, label=name, unit=name, title=name, of=None)

    @property
    def cost_ceiling(self) -> float:
        """Cost of the reference point: the most expensive configuration the study may try."""
        return float(self.spec.get("cost_ceiling", self.flops_ceiling))

    @property
    def rates_of(self) -> str | None:
        """The study whose learning rates this one was to find, by short trainings; most find
        none."""
        name: str | None = self.spec.get("rate_of")
        return name

    @property
    def fine_tunes(self) -> str | None:
        """The preset whose weights its trainings start from; None of a search."""
        start: dict[str, Any] | None = self.spec.get("start_from")
        return None if start is None else str(start["preset"])

    def recipe_of(self, family: str) -> dict[str, Any] | None:
        """The recipe its networks of a family are trained by, at the family's learning rate; None
        where its specification has none."""
        recipe: dict[str, Any] | None = self.spec.get("recipe")
        rate = self.spec.get("learning_rates", {}).get(family)
        return recipe if recipe is None or rate is None else recipe | {"learning_rate": rate}

    @property
    def min_accuracy(self) -> float:
        """Less accurate trials count as useless, however cheap; 0 where the study asks for none."""
        asked: float | None = self.spec.get("min_accuracy")
        return asked or 0.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Where a trial's time went, in seconds of wall clock.

    Seeds that train together share seconds out evenly, so that sums over trials are true.
    """

    compile_seconds: float
    """Of XLA, or of reading what it made before from the cache; much of it may have passed while
    the trial before was training."""
    train_seconds: float
    eval_seconds: float
    images_per_second: float
    """Training images seen in a second of `train_seconds`."""
    trace_seconds: float | None = None
    """From Python to what XLA compiles; None in records from before it was measured apart."""
    cache_hit: bool | None = None
    """Whether the compiled program came from the cache on disk."""
    device_bytes: int | None = None
    """Memory the program needs on the device at its peak, the data set included."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a trial ran on."""

    device_kind: str
    versions: dict[str, str]
    """Library name to version."""
    git_revision: str | None
    """Of the working tree the code came from; `-dirty` where it differs; None outside git."""


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One configuration evaluated once in a study."""

    number: int
    """Position in the study, from 0; refused trials have one too."""
    state: State
    origin: Origin
    config: AnyConfig
    params: int
    macs: int
    seed: int
    epochs: int
    """How many epochs were asked for."""
    parent: int | None = None
    """Number of the trial of the same study that it repeats, or goes on from."""
    rung: int | None = None
    """The epoch after which it was stopped early; of a complete trial, after which it would have
    been, had it not been exempt, to see whether stopping is right."""
    accuracy: float | None = None
    """Top-1 on the validation split after the last epoch it trained, in [0, 1]."""
    loss: float | None = None
    """Cross-entropy on the validation split after that epoch, in nats."""
    timing: Timing | None = None
    wall_seconds: float | None = None
    """Its share of the study's wall clock: what passed since its worker's trial before ended,
    shared out among the workers. Over all trials the shares add up to the wall clock."""
    num_workers: int = 1
    """How many trials could be trained side by side."""
    environment: Annotated[Environment | None, Field(alias="surroundings")] = None
    """Spools have it under the name it had when their format was made."""
    error: str | None = None
    """Why it failed, was pruned or refused, in words."""
    failure: Failure | None = None
    """Why it failed; None where an older version recorded no more than words."""
    timeout_seconds: float | None = None
    """The time limit it ran into; None where an older version did not record it."""
    sampler_attrs: dict[str, Any] = field(default_factory=dict)
    """What Optuna's sampler wrote on the trial; NSGA-II keeps its generation there."""
    costs: dict[str, float] = field(default_factory=dict)
    """What it costs by name, besides its counts: of a study that minimises another cost."""
    started_at: datetime
    finished_at: datetime | None = None

    @property
    def family(self) -> str:
        """The kind of network, such as `mixer`."""
        return self.config.family

    @property
    def in_search(self) -> bool:
        """Whether it is part of the search; one that confirms or goes on from a trial is not."""
        return self.origin in {Origin.SEARCH, Origin.BASELINE}

    @property
    def flops(self) -> int:
        """2 x MACs, one image, forward."""
        return 2 * self.macs

    def cost(self, cost: Cost) -> float | None:
        """What it costs; None where that was neither measured nor can be worked out here."""
        match cost.name:
            case "flops":
                return self.flops
            case "macs":
                return self.macs
            case "params":
                return self.params
            case "images_per_second":
                return self.timing.images_per_second if self.timing else None
            case name if name in self.costs:
                return self.costs[name]
        return cost(self.config) if cost.of else None

    @property
    def may_be_tried_again(self) -> bool:
        """Whether it failed, and nothing says that its configuration is at fault."""
        return self.state is State.FAILED and self.failure is not Failure.DIVERGED

    @property
    def train_flop_per_second(self) -> float | None:
        """Training speed reached: 3 x FLOPs x images a second."""
        return 3 * self.flops * self.timing.images_per_second if self.timing else None

    @property
    def training_flops(self) -> float | None:
        """Spent on training it: 3 x FLOPs x images seen; None where it was not timed."""
        speed = self.train_flop_per_second
        return speed * self.timing.train_seconds if self.timing and speed is not None else None

    @property
    def label(self) -> str:
        """A short name for tables and plots, such as `Mixer p4 C128 L8 T64 D512`."""
        return label_of(self.config)

    @property
    def short_label(self) -> str:
        """The label without its family, where that is said."""
        return family_of(self.config).describe(self.config)


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One pass over the training images, and the validation after it."""

    trial: int
    """The trial's number in its study."""
    epoch: int
    """From 1."""
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    """At the last step of the epoch."""
    elapsed_seconds: float
    """Since the trial's first step, compilation not counted; shared out among seeds that train
    together."""


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """Weights of a trial that are kept in a file: see `runs.weights_folder`."""

    trial: int
    """The trial's number in its study."""
    digest: str
    """SHA-256 of the file, in hexadecimal, which names it."""
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class ImageResults:
    """Which images of a split one training predicts right, packed as they are stored."""

    __pydantic_config__ = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")  # in spools

    trial: int
    """The trial's number in its study."""
    split: str
    """`validation` or `test`."""
    num_images: int
    right: bytes
    """One bit an image in the order of the split, as `numpy.packbits` packs them."""
    classes: bytes | None = None
    """The predicted class of every image, little-endian uint16; None where it was not kept."""


@dataclass(frozen=True, kw_only=True)
class ConfirmationRecord:
    """What a confirmation of a study is to train, as it was fixed before its first training."""

    number: int
    """Position among the study's confirmations, from 0."""
    began_at: datetime
    plan: dict[str, Any]
    """JSON: the candidates, who was left out, settings and the first seed."""


@dataclass(frozen=True, kw_only=True)
class TestReading:
    """A test split was opened to report results."""

    test_digest: str
    """SHA-256 of the images and labels of the split, in hexadecimal."""
    study: str | None
    """For which it was read; None where that is not in the database, as of a network that came
    from elsewhere."""
    trial: int | None
    """Its number; None where trials of the whole study were tested, or there is no study."""
    read_at: datetime
    purpose: str
    command: str
    """As it was typed."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a person wrote down on a study, or on one of its trials."""

    text: str
    written_at: datetime
    trial: int | None = None
    """Its number; None where the note is on the whole study."""


@dataclass(frozen=True, kw_only=True)
class KeptResults:
    """What is kept of a study besides its trials and their curves."""

    weights: tuple[WeightsRecord, ...] = ()
    image_results: tuple[ImageResults, ...] = ()
    confirmations: tuple[ConfirmationRecord, ...] = ()
    readings: tuple[TestReading, ...] = ()
    """Of test splits, the oldest first."""
    notes: tuple[Note, ...] = ()
    """The oldest first."""
