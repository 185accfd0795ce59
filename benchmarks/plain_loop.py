"""What one would write without this project: Optuna, Flax and Optax, one trial after another.

A plain script as the libraries' documentation teaches it: a jitted training step fed from numpy,
a jitted evaluation, `TrainState`, results in Optuna's SQLite storage. It imports nothing of ours,
so that it can be read, run and improved on its own:

    python benchmarks/plain_loop.py TASK.json

TASK.json names the images (an .npz), the recipe and the configurations to try; it is written by
`trials_per_hour.py`.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optuna
from flax.training.train_state import TrainState


class MlpBlock(nn.Module):
    mlp_dim: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        y = nn.Dense(self.mlp_dim, dtype=self.dtype)(x)
        y = nn.gelu(y)
        return nn.Dense(x.shape[-1], dtype=self.dtype)(y)


class MixerBlock(nn.Module):
    tokens_mlp_dim: int
    channels_mlp_dim: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm(dtype=self.dtype)(x)
        y = jnp.swapaxes(y, 1, 2)
        y = MlpBlock(self.tokens_mlp_dim, self.dtype)(y)
        y = jnp.swapaxes(y, 1, 2)
        x = x + y
        y = nn.LayerNorm(dtype=self.dtype)(x)
        return x + MlpBlock(self.channels_mlp_dim, self.dtype)(y)


class MlpMixer(nn.Module):
    patch_size: int
    hidden_dim: int
    tokens_mlp_dim: int
    channels_mlp_dim: int
    num_blocks: int
    num_classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        patch = (self.patch_size, self.patch_size)
        x = nn.Conv(self.hidden_dim, patch, strides=patch, dtype=self.dtype)(x)
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        for _ in range(self.num_blocks):
            x = MixerBlock(self.tokens_mlp_dim, self.channels_mlp_dim, self.dtype)(x)
        x = nn.LayerNorm(dtype=self.dtype)(x)
        x = jnp.mean(x, axis=1, dtype=jnp.float32)
        return nn.Dense(self.num_classes, kernel_init=nn.initializers.zeros)(x)


def flops(patch_size, hidden_dim, tokens_mlp_dim, channels_mlp_dim, num_blocks, task):
    """Of one image, forward."""
    patches = (task["image_size"] // patch_size) ** 2
    stem = patches * patch_size**2 * task["image_channels"] * hidden_dim
    block = 2 * patches * hidden_dim * (tokens_mlp_dim + channels_mlp_dim)
    return 2 * (stem + num_blocks * block + hidden_dim * task["num_classes"])


def create_train_state(key, model, recipe, image, num_steps):
    warmup = int(recipe["warmup"] * num_steps)
    schedule = optax.warmup_cosine_decay_schedule(0.0, recipe["learning_rate"], warmup, num_steps)

    def kernels(params):
        return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)

    tx = optax.chain(
        optax.clip_by_global_norm(recipe["clip_norm"]),
        optax.adamw(schedule, weight_decay=recipe["weight_decay"], mask=kernels),
    )
    params = model.init(key, image)["params"]
    return TrainState.create(apply_fn=model.apply, params=params, tx=tx)


@partial(jax.jit, donate_argnums=0)
def train_step(state, images, labels, smoothing):
    def loss_fn(params):
        logits = state.apply_fn({"params": params}, images)
        targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
        return optax.softmax_cross_entropy(logits, targets).mean(), logits

    (loss, logits), gradients = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    accuracy = jnp.mean(jnp.argmax(logits, -1) == labels)
    return state.apply_gradients(grads=gradients), loss, accuracy


@jax.jit
def count_correct(state, images, labels):
    logits = state.apply_fn({"params": state.params}, images)
    return jnp.sum(jnp.argmax(logits, -1) == labels)


def evaluate(state, images, labels, batch_size=500):
    correct = 0
    for i in range(0, len(labels), batch_size):
        correct += count_correct(state, images[i : i + batch_size], labels[i : i + batch_size])
    return float(correct) / len(labels)


def augment(images, how, rng):
    """The recipe's crop, flip and cutout for a batch, vectorised; `images` is a fresh copy."""
    count, size = images.shape[:2]
    rows = np.arange(count)
    if how["crop_padding"]:
        p = how["crop_padding"]
        padded = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
        y, x = rng.integers(0, 2 * p + 1, (2, count))
        images = np.moveaxis(windows[rows, y, x], 1, -1)
    if how["flip"]:
        flipped = rng.random(count) < 0.5
        images = np.where(flipped[:, None, None, None], images[:, :, ::-1], images)
    if how["cutout"]:
        pixel = np.arange(size)
        low = rng.integers(0, size, (2, count, 1)) - how["cutout"] // 2
        inside = (pixel >= low) & (pixel < low + how["cutout"])
        hole = inside[0][:, :, None] & inside[1][:, None, :]
        images = np.where(hole[..., None], np.float32(0), images)
    return np.ascontiguousarray(images, dtype=np.float32)


def objective(trial, task, data):
    values = {name: trial.suggest_int(name, 1, 1 << 20) for name in task["configurations"][0]}
    recipe = task["recipe"]
    batch_size, epochs = recipe["batch_size"], recipe["epochs"]
    dtype = jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16
    model = MlpMixer(**values, num_classes=task["num_classes"], dtype=dtype)
    images, labels = data["train_images"], data["train_labels"]
    steps = len(labels) // batch_size
    key = jax.random.key(task["seed"])
    state = create_train_state(key, model, recipe, images[:1], epochs * steps)
    rng = np.random.default_rng(task["seed"])
    for _ in range(epochs):
        order = rng.permutation(len(labels))[: steps * batch_size].reshape(steps, batch_size)
        losses, accuracies = [], []
        for chosen in order:
            batch = augment(images[chosen], recipe["augmentation"], rng)
            state, loss, accuracy = train_step(
                state, batch, labels[chosen], recipe["label_smoothing"]
            )
            losses.append(loss)
            accuracies.append(accuracy)
        validation = evaluate(state, data["validation_images"], data["validation_labels"])
        trial.set_user_attr("train_loss", float(np.mean(jax.device_get(losses))))
        trial.set_user_attr("train_accuracy", float(np.mean(jax.device_get(accuracies))))
    return validation, flops(**values, task=task)


def main(path):
    task = json.loads(Path(path).read_text())
    with np.load(task["data"]) as arrays:
        data = dict(arrays)
    train = data["train_images"]
    mean = train.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
    std = train.std(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
    for name in ("train_images", "validation_images"):
        data[name] = (data[name].astype(np.float32) - mean) / std
    study = optuna.create_study(
        storage=f"sqlite:///{task['database']}",
        directions=["maximize", "minimize"],
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    for configuration in task["configurations"]:
        study.enqueue_trial(configuration)
    study.optimize(partial(objective, task=task, data=data), n_trials=len(task["configurations"]))


if __name__ == "__main__":
    main(sys.argv[1])
