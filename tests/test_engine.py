"""The engine: trials as events, one network compiled ahead, a device that runs out of memory."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any

import jax
import pytest
from records import mixer

from runs.record import Failure
from search import data as images
from search.protocol import (
    Broken,
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
from search.spec.recipe import Recipe
from search.train import engine as engine_module
from search.train import trial as trial_module
from search.train.device_data import DeviceData, put
from search.train.devices import memory_bytes
from search.train.engine import Engine
from search.train.program import Program
from space.config import MixerConfig

MIXER = mixer(patch_size=4, hidden_dim=16, num_blocks=1)
RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=3e-3)


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return put(images.load("digits", train_limit=300), jax.devices()[0])


@pytest.fixture
def engine(data: DeviceData) -> Iterator[Engine]:
    with Engine(data, jax.devices()[0]) as opened:
        yield opened


def request(*seeds: int, config: MixerConfig = MIXER, recipe: Recipe = RECIPE) -> TrialRequest:
    numbers = tuple(range(10, 10 + len(seeds)))
    return TrialRequest(numbers=numbers, seeds=seeds, config=config, recipe=recipe)


def curves(events: list[Event]) -> list[tuple[float, ...]]:
    """What must not depend on time."""
    return [
        (e.trial, e.epoch, e.train_loss, e.validation_loss, e.validation_accuracy)
        for event in events
        if isinstance(event, EpochDone)
        for e in event.epochs
    ]


def test_a_trial_starts_has_its_epochs_and_finishes_with_the_last(engine: Engine) -> None:
    events = list(engine.run(request(0)))
    assert [type(event) for event in events] == [Started, *[EpochDone] * 3, Finished]
    (last,) = events[-2].epochs
    assert isinstance(events[-1], Finished)
    assert (events[-1].accuracy, events[-1].loss) == (
        last.validation_accuracy,
        last.validation_loss,
    )
    assert [e.epoch for event in events[1:-1] for e in event.epochs] == [1, 2, 3]


def test_weights_are_sent_where_they_are_wanted_and_offered_by_complete_trials_only(
    engine: Engine,
) -> None:
    offering = replace(request(0, 1), weights_facts={"study": "s"})
    wanted, unwanted = (list(engine.run(offering, lambda go=go: go)) for go in (True, False))  # type: ignore[misc]
    ends = [Finished, Finished, WeightsOffered]
    assert [type(event) for event in unwanted[-3:]] == ends
    assert [type(event) for event in wanted[-5:]] == [*ends, WeightsSent, WeightsSent]
    assert [event.trial for event in wanted[-2:]] == [10, 11]  # type: ignore[union-attr]
    stopped = list(engine.run(replace(offering, rungs=(1,)), lambda: False))
    assert [type(event) for event in stopped] == [Started, EpochDone, Finished, Finished]


def test_a_device_that_has_no_room_for_the_weights_loses_no_result(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> bytes:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(trial_module, "weights_bytes", no_room)
    events = list(engine.run(replace(request(0), weights_facts={})))
    assert [type(event) for event in events[-2:]] == [Finished, WeightsOffered]


def test_a_trial_told_to_stop_at_a_rung_ends_there_with_the_accuracy_it_has(
    engine: Engine,
) -> None:
    asked: list[bool] = []

    def goes_on() -> bool:
        asked.append(True)
        return len(asked) < 2

    whole = curves(list(engine.run(request(0))))
    events = list(engine.run(replace(request(0), rungs=(1, 2)), goes_on))
    assert [type(event) for event in events] == [Started, EpochDone, EpochDone, Finished]
    assert curves(events) == whole[:2]
    assert isinstance(events[-1], Finished)
    assert events[-1].accuracy == whole[1][-1]


def test_the_seconds_of_a_trial_add_up(engine: Engine) -> None:
    *_, done, end = engine.run(request(0))
    timing = end.timing
    assert timing.train_seconds + timing.eval_seconds == pytest.approx(
        done.epochs[0].elapsed_seconds
    )
    assert timing.images_per_second == pytest.approx(3 * 288 / timing.train_seconds)
    assert timing.trace_seconds > 0
    assert timing.device_bytes > 0


def with_sleeps(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, validations: Iterator[float]
) -> float:
    """The share of validation in a trial whose validations sleep so long, and its epochs 0.2 s."""
    train = engine_module.train

    def slow(wanted: TrialRequest, program: Program, *rest: object) -> Iterator[Event]:
        def epoch(*args: object) -> object:
            time.sleep(0.2 if args[-1] else next(validations))
            return jax.block_until_ready(program.epoch(*args))

        return train(wanted, replace(program, epoch=epoch), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(engine_module, "train", slow)
    *_, end = engine.run(request(0))
    assert isinstance(end, Finished)
    return end.timing.eval_seconds / (end.timing.eval_seconds + end.timing.train_seconds)


def test_a_hiccup_of_one_validation_is_not_taken_for_what_it_costs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_sleeps(engine, monkeypatch, iter([0.0, 0.5, *[0.0] * 9])) < 0.1


def test_validation_takes_no_more_than_its_share_of_the_flops(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow every validation was that was timed: 144 images forward against 3 x 288."""
    share = with_sleeps(engine, monkeypatch, repeat(0.3))
    assert share == pytest.approx(144 / (144 + 3 * 288))


def test_curves_are_the_same_to_the_bit_with_and_without_compiling_ahead(engine: Engine) -> None:
    other = mixer(patch_size=2, hidden_dim=24, num_blocks=2)
    alone = curves(list(engine.run(request(0))))
    again = []
    for event in engine.run(request(0)):
        if isinstance(event, Started):
            engine.compile_ahead(other, RECIPE, 1)
        again.append(event)
    assert curves(again) == alone
    ahead = curves(list(engine.run(request(0, config=other))))
    assert curves(list(engine.run(request(0, config=other)))) == ahead


