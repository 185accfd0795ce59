"""Trials of an earlier study of one family, as a search is warm-started from them: plain numbers.

They are kept with the study that they start, so they say all that its sampler is to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from runs.record import TrialRecord
from runs.seeds import over_seeds
from search.schedule.candidate_space import CandidateSpace
from search.schedule.warm_start import FEWEST, RankPrior
from space.config import ImageTask
from space.costs import Cost
from space.families import find_family
from space.search_space import SearchSpace

MOST = 200
"""Configurations of a family that are kept of a study, the newest."""


@dataclass(frozen=True, kw_only=True)
class EarlierTrials:
    """Configurations of one family in an earlier study, and how accurate each was."""

    family: str
    image_size: int
    """Pixels a side."""
    parameters: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    """Of the parameters, a row a configuration."""
    costs: tuple[float, ...] | None
    """In what the new study minimises; None where that is not known of all of them."""
    accuracies: tuple[float, ...]

    def prior(self, candidates: CandidateSpace, space: SearchSpace, task: ImageTask) -> RankPrior:
        """What they let expect of another study's candidates: by the parameters both have.

        Patches are compared by how many tile an image.
        """
        places = {}
        for name, column in zip(self.parameters, np.array(self.values, dtype=float).T, strict=True):
            if name in space.ranges:
                larger = task.image_size / self.image_size if name == "patch_size" else 1.0
                places[name] = np.log2(column * larger)
        unknown = [np.nan] * len(self.accuracies)
        log_costs = np.log10(unknown if self.costs is None else self.costs)
        return RankPrior(candidates.features_of(places, log_costs), self.accuracies)


def earlier_trials(
    trials: Sequence[TrialRecord], families: Iterable[str], cost: Cost
) -> list[EarlierTrials]:
    """What a study's trials say, family by family, where a family has enough of them.

    Args:
        trials: all of the study; what counts is the mean of a configuration's complete seeds.
        families: those that the new study searches.
        cost: what it minimises.
    """
    found = []
    for family in families:
        records = [t for t in over_seeds(trials) if t.in_search and t.family == family]
        records = records[-MOST:]
        if len(records) < FEWEST:
            continue
        parameters = tuple(find_family(family).ranges.model_fields)
        costs = [record.cost(cost) for record in records]
        known = [value for value in costs if value is not None]
        found.append(
            EarlierTrials(
                family=family,
                image_size=records[0].config.image_size,
                parameters=parameters,
                values=tuple(
                    tuple(int(getattr(record.config, name)) for name in parameters)
                    for record in records
                ),
                costs=tuple(map(float, known)) if len(known) == len(costs) else None,
                accuracies=tuple(float(r.accuracy) for r in records if r.accuracy is not None),
            )
        )
    return found
