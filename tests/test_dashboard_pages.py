"""The pages as Streamlit runs them, without a browser."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from records import study, trial
from sample_study import HOSTILE, SEEDS, write_study
from streamlit.testing.v1 import AppTest
from visits import PAGES, click_point, click_row, heading, visit, words

from dashboard import controls, reading
from runs import winners
from runs.accounting import account
from runs.reader import open_reader
from runs.record import Origin, State
from runs.snapshot import Snapshot
from runs.writer import open_writer


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a full study (the newest) and one where nothing has finished."""
    storage = f"sqlite:///{tmp_path_factory.mktemp('results')}/results.db"
    write_study(storage, "unfinished", trials=14, complete=False)
    write_study(storage, "sample", trials=40)
    return storage


@pytest.fixture
def storage(written: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MIXER_STORAGE", written)
    return written


def figures(app: AppTest) -> list[list[Any]]:
    """The traces of each figure on the page."""
    return [json.loads(chart.proto.spec)["data"] for chart in app.get("plotly_chart")]


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("study", ["sample", "unfinished"])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_every_study(page: str, study: str) -> None:
    app = visit(page, study=study)
    assert not app.error
    assert app.selectbox[0].value == study
    assert heading(app)


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_an_unknown_study_gives_a_sentence_and_the_others(page: str) -> None:
    app = visit(page, study="sampel")
    assert "study 'sampel' is not in" in words(app)
    assert "did you mean 'sample'?" in words(app)
    app.selectbox[0].select("sample").run()
    assert not app.error
    assert app.query_params["study"] == "sample"


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("number", ["40", "-1", "seven", "<b>"])
def test_a_link_to_an_unknown_trial_gives_a_sentence(number: str) -> None:
    app = visit("trial", study="sample", trial=number)
    assert f"has no trial {number!r}; its trials are 0 to 39" in words(app)


@pytest.mark.usefixtures("storage")
def test_without_a_link_the_newest_study_is_shown_and_linked_to() -> None:
    app = visit()
    assert app.query_params == {"study": "sample"}
    assert app.selectbox[0].options == ["sample", "unfinished"]


@pytest.mark.usefixtures("storage")
def test_the_navigation_keeps_study_and_trial() -> None:
    app = visit("front", study="unfinished", trial="3")
    app.query_params.clear()
    app.switch_page("views/trial.py").run()
    assert heading(app) == "Trial 3"
    assert app.query_params == {"study": "unfinished", "trial": "3"}


@pytest.mark.usefixtures("storage")
def test_another_study_has_other_trials() -> None:
    app = visit("trial", study="sample", trial="39")
    app.selectbox[0].select("unfinished").run()
    assert app.query_params == {"study": "unfinished"}
    assert not app.error


@pytest.mark.usefixtures("storage")
def test_a_click_on_a_point_opens_the_trial() -> None:
    app = click_point(visit(), "front of FLOPs", 7)
    assert heading(app) == "Trial 7"
    assert app.query_params == {"study": "sample", "trial": "7"}


def test_a_click_on_a_row_opens_the_trial(storage: str) -> None:
    with open_reader(storage) as store:
        front = winners.front(winners.candidates(store.trials("sample")))
    app = visit()
    assert list(app.dataframe[0].value["Trial"]) == [trial.number for trial in front]
    assert heading(click_row(app, "front table", 1)) == f"Trial {front[1].number}"
    assert heading(click_row(visit("table"), "trials", 3)) == "Trial 36"
    assert heading(click_row(visit("progress"), "running", 0)) == "Trial 39"


def test_the_trial_page_says_what_the_record_says(storage: str) -> None:
    with open_reader(storage) as store:
        trial = store.trial("sample", 7)
    app = visit("trial", study="sample", trial="7")
    configuration, circumstances = (dict(table.value.values) for table in app.dataframe[:2])
    assert configuration["hidden_dim"] == str(trial.config.hidden_dim)
    assert circumstances["device"] == "NVIDIA H200"
    assert circumstances["jax"] == "0.10.2"
    assert circumstances["git revision"] == "5f2c1ab-dirty"
    accuracy = 100 * trial.accuracy
    assert app.metric[1].value.startswith(f"{accuracy:.2f} ± ")
    assert "one seed, images only: no verdict" in words(app)
    assert len(app.get("plotly_chart")) == 4
    assert [button.label for button in app.download_button] == ["Download preset"]


@pytest.mark.usefixtures("storage")
def test_the_next_trial_is_one_step_away() -> None:
    app = visit("trial", study="sample", trial="7")
    app.number_input(key="number").increment().run()
    assert heading(app) == "Trial 8"
    assert app.query_params["trial"] == "8"


@pytest.mark.usefixtures("storage")
def test_the_reason_of_a_failure_is_text_whatever_it_says() -> None:
    app = visit("trial", study="sample", trial="4")
    assert HOSTILE in app.code[0].value
    assert not app.download_button  # nothing to take home
    assert "<script>" not in "".join(element.value for element in app.markdown)


@pytest.mark.usefixtures("storage")
def test_the_slider_narrows_to_the_best_within_it() -> None:
    app = visit()
    before = words(app)
    slider = app.select_slider[0]
    drawn = app.get("plotly_chart")[0].proto.spec
    app = slider.set_value(25_000_000.0).run()
    assert app.get("plotly_chart")[0].proto.spec == drawn, "no new figure for a new limit"
    assert "of at most 25.0 M FLOPs" in "\n".join(m.value for m in app.markdown)
    cards = [text.value for text in app.text if "parameters" in text.value]
    assert len(cards) == 2
    assert not any(card in before for card in cards)


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("axis", ["Parameters", "Images/s"])
def test_the_front_follows_the_axis(axis: str) -> None:
    app = visit()
    app.session_state["front_axis"] = {"Parameters": "params"}.get(axis, "images_per_second")
    app.run()
    assert not app.error
    bound = "at least" if axis == "Images/s" else "at most"
    assert bound in "\n".join(element.value for element in app.markdown)
    assert heading(click_point(app, f"front of {axis}", 9)) == "Trial 9"


def test_latency_is_an_axis_where_it_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = f"sqlite:///{tmp_path}/results.db"
    monkeypatch.setenv("MIXER_STORAGE", storage)
    for name in ("elsewhere", "measured"):
        write_study(storage, name, trials=12)
    with open_writer(storage) as store:
        found = winners.candidates(store.trials("measured"))
        latencies = {trial.number: 0.25 * (i + 1) for i, trial in enumerate(found[:4])}
        store.put_costs("measured", {"latency_onnx_ms": latencies})
    axes = ["FLOPs", "MACs", "Parameters", "Images/s"]
    assert visit(study="elsewhere").get("button_group")[0].options == axes
    app = visit(study="measured")
    assert app.get("button_group")[0].options == [*axes, "Latency (ONNX)"]
    app.session_state["front_axis"] = "latency_onnx_ms"
    app.run()
    assert not app.error
    assert " ms" in "\n".join(m.value for m in app.markdown)
    layout = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]
    assert layout["xaxis"]["title"]["text"].startswith("Latency of one image in ONNX Runtime (ms)")
    assert set(app.dataframe[0].value["Trial"]) <= set(latencies)
    app.selectbox[0].select("elsewhere").run()
    assert not app.error
    assert app.session_state["front_axis"] == "flops"


