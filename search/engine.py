"""The trainer of a study: one device, its data, and a thread that compiles one network ahead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import jax

from search.device_data import DeviceData
from search.devices import compute_dtype
from search.program import Program, compile_program
from search.recipe import Recipe
from search.trial import Event, Failed, TrialRequest, train
from space.config import Config
from space.cost import training_bytes


class Engine:
    """Trains what is requested; compiles what is announced while something else trains.

    Args:
        recipe: of every trial.
        data: on the device.
        device: where to train.
    """

    def __init__(self, recipe: Recipe, data: DeviceData, device: jax.Device) -> None:
        self._recipe = recipe
        self._data = data
        self._device = device
        self._compiler = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compiler")
        self._announced: dict[tuple[Config, int], Future[Program]] = {}

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._compiler.shutdown(wait=False, cancel_futures=True)

    def announce(self, config: Config, num_seeds: int) -> None:
        """Begins to compile for a request that will come, in the background."""
        if not self._shortage(config, num_seeds):
            self._announced[config, num_seeds] = self._compiler.submit(
                self._compile, config, num_seeds
            )

    def run(self, request: TrialRequest) -> Iterator[Event]:
        """As `search.trial.train`; a device without room ends every trial as `Failed`.

        Any other exception is a bug and escapes.
        """
        num_seeds = len(request.seeds)
        shortage = self._shortage(request.config, num_seeds)
        if shortage:
            yield from self._all_failed(request, shortage)
            return
        ended = set()
        try:
            compiled = self._announced.pop((request.config, num_seeds), None)
            program = compiled.result() if compiled else self._compile(request.config, num_seeds)
            for event in train(request, program, self._data, self._device):
                if isinstance(event, Failed):
                    ended.add(event.trial)
                yield event
        except jax.errors.JaxRuntimeError as error:
            if not str(error).startswith("RESOURCE_EXHAUSTED"):
                raise
            need = training_bytes(request.config, self._recipe.batch_size) * num_seeds / 2**30
            reason = (
                f"out of memory on {self._device.device_kind}: training needs at least "
                f"{need:.2f} GiB by estimate at batch size {self._recipe.batch_size}; "
                f"{str(error).splitlines()[0]}"
            )
            yield from (e for e in self._all_failed(request, reason) if e.trial not in ended)

    def _compile(self, config: Config, num_seeds: int) -> Program:
        dtype = compute_dtype(self._device)
        return compile_program(config, self._recipe, self._data, dtype, num_seeds=num_seeds)

    def _shortage(self, config: Config, num_seeds: int) -> str | None:
        """Why it is no use to compile for this device, in words; None if it may fit."""
        statistics = self._device.memory_stats() or {}  # a CPU has none
        limit = statistics.get("bytes_limit")
        width = compute_dtype(self._device).dtype.itemsize
        need = num_seeds * training_bytes(config, self._recipe.batch_size, width)
        if limit is None or need <= limit:
            return None
        return (
            f"does not fit on {self._device.device_kind}: training needs at least "
            f"{need / 2**30:.2f} GiB at batch size {self._recipe.batch_size}, "
            f"the device has {limit / 2**30:.2f}"
        )

    def _all_failed(self, request: TrialRequest, reason: str) -> list[Failed]:
        return [Failed(trial=number, reason=reason) for number in request.numbers]
