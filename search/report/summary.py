"""What a study found, for a terminal: the front with its noise, how it went, what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from types import MappingProxyType

from rich.table import Table
from rich.text import Text

from runs.accounting import account
from runs.convergence import Unconverged
from runs.hypervolume_lost import hypervolume_lost
from runs.noise import Noise, undecided
from runs.record import Failure, Origin, State, TrialRecord
from runs.seeds import by_configuration, over_seeds
from runs.stopped import stopped
from runs.winners import candidates
from search.report.noise_lines import accuracy_text
from search.report.status import StudyStatus
from search.spec.retry import causes
from space.command import visible
from space.families import find_family
from space.quantities import counted, format_count, format_seconds


def front_table(
    status: StudyStatus, noise: Noise, marks: Mapping[int, Unconverged] = MappingProxyType({})
) -> Table:
    """The search's front, cheapest first, and then the baselines.

    Args:
        status: of the study.
        noise: of its accuracies.
        marks: trials whose training had not converged, by number.
    """
    study = status.study
    table = Table(
        title=Text(
            visible(f"Front of {study.name}, accuracy on the validation split"),
            no_wrap=True,
            overflow="ignore",  # it may be wider than the table
        ),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),  # in a terminal of 80 characters
    )
    cost = study.cost
    given = over_seeds([t for t in status.trials if t.origin is Origin.BASELINE])
    is_mixed = len({*study.families, *(t.family for t in given)}) > 1
    found = "network" if is_mixed else find_family(study.families[0]).label
    unsure = {
        t.number for t in undecided(status.front, candidates(status.trials), noise, cost) or ()
    }
    for column in ("trial", found, min(cost.label, cost.name, key=len), "accuracy", ""):
        left = column in {found, ""}
        table.add_column(
            Text(column),
            justify="left" if left else "right",
            no_wrap=not left,
            min_width=None if column else len("undecided,"),
        )
    for trial in [*status.front, *given]:
        remarks = ["baseline"] if trial.origin is Origin.BASELINE else []
        remarks += ["undecided"] if trial.number in unsure else []
        remarks += [marks[trial.number]] if trial.number in marks else []
        table.add_row(
            str(trial.number),
            Text(trial.label if is_mixed else trial.short_label),
            format_count(trial.cost(cost) or 0),
            accuracy_text(trial.accuracy, noise.half_width(trial)),
            ", ".join(remarks),
        )
    return table


def counts_line(status: StudyStatus) -> str:
    """How the study's trials ended, in a sentence."""
    counts = status.counts
    parts = [f"{counted(counts[State.COMPLETE], 'trial')} complete"]
    parts += [
        f"{counts[state]} {state.value}"
        for state in (State.PRUNED, State.FAILED, State.REFUSED)
        if counts[state]
    ]
    failed = f" ({status.failed_baselines} failed)" if status.failed_baselines else ""
    parts.append(counted(status.finished_baselines, "baseline") + failed)
    seeds = status.study.spec.get("seeds", 1)
    if seeds > 1:
        parts[0] += f" ({seeds} a configuration)"
    return f"{', '.join(parts)}; hypervolume {status.hypervolume:.3f} (accuracy x decades)"


def retried_line(status: StudyStatus) -> str | None:
    """What became of trials that were tried again; None where there were none."""
    if not status.retried:
        return None
    retried = set(status.retried)
    ends = Counter(t.state.value for t in status.trials if t.number in retried)
    how = ", ".join(f"{count} {state}" for state, count in ends.most_common())
    return f"{len(retried)} tried again: {how}"


def failures_line(status: StudyStatus) -> str | None:
    """Why trials failed, baselines too, and what to do about it; None where none did."""
    failed = [trial for trial in status.trials if trial.state is State.FAILED]
    if not failed:
        return None
    line = f"{len(failed)} failed: {causes(failed)}"
    again = [trial for trial in failed if trial.may_be_tried_again]
    if not again:
        return line
    late = [trial for trial in again if trial.failure is Failure.TIMEOUT]
    whom = "it" if len(failed) == 1 else "them" if len(again) == len(failed) else f"{len(again)}"
    line += f"; try {whom} again with --retry-failed"
    if late:
        which = "" if len(late) == len(again) else f" {len(late)} of these"
        line += f", or{which} with a longer --trial-timeout"
    return line


