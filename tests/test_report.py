"""The report of a study: one file, whole, offline, in which no text of others is obeyed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browsing import open_page
from playwright.sync_api import Browser
from records import study, trial
from sample_study import write_study
from test_confirmed import confirm, read_test
from test_confirmed import store as store

from runs.confirmed import read_confirmed
from runs.confirmed_words import front_sentence, to_publish
from runs.reader import open_reader
from runs.record import Note, Origin
from runs.report import command
from runs.report.cells import cells_of
from runs.report.front import front_section
from runs.report.written import report_html
from runs.shown import front_table
from runs.snapshot import Snapshot, read_snapshot
from runs.writer import Writer, open_writer

SCRIPT = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('report')}/results.db"
    write_study(url, "sample", trials=40)
    write_study(url, SCRIPT, trials=14)
    write_study(url, "early", complete=False, trials=2)
    return url


@pytest.fixture(scope="module")
def sample_page(storage: str) -> str:
    """A report with all that a search has; its forests take seconds to grow."""
    return report_html("sample", storage, now=NOW)


def snapshot_of(storage: str, study: str = "sample") -> Snapshot:
    with open_reader(storage) as store:
        return read_snapshot(store, study)


class Scripts(HTMLParser):
    """Collects how a page opens scripts, and what it would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.kinds: list[str | None] = []
        self.fetched: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            self.kinds.append(given.get("type"))
        found = [given.get(name) for name in ("src", "srcset", "data", "action")]
        self.fetched += [value for value in found if value]
        if tag == "link":
            self.fetched.append(str(given.get("href")))


def test_a_report_holds_plotly_once_and_fetches_nothing(sample_page: str) -> None:
    page = Scripts(sample_page)
    assert page.kinds.count(None) == 2  # Plotly, and the script that draws
    assert set(page.kinds) == {None, "application/json"}
    assert not page.fetched


def test_a_name_with_a_script_in_it_opens_no_script(storage: str) -> None:
    page = report_html(SCRIPT, storage, now=NOW)
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert set(Scripts(page).kinds) == {None, "application/json"}


def test_a_report_is_the_same_whenever_it_is_written_but_for_its_date(storage: str) -> None:
    first, second = (report_html(SCRIPT, storage, now=NOW) for _ in range(2))
    assert first == second
    assert "Written on 2026-03-02 08:30:00 UTC" in first


def test_a_study_without_a_finished_trial_has_a_report(storage: str) -> None:
    page = report_html("early", storage, now=NOW)
    assert "<h1>early</h1>" in page
    assert "Front of the search" not in page.partition("<main>")[2]


def test_a_confirmed_study_begins_with_its_sentences(store: Writer, tmp_path: Path) -> None:
    read_test(store, confirm(store))
    page = report_html("digits", f"sqlite:///{tmp_path}/t.db", now=NOW)
    found = read_confirmed(store, "digits")
    result, _, rest = page.partition("<h2>Confirmed front</h2>")
    assert str(to_publish(found)) in unescape(result)
    for sentence in found.sentences():
        assert f"{sentence}." in unescape(result)
    assert f"{front_sentence(found)}." in rest
    assert "<h2>Front of the search</h2>" in rest
    assert "Test read once, by these commands" in rest
    assert "<pre>python -m search.confirm --study digits</pre>" in rest


def test_notes_are_text(store: Writer, tmp_path: Path) -> None:
    store.add_note("digits", Note(text="<b>odd</b>\nsecond line", written_at=NOW, trial=1))
    page = report_html("digits", f"sqlite:///{tmp_path}/t.db", now=NOW)
    assert ", trial 1: &lt;b&gt;odd&lt;/b&gt;\nsecond line</p>" in page


def test_the_table_of_the_front_is_the_page_s(storage: str, sample_page: str) -> None:
    snapshot = snapshot_of(storage)
    table = cells_of(front_table(snapshot.front, snapshot.noise, several=snapshot.several))
    for row in table.rows:
        label, parameters = row[1], row[-1]
        assert f">{label}<" in sample_page
        assert f">{parameters}<" in sample_page


def test_what_is_left_out_is_said_below_the_figure(storage: str) -> None:
    snapshot = snapshot_of(storage)
    [whole], [few] = (front_section(snapshot, {}, most_points=most) for most in (2_000, 8))
    assert "are drawn" not in whole.parts[0].caption
    assert re.search(r"\d+ of \d+ configurations are drawn", few.parts[0].caption)


@pytest.mark.slow
def test_a_report_of_ten_thousand_trials_can_be_mailed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/many.db"
    write_study(url, "many", trials=10_000)
    page = report_html("many", url, now=NOW)
    assert re.search(r"[\d,]+ of [\d,]+ configurations are drawn", page)
    assert len(page.encode()) < 6e6


def test_the_command_writes_the_file_and_says_how_large_it_is(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "report.html"
    arguments = ["--study", "early", "--storage", storage, "--out", str(out)]
    assert command.main(arguments) == 0
    assert capsys.readouterr().out == f"{out}, {out.stat().st_size / 1e6:.1f} MB\n"
    assert out.read_text().endswith("</html>")


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("report.pdf", "a report is an .html file; end its name so"),
        ("taken/report.html", "cannot be written (File exists); name another file"),
    ],
)
def test_a_file_that_cannot_be_gets_a_sentence(
    storage: str,
    tmp_path: Path,
    out: str,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "taken").touch()
    path = tmp_path / out
    assert command.main(["--study", "early", "--storage", storage, "--out", str(path)]) == 2
    assert capsys.readouterr().err.endswith(f"{sentence}\n")
    assert not list(tmp_path.glob("report*"))


def test_a_report_that_cannot_be_made_leaves_the_one_before(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    out.write_text("the one before")
    assert command.main(["--study", "smaple", "--storage", storage, "--out", str(out)]) == 2
    assert "did you mean 'sample'?" in capsys.readouterr().err
    assert out.read_text() == "the one before"


def test_in_a_browser_all_is_drawn_nothing_fetched_and_no_dialog_opens(
    storage: str,
    tmp_path: Path,
    browser: Browser,
) -> None:
    out = tmp_path / "report.html"
    out.write_text(report_html(SCRIPT, storage, now=NOW))
    page = browser.new_page()
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url))
    page.goto(out.as_uri())
    page.wait_for_function("document.querySelectorAll('.main-svg').length > 0")
    assert said == [out.as_uri()]
    assert page.locator("h1").inner_text() == SCRIPT
    assert page.locator("script.figure").count() == 0  # all of them are drawn
    assert page.locator("figure .js-plotly-plot").count() >= 3


@pytest.mark.slow
def test_the_dashboard_makes_the_report_when_it_is_asked_for(
    browser: Browser, address: str
) -> None:
    page = open_page(browser)
    page.goto(f"{address}/?study=sample")
    button = page.get_by_role("button", name="Download report")
    button.wait_for()
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "sample.html"
    assert "<h1>sample</h1>" in Path(download.value.path()).read_text()


def test_a_fine_tuning_and_an_empty_study_have_reports(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    start = {"preset": "my_mixer", "sha256": "a" * 64, "image_size": 32}
    with open_writer(url) as store:
        store.put_study(study())
        store.put_study(study("tuned", spec=study().spec | {"start_from": start}))
        store.add_trials("tuned", [trial(0, origin=Origin.FINETUNE, accuracy=0.7)])
    assert "<h2>What was asked</h2>" in report_html("digits", url, now=NOW)
    tuned = report_html("tuned", url, now=NOW)
    assert "Fine-tuning of preset my_mixer" in tuned
    assert "<h2>Front of the search</h2>" not in tuned
