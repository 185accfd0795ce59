"""Values of widgets that stay: in the link, on other pages, and where the link is wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
import streamlit as st
from sample_study import write_study
from streamlit.testing.v1 import AppTest
from visits import heading, visit

from dashboard import kept


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    storage = f"sqlite:///{tmp_path_factory.mktemp('results')}/results.db"
    write_study(storage, "other", trials=14, seed=1)
    write_study(storage, "sample", trials=40)
    return storage


@pytest.fixture
def storage(written: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MIXER_STORAGE", written)
    return written


def follow(app: AppTest, title: str) -> AppTest:
    """What a click on a link of the sidebar does."""
    [link] = [one.proto for one in app.get("page_link") if one.proto.label == title]
    app.query_params.clear()
    app.query_params.update(parse_qs(link.query_string))
    return app.switch_page(f"views/{title.lower()}.py").run()


def link_of(app: AppTest) -> dict[str, list[str]]:
    """`AppTest` gives single values without a list."""
    return {k: v if isinstance(v, list) else [v] for k, v in app.query_params.items()}


def page() -> None:
    """A page of one widget of every kind."""
    path, end = st.session_state.get("path", "plain"), st.session_state.get("end", 4.0)
    kept.begin(SimpleNamespace(url_path=path))
    if path != "plain":
        return
    st.segmented_control(
        "Axis", ["flops", "params"], key=kept.choice("axis", ["flops", "params"], "flops")
    )
    limits = [float(limit) for limit in range(1, int(end) + 1)]
    st.select_slider("Limit", limits, key=kept.choice("limit", limits, end))
    sizes = [16, 32, 64]
    st.select_slider("Sizes", sizes, (16, 64), key=kept.span("sizes", sizes))
    st.multiselect("States", ["a", "b"], key=kept.choices("states", ["a", "b"], ["a"], most=2))
    st.number_input("Least", 0.0, 100.0, None, key=kept.number("least", 0.0, 100.0))
    st.text_input("Text", key=kept.text("text"))
    st.toggle("Plain", key=kept.flag("plain", default=True))


DEFAULTS = {
    "axis": "flops",
    "limit": 4.0,
    "sizes": (16, 64),
    "states": ["a"],
    "least": None,
    "text": "",
    "plain": True,
}


def opened(**link: str | list[str]) -> AppTest:
    """The page after a link to it was opened."""
    app = AppTest.from_function(_script, default_timeout=60)
    app.query_params.update(link)
    return app.run()


def _script() -> None:
    import test_kept

    test_kept.page()


def values(app: AppTest) -> dict[str, Any]:
    return {key: app.session_state[key] for key in DEFAULTS}


LINKS: list[tuple[str, Any, list[str]]] = [
    ("axis", "params", ["params"]),
    ("limit", 2.0, ["2"]),
    ("sizes", (16, 32), ["16", "32"]),
    ("states", ["a", "b"], ["a", "b"]),
    ("states", [], [""]),
    ("least", 62.5, ["62.5"]),
    ("text", "<b>p4 & ü", ["<b>p4 & ü"]),
    ("plain", False, ["no"]),
]


def test_defaults_stand_in_no_link() -> None:
    app = opened()
    assert values(app) == DEFAULTS
    assert link_of(app) == {}


@pytest.mark.parametrize(("key", "value", "texts"), LINKS)
def test_a_choice_stands_in_the_link_and_the_link_makes_it(
    key: str, value: Any, texts: list[str]
) -> None:
    app = opened()
    app.session_state[key] = value
    app.run()
    assert link_of(app) == {key: texts}
    app = opened(**{key: texts})
    assert values(app) == DEFAULTS | {key: value}
    app.session_state[key] = DEFAULTS[key]
    app.run()
    assert link_of(app) == {}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("axis", "FLOPs"),
        ("limit", "2.5"),
        ("sizes", "16"),
        ("sizes", ["64", "16"]),
        ("states", "c"),
        ("states", ["a", "b", "a"]),
        ("states", ["a", "a"]),
        ("plain", "maybe"),
        *[("least", text) for text in ("101", "nan", "inf", "many", "1e999")],
    ],
)
def test_what_a_link_asks_for_in_vain_is_said_and_the_rest_holds(
    key: str, text: str | list[str]
) -> None:
    app = opened(**{"text": "p4", key: text})
    assert f"asks for a `{key}`" in app.toast[0].value
    assert values(app) == DEFAULTS | {"text": "p4"}
    assert not app.exception


def test_the_widget_leads_while_the_browser_still_sends_the_link_before() -> None:
    app = opened()
    app.session_state["axis"] = "params"
    app.run()
    app.query_params.clear()
    app.run()
    assert app.session_state["axis"] == "params"
    assert link_of(app) == {"axis": ["params"]}


def test_what_is_at_its_default_follows_it_and_what_is_not_stays() -> None:
    app = opened()
    app.session_state["end"] = 6.0
    assert app.run().session_state["limit"] == 6.0
    app.session_state["limit"] = 3.0
    app.run()
    app.session_state["end"] = 8.0
    assert app.run().session_state["limit"] == 3.0
    app.session_state["end"] = 2.0  # a study that does not reach so far
    assert app.run().session_state["limit"] == 2.0
    assert link_of(app) == {}


@pytest.mark.usefixtures("storage")
def test_another_page_and_back_keeps_axis_and_filters() -> None:
    app = visit("front", study="sample")
    app.session_state["front_axis"] = "params"
    app.run()
    app.select_slider[0].set_value(250_000.0).run()
    follow(app, "Table").multiselect[0].select("failed").run()
    assert link_of(app) == {"study": ["sample"], "table_states": ["failed"]}
    follow(app, "Front")
    assert link_of(app) == {
        "study": ["sample"],
        "front_axis": ["params"],
        "front_limit_params": ["250000"],
    }
    assert "Best Mixer** of at most 250 k parameters" in app.markdown[0].value
    follow(app, "Table")
    assert set(app.dataframe[0].value["State"]) == {"failed"}


@pytest.mark.usefixtures("storage")
def test_a_link_shows_a_colleague_the_same_rows() -> None:
    link = {
        "study": "sample",
        "table_families": ["vit"],
        "table_max_mflops": "60",
        "table_text": "",
    }
    app = visit("table", **link)
    assert list(app.dataframe[0].value["Trial"]) == [1, 0]
    app = visit("table", study="sample", table_states=["failed", "refused"])
    assert set(app.dataframe[0].value["State"]) == {"failed", "refused"}


@pytest.mark.usefixtures("storage")
def test_another_study_is_looked_at_in_the_same_way_and_without_the_trial() -> None:
    app = visit("table", study="sample", trial="7", table_accuracy="50")
    app.selectbox[0].select("other").run()
    assert link_of(app) == {"study": ["other"], "table_accuracy": ["50"]}
    assert heading(app) == "All trials"


@pytest.mark.usefixtures("storage")
def test_text_in_a_link_is_never_a_tag() -> None:
    hostile = "<img src=x onerror=alert(1)> **b**"
    app = visit("table", study="sample", table_text=hostile, table_states=hostile)
    assert app.text_input[0].value == hostile
    said = [element.value for element in [*app.markdown, *app.toast, *app.caption]]
    assert not [text for text in said if "<img" in text or "**b**" in text]


@pytest.mark.usefixtures("storage")
def test_numbers_named_for_a_study_are_not_those_of_another() -> None:
    app = visit("trials", study="sample", trials_numbers="7,22")
    app.selectbox[0].select("other").run()
    assert "trials_numbers" not in app.query_params
    assert app.text_input(key="trials_numbers").value == ""
