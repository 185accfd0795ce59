"""A study as a search would have written it, made up from a formula instead of training."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from runs.record import (
    Environment,
    EpochRecord,
    Origin,
    State,
    StudyRecord,
    Timing,
    TrialRecord,
)
from runs.writer import Writer, open_writer
from space.config import Config, MixerConfig, ViTConfig
from space.cost import cost

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
EPOCHS = 4
SEEDS = range(25, 28)
"""The numbers of the trials that are one configuration, from a study of 28 trials on."""

HOSTILE = "<script>alert('x')</script> <b>bold</b> **stars** ![i](http://example.com/i.png) $a$"
ENDS = {
    State.FAILED: f"the loss was not finite at epoch 2; {HOSTILE}",
    State.PRUNED: "stopped after epoch 2 of 3: 21.0 % where a trial of no more FLOPs had 35.0 %",
    State.REFUSED: "9,999,999,999 FLOPs are more than max_flops=800,000,000; not started",
}


def write_study(
    storage: str, name: str = "sample", *, trials: int = 40, complete: bool = True, seed: int = 0
) -> None:
    """Writes one study: four ViT baselines, then Mixers in every state, the last one running.

    The trials of `SEEDS` are three seeds of one Mixer.

    Args:
        storage: a database URL; created where it is not there.
        name: of the study.
        trials: how many there are, baselines included; at least one a state from 12 on.
        complete: False for a study that has refused and running trials only.
        seed: another seed, another study.
    """
    draw = random.Random(seed)
    with open_writer(storage) as store:
        study = study_record(name)
        store.add_study(replace(study, spec=study.spec | {"num_validation": 5_000}))
        for number in range(trials):
            trial = planned(draw, number)
            if number == SEEDS[0]:
                first = trial
            if number in SEEDS:
                seed_of = number - SEEDS[0]
                trial = replace(
                    trial, config=first.config, params=first.params, macs=first.macs, seed=seed_of
                )
            state = State.RUNNING if number == trials - 1 else _state(number)
            if not complete and state is not State.REFUSED:
                state = State.RUNNING
            add_trial(store, name, trial, state, draw)


def study_record(name: str) -> StudyRecord:
    return StudyRecord(
        name=name,
        spec={"dataset": "cifar10", "recipe": {"batch_size": 128}},
        num_classes=10,
        data_digest="0" * 64,
        flops_ceiling=800_000_000,
        created_at=START,
    )


def planned(draw: random.Random, number: int) -> TrialRecord:
    """A trial as it is before it starts: a ViT of growing size four times, then any Mixer."""
    config = vit(number) if number < 4 else mixer(draw)
    bill = cost(config)
    return TrialRecord(
        number=number,
        state=State.RUNNING,
        origin=Origin.BASELINE if number < 4 else Origin.SEARCH,
        config=config,
        params=bill.params,
        macs=bill.macs,
        seed=number,
        epochs=EPOCHS,
        started_at=START + timedelta(seconds=20 * number),
    )


def add_trial(
    store: Writer, study: str, trial: TrialRecord, state: State, draw: random.Random
) -> TrialRecord:
    """Writes a trial with what is known of it in that state, and its learning curve."""
    if state is not State.REFUSED:
        trial = replace(
            trial,
            environment=Environment(
                device_kind="NVIDIA H200",
                versions={"jax": "0.10.2", "flax": "0.12.8"},
                git_revision="5f2c1ab-dirty",
            ),
        )
    best = _accuracy(trial)
    epochs = [_epoch(epoch, best) for epoch in range(1, EPOCHS + 1)]
    epochs = epochs[: {State.COMPLETE: EPOCHS, State.REFUSED: 0}.get(state, 2)]
    if state is not State.RUNNING:
        trial = replace(
            trial,
            state=state,
            error=ENDS.get(state),
            finished_at=trial.started_at + timedelta(seconds=0 if not epochs else 18),
        )
    if state in {State.COMPLETE, State.FAILED, State.PRUNED}:
        timing = _timing(trial, len(epochs), draw)
        spent = timing.train_seconds + timing.eval_seconds
        trial = replace(trial, timing=timing, wall_seconds=spent + draw.uniform(0.3, 1.5))
    if state in {State.COMPLETE, State.PRUNED}:
        trial = replace(
            trial,
            rung=len(epochs) if state is State.PRUNED else None,
            accuracy=epochs[-1].validation_accuracy,
            loss=epochs[-1].validation_loss,
        )
    trial = store.add_trial(study, trial)
    for epoch in epochs:
        store.add_epoch(study, replace(epoch, trial=trial.number))
    return trial


def mixer(draw: random.Random) -> MixerConfig:
    return MixerConfig(
        image_size=32,
        image_channels=3,
        num_classes=10,
        patch_size=draw.choice([2, 4, 8]),
        hidden_dim=draw.randrange(32, 257, 8),
        num_blocks=draw.randint(2, 12),
        tokens_mlp_dim=draw.randrange(16, 129, 8),
        channels_mlp_dim=draw.randrange(64, 769, 32),
    )


def vit(size: int) -> Config:
    hidden_dim = 48 * (size + 1)
    return ViTConfig(
        image_size=32,
        image_channels=3,
        num_classes=10,
        patch_size=4,
        hidden_dim=hidden_dim,
        num_blocks=4 + size,
        mlp_dim=2 * hidden_dim,
        num_heads=4,
    )


def _state(number: int) -> State:
    """The baselines and most Mixers finish; from trial 4 on every eighth ends another way."""
    others = {4: State.FAILED, 6: State.PRUNED, 8: State.REFUSED}
    return others.get(number % 24 if number > 10 else number, State.COMPLETE)


def _timing(trial: TrialRecord, epochs: int, draw: random.Random) -> Timing:
    """A small network keeps the device less busy; one program in four is in the cache."""
    cache_hit = trial.number not in SEEDS and trial.number % 4 == 3
    images_per_second = 7e12 / (3 * trial.flops + 3e8) * draw.uniform(0.85, 1.1)
    return Timing(
        compile_seconds=0.08 if cache_hit else 1.5 + 0.3 * trial.config.num_blocks,
        train_seconds=epochs * 45_000 / images_per_second,
        eval_seconds=epochs * 5_000 / images_per_second / 3,
        images_per_second=images_per_second,
        trace_seconds=0.12 * trial.config.num_blocks,
        cache_hit=cache_hit,
        device_bytes=200_000_000 + 16 * trial.params + 40 * trial.macs,
    )


def _accuracy(trial: TrialRecord) -> float:
    """Rises with the decades of FLOPs and flattens; a ViT here is 3 points behind a good Mixer.

    How far a Mixer is behind is a property of its configuration; a seed adds a point of luck.
    """
    decades = math.log10(trial.flops) - 5.5
    luck = random.Random(f"{trial.label} {trial.seed}").gauss(0.0, 0.01)
    behind = luck + random.Random(trial.label).gammavariate(2.0, 0.03)
    if trial.config.family == "vit":
        behind = 0.03
    return max(0.12, 0.94 - 0.75 * math.exp(-0.75 * decades) - behind)


def _epoch(epoch: int, best: float) -> EpochRecord:
    accuracy = best * (1 - math.exp(-1.2 * epoch)) / (1 - math.exp(-1.2 * EPOCHS))
    return EpochRecord(
        trial=0,
        epoch=epoch,
        train_loss=2.3 * (1 - accuracy) ** 1.2,
        train_accuracy=accuracy * 0.98,
        validation_loss=2.4 * (1 - accuracy),
        validation_accuracy=accuracy,
        learning_rate=1e-3 * 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS)),
        elapsed_seconds=4.0 * epoch,
    )
