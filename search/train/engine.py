"""The trainer of a study: one device, its data, and a thread that compiles one network ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import jax

from runs.record import Failure
from search.protocol import Broken, Event, Failed, Finished, StartWeights, TrialRequest
from search.spec.recipe import Recipe
from search.train.device_data import DeviceData
from search.train.devices import compute_dtype, memory_bytes, step_bytes_needed
from search.train.program import Program, compile_program
from search.train.trial import train
from space.config import Config
from space.weights_file import params_in


class Engine:
    """Trains what is requested; compiles what is announced while something else trains.

    Args:
        data: on the device.
        device: where to train.
        sharers: how many processes train there, if it is a CPU.
        start: weights for requests that start from them.
    """

    def __init__(
        self,
        data: DeviceData,
        device: jax.Device,
        sharers: int = 1,
        start: StartWeights | None = None,
    ) -> None:
        self._data = data
        self._start = start
        self._params = params_in(start.content) if start else None
        self._device = device
        self._memory_bytes = memory_bytes(device, sharers)
        self._compiler = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compiler")
        self._announced: dict[tuple[Config, Recipe, int], Future[Program]] = {}

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._compiler.shutdown(wait=False, cancel_futures=True)

    def compile_ahead(self, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Begins to compile for a request that will come, in the background."""
        wanted = config, recipe, num_seeds
        if not self._shortage(*wanted):
            self._announced[wanted] = self._compiler.submit(self._compile, *wanted)

    def run(
        self,
        request: TrialRequest,
        goes_on: Callable[[], bool] = lambda: True,
        is_interrupted: Callable[[], bool] = lambda: False,
    ) -> Iterator[Event | Broken]:
        """As `search.train.trial.train`; a device without room ends every trial as `Failed`.

        Any other error of the device is `Broken`, the last event. An exception is a bug.
        """
        wanted = request.config, request.recipe, len(request.seeds)
        own = self._start.digest if self._start else None
        assert request.starts_from == own, "a worker is given the weights that requests start from"
        shortage = self._shortage(*wanted)
        if shortage:
            yield from self._all_failed(request, shortage, Failure.DOES_NOT_FIT)
            return
        ended = set()
        try:
            compiled = self._announced.pop(wanted, None)
            self._announced.clear()  # what was announced and is trained elsewhere
            program = compiled.result() if compiled else self._compile(*wanted)
            events = train(
                request, program, self._data, self._device, goes_on, is_interrupted, self._params
            )
            for event in events:
                if isinstance(event, Failed | Finished):
                    ended.add(event.trial)
                yield event
        except jax.errors.JaxRuntimeError as error:
            words = str(error).partition("\n")[0]
            if not words.startswith("RESOURCE_EXHAUSTED"):
                yield Broken(f"its device failed: {words}")
                return
            reason = f"out of memory: {self._need(*wanted)}; {words}"
            failed = self._all_failed(request, reason, Failure.OUT_OF_MEMORY)
            yield from (event for event in failed if event.trial not in ended)
        except MemoryError:
            yield Broken("its process ran out of memory", Failure.OUT_OF_MEMORY)

    def _compile(self, config: Config, recipe: Recipe, num_seeds: int) -> Program:
        dtype = compute_dtype(self._device)
        return compile_program(config, recipe, self._data, dtype, num_seeds=num_seeds)

    def _shortage(self, config: Config, recipe: Recipe, num_seeds: int) -> str | None:
        """Why it is no use to compile for this device, in words; None if it may fit."""
        have = self._memory_bytes
        need = num_seeds * step_bytes_needed(config, recipe.batch_size, self._device)
        if have is None or need <= have:
            return None
        return f"does not fit: {self._need(config, recipe, num_seeds)}"

    def _need(self, config: Config, recipe: Recipe, num_seeds: int) -> str:
        """What training takes at least and what the device has, in words."""
        have = self._memory_bytes
        need = num_seeds * step_bytes_needed(config, recipe.batch_size, self._device)
        has = "" if have is None else f", {self._device.device_kind} has {have / 2**30:.2f}"
        return (
            f"training needs at least {need / 2**30:.2f} GiB by estimate at batch size "
            f"{recipe.batch_size}{has}"
        )

    def _all_failed(self, request: TrialRequest, reason: str, failure: Failure) -> list[Failed]:
        return [Failed(trial=n, reason=reason, failure=failure) for n in request.numbers]
