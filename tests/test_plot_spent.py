"""The bars of the compute that each family got."""

from __future__ import annotations

import pytest
from records import trial, vit

from runs.plot.figures.spent import spent_figure
from runs.plot.palette import DARK, LIGHT
from runs.record import Origin
from runs.spent import spent_by_family


def test_a_bar_a_family_is_as_long_as_its_training_flops() -> None:
    trials = [trial(0), trial(1, origin=Origin.CONFIRMATION), trial(2, config=vit())]
    figure = spent_figure(spent_by_family(trials))
    lengths: dict[str, float] = {}
    for part in figure.data:
        for label, x in zip(part.y, part.x, strict=True):
            lengths[label] = lengths.get(label, 0.0) + x
    mixers = sum(t.training_flops or 0.0 for t in trials[:2])
    assert figure.layout.xaxis.title.text == "Training FLOPs (GFLOPs)"
    assert lengths == pytest.approx(
        {"Mixer": mixers / 1e9, "ViT": (trials[2].training_flops or 0.0) / 1e9}
    )
    assert [part.name for part in figure.data] == ["search", "fresh seeds"]


def test_a_family_has_its_colour_in_either_theme() -> None:
    for palette in (LIGHT, DARK):
        (bar,) = spent_figure(spent_by_family([trial(0)]), palette=palette).data
        assert list(bar.marker.color) == [palette.family("mixer")]
