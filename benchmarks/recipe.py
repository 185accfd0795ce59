"""What does a change of the recipe gain? An ablation, paired by network and seed.

    python benchmarks/recipe.py --study mixer_cifar --data-dir DIR \\
      --change recipe.ema=0.999 --change "recipe.optimizer=muon recipe.ema=0.999"

Networks spread over the study's FLOPs, ViTs where only Mixers are searched, are trained at the
study's own epochs and data: by its recipe, and by that recipe with each change. Pairs start from
the same weights and see the same batches. A line of JSON a training is kept as soon as it is made:
repeating the command goes on where it was stopped, and further changes, seeds or networks only
train what is missing. Validation alone is read, never a test split.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.stats import t

from runs.record import Failure
from search import data as images
from search.data import ImageData
from search.data.loading import to_stderr
from search.protocol import Broken, Failed, Finished, TrialRequest
from search.spec.assignments import parse_assignments
from search.spec.recipe import Recipe
from search.spec.studies import StudyError, StudySpec, with_changes
from search.spec.study_file import find_study
from search.study.plan import plan
from search.train.compile_cache import use_compile_cache
from search.train.device_data import put
from search.train.devices import choose
from search.train.engine import Engine
from search.train.environment import find_environment
from search.train.xla_options import use_xla_options
from space.config import Config
from space.cost import cost
from space.errors import MixerSearchError
from space.families import label_of

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True, kw_only=True)
class Training:
    """A line of the results: one network trained once."""

    study: str
    data_digest: str
    label: str
    config: dict
    recipe: dict
    seed: int
    accuracy: float | None
    """On validation, after the last epoch; None where it diverged."""
    train_seconds: float | None
    """Its share of the time in which it and other seeds were trained."""
    device: str
    date: str
    revision: str | None
    versions: dict

    @property
    def key(self) -> str:
        """What the result follows from, but for versions."""
        recipe = Recipe.model_validate(self.recipe).model_dump()  # an older one had fewer fields
        facts = [self.data_digest, self.config, recipe, self.seed, self.device]
        return json.dumps(facts, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What a change gains, in accuracy."""

    change: str
    by_network: dict[str, float]
    """Mean over the seeds."""
    mean: float
    """Over the networks."""
    half_width: float
    """Of its 95 % interval; not a number with a single seed."""
    time_ratio: float
    """Seconds of training over those without the change."""
    diverged: int


