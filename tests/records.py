"""Plausible configurations and records, small ones: what a test changes is what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sample_study import START, study_record

from runs.record import (
    Environment,
    EpochRecord,
    Origin,
    State,
    StudyRecord,
    Timing,
    TrialRecord,
)
from space.config import ImageTask, MixerConfig, ViTConfig
from space.cost import cost
from space.search_space import SearchSpace

DIGITS = ImageTask(image_size=8, image_channels=1, num_classes=10)
CIFAR = ImageTask(image_size=32, image_channels=3, num_classes=10)
IMAGENET = ImageTask(image_size=224, image_channels=3, num_classes=1000)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def mixers(**ranges: tuple[int, ...]) -> SearchSpace:
    """A space of Mixers."""
    return SearchSpace("mixer", ranges)


WIDE_SPACE = mixers(
    patch_size=(1, 2, 4),
    hidden_dim=(8, 16, 32, 64),
    tokens_mlp_dim=(8, 16, 32),
    channels_mlp_dim=(16, 32, 64),
    num_blocks=(1, 2, 3),
)
"""Of 324 Mixers for digits: enough for a sampler to learn something."""

WIDE_VITS = SearchSpace(
    "vit",
    {
        "patch_size": (1, 2, 4),
        "hidden_dim": (8, 12, 16, 24, 32),
        "num_blocks": (1, 2, 3),
        "mlp_dim": (16, 32, 64),
        "num_heads": (1, 2, 3, 4),
    },
)
"""Of 459 ViTs for digits: of 540 combinations, those whose heads divide the channels."""


def mixer(task: ImageTask = DIGITS, **changes: Any) -> MixerConfig:
    fields = {
        "patch_size": 2,
        "hidden_dim": 12,
        "num_blocks": 2,
        "tokens_mlp_dim": 8,
        "channels_mlp_dim": 20,
    }
    return MixerConfig.model_validate(task.model_dump() | fields | changes)


def vit(task: ImageTask = DIGITS, **changes: Any) -> ViTConfig:
    fields = {"patch_size": 2, "hidden_dim": 12, "num_blocks": 2, "mlp_dim": 20, "num_heads": 3}
    return ViTConfig.model_validate(task.model_dump() | fields | changes)


def study(name: str = "digits", **changes: Any) -> StudyRecord:
    return replace(study_record(name), **changes)


def trial(number: int = 0, **changes: Any) -> TrialRecord:
    """A finished Mixer with every field filled; another number has another configuration."""
    config = changes.pop("config", None) or mixer(hidden_dim=8 + number)
    bill = cost(config)
    began = START + timedelta(seconds=20 * number, microseconds=123_456)
    record = TrialRecord(
        number=number,
        state=State.COMPLETE,
        origin=Origin.SEARCH,
        config=config,
        params=bill.params,
        macs=bill.macs,
        seed=3,
        epochs=12,
        accuracy=0.1 + 0.7 / 3,
        loss=1 / 3,
        timing=Timing(
            compile_seconds=1.5,
            train_seconds=10 / 3,
            eval_seconds=0.25,
            images_per_second=12_345.678,
            trace_seconds=0.1 + 0.2,
            cache_hit=False,
            device_bytes=2**31 + 7,
        ),
        wall_seconds=18 / 7,
        environment=Environment(
            device_kind="NVIDIA H200",
            versions={"jax": "0.10.2", "flax": "0.12.8"},
            git_revision="5f2c1ab-dirty",
        ),
        error="no error, but 'quotes', \"more\", ü, 語 and\na second line",
        sampler_attrs={"NSGAIISampler:generation": 4, "parents": [1, 2], "x": None},
        started_at=began,
        finished_at=began + timedelta(seconds=18.000001),
    )
    return replace(record, **changes)


def running(number: int = 0, **changes: Any) -> TrialRecord:
    """As `trial`, of which nothing is known but that it began, and what its state implies."""
    unknown = ("accuracy", "loss", "timing", "wall_seconds", "error", "finished_at")
    state = changes.get("state", State.RUNNING)
    known: dict[str, Any] = {}
    if state is not State.RUNNING:
        known = {"error": "for some reason", "finished_at": NOON}
    if state is State.PRUNED:
        known |= {"accuracy": 0.5, "loss": 1.5, "rung": 2}
    return replace(trial(number), **{"state": state, **dict.fromkeys(unknown), **known, **changes})


def seeds(number: int, *accuracies: float, **changes: Any) -> list[TrialRecord]:
    """The finished trials of one configuration, numbered from `number`, seeds from 0."""
    config = changes.pop("config", None) or mixer(hidden_dim=8 + number)
    return [
        trial(number + seed, config=config, seed=seed, accuracy=accuracy, **changes)
        for seed, accuracy in enumerate(accuracies)
    ]


def epoch(number: int = 1, trial: int = 0, **changes: Any) -> EpochRecord:
    record = EpochRecord(
        trial=trial,
        epoch=number,
        train_loss=2.0 / number,
        train_accuracy=1 - 0.9 / number,
        validation_loss=2.1 / number,
        validation_accuracy=1 - 0.91 / number,
        learning_rate=1e-3 / 3,
        elapsed_seconds=1.1 * number,
    )
    return replace(record, **changes)


def at(flops: int, accuracy: float, number: int = 0, **changes: Any) -> TrialRecord:
    """A finished trial at a place in the plane of the objectives; `flops` is even."""
    return trial(number, macs=flops // 2, accuracy=accuracy, **changes)
