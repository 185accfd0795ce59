"""Trains 20 Mixers and 20 ViTs with 40 seeds each, and keeps which images each got right.

    python benchmarks/make_confirmation_table.py               # two cores: about an hour

The truth against which statistics over seeds are tested: 40 seeds stand for "all seeds", draws of a
few of them for a confirmation. Every configuration is trained on the digits by the recipe of
`mixer_digits`, with more epochs so that ViTs learn something too. Repeating the command goes on
where it was stopped. The table and its card go to `benchmarks/tables/`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import product
from operator import itemgetter
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from learning_curves import TABLES

from search import data as images
from search.spec.recipe import Recipe, steps_per_epoch
from search.spec.studies import STUDIES
from search.train.compile_cache import use_compile_cache
from search.train.device_data import DeviceData, put
from search.train.devices import choose
from search.train.environment import find_environment
from search.train.epoch import initial_state, shuffle
from search.train.optimizer import hyper_of
from search.train.program import compile_program
from search.train.xla_options import use_xla_options
from space.build import build
from space.config import Config, ImageTask, ViTConfig
from space.cost import cost
from space.families import label_of
from space.mixer_family import MixerRanges
from space.ranges import fitting_patches
from space.search_space import fitted

KEY = b"mixer_search"
TOGETHER = 8
"""Seeds that one program trains: more make it no faster on two cores."""


def main(argv: Sequence[str] | None = None) -> int:
    """Trains what is missing, collects, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="configurations a family, from 2 on")
    parser.add_argument("--seeds", type=int, default=40, help=f"a multiple of {TOGETHER}")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--max-flops", type=int, default=2_000_000)
    parser.add_argument("--name", default="digits_confirmation")
    words = list(sys.argv[1:] if argv is None else argv)
    args = parser.parse_args(words)
    if args.seeds % TOGETHER:
        parser.error(f"--seeds {args.seeds}: ask for a multiple of {TOGETHER}")

    use_xla_options()
    use_compile_cache(lambda line: print(line, file=sys.stderr))
    recipe = STUDIES["mixer_digits"].recipe.model_copy(
        update={"epochs": args.epochs, "learning_rate": args.learning_rate}
    )
    data = images.load("digits")
    test = images.load_test("digits")
    splits = {"validation": (data.validation_images, data.validation_labels), "test": test}
    device = choose("cpu")
    on_device = put(data, device)
    parts = TABLES / f"{args.name}.parts"
    parts.mkdir(exist_ok=True)
    configs = [
        config
        for family in (mixers(data.task), vits(data.task))
        for config in spread(family, args.count, args.max_flops)
    ]
    for done, config in enumerate(configs):
        part = parts / f"{label_of(config).replace(' ', '_')}.parquet"
        if part.exists():
            continue
        began = time.perf_counter()
        rows = [
            row
            for first in range(0, args.seeds, TOGETHER)
            for row in trained(config, recipe, range(first, first + TOGETHER), on_device, splits)
        ]
        pd.DataFrame(rows).to_parquet(part.with_suffix(".tmp"))
        part.with_suffix(".tmp").rename(part)
        accuracies = [row["test_accuracy"] for row in rows]
        print(
            f"[{done + 1}/{len(configs)}] {label_of(config)}: "
            f"{100 * np.mean(accuracies):.1f} % "
            f"(deviation {100 * np.std(accuracies, ddof=1):.1f}), "
            f"{time.perf_counter() - began:.0f} s",
            flush=True,
        )
    table = pd.concat([pd.read_parquet(part) for part in sorted(parts.glob("*.parquet"))])
    facts = find_environment(device)
    about = {
        "recipe": recipe.model_dump(mode="json"),
        "task": data.task.model_dump(mode="json"),
        "data_digest": data.digest,
        "num_validation": len(data.validation_labels),
        "num_test": len(test[1]),
        "command": " ".join(["python", "benchmarks/make_confirmation_table.py", *words]),
        "date": datetime.now(UTC).date().isoformat(),
        "revision": facts.git_revision,
        "device": facts.device_kind,
        "versions": facts.versions,
    }
    write(table, about, TABLES / f"{args.name}.parquet")
    (TABLES / f"{args.name}.md").write_text(card(args.name, table, about))
    print(f"written to {TABLES / args.name}.parquet and .md; {parts} may go")
    return 0


def mixers(task: ImageTask) -> Iterable[Config]:
    """Every Mixer of the space that fits the images."""
    return fitted("mixer", MixerRanges(), task).members(task)


def vits(task: ImageTask) -> Iterable[Config]:
    """ViTs that pool their tokens, heads of 16 or 32 channels, MLPs two or four times as wide."""
    for patch, dim, depth, ratio, head in product(
        fitting_patches(task.image_size),
        (16, 32, 48, 64, 96),
        (1, 2, 3, 4, 6),
        (2, 4),
        (16, 32),
    ):
        if dim % head == 0:
            yield ViTConfig(
                **task.model_dump(),
                patch_size=patch,
                hidden_dim=dim,
                num_blocks=depth,
                mlp_dim=ratio * dim,
                num_heads=dim // head,
                classifier="gap",
            )