def idle_line(status: StudyStatus, asked: int) -> str | None:
    """That there was nothing to train, and what to do; None where something was, or is left.

    Args:
        status: of the study, at its end.
        asked: how many trials it was to have, more than the goal where there are not so many.
    """
    if status.begun or status.finished < status.goal:
        return None
    if status.goal < asked:
        return (
            "nothing was left to train: the study has tried all there is within its budget; name "
            f"another with --study-name, and give it a larger space or {status.study.cost.option}"
        )
    verb = "has" if asked == 1 else "have"
    return (
        f"nothing was left to train: the {counted(asked, 'trial')} asked for {verb} ended; ask "
        "for more with --trials"
    )


def flat_line(status: StudyStatus, stop_when_flat: int | None) -> str | None:
    """That the study ended because its front no longer grows; None where it did not."""
    if status.ended(stop_when_flat) != "flat":
        return None
    return (
        f"the study ends here: its hypervolume has not grown over the last {stop_when_flat} trials "
        f"(--stop-when-flat {stop_when_flat}); without that the same command goes on to "
        f"{status.goal:,}"
    )


def accuracy_lines(status: StudyStatus, noise: Noise) -> list[str]:
    """Of configurations that were given, the mean over the seeds, and every seed."""
    lines = []
    for seeds in by_configuration(status.trials).values():
        found = [t for t in seeds if t.state is State.COMPLETE and t.accuracy is not None]
        if not found:
            continue
        accuracies = [100 * (t.accuracy or 0.0) for t in found]
        text = accuracy_text(fmean(accuracies) / 100, _arm(found, noise))
        line = f"{found[0].label}, {found[0].epochs} epochs: accuracy {text}"
        if len(found) > 1:
            each = ", ".join(
                f"seed {t.seed} {accuracy:.1f}"
                for t, accuracy in zip(found, accuracies, strict=True)
            )
            line += f", standard deviation {stdev(accuracies):.1f} points ({each})"
        lines.append(f"{line} on the validation split")
    return lines


def _arm(seeds: Sequence[TrialRecord], noise: Noise) -> float | None:
    """What stands after `±` of their mean; of the seeds of a configuration that are finished."""
    means = over_seeds(seeds)
    return noise.half_width(means[0]) if means else None


def nothing_line(status: StudyStatus) -> str | None:
    """Why the front is empty; None where it is not."""
    if status.front:
        return None
    if found := candidates(status.trials):
        best = max(t.accuracy or 0.0 for t in found)
        return f"no trial is as accurate as min_accuracy asks; the best has {100 * best:.1f} %"
    searched = (t for t in status.trials if t.origin is Origin.SEARCH)
    errors = Counter(t.error for t in searched if t.state is State.FAILED)
    if not errors:
        return "there is nothing to choose from yet; the same command goes on"
    ((error, times),) = errors.most_common(1)
    failed = counted(errors.total(), "trial")
    return f"there is nothing to choose from: {failed} failed, {times} of them with: {error}"


def stopping_line(status: StudyStatus) -> str | None:
    """What early stopping saved and what it may have cost; None where nothing was to be stopped."""
    found = stopped(status.trials, status.study.min_accuracy, status.study.cost)
    if not found.stopped and not found.exempt:
        return None
    line = (
        f"early stopping: {found.stopped} stopped, {100 * found.saved_share:.0f} % of the training "
        "compute saved"
    )
    if found.exempt:
        line += (
            f"; {found.exempt} more trained on to see whether that is right, "
            f"{found.exempt_on_front} of them on the front"
        )
    lost = hypervolume_lost(status.study, status.trials).sentence
    return f"{line}; {lost}" if lost else line


def time_line(status: StudyStatus) -> str | None:
    """How much of the study's wall clock its device trained; None where it is not known."""
    spent = account(status.trials)
    if spent.busy_share is None or spent.trials_per_hour is None:
        return None
    whose = "the device" if spent.worker_seconds == spent.wall_seconds else "a worker's device"
    return (
        f"{format_seconds(spent.wall_seconds)} in all, {spent.trials_per_hour:,.0f} trials an "
        f"hour; {whose} trained or validated {100 * spent.busy_share:.0f} % of it; "
        f"{spent.cache_hits} of {spent.programs} programs came from the cache"
    )
