"""What a fine-tuning would train, worked out before any image is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runs.record import State
from search.data import find_task
from search.dry_run import all_trials, count_train_images
from search.spec.studies import StudySpec
from search.study.finetune import rate_studies
from search.study.finetuning_network import network_for
from search.study.plan import epoch_steps, plan
from space import presets
from space.config import Config
from space.cost import cost
from space.families import label_of
from space.quantities import counted, format_count


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a fine-tuning would train."""

    study: str
    dataset: str
    network: str
    rates: tuple[float, ...]
    trainings: int
    """Those that have not ended, of rates that are tried too."""
    epochs: int
    steps_per_training: int | None
    """None where the data set is not prepared."""
    training_flops: float | None

    @property
    def line(self) -> str:
        """For a person."""
        size = "an unknown number of steps: the data set is not prepared here"
        if self.steps_per_training is not None and self.training_flops is not None:
            size = (
                f"{self.steps_per_training:,} steps each, "
                f"{format_count(self.training_flops)}FLOPs in all"
            )
        return (
            f"{self.study}: {self.network} on {self.dataset}, "
            f"{counted(self.trainings, 'training')} of {counted(self.epochs, 'epoch')} at learning "
            f"rates out of {', '.join(f'{rate:g}' for rate in self.rates)}; {size}; nothing was "
            "written; leave --dry-run out to begin"
        )


def forecast(
    preset: presets.Preset,
    spec: StudySpec,
    rates: tuple[float, ...],
    storage: str | None,
    data_dir: Path | None,
) -> Forecast:
    """Works a fine-tuning out.

    Raises:
        MixerSearchError: what would refuse it, a data set that is not there too.
    """
    config = plan_early(preset, spec, data_dir)
    wanted = {(spec.name, seed) for seed in range(spec.seed, spec.seed + spec.seeds)}
    wanted |= {(child.name, child.seed) for child in rate_studies(spec, rates).values()}
    done = {(study, t.seed) for study, t in all_trials(storage) if t.state is not State.RUNNING}
    missing = len(wanted - done)
    num_train, steps, flops = count_train_images(spec, data_dir), None, None
    if num_train is not None:
        steps = spec.recipe.epochs * epoch_steps(spec, num_train)
        flops = 3.0 * cost(config).flops * missing * steps * spec.recipe.batch_size
    return Forecast(
        study=spec.name,
        dataset=spec.dataset,
        network=label_of(config),
        rates=rates,
        trainings=missing,
        epochs=spec.recipe.epochs,
        steps_per_training=steps,
        training_flops=flops,
    )


def plan_early(preset: presets.Preset, spec: StudySpec, data_dir: Path | None) -> Config:
    """The network that is fine-tuned, before any image is read."""
    assert spec.start_from is not None, "a fine-tuning starts from weights"
    task = find_task(spec.dataset, data_dir=data_dir, options=spec.data)
    config, _ = network_for(preset, task, spec.dataset, spec.start_from.tokens)
    plan(spec, task, given=(config,))
    return config
