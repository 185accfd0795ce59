"""Trials side by side, what one has learnt, and what happened when, without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_study import HOSTILE, write_study
from streamlit.testing.v1 import AppTest
from visits import click_point, click_row, heading, select_points, visit, words

from runs.reader import open_reader
from runs.snapshot import read_snapshot
from runs.weights_folder import weights_folder
from runs.writer import open_writer
from space.weights_file import weights_bytes


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    storage = f"sqlite:///{tmp_path_factory.mktemp('results')}/results.db"
    write_study(storage, "sample", trials=40)
    return storage


@pytest.fixture
def storage(written: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MIXER_STORAGE", written)
    return written


def compared(text: str) -> AppTest:
    app = visit("trials", study="sample")
    return app.text_input(key="trials_numbers").set_value(text).run()


def shown(app: AppTest) -> list[str]:
    return [button.label for button in app.button if button.label.startswith("Open")]


def drawn(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def test_without_a_choice_the_ends_and_the_knee_of_the_front_are_shown(storage: str) -> None:
    app = visit("trials", study="sample")
    with open_reader(storage) as store:
        front = read_snapshot(store, "sample").front
    assert shown(app)[0] == f"Open trial {front[0].number}"
    assert shown(app)[-1] == f"Open trial {front[-1].number}"
    assert "No trial is named" in words(app)


@pytest.mark.usefixtures("storage")
def test_named_trials_stand_side_by_side() -> None:
    app = compared("22, 3, 7")
    assert not app.error
    assert shown(app) == ["Open trial 22", "Open trial 3", "Open trial 7"]
    table = app.dataframe[0].value
    assert list(table.columns) == ["Field", "Differs", "Trial 22", "Trial 3", "Trial 7"]
    accuracy, loss, accuracies, parts = drawn(app)
    assert [one["name"] for one in accuracy["data"]] == ["Trial 22", "Trial 3", "Trial 7"]
    assert {one["name"] for one in parts["data"]} >= {"Token mixing", "Attention"}
    assert len(loss["data"]) == len(accuracies["data"]) == 3
    assert heading(click_point(app, "trials_accuracy", 22)) == "Trial 22"


@pytest.mark.usefixtures("storage")
def test_a_link_opens_the_same_trials() -> None:
    app = visit("trials", study="sample", trials_numbers="7,22")
    assert shown(app) == ["Open trial 7", "Open trial 22"]
    app.text_input(key="trials_numbers").set_value("5").run()
    assert app.query_params["trials_numbers"] == "5"


@pytest.mark.usefixtures("storage")
def test_columns_are_in_the_link_where_they_are_not_the_usual_ones() -> None:
    app = visit("table", study="sample", table_columns="num_blocks")
    assert list(app.dataframe[0].value) == ["Trial", "num_blocks"]
    assert "table_columns" not in visit("table", study="sample").query_params


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("text", ["3, 40", "1,2,3,4,5,6,7", HOSTILE])
def test_what_cannot_be_compared_gets_a_sentence(text: str) -> None:
    app = compared(text)
    assert "These are no trials to compare." in app.warning[0].value
    assert not app.get("plotly_chart")
    assert not [one for one in app.markdown if "<script>" in one.value]


@pytest.mark.usefixtures("storage")
def test_trials_that_never_trained_have_a_page_too() -> None:
    app = compared("8")  # refused
    assert not app.error
    assert "None of them has finished an epoch." in words(app)
    assert "Name another trial" in words(app)


@pytest.mark.usefixtures("storage")
def test_ticked_rows_of_the_table_are_compared() -> None:
    app = visit("table", study="sample")
    tick(app, [0, 3])
    assert app.button(key="compare").label == "2 side by side"
    app.button(key="compare").click().run()
    assert heading(app) == "Trials side by side"
    assert shown(app) == ["Open trial 39", "Open trial 36"]
    assert app.query_params["trials_numbers"] == "39,36"


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("rows", [[], [1], list(range(7))])
def test_too_few_and_too_many_rows_cannot_be_compared(rows: list[int]) -> None:
    app = visit("table", study="sample")
    tick(app, rows)
    assert app.button(key="compare").disabled


@pytest.mark.usefixtures("storage")
def test_a_click_on_a_row_still_opens_it() -> None:
    app = visit("table", study="sample")
    tick(app, [0, 1])
    assert heading(click_row(app, "trials", 3)) == "Trial 36"


@pytest.mark.usefixtures("storage")
def test_ticks_stay_with_their_trials_when_the_rows_are_others() -> None:
    app = visit("table", study="sample")
    tick(app, [0, 1, 36])  # trials 39, 38 and 3
    app.multiselect[2].select("vit").run()
    assert list(app.dataframe[0].value["Trial"]) == [3, 2, 1, 0]
    assert app.session_state["trials"]["selection"]["rows"] == [0]
    assert app.button(key="compare").label == "1 side by side"


@pytest.mark.usefixtures("storage")
def test_a_box_of_points_puts_their_trials_side_by_side() -> None:
    app = select_points(visit("front", study="sample"), "front of FLOPs", [22, 3, 36])
    assert heading(app) == "Trials side by side"
    assert shown(app) == ["Open trial 22", "Open trial 3", "Open trial 36"]
    assert app.query_params["trials_numbers"] == "22,3,36"


@pytest.mark.usefixtures("storage")
def test_a_box_of_too_many_points_gets_a_sentence_and_the_front_stays() -> None:
    app = select_points(visit("front", study="sample"), "front of FLOPs", range(7))
    assert heading(app) == "Accuracy against cost"
    assert "7 trials are selected, and at most 6 can be told apart" in words(app)


def tick(app: AppTest, rows: list[int]) -> None:
    app.session_state["trials"] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    app.run()


@pytest.mark.usefixtures("storage")
def test_hyperparameters_are_columns_that_can_be_chosen() -> None:
    app = visit("table", study="sample")
    table = app.dataframe[0].value
    assert {"patch_size", "tokens_mlp_dim", "num_heads"} <= set(table)
    assert "image_size" not in table
    assert table["hidden_dim"].dtype.kind == "i"
    box = app.multiselect(key="table_columns")
    assert {"classifier", "Loss (nats)", "Git revision"} <= set(box.options)
    box.set_value(["num_blocks", "Loss (nats)"]).run()
    assert list(app.dataframe[0].value) == ["Trial", "num_blocks", "Loss (nats)"]
    box.set_value([]).run()
    assert list(app.dataframe[0].value) == ["Trial"]


@pytest.mark.usefixtures("storage")
def test_reasons_are_lines_that_unfold() -> None:
    app = visit("progress", study="sample")
    lines = [one.label for one in app.expander]
    assert lines == [
        "Failed for another reason: 2 trials",
        "Stopped early after epoch 2: 2 trials",
        "Refused for another reason: 2 trials",
    ]
    inside = app.expander[0].dataframe[0].value
    assert set(inside["State"]) == {"failed"}
    assert inside["Reason"].str.contains("<script>", regex=False).all()
    opened = click_row(app, "ended Stopped early after epoch 2", 0)
    assert heading(opened).startswith("Trial ")


@pytest.mark.usefixtures("storage")
def test_a_bar_of_the_timeline_opens_its_trial() -> None:
    app = visit("progress", study="sample")
    assert "Which worker trained it is not recorded" in words(app)
    assert heading(click_point(app, "timeline", 7)) == "Trial 7"


@pytest.fixture
def with_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study in which the weights of a ViT (trial 0) and of a Mixer (trial 5) are kept."""
    storage = f"sqlite:///{tmp_path}/results.db"
    monkeypatch.setenv("MIXER_STORAGE", storage)
    write_study(storage, "sample", trials=12)
    folder = weights_folder(storage)
    with open_writer(storage) as store:
        trials = store.trials("sample")
        for trial in (trials[0], trials[5]):
            kept = folder.write(trial.number, weights_bytes(params_of(trial.config), {}))
            store.end_trials("sample", [trial], weights=[kept])
    return storage


