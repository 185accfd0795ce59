"""One trial, or one a seed: a request in, events out. Knows nothing of SQL, samplers or screens."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from runs.record import EpochRecord, Failure, Timing
from search.protocol import (
    EpochDone,
    Event,
    Failed,
    Finished,
    Predicted,
    Started,
    TrialRequest,
    WeightsOffered,
    WeightsSent,
)
from search.spec.recipe import steps_per_epoch
from search.train.checkpoint import Checkpoint
from search.train.checkpoint_manager import CheckpointManager
from search.train.device_data import DeviceData
from search.train.epoch import EpochMetrics, TrainState, initial_state, shuffle
from search.train.optimizer import hyper_of
from search.train.program import Program
from space.weights_file import weights_bytes

if TYPE_CHECKING:
    import numpy.typing as npt

_MOST_TRIES = 5
_SECONDS_FOR_TRIES = 0.05
"""To find out what a validation takes; a large one is tried twice nevertheless."""


def train(
    request: TrialRequest,
    program: Program,
    data: DeviceData,
    device: jax.Device,
    goes_on: Callable[[], bool] = lambda: True,
    is_interrupted: Callable[[], bool] = lambda: False,
    params: Mapping[str, Any] | None = None,
) -> Iterator[Event]:
    """Trains and validates: `Started`, an `EpochDone` an epoch, then an end for every trial.

    After the epoch of a rung, `goes_on` is asked, and again when trials are complete whose weights
    may be wanted (`WeightsOffered`): they are sent where it says so. After any epoch in which
    `is_interrupted` became true, a checkpoint is kept and the events end. A trial whose loss is
    not finite ends as `Failed`; the others train on. A trial that `predicts` is `Predicted` just
    before it is `Finished`. What only concerns the time is shared out evenly among trials that
    train together. Trials that go on from a checkpoint end as if they had never stopped, on a CPU
    bit for bit. They start from `params`, where a parameter tree is given, else from weights drawn
    from their seeds.

    Raises:
        jax.errors.JaxRuntimeError: `RESOURCE_EXHAUSTED` where the device has no room.
    """
    recipe = request.recipe
    steps = steps_per_epoch(recipe.batch_size, data.num_train)
    hyper = hyper_of(recipe, steps)
    keys = jax.device_put(jnp.stack([jax.random.key(seed) for seed in request.seeds]), device)
    manager = CheckpointManager(request)
    before = manager.find()
    start = before.state if before else initial_state(request.config, request.seeds, recipe, params)
    state: TrainState = jax.device_put(start, device, may_alias=False)

    def epoch(number: int, *, learn: bool) -> EpochMetrics:
        nonlocal state
        order, step_keys = shuffle(keys, jnp.int32(number), num_train=data.num_train)
        state, metrics = program.epoch(state, data, hyper, order, step_keys, jnp.bool(learn))
        return metrics

    def checkpoint(number: int) -> Checkpoint:
        return Checkpoint(
            epoch=number,
            state=jax.device_get(state),
            epochs=tuple(curve),
            failures=failures,
            epoch_seconds=tuple(watch.all_seconds),
        )

    metrics = epoch(0, learn=False)
    yield Started(before.epochs if before else ())
    yield from manager.warnings()
    _measured(metrics)
    # no step is taken, so this is what a validation costs
    eval_seconds_once = _least_seconds(lambda: _measured(epoch(0, learn=False)))

    failures = before.failures if before else ()
    yield from failures
    failed = {failure.trial for failure in failures}
    sound = {i: trial for i, trial in enumerate(request.numbers) if trial not in failed}
    watch = _Stopwatch(
        program,
        eval_seconds_once,
        images_trained=steps * recipe.batch_size,
        images_validated=data.validation_labels.size,
        trials=request.numbers,
    )
    curve: list[EpochRecord] = []
    if before:
        curve += before.epochs
        watch.resume(before)
    last = before.epoch if before else 0
    stops = False
    manager.begin(last)
    for number in range(last + 1, recipe.epochs + 1):
        began = time.perf_counter()
        metrics = epoch(number, learn=True)
        measured = _measured(metrics)
        watch.add_epoch(time.perf_counter() - began, sound.values())
        records = {
            trial: EpochRecord(
                trial=trial,
                epoch=number,
                train_loss=float(measured.train_loss[i]),
                train_accuracy=float(measured.train_accuracy[i]),
                validation_loss=float(measured.validation_loss[i]),
                validation_accuracy=float(measured.validation_accuracy[i]),
                learning_rate=float(measured.learning_rate[i]),
                elapsed_seconds=watch.seconds[trial],
            )
            for i, trial in sound.items()
        }
        for i, trial in list(sound.items()):
            bad_step = int(measured.bad_step[i])
            if bad_step < 0 and math.isfinite(records[trial].validation_loss):
                continue
            step = (number - 1) * steps + (bad_step if bad_step >= 0 else steps)
            reason = f"diverged: the loss was not finite at step {step} (epoch {number})"
            failure = Failed(
                trial=trial,
                reason=reason,
                failure=Failure.DIVERGED,
                timing=watch.timing(trial),
            )
            yield failure
            failures = (*failures, failure)
            del sound[i], records[trial]
        if not sound:
            return
        curve += records.values()
        yield EpochDone(tuple(records.values()))
        stops = number in request.rungs and not goes_on()
        if is_interrupted():
            if number not in request.rungs:  # there it may not have been decided whether it goes on
                manager.keep(checkpoint(number))
            return
        if stops:
            break
        if manager.is_due(number):
            manager.keep(checkpoint(number))
        yield from manager.warnings()
    classes = _classes(metrics, data) if request.predicts else None
    for i, trial in sound.items():
        final = next(record for record in reversed(curve) if record.trial == trial)
        if classes is not None:
            yield Predicted(trial, classes[i])
        yield Finished(
            trial=trial,
            accuracy=final.validation_accuracy,
            loss=final.validation_loss,
            timing=watch.timing(trial),
        )
    if request.weights_facts is not None and not stops:
        yield WeightsOffered()
        if goes_on():
            params = jax.device_get(state.validated)
            for i, trial in sound.items():
                mine = jax.tree.map(lambda leaves, i=i: leaves[i], params)
                yield WeightsSent(trial, weights_bytes(mine, _facts(request, i, data)))


def _measured(metrics: EpochMetrics) -> EpochMetrics:
    """With the scalars as NumPy arrays, once the epoch is over; the classes stay on the device."""
    *scalars, classes = metrics
    return EpochMetrics(*[*jax.device_get(scalars), classes])


def _classes(metrics: EpochMetrics, data: DeviceData) -> npt.NDArray[np.uint16]:
    """[seeds, num_validation], without those of the padding."""
    classes, labels = jax.device_get((metrics.validation_classes, data.validation_labels))
    return np.asarray(classes[:, labels >= 0])


def _facts(request: TrialRequest, i: int, data: DeviceData) -> dict[str, str]:
    """What a trial's weights' file says of them: see `runs.weights_folder.Weights`."""
    return {
        **(request.weights_facts or {}),
        "trial": str(request.numbers[i]),
        "seed": str(request.seeds[i]),
        "epochs": str(request.recipe.epochs),
        "family": request.config.family,
        "config": json.dumps(request.config.model_dump(mode="json")),
        "pixel_mean": json.dumps(data.mean.tolist()),
        "pixel_std": json.dumps(data.std.tolist()),
    }


def _least_seconds(do: Callable[[], object]) -> float:
    """What something takes when nothing gets in its way: the least of at least two tries."""
    tries: list[float] = []
    while len(tries) < 2 or (len(tries) < _MOST_TRIES and sum(tries) < _SECONDS_FOR_TRIES):
        began = time.perf_counter()
        do()
        tries.append(time.perf_counter() - began)
    return min(tries)


class _Stopwatch:
    """Shares out the seconds of a request among its trials.

    Of the epochs alone: whoever reads the events may take his time.

    An epoch is one dispatch, and how much of it is validation follows from what a validation
    alone was measured to take. That has an upper bound that needs no clock: an image costs one
    forward pass in validation and three in training (forward, and backward twice that), so that
    validation has at most `images_validated / (images_validated + 3 x images_trained)` of an
    epoch. At most, because training does more than these passes (augmentation, the optimiser) in
    batches that are seldom larger. A measurement beyond it met something else on the machine.

    Args:
        program: whose epochs they are.
        eval_seconds_once: of one validation.
        images_trained: in an epoch.
        images_validated: after it, with those that fill the last batch.
        trials: their numbers.
    """

    def __init__(
        self,
        program: Program,
        eval_seconds_once: float,
        *,
        images_trained: int,
        images_validated: int,
        trials: Collection[int],
    ) -> None:
        self.seconds = dict.fromkeys(trials, 0.0)
        """By trial."""
        self.all_seconds: list[float] = []
        """Of every epoch."""
        self._program = program
        self._eval_seconds_once = eval_seconds_once
        self._images_trained = images_trained
        self._most_of_an_epoch = images_validated / (images_validated + 3 * images_trained)
        self._num_epochs = dict.fromkeys(trials, 0)

    def resume(self, before: Checkpoint) -> None:
        """Goes on from what an earlier attempt took."""
        self.all_seconds = list(before.epoch_seconds)
        for record in before.epochs:
            self.seconds[record.trial] = record.elapsed_seconds
            self._num_epochs[record.trial] = record.epoch

    def add_epoch(self, seconds: float, trials: Collection[int]) -> None:
        """An epoch of the trials that are still sound."""
        self.all_seconds.append(seconds)
        for trial in trials:
            self.seconds[trial] += seconds / len(trials)
            self._num_epochs[trial] += 1

    def timing(self, trial: int) -> Timing:
        """The share of one trial, so far."""
        measured = self._eval_seconds_once / fmean(self.all_seconds)
        eval_share = min(measured, self._most_of_an_epoch)
        train_seconds = self.seconds[trial] * (1 - eval_share)
        share = 1 / len(self.seconds)
        return Timing(
            trace_seconds=self._program.trace_seconds * share,
            compile_seconds=self._program.compile_seconds * share,
            cache_hit=self._program.cache_hit,
            train_seconds=train_seconds,
            eval_seconds=self.seconds[trial] * eval_share,
            images_per_second=self._num_epochs[trial] * self._images_trained / train_seconds,
            device_bytes=self._program.device_bytes,
        )
