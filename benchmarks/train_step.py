"""Our training step beside the same step as one would write it: both compiled, both fed alike.

    python benchmarks/train_step.py

Theirs is that of `plain_loop.py`: `nn.Conv` for the patches, `swapaxes` around token mixing,
`optax.adamw` over every array. Ours is the epoch of `search/train.py`, its validation cut down to
one image. Either runs so many steps in one dispatch, over the same images on the device in the
same order, in the same precision, its state donated. The two take turns at going first.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import jax
import jax.numpy as jnp
import numpy as np
from plain_loop import MlpMixer, create_train_state, train_step

from search.bench.speed import random_data
from search.spec.recipe import Recipe
from search.train.devices import choose, compute_dtype
from search.train.environment import find_environment
from search.train.epoch import initial_state
from search.train.optimizer import hyper_of
from search.train.program import compile_program
from space.config import MixerConfig

SHAPE = {"patch_size": 4, "hidden_dim": 128, "num_blocks": 8, "num_classes": 10}
SHAPE |= {"tokens_mlp_dim": 64, "channels_mlp_dim": 512}
CONFIG = MixerConfig(**SHAPE, image_size=32, image_channels=3)


def our_steps(recipe, data, order, device):
    """A function that trains all the steps and returns their mean loss."""
    program = compile_program(CONFIG, recipe, data, compute_dtype(device))
    hyper = hyper_of(recipe, data.num_train // recipe.batch_size)
    keys = jax.device_put(jnp.stack([jax.random.key(0)]), device)
    state = jax.device_put(initial_state(CONFIG, [0], recipe), device, may_alias=False)

    def run():
        nonlocal state
        state, metrics = program.epoch(state, data, hyper, order[None], keys, jnp.bool(True))
        return float(metrics.train_loss[0])

    return run


def their_steps(recipe, data, order, device):
    """The same, of the plain step."""
    steps = data.num_train // recipe.batch_size
    model = MlpMixer(**SHAPE, dtype=compute_dtype(device))
    image = data.normalise(data.train_images[:1])
    numbers = recipe.model_dump()
    state = create_train_state(jax.random.key(0), model, numbers, image, recipe.epochs * steps)

    def train(state, data, order):
        def body(i, carry):
            state, losses, accuracies = carry
            chosen = jax.lax.dynamic_slice(order, (i * recipe.batch_size,), (recipe.batch_size,))
            images = data.normalise(data.train_images[chosen])
            labels = data.train_labels[chosen]
            state, loss, accuracy = train_step(state, images, labels, recipe.label_smoothing)
            return state, losses + loss, accuracies + accuracy

        return jax.lax.fori_loop(0, steps, body, (state, jnp.float32(0), jnp.float32(0)))

    program = jax.jit(train, donate_argnums=0).lower(state, data, order).compile()

    def run():
        nonlocal state
        state, losses, _ = program(state, data, order)
        return float(losses) / steps

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, help="by default 64 on a CPU, 512 elsewhere")
    parser.add_argument("--steps", type=int, help="in a dispatch: 8 on a CPU, 100 elsewhere")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    device = choose()
    batch_size, steps = (64, 8) if device.platform == "cpu" else (512, 100)
    batch_size, steps = given.batch_size or batch_size, given.steps or steps
    recipe, count = Recipe(batch_size=batch_size), steps * batch_size
    data = random_data(CONFIG.task, count, device)
    order = jax.device_put(np.random.default_rng(0).permutation(count).astype(np.int32), device)
    sides = {"ours": our_steps, "theirs": their_steps}
    runs = {side: make(recipe, data, order, device) for side, make in sides.items()}
    losses = ", ".join(f"{side} {run():.4f}" for side, run in runs.items())  # not timed
    print(f"{device.device_kind}, batch size {batch_size}; loss of {steps} steps: {losses}")
    found = {"ours": [], "theirs": [], "ratio": []}
    for number in range(given.rounds):
        for side in runs if number % 2 == 0 else reversed(runs):
            began = time.perf_counter()
            runs[side]()
            found[side].append(count / (time.perf_counter() - began))
        found["ratio"].append(found["ours"][-1] / found["theirs"][-1])
        print(f"round {number}:", ", ".join(f"{k} {v[-1]:,.2f}" for k, v in found.items()))
    for name, values in found.items():
        unit = "" if name == "ratio" else " images/s"
        print(f"{name}: {median(values):,.2f}{unit}, {min(values):,.2f} to {max(values):,.2f}")
    if given.json:
        around = asdict(find_environment(device)) | {"batch_size": batch_size, "steps": steps}
        date = datetime.now(UTC).isoformat(timespec="seconds")
        given.json.write_text(json.dumps({"date": date, **around, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
