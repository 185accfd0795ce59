"""`python -m search.export --study mixer_cifar --pick knee`: a winner as a preset file."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import unicodedata
from pathlib import Path
from typing import Annotated, Any

import typer

from runs import winners
from runs.confirmation.sentence import read_times
from runs.confirmed import find_confirmed
from runs.options import Storage, StudyName
from runs.reader import open_reader
from runs.seeds import behind
from search.result import trial_facts
from space import presets
from space.command import Json, Version, make_app, print_json, run_app
from space.errors import ConfigError, MixerSearchError
from space.families import label_of
from space.paths import as_path
from space.quantities import format_count, parse_amount, parse_count

_MOST_BYTES = 120
"""Of a study's name in a file's, which has room for 255 with what is added."""

app = make_app()


class PresetInTheWayError(MixerSearchError):
    """A preset of another study has the name under which this one would be written."""


@app.command(
    help="Write the best configuration of a study as a preset file.",
    epilog="Example: python -m search.export --study mixer_cifar --pick best --max-flops 20M",
    no_args_is_help=True,
)
def export(
    study: StudyName,
    pick: Annotated[
        str | None,
        typer.Option(
            help="knee (the default), best (most accurate), cheapest, or trial=N.",
            metavar="RULE",
        ),
    ] = None,
    max_flops: Annotated[
        str | None,
        typer.Option(
            help="Only trials of at most so many FLOPs; alone it means --pick best.",
            metavar="FLOPS",
        ),
    ] = None,
    max_cost: Annotated[
        str | None,
        typer.Option(
            help="The same in what the study minimises, such as 200k parameters.", metavar="COST"
        ),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Only trials at least so accurate (0 to 1); alone it means --pick cheapest. By "
            "default the study's own.",
            metavar="A",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=as_path,
            help="A .json file; by default runs/presets/STUDY_RULE.json, limits in its name too.",
            metavar="FILE",
        ),
    ] = None,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    if out is not None and out.suffix.lower() != ".json":
        raise ConfigError(f"--out {out}: a preset is a .json file; name one that ends so")
    is_limited = max_flops is not None or max_cost is not None
    rule = pick or ("best" if is_limited else "knee" if min_accuracy is None else "cheapest")
    with open_reader(storage) as store:
        record, trials = store.study(study), store.trials(study)
        confirmed = None if rule.startswith("trial=") else find_confirmed(store, study)
    if confirmed:
        trials = confirmed.means()
    # What is named by its number, a baseline maybe, need not be what the study calls useful
    useful = 0.0 if rule.startswith("trial=") else record.min_accuracy
    trial = winners.pick(
        trials,
        rule,
        max_flops=None if max_flops is None else parse_count(max_flops),
        max_cost=None if max_cost is None else parse_amount(max_cost),
        cost=record.cost,
        min_accuracy=useful if min_accuracy is None else min_accuracy,
    )
    asked = rule
    limits = {"max_flops": max_flops, "max_cost": max_cost, "min_accuracy": min_accuracy}
    for option, limit in limits.items():
        asked += "" if limit is None else f"_{option}_{limit}"
    name = f"{_for_a_file(study)}_{re.sub('[^A-Za-z0-9_-]+', '_', asked)}"
    path = out or Path("runs") / "presets" / f"{name}.json"
    if confirmed:
        trial, trials, facts = confirmed.behind(trial)
    preset = winners.preset_of(record, trial, name, trials)
    if confirmed:
        preset.source["confirmed"] = facts
    replaced = _replaced(path, preset, may_be_anothers=out is not None)
    presets.save(preset, path)
    own = trial.costs.get(record.cost.name)
    other = "" if own is None else f", {record.cost.shortly(own)}"
    seeds = len(behind(trials, trial))
    if as_json:
        print_json({"file": str(path), "study": study, "seeds": seeds, "trial": trial_facts(trial)})
        return
    accuracy = "" if trial.accuracy is None else f", accuracy {100 * trial.accuracy:.1f} %"
    if seeds > 1:
        accuracy += f" (mean of {seeds} seeds)"
    if confirmed:
        accuracy = f", {_confirmed_words(facts, seeds)}"
    print(
        f"trial {trial.number}: {trial.label}, {format_count(trial.params)} parameters, "
        f"{format_count(trial.flops)}FLOPs{other}{accuracy}"
    )
    print(f"written to {path}{replaced}; load it with space.presets.load({str(path)!r})")


def _confirmed_words(facts: dict[str, Any], seeds: int) -> str:
    """What a confirmation says of the winner."""
    accuracy, low, high = (100 * facts[name] for name in ("accuracy", "low", "high"))
    split = facts["accuracy_split"]
    read = f", {read_times(facts['test_readings'])}" if split == "test" else ""
    return (
        f"confirmed: {split} accuracy {accuracy:.1f} % ({low:.1f} to {high:.1f}; {seeds} fresh "
        f"seeds{read}); its place on the front: {facts['front']}"
    )


def _for_a_file(study: str) -> str:
    """The name of a study as part of a file's name, another one for every study.

    Letters and digits of all scripts stay. Where anything else was replaced, or the name cut to
    what a file's name has room for, a digest of the whole name tells such studies apart.
    """
    kept = "".join(c if _may_stay(c) else " " for c in study)
    kept = "_".join(kept.encode()[:_MOST_BYTES].decode(errors="ignore").split())
    if kept == study:
        return study
    digest = hashlib.sha256(study.encode()).hexdigest()[:8]
    return "-".join(part for part in (kept, digest) if part)


def _may_stay(character: str) -> bool:
    """A letter, a digit, or a mark, without which some scripts have no vowels."""
    return (
        character in "_-" or character.isalnum() or unicodedata.category(character).startswith("M")
    )


def _replaced(path: Path, preset: presets.Preset, *, may_be_anothers: bool) -> str:
    """What a preset takes the place of, to be said; empty for no file, or the same network.

    Raises:
        PresetInTheWayError: a preset of another study, unless it may be one.
        NewerPresetError: that of a newer version, whose study nobody can read here, the same.
    """
    if not os.path.exists(path):  # pathlib's raises where a name is too long
        return ""
    try:
        before = presets.load(path)
    except presets.NewerPresetError:
        if not may_be_anothers:
            raise
        return " in place of a preset of a newer version"
    except ConfigError:
        return " in place of what was no preset"
    others = _other_study(before, preset)
    if others and not may_be_anothers:
        raise PresetInTheWayError(
            f"{path} is a preset of another study, {others}; name another file with --out"
        )
    if others:
        return f" in place of {label_of(before.config)} of study {others}"
    return "" if before.config == preset.config else f" in place of {label_of(before.config)}"


def _other_study(before: presets.Preset, preset: presets.Preset) -> str:
    """The study a preset was found in, where that is known and not the other's; else empty.

    Two of the same name were not begun in the same microsecond; a database may be moved.
    """
    study, began = before.source.get("study"), before.source.get("study_began")
    if study in {None, preset.source["study"]} and began in {None, preset.source["study_began"]}:
        return ""
    return repr(study) + (f" of {began}" if began else "")


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.export")


if __name__ == "__main__":
    sys.exit(main())
