"""Records to tables as a page shows them: numbers stay numbers, so that columns sort."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import fmean

import numpy as np
import pandas as pd

from runs.convergence import Unconverged
from runs.equal_cost import Comparison
from runs.noise import Noise, wilson
from runs.record import EpochRecord, Origin, State, TrialRecord
from runs.spent import short_revision
from runs.wording import flop_per_second, memory, percent, state_word, with_arm
from space.config import Config
from space.cost import cost as bill_of
from space.costs import FLOPS, PARAMS, Cost
from space.families import family_of


def front_table(
    front: Sequence[TrialRecord],
    noise: Noise,
    cost: Cost = FLOPS,
    *,
    several: Mapping[int, Sequence[float]] | None = None,
    name_families: bool = False,
    remarks: Mapping[int, str] | None = None,
) -> pd.DataFrame:
    """One row a trial.

    Columns: Trial, Configuration, FLOPs (millions), the cost by its label where it is another,
    Accuracy (percent); ± (half of its interval, in points) where it is known; Remarks where there
    are some, by number; Seeds (how many) where `several` has the accuracies behind a trial's mean,
    by number too; and Parameters.
    """
    rows = []
    for trial in front:
        row = {
            "Trial": trial.number,
            "Configuration": trial.label if name_families else trial.short_label,
            "FLOPs": trial.flops / 1e6,
            **_own(trial, cost),
            "Accuracy": _percent(trial),
        }
        if (arm := noise.half_width(trial)) is not None:
            row["±"] = 100 * arm
        if remarks:
            row["Remarks"] = remarks.get(trial.number, "")
        if several:
            row["Seeds"] = len(several.get(trial.number, [0.0]))
        rows.append(row | {"Parameters": trial.params})
    return pd.DataFrame(rows)


def equal_cost_table(
    comparisons: Sequence[Comparison], cost: Cost, marks: Mapping[int, Unconverged]
) -> pd.DataFrame:
    """One row a budget: the best of two families within it, and what lies between them.

    Columns: At most (the budget, written), a family's label and ± (each accuracy and half of its
    interval), Difference (points), 95 % (its interval), Verdict, and Remarks where some training
    had not converged.
    """
    rows = []
    for found in comparisons:
        row: dict[str, str] = {"At most": cost.shortly(found.budget)}
        for trial, arm in zip((found.one, found.other), found.arms, strict=True):
            row[family_of(trial.config).label] = with_arm(trial.accuracy, arm)
        row["Difference"] = f"{found.points:+.2f}"
        if found.difference:
            low, high = 100 * found.difference.low, 100 * found.difference.high
            row["95 %"] = f"{low:+.2f} to {high:+.2f}"
        row["Verdict"] = found.verdict(marks)
        if marks:
            row["Remarks"] = ", ".join(
                f"{family_of(trial.config).label} {marks[trial.number]}"
                for trial in (found.one, found.other)
                if trial.number in marks
            )
        rows.append(row)
    return pd.DataFrame(rows)


def layers_table(config: Config) -> pd.DataFrame:
    """What each kind of layer costs; the blocks are alike, so theirs are summed.

    Columns: Layer (its path in the parameter tree), Times, Parameters, FLOPs (millions),
    Share (of all FLOPs, in percent).
    """
    rows: dict[str, list[int]] = {}
    bill = bill_of(config)
    for layer in bill.layers:
        kind = re.sub(r"^(.*?)_\d+/", r"\1/", layer.name)  # the block's number
        row = rows.setdefault(kind, [0, 0, 0])
        rows[kind] = [row[0] + 1, row[1] + layer.params, row[2] + layer.flops]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["Times", "Parameters", "FLOPs"])
    frame["Share"] = 100 * frame["FLOPs"] / bill.flops
    frame["FLOPs"] /= 1e6
    return frame.rename_axis("Layer").reset_index()


def configuration(trial: TrialRecord) -> dict[str, str]:
    """The fields of a trial's configuration, and what its training was given."""
    fields = {name: str(value) for name, value in trial.config.model_dump().items()}
    return fields | {"epochs": str(trial.epochs), "seed": str(trial.seed)}


