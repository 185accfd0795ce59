"""Figures of hyperparameters and of several studies: what they draw, and strangers' names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from records import at, mixer, study, trial, vit

from runs.compare_studies import histories
from runs.confirmation.intervals import Interval
from runs.importance import Importance, Importances
from runs.parameters import family_trials
from runs.plot.figures import slices
from runs.plot.figures.compare import fronts_figure
from runs.plot.figures.cost_shares import cost_shares_figure
from runs.plot.figures.hypervolume import hypervolumes_figure
from runs.plot.figures.importance import importance_figure
from runs.plot.figures.parallel import FEW, parallel_figure
from runs.plot.palette import DARK, LIGHT
from runs.snapshot import Snapshot

HOSTILE = "<a href='x'>study</a>"
CONFIGS = [mixer(patch_size=p, hidden_dim=c) for p in (2, 4) for c in (8, 16, 64)]
TRIALS = [trial(i, config=config, accuracy=0.5 + i / 20) for i, config in enumerate(CONFIGS)]
SNAPSHOT = Snapshot(study(), TRIALS)
FOUND = family_trials(SNAPSHOT, "mixer")
PATCH, HIDDEN = FOUND.parameters


def named(figure: go.Figure, name: str) -> go.Scatter:
    return next(figure.select_traces({"name": name}))


def interval(value: float) -> Interval:
    return Interval(value=value, low=value - 0.25, high=value + 0.5)


def test_importances_are_dots_with_bars_and_the_greatest_at_equal_cost_is_on_top() -> None:
    of, explained = [(0.0, 0.5), (0.25, 0.0)], interval(0.5)
    whole, equal = (
        Importances(of=tuple(interval(pair[i]) for pair in of), explained=explained) for i in (0, 1)
    )
    known = Importance(
        labels=("Patch size", HOSTILE), plain=whole, at_equal_cost=equal, num_configurations=30
    )
    figure = importance_figure(known)
    assert figure.layout.yaxis.ticktext[-1] == "Patch size"
    assert figure.layout.yaxis.ticktext[0].startswith("&lt;a")
    dots = named(figure, "At equal FLOPs")
    assert dots.x == (0.0, 50.0)
    assert dots.error_x.array == (50.0, 50.0)
    assert dots.error_x.arrayminus == (25.0, 25.0)


def test_a_slice_has_a_point_a_trial_and_the_mean_of_each_value() -> None:
    figure = slices.slice_figure(FOUND, HIDDEN, equal_cost=False)
    points, mean = named(figure, "Configurations"), named(figure, "Mean")
    assert [row[0] for row in points.customdata] == [t.number for t in TRIALS]
    assert list(mean.x) == [8, 16, 64]
    np.testing.assert_allclose(mean.y, [57.5, 62.5, 67.5])
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.ticktext == ("8", "16", "64")


def test_slices_at_equal_cost_lie_around_zero_on_one_scale() -> None:
    figures = [slices.slice_figure(FOUND, one) for one in FOUND.parameters]
    assert abs(np.mean(named(figures[0], "Configurations").y)) < 1e-9
    assert figures[0].layout.yaxis.range == figures[1].layout.yaxis.range
    assert figures[0].layout.yaxis.title.text == "At equal FLOPs (points)"


def test_of_very_many_trials_a_slice_draws_some_and_means_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slices, "MOST", 3)
    figure = slices.slice_figure(FOUND, PATCH, equal_cost=False)
    assert len(named(figure, "Configurations").x) == 3
    np.testing.assert_allclose(named(figure, "Mean").y, [55, 70])


def test_parallel_axes_have_the_values_in_even_steps_then_cost_and_accuracy() -> None:
    [lines] = parallel_figure(FOUND).data
    assert [axis.label for axis in lines.dimensions] == [
        "Patch size",
        "Hidden dim",
        "FLOPs",
        "Accuracy (%)",
    ]
    hidden = lines.dimensions[1]
    assert list(hidden["values"]) == [0, 1, 2, 0, 1, 2]
    assert hidden.ticktext == ("8", "16", "64")
    assert all(axis.constraintrange is None for axis in lines.dimensions)


def test_choices_are_brushed_on_the_parallel_axes() -> None:
    most = TRIALS[3].flops
    [lines] = parallel_figure(
        FOUND, values={"hidden_dim": [8, 64]}, max_cost=most, min_accuracy=0.6
    ).data
    hidden, flops, accuracy = lines.dimensions[1:]
    inside = [any(low <= x <= high for low, high in hidden.constraintrange) for x in range(3)]
    assert inside == [True, False, True]
    assert flops.constraintrange[1] == pytest.approx(np.log10(most), abs=0.02)
    assert accuracy.constraintrange[0] == pytest.approx(60)


def test_a_parameter_of_many_values_has_an_axis_by_its_size() -> None:
    many = [trial(i, config=mixer(hidden_dim=8 + 4 * i)) for i in range(20)]
    [lines] = parallel_figure(family_trials(Snapshot(study(), many), "mixer")).data
    assert list(lines.dimensions[0]["values"][:3]) == pytest.approx(np.log2([8, 12, 16]))
    assert len(lines.dimensions[0].tickvals) <= FEW


def test_shares_of_the_parts_of_every_network_add_up_to_all_its_flops() -> None:
    trials = [trial(0), trial(1, config=vit())]
    figure = cost_shares_figure(trials)
    assert [bar.name for bar in figure.data] == [
        "Token mixing",
        "Channel mixing",
        "Attention",
        "MLP",
        "Stem",
        "Head",
    ]
    np.testing.assert_allclose(np.sum([bar.y for bar in figure.data], axis=0), [100, 100])
    assert [row[0] for row in figure.data[0].customdata] == [0, 1]


def test_fronts_of_studies_have_a_colour_each_a_marker_a_family_and_no_html() -> None:
    vits = [at(3_000_000, 0.4, 1, config=vit()), at(1_000_000, 0.3, 0)]
    both = {HOSTILE: SNAPSHOT, "both": Snapshot(study("both"), vits)}
    figure = fronts_figure(both, palette=DARK)
    first, second, mixers, of_vits = figure.data
    assert first.name == "&lt;a href='x'&gt;study&lt;/a&gt;"
    assert first.line.color != second.line.color
    assert second.marker.symbol == ("circle", "diamond")
    assert (mixers.name, of_vits.name) == ("Mixer", "ViT")
    assert first.customdata[0][0].startswith("&lt;a href='x'&gt;study&lt;/a&gt;, trial ")


def test_a_study_keeps_its_colour_in_all_figures_and_ten_are_told_apart() -> None:
    ten = {f"study {i}": SNAPSHOT for i in range(10)}
    fronts = fronts_figure(ten)
    last = {"study 9": histories(ten)["study 9"]}
    curves = hypervolumes_figure(last, "training_flops", list(ten))
    assert curves.data[0].line.color == fronts.data[9].line.color
    assert len({(one.line.color, one.line.dash) for one in fronts.data}) == 10


def test_hypervolumes_are_stairs_from_zero() -> None:
    figure = hypervolumes_figure(histories({"one": SNAPSHOT}), "configurations", ["one"])
    [stair] = figure.data
    assert (stair.x[0], stair.y[0]) == (0, 0)
    assert stair.line.shape == "hv"
    assert stair.x[-1] == len(TRIALS)
    assert figure.layout.xaxis.tickformat == "~s", "counts as on the other pages"
    assert stair.y[-1] == pytest.approx(replace(SNAPSHOT).hypervolume)


def test_figures_are_drawn_in_the_colours_of_the_theme() -> None:
    light, dark = (slices.slice_figure(FOUND, PATCH, palette=one) for one in (LIGHT, DARK))
    assert light.layout.template != dark.layout.template