def spread(family: Iterable[Config], count: int, max_flops: int) -> list[Config]:
    """Four fifths of them evenly spread over log FLOPs, and for the rest twins of equal FLOPs.

    Equal costs are the rule in a search, and statistics that forget them go wrong there.
    """
    by_flops: dict[int, list[Config]] = {}
    for config in family:
        by_flops.setdefault(cost(config).flops, []).append(config)
    there = [flops for flops in by_flops if flops <= max_flops]
    num_twins = count // 5
    groups = []
    for aim in np.geomspace(min(there), max(there), count - num_twins):
        flops = min(by_flops, key=lambda f: abs(math.log(f / aim)))
        groups.append(by_flops.pop(flops))
    twins = [config for group in groups for config in group[1:]]
    twins = twins[:: max(1, len(twins) // max(1, num_twins))][:num_twins]
    configs = [group[0] for group in groups] + twins
    configs += [group[0] for group in by_flops.values()][: count - len(configs)]
    return sorted(configs, key=lambda config: cost(config).flops)


def trained(
    config: Config,
    recipe: Recipe,
    seeds: Sequence[int],
    on_device: DeviceData,
    splits: dict[str, tuple[np.ndarray, np.ndarray]],
) -> list[dict[str, object]]:
    """A row a seed."""
    program = compile_program(config, recipe, on_device, jnp.float32, num_seeds=len(seeds))
    hyper = hyper_of(recipe, steps_per_epoch(recipe.batch_size, on_device.num_train))
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    state = jax.device_put(initial_state(config, seeds, recipe))
    for number in range(1, recipe.epochs + 1):
        order, step_keys = shuffle(keys, jnp.int32(number), num_train=on_device.num_train)
        state, metrics = program.epoch(state, on_device, hyper, order, step_keys, jnp.bool(True))
    network = build(config, jnp.float32)

    @jax.jit
    def predict(params: object, pixels: jax.Array) -> jax.Array:
        return jnp.argmax(network.apply({"params": params}, on_device.normalise(pixels)), -1)

    rows = []
    for i, seed in enumerate(seeds):
        params = jax.tree.map(itemgetter(i), state.validated)
        right = {
            name: np.asarray(predict(params, pixels)) == labels
            for name, (pixels, labels) in splits.items()
        }
        assert abs(right["validation"].mean() - float(metrics.validation_accuracy[i])) < 1e-6
        found = cost(config)
        rows.append(
            {
                "family": config.family,
                "config": json.dumps(config.model_dump(mode="json"), sort_keys=True),
                "label": label_of(config),
                "macs": found.macs,
                "params": found.params,
                "seed": seed,
                **{f"{name}_accuracy": bits.mean() for name, bits in right.items()},
                **{f"{name}_right": np.packbits(bits).tobytes() for name, bits in right.items()},
            }
        )
    return rows


def write(table: pd.DataFrame, about: dict[str, object], path: Path) -> None:
    """Writes the one file."""
    rows = table.sort_values(["family", "macs", "label", "seed"], ignore_index=True)
    arrow = pa.Table.from_pandas(rows, preserve_index=False)
    arrow = arrow.replace_schema_metadata({KEY: json.dumps(about).encode()})
    pq.write_table(arrow, path, compression="zstd")


def card(name: str, table: pd.DataFrame, about: dict) -> str:
    """What there is to know about the table, as Markdown."""
    lines = []
    for family, rows in table.groupby("family"):
        by_config = rows.groupby("label")["test_accuracy"]
        means, deviations = by_config.mean(), by_config.std()
        lines.append(
            f"- {len(means)} of family `{family}`, {2 * rows['macs'].min():,} to "
            f"{2 * rows['macs'].max():,} FLOPs: test accuracy (means over seeds) "
            f"{100 * means.min():.1f} to {100 * means.max():.1f} %, deviation of one training "
            f"{100 * deviations.min():.1f} to {100 * deviations.max():.1f} points."
        )
    versions = ", ".join(f"{k} {v}" for k, v in sorted(about["versions"].items()))
    families = "\n".join(lines)
    return f"""# {name}: which images {table["label"].nunique()} networks get right, with many seeds

`{name}.parquet`, a row a training ({len(table):,}): `family`, `config` (JSON), `label`, `macs`,
`params`, `seed`, `validation_accuracy`, `test_accuracy`, and `validation_right` and `test_right`:
bits packed by `numpy.packbits`, one an image in the order of the split, 1 where the class was
right. What the rows have in common is in the file's metadata.

{families}
- {about["recipe"]["epochs"]} epochs by the recipe of `mixer_digits` at a learning rate of \
{about["recipe"]["learning_rate"]:g}, seeds 0 to \
{table["seed"].max()}; {about["num_validation"]} validation and {about["num_test"]} test images.
- For testing statistics: nothing about the families follows from a set this small.
- Made by `{about["command"]}` on {about["date"]}, revision {about["revision"]}, on
  {about["device"]}; {versions}.
- Licence: that of this repository (Apache-2.0). The table holds no images.
"""


if __name__ == "__main__":
    sys.exit(main())
