"""What a visitor has set stays set, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from browsing import open_page, serving, wait_for_the_figure
from playwright.sync_api import Browser, Page, WebSocket, expect
from records import at
from sample_study import write_study

from runs.writer import open_writer

RANGES = """
() => {
  const {xaxis, yaxis} = document.querySelector(".js-plotly-plot")._fullLayout;
  return [...xaxis.range, ...yaxis.range];
}
"""


def listen(page: Page) -> list[WebSocket]:
    """Of the pages that are opened from now on, how they talk to the server."""
    sockets: list[WebSocket] = []

    def note(socket: WebSocket) -> None:  # Playwright takes no bound method of a list
        sockets.append(socket)

    page.on("websocket", note)
    return sockets


def drag(page: Page, start: float = 0.3, end: float = 0.7) -> None:
    """Draws a box in the figure, from there to there, as shares of its width and height."""
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + start * width, y + start * height)
    page.mouse.down()
    page.mouse.move(x + 0.5 * width, y + 0.5 * height, steps=4)
    page.mouse.move(x + end * width, y + end * height, steps=4)
    page.mouse.up()


def zoom_in(page: Page, socket: WebSocket) -> list[float]:
    """Zooms into the middle of the figure; the ranges that it shows then."""
    before = page.evaluate(RANGES)
    with socket.expect_event(
        "framesent", lambda sent: b"xaxis" in sent if isinstance(sent, bytes) else False
    ):
        drag(page)
    page.wait_for_function(f"() => ({RANGES})()[0] > {before[0]} + 0.1")
    ranges: list[float] = page.evaluate(RANGES)
    return ranges


def test_zoom_and_limit_outlive_another_page_and_a_move_of_the_slider_sends_no_figure(
    browser: Browser, address: str
) -> None:
    page = open_page(browser)
    sockets = listen(page)
    page.goto(f"{address}/front?study=sample&front_axis=params")
    wait_for_the_figure(page)
    zoomed = zoom_in(page, sockets[0])
    received: list[str | bytes] = []
    sockets[0].on("framereceived", lambda frame: received.append(frame))
    page.get_by_role("slider").first.press("ArrowLeft")
    page.wait_for_url("**front_limit_params=**")
    link = page.url
    page.wait_for_timeout(500)
    assert received
    assert not any(b"hovertemplate" in frame for frame in received if isinstance(frame, bytes))

    page.get_by_role("link", name="Table").click()
    expect(page.get_by_text("40 trials of 40")).to_be_visible()
    page.get_by_label("At least so accurate (%)").fill("60")
    page.keyboard.press("Enter")
    page.wait_for_url("**table_accuracy=60**")
    page.go_back()
    expect(page.get_by_text("40 trials of 40")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Accuracy against cost")).to_be_visible()
    assert page.url == link
    wait_for_the_figure(page)
    assert page.evaluate(RANGES) == pytest.approx(zoomed)

    colleague = open_page(browser)
    colleague.goto(link)
    expect(colleague.get_by_text("Best Mixer of at most")).to_have_text(
        page.get_by_text("Best Mixer of at most").inner_text()
    )


@pytest.mark.slow
def test_zoom_outlives_a_new_trial_and_a_double_click_ends_it(
    browser: Browser, tmp_path: Path
) -> None:
    storage = f"sqlite:///{tmp_path}/results.db"
    write_study(storage, "sample", trials=40)
    with serving(storage) as address:
        page = open_page(browser)
        sockets = listen(page)
        page.goto(f"{address}/front?study=sample")
        wait_for_the_figure(page)
        whole, zoomed = page.evaluate(RANGES), zoom_in(page, sockets[0])
        with open_writer(storage) as store:
            store.add_trial("sample", replace(at(90_000_000, 0.99), number=40))
        expect(page.get_by_test_id("stMain").get_by_text("99.00 %").first).to_be_visible()
        page.wait_for_timeout(1_000)
        assert page.evaluate(RANGES) == pytest.approx(zoomed)
        box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
        assert box
        page.mouse.dblclick(box["x"] + 0.5 * box["width"], box["y"] + 0.9 * box["height"])
        page.wait_for_function(f"() => ({RANGES})()[0] < {zoomed[0]} - 0.1")
        assert page.evaluate(RANGES)[0] == pytest.approx(whole[0], abs=0.3)


@pytest.mark.slow
def test_a_box_around_points_opens_their_trials_and_the_zoom_stays(
    browser: Browser, address: str
) -> None:
    page = open_page(browser)
    sockets = listen(page)
    page.goto(f"{address}/front?study=sample")
    wait_for_the_figure(page)
    zoomed = zoom_in(page, sockets[0])
    select = page.locator("[data-title='Box Select']").first
    select.click()
    drag(page, 0.2, 0.6)
    expect(page.get_by_role("heading", name="Trials side by side")).to_be_visible()
    page.wait_for_url("**trials_numbers=**")
    page.go_back()
    expect(page.get_by_role("heading", name="Accuracy against cost")).to_be_visible()
    wait_for_the_figure(page)
    assert page.evaluate(RANGES) == pytest.approx(zoomed)
    select.click()
    drag(page, 0.02, 0.98)
    expect(page.get_by_text("trials are selected, and at most 6")).to_be_visible()
    assert page.evaluate(RANGES) == pytest.approx(zoomed)


@pytest.mark.slow
@pytest.mark.parametrize("times", range(4))
def test_a_row_that_is_clicked_after_a_download_opens(
    browser: Browser, address: str, times: int
) -> None:
    """With a pointer that moves there: one that jumps and presses within a few milliseconds
    clicks before the table has seen it come."""
    page = open_page(browser)
    page.goto(f"{address}/table?study=sample")
    table = page.get_by_test_id("stDataFrame")
    table.wait_for()
    page.wait_for_timeout(2_000)
    with page.expect_download():
        page.get_by_role("button", name="Download CSV").click()
    box = table.bounding_box()
    assert box
    page.mouse.move(box["x"] + 250, box["y"] + 37 + 35 * 3.5, steps=8)
    page.wait_for_timeout(100)
    page.mouse.down()
    page.wait_for_timeout(80)
    page.mouse.up()
    page.wait_for_url("**/trial?**trial=36**")


@pytest.mark.slow
@pytest.mark.parametrize("width", [420, 1000, 1250])
def test_curves_and_facts_are_wide_enough_to_be_read(
    browser: Browser, address: str, width: int
) -> None:
    page = open_page(browser, width)
    page.goto(f"{address}/trial?study=sample&trial=22")
    page.wait_for_function(
        "() => document.querySelectorAll('.st-key-row_curves .js-plotly-plot').length === 3"
    )
    tables = page.locator(".st-key-row_facts [data-testid=stDataFrame]").all()
    assert len(tables) == 2  # in which a time of day needs room
    for element in [*page.locator(".st-key-row_curves .js-plotly-plot").all(), *tables]:
        box = element.bounding_box()
        assert box
        assert box["width"] >= 300
        assert box["x"] + box["width"] <= width


def test_the_best_stand_above_the_fold(browser: Browser, address: str) -> None:
    page = open_page(browser)
    page.goto(f"{address}/front?study=sample")
    wait_for_the_figure(page)
    box = page.get_by_text("Best Mixer of at most").bounding_box()
    assert box
    assert box["y"] + 100 < 1000
