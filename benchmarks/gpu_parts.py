"""The parts of `gpu_report.py` that compute on the device, each in a process of its own.

    python benchmarks/gpu_parts.py PART TASK.json

TASK.json says on what and for how long. What is measured goes to the task's file, a JSON object a
line, as soon as it is known: the report has all lines that were written before a process ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from runs.record import EpochRecord
from search import data as images
from search.bench.command import LADDER
from search.bench.roofline import Ceilings, measure_ceilings
from search.bench.speed import RoomError, epoch_seconds, measure, random_data
from search.protocol import EpochDone, Failed, TrialRequest
from search.spec.recipe import Recipe
from search.train.device_data import put
from search.train.devices import choose, compute_dtype, memory_bytes
from search.train.program import compile_program
from search.train.trial import train
from search.train.xla_options import compiler_options, use_xla_options
from space.config import Config, ImageTask, MixerConfig, ViTConfig
from space.cost import cost
from space.errors import MixerSearchError
from space.families import label_of


class PartError(MixerSearchError):
    """A part that cannot measure what it is to measure."""


Lines = Iterator[dict[str, Any]]

_CIFAR = ImageTask(image_size=32, image_channels=3, num_classes=10)

WAYS: dict[str, dict[str, Any]] = {
    "as it is": compiler_options("gpu"),
    "Triton's products": {},
    "Triton's, none tried": {"xla_gpu_autotune_level": 0},
    "none tried": {**compiler_options("gpu"), "xla_gpu_autotune_level": 0},
    "less of LLVM": {**compiler_options("gpu"), "xla_llvm_disable_expensive_passes": True},
}
"""Ways to have XLA compile for a GPU, the one in use first. A CPU passes over them."""

BATCHES = (128, 1024, 4096)
"""Images a step, tried beside the report's own."""

SEEDS_AT_ONCE = (1, 2, 5, 10)
"""Trainings of one network in one program."""


def mixer(task: ImageTask, hidden_dim: int, num_blocks: int, patch_size: int = 4) -> MixerConfig:
    """Of the ratios the published ones have: D_S = C / 2, D_C = 4 C."""
    return MixerConfig(
        **task.model_dump(),
        patch_size=patch_size,
        hidden_dim=hidden_dim,
        num_blocks=num_blocks,
        tokens_mlp_dim=hidden_dim // 2,
        channels_mlp_dim=4 * hidden_dim,
    )