def test_what_was_announced_is_not_compiled_a_second_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []
    compile_program = engine_module.compile_program

    def counting(config: MixerConfig, *args: object, **kwargs: object) -> Program:
        compiled.append(config)
        return compile_program(config, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(engine_module, "compile_program", counting)
    engine.compile_ahead(MIXER, RECIPE, 1)
    list(engine.run(request(0)))
    assert compiled == [MIXER]


def test_every_seed_has_its_own_curve_and_its_share_of_the_seconds(engine: Engine) -> None:
    events = list(engine.run(request(3, 4, 5)))
    ends = [event for event in events if isinstance(event, Finished)]
    assert [end.trial for end in ends] == [10, 11, 12]
    assert len({end.loss for end in ends}) == 3
    assert len({end.timing.train_seconds for end in ends}) == 1
    alone = curves(list(engine.run(request(4))))
    together = [curve for curve in curves(events) if curve[0] == 11]
    assert together[0][2] == pytest.approx(alone[0][2], abs=1e-5)


def test_a_seed_that_diverges_fails_and_the_others_train_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = engine_module.train

    def broken(wanted: TrialRequest, program: Program, *rest: object) -> Iterator[Event]:
        def epoch(*args: object) -> object:
            state, metrics = program.epoch(*args)
            spoilt = metrics.validation_loss.at[1].set(math.nan)
            return state, metrics._replace(validation_loss=spoilt)

        return train(wanted, replace(program, epoch=epoch), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(engine_module, "train", broken)
    events = list(engine.run(replace(request(0, 1, 2), predicts=True)))
    assert [event.trial for event in events if isinstance(event, Predicted)] == [10, 12]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.trial == 11
    assert "not finite at step 9 (epoch 1)" in failed.reason
    assert failed.timing is not None
    ends = [event for event in events if isinstance(event, Finished)]
    assert [end.trial for end in ends] == [10, 12]
    spent = sum(end.timing.train_seconds + end.timing.eval_seconds for end in [failed, *ends])
    last = [event for event in events if isinstance(event, EpochDone)][-1]
    elapsed = sum(epoch.elapsed_seconds for epoch in last.epochs)
    assert spent == pytest.approx(
        elapsed + failed.timing.train_seconds + failed.timing.eval_seconds
    )


def test_a_trial_that_diverges_names_the_step(data: DeviceData) -> None:
    wild = RECIPE.model_copy(update={"learning_rate": 1e30, "warmup": 0.0, "clip_norm": 1e30})
    with Engine(data, jax.devices()[0]) as engine:
        *_, last = engine.run(request(0, recipe=wild))
    assert isinstance(last, Failed)
    assert last.failure is Failure.DIVERGED
    assert last.reason.startswith("diverged: the loss was not finite at step ")


FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8589934592 bytes.\nmore"


@pytest.mark.parametrize("when", ["compiling", "training"])
@pytest.mark.parametrize("announced", [True, False])
def test_a_device_without_room_fails_the_trial_and_serves_the_next(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, when: str, announced: bool
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise jax.errors.JaxRuntimeError(FULL)

    with monkeypatch.context() as patched:
        patched.setattr(engine_module, "compile_program" if when == "compiling" else "train", full)
        if announced:
            engine.compile_ahead(MIXER, RECIPE, 2)
        events = list(engine.run(request(0, 1)))
    assert [event.trial for event in events if isinstance(event, Failed)] == [10, 11]
    assert len(events) == 2
    assert {event.failure for event in events} == {Failure.OUT_OF_MEMORY}
    assert "out of memory" in events[0].reason
    assert "8589934592 bytes" in events[0].reason
    assert "batch size 32" in events[0].reason
    *_, end = engine.run(request(0))
    assert isinstance(end, Finished)


def test_what_cannot_fit_is_not_even_compiled(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small:
        """A device that says how little memory it has."""

        device_kind = "small"
        platform = "cpu"

        def memory_stats(self) -> dict[str, int]:
            return {"bytes_limit": 2**20}

    small: Any = Small()
    monkeypatch.setattr(engine, "_device", small)
    monkeypatch.setattr(engine, "_memory_bytes", memory_bytes(small))
    monkeypatch.setattr(engine_module, "compile_program", None)  # would raise if called
    large = mixer(hidden_dim=512, num_blocks=8)
    engine.compile_ahead(large, RECIPE, 1)
    (event,) = engine.run(request(0, config=large))
    assert isinstance(event, Failed)
    assert event.failure is Failure.DOES_NOT_FIT
    assert event.reason.startswith("does not fit: training needs at least ")
    assert event.reason.endswith(", small has 0.00")


@pytest.mark.parametrize(
    ("error", "last"),
    [
        (
            jax.errors.JaxRuntimeError("INTERNAL: something else\nat length"),
            Broken("its device failed: INTERNAL: something else", Failure.LOST_WORKER),
        ),
        (MemoryError(), Broken("its process ran out of memory", Failure.OUT_OF_MEMORY)),
    ],
)
def test_any_other_error_of_the_device_is_its_last_event(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception, last: Broken
) -> None:
    def broken(*args: object) -> None:
        raise error

    monkeypatch.setattr(engine_module, "train", broken)
    assert list(engine.run(request(0))) == [last]


def test_a_bug_is_not_swallowed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("not of the device")

    monkeypatch.setattr(engine_module, "train", broken)
    with pytest.raises(RuntimeError, match="not of the device"):
        list(engine.run(request(0)))
