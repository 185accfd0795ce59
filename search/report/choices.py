"""Networks to choose from, in one table: presets, and the fronts of studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pydantic
from rich.table import Table
from rich.text import Text

from runs.confirmation.intervals import Interval
from runs.confirmed import find_confirmed
from runs.noise import longer_arm, noise_of
from runs.reader import Reader
from runs.record import TrialRecord
from runs.seeds import behind, over_seeds
from runs.winners import candidates, front
from search.report.noise_lines import accuracy_text
from space.command import visible
from space.config import Config
from space.families import family_of, label_of
from space.presets import Preset
from space.quantities import format_count


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A network, and what is known of it."""

    name: str
    """Of a preset, or of a study and a trial of it: `mixer_cifar trial=17`."""
    config: Config
    params: int
    flops: int
    """2 x MACs, one image, forward."""
    has_weights: bool
    accuracy: float | None = None
    """Top-1 in [0, 1], the mean where there are several seeds."""
    interval: Interval | None = None
    """Of the accuracy, where it is known."""
    split: str | None = None
    """On which it was counted."""
    latency_ms: float | None = None
    """Median of a call with one image, where it was measured."""

    @property
    def facts(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.name,
            "family": self.config.family,
            "label": label_of(self.config),
            "config": self.config.model_dump(mode="json"),
            "params": self.params,
            "flops": self.flops,
            "weights": self.has_weights,
            "accuracy": self.accuracy,
            "low": None if self.interval is None else self.interval.low,
            "high": None if self.interval is None else self.interval.high,
            "accuracy_split": self.split,
            "latency_ms": self.latency_ms,
        }


class _Figures(pydantic.BaseModel):
    """Of an accuracy."""

    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    accuracy_split: str | None = None


class _Latency(pydantic.BaseModel):
    """Of calls with one number of images."""

    batch: int
    median_ms: float | None


class _Source(_Figures):
    """What the source of a winner says of it."""

    confirmed: _Figures | None = None
    latency: list[_Latency] = []


def choice_of(preset: Preset) -> Choice:
    """A preset; its source may be anybody's, and say nothing that is known here."""
    try:
        source = _Source.model_validate(preset.source | preset.source.get("interval", {}))
    except (pydantic.ValidationError, TypeError):
        source = _Source()
    figures = source.confirmed or source
    interval = None
    if figures.accuracy is not None and figures.low is not None and figures.high is not None:
        interval = Interval(value=figures.accuracy, low=figures.low, high=figures.high)
    medians = [one.median_ms for one in source.latency if one.batch == 1 and one.median_ms]
    return Choice(
        name=preset.name,
        config=preset.config,
        params=preset.num_params,
        flops=2 * preset.macs,
        has_weights=preset.trained is not None,
        accuracy=figures.accuracy,
        interval=interval,
        split=None if figures.accuracy is None else figures.accuracy_split,
        latency_ms=min(medians, default=None),
    )


def choices_of(store: Reader, study: str) -> Iterator[Choice]:
    """The front of a study, cheapest first; of a confirmed one all that is not off it.

    Of one that searched nothing, that of the configurations it was given.

    Raises:
        UnknownStudyError: there is no such study.
    """
    reading, weights = store.read(study), store.weights(study)
    if confirmed := find_confirmed(store, study):
        for mean in confirmed.means():
            _, seeds, facts = confirmed.behind(mean)
            interval = Interval(value=facts["accuracy"], low=facts["low"], high=facts["high"])
            choice = _of_trial(study, mean, [mean, *seeds], weights, interval)
            yield replace(choice, split=facts["accuracy_split"])
        return
    record, noise = reading.study, noise_of(reading.study, reading.trials)
    found = candidates(reading.trials) or over_seeds(reading.trials)
    for trial in front(found, record.min_accuracy, record.cost):
        seeds = behind(reading.trials, trial)
        yield _of_trial(study, trial, seeds, weights, noise.interval(trial))


def choices_table(choices: Sequence[Choice]) -> Table:
    """A row each, cheapest first; accuracies are on validation where they do not say test."""
    table = Table(box=None, padding=(0, 1, 0, 0))  # in a terminal of 80 characters
    table.add_column("name", overflow="fold")
    table.add_column("family", no_wrap=True)
    for column in ("px", "FLOPs", "params"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("weights", no_wrap=True)
    table.add_column("accuracy", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    for one in cheapest_first(choices):
        accuracy = accuracy_text(one.accuracy, longer_arm(one.interval))
        table.add_row(
            Text(visible(one.name)),
            family_of(one.config).label,
            str(one.config.image_size),
            format_count(one.flops),
            format_count(one.params),
            "yes" if one.has_weights else "no",
            f"{accuracy} test" if one.split == "test" else accuracy,
            "-" if one.latency_ms is None else f"{one.latency_ms:.3g}",
        )
    return table


def cheapest_first(choices: Sequence[Choice]) -> list[Choice]:
    """By FLOPs, then by name."""
    return sorted(choices, key=lambda one: (one.flops, one.name))


def _of_trial(
    study: str,
    trial: TrialRecord,
    seeds: Sequence[TrialRecord],
    weights: Mapping[int, Any],
    interval: Interval | None,
) -> Choice:
    latencies = [value for name, value in trial.costs.items() if name.startswith("latency")]
    return Choice(
        name=f"{study} trial={trial.number}",
        config=trial.config,
        params=trial.params,
        flops=trial.flops,
        has_weights=any(one.number in weights for one in seeds),
        accuracy=interval.value if interval else trial.accuracy,
        interval=interval,
        split="validation",
        latency_ms=min(latencies, default=None),
    )
