"""How a running study looks: a live panel in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runs.record import EpochRecord, Origin, State, TrialRecord
from search.report.lines import print_line
from search.report.status import Running, StudyStatus
from space.costs import Cost
from space.quantities import format_seconds
from space.wrapped import wrapped

if TYPE_CHECKING:
    from search.protocol import Reporter


_TOLD = (State.REFUSED, State.PRUNED, State.FAILED)
"""Other ends than a complete trial."""

_ALL_OF_A_LINE = 130
"""Characters that a line on a trial takes, with everything in it."""


@contextmanager
def open_reporter(console: Console, status: StudyStatus) -> Iterator[Reporter]:
    """The reporter for the console: a panel in a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield PlainReporter(console, status)
        return
    reporter = LiveReporter(console, status)
    with Live(get_renderable=reporter.panel, console=console, refresh_per_second=4, transient=True):
        yield reporter


class PlainReporter:
    """A line a trial, for logs."""

    def __init__(self, console: Console, status: StudyStatus) -> None:
        self._console = console
        self._status = status

    def started(self, trial: TrialRecord) -> None:
        self._status.start(trial)

    def epoch(self, epoch: EpochRecord) -> None:
        self._status.add_epoch(epoch)

    def ended(self, trial: TrialRecord) -> None:
        status, baselines = self._status, self._status.ended_baselines
        status.end(trial)
        if trial.state is State.REFUSED:
            return
        done = _done(status)
        if status.goal and trial.origin is Origin.BASELINE:  # which are no part of the goal
            number = min(baselines + 1, status.baselines)
            done = f"baseline {number} of {status.baselines}"
        left = status.seconds_left
        self.note(
            progress_line(
                self._console,
                done,
                trial,
                status.study.cost,
                [f"({format_seconds(left)} left)"] if left else [],
            )
        )

    def note(self, sentence: str) -> None:
        print_line(self._console, sentence)


class LiveReporter(PlainReporter):
    """The same lines scrolling by, and below them where the study stands now."""

    def panel(self) -> Group:
        """Drawn anew four times a second."""
        status = self._status
        counts = status.counts
        left = status.seconds_left
        bar = progress_bar(
            status.finished if status.goal else status.finished_baselines,
            status.goal or status.baselines,
            f"{status.finished} of {status.goal} trials",
            f"{format_seconds(left)} left" if left else "",
        )
        front = status.front
        state = [
            f"best {_percent(front[-1].accuracy)}" if front else "best -",
            f"front {len(front)}",
            f"hypervolume {status.hypervolume:.3f}",
            f"baselines {status.finished_baselines} of {status.baselines}",
            *(f"{state.value} {counts[state]}" for state in _TOLD if counts[state]),
        ]
        lines = [_running(running, status.study.cost) for running in status.running]
        lines = [*(lines or ["asking for the next configuration"]), "  ".join(state)]
        return Group(bar, *(Text(wrapped(line, self._console.width)) for line in lines))


def progress_bar(done: int, goal: int, *words: str) -> Table:
    """A bar that fits 60 characters, and words behind it that do not break."""
    bar = Table.grid(padding=(0, 1))
    for _ in range(len(words) + 1):
        bar.add_column(no_wrap=True)
    bar.add_row(ProgressBar(total=goal, completed=done, width=24), *words)
    return bar


def progress_line(
    console: Console, done: str, trial: TrialRecord, cost: Cost, more: Sequence[str]
) -> str:
    """A trial that ended, in one line: a terminal of 80 characters gets less of it than a log.

    Args:
        console: where it is printed.
        done: how far the study is.
        trial: as it ended.
        cost: what the study minimises.
        more: what else is told; where there is no room for all, the first.
    """
    is_narrow = console.is_terminal and console.width < _ALL_OF_A_LINE
    spent = cost.shortly(trial.cost(cost) or 0)
    if is_narrow:
        line = f"{done}  trial {trial.number}  {trial.label}  {spent}"
    else:
        line = f"{done}  trial {trial.number:>3}  {trial.label:<30} {spent:>13}"
    if trial.accuracy is None:
        return "  ".join([line, *more, f"{trial.state.value}: {trial.error}"])
    line += f"  accuracy {_percent(trial.accuracy)}"
    if trial.state is State.PRUNED:
        line += f"  stopped after epoch {trial.rung} of {trial.epochs}"
    if trial.timing:
        trained = trial.timing.train_seconds + trial.timing.eval_seconds
        times = f"compile {trial.timing.compile_seconds:.1f} s  train {trained:.1f} s"
        more = [*more, times] if is_narrow else [times, *more]
    for part in more:
        if is_narrow and len(f"{line}  {part}") > console.width:
            break
        line += f"  {part}"
    return line


def _running(running: Running, cost: Cost) -> str:
    trial, epoch = running.trial, running.last_epoch
    kind = "trial" if trial.origin is Origin.SEARCH else trial.origin.value
    line = f"{kind} {trial.number}  {trial.label}  {cost.shortly(trial.cost(cost) or 0)}  "
    if epoch is None:
        return line + "compiling"
    return (
        f"{line}epoch {epoch.epoch} of {trial.epochs}  "
        f"accuracy {_percent(epoch.validation_accuracy)}  "
        f"{running.images_per_second or 0:,.0f} images/s"
    )


def _done(status: StudyStatus) -> str:
    if status.goal == 0:  # nothing is searched for
        return f"[{status.finished_baselines}/{status.baselines}]"
    width = len(str(status.goal))
    return f"[{status.finished:>{width}}/{status.goal}]"


def _percent(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{100 * accuracy:.1f} %"
