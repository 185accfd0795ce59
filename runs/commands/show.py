"""`python -m runs show STUDY`: what was asked of a study, and what it has found so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runs.asked import started_from
from runs.commands.names import StudyFlag, StudyWord, named, say, tell
from runs.confirmed import find_confirmed
from runs.foreign_tables import foreign_tables
from runs.noise import longer_arm
from runs.options import Storage
from runs.rate_studies import rate_studies_of
from runs.reader import open_reader
from runs.record import WeightsRecord
from runs.test_readings import readings_line
from runs.wording import state_word
from space.command import Json, Version, make_app, print_json, run_app
from space.families import find_family
from space.quantities import counted, format_count

if TYPE_CHECKING:
    from runs.snapshot import Snapshot

app = make_app()

Weights = dict[int, WeightsRecord]
"""What is kept, by the number of the trial."""


@app.command(
    help="Show a study: what was asked, how its trials ended, its front, what a confirmation "
    "says, and what is kept of it.",
    epilog="Example: python -m runs show mixer_cifar",
    no_args_is_help=True,
)
def show(
    study: StudyWord = None,
    study_flag: StudyFlag = None,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    from runs.snapshot import read_snapshot  # here: the other verbs need no pandas

    study = named(study, study_flag)
    with open_reader(storage) as store:
        if stranger := foreign_tables(storage):
            say(f"note: {stranger}")
        snapshot = read_snapshot(store, study)
        weights = store.weights(study)
        rates = [one.name for one in rate_studies_of(store, study)]
        confirmed = find_confirmed(store, study)
    sentences = confirmed.sentences() if confirmed else []
    if as_json:
        print_json(_facts(snapshot, weights, rates, sentences))
        return
    for line in _lines(snapshot, weights, rates, sentences):
        tell(line)


def _lines(
    snapshot: Snapshot, weights: Weights, rates: list[str], sentences: list[str]
) -> Iterator[str]:
    study, cost = snapshot.study, snapshot.study.cost
    families = ", ".join(find_family(name).label for name in study.families)
    recipe = study.spec.get("recipe") or {}
    yield study.name
    yield f"  asked     {study.spec.get('dataset')}, {study.num_classes} classes, {families}"
    yield f"            accuracy against {cost.label}, at most {cost.shortly(study.cost_ceiling)}"
    yield f"            {recipe.get('epochs', '?')} epochs, sampler {study.spec.get('sampler')}"
    for name, what in started_from(study).items():
        yield f"  warm start from {name}: {what}"
    yield f"  began     {study.created_at:%Y-%m-%d %H:%M:%S} UTC"
    if study.first_name != study.name:
        yield f"            under the name {study.first_name}"
    if snapshot.is_run:
        yield f"  run by    {snapshot.holder}"
    yield f"  trials    {_trials(snapshot)}"
    if snapshot.confirming:
        yield f"            {counted(len(snapshot.confirming), 'trial')} with fresh seeds"
    yield f"  test      {readings_line(snapshot.readings).removeprefix('test ')}"
    sizes = {record.digest: record.size_bytes for record in weights.values()}
    files = f"{counted(len(sizes), 'file')} of weights ({format_count(sum(sizes.values()))}B)"
    yield f"  kept      {files}, {counted(len(snapshot.notes), 'note')}"
    for name in rates:
        yield f"  rates by  {name}"
    if snapshot.front:
        yield f"  front     hypervolume {snapshot.hypervolume:.3f} (accuracy x decades)"
    for trial in snapshot.front:
        arm = longer_arm(snapshot.noise.interval(trial))
        value = f"{100 * (trial.accuracy or 0.0):.1f}" + (f" ±{100 * arm:.1f}" if arm else "")
        spent = format_count(trial.cost(cost) or 0)
        yield f"  {trial.number:>7}   {trial.label:<32} {spent:>8} {value:>11} %"
    for sentence in sentences:
        yield f"  confirmed: {sentence}"


def _trials(snapshot: Snapshot) -> str:
    told = ", ".join(
        f"{count} {state_word(state, is_run=snapshot.is_run)}"
        for state, count in snapshot.counts.most_common()
    )
    return f"{len(snapshot.sought):,}" + (f": {told}" if told else "")


def _facts(
    snapshot: Snapshot, weights: Weights, rates: list[str], sentences: list[str]
) -> dict[str, Any]:
    """For `--json`; accuracies in [0, 1]."""
    study = snapshot.study
    intervals = {t.number: snapshot.noise.interval(t) for t in snapshot.front}
    return {
        "name": study.name,
        "first_name": study.first_name,
        "dataset": study.spec.get("dataset"),
        "families": list(study.families),
        "created_at": study.created_at.isoformat(),
        "run_by": str(snapshot.holder) if snapshot.is_run else None,
        "cost": study.cost.name,
        "warm_start": [one["study"] for one in study.spec.get("earlier", ())],
        "trials": len(snapshot.sought),
        "states": dict(Counter(trial.state.value for trial in snapshot.sought)),
        "test_readings": len(snapshot.readings),
        "weights": sorted({record.digest for record in weights.values()}),
        "notes": [note.text for note in snapshot.notes],
        "rate_studies": rates,
        "hypervolume": snapshot.hypervolume,
        "front": [
            {
                "trial": trial.number,
                "label": trial.label,
                "cost": trial.cost(study.cost),
                "accuracy": trial.accuracy,
                "low": None if (found := intervals[trial.number]) is None else found.low,
                "high": None if found is None else found.high,
                "config": trial.config.model_dump(mode="json"),
            }
            for trial in snapshot.front
        ],
        "sentences": sentences,
    }


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m runs show")
