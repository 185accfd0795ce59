"""One trial: a request in, events out. Knows nothing of SQL, samplers or screens."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from runs.record import EpochRecord, Timing
from search.device_data import DeviceData
from search.devices import compute_dtype
from search.recipe import Recipe
from search.train import Program, compile_program, hyper_of, steps_per_epoch
from space.config import Config
from space.cost import training_bytes


@dataclass(frozen=True, kw_only=True)
class TrialRequest:
    """All a trial needs besides the data."""

    number: int
    config: Config
    recipe: Recipe
    seed: int


@dataclass(frozen=True)
class EpochDone:
    """An epoch was trained and validated."""

    epoch: EpochRecord


@dataclass(frozen=True)
class Finished:
    """All epochs were."""

    accuracy: float
    loss: float
    timing: Timing


@dataclass(frozen=True)
class Failed:
    """A failure that is a result: the study goes on."""

    reason: str


Event = EpochDone | Finished | Failed


def run_trial(request: TrialRequest, data: DeviceData, device: jax.Device) -> Iterator[Event]:
    """Trains and validates; yields an event an epoch, then `Finished` or `Failed`.

    A loss that is not finite and a device out of memory end the trial as `Failed`; any other
    exception is a bug and escapes.
    """
    try:
        program = compile_program(request.config, request.recipe, data, compute_dtype(device))
        yield from _train(request, program, data, device)
    except jax.errors.JaxRuntimeError as error:
        if not str(error).startswith("RESOURCE_EXHAUSTED"):
            raise
        need = training_bytes(request.config, request.recipe.batch_size) / 2**30
        yield Failed(
            f"out of memory on {device.device_kind}: training needs at least {need:.2f} GiB "
            f"by estimate at batch size {request.recipe.batch_size}; {str(error).splitlines()[0]}"
        )


def _train(
    request: TrialRequest, program: Program, data: DeviceData, device: jax.Device
) -> Iterator[Event]:
    recipe = request.recipe
    steps = steps_per_epoch(recipe, data.num_train)
    init_key, epochs_key = jax.random.split(jax.device_put(jax.random.key(request.seed), device))
    hyper = hyper_of(recipe, data.num_train)
    state = program.init(init_key)

    for _ in range(2):  # no step is taken, so this is what a validation costs; the first warms up
        began = time.perf_counter()
        state, metrics = program.epoch(state, data, hyper, epochs_key, jnp.int32(0), jnp.int32(0))
        jax.device_get(metrics)
        eval_seconds_once = time.perf_counter() - began

    elapsed_seconds = 0.0  # of the epochs alone: whoever reads our events may take his time
    for number in range(1, recipe.epochs + 1):
        began = time.perf_counter()
        state, metrics = program.epoch(
            state, data, hyper, epochs_key, jnp.int32(number), jnp.int32(steps)
        )
        measured = jax.device_get(metrics)
        elapsed_seconds += time.perf_counter() - began
        if measured.bad_step >= 0 or not math.isfinite(measured.validation_loss):
            bad_step = int(measured.bad_step) if measured.bad_step >= 0 else steps
            step = (number - 1) * steps + bad_step
            yield Failed(f"diverged: the loss was not finite at step {step} (epoch {number})")
            return
        last = EpochRecord(
            trial=request.number,
            epoch=number,
            train_loss=float(measured.train_loss),
            train_accuracy=float(measured.train_accuracy),
            validation_loss=float(measured.validation_loss),
            validation_accuracy=float(measured.validation_accuracy),
            learning_rate=float(measured.learning_rate),
            elapsed_seconds=elapsed_seconds,
        )
        yield EpochDone(last)

    # on a noisy machine the one validation measured may have been slow: never more than most of it
    eval_seconds = min(eval_seconds_once * recipe.epochs, 0.9 * elapsed_seconds)
    train_seconds = elapsed_seconds - eval_seconds
    yield Finished(
        accuracy=last.validation_accuracy,
        loss=last.validation_loss,
        timing=Timing(
            compile_seconds=program.compile_seconds,
            train_seconds=train_seconds,
            eval_seconds=eval_seconds,
            images_per_second=recipe.epochs * steps * recipe.batch_size / train_seconds,
        ),
    )