def circumstances(trial: TrialRecord) -> dict[str, str]:
    """When, where and for how long a trial ran, as far as it is known."""
    repeated = "" if trial.parent is None else f" of trial {trial.parent}"
    facts = {"origin": f"{trial.origin.value}{repeated}", "started": moment(trial.started_at)}
    if trial.finished_at is not None:
        facts["ended"] = moment(trial.finished_at)
    facts |= _times(trial)
    if trial.environment is not None:
        facts["device"] = trial.environment.device_kind
        facts["git revision"] = short_revision(trial.environment.git_revision)  # whole in the CSV
        facts |= dict(sorted(trial.environment.versions.items()))
    return facts


def _times(trial: TrialRecord) -> dict[str, str]:
    """What was measured of a trial."""
    facts = {}
    if trial.wall_seconds is not None:
        facts["of the study's wall clock"] = f"{trial.wall_seconds:,.1f} s"
    timing = trial.timing
    if timing is None:
        return facts
    if timing.trace_seconds is not None:
        facts["tracing"] = f"{timing.trace_seconds:,.2f} s"
    cached = ", from the cache" if timing.cache_hit else ""
    facts["compiling"] = f"{timing.compile_seconds:,.2f} s{cached}"
    facts["training"] = f"{timing.train_seconds:,.1f} s"
    facts["validating"] = f"{timing.eval_seconds:,.1f} s"
    facts["images per second"] = f"{timing.images_per_second:,.0f}"
    facts["training speed"] = flop_per_second(trial.train_flop_per_second or 0.0)
    if timing.device_bytes is not None:
        facts["peak device memory"] = memory(timing.device_bytes)
    return facts


def seeds_sentence(seeds: Sequence[TrialRecord], *, is_run: bool = True) -> str:
    """How each seed of a configuration did, and their mean once all are finished."""
    parts = []
    for trial in seeds:
        end = state_word(trial.state, is_run=is_run)
        if trial.state is State.COMPLETE:
            end = percent(trial.accuracy)
        parts.append(f"seed {trial.seed} (trial {trial.number}) {end}")
    accuracies = [t.accuracy for t in seeds if t.state is State.COMPLETE and t.accuracy is not None]
    mean = "no mean before all are finished"
    if len(accuracies) == len(seeds):
        mean = f"mean {percent(fmean(accuracies))}"
    return f"One of {len(seeds)} seeds of this configuration: {', '.join(parts)}; {mean}."


def two_columns(facts: Mapping[str, str], name: str) -> pd.DataFrame:
    """A table of names and values."""
    return pd.DataFrame({name: list(facts), "Value": list(facts.values())})


