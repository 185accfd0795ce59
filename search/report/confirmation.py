"""How a confirmation looks: what it trains, how far it is, and what it found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runs.confirmation.intervals import Interval
from runs.confirmation.membership import Membership
from runs.confirmation.sentence import read_times
from runs.confirmed import Confirmed
from runs.record import EpochRecord, Origin, State, StudyRecord, TrialRecord
from search.report.lines import print_line
from search.report.progress import progress_bar, progress_line
from search.spec.confirmation import ConfirmationTask
from space.command import visible
from space.costs import Cost
from space.quantities import counted, format_count, format_seconds
from space.wrapped import wrapped

if TYPE_CHECKING:
    from search.protocol import Reporter


class ConfirmationProgress:
    """Counts trainings. Numbers only.

    Args:
        task: what is trained, and what was before.
        cost: what the study minimises.
    """

    def __init__(self, task: ConfirmationTask, cost: Cost) -> None:
        self.cost = cost
        self.goal = task.num_trainings
        flops: dict[int | None, float] = {
            network.parent.number: each
            for network, each in zip(task.networks, task.training_flops, strict=True)
        }
        self._flops = flops
        self.ended = sum(len(network.complete) for network in task.networks)
        self._mean_flops = sum(flops.values()) / len(flops)
        self.running: dict[int, tuple[TrialRecord, EpochRecord | None]] = {}
        """By number, with the last epoch that is over."""
        self._began = time.monotonic()
        self._spent = 0.0

    def start(self, trial: TrialRecord) -> None:
        """A training begins."""
        self.running = {**self.running, trial.number: (trial, None)}

    def add_epoch(self, epoch: EpochRecord) -> None:
        """A training is an epoch further."""
        if epoch.trial in self.running:
            trial, _ = self.running[epoch.trial]
            self.running = {**self.running, epoch.trial: (trial, epoch)}

    def end(self, trial: TrialRecord) -> None:
        """A training is over."""
        self.running = {n: pair for n, pair in self.running.items() if n != trial.number}
        self.ended += 1
        self._spent += self._flops.get(trial.parent, self._mean_flops)

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this process, by FLOPs; None before its first training ended."""
        if not self._spent:
            return None
        missing = (self.goal - self.ended) * self._mean_flops
        return max(0.0, missing) * (time.monotonic() - self._began) / self._spent


@contextmanager
def open_reporter(console: Console, progress: ConfirmationProgress) -> Iterator[Reporter]:
    """A panel below the lines in a terminal, lines alone elsewhere."""
    reporter = ConfirmationReporter(console, progress)
    if not console.is_terminal:
        yield reporter
        return
    with Live(get_renderable=reporter.panel, console=console, refresh_per_second=4, transient=True):
        yield reporter


class ConfirmationReporter:
    """A line a training."""

    def __init__(self, console: Console, progress: ConfirmationProgress) -> None:
        self._console = console
        self._progress = progress

    def started(self, trial: TrialRecord) -> None:
        self._progress.start(trial)

    def epoch(self, epoch: EpochRecord) -> None:
        self._progress.add_epoch(epoch)

    def ended(self, trial: TrialRecord) -> None:
        self._progress.end(trial)
        progress = self._progress
        width = len(str(progress.goal))
        left = progress.seconds_left
        more = [f"seed {trial.seed}", *([f"({format_seconds(left)} left)"] if left else [])]
        done = f"[{progress.ended:>{width}}/{progress.goal}]"
        self.note(progress_line(self._console, done, trial, progress.cost, more))

    def note(self, sentence: str) -> None:
        print_line(self._console, sentence)

    def panel(self) -> Group:
        """Drawn anew four times a second."""
        progress = self._progress
        left = progress.seconds_left
        bar = progress_bar(
            progress.ended,
            progress.goal,
            f"{progress.ended} of {progress.goal} trainings",
            f"{format_seconds(left)} left" if left else "",
        )
        lines = [
            f"trial {trial.number}  {trial.label}  seed {trial.seed}  "
            + (f"epoch {epoch.epoch} of {trial.epochs}" if epoch else "compiling")
            for trial, epoch in progress.running.values()
        ]
        return Group(bar, *(Text(wrapped(line, self._console.width)) for line in lines))


def plan_lines(
    study: StudyRecord,
    plan: dict[str, Any],
    task: ConfirmationTask,
    has_test: bool,
    *,
    is_new: bool,
) -> Iterator[str]:
    """What is trained, and who is left out."""
    searched = [n for n in task.networks if n.parent.origin is Origin.SEARCH]
    given = len(task.networks) - len(searched)
    more = f" and {counted(given, 'baseline')}" if given else ""
    done = sum(len(network.trials) for network in task.networks)
    begun = "" if is_new else ", as they were fixed when it began"
    how = "" if task.is_uniform or task.first_round == task.seeds else " in the mean"
    yield (
        f"{'confirming' if is_new else 'going on with the confirmation of'} {study.name}: "
        f"{counted(len(searched), 'configuration')} of its search{more}{begun}, {task.seeds} "
        f"seeds{how}, "
        f"from seed {task.first_seed} on" + (f"; {done} trainings are there" if done else "")
    )
    left_out = plan["left_out"]
    if left_out:
        some = ", ".join(str(number) for number in left_out[:10])
        yield (
            f"left out, though they may be on the front: {counted(len(left_out), 'trial')} "
            f"({some}{', ...' if len(left_out) > 10 else ''}); --candidates N takes more"
        )
    if not has_test:
        yield "the data set has no test split: validation both chooses and reports"


