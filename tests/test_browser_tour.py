"""What the dashboard answers, question by question, and a study's name that stays a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

import pytest
from browsing import open_page, serving
from playwright.sync_api import Browser, Page, expect
from records import study
from sample_study import write_study
from test_confirmed import SEARCHED, confirm, read_test
from test_dashboard_trials import params_of

from runs.weights_folder import weights_folder
from runs.writer import open_writer
from space.weights_file import weights_bytes

pytestmark = pytest.mark.slow

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"

ANSWERS = [
    # What was asked, how far it is, what comes next, what it took, how often test was read
    (
        "?study=sample",
        *(["31 configurations have ended", "search.confirm --study sample"], 1),
    ),
    ("?study=digits", ["What was asked", "Test read once, for all studies of the database"], 1),
    # Is it real? Who is undecided?
    (
        "front?study=digits",
        ["Mixer is +38.7 points", "5 are on the front of their group, 1 off, 0 undecided"],
        4,
    ),
    ("front?study=sample", ["5 of 9 members of the front could change places", "86.42"], 1),
    # Which parameters matter at equal FLOPs, and what the FLOPs are spent on
    (
        "parameters?study=sample",
        ["of what is left at equal FLOPs", "the choices above leave 27 of 27", "are spent on"],
        9,
    ),
    # Which study is better, and what was asked differently
    (
        "compare?study=sample&compare_studies=0%23sample&compare_studies=0%23digits",
        ["What each has reached", "What was asked differently"],
        3,
    ),
    # What do these have in common?
    (
        "trials?study=sample&trials_numbers=5,22",
        ["In common: family mixer", "A row a field", "FLOPs of one image"],
        4,
    ),
    # What has it learnt?
    ("trial?study=sample&trial=5", ["What it has learnt", "token-mixing MLPs"], 8),
    # What happened when, and why did it fail?
    (
        "progress?study=sample",
        ["A bar a training, in 1 lane", "6 trials of 40, by reason", "Device busy"],
        6,
    ),
    ("table?study=sample&table_states=failed", ["2 trials of 40"], 0),
]
"""Links, what stands on their pages, and how many figures."""

PARAMETERS = {
    "": [],
    "front": ["front_axis", "front_limit_flops", "front_view"],
    "parameters": [
        *("parameters_family", "parameters_slice", "parameters_max_mflops"),
        *("parameters_min_accuracy", "parameters_mixer_patch_size", "parameters_mixer_hidden_dim"),
    ],
    "trials": ["trials_numbers"],
    "trial": [],
    "progress": [],
    "table": [
        *("table_columns", "table_states", "table_origins", "table_families"),
        *("table_max_mflops", "table_accuracy", "table_text"),
    ],
    "compare": ["compare_studies", "compare_axis"],
}
"""Of the link of each page, besides study and trial."""


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard with a search, a confirmed one, and one of a hostile name."""
    storage = f"sqlite:///{tmp_path_factory.mktemp('toured')}/results.db"
    write_study(storage, SCRIPT, trials=40, seed=1)
    write_study(storage, "sample", trials=40)
    with open_writer(storage) as store:
        store.put_study(study(spec=study().spec | {"families": ["mixer", "vit"]}))
        store.add_trials("digits", SEARCHED)
        read_test(store, confirm(store))
        mixer = store.trial("sample", 5)
        weights = weights_bytes(params_of(mixer.config), {})
        kept = weights_folder(storage).write(mixer.number, weights)
        store.end_trials("sample", [mixer], weights=[kept])
    with serving(storage) as address:
        yield address


def expect_drawn(page: Page, figures: int) -> None:
    page.wait_for_function(
        f"() => document.querySelectorAll('.js-plotly-plot > .plot-container').length >= {figures}"
    )


@pytest.mark.parametrize(("link", "sentences", "figures"), ANSWERS)
def test_a_question_is_answered_on_its_page(
    browser: Browser, toured: str, link: str, sentences: Sequence[str], figures: int
) -> None:
    page = open_page(browser)
    page.goto(f"{toured}/{link}")
    for sentence in sentences:
        expect(page.get_by_test_id("stMain").get_by_text(sentence).first).to_be_visible()
    expect_drawn(page, figures)
    assert page.get_by_test_id("stException").count() == 0


@pytest.mark.parametrize("path", PARAMETERS)
def test_a_script_in_a_name_or_a_link_is_text(browser: Browser, toured: str, path: str) -> None:
    page = open_page(browser)
    complaints: list[str] = []
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    study, heading = {"study": SCRIPT}, page.get_by_test_id("stMain").get_by_role("heading").first
    picked = page.get_by_test_id("stSelectbox").first.locator("input")
    compared = [f"0#{SCRIPT}", "0#sample"]
    for link, shown in (
        (study | {"trial": "5", "compare_studies": compared}, heading),
        (study | dict.fromkeys(PARAMETERS[path], SCRIPT), heading),
        (study | {"trial": SCRIPT}, page.get_by_text("has no trial").first),
        ({"study": f"{SCRIPT}?"}, page.get_by_text("is not in").first),
    ):
        page.goto(f"{toured}/{path}?{urlencode(link, doseq=True)}")
        expect(shown).to_be_visible()
        if link["study"] == SCRIPT:
            expect(picked).to_have_value(SCRIPT)
        else:
            expect(shown).to_contain_text(SCRIPT)
        page.wait_for_timeout(1_000)  # by then an image that is not there has called its script
        assert page.locator("img[src='x'], [data-testid=stMain] script").count() == 0
        assert page.title() != "owned"
    assert complaints == []
