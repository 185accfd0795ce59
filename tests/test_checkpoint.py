"""A trial that was interrupted goes on from its last checkpoint, as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from records import mixer

from runs.record import EpochRecord, Failure
from search import data as images
from search.protocol import (
    CheckpointPolicy,
    EpochDone,
    Event,
    Failed,
    Finished,
    Started,
    TrialRequest,
    Warned,
)
from search.spec.recipe import Augmentation, Recipe
from search.train.checkpoint import Checkpoint, CheckpointError, load, save
from search.train.device_data import put
from search.train.engine import Engine
from search.train.epoch import TrainState, state_shapes

RECIPE = Recipe(
    epochs=6, batch_size=64, augmentation=Augmentation(crop_padding=1, flip=True, cutout=2)
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    device = jax.devices("cpu")[0]
    with Engine(put(images.load("digits", train_limit=256), device), device) as engine:
        yield engine


@pytest.fixture
def request_(tmp_path: Path) -> TrialRequest:
    return TrialRequest(
        numbers=(3, 4),
        seeds=(0, 1),
        config=mixer(num_blocks=1),
        recipe=RECIPE,
        checkpointing=CheckpointPolicy(tmp_path / "kept" / "3.checkpoint", every_seconds=0),
    )


def interrupted(engine: Engine, request: TrialRequest, after: int) -> list[Event]:
    """The events of a training that is interrupted in an epoch."""
    count = 0

    def is_interrupted() -> bool:
        nonlocal count
        count += 1
        return count >= after

    return list(engine.run(request, is_interrupted=is_interrupted))


def epochs(events: list[Event]) -> list[EpochRecord]:
    """All but the time they took."""
    found = [e for event in events if isinstance(event, EpochDone) for e in event.epochs]
    return [replace(e, elapsed_seconds=0.0) for e in found]


def started(events: list[Event]) -> list[EpochRecord]:
    (begun,) = (event for event in events if isinstance(event, Started))
    return [replace(e, elapsed_seconds=0.0) for e in begun.epochs]


@pytest.mark.parametrize("every_seconds", [0, 10**6])
@pytest.mark.parametrize("numbers", [(3,), (3, 4)])
def test_interrupted_twice_a_trial_ends_bit_for_bit_as_if_it_never_was(
    engine: Engine, request_: TrialRequest, numbers: tuple[int, ...], every_seconds: float
) -> None:
    assert request_.checkpointing is not None
    kept = replace(request_.checkpointing, every_seconds=every_seconds)
    wanted = replace(request_, numbers=numbers, seeds=numbers, checkpointing=kept)
    whole = list(engine.run(replace(wanted, checkpointing=None)))
    parts = [interrupted(engine, wanted, 2), interrupted(engine, wanted, 3)]
    last = list(engine.run(wanted))
    assert epochs(whole) == [*epochs(parts[0]), *epochs(parts[1]), *epochs(last)]
    assert started(parts[1]) == epochs(parts[0])
    assert started(last) == [*epochs(parts[0]), *epochs(parts[1])]
    ends = [[e for e in events if isinstance(e, Finished)] for events in (whole, last)]
    assert [(e.trial, e.accuracy, e.loss) for e in ends[0]] == [
        (e.trial, e.accuracy, e.loss) for e in ends[1]
    ]
    for end in ends[1]:  # its epochs' seconds are those of all attempts
        last_epoch = [e for e in last if isinstance(e, EpochDone)][-1]
        (record,) = (e for e in last_epoch.epochs if e.trial == end.trial)
        spent = end.timing.train_seconds + end.timing.eval_seconds
        assert spent == pytest.approx(record.elapsed_seconds)


def test_a_checkpoint_of_a_version_that_knew_no_given_weights_is_gone_on_from(
    request_: TrialRequest, tmp_path: Path
) -> None:
    """Its fingerprint has neither where weights are from nor what is frozen."""
    told = [list(request_.numbers), list(request_.seeds)]
    recipe = request_.recipe.model_dump(mode="json", exclude={"freeze"})
    named = [request_.config.model_dump(mode="json"), recipe]
    before = hashlib.sha256(json.dumps([told, named], sort_keys=True).encode()).hexdigest()
    shapes = state_shapes(request_.config, 2, request_.recipe)
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    file = tmp_path / "old.checkpoint"
    save(file, request_, Checkpoint(epoch=1, state=state, epochs=()))
    assert before.encode() in file.read_bytes()
    assert load(file, request_) is not None
    assert load(file, replace(request_, starts_from="0" * 64)) is None
    frozen = request_.recipe.model_copy(update={"freeze": True})
    assert load(file, replace(request_, recipe=frozen)) is None


def test_a_seed_that_diverged_stays_failed_when_the_others_go_on(
    engine: Engine, request_: TrialRequest
) -> None:
    parts = interrupted(engine, request_, 2)
    assert not any(isinstance(e, Failed) for e in parts)
    found = load_it(request_)
    failed = Failed(trial=4, reason="diverged", failure=Failure.DIVERGED)
    mended = replace(
        found, failures=(failed,), epochs=tuple(e for e in found.epochs if e.trial == 3)
    )
    save(file_of(request_), request_, mended)
    last = list(engine.run(request_))
    assert [e for e in last if isinstance(e, Failed)] == [failed]
    assert [e.trial for e in last if isinstance(e, Finished)] == [3]
    assert {e.trial for e in epochs(last)} == {3}


def file_of(request: TrialRequest) -> Path:
    assert request.checkpointing is not None
    return request.checkpointing.file


def load_it(request: TrialRequest) -> Checkpoint:
    found = load(file_of(request), request)
    assert found is not None
    return found


def test_a_trial_shorter_than_the_interval_keeps_nothing(
    engine: Engine, request_: TrialRequest
) -> None:
    rarely = replace(request_, checkpointing=CheckpointPolicy(file_of(request_), 10**6))
    list(engine.run(rarely))
    assert not file_of(request_).exists()


@pytest.mark.parametrize("keeps_last", [False, True])
def test_the_last_epoch_is_kept_only_where_that_is_asked_for(
    engine: Engine, request_: TrialRequest, keeps_last: bool
) -> None:
    asked = CheckpointPolicy(file_of(request_), 0, keeps_last=keeps_last)
    first = list(engine.run(replace(request_, checkpointing=asked)))
    assert load_it(request_).epoch == (6 if keeps_last else 5)
    again = list(engine.run(replace(request_, checkpointing=asked)))
    ends = [[e.accuracy for e in es if isinstance(e, Finished)] for es in (first, again)]
    assert ends[0] == ends[1]
    assert len(epochs(again)) == (0 if keeps_last else 2)


def test_a_checkpoint_of_another_configuration_recipe_or_seed_is_not_used(
    engine: Engine, request_: TrialRequest
) -> None:
    interrupted(engine, request_, 2)
    for other in (
        replace(request_, config=mixer(num_blocks=2)),
        replace(request_, recipe=RECIPE.model_copy(update={"learning_rate": 1e-4})),
        replace(request_, seeds=(1, 0)),
        replace(request_, numbers=(3, 5)),
    ):
        assert load(file_of(request_), other) is None
    assert load_it(request_).epoch == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
        lambda whole: b"\x80\x04N." + whole,
    ],
)
def test_a_damaged_checkpoint_is_said_and_training_starts_again(
    engine: Engine, request_: TrialRequest, damage: Callable[[bytes], bytes]
) -> None:
    interrupted(engine, request_, 2)
    file_of(request_).write_bytes(damage(file_of(request_).read_bytes()))
    with pytest.raises(CheckpointError):
        load(file_of(request_), request_)
    events = list(engine.run(request_))
    (warning,) = (e for e in events if isinstance(e, Warned))
    assert "is of no use (it is not whole)" in warning.sentence
    assert len(epochs(events)) == 2 * RECIPE.epochs


def test_a_folder_that_cannot_be_written_is_said_once_and_the_trial_trains_on(
    engine: Engine, request_: TrialRequest
) -> None:
    file_of(request_).parent.write_text("a file where the folder should be")
    events = list(engine.run(request_))
    (warning,) = (e for e in events if isinstance(e, Warned))
    assert "no checkpoint can be written" in warning.sentence
    assert len([e for e in events if isinstance(e, Finished)]) == 2


@pytest.mark.fault("the disk of the checkpoints full")
def test_a_full_disk_leaves_the_checkpoint_before(engine: Engine, request_: TrialRequest) -> None:
    import resource

    interrupted(engine, request_, 2)
    size = file_of(request_).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, before[1]))
        events = interrupted(engine, request_, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "no checkpoint can be written" in str([e for e in events if isinstance(e, Warned)])
    assert load_it(request_).epoch == 2
    assert [file.name for file in file_of(request_).parent.iterdir()] == ["3.checkpoint"]
    assert len(started(list(engine.run(request_)))) == 2 * 2


SAVED = TrialRequest(numbers=(0,), seeds=(0,), config=mixer(num_blocks=4), recipe=RECIPE)


def state_of(epoch: int) -> TrainState:
    """Arrays that tell of which epoch they are."""
    shapes = state_shapes(SAVED.config, 1, SAVED.recipe)
    return jax.tree.map(lambda leaf: np.full(leaf.shape, epoch, leaf.dtype), shapes)


SAVES = """
import sys
from pathlib import Path
from test_checkpoint import SAVED, Checkpoint, save, state_of
epoch = int(sys.argv[2])
while True:
    epoch += 1
    save(Path(sys.argv[1]), SAVED, Checkpoint(epoch=epoch, state=state_of(epoch), epochs=()))
    print(epoch, flush=True)
"""


@pytest.mark.fault("SIGKILL while a checkpoint is written")
@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_process_killed_while_it_saves_leaves_a_whole_checkpoint(
    tmp_path: Path, times: int
) -> None:
    """Kills a process that does nothing but save; what is found is always whole and newest."""
    here = Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": f"{here}:{here.parent}"}
    file, last = tmp_path / "0.checkpoint", 0
    for attempt in range(times):
        asked = [sys.executable, "-c", SAVES, str(file), str(last)]
        saver = subprocess.Popen(asked, env=env, stdout=subprocess.PIPE, text=True)
        assert saver.stdout is not None
        last = int(saver.stdout.readline())
        time.sleep(0.007 * attempt)
        saver.kill()
        acknowledged = [last, *map(int, saver.communicate()[0].split())]
        found = load(file, SAVED)
        assert found is not None
        assert acknowledged[-1] <= found.epoch <= acknowledged[-1] + 1
        assert {float(leaf.max()) for leaf in jax.tree.leaves(found.state)} == {found.epoch}
        last = found.epoch
