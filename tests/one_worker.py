"""A worker without a process of its own: whoever asks for events trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from runs.record import Environment
from search.protocol import Event, RequestDone, TrialRequest, WorkerDied
from search.spec.recipe import Recipe
from space.config import Config


class Trainer(Protocol):
    """What trains within a process: `search.train.engine.Engine`, or something quicker."""

    def compile_ahead(self, config: Config, recipe: Recipe, num_seeds: int) -> None: ...

    def run(self, request: TrialRequest, goes_on: Callable[[], bool]) -> Iterator[Event]: ...


class OneWorker:
    """`search.protocol.Workers` over one trainer."""

    count = 1

    def __init__(self, trainer: Trainer, environment: Environment) -> None:
        self.environment = environment
        self._trainer = trainer
        self._events: Iterator[Event] = iter(())
        self._goes_on = True

    def compile_ahead(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        self._trainer.compile_ahead(config, recipe, num_seeds)

    def start(self, worker: int, request: TrialRequest) -> None:
        self._goes_on = True
        self._events = self._trainer.run(request, lambda: self._goes_on)

    def decide(self, worker: int, goes_on: bool) -> None:
        self._goes_on = goes_on

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        return 0, next(self._events, RequestDone())
