"""What the pages show of trials that were stopped early, without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from records import at, epoch, study, vit
from streamlit.testing.v1 import AppTest
from visits import click_point, heading, visit, words

from runs.record import Origin, State, Timing, TrialRecord
from runs.writer import open_writer

REASON = (
    "stopped after epoch 4 of 12: 30.0 % where a trial of no more FLOPs had 50.0 %; chance "
    "explains 6.0 points"
)
RUNGS = {"rungs": {"eta": 3, "count": None, "spared": 0.05}}


def timed(epochs: int) -> Timing:
    return Timing(compile_seconds=1, train_seconds=epochs, eval_seconds=1, images_per_second=1_000)


BASELINE = at(4_000_000, 0.5, 0, config=vit(), origin=Origin.BASELINE, error=None)
FINISHED = at(2_000_000, 0.6, 1, timing=timed(12), error=None)
STOPPED = at(4_000_000, 0.3, 2, state=State.PRUNED, rung=4, timing=timed(4), error=REASON, loss=1.9)
EXEMPT = at(4_000_000, 0.7, 3, rung=4, timing=timed(12), error=None)
USELESS = at(8_000_000, 0.4, 4, rung=1, timing=timed(12), error=None)
ALL = [BASELINE, FINISHED, STOPPED, EXEMPT, USELESS]


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study of one stopped and two exempt trials, and an older one that knows no rungs."""
    url = f"sqlite:///{tmp_path}/results.db"
    write(url, "older", [BASELINE, FINISHED], {})
    write(url, "stopping", ALL, RUNGS)
    monkeypatch.setenv("MIXER_STORAGE", url)
    return url


def write(url: str, name: str, trials: list[TrialRecord], spec: dict[str, Any]) -> None:
    with open_writer(url) as store:
        store.add_study(study(name, spec={"dataset": "digits"} | spec))
        for record in trials:
            stored = store.add_trial(name, record)
            for number in range(1, (record.rung if record is STOPPED else record.epochs) + 1):
                store.add_epoch(name, epoch(number, trial=stored.number))


def drawn(app: AppTest, figure: int = 0) -> dict[str, Any]:
    return json.loads(app.get("plotly_chart")[figure].proto.spec)


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.mark.usefixtures("storage")
def test_the_front_shows_the_stopped_apart_from_the_finished() -> None:
    app = visit("front", study="stopping")
    traces = {one["name"]: one for one in drawn(app)["data"]}
    assert [row[0] for row in traces["Stopped early"]["customdata"]] == [2]
    assert [row[0] for row in traces["Mixer"]["customdata"]] == [1, 3, 4]
    assert list(app.dataframe[0].value["Trial"]) == [1, 3]
    assert metrics(app)["Finished"] == "4"
    assert metrics(app)["Stopped early"] == "1"
    assert "Crosses were stopped early" in words(app)
    assert heading(click_point(app, "front of FLOPs", 2)) == "Trial 2"


@pytest.mark.usefixtures("storage")
def test_where_nothing_was_stopped_the_front_has_no_crosses() -> None:
    app = visit("front", study="older")
    assert "Stopped early" not in {one["name"] for one in drawn(app)["data"]}
    assert "Crosses" not in words(app)


@pytest.mark.usefixtures("storage")
def test_progress_says_what_stopping_saved_and_what_it_cost() -> None:
    """Saved: 8 of 12 epochs of 4 MFLOPs; spent: 12 of 2, 4 of 4, 12 of 4 and 12 of 8."""
    app = visit("progress", study="stopping")
    shown = metrics(app)
    saved, spent = 8 * 4, 12 * 2 + 4 * 4 + 12 * 4 + 12 * 8
    assert shown["Configurations stopped"] == "1"
    assert shown["Training compute saved"] == f"{100 * saved / (saved + spent):.1f} %"
    assert shown["Exempt"] == "2"
    assert shown["Training FLOPs saved"] == "96.0 G"  # 3 x 32 MFLOPs x 1,000 images an epoch
    assert shown["Of those on the front"] == "1"
    assert "compared after epoch 1 and 4 of 12" in words(app)
    assert shown["Hypervolume lost"] == "–"
    assert "cannot be said yet: 2 exempt configurations speak for those that were stopped" in words(
        app
    )


@pytest.mark.usefixtures("storage")
def test_a_study_without_rungs_says_so_in_a_sentence() -> None:
    app = visit("progress", study="older")
    assert "This study trains every configuration to the end." in words(app)
    assert "Configurations stopped" not in metrics(app)


@pytest.mark.usefixtures("storage")
def test_a_stopped_trial_says_why_and_shows_the_rungs_it_came_to() -> None:
    app = visit("trial", study="stopping", trial="2")
    assert "Stopped early, after epoch 4 of 12." in words(app)
    assert app.code[0].value == REASON
    assert metrics(app)["Validation accuracy"] == "30.00 %"
    assert not app.download_button
    for figure in range(3):
        assert [line["x0"] for line in drawn(app, figure)["layout"]["shapes"]] == [1, 4]


@pytest.mark.usefixtures("storage")
def test_an_exempt_trial_says_that_it_would_have_been_stopped() -> None:
    app = visit("trial", study="stopping", trial="3")
    assert "would have been stopped after epoch 4 of 12, and was trained on" in words(app)
    assert not app.code


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize(("name", "number"), [("stopping", "0"), ("older", "1")])
def test_a_trial_that_is_never_compared_has_no_rungs(name: str, number: str) -> None:
    app = visit("trial", study=name, trial=number)
    assert not drawn(app)["layout"].get("shapes")