def test_an_unfinished_study_says_how_many_trials_run(storage: str) -> None:
    with open_writer(storage) as store, store.hold("unfinished"):
        said = words(visit("front", study="unfinished"))
    assert "No configuration has finished yet, 13 trials running" in said


@pytest.mark.usefixtures("storage")
def test_filters_narrow_the_table() -> None:
    app = visit("table", study="sample")
    assert len(app.dataframe[0].value) == 40
    app.multiselect[0].select("failed").run()
    assert set(app.dataframe[0].value["State"]) == {"failed"}
    app.multiselect[0].unselect("failed").run()
    app.multiselect[2].select("vit").run()
    assert list(app.dataframe[0].value["Trial"]) == [3, 2, 1, 0]
    app.number_input[0].set_value(60.0).run()
    assert list(app.dataframe[0].value["Trial"]) == [1, 0]
    app.text_input[0].set_value("nothing like this").run()
    assert app.dataframe[0].value.empty
    assert app.get("download_button")[0].proto.disabled


@pytest.mark.usefixtures("storage")
def test_progress_lists_what_runs_and_why_trials_ended() -> None:
    app = visit("progress", study="sample")
    under_way = app.dataframe[0].value
    ended = pd.concat([table.value for table in app.dataframe][1:])
    assert list(under_way["Trial"]) == [39]
    assert list(under_way["Epoch"]) == ["2 of 4"]
    assert set(ended["State"]) == {"refused", "failed", "stopped early"}
    assert ended["Reason"].str.contains("<script>", regex=False).any()


