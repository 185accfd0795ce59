"""Tables of what a study searched and of the learning rates that were tried for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from runs.asked import SearchedRange
from runs.rates import TriedRate
from space.families import find_family


def ranges_table(ranges: Sequence[SearchedRange]) -> pd.DataFrame:
    """One row a parameter: Parameter, and by family its values and whether they were narrowed, or
    widened."""
    families = dict.fromkeys(one.family for one in ranges)
    cells = {(one.parameter, one.family): _values(one) for one in ranges}
    return pd.DataFrame(
        [
            {"Parameter": parameter}
            | {find_family(name).label: cells.get((parameter, name), "–") for name in families}
            for parameter in dict.fromkeys(one.parameter for one in ranges)
        ]
    )


def _values(one: SearchedRange) -> str:
    marks = [
        word
        for word, holds in (("narrowed", one.is_narrowed), ("widened", one.is_widened))
        if holds
    ]
    return ", ".join(map(str, one.values)) + (f" ({', '.join(marks)})" if marks else "")


def rates_table(tried: Sequence[TriedRate], chosen: Mapping[str, float]) -> pd.DataFrame:
    """One row a rate: Learning rate, and by family the mean accuracy in percent, with a mark where
    the rate was chosen."""
    families = dict.fromkeys(name for one in tried for name in one.accuracies)
    rows = []
    for one in tried:
        row = {"Learning rate": f"{one.rate:g}"}
        for name in families:
            accuracy = one.accuracies.get(name)
            is_chosen = accuracy is not None and chosen.get(name) == one.rate
            said = "–" if accuracy is None else f"{100 * accuracy:.2f}"
            row[find_family(name).label] = said + (" (chosen)" if is_chosen else "")
        rows.append(row)
    return pd.DataFrame(rows)