def main(argv: Sequence[str] | None = None) -> int:
    """Trains what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", required=True, help="a built-in one, or a .toml file")
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="FIELDS",
        help="recipe.FIELD=VALUE, or several in quotes that are changed together; repeatable",
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--configs", type=int, default=3, help="networks a family; default: 3")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu or tpu")
    parser.add_argument(
        "--results", type=Path, help="default: benchmarks/results/recipe-STUDY.jsonl"
    )
    args = parser.parse_args(argv)
    if min(args.seeds, args.configs) < 1 or not args.change:
        parser.error("ask for a --change, and for at least one seed and one network")
    try:
        spec = find_study(args.study)
        recipes = {change: changed(spec, change) for change in args.change}
        data = images.load(
            spec.dataset,
            data_dir=args.data_dir,
            validation_fraction=spec.validation_fraction,
            split=spec.split or "stratified",
            train_limit=spec.train_limit,
            options=spec.data,
        )
        networks = chosen(spec, data, args.configs)
        use_xla_options()
        use_compile_cache(to_stderr)
        device = choose(args.device)
    except MixerSearchError as error:
        to_stderr(f"error: {error}")
        return 2
    path = args.results or RESULTS / f"recipe-{spec.name}.jsonl"
    ablation = Ablation(spec, data, path, device)
    try:
        ablation.train(networks, [spec.recipe, *recipes.values()], range(args.seeds))
    except KeyboardInterrupt:
        to_stderr(f"interrupted; what was trained is in {path}, repeat the command to go on")
    gains = [ablation.gain(name, recipe, networks) for name, recipe in recipes.items()]
    print(table([gain for gain in gains if gain]))
    return 0


def changed(spec: StudySpec, change: str) -> Recipe:
    """The study's recipe with a change.

    Raises:
        StudyError: no such field or value, or a field outside of the recipe.
    """
    assigned = parse_assignments(shlex.split(change), spec)
    others = [".".join(path) for path in assigned if path[0] != "recipe"]
    if others or not assigned:
        raise StudyError(
            f"--change {change!r}: {', '.join(others) or 'nothing'} is no field of the recipe; "
            "write it like recipe.ema=0.999"
        )
    return with_changes(spec, assigned).recipe


def chosen(spec: StudySpec, data: ImageData, count: int) -> list[Config]:
    """So many networks of every family, evenly spread over log FLOPs."""
    if len(spec.families) == 1:
        spec = with_changes(spec, baselines=count)
    planned = plan(spec, data.task)
    networks = []
    for space in planned.affordable.values():
        members = space.members(data.task)
        there = {cost(c).flops: c for c in members if cost(c).flops <= planned.flops_ceiling}
        aims = np.geomspace(min(there), max(there), count + 2)[1:-1]  # not the extremes
        for aim in aims[: len(there)]:
            flops = min(there, key=lambda flops: abs(math.log(flops / aim)))
            networks.append(there.pop(flops))
    return [*networks, *(planned.baselines if len(spec.families) == 1 else ())]


class Ablation:
    """Trainings of a study's images, kept in a file of JSON lines."""

    def __init__(self, spec: StudySpec, data: ImageData, path: Path, device) -> None:
        self._spec, self._data, self._path, self._device = spec, data, path, device
        self._environment = find_environment(device)
        self._done = {training.key: training for training in read(path)}

    def train(
        self, networks: Sequence[Config], recipes: Sequence[Recipe], seeds: Iterable[int]
    ) -> None:
        """Trains what is not in the file, all recipes of one network after the other."""
        with Engine(put(self._data, self._device), self._device) as engine:
            for number, config in enumerate(networks, start=1):
                for recipe in recipes:
                    missing = [s for s in seeds if self._key(config, recipe, s) not in self._done]
                    if missing:
                        self._train(engine, config, recipe, missing)
                to_stderr(f"[{number}/{len(networks)}] {label_of(config)}")

    def _train(self, engine: Engine, config: Config, recipe: Recipe, seeds: Sequence[int]) -> None:
        request = TrialRequest(
            numbers=tuple(range(len(seeds))), seeds=tuple(seeds), config=config, recipe=recipe
        )
        for event in engine.run(request):
            if isinstance(event, Broken):
                raise SystemExit(f"error: {label_of(config)}: {event.reason}")
            if isinstance(event, Failed):
                to_stderr(f"{label_of(config)}, seed {seeds[event.trial]}: {event.reason}")
            if isinstance(event, Failed) and event.failure is not Failure.DIVERGED:
                continue  # another machine may have the room
            if isinstance(event, Finished | Failed):
                accuracy = event.accuracy if isinstance(event, Finished) else None
                seconds = event.timing.train_seconds if event.timing else None
                self._keep(self._training(config, recipe, seeds[event.trial], accuracy, seconds))

    def _training(
        self,
        config: Config,
        recipe: Recipe,
        seed: int,
        accuracy: float | None = None,
        train_seconds: float | None = None,
    ) -> Training:
        return Training(
            study=self._spec.name,
            data_digest=self._data.digest,
            label=label_of(config),
            config=config.model_dump(mode="json"),
            recipe=recipe.model_dump(mode="json"),
            seed=seed,
            accuracy=accuracy,
            train_seconds=train_seconds,
            device=self._environment.device_kind,
            date=datetime.now(UTC).date().isoformat(),
            revision=self._environment.git_revision,
            versions=self._environment.versions,
        )

    def _key(self, config: Config, recipe: Recipe, seed: int) -> str:
        return self._training(config, recipe, seed).key

    def _keep(self, training: Training) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            if file.tell() and self._path.read_bytes()[-1:] != b"\n":
                file.write(b"\n")  # after a line that was cut short
            file.write(json.dumps(asdict(training)).encode() + b"\n")
        self._done[training.key] = training

    def gain(self, change: str, recipe: Recipe, networks: Sequence[Config]) -> Gain | None:
        """Of the networks of which there are pairs; None where there are none."""
        differences, seconds, diverged = {}, [], 0
        for config in networks:
            pairs = list(self._pairs(config, recipe))
            diverged += sum(new.accuracy is None for _, new in pairs)
            both = [(a, b) for a, b in pairs if a.accuracy is not None and b.accuracy is not None]
            if both:
                label = f"{label_of(config)} ({2e-6 * cost(config).macs:.2f} MFLOPs)"
                differences[label] = np.array([b.accuracy - a.accuracy for a, b in both])
                seconds += [(a.train_seconds, b.train_seconds) for a, b in both]
        if not differences:
            return None
        before, after = np.sum(seconds, axis=0)
        mean, half_width = mean_interval(list(differences.values()))
        return Gain(
            change=change,
            by_network={label: float(found.mean()) for label, found in differences.items()},
            mean=mean,
            half_width=half_width,
            time_ratio=float(after / before),
            diverged=diverged,
        )

    def _pairs(self, config: Config, recipe: Recipe) -> Iterator[tuple[Training, Training]]:
        """By the study's recipe and by the other one, a seed after the other."""
        for seed in sorted({training.seed for training in self._done.values()}):
            keys = [self._key(config, r, seed) for r in (self._spec.recipe, recipe)]
            if all(key in self._done for key in keys):
                yield self._done[keys[0]], self._done[keys[1]]