def test_progress_says_who_runs_the_study(storage: str) -> None:
    assert "No process runs this study now" in words(visit("progress", study="sample"))
    with open_writer(storage) as store, store.hold("sample"):
        assert f"Run by process {os.getpid()} on " in words(visit("progress", study="sample"))
    assert "No process runs this study now" in words(visit("progress", study="sample"))


def test_progress_says_where_the_time_went(storage: str) -> None:
    with open_reader(storage) as store:
        found = account(store.trials("sample"))
    app = visit("progress", study="sample")
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Device busy"] == f"{100 * found.busy_share:.1f} %"
    assert shown["Programs from the cache"] == f"{found.cache_hits} of {found.programs}"
    assert shown["Median compile time"] == f"{found.median_compile_seconds:.1f} s"
    assert shown["Trials per hour"] == f"{found.trials_per_hour:.0f}"
    [busy] = [metric for metric in app.metric if metric.label == "Device busy"]
    assert "Training + validating" in busy.help
    assert len(app.get("plotly_chart")) == 6
    assert heading(click_point(app, "speed", 7)) == "Trial 7"


@pytest.mark.usefixtures("storage")
def test_where_nothing_has_ended_no_time_is_accounted_for() -> None:
    app = visit("progress", study="unfinished")
    assert "No trial has ended yet." in words(app)
    assert not app.metric


def test_seeds_of_a_configuration_are_one_point_and_one_row_of_the_front(storage: str) -> None:
    with open_reader(storage) as store:
        trials = store.trials("sample")
    app = visit()
    row = app.dataframe[0].value.set_index("Trial").loc[SEEDS[0]]
    mean = sum(trials[number].accuracy for number in SEEDS) / 3
    assert (row["Seeds"], row["Accuracy"]) == (3, pytest.approx(100 * mean))
    assert "Of several seeds the mean" in words(app)
    drawn = {one["name"]: one for one in figures(visit(trial=str(SEEDS[1])))[0]}
    hovered = {row[0]: row[3] for row in drawn["Mixer front"]["customdata"]}
    assert ", images and seeds<br>" in hovered[SEEDS[0]]
    assert "mean of 3 seeds" in hovered[SEEDS[0]]
    assert "Trial 25" in drawn  # the ring of any of its seeds
    assert app.metric[3].value == str(sum(t.state is State.COMPLETE for t in trials))


def test_the_front_says_how_far_it_can_be_trusted(storage: str) -> None:
    with open_reader(storage) as store:
        snapshot = Snapshot(store.study("sample"), store.trials("sample"))
    app = visit()
    members = len(snapshot.front)
    assert f"{len(snapshot.undecided)} of {members} members of the front could" in words(app)
    assert "Bars on the front: 95 %, images and seeds." in words(app)
    table, equal = app.dataframe[0].value, app.dataframe[1].value
    undecided = table[table["Remarks"].str.contains("undecided")]["Trial"]
    assert set(undecided) == snapshot.undecided
    assert list(equal["Verdict"]) == ["one seed, images only"] * len(equal)
    assert not [column for column in table if "Nearest" in column]
    every = visit("table").dataframe[0].value
    assert every["±"].notna().equals(every["Accuracy"].notna())


