"""Figures of a few trials, of their times, and of what they have learnt."""

from __future__ import annotations

import base64
import io
import json
from datetime import timedelta
from itertools import combinations
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image
from records import CIFAR, NOON, epoch, mixer, trial, vit

from runs.learnt import stem, token_mixing
from runs.noise import Noise
from runs.plot.figures.learnt import mosaic, tiles_figure
from runs.plot.figures.timeline import timeline_figure
from runs.plot.figures.trials import accuracies_figure, overlaid_figure, parts_figure
from runs.plot.palette import DARK, LIGHT, Palette
from runs.side_by_side import MOST
from runs.timeline import Phase, Stretch
from space.cost import cost

TRIALS = [trial(3, config=mixer(CIFAR)), trial(8, config=vit(CIFAR), accuracy=0.5)]


def named(figure: go.Figure) -> dict[str, Any]:
    return {one.name: one for one in figure.data}


def test_each_trials_curve_has_its_number_at_its_end() -> None:
    curves = {n: [epoch(i, n) for i in range(1, 5)] for n in (17, 3)} | {5: []}
    figure = overlaid_figure(curves, "validation_accuracy", "Accuracy (%)", scale=100)
    assert list(named(figure)) == ["Trial 17", "Trial 3"]
    assert figure.data[0].y[-1] == pytest.approx(100 * (1 - 0.91 / 4))
    labels = {note.text: note for note in figure.layout.annotations}
    assert set(labels) == {"<b>17</b>", "<b>3</b>"}
    assert labels["<b>17</b>"].font.color == figure.data[0].line.color
    places = sorted(note.y for note in labels.values())
    assert places[1] - places[0] > 1  # percent: lines that end alike have labels apart
    assert figure.data[0].line.color != figure.data[1].line.color


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_as_many_trials_as_can_be_named_have_colours_that_differ(palette: Palette) -> None:
    curves = {n: [epoch(1, n)] for n in range(MOST)}
    colors = [
        line.line.color
        for line in overlaid_figure(curves, "train_loss", "Loss", palette=palette).data
    ]
    channels = [np.array([int(one[i : i + 2], 16) for i in (1, 3, 5)]) for one in colors]
    assert len(colors) == MOST
    assert min(np.abs(a - b).sum() for a, b in combinations(channels, 2)) > 50


def test_trials_without_an_epoch_make_an_empty_figure() -> None:
    assert not overlaid_figure({1: []}, "train_loss", "Loss").data


def test_an_accuracy_has_the_interval_of_one_training() -> None:
    noise = Noise(num_images=1_000)
    figure = accuracies_figure([*TRIALS, trial(9, accuracy=None)], noise)
    assert [row.y[0] for row in figure.data] == ["Trial 3", "Trial 8"]
    interval = noise.of_training(0.5)
    assert interval is not None
    assert figure.data[1].error_x.array[0] == pytest.approx(100 * (interval.high - 0.5))


def test_bars_of_all_parts_add_up_to_the_flops_of_a_trial() -> None:
    figure = parts_figure(TRIALS)
    for one in TRIALS:
        row = f"Trial {one.number}"
        sizes = [x for bar in figure.data for x, y in zip(bar.x, bar.y, strict=True) if y == row]
        assert sum(sizes) == pytest.approx(cost(one.config).flops / 1e6)
    assert list(named(figure)["Stem"].y) == ["Trial 3", "Trial 8"]
    assert list(named(figure)["Attention"].y) == ["Trial 8"]


def test_phases_lie_one_after_the_other_in_their_lane() -> None:
    stretch = Stretch(
        lane=1,
        start=NOON,
        end=NOON + timedelta(seconds=20),
        seconds={Phase.COMPILING: 2, Phase.TRAINING: 12, Phase.VALIDATING: 3, Phase.WAITING: 3},
        trials=(4, 5),
    )
    first = Stretch(lane=0, start=NOON, end=NOON, seconds={Phase.UNTIMED: 0.0}, trials=(1,))
    bars = named(timeline_figure([first, stretch]))
    assert list(bars) == ["Compiling", "Training", "Validating", "Waiting"]
    begins = [bar.base[0] for bar in bars.values()]
    ends = [bar.base[0] + np.timedelta64(int(bar.x[0]), "ms") for bar in bars.values()]
    assert begins[1:] == ends[:-1]
    assert list(bars["Training"].y) == ["lane 2"]
    assert bars["Training"].customdata[0] == [4, "Trials 4, 5", "12 s"]


def test_a_mosaic_has_every_tile_apart() -> None:
    whole = mosaic(np.arange(1, 6, dtype=np.float32)[:, None, None] * np.ones((5, 2, 2)))
    assert whole.shape == (5, 8)
    assert whole[0, 0] == whole[1, 1] == 1
    assert whole[3, 3] == 5
    assert np.isnan(whole[2]).all()
    assert np.isnan(whole[3:, 6:]).all()


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_scale_is_symmetric_and_zero_has_the_colour_of_the_page(palette: Palette) -> None:
    kernel = np.random.default_rng(0).normal(size=(16, 9)).astype(np.float32)
    [image] = tiles_figure(token_mixing(kernel, 4), palette=palette).data
    assert image.zmin == -image.zmax < 0
    assert image.colorscale[2] == (0.5, palette.background)


def test_a_filter_of_zeros_is_grey_and_a_red_one_red() -> None:
    kernel = np.zeros((2, 2, 3, 2), np.float32)
    kernel[..., 0, 1] = 1.0
    [image] = tiles_figure(stem(kernel)).data
    kind, _, data = image.source.partition(",")
    assert kind == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    assert tuple(pixels[0, 0]) == (255, 128, 128)  # the stronger comes first
    assert tuple(pixels[0, -1]) == (128, 128, 128)


def test_a_figure_of_a_thousand_bars_is_small() -> None:
    stretches = [
        Stretch(
            lane=0,
            start=NOON + timedelta(seconds=i),
            end=NOON + timedelta(seconds=i + 1),
            seconds={Phase.TRAINING: 0.9, Phase.WAITING: 0.1},
            trials=(i,),
        )
        for i in range(1_000)
    ]
    assert len(json.dumps(timeline_figure(stretches).to_plotly_json(), default=str)) < 500_000