def vit(task: ImageTask, hidden_dim: int, num_blocks: int, patch_size: int = 4) -> ViTConfig:
    """As the ladder of baselines has them: heads of 32 channels, MLPs twice as wide."""
    return ViTConfig(
        **task.model_dump(),
        patch_size=patch_size,
        hidden_dim=hidden_dim,
        num_blocks=num_blocks,
        mlp_dim=2 * hidden_dim,
        num_heads=max(1, hidden_dim // 32),
        classifier="gap",
    )


def equal_vit(config: MixerConfig) -> ViTConfig:
    """The ViT of the same width and patch whose depth brings it nearest in MACs."""
    vits = [vit(config.task, config.hidden_dim, n, config.patch_size) for n in range(1, 33)]
    return min(vits, key=lambda v: abs(cost(v).macs - cost(config).macs))


def ceilings(task: dict[str, Any]) -> Lines:
    """The fastest matrix product and copy."""
    device = choose(task["device"])
    each = task["seconds"] / 20  # six sizes and the copy, and as long to make what they multiply
    yield asdict(measure_ceilings(device, compute_dtype(device), each))


def ladder(task: dict[str, Any]) -> Lines:
    """The networks of `search.bench`, that of 76 MMACs first."""
    first = mixer(_CIFAR, 128, 8)
    chosen = sorted(LADDER, key=lambda config: config != first)
    for config in chosen[: task["networks"]]:
        yield _speed(task, config)


def accuracy(task: dict[str, Any]) -> Lines:
    """A Mixer and a ViT of equal FLOPs, several seeds at once, for as many epochs as fit."""
    began = time.perf_counter()
    device = choose(task["device"])
    data = images.load(
        task["dataset"],
        data_dir=task["data_dir"] and Path(task["data_dir"]),
        train_limit=task["train_limit"],
    )
    on_device = put(data, device)
    recipe, seeds = Recipe.model_validate(task["recipe"]), tuple(range(task["seeds"]))
    wide = mixer(data.task, task["hidden_dim"], task["num_blocks"], task["patch_size"])
    programs = {
        config: compile_program(
            config, recipe, on_device, compute_dtype(device), num_seeds=len(seeds)
        )
        for config in (wide, equal_vit(wide))
    }

    def curves(config: Config, epochs: int) -> list[list[EpochRecord]]:
        """A curve a seed."""
        request = TrialRequest(
            numbers=seeds,
            seeds=seeds,
            config=config,
            recipe=recipe.model_copy(update={"epochs": epochs}),
        )
        found: dict[int, list[EpochRecord]] = {}
        for event in train(request, programs[config], on_device, device):
            if isinstance(event, Failed):
                raise PartError(f"{label_of(config)}: {event.reason}")
            for epoch in event.epochs if isinstance(event, EpochDone) else ():
                found.setdefault(epoch.trial, []).append(epoch)
        return list(found.values())

    each = [
        sum(last.elapsed_seconds - first.elapsed_seconds for first, last in curves(config, 2))
        for config in programs
    ]
    left = task["seconds"] - (time.perf_counter() - began)
    epochs = max(1, int(0.8 * left / sum(each)))
    for config, program in programs.items():
        found = curves(config, epochs)
        total_seconds = sum(curve[-1].elapsed_seconds for curve in found)
        yield {
            "network": label_of(config),
            "config": config.model_dump(),
            "macs": cost(config).macs,
            "params": cost(config).params,
            "epochs": epochs,
            "accuracies": [curve[-1].validation_accuracy for curve in found],
            "train_losses": [curve[-1].train_loss for curve in found],
            "epoch_seconds": total_seconds / epochs,
            "compile_seconds": program.compile_seconds,
        }


def tokens(task: dict[str, Any]) -> Lines:
    """Speed and memory of both families at one width, for growing numbers of tokens."""
    for patch_size in task["patch_sizes"]:
        for family in (mixer, vit):
            config = family(_CIFAR, task["hidden_dim"], task["num_blocks"], patch_size)
            tokens = (config.image_size // patch_size) ** 2
            yield {"family": family.__name__, "tokens": tokens} | _speed(task, config)


def variants(task: dict[str, Any]) -> Lines:
    """Other ways to compile, and other batch sizes, for a large and a small network.

    Every way has a batch size of its own, a little larger than the one before: XLA remembers which
    kernels were the fastest for a shape.
    """
    ways = [
        (name, options, task["batch_size"] + 8 * i)
        for i, (name, options) in enumerate(WAYS.items())
    ]
    ways += [(f"batch {batch}", WAYS["as it is"], batch) for batch in BATCHES]
    for name, options, batch_size in ways[: task["ways"]]:
        for config in _mixers(task):
            yield {"variant": name, "options": options} | _trained(
                task, config, batch_size, options=options
            )


def seeds(task: dict[str, Any]) -> Lines:
    """Several trainings of a network at once, as a confirmation has them."""
    for config in _mixers(task):
        for num_seeds in SEEDS_AT_ONCE:
            yield _trained(task, config, task["batch_size"], num_seeds=num_seeds)


def device(task: dict[str, Any]) -> Lines:
    """What JAX finds."""
    device = choose(task["device"])
    yield {
        "device_kind": device.device_kind,
        "platform": device.platform,
        "memory_bytes": memory_bytes(device),
        "dtype": jnp.dtype(compute_dtype(device)).name,
    }


PARTS = {
    part.__name__: part for part in (device, ceilings, ladder, accuracy, seeds, tokens, variants)
}


def _mixers(task: dict[str, Any]) -> list[MixerConfig]:
    """A large and a small network; in a rehearsal the first alone."""
    sizes = [(task["hidden_dim"], task["num_blocks"]), (64, 4)][: task["networks"]]
    return [mixer(_CIFAR, *size) for size in sizes]


def _trained(
    task: dict[str, Any],
    config: Config,
    batch_size: int,
    *,
    num_seeds: int = 1,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A network compiled once and trained for a while, on noise."""
    device, recipe = choose(task["device"]), Recipe(batch_size=batch_size)
    dtype = compute_dtype(device)
    steps = task["steps"]
    data = random_data(_CIFAR, steps * batch_size, device)
    program = compile_program(config, recipe, data, dtype, num_seeds=num_seeds, options=options)
    seconds = task["seconds_each"]
    spent = epoch_seconds(program, config, recipe, data, device, seconds, num_seeds=num_seeds)
    return {
        "name": label_of(config),
        "macs": cost(config).macs,
        "seeds": num_seeds,
        "batch_size": batch_size,
        "images_per_second": num_seeds * batch_size * steps / median(spent),
        "compile_seconds": program.compile_seconds,
        "device_bytes": program.device_bytes,
    }


def _ceilings_of(task: dict[str, Any]) -> Ceilings:
    """As the report measured them, or measured here where it did not."""
    found = task["ceilings"]
    return _limits(choose(task["device"])) if found is None else Ceilings(**found)


@cache
def _limits(device: jax.Device) -> Ceilings:
    """Of the device, measured here because that part of the report has none."""
    return measure_ceilings(device, compute_dtype(device), seconds=0.5)


def _speed(task: dict[str, Any], config: Config) -> dict[str, Any]:
    """As `search.bench.speed.measure`; a network without room is a line too."""
    device = choose(task["device"])
    try:
        found = measure(
            config, task["batch_size"], device, _ceilings_of(task), task["seconds_each"]
        )
    except RoomError as error:
        return {"name": label_of(config), "error": str(error)}
    return asdict(found) | {"batch_size": task["batch_size"]}


def main(part: str, text: str) -> int:
    """The exit code: 2 for what cannot be, with its sentence; a bug keeps its traceback."""
    task = json.loads(text if text.startswith("{") else Path(text).read_text())
    if task["device"] == "cpu":
        jax.config.update("jax_platforms", "cpu")
    use_xla_options()
    with Path(task["file"]).open("w") as file:
        try:
            for line in PARTS[part](task):
                print(json.dumps(line), file=file, flush=True)
        except MixerSearchError as error:
            print(error, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
