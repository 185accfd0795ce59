"""A worker's process that sleeps instead of training: it imports neither JAX nor SQL."""

from __future__ import annotations

import signal
import time
from multiprocessing.connection import Connection

from runs.record import Environment, EpochRecord, Timing
from search.protocol import (
    Decision,
    EpochDone,
    Event,
    Finished,
    Ready,
    RequestDone,
    Started,
    TrialRequest,
)

NOTHING = Environment(device_kind="nothing, it sleeps", versions={}, git_revision=None)


def work(pipe: Connection, seconds: float) -> None:
    """As `search.workers.worker.work`; a trial takes so many seconds, each epoch its share."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pipe.recv()
        pipe.send(Ready(NOTHING, "cpu"))
        while True:
            message = pipe.recv()
            if isinstance(message, TrialRequest):
                _sleep_through(message, seconds, pipe)
                pipe.send(RequestDone())
    except (EOFError, OSError):
        pass  # the coordinator is no more


def accuracy(trial: int, epoch: int) -> float:
    """Of a trial after an epoch: as good as random, and never the same twice in a study."""
    return (trial * 0.6180339887498949 % 1) * epoch / (epoch + 1)


def _sleep_through(request: TrialRequest, seconds: float, pipe: Connection) -> None:
    pipe.send(Started())
    share, epochs = seconds / request.recipe.epochs, 0
    for epoch in range(1, request.recipe.epochs + 1):
        time.sleep(share)
        epochs = epoch
        pipe.send(EpochDone(tuple(_record(trial, epoch, share) for trial in request.numbers)))
        if epoch in request.rungs and not _goes_on(pipe):
            break
    for trial in request.numbers:
        end: Event = Finished(
            trial=trial,
            accuracy=accuracy(trial, epochs),
            loss=1.0,
            timing=Timing(
                compile_seconds=0.0,
                train_seconds=share * epochs,
                eval_seconds=0.0,
                images_per_second=1.0,
            ),
        )
        pipe.send(end)


def _goes_on(pipe: Connection) -> bool:
    while not isinstance(message := pipe.recv(), Decision):
        pass  # what comes next is announced: nothing to compile
    return message.goes_on


def _record(trial: int, epoch: int, share: float) -> EpochRecord:
    return EpochRecord(
        trial=trial,
        epoch=epoch,
        train_loss=1.0,
        train_accuracy=accuracy(trial, epoch),
        validation_loss=1.0,
        validation_accuracy=accuracy(trial, epoch),
        learning_rate=1e-3,
        elapsed_seconds=share * epoch,
    )