def show(console: Console, found: Confirmed) -> None:
    """Prints what a confirmation says."""
    console.print()
    console.print(confirmed_table(found))
    for line in confirmed_lines(found):
        print_line(console, line)


def confirmed_table(found: Confirmed) -> Table:
    """Every network, group by group, cheapest first; accuracies and intervals in percent."""
    split = "test" if found.is_tested else "validation"
    title = f"Confirmed front of {found.study.name}, {split} accuracy over fresh seeds in %"
    table = Table(
        title=Text(visible(title), no_wrap=True, overflow="ignore"),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    cost = found.study.cost
    columns = ("trial", "network", min(cost.label, cost.name, key=len), "seeds", "accuracy")
    for column in (*columns, "front", "search"):
        left = column in {"network", "front"}
        table.add_column(Text(column), justify="left" if left else "right", no_wrap=True)
    for group in dict.fromkeys(found.groups):
        members = [i for i, other in enumerate(found.groups) if other == group]
        if len(set(found.groups)) > 1:
            table.add_row("", Text(group, style="bold"))
        for i in members:
            table.add_row(*_row(found, i))
    return table


def _row(found: Confirmed, i: int) -> list[RenderableType]:
    accuracy, optimism, network = found.accuracies[i], found.optimism[i], found.networks[i]
    return [
        str(network.parent.number),
        Text(network.parent.short_label),
        format_count(found.costs[i]),
        str(len(network.trials)),
        f"{100 * accuracy.value:.1f} ({100 * accuracy.low:.1f}, {100 * accuracy.high:.1f})",
        found.memberships[i].value,
        "stopped" if optimism is None else f"{100 * optimism.value:+.1f}",
    ]


def confirmed_lines(found: Confirmed) -> Iterator[str]:
    """What the table says, in sentences."""
    counts = {kind: found.memberships.count(kind) for kind in Membership}
    yield (
        f"{counts[Membership.ON]} on the front of their group, {counts[Membership.OFF]} off, "
        f"{counts[Membership.UNDECIDED]} undecided, by fresh validation; search: how many points "
        "more the search's one training had on validation"
    )
    for network in found.failed:
        failed = sum(trial.state is State.FAILED for trial in network.trials)
        yield (
            f"trial {network.parent.number}, {network.parent.label}, is not judged: "
            f"{failed} of {counted(len(network.trials), 'training')} failed"
        )
    for group, volume in found.hypervolumes.items():
        yield (
            f"hypervolume of {group}: {volume.value:.3f} ({volume.low:.3f} to {volume.high:.3f})"
        )
    for difference in found.comparisons:
        one, other = difference.families
        volume = difference.hypervolume
        yield (
            f"{one} less {other}, where both have a member: {volume.value:+.3f} "
            f"({volume.low:+.3f} to {volume.high:+.3f}) accuracy x decades"
        )
    if not found.comparisons:
        yield "there is one family only: nothing is compared"
    yield from found.sentences()
    yield f"intervals of {100 * found.level:g} %; {read_times(found.readings)}"


def facts(found: Confirmed) -> dict[str, Any]:
    """For `--json`."""

    def interval(found: Interval | None) -> dict[str, float] | None:
        if found is None:
            return None
        return {"value": found.value, "low": found.low, "high": found.high}

    return {
        "study": found.study.name,
        "confirmation": found.record.number,
        "split": "test" if found.is_tested else "validation",
        "test_readings": found.readings or 0,
        "level": found.level,
        "networks": [
            {
                "trial": network.parent.number,
                "label": network.parent.label,
                "group": found.groups[i],
                "cost": float(found.costs[i]),
                "config": network.parent.config.model_dump(mode="json"),
                "seeds": [trial.seed for trial in network.trials],
                "validation_accuracies": [trial.accuracy for trial in network.trials],
                "accuracy": interval(found.accuracies[i]),
                "support": float(found.support[i]),
                "membership": found.memberships[i].value,
                "search_accuracy": network.parent.accuracy,
                "optimism": interval(found.optimism[i]),
            }
            for i, network in enumerate(found.networks)
        ],
        "failed": [network.parent.number for network in found.failed],
        "left_out": found.record.plan["left_out"],
        "hypervolumes": [
            {"group": group, "hypervolume": interval(volume)}
            for group, volume in found.hypervolumes.items()
        ],
        "comparisons": [
            {
                "of": list(difference.families),
                "costs": difference.starts.tolist(),
                "ceiling": difference.ceiling,
                "difference": difference.value.tolist(),
                "low": difference.low.tolist(),
                "high": difference.high.tolist(),
                "hypervolume": interval(difference.hypervolume),
            }
            for difference in found.comparisons
        ],
        "sentences": found.sentences(),
    }