def test_the_page_of_a_seed_shows_the_others(storage: str) -> None:
    with open_reader(storage) as store:
        trial = store.trial("sample", SEEDS[1])
    app = visit("trial", study="sample", trial=str(SEEDS[1]))
    accuracy = 100 * trial.accuracy
    assert app.metric[1].value.startswith(f"{accuracy:.2f} ± ")  # its own, not the mean
    assert "One of 3 seeds of this configuration: seed 0 (trial 25)" in words(app)
    drawn = figures(app)[0]
    assert [one["name"] for one in drawn if one["showlegend"]] == ["Training", "Validation"]
    assert len(drawn) == 2 * 3
    assert heading(app.button(key="open 27").click().run()) == "Trial 27"


def test_the_preset_of_a_mean_names_its_seeds(
    storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_reader(storage) as store:
        snapshot = Snapshot(store.study("sample"), store.trials("sample"))
    given: list[str] = []
    monkeypatch.setattr(st, "download_button", lambda label, text, **_: given.append(text))
    trial = snapshot.trials[SEEDS[0]]
    controls.preset_button(snapshot, snapshot.mean_of(trial), key="mean")
    controls.preset_button(snapshot, trial, key="trial")
    mean, single = (json.loads(text)["source"] for text in given)
    assert (mean["seeds"], mean["accuracy"]) == (
        [0, 1, 2],
        pytest.approx(fmean(mean["accuracies"])),
    )
    assert (single["seed"], single["accuracy"]) == (0, trial.accuracy)


@pytest.mark.usefixtures("storage")
def test_the_table_has_a_row_a_seed() -> None:
    table = visit("table", study="sample").dataframe[0].value.set_index("Trial")
    assert list(table.loc[list(SEEDS), "Seed"]) == [0, 1, 2]


@pytest.mark.usefixtures("storage")
def test_a_bug_is_logged_with_its_traceback_and_owned_up_to(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reading, "latest", lambda *_, **__: 1 / 0)
    app = visit()
    assert "This page failed" in app.error[0].value
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in words(app)


def test_a_study_that_fine_tunes_is_said_to_have_no_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = f"sqlite:///{tmp_path}/results.db"
    record = study("tuned")
    start = {"preset": "pre*trained*", "sha256": "5" * 64, "image_size": 8, "tokens": None}
    with open_writer(storage) as store:
        store.add_study(replace(record, spec=record.spec | {"start_from": start}))
        for number in (0, 1):
            store.add_trial("tuned", trial(number, origin=Origin.FINETUNE, seed=number))
    monkeypatch.setenv("MIXER_STORAGE", storage)
    for page in PAGES:
        app = visit(page, study="tuned")
        assert not app.error
        said = words(app)
        assert "fine-tunes preset pre*trained*" in said
        assert "2 trials: 2 complete" in said
        assert "will appear" not in said
        assert "--trials" not in said
    assert "It searches nothing, so there is no front" in words(visit("front", study="tuned"))
    assert "It searches nothing" in words(visit("progress", study="tuned"))


def test_what_the_letters_of_a_configuration_mean_is_one_hover_away(storage: str) -> None:
    page = visit("trial", study="sample", trial="20")
    assert "T tokens_mlp_dim (hidden size of the MLP that mixes tokens)" in page.subheader[0].help
    page = visit("table", study="sample")
    [columns] = [frame.proto.columns for frame in page.dataframe]
    explained = json.loads(columns)["Configuration"]["help"]
    assert "D channels_mlp_dim" in explained
    assert "D mlp_dim" in explained, "a ViT has the letter for another field"
