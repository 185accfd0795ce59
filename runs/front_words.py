"""The figure of a search's front in words: what its points, bars and crosses are."""

from __future__ import annotations

from runs.snapshot import Snapshot
from runs.wording import percent
from space.families import labels


def front_caption(snapshot: Snapshot, *, has_crosses: bool) -> str:
    """Sentences on the figure.

    Args:
        snapshot: of the study.
        has_crosses: whether the figure shows what was stopped early.
    """
    noise, least = snapshot.noise, snapshot.study.min_accuracy
    said = ["Validation accuracy."]
    if noise.num_images:
        said.append(f"Bars on the front: 95 %, {noise.covers}.")
    if snapshot.several:
        where = "off the front the bar" if noise.num_images else "the bar"
        said.append(f"Of several seeds the mean; {where} spans them.")
    if has_crosses:
        said.append("Crosses were stopped early, and are where they were then.")
    if least:
        searched = labels(snapshot.study.families)
        said.append(f"{searched} of less than {percent(least)} count as useless.")
    return " ".join(said)
