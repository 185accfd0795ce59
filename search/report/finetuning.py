"""How a fine-tuning looks, and what it found."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from runs.pace import seconds_left
from runs.record import EpochRecord, State, TrialRecord
from search.report.lines import print_line
from search.report.progress import progress_line
from space.costs import FLOPS
from space.quantities import format_seconds
from space.wrapped import wrapped

if TYPE_CHECKING:
    from search.protocol import Reporter


@contextmanager
def open_reporter(console: Console, goal: int, ended: int) -> Iterator[Reporter]:
    """A line a training, and in a terminal a panel of what trains now.

    Args:
        console: where it is shown.
        goal: how many trainings there are to be.
        ended: how many have ended before.
    """
    reporter = FinetuningReporter(console, goal, ended)
    if not console.is_terminal:
        yield reporter
        return
    with Live(get_renderable=reporter.panel, console=console, refresh_per_second=4, transient=True):
        yield reporter


class FinetuningReporter:
    """A line a training."""

    def __init__(self, console: Console, goal: int, ended: int) -> None:
        self._console = console
        self._goal, self._ended, self._before = goal, ended, ended
        self._running: dict[int, tuple[TrialRecord, EpochRecord | None]] = {}
        """By number, with the last epoch that is over."""
        self._began = time.monotonic()

    def started(self, trial: TrialRecord) -> None:
        self._running = {**self._running, trial.number: (trial, None)}

    def epoch(self, epoch: EpochRecord) -> None:
        if epoch.trial in self._running:
            trial, _ = self._running[epoch.trial]
            self._running = {**self._running, epoch.trial: (trial, epoch)}

    def ended(self, trial: TrialRecord) -> None:
        self._running = {n: pair for n, pair in self._running.items() if n != trial.number}
        self._ended += 1
        missing = self._goal - self._ended
        ended = self._ended - self._before
        seconds = seconds_left(missing, ended, time.monotonic() - self._began)
        left = [f"({format_seconds(seconds)} left)"] if seconds else []
        done = f"[{self._ended:>{len(str(self._goal))}}/{self._goal}]"
        more = [f"seed {trial.seed}", *left]
        self.note(progress_line(self._console, done, trial, FLOPS, more))

    def note(self, sentence: str) -> None:
        print_line(self._console, sentence)

    def panel(self) -> Group:
        """Drawn anew four times a second."""
        lines = [_running(*pair) for pair in self._running.values()]
        return Group(*(Text(wrapped(line, self._console.width)) for line in lines))


def _running(trial: TrialRecord, epoch: EpochRecord | None) -> str:
    line = f"trial {trial.number}  {trial.label}  seed {trial.seed}  "
    if epoch is None:
        return line + "compiling"
    return (
        f"{line}epoch {epoch.epoch} of {trial.epochs}  "
        f"accuracy {100 * epoch.validation_accuracy:.1f} %"
    )


def accuracy_line(trials: Sequence[TrialRecord]) -> str | None:
    """What the seeds reached; None where none is complete."""
    found = [t for t in trials if t.state is State.COMPLETE and t.accuracy is not None]
    if not found:
        return None
    accuracies = [100 * (t.accuracy or 0.0) for t in found]
    line = f"{found[0].label}, {found[0].epochs} epochs: accuracy {fmean(accuracies):.1f} %"
    if len(found) > 1:
        each = ", ".join(
            f"seed {t.seed} {accuracy:.1f}" for t, accuracy in zip(found, accuracies, strict=True)
        )
        line += (
            f" (mean of {len(found)}; standard deviation {stdev(accuracies):.1f} points; {each})"
        )
    return f"{line} on the validation split"
