"""How a running study looks: a live panel in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runs.record import EpochRecord, Origin, State, TrialRecord
from search.report.status import Running, StudyStatus
from space.command import visible
from space.costs import FLOPS, Cost
from space.quantities import format_seconds

if TYPE_CHECKING:
    from search.protocol import Reporter


@contextmanager
def open_reporter(console: Console, status: StudyStatus) -> Iterator[Reporter]:
    """The reporter for the console: a panel in a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield PlainReporter(console, status)
        return
    reporter = LiveReporter(console, status)
    with Live(get_renderable=reporter.panel, console=console, refresh_per_second=4, transient=True):
        yield reporter


def print_line(console: Console, line: str) -> None:
    """A line as it is, however long; what a terminal would obey is shown instead."""
    console.print(visible(line), markup=False, emoji=False, highlight=False, soft_wrap=True)


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
        self._status.end(trial)
        if trial.state is not State.REFUSED:
            line = trial_line(trial, self._status.study.cost)
            self._print(f"{_done(self._status)}  {line}{_left(self._status)}")

    def note(self, sentence: str) -> None:
        self._print(sentence)

    def _print(self, line: str) -> None:
        self._console.print(Text(visible(line)), soft_wrap=True)


class LiveReporter(PlainReporter):
    """The same lines scrolling by, and below them where the study stands now."""

    def panel(self) -> Group:
        """Drawn anew four times a second."""
        status = self._status
        counts = status.counts
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(
                total=status.goal or status.baselines,
                completed=status.finished if status.goal else status.finished_baselines,
                width=30,
            ),
            f"{status.finished} of {status.goal} trials",
            f"baselines {status.finished_baselines} of {status.baselines}",
            f"refused {counts[State.REFUSED]}",
            f"stopped {counts[State.PRUNED]}",
            f"failed {counts[State.FAILED]}",
            _left(status).strip(" ()"),
        )
        front = status.front
        best = f"best {_percent(front[-1].accuracy)}" if front else "best -"
        state = f"{best}   front {len(front)}   hypervolume {status.hypervolume:.3f}"
        lines = [_running(running, status.study.cost) for running in status.running]
        asking = ["asking for the next configuration"]
        return Group(bar, *(Text(line) for line in lines or asking), Text(state))


def trial_line(trial: TrialRecord, cost: Cost = FLOPS) -> str:
    """A trial that ended, in one line, with what the study minimises."""
    line = f"trial {trial.number:>3}  {trial.label:<30} {cost.shortly(trial.cost(cost) or 0):>13}"
    if trial.accuracy is None:
        return f"{line}  {trial.state.value}: {trial.error}"
    seconds = ""
    if trial.timing:
        spent = trial.timing.train_seconds + trial.timing.eval_seconds
        seconds = f"  compile {trial.timing.compile_seconds:.1f} s  train {spent:.1f} s"
    stopped = f"  stopped after epoch {trial.rung} of {trial.epochs}"
    how = stopped if trial.state is State.PRUNED else ""
    return f"{line}  accuracy {_percent(trial.accuracy)}{how}{seconds}"


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


def _left(status: StudyStatus) -> str:
    left = status.seconds_left
    return f"  ({format_seconds(left)} left)" if left else ""


def _percent(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{100 * accuracy:.1f} %"
