"""What the figures draw, from made-up trials."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from records import CIFAR, NOON, at, epoch, seeds, trial, vit

from runs import pareto
from runs.accounting import account
from runs.noise import Noise, wilson
from runs.plot.contrast import MARK, contrast, mix
from runs.plot.figures.axes import MANY, log_ticks
from runs.plot.figures.curves import curves_figure
from runs.plot.figures.front import Series, front_figure
from runs.plot.figures.hypervolume import hypervolume_figure
from runs.plot.figures.progress import (
    endings_figure,
    speed_figure,
    wall_figure,
)
from runs.plot.palette import DARK, LIGHT, Palette
from runs.points import points_of
from runs.record import Origin, State, Timing, TrialRecord
from runs.seeds import over_seeds
from runs.snapshot import History
from space.costs import FLOPS, Cost
from space.quantities import format_count

MIXER, VIT = (LIGHT.family(name) for name in ("mixer", "vit"))
MIXERS = [at(20_000_000, 0.70, 4), at(5_000_000, 0.60, 5), at(40_000_000, 0.65, 6)]
MIXERS += [at(80_000_000, 0.80, 7)]
VITS = [at(30_000_000, 0.62, 0, config=vit(CIFAR), origin=Origin.BASELINE)]


def series(mixers: list[TrialRecord] = MIXERS, axis: Cost = FLOPS) -> list[Series]:
    return [
        Series(name="Mixer", color=MIXER, points=points_of(mixers, axis)),
        Series(name="ViT", color=VIT, points=points_of(VITS, axis)),
    ]


def trace(figure: go.Figure, name: str) -> Any:
    return next(figure.select_traces({"name": name}))


def as_sent(figure: go.Figure) -> Any:
    """As the browser gets it."""
    return json.loads(figure.to_json())


def test_the_front_line_goes_through_the_trials_nobody_dominates() -> None:
    flops = np.array([t.flops for t in MIXERS], float)
    accuracy = np.array([t.accuracy for t in MIXERS], float)
    front = pareto.front(flops, accuracy)
    line = trace(front_figure(series()), "Mixer front")
    assert list(line.x) == list(flops[front]) == [5e6, 2e7, 8e7]
    assert list(line.y) == pytest.approx([60, 70, 80])
    assert line.line.shape == "hv"  # a budget between two trials buys the cheaper


def test_vits_have_a_colour_and_a_front_of_their_own() -> None:
    figure = front_figure(series())
    assert [row[0] for row in trace(figure, "Mixer").customdata] == [4, 5, 6, 7]
    assert [row[0] for row in trace(figure, "ViT").customdata] == [0]
    assert trace(figure, "ViT front").line.color == VIT
    assert trace(figure, "Mixer front").line.color == MIXER


def test_flops_are_on_a_log_axis_that_says_how_they_are_counted() -> None:
    axis = front_figure(series()).layout.xaxis
    assert axis.type == "log"
    assert "2 × MACs, one image, forward" in axis.title.text
    assert "Validation" in front_figure(series()).layout.yaxis.title.text


def test_a_limit_marks_the_best_of_each_family_within_it() -> None:
    figure = front_figure(series(), limit=3e7)
    assert trace(figure, "Best Mixer").customdata[0][0] == 4
    assert trace(figure, "Best ViT").customdata[0][0] == 0
    assert figure.layout.shapes[0].x0 == 3e7


def test_a_limit_nothing_fits_within_marks_nothing() -> None:
    names = [one.name for one in front_figure(series(), limit=1e6).data]
    assert not [name for name in names if name.startswith("Best")]


def test_the_chosen_trial_has_a_ring() -> None:
    ring = trace(front_figure(series(), chosen=6), "Trial 6")
    assert (list(ring.x), ring.marker.symbol) == ([4e7], "circle-open")


def test_given_mixers_are_hollow_and_have_no_front() -> None:
    given = Series(name="Given", color=MIXER, points=points_of(MIXERS, FLOPS), has_front=False)
    figure = front_figure([*series(), given], limit=1e9)
    assert trace(figure, "Given").marker.symbol == "circle-open"
    assert not {"Given front", "Best Given"} & {one.name for one in figure.data}


def test_stopped_trials_are_pale_crosses_that_say_when_and_are_on_no_front() -> None:
    ended = {"state": State.PRUNED, "rung": 4}
    stopped = [at(5_000_000, 0.95, 8, **ended), at(90_000_000, 0.3, 9, **ended)]
    apart = Series(
        name="Stopped early",
        color=MIXER,
        points=points_of(stopped, FLOPS),
        has_front=False,
        is_stopped=True,
    )
    figure = front_figure([*series(), apart], limit=1e9, chosen=9)
    crosses = trace(figure, "Stopped early")
    assert list(zip(crosses.x, crosses.y, strict=True)) == [(5e6, 95), (9e7, pytest.approx(30))]
    assert (crosses.marker.symbol, crosses.marker.color) == ("x", LIGHT.tone(MIXER))
    assert crosses.customdata[0][0] == 8
    assert crosses.customdata[0][3] == "stopped after epoch 4 of 12<br>"
    assert list(trace(figure, "Mixer front").y) == pytest.approx([60, 70, 80])
    assert trace(figure, "Best Mixer").customdata[0][0] == 7
    assert list(trace(figure, "Trial 9").x) == [9e7]


def test_stopped_seeds_are_one_cross_without_a_bar() -> None:
    stopped = at(5_000_000, 0.3, 8, state=State.PRUNED, rung=4)
    points = points_of([stopped], FLOPS, {8: [0.29, 0.31]})
    figure = front_figure(
        [Series(name="Stopped", color=MIXER, points=points, has_front=False, is_stopped=True)]
    )
    [cross] = figure.data
    assert cross.customdata[0][3] == (
        "mean of 2 seeds, 29.00 to 31.00 %<br>stopped after epoch 4 of 12<br>"
    )


def test_a_configuration_of_several_seeds_is_one_point_with_a_bar_over_them() -> None:
    three = seeds(10, 0.961, 0.974, 0.97, macs=10_000_000)
    mixers = over_seeds([*MIXERS, *three])
    accuracies = {10: [0.961, 0.974, 0.97]}
    figure = front_figure(
        [Series(name="Mixer", color=MIXER, points=points_of(mixers, FLOPS, accuracies))]
    )
    cloud, bar = trace(figure, "Mixer"), trace(figure, "Mixer seeds")
    assert [row[0] for row in cloud.customdata] == [4, 5, 6, 7, 10]
    assert list(bar.y) == pytest.approx([96.8333], abs=1e-3)
    assert bar.y[0] + bar.error_y.array[0] == pytest.approx(97.4)
    assert bar.y[0] - bar.error_y.arrayminus[0] == pytest.approx(96.1)
    assert "mean of 3 seeds, 96.10 to 97.40 %" in cloud.customdata[4][3]
    assert {row[3] for row in cloud.customdata[:4]} == {""}
    assert not [one for one in front_figure(series()).data if one.name == "Mixer seeds"]


def test_members_of_the_front_have_bars_that_say_of_what() -> None:
    points = points_of(MIXERS, FLOPS)
    figure = front_figure(
        [Series(name="Mixer", color=MIXER, points=points, noise=Noise(num_images=400))]
    )
    front, cloud = trace(figure, "Mixer front"), trace(figure, "Mixer")
    low, high = wilson(np.array([0.6, 0.7, 0.8]), 400)
    assert list(front.y + front.error_y.array) == pytest.approx(list(100 * high))
    assert list(front.y - front.error_y.arrayminus) == pytest.approx(list(100 * low))
    assert front.customdata[0][3] == "95 %: 55.13 to 64.68 %, images only<br>"
    assert cloud.error_y.array is None
    assert cloud.customdata[2][3] == "", "it is not on the front"


def test_what_had_not_converged_is_hollow_and_the_legend_says_so() -> None:
    points = points_of(MIXERS, FLOPS)
    one = Series(name="Mixer", color=MIXER, points=points, unconverged={5})
    figure = front_figure([one])
    assert trace(figure, "Mixer").customdata[1][3] == "not converged<br>"
    heart = trace(figure, "Not converged")
    assert (list(heart.x), list(heart.y)) == ([5e6], [60])
    assert heart.customdata[0][0] == 5, "a click on it opens the trial"
    vit_too = replace(series()[1], unconverged={0})
    both = [d for d in front_figure([one, vit_too]).data if d.name == "Not converged"]
    assert [d.showlegend for d in both] == [True, False]
    assert "Not converged" not in [drawn.name for drawn in front_figure(series()).data]


def test_a_click_brings_back_the_number_of_the_trial() -> None:
    """Typed arrays would come back as objects keyed by text, so rows must travel as lists."""
    for drawn in as_sent(front_figure(series(MIXERS * 400), limit=1e9, chosen=4))["data"]:
        if drawn.get("hoverinfo") == "skip":
            continue  # which no click meets
        assert isinstance(drawn["customdata"][0], list)
        assert isinstance(drawn["customdata"][0][0], int)


def test_text_in_a_hover_box_is_shown_not_obeyed() -> None:
    class Named(TrialRecord):
        label = "<a href='http://example.com'>x</a>"

    hostile = Named(**{name: getattr(MIXERS[0], name) for name in MIXERS[0].__dataclass_fields__})
    sent = front_figure(series([hostile])).to_json()
    assert "&lt;a href=" in sent
    assert "<a" not in sent


def test_from_five_thousand_trials_on_the_graphics_card_draws() -> None:
    few, many = front_figure(series(MIXERS * 10)), front_figure(series(MIXERS * (MANY // 4)))
    assert {one.type for one in few.data} == {"scatter"}
    # All of it: what it draws lies above what it does not draw, and would cover the front
    assert {one.type for one in many.data} == {"scattergl"}
    assert set(as_sent(many)["data"][0]["x"]) == {"dtype", "bdata"}  # bytes, not 5,000 words


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_a_crowd_is_paler_than_the_front_which_lies_above_it_with_a_rim(palette: Palette) -> None:
    figure = front_figure(series(MIXERS * 300), palette=palette)
    names = [one.name for one in figure.data]
    assert names.index("Mixer") < names.index("Mixer rim") < names.index("Mixer front")
    cloud, front = trace(figure, "Mixer").marker, trace(figure, "Mixer front").marker
    assert cloud.color == palette.tone(front.color) != front.color
    assert cloud.size < front.size
    assert trace(figure, "Mixer rim").line.color == palette.background
    assert not [one.name for one in front_figure(series()).data if one.name.endswith("rim")]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_single_points_and_crosses_are_seen_on_the_background(palette: Palette) -> None:
    stopped = replace(series()[0], name="Stopped", has_front=False, is_stopped=True)
    figure = front_figure([*series(), stopped], palette=palette)
    for name in ("Mixer", "ViT", "Stopped"):
        marker = trace(figure, name).marker
        seen = mix(palette.background, marker.color, marker.opacity)
        assert contrast(seen, palette.background) >= MARK


def test_a_hover_box_writes_numbers_as_the_pages_do() -> None:
    drawn = trace(front_figure(series([at(267_000, 0.5, 3)])), "Mixer")
    assert drawn.customdata[0][1] == "267 k FLOPs"
    assert drawn.customdata[0][2].endswith(" parameters")
    assert "customdata[1]}<br>" in drawn.hovertemplate, "as it is: Plotly would write 267k"


def test_where_the_hypervolume_stands_still_no_points_are_sent() -> None:
    hypervolume = np.array([0.1, 0.1, 0.1, 0.4, 0.4, 0.4, 0.4])
    history = History(hypervolume=hypervolume, training_flops=np.arange(1e9, 8e9, 1e9))
    line = hypervolume_figure(history, "configurations").data[0]
    assert (list(line.x), list(line.y)) == ([0, 1, 4, 7], [0, 0.1, 0.4, 0.4])
    assert line.line.shape == "hv"


def test_training_and_validation_differ_by_more_than_colour() -> None:
    columns = {"Training": "train_accuracy", "Validation": "validation_accuracy"}
    figure = curves_figure([epoch(1), epoch(2)], columns, "Accuracy (%)", color=VIT, scale=100)
    assert list(trace(figure, "Validation").y) == pytest.approx([9, 54.5])
    assert trace(figure, "Training").line.dash != trace(figure, "Validation").line.dash


def test_curves_of_other_seeds_are_pale_and_share_the_legend() -> None:
    columns = {"Training": "train_accuracy", "Validation": "validation_accuracy"}
    figure = curves_figure(
        [], columns, "Accuracy (%)", color=MIXER, others={"seed 1": [epoch(1)], "seed 2": []}
    )
    assert [one.name for one in figure.data if one.showlegend] == ["Training", "Validation"]
    other = trace(figure, "Validation, seed 1")
    assert (other.legendgroup, other.line.color) == ("Validation", LIGHT.tone(MIXER))
    assert trace(figure, "Validation").line.color == MIXER


def test_rungs_are_marked_in_learning_curves() -> None:
    columns = {"Validation": "validation_accuracy"}
    epochs = [epoch(n) for n in range(1, 5)]
    figure = curves_figure(epochs, columns, "Accuracy (%)", color=MIXER, rungs=[1, 4])
    assert [(line.x0, line.line.dash) for line in figure.layout.shapes] == [
        (1, "dash"),
        (4, "dash"),
    ]
    assert [(note.text, note.x) for note in figure.layout.annotations] == [("rungs", 4)]


def test_the_wall_clocks_of_two_workers_are_said_to_be_together() -> None:
    found = account([trial(n, wall_seconds=100.0, num_workers=2) for n in range(6)])
    title = wall_figure(found).layout.xaxis.title.text
    assert title == "Workers' wall clocks together (minutes)"


def test_the_bar_of_the_wall_clock_is_as_long_as_the_wall_clock() -> None:
    timing = Timing(compile_seconds=99, train_seconds=60, eval_seconds=15, images_per_second=1)
    found = account([trial(n, timing=timing, wall_seconds=100.0) for n in range(6)])
    figure = wall_figure(found)
    assert figure.layout.xaxis.title.text == "Wall clock (minutes)"
    assert [list(one.x) for one in figure.data] == [[6.0], [1.5], [2.5]]
    assert [one.name for one in figure.data] == [
        "Training 60.0 %",
        "Validating 15.0 %",
        "Other 25.0 %",
    ]
    assert figure.layout.barmode == "stack"


def test_training_speed_stands_against_flops_and_says_where() -> None:
    timing = Timing(compile_seconds=1, train_seconds=1, eval_seconds=1, images_per_second=2_000)
    figure = speed_figure([at(20_000_000, 0.5, 3, timing=timing), at(4_000_000, 0.5, timing=None)])
    [mixers] = figure.data
    assert (list(mixers.x), list(mixers.y)) == ([2e7], [3 * 2e7 * 2_000])
    assert mixers.customdata[0] == [3, "120 GFLOP/s", 2_000, "NVIDIA H200"]
    assert figure.layout.xaxis.type == "log"
    assert isinstance(as_sent(figure)["data"][0]["customdata"][0], list)  # a click opens the trial


def test_every_state_counts_from_the_first_end_to_the_last() -> None:
    later = NOON + timedelta(minutes=5)
    figure = endings_figure({State.COMPLETE: [NOON, later], State.FAILED: [NOON]})
    assert list(trace(figure, "complete").y) == [0, 1, 2, 2]
    assert list(trace(figure, "failed").y) == [0, 1, 1]
    assert trace(figure, "failed").x[-1] == trace(figure, "complete").x[-1]


def test_the_ticks_of_a_log_axis_say_their_unit() -> None:
    assert [format_count(tick) for tick in log_ticks([400_000.0, 3e6])] == [
        *("100 k", "200 k", "500 k", "1.00 M", "2.00 M", "5.00 M", "10.0 M", "20.0 M", "50.0 M")
    ]
    assert log_ticks([]) == []


@pytest.mark.parametrize("flops", [1_800_000, 2_200_000, 6_000_000, 9_600_000])
def test_an_axis_with_a_single_configuration_has_ticks(flops: int) -> None:
    """Without one, Plotly draws the title of the axis at the upper edge, cut off."""
    one = [Series(name="Mixer", color=MIXER, points=points_of([at(flops, 0.5)], FLOPS))]
    for figure in (front_figure(one, limit=1e7), speed_figure([at(flops, 0.5)])):
        low, high = figure.layout.xaxis.range
        assert low < math.log10(flops) < high
        assert high - low >= 1
        assert figure.layout.xaxis.nticks >= 3


def test_counts_on_an_axis_have_their_unit_after_a_space_and_room_to_the_frame() -> None:
    spent = np.array([1e14, 4.2e14, 1.3e15])
    history = History(hypervolume=np.array([0.1, 0.2, 0.3]), training_flops=spent)
    axis = hypervolume_figure(history, "training_flops").layout.xaxis
    assert axis.tickformat == "~s"
    assert {axis.labelalias[text] for text in ("200T", "1P", "500k")} == {"200 T", "1 P", "500 k"}
    assert axis.range[0] == 0
    assert 1.3e15 < axis.range[1] < 1.4e15
    assert front_figure(series()).layout.xaxis.labelalias["500k"] == "500 k"


def test_curves_do_not_touch_the_frame() -> None:
    columns = {"Validation": "validation_accuracy"}
    for last in (1, 2, 40):
        epochs = [epoch(n) for n in range(1, last + 1)]
        low, high = curves_figure(epochs, columns, "", color=MIXER).layout.xaxis.range
        assert 0 < 1 - low == pytest.approx(high - last)
        assert high - last < 2


def test_a_log_axis_shows_everything_there_is() -> None:
    low, high = front_figure(series(), limit=1e9).layout.xaxis.range
    assert low < math.log10(5e6)
    assert math.log10(1e9) < high


def test_the_hypervolume_of_one_configuration_is_a_line() -> None:
    history = History(hypervolume=np.array([0.3]), training_flops=np.array([1e9]))
    figure = hypervolume_figure(history, "configurations")
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([0, 1], [0, 0.3])
    assert figure.layout.xaxis.dtick == 1  # no half configurations


def test_the_axis_of_a_single_ending_is_no_fraction_of_a_second() -> None:
    include = endings_figure({State.COMPLETE: [NOON]}).layout.xaxis.autorangeoptions.include
    assert include[1] - include[0] == timedelta(minutes=1)