def read(path: Path) -> Iterator[Training]:
    """The trainings in a file; a line that was cut short is passed over."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            yield Training(**json.loads(line))
        except (ValueError, TypeError):
            to_stderr(f"{path}, line {number} is not whole and is passed over")


def mean_interval(differences: Sequence[np.ndarray]) -> tuple[float, float]:
    """The mean over networks of their mean over seeds, and half of its 95 % interval.

    The interval is of other seeds: these networks and images are given. Every network has a
    variance of its own; the degrees of freedom are Welch's (Biometrika 34, 1947).

    Args:
        differences: an array over the seeds for every network.
    """
    mean = float(np.mean([found.mean() for found in differences]))
    if min(map(len, differences)) < 2:
        return mean, math.nan
    parts = np.array([found.var(ddof=1) / len(found) for found in differences])
    total = parts.sum()
    if total == 0:
        return mean, 0.0
    freedom = total**2 / np.sum(parts**2 / [len(found) - 1 for found in differences])
    return mean, float(t.ppf(0.975, freedom) * math.sqrt(total) / len(differences))


def table(gains: Sequence[Gain]) -> str:
    """As Markdown, in points of accuracy."""
    labels = list(dict.fromkeys(label for gain in gains for label in gain.by_network))
    heads = ["change", "all (95 % interval)", *labels, "time", "diverged"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for gain in gains:
        low, high = gain.mean - gain.half_width, gain.mean + gain.half_width
        interval = "one seed" if math.isnan(low) else f"{100 * low:+.2f} to {100 * high:+.2f}"
        cells = [f"`{gain.change}`", f"{100 * gain.mean:+.2f} ({interval})"]
        cells += [
            f"{100 * gain.by_network[label]:+.2f}" if label in gain.by_network else ""
            for label in labels
        ]
        lines.append(f"| {' | '.join([*cells, f'x {gain.time_ratio:.2f}', str(gain.diverged)])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