def unfinished_table(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """The trials that were refused, failed or stopped early, the latest first, and why."""
    ends = {State.REFUSED, State.FAILED, State.PRUNED}
    rows = [
        {
            "Trial": trial.number,
            "State": state_word(trial.state),
            "Configuration": trial.label,
            "FLOPs": trial.flops / 1e6,
            "Reason": trial.error or "",
        }
        for trial in reversed(trials)
        if trial.state in ends
    ]
    return pd.DataFrame(rows, columns=["Trial", "State", "Configuration", "FLOPs", "Reason"])


def running_table(running: Sequence[tuple[TrialRecord, EpochRecord | None]]) -> pd.DataFrame:
    """The trials under way and the last epoch each has finished."""
    return pd.DataFrame(
        [
            {
                "Trial": trial.number,
                "Configuration": trial.label,
                "FLOPs": trial.flops / 1e6,
                "Epoch": f"{last.epoch if last else 0} of {trial.epochs}",
                "Accuracy": 100 * last.validation_accuracy if last else None,
                "Loss": last.validation_loss if last else None,
                "Started": trial.started_at,
            }
            for trial, last in running
        ]
    )


def endings(trials: Sequence[TrialRecord]) -> dict[State, list[datetime]]:
    """When the trials of each state ended, in order; states nobody ended in are left out."""
    times: dict[State, list[datetime]] = {}
    for trial in trials:
        if trial.finished_at is not None:
            times.setdefault(trial.state, []).append(trial.finished_at)
    return {state: sorted(times[state]) for state in State if state in times}


def endings_sentence(trials: Sequence[TrialRecord]) -> str:
    """What `endings` counts."""
    fresh = sum(t.origin is Origin.CONFIRMATION and t.finished_at is not None for t in trials)
    more = f"; {fresh:,} of them train what was found again with fresh seeds" if fresh else ""
    return f"How many trials had ended in each state, over time{more}"


def matching(
    frame: pd.DataFrame,
    *,
    states: Sequence[str] = (),
    origins: Sequence[str] = (),
    families: Sequence[str] = (),
    cost: Cost = FLOPS,
    max_cost: float | None = None,
    min_accuracy: float | None = None,
    text: str = "",
) -> pd.DataFrame:
    """The rows of `runs.frames.trials_frame` that pass every filter given; empty ones pass all.

    `text` is looked for in the configuration's label, the error and the device, in any case.
    """
    keep = pd.Series(data=True, index=frame.index)
    for column, wanted in (("state", states), ("origin", origins), ("family", families)):
        if wanted:
            keep &= frame[column].isin(wanted)
    if max_cost is not None:
        keep &= frame[cost.name] <= max_cost
    if min_accuracy is not None:
        keep &= frame["accuracy"] >= min_accuracy
    if text:
        columns = [frame[name].fillna("").astype(str) for name in ("label", "error", "device_kind")]
        found = [column.str.contains(text, case=False, regex=False) for column in columns]
        keep &= found[0] | found[1] | found[2]
    return frame[keep]


def csv_of(frame: pd.DataFrame) -> str:
    """The rows of `runs.frames.trials_frame` as CSV, every column and digit of them."""
    return frame.to_csv(index=False)


def trials_table(
    frame: pd.DataFrame, noise: Noise, columns: Mapping[str, str], *, is_run: bool = True
) -> pd.DataFrame:
    """Columns of `runs.frames.trials_frame`, the latest trial first; beside the accuracy its
    half-width, where that is known: of one training, so of the images only.

    Args:
        frame: of the trials.
        noise: of the study.
        columns: of the frame, to headings: see `runs.trial_columns`. A trial's number comes first
            in any case.
        is_run: whether the study is being run.
    """
    columns = {"number": "Trial", **columns}
    table = frame[list(columns)].iloc[::-1].rename(columns=columns)
    if "Accuracy" in table and noise.num_images is not None:
        accuracy = table["Accuracy"].to_numpy(dtype=np.float64, na_value=np.nan)
        low, high = wilson(accuracy, noise.num_images)
        place = list(table.columns).index("Accuracy") + 1
        table.insert(place, "±", 100 * np.maximum(accuracy - low, high - accuracy))
    if "State" in table:
        words = {state.value: state_word(state, is_run=is_run) for state in State}
        table["State"] = table["State"].map(words)
    if "Accuracy" in table:
        table["Accuracy"] = 100 * table["Accuracy"].astype(float)
    if "FLOPs" in table:
        table["FLOPs"] = table["FLOPs"] / 1e6
    return table


def _own(trial: TrialRecord, cost: Cost) -> dict[str, float | None]:
    """What a study minimises, where a table has no column of it anyway."""
    return {} if cost in (FLOPS, PARAMS) else {cost.label: trial.cost(cost)}


def moment(time: datetime) -> str:
    """To the second, in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _percent(trial: TrialRecord) -> float:
    return 100 * (trial.accuracy or 0.0)
