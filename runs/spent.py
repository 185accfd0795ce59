"""The compute that each family got, and on what machines and revisions it was trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runs.record import Origin, TrialRecord
from space.families import FAMILIES


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What the timed trials of one family and origin took."""

    family: str
    origin: Origin
    trials: int
    training_flops: float
    """3 x FLOPs x images seen."""
    device_seconds: float
    """Of training and validating."""


def spent_by_family(trials: Sequence[TrialRecord]) -> list[Spent]:
    """One entry a family and origin that has timed trials; families in their registered order."""
    groups: dict[tuple[str, Origin], list[TrialRecord]] = {}
    for trial in trials:
        if trial.timing is not None:
            groups.setdefault((trial.family, trial.origin), []).append(trial)
    families, origins = list(FAMILIES), list(Origin)
    return [
        Spent(
            family=family,
            origin=origin,
            trials=len(group),
            training_flops=sum(t.training_flops or 0.0 for t in group),
            device_seconds=sum(
                t.timing.train_seconds + t.timing.eval_seconds for t in group if t.timing
            ),
        )
        for (family, origin), group in sorted(
            groups.items(), key=lambda item: (families.index(item[0][0]), origins.index(item[0][1]))
        )
    ]


def family_shares(spent: Sequence[Spent]) -> dict[str, float]:
    """By family, its share of the training FLOPs of the search proper, baselines not counted.

    Families that share a search are to get equal shares.
    """
    flops: Counter[str] = Counter()
    for one in spent:
        if one.origin is Origin.SEARCH:
            flops[one.family] += one.training_flops  # type: ignore[assignment]
    total = sum(flops.values())
    return {family: value / total for family, value in flops.items()} if total else {}


def where_facts(trials: Sequence[TrialRecord]) -> dict[str, str]:
    """Devices, revisions and versions of the trials, each with how many trials where there are
    several."""
    known = [t.environment for t in trials if t.environment is not None]
    if not known:
        return {}
    facts = {
        "device": _each(e.device_kind for e in known),
        "git revision": _each(short_revision(e.git_revision) for e in known),
    }
    libraries = dict.fromkeys(name for e in known for name in e.versions)
    return facts | {
        name: _each(e.versions[name] for e in known if name in e.versions) for name in libraries
    }


def short_revision(revision: str | None) -> str:
    """The first twelve digits, with `-dirty` where the working tree differed."""
    digits, dash, state = (revision or "not known").partition("-")
    return f"{digits[:12]}{dash}{state}"


def _each(values: Iterable[str]) -> str:
    """The values, the commonest first; how many of each where they differ."""
    counts: Mapping[str, int] = Counter(values)
    if len(counts) == 1:
        return next(iter(counts))
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{value} ({times:,})" for value, times in ranked)
