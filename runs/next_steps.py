"""What to type next for a study: to go on with it, to confirm its front, to take a network home."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.pace import pace_of
from runs.record import State
from runs.storage import without_password

if TYPE_CHECKING:  # commands that train need no data frames
    from runs.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command and what it is for."""

    purpose: str
    """A short heading, such as `Go on`."""
    command: str


def next_commands(study: str, storage: str | None, *, found: bool = True) -> list[str]:
    """What to type after a search; nothing is exported where nothing was found.

    Args:
        study: its name.
        storage: database URL, as it was given; None for the default.
        found: whether there is a front.
    """
    commands = [f"python -m dashboard{_where(storage)}"]
    if found:
        commands += [_confirm(study, storage), _export(study, "knee", storage)]
    return commands


def next_steps(
    snapshot: Snapshot, storage: str | None, *, is_confirmed: bool = False
) -> list[Step]:
    """What can be done with a study as it stands, in the order it is done.

    A study that is run now is not gone on with by another process. A fine-tuning is gone on with by
    the command that began it, which its specification does not hold.

    Args:
        snapshot: the study.
        storage: database URL; None for the default.
        is_confirmed: whether its front has been confirmed, to the end.
    """
    study = snapshot.study
    if study.rates_of is not None:
        return [
            Step(purpose="Go on with the study it is for", command=_run(study.rates_of, storage))
        ]
    if study.fine_tunes is not None:
        complete = [t for t in snapshot.sought if t.state is State.COMPLETE]
        best = max(complete, key=lambda t: (t.accuracy or 0.0, -t.number), default=None)
        if best is None:
            return []
        command = _export(study.name, f"trial={best.number}", storage)
        return [Step(purpose="Take the most accurate home", command=command)]
    steps = []
    if not snapshot.is_run:
        pace = pace_of(snapshot)
        more = ""
        if pace.goal and pace.is_complete:
            more = f" --trials {2 * pace.goal}"
        elif pace.goal is None:
            more = " --trials N"  # an older version did not note how many
        if pace.goal != 0 or not pace.is_complete:
            purpose = "Search on, with more configurations" if pace.is_complete else "Go on"
            steps.append(Step(purpose=purpose, command=_run(study.name, storage, more)))
    if snapshot.front and not is_confirmed:
        command = _confirm(study.name, storage)
        steps.append(Step(purpose="Confirm the front with fresh seeds", command=command))
    if snapshot.front:
        command = _export(study.name, "knee", storage)
        steps.append(Step(purpose="Take the knee of the front home", command=command))
    return steps


def search_until(snapshot: Snapshot, family: str, wanted: int, storage: str | None) -> str | None:
    """The command that searches on until about so many configurations of a family have finished.

    The number it names counts those there are. Of all that are searched, as many finish and are of
    that family as so far; a share that is not known yet is one in as many as there are families.

    Args:
        snapshot: the study.
        family: one of its families.
        wanted: finished configurations of it, baselines too.
        storage: database URL; None for the default.

    Returns:
        None where the study searches nothing, or was asked for no number.
    """
    study = snapshot.study
    asked = int((study.spec.get("asked") or {}).get("trials") or 0)
    if not asked or study.fine_tunes is not None or study.rates_of is not None:
        return None
    given = sum(t.family == family for t in snapshot.given)
    found = sum(t.family == family for t in snapshot.found)
    share = found / pace_of(snapshot).ended if found else 1 / len(study.families)
    trials = math.ceil((wanted - given) / share)
    return _run(study.name, storage, f" --trials {trials}" if trials > asked else "")


def confirm_further(study: str, storage: str | None, *, seeds: int, again: bool) -> str:
    """The command that confirms a front with so many seeds a configuration.

    Args:
        study: its name.
        storage: database URL; None for the default.
        seeds: in the mean.
        again: whether the confirmation there is has read the test split, so that another is made.
    """
    return f"{_confirm(study, storage)} --seeds {seeds}{' --again' if again else ''}"


def _run(study: str, storage: str | None, more: str = "") -> str:
    return f"python -m search.run --resume {shlex.quote(study)}{more}{_where(storage)}"


def _confirm(study: str, storage: str | None) -> str:
    return f"python -m search.confirm --study {shlex.quote(study)}{_where(storage)}"


def _export(study: str, pick: str, storage: str | None) -> str:
    return f"python -m search.export --study {shlex.quote(study)} --pick {pick}{_where(storage)}"


def _where(storage: str | None) -> str:
    return f" --storage {shlex.quote(without_password(storage))}" if storage else ""
