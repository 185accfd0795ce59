"""Whether a study searches; what it is where it does not, and what came out of it."""

from __future__ import annotations

from statistics import fmean

from runs.record import Origin, State, StudyRecord
from runs.seeds import over_seeds
from runs.snapshot import Snapshot
from runs.wording import percent, with_arm
from space.families import find_family
from space.quantities import counted


def may_search(study: StudyRecord) -> bool:
    """Whether a study was begun to search, as far as its record tells."""
    return study.fine_tunes is None and (study.spec.get("asked") or {}).get("trials") != 0


def searches_nothing(snapshot: Snapshot) -> bool:
    """Whether a study has trials, none of them suggested, and none asked for: a search may begin
    with its baselines."""
    if (snapshot.study.spec.get("asked") or {}).get("trials"):
        return False
    return bool(snapshot.trials) and all(t.origin is not Origin.SEARCH for t in snapshot.trials)


def kind_sentence(snapshot: Snapshot) -> str | None:
    """What sets a study apart from a search; None of a search."""
    study = snapshot.study
    if study.rates_of is not None:
        return (
            f"Tries one learning rate for study {study.rates_of}, which chooses among several; its "
            "accuracies are of shortened trainings."
        )
    if study.fine_tunes is not None:
        return (
            f"Fine-tunes preset {study.fine_tunes}: its weights are trained on with these images. "
            "It searches nothing."
        )
    if searches_nothing(snapshot):
        number = len({trial.config for trial in snapshot.sought})
        return f"Trains {counted(number, 'baseline')}, given configurations. It searches nothing."
    return None


def kind_words(snapshot: Snapshot) -> str:
    """What a study is, in a list: `fine-tunes mixer_s`, `baselines (Mixer), no search`, `Mixer`."""
    study = snapshot.study
    families = ", ".join(find_family(name).label for name in study.families)
    if study.fine_tunes is not None:
        return f"fine-tunes {study.fine_tunes}"
    return f"baselines ({families}), no search" if searches_nothing(snapshot) else families


def result_lines(snapshot: Snapshot) -> list[str]:
    """Of a study that searches nothing, a line a configuration: its mean over seeds.

    Empty of a search, and before a configuration has finished with all its seeds.
    """
    if kind_sentence(snapshot) is None or snapshot.study.rates_of is not None:
        return []
    lines = []
    for mean in over_seeds(snapshot.sought):
        seeds = [t for t in snapshot.seeds_of(mean) if t.state is State.COMPLETE]
        accuracies = [t.accuracy for t in seeds if t.accuracy is not None]
        reached = with_arm(fmean(accuracies), snapshot.noise.half_width(mean))
        line = f"{mean.label}: {reached} on validation"
        if len(accuracies) > 1:
            line += (
                f", mean of {counted(len(accuracies), 'seed')} ({percent(min(accuracies))} to "
                f"{percent(max(accuracies))})"
            )
        lines.append(f"{line}.")
    return lines
