"""The dashboard in a real browser: headless Chromium against `python -m dashboard`."""

from __future__ import annotations

import csv
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import HOSTILE, PUBLIC_HOST, open_page, serving, wait_for_the_figure
from playwright.sync_api import Browser, Page, expect
from sample_study import write_study

from runs.reader import open_reader
from runs.record import TrialRecord

# Where on the page a trial's point lies, by Plotly's own arithmetic
WHERE = """
(number) => {
  const plot = document.querySelector(".js-plotly-plot");
  for (const points of plot.calcdata) {
    const trace = points[0].trace;
    for (let i = 0; i < trace.customdata.length; i++) {
      if (trace.customdata[i][0] !== number) continue;
      const {xaxis, yaxis} = plot._fullLayout;
      const box = plot.getBoundingClientRect();
      const x = xaxis._offset + xaxis.l2p(xaxis.d2l(trace.x[i]));
      const y = yaxis._offset + yaxis.l2p(yaxis.d2l(trace.y[i]));
      return [box.left + x, box.top + y];
    }
  }
}
"""


@pytest.mark.parametrize(("host", "answer"), [("other.example.org", 403), (PUBLIC_HOST, 101)])
def test_a_page_served_by_a_proxy_is_alive_under_the_name_that_was_told(
    address: str, host: str, answer: int
) -> None:
    """A proxy passes on the name that the browser asked for, in both headers."""
    headers = {
        "Host": host,
        "Origin": f"https://{host}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with closing(HTTPConnection(urlsplit(address).netloc, timeout=60)) as connection:
        connection.request("GET", "/_stcore/stream", headers=headers)
        assert connection.getresponse().status == answer


@pytest.mark.slow
def test_a_database_that_goes_away_takes_the_old_numbers_with_it(
    browser: Browser, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    write_study(url, "sample", trials=14)
    with serving(url) as address:
        page = open_page(browser)
        page.goto(f"{address}/front?study=sample")
        main = page.get_by_test_id("stMain")
        expect(main.get_by_text("Best accuracy")).to_be_visible()
        (tmp_path / "results.db").rename(tmp_path / "away.db")
        expect(main.get_by_text("results.db does not exist")).to_be_visible()
        expect(main.get_by_text("Best accuracy")).to_have_count(0)
        (tmp_path / "away.db").rename(tmp_path / "results.db")
        expect(main.get_by_text("Best accuracy")).to_be_visible()  # by itself


def test_nothing_is_cut_off_and_no_row_empty(browser: Browser, address: str) -> None:
    page = open_page(browser, width=1000)
    page.goto(f"{address}/front?study=few")
    button = page.get_by_test_id("stButtonGroup").get_by_text("Images/s")
    expect(button).to_be_visible()
    group = page.get_by_test_id("stButtonGroup").bounding_box()
    last = button.bounding_box()
    assert group
    assert last
    assert last["x"] + last["width"] <= group["x"] + group["width"]
    page.get_by_role("link", name="Table").click()
    expect(page.get_by_text("3 trials of 3")).to_be_visible()
    table = page.get_by_test_id("stDataFrame").bounding_box()
    assert table
    assert table["height"] < 5 * 40  # a heading, three rows


def find_point(page: Page, trial: TrialRecord) -> tuple[float, float]:
    """Where hovering shows the trial; until the page has settled, points move."""
    for _ in range(30):
        x, y = page.evaluate(WHERE, trial.number)
        page.mouse.move(x, y - 200)
        page.mouse.move(x, y)
        try:
            expect(page.locator(".hoverlayer")).to_contain_text(trial.label, timeout=2_000)
        except AssertionError:
            continue
        return x, y
    raise AssertionError(f"no point of trial {trial.number} in the figure")


def test_a_visitor_clicks_a_point_and_sees_the_trial(
    browser: Browser, address: str, samples: str
) -> None:
    page = open_page(browser)
    hosts: set[str | None] = set()
    complaints: list[str] = []
    # What the page makes itself, a blob, has the host of the page that made it in its address
    page.on(
        "request", lambda request: hosts.add(urlsplit(request.url.removeprefix("blob:")).hostname)
    )
    page.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).hostname))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)

    page.goto(f"{address}/front")
    wait_for_the_figure(page)
    with open_reader(samples) as store:
        trial = store.trial("sample", 22)
    page.mouse.click(*find_point(page, trial))
    expect(page.get_by_role("heading", name=f"Trial {trial.number}")).to_be_visible()
    expect(page.get_by_role("heading", name=trial.label)).to_be_visible()
    page.wait_for_url(f"{address}/trial?study=sample&trial=22")

    page.go_back()
    # The trial's page may be drawing its own legends still, none of which names the trial
    ringed = page.locator(".js-plotly-plot .legend", has_text="Trial 22")
    expect(ringed).to_contain_text("Mixer front")

    page.get_by_role("link", name="Table").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    with open(download.value.path(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == [str(number) for number in range(40)]
    assert float(rows[22]["accuracy"]) == trial.accuracy

    page.get_by_label("Study").click()
    page.get_by_role("option", name=HOSTILE).click()
    expect(page.get_by_text("14 trials of 14")).to_be_visible()
    page.goto(f"{address}/?study=no such study")
    expect(page.get_by_text(HOSTILE)).to_be_visible()  # in the sentence that lists what there is
    assert page.title() != "owned"

    assert hosts == {"127.0.0.1"}
    # A link to a page other than the first makes Streamlit look for its health beside that page
    assert [text for text in complaints if "404" not in text] == []


@pytest.mark.slow
def test_ticked_rows_are_compared_and_back_leads_to_the_table(
    browser: Browser, address: str
) -> None:
    page = open_page(browser)
    page.goto(f"{address}/table?study=sample")
    expect(page.get_by_text("40 trials of 40")).to_be_visible()
    for ticked, row in enumerate((0, 3), start=1):
        table = page.get_by_test_id("stDataFrame").bounding_box()
        assert table
        page.mouse.click(table["x"] + 15, table["y"] + 36 + 35 * row + 17)
        expect(page.get_by_role("button", name=f"{ticked} side by side")).to_be_visible()
    page.get_by_role("button", name="2 side by side").click()
    expect(page.get_by_role("heading", name="Trials side by side")).to_be_visible()
    expect(page.get_by_role("button", name="Open trial 39")).to_be_visible()
    expect(page.get_by_role("button", name="Open trial 36")).to_be_visible()
    page.wait_for_url("**/trials?study=sample&trials_numbers=39%2C36")
    page.go_back()
    expect(page.get_by_text("40 trials of 40")).to_be_visible()
