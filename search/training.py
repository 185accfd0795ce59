"""Where and how trials are trained, as a command or a caller asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from runs.storage import has_password
from search.report.lines import print_line
from search.spec.retry import RetryPolicy
from search.spec.studies import StudyError
from search.study.checkpoint_folder import Checkpoints
from search.study.stop_signals import Stopping
from search.train.compile_cache import use_compile_cache
from search.train.devices import check_kind
from search.train.xla_options import use_xla_options, xla_options_come_too_late
from search.workers.processes import open_workers
from search.workers.spawned import check_may_start
from space.errors import MixerSearchError
from space.paths import as_path
from space.quantities import parse_duration

if TYPE_CHECKING:
    from search.protocol import StartWorkers

    OpenWorkers = AbstractContextManager[StartWorkers]


@dataclass(frozen=True, kw_only=True)
class Training:
    """Options of `search.run_study`: where, for how long, and what is kept meanwhile."""

    workers: int | str = "auto"
    workers_per_device: int = 1
    device: str = "auto"
    engine: str = "auto"
    ray_address: str | None = None
    timeout: str | float | None = None
    trial_timeout: str | float = "6h"
    retry_failed: bool = False
    checkpoint_every: str | float = "30s"
    checkpoint_dir: Path | str | None = None
    keep_checkpoints: bool = False

    def deadline(self) -> float | None:
        """Of `time.monotonic()`, if the time begins now; None where it is not limited."""
        if self.timeout is None:
            return None
        return time.monotonic() + _seconds("--timeout", self.timeout)

    def checkpoints(self) -> Checkpoints:
        """Looks whether they can be kept.

        Raises:
            MixerSearchError: they cannot.
        """
        checkpoints = Checkpoints(
            as_path(self.checkpoint_dir),
            _seconds("--checkpoint-every", self.checkpoint_every),
            self.keep_checkpoints,
        )
        checkpoints.check()
        return checkpoints

    @contextmanager
    def start(
        self, storage: str | None, console: Console, what: str = "trials", more: str = ""
    ) -> Iterator[tuple[StartWorkers, Callable[[], None]]]:
        """Opens workers, and hears Ctrl-C and SIGTERM while the block runs; says then what stays.

        Args:
            storage: database URL; None for the default.
            console: where it is said.
            what: are trained.
            more: a sentence after it.

        Yields:
            What starts the workers, and what the loop calls to hear whether it is to stop.

        Raises:
            MixerSearchError: as `open_workers`.
            KeyboardInterrupt: it was stopped.
        """
        stopping = Stopping()
        opened = self.open_workers(storage, stopping, partial(print_line, console))
        with _telling_what_stays(console, what, more), stopping.listen(), opened as start_workers:
            yield start_workers, stopping.check

    @property
    def retry(self) -> RetryPolicy:
        """Which trials that failed are tried again."""
        return RetryPolicy(failed=self.retry_failed, trial_seconds=self._trial_seconds)

    def open_workers(
        self, storage: str | None, stopping: Stopping, say: Callable[[str], None]
    ) -> OpenWorkers:
        """Workers of the engine that was asked for.

        Raises:
            MixerSearchError: there is no such device or engine, or what was asked does not go
                together.
        """
        check_kind(self.device)
        if self.engine not in {"auto", "local", "ray"}:
            raise StudyError(f"--engine {self.engine}: there is local and ray; choose one")
        if self.workers_per_device < 1:
            raise StudyError(
                f"--workers-per-device {self.workers_per_device}: a device has one worker or more; "
                "give 1 or more"
            )
        count = self._num_workers
        if self.engine == "ray":
            return self._ray_workers(count, storage)
        if self.ray_address is not None:
            raise StudyError(
                f"--ray-address {self.ray_address}: workers are processes of this machine "
                "(--engine local); add --engine ray"
            )
        is_here = self.engine == "auto" and count in {None, 1} and self.workers_per_device == 1
        if not is_here:
            check_may_start()
        elif xla_options_come_too_late():
            say(
                "JAX had started before this study: its options for compiling small networks "
                "faster come too late; to have them, call run_study before anything computes with "
                "JAX (in a notebook: restart the kernel)"
            )
        use_xla_options()
        use_compile_cache(say)
        if is_here:
            from search.workers.in_process import open_in_process  # JAX, which reads these settings

            return open_in_process(
                self.device, trial_seconds=self._trial_seconds, held=stopping.held
            )
        return open_workers(
            count,
            self.device,
            per_device=self.workers_per_device,
            trial_seconds=self._trial_seconds,
        )

    @property
    def _trial_seconds(self) -> float:
        return _seconds("--trial-timeout", self.trial_timeout)

    @property
    def _num_workers(self) -> int | None:
        """None for as many as there are accelerators."""
        if self.workers == "auto":
            return None
        if not str(self.workers).isdecimal() or int(self.workers) < 1:
            raise StudyError(
                f"--workers {self.workers}: neither a number from 1 on nor auto; give one"
            )
        return int(self.workers)

    def _ray_workers(self, count: int | None, storage: str | None) -> OpenWorkers:
        """Actors on a Ray cluster."""
        if storage and has_password(storage):
            raise StudyError(
                "--engine ray: Ray keeps the command line of whoever uses it, for all to see, and "
                "--storage holds a password; name the storage in MIXER_STORAGE, or keep the "
                "password in ~/.pgpass"
            )
        check_may_start()
        from search.workers.ray_pool import open_ray_workers

        return open_ray_workers(
            count,
            self.device,
            per_device=self.workers_per_device,
            address=self.ray_address or "auto",
            trial_seconds=self._trial_seconds,
        )


@contextmanager
def _telling_what_stays(console: Console, what: str, more: str) -> Iterator[None]:
    """Says, should the block be interrupted, that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        print_line(
            console,
            f"\nStopped. Finished {what} are stored; one that was running goes on from its last "
            f"checkpoint.{more}",
        )
        raise


def _seconds(option: str, duration: str | float) -> float:
    """A duration, whose error names the option."""
    text = duration if isinstance(duration, str) else f"{duration:f}s"
    try:
        return parse_duration(text)
    except MixerSearchError as error:
        raise StudyError(f"{option}: {error}") from None
