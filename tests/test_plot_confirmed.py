"""What the figures of a confirmation draw, from trainings that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from test_confirmed import SEARCHED, N, confirm, read_test
from test_confirmed import store as store

from runs.confirmation.membership import Membership
from runs.confirmed import Confirmed, read_confirmed
from runs.confirmed_words import (
    by_families,
    confirmed_table,
    decisive_seeds,
    failed_lines,
    front_sentence,
    further_sentence,
    marks_sentence,
    optimism_sentence,
    split_sentence,
    to_publish,
    undecided_sentence,
)
from runs.plot.figures.confirmed import confirmed_figure, difference_figure, optimism_figure
from runs.record import State
from runs.writer import Writer
from space.quantities import format_seconds


def trace(figure: go.Figure, **of: Any) -> Any:
    return next(figure.select_traces(of))


@pytest.fixture
def found(store: Writer) -> Confirmed:
    read_test(store, confirm(store))
    return read_confirmed(store, "digits")


def test_every_network_is_a_point_at_its_mean_with_its_interval(found: Confirmed) -> None:
    figure = confirmed_figure(found)
    points = [t for t in figure.data if t.mode == "markers"]
    drawn = {row[0]: y for t in points for row, y in zip(t.customdata, t.y, strict=True)}
    assert drawn == pytest.approx(
        {
            n.parent.number: 100 * a.value
            for n, a in zip(found.networks, found.accuracies, strict=True)
        }
    )
    ends = np.concatenate([t.y + t.error_y.array for t in points])
    assert sorted(ends) == pytest.approx(sorted(100 * a.high for a in found.accuracies))
    assert figure.layout.yaxis.title.text == "Test accuracy (%)"


def test_points_tell_by_their_shape_who_is_on_the_front(found: Confirmed) -> None:
    figure = confirmed_figure(found)
    shapes = {
        row[0]: symbol
        for t in figure.data
        if t.mode == "markers"
        for row, symbol in zip(t.customdata, t.marker.symbol, strict=True)
    }
    places = {n.parent.number: m for n, m in zip(found.networks, found.memberships, strict=True)}
    assert shapes[1] == "circle"
    assert shapes[5] == "x-thin-open"
    assert shapes[4].startswith("square")  # it was given
    assert places[1] is Membership.ON
    assert places[5] is Membership.OFF


def test_a_chosen_trial_has_a_ring(found: Confirmed) -> None:
    ring = trace(confirmed_figure(found, chosen=1), name="Trial 1")
    assert list(ring.x) == [SEARCHED[1].flops]


def test_the_strip_is_the_difference_and_its_band(found: Confirmed) -> None:
    difference = found.comparisons[0]
    figure = difference_figure(found, difference)
    low, high, value = figure.data
    costs, expected, bottom, top = difference.grid()
    np.testing.assert_allclose(value.x, costs)
    np.testing.assert_allclose(value.y, 100 * expected)
    np.testing.assert_allclose(low.y, 100 * bottom)
    np.testing.assert_allclose(high.y, 100 * top)
    assert figure.layout.yaxis.range[0] < 0 < figure.layout.yaxis.range[1]
    assert figure.layout.xaxis.range == confirmed_figure(found).layout.xaxis.range
    assert {a.text for a in figure.layout.annotations} == {"Mixer better", "ViT better"}


def test_optimism_joins_what_the_search_saw_with_what_fresh_seeds_say(found: Confirmed) -> None:
    figure = optimism_figure(found)
    search, fresh = trace(figure, name="Search"), trace(figure, name="Fresh seeds")
    seen = dict(zip(search.y, search.x, strict=True))
    assert seen["trial 1"] == pytest.approx(95.0)
    assert dict(zip(fresh.y, fresh.x, strict=True))["trial 1"] == pytest.approx(90, abs=2)
    assert "trial 5" not in seen  # the search stopped it early


def test_the_table_has_a_row_a_network_group_by_group(found: Confirmed) -> None:
    table = confirmed_table(found)
    assert list(table["Group"].drop_duplicates()) == ["Mixer", "ViT", "Mixer baseline"]
    row = table[table["Trial"] == 1].iloc[0]
    assert (row["Front"], row["Seeds"], row["To decide"]) == ("on", 3, "")
    assert row["Optimism"] == pytest.approx(5, abs=2)
    assert table[table["Trial"] == 5]["Optimism"].isna().all()


def test_sentences_say_what_reports_and_what_was_luck(found: Confirmed) -> None:
    assert "on test" in split_sentence(found)
    assert split_sentence(found).endswith("test read once")
    assert front_sentence(found).startswith("Of 6 configurations ")
    said = optimism_sentence(found)
    assert said is not None
    assert "points more than fresh seeds in the mean of 5 configurations" in said
    assert undecided_sentence(found) is None
    assert decisive_seeds(found) is None


def test_before_test_is_read_fresh_validation_reports(store: Writer) -> None:
    confirm(store)
    found = read_confirmed(store, "digits")
    assert confirmed_figure(found).layout.yaxis.title.text == "Fresh validation accuracy (%)"
    assert "on fresh validation" in split_sentence(found)


def test_a_network_with_a_failed_training_is_named_and_not_drawn(store: Writer) -> None:
    confirm(store, states={(2, 11): State.FAILED})
    found = read_confirmed(store, "digits")
    assert failed_lines(found) == [
        f"trial 2, {SEARCHED[2].label}, is not judged: 1 of 3 trainings failed (it diverged)"
    ]
    numbers = {row[0] for t in confirmed_figure(found).data if t.customdata for row in t.customdata}
    assert 2 not in numbers


def test_the_undecided_are_counted_with_what_would_decide_them(
    store: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("test_confirmed.TRUE", dict.fromkeys(range(6), 0.8))
    confirm(store)
    found = read_confirmed(store, "digits")
    said = undecided_sentence(found)
    assert said is not None
    assert said.endswith("That is if the means stay as they are")
    lost = [n for n in found.seeds_to_decide.values() if n is None]
    if lost:
        assert f"too close for {N:,} validation images" in said
    assert sum(confirmed_table(found)["To decide"] != "") == len(found.seeds_to_decide) > 0


def test_the_sentence_to_publish_is_chosen_before_its_result_is_known(found: Confirmed) -> None:
    first = found.comparisons[0]
    said = to_publish(found)
    assert said is not None
    last = found.sentences_of(first)[-1]
    assert said == f"On cifar10, at{last.removeprefix('At')}."
    groups = by_families(found)
    assert list(groups) == ["Mixer and ViT", "Mixer and Mixer baseline"]
    assert [line for lines in groups.values() for line in lines] == [
        f"{one}." for one in found.sentences()
    ]


def test_a_caption_says_which_images_decided_where_two_kinds_are_mixed(store: Writer) -> None:
    record = confirm(store)
    assert "test split" not in marks_sentence(read_confirmed(store, "digits"))
    read_test(store, record)
    assert "shape and the line were decided on fresh validation" in marks_sentence(
        read_confirmed(store, "digits")
    )


def test_more_seeds_cost_what_those_there_are_cost(store: Writer) -> None:
    record = confirm(store)
    found = read_confirmed(store, "digits")
    each = [t.wall_seconds for n in found.networks for t in n.trials]
    assert all(each)
    further = format_seconds(4 / 3 * sum(filter(None, each)))
    assert further_sentence(found, 7) == (
        f"It takes 24 more trainings, {further} at the pace of those there are"
    )
    read_test(store, record)  # all of another confirmation
    assert further_sentence(read_confirmed(store, "digits"), 7).startswith("It takes 42 more")