def params_of(config: Any) -> dict[str, Any]:
    """Some of a network's parameters, of its shapes."""
    draw = np.random.default_rng(0)
    patch, tokens = config.patch_size, config.num_patches
    kernel = {"kernel": draw.normal(size=(patch, patch, 3, config.hidden_dim))}
    if config.family == "vit":
        table = draw.normal(size=(1, config.num_tokens, config.hidden_dim))
        return {
            "embedding": kernel,
            "Transformer": {"posembed_input": {"pos_embedding": table}},
        }
    mixing = {"Dense_0": {"kernel": draw.normal(size=(tokens, config.tokens_mlp_dim))}}
    blocks = {f"MixerBlock_{i}": {"token_mixing": mixing} for i in range(config.num_blocks)}
    return {"stem": kernel, **blocks}


def titles(app: AppTest) -> list[str]:
    layouts = [figure["layout"] for figure in drawn(app)]
    return [layout["title"]["text"] for layout in layouts if "title" in layout]


@pytest.mark.usefixtures("with_weights")
def test_the_page_of_a_trial_shows_what_it_has_learnt() -> None:
    app = visit("trial", study="sample", trial="5")
    blocks = int(dict(app.dataframe[0].value.values)["num_blocks"])
    assert titles(app) == [f"Block {i + 1}" for i in range(min(3, blocks))] + ["Stem"]
    vit = visit("trial", study="sample", trial="0")
    assert titles(vit) == ["Stem", "Position embedding"]
    assert "position embeddings of patches" in words(vit)


@pytest.mark.usefixtures("with_weights")
def test_without_weights_a_line_says_how_they_are_kept() -> None:
    app = visit("trial", study="sample", trial="1")
    assert titles(app) == []
    assert "--keep-weights all" in words(app)
    assert "Weights are kept when a trial completes." in words(visit("trial", trial="11"))


@pytest.mark.parametrize("harm", ["damaged", "missing"])
def test_weights_that_cannot_be_read_cost_the_page_nothing_else(
    with_weights: str, harm: str
) -> None:
    files = list(weights_folder(with_weights).files())
    for file in files:
        if harm == "missing":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-4] + b"none")
    app = visit("trial", study="sample", trial="5")
    assert "cannot be read" in app.warning[-1].value
    assert ("is damaged" if harm == "damaged" else "are not in") in words(app)
    assert len(app.get("plotly_chart")) == 4  # its curves, and its cost by layer
