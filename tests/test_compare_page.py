"""The pages Parameters and Compare, and which databases a dashboard may open."""

from __future__ import annotations

from pathlib import Path

import pytest
from records import trial
from sample_study import HOSTILE, write_study
from streamlit.testing.v1 import AppTest
from visits import click_point, click_row, heading, look_now, visit, words

from dashboard.__main__ import main
from dashboard.other_storages import name_others, other_storages
from runs.writer import open_writer


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/results.db"
    monkeypatch.setenv("MIXER_STORAGE", url)
    monkeypatch.delenv("MIXER_ALSO", raising=False)
    return url


def numbers(app: AppTest) -> list[int]:
    """Of the trials in the first table with a column of them."""
    return next(f.value["Trial"].tolist() for f in app.dataframe if "Trial" in f.value)


def test_choices_above_the_parallel_axes_filter_the_table_too(storage: str) -> None:
    write_study(storage, trials=16)
    app = visit("parameters")
    assert heading(app) == "Which parameters matter"
    assert "it takes 20 finished configurations of a family, and the study has 8" in words(app)
    assert len(numbers(app)) == 8
    app.button_group(key="parameters_mixer_patch_size").set_value([4]).run()
    left = numbers(app)
    assert 0 < len(left) < 8
    assert f"the choices above leave {len(left)} of 8" in words(app)
    app.number_input(key="parameters_min_accuracy").set_value(99.9).run()
    assert "None passes all choices." in words(app)
    assert not app.exception


def test_a_point_of_a_slice_and_a_row_open_the_trial(storage: str) -> None:
    write_study(storage, trials=16)
    app = visit("parameters")
    first = numbers(app)[0]
    assert heading(click_row(app, "parameters table", 0)) == f"Trial {first}"
    assert heading(click_point(visit("parameters"), "equal slice of mixer hidden_dim", first)) == (
        f"Trial {first}"
    )


def test_of_many_values_a_stretch_is_chosen_and_stands_in_the_link(storage: str) -> None:
    write_study(storage, trials=26)
    app = visit("parameters")
    slider = app.select_slider(key="parameters_mixer_hidden_dim")
    least, most = (int(slider.options[place]) for place in (0, 3))
    slider.set_value((least, most)).run()
    [widest] = [f.value["Hidden dim"].max() for f in app.dataframe if "Hidden dim" in f.value]
    assert widest == most
    link = app.query_params["parameters_mixer_hidden_dim"]
    again = visit("parameters", parameters_mixer_hidden_dim=link)
    assert numbers(again) == numbers(app)


@pytest.mark.parametrize(
    ("trials", "complete", "sentence"),
    [
        (12, False, "No configuration has finished yet."),
        (8, True, "one configuration alone does not differ"),
    ],
)
def test_a_page_without_enough_to_compare_says_so(
    storage: str, trials: int, complete: bool, sentence: str
) -> None:
    write_study(storage, trials=trials, complete=complete)
    assert sentence in words(visit("parameters"))


def test_studies_that_search_nothing_are_no_comparison(storage: str) -> None:
    write_study(storage, "one", trials=4)
    write_study(storage, "other", trials=4)
    app = visit("compare", study="one")
    assert "Fewer than two of them searched: choose others to compare." in words(app)


def test_two_studies_are_compared_and_their_names_are_text(storage: str) -> None:
    write_study(storage, HOSTILE, trials=12)
    write_study(storage, "sample", trials=16, seed=1)
    app = visit("compare", study="sample")
    assert app.session_state["compare_studies"] == ["0#sample", f"0#{HOSTILE}"]
    reached = app.dataframe[0].value
    assert reached["Study"].tolist() == ["sample", HOSTILE]
    assert "their specifications are the same" in words(app)
    app.multiselect(key="compare_studies").set_value(["0#sample"]).run()
    assert "Choose two studies or more." in words(app)
    assert not app.exception


def test_compared_studies_change_with_news_of_any_of_them_only_while_it_is_followed(
    storage: str,
) -> None:
    for seed, name in enumerate(("sample", "second")):
        write_study(storage, name, trials=12, seed=seed)
    app = visit("compare", study="second")
    before = app.dataframe[0].value
    with open_writer(storage) as store:
        store.add_trial("sample", trial(0, accuracy=1.0))
    app.toggle(key="follow").set_value(False)
    assert look_now(app).run().dataframe[0].value.equals(before)
    app.toggle(key="follow").set_value(True)
    after = look_now(app).run().dataframe[0].value
    assert after["Study"].tolist() == ["second", "sample"]
    changed = [not after.iloc[row].equals(before.iloc[row]) for row in (0, 1)]
    assert changed == [False, True]


def test_studies_of_another_database_are_offered_where_it_was_named_at_the_start(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(storage, trials=12)
    assert "There is one study only." in words(visit("compare"))
    other = f"sqlite:///{tmp_path}/other.db"
    write_study(other, trials=12, seed=1)
    monkeypatch.setenv("MIXER_ALSO", f"{other}\n\nsqlite:///{tmp_path}/gone.db\n{other}")
    assert len(other_storages()) == 2
    app = visit("compare")
    assert app.multiselect(key="compare_studies").value == ["0#sample", "1#sample"]
    assert app.dataframe[0].value["Study"].tolist() == [
        "sample",
        f"sample ({tmp_path}/other.db)",
    ]
    assert "gone.db does not exist" in words(app)


def test_a_link_opens_no_other_database(storage: str, tmp_path: Path) -> None:
    write_study(storage, trials=12)
    write_study(storage, "second", trials=12, seed=1)
    secret = tmp_path / "secret.db"
    write_study(f"sqlite:///{secret}", "secret", trials=12)
    for asked in (f"sqlite:///{secret}#secret", "1#secret"):
        app = visit("compare", compare_studies=asked, also=f"sqlite:///{secret}")
        assert "secret" not in words(app)
        assert not any("secret" in option for option in app.multiselect[0].options)


def test_the_dashboard_does_not_start_with_another_database_that_is_not_there(
    storage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_study(storage, trials=3)
    monkeypatch.setenv("MIXER_ALSO", "")  # put back afterwards
    assert main(["--storage", storage, "--also", f"sqlite:///{tmp_path}/gone.db"]) == 2
    assert "gone.db does not exist" in capsys.readouterr().err


def test_others_are_named_once_each_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXER_ALSO", "")
    assert other_storages() == []
    name_others(["sqlite:///b.db", "sqlite:///a.db", "sqlite:///b.db"])
    assert other_storages() == ["sqlite:///b.db", "sqlite:///a.db"]
