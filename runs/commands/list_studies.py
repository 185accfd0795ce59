"""`python -m runs list`: the studies of a database, the newest first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runs.commands.names import say
from runs.confirmed import find_confirmed
from runs.foreign_tables import foreign_tables
from runs.options import Storage
from runs.reader import Reader, open_reader
from runs.record import State, StudyRecord
from runs.wording import luckiest, state_word
from space.command import Json, Version, make_app, print_json, run_app, visible
from space.quantities import counted

if TYPE_CHECKING:
    from runs.confirmed_best import FreshAccuracy

app = make_app()


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A study in a list."""

    study: StudyRecord
    kind: str
    """What it is, in words."""
    trials: int
    states: Counter[State]
    best: float | None
    """The highest accuracy on validation of a configuration, in [0, 1]."""
    found: int
    """Configurations that the search finished."""
    fresh: FreshAccuracy | None
    """The best of a confirmation; None where there is none."""
    run_by: str | None
    """The process that runs it, as far as can be told."""

    @property
    def facts(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.study.name,
            "dataset": self.study.spec.get("dataset"),
            "families": list(self.study.families),
            "rate_of": self.study.rates_of,
            "fine_tunes": self.study.fine_tunes,
            "created_at": self.study.created_at.isoformat(),
            "trials": self.trials,
            "states": {state.value: count for state, count in self.states.items()},
            "best_accuracy": self.best,
            "confirmed_accuracy": None if self.fresh is None else self.fresh.interval.value,
            "run_by": self.run_by,
        }


@app.command(
    name="list",
    help="List the studies of a database, the newest first.",
    epilog="Example: python -m runs list --storage sqlite:///runs/mixer_search.db",
)
def list_all(
    rates: Annotated[
        bool, typer.Option("--rates", help="Also those that found the learning rates of others.")
    ] = False,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    with open_reader(storage) as store:
        if stranger := foreign_tables(storage):
            say(f"note: {stranger}")
        studies = [one for one in store.studies() if rates or one.rates_of is None]
        found = [_listed(store, one) for one in studies]
        where = store.where
    if as_json:
        print_json({"studies": [one.facts for one in found]})
        return
    for one in found:
        print(visible(_lines(one)))
    print(visible(f"{counted(len(found), 'study').replace('studys', 'studies')} in {where}"))


def _listed(store: Reader, study: StudyRecord) -> Listed:
    from runs.confirmed_best import best_confirmed
    from runs.snapshot import Snapshot  # here: most verbs need no pandas
    from runs.study_kind import kind_words

    reading = store.read(study.name)
    confirmed = find_confirmed(store, study.name)
    found = Snapshot(reading.study, reading.trials, reading.holder)
    return Listed(
        study=study,
        kind=kind_words(found),
        trials=len(found.sought),
        states=found.counts,
        best=max((trial.accuracy or 0.0 for trial in found.found), default=None),
        found=len(found.found),
        fresh=None if confirmed is None else best_confirmed(confirmed),
        run_by=str(found.holder) if found.is_run else None,
    )


def _lines(one: Listed) -> str:
    """The name, and below it what fits a terminal of 80 characters."""
    study = one.study
    began = f"since {study.created_at:%Y-%m-%d %H:%M} UTC"
    facts = [str(study.spec.get("dataset")), one.kind, began]
    states = ", ".join(
        f"{count} {state_word(state, is_run=one.run_by is not None)}"
        for state, count in one.states.most_common()
    )
    trials = counted(one.trials, "trial") + (f": {states}" if states else "")
    lines = [study.name, "    " + ", ".join(facts), "    " + trials]
    if one.fresh is not None:
        lines.append(f"    {one.fresh.said} (trial {one.fresh.trial})")
    if one.best is not None:
        lines.append(f"    {luckiest(one.best, one.found)}, on validation")
    if one.run_by:
        lines.append(f"    run by {one.run_by}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m runs list")
