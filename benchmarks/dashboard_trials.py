"""The same made-up trials for two dashboards: as a study of ours, and as one of Optuna's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import optuna

from runs.record import EpochRecord, Origin, State, StudyRecord, Timing, TrialRecord
from runs.writer import open_writer
from space.config import MixerConfig
from space.cost import cost

NAME = "side_by_side"
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
EPOCHS = 4
_AT_ONCE = 2_000
PATCHES = (2, 4, 8)
RANGES = {
    "hidden_dim": (32, 256),
    "tokens_mlp_dim": (16, 128),
    "channels_mlp_dim": (64, 768),
    "num_blocks": (2, 12),
}


def made_up(trials: int, seed: int = 0) -> Iterator[TrialRecord]:
    """Finished Mixers; the more FLOPs the more accurate, give or take."""
    draw = random.Random(seed)
    seen: dict[MixerConfig, None] = {}
    while len(seen) < trials:
        config = MixerConfig(
            image_size=32,
            image_channels=3,
            num_classes=10,
            patch_size=draw.choice(PATCHES),
            **{name: draw.randint(*ends) for name, ends in RANGES.items()},
        )
        if config in seen:
            continue
        number = len(seen)
        seen[config] = None
        bill = cost(config)
        accuracy = min(0.99, 0.1 * len(str(bill.macs)) * (1 - draw.expovariate(12)))
        began = START + timedelta(seconds=20 * number)
        yield TrialRecord(
            number=number,
            state=State.COMPLETE,
            origin=Origin.SEARCH,
            config=config,
            params=bill.params,
            macs=bill.macs,
            seed=0,
            epochs=EPOCHS,
            accuracy=max(0.1, accuracy),
            loss=2.3 * (1 - accuracy),
            timing=Timing(
                compile_seconds=1.0, train_seconds=16.0, eval_seconds=1.0, images_per_second=9_000
            ),
            wall_seconds=18.0,
            started_at=began,
            finished_at=began + timedelta(seconds=18),
        )


def write_ours(storage: str, trials: int) -> None:
    """A study of ours, with a curve of `EPOCHS` epochs a trial."""
    with open_writer(storage) as store:
        store.add_study(
            StudyRecord(
                name=NAME,
                spec={"dataset": "cifar10", "num_validation": 5_000},
                num_classes=10,
                data_digest="none",
                flops_ceiling=2_000_000_000,
                created_at=START,
            )
        )
        records = made_up(trials)
        while some := list(islice(records, _AT_ONCE)):
            store.add_trials(NAME, some)
            store.add_epochs(NAME, [epoch for trial in some for epoch in _curve(trial)])


def _curve(trial: TrialRecord) -> Iterator[EpochRecord]:
    for epoch in range(1, EPOCHS + 1):
        accuracy = (trial.accuracy or 0.0) * epoch / EPOCHS
        yield EpochRecord(
            trial=trial.number,
            epoch=epoch,
            train_loss=2.3 * (1 - accuracy),
            train_accuracy=accuracy,
            validation_loss=2.3 * (1 - accuracy),
            validation_accuracy=accuracy,
            learning_rate=1e-3 * (1 - epoch / (EPOCHS + 1)),
            elapsed_seconds=4.0 * epoch,
        )


def write_theirs(storage: str, trials: int) -> None:
    """A plain study of Optuna, two objectives, as Optuna itself writes it."""
    ranges: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.IntDistribution(*ends) for name, ends in RANGES.items()
    }
    ranges["patch_size"] = optuna.distributions.CategoricalDistribution(PATCHES)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=NAME, storage=storage, directions=["maximize", "minimize"]
    )
    study.set_metric_names(["accuracy", "flops"])
    study.add_trials(
        optuna.create_trial(
            params={name: getattr(trial.config, name) for name in ranges},
            distributions=ranges,
            values=[trial.accuracy, trial.flops],
        )
        for trial in made_up(trials)
    )
