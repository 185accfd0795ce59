"""How long one waits for a page, ours and optuna-dashboard's, of the same trials in one browser.

    pip install optuna-dashboard
    python benchmarks/dashboard_speed.py --trials 1000 10000 --alone 100000 --json FILE

Headless Chromium, the servers on this machine, taking turns; the median of `--times` tries. *start*
is from the command until the server listens; *cold* from the start of a visit to a server that has
read nothing yet until the points are drawn; *reload* the same once it has; *axis*, *slider* and
*filter* until the page shows what follows; *click* from the click on a point until the trial's page
has its name. Optuna's has no cost axis and no slider; its table is filtered by other means, so
there is no number. The *bare page* has nothing but as many random points: what Streamlit and Plotly
take before a line of ours runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from dashboard_trials import NAME, write_ours, write_theirs
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from runs.plot.figures.axes import MANY
from search.train.environment import git_revision

ROOT = Path(__file__).parents[1]
PATIENCE = 120_000
"""Milliseconds."""
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]
MEASURED = ("start", "cold", "reload", "axis", "slider", "filter", "click")
VIEWPORT = {"width": 1400, "height": 1000}

# Whether the first figure, which is accuracy and FLOPs on both pages, shows so many points
DRAWN = """
(least) => {
  const plot = document.querySelector(".js-plotly-plot");
  const points = ((plot && plot.calcdata) || []).map((all) => all[0].trace.x.length);
  return points.reduce((sum, size) => sum + size, 0) >= least;
}
"""
# Where on the page the point farthest to the right of that figure lies, which is in view then
FARTHEST = """
() => {
  const plot = document.querySelector(".js-plotly-plot");
  plot.scrollIntoView({block: "center"});
  const {xaxis, yaxis} = plot._fullLayout;
  let best = null;
  for (const points of plot.calcdata) {
    const trace = points[0].trace;
    if (trace.hoverinfo === "skip" || !(trace.mode || "").includes("markers")) continue;
    for (let i = 0; i < trace.x.length; i++) {
      const x = xaxis._offset + xaxis.l2p(xaxis.d2l(trace.x[i]));
      const y = yaxis._offset + yaxis.l2p(yaxis.d2l(trace.y[i]));
      if (best === null || x > best[0]) best = [x, y];
    }
  }
  const box = plot.getBoundingClientRect();
  return [box.left + best[0], box.top + best[1]];
}
"""

# What our table says of its rows
ROWS = """
[...document.querySelectorAll("[data-testid=stCaptionContainer]")]
  .map((one) => one.innerText).find((text) => text.includes("the latest first"))
"""


class Ours:
    """`python -m dashboard`."""

    name = "mixer-search"
    first = f"/front?study={NAME}"

    @staticmethod
    def write(folder: Path, trials: int) -> str:
        storage = f"sqlite:///{folder}/ours-{trials}.db"
        write_ours(storage, trials)
        return storage

    @staticmethod
    def command(storage: str, port: int) -> list[str]:
        options = ["--storage", storage, "--port", str(port), "--no-browser"]
        return [sys.executable, "-m", "dashboard", *options]

    @staticmethod
    def clicked(page: Page) -> None:
        page.get_by_role("heading", name="Trial ").first.wait_for()

    @staticmethod
    def others(page: Page, address: str) -> dict[str, float]:
        """Seconds of what only this one has."""
        found = {}
        title = "() => document.querySelector('.js-plotly-plot .xtitle').textContent"
        before = page.evaluate(title)
        group = page.get_by_test_id("stButtonGroup")
        found["axis"] = seconds(
            lambda: group.get_by_text("Parameters").first.click(),
            lambda: page.wait_for_function(f"(old) => ({title})() !== old", arg=before),
        )
        cards = page.get_by_test_id("stMarkdown").filter(has_text="Best Mixer").first
        said = cards.inner_text()
        handle = page.get_by_role("slider").first
        handle.focus()
        changed = "(old) => ![...document.querySelectorAll('[data-testid=stMarkdown]')]"
        found["slider"] = seconds(
            lambda: handle.press("ArrowLeft"),
            lambda: page.wait_for_function(
                f"{changed}.some((one) => one.innerText === old)", arg=said
            ),
        )
        page.goto(f"{address}/table?study={NAME}")
        field = page.get_by_label("At least so accurate (%)")
        field.fill("60")
        rows = page.evaluate(f"() => {ROWS}")
        found["filter"] = seconds(
            lambda: field.press("Enter"),
            lambda: page.wait_for_function(f"(old) => ({ROWS}) !== old", arg=rows),
        )
        return found


class Theirs:
    """`optuna-dashboard`."""

    name = "optuna-dashboard"
    first = "/dashboard/studies/1"

    @staticmethod
    def write(folder: Path, trials: int) -> str:
        storage = f"sqlite:///{folder}/theirs-{trials}.db"
        write_theirs(storage, trials)
        return storage

    @staticmethod
    def command(storage: str, port: int) -> list[str]:
        return ["optuna-dashboard", storage, "--port", str(port), "--quiet"]

    @staticmethod
    def clicked(page: Page) -> None:
        page.wait_for_url(re.compile(r"/trials\?"), wait_until="commit")

    @staticmethod
    def others(page: Page, address: str) -> dict[str, float]:
        return {}


BARE = """
import numpy as np, plotly.graph_objects as go, streamlit as st
st.set_page_config(layout="wide")
x, y = np.random.default_rng(0).uniform(size=(2, {trials}))
st.plotly_chart(go.Figure(go.Scatter{gl}(x=x, y=y, mode="markers")))
"""


class Bare:
    """A figure of as many points, drawn in the way ours is, on a Streamlit page of its own."""

    name = "bare page"
    first = ""

    @staticmethod
    def write(folder: Path, trials: int) -> str:
        script = folder / f"bare-{trials}.py"
        script.write_text(BARE.format(trials=trials, gl="gl" if trials >= MANY else ""))
        return str(script)

    @staticmethod
    def command(storage: str, port: int) -> list[str]:
        options = ["--server.port", str(port), "--server.headless", "true"]
        options += ["--server.address", "127.0.0.1", "--server.fileWatcherType", "none"]
        return [sys.executable, "-m", "streamlit", "run", storage, *options]


Side = type[Ours] | type[Theirs] | type[Bare]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--trials", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--alone", type=int, nargs="*", default=[], help="ours alone, of so many")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    sizes: list[tuple[int, list[Side]]] = [(n, [Ours, Theirs, Bare]) for n in args.trials]
    sizes += [(n, [Ours]) for n in args.alone]
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for trials, sides in sizes:
            storages = {side: side.write(Path(folder), trials) for side in sides}
            tries = [
                (side, measure(browser, side, storages[side], trials))
                for _ in range(args.times)
                for side in sides
            ]
            for side in sides:
                of_side = [found for one, found in tries if one is side]
                rows.append({"side": side.name, "trials": trials, **medians(of_side)})
        chromium = browser.version
        browser.close()
    show(rows)
    if args.json:
        args.json.write_text(
            json.dumps(receipt(args.times, chromium) | {"seconds": rows}, indent=2)
        )


def measure(browser: Browser, side: Side, storage: str, trials: int) -> dict[str, float]:
    """Seconds of each step of one visit to a fresh server."""
    least = min(trials, 15_000)  # ours thins more than 20,000
    began = time.perf_counter()
    with serving(side, storage) as address:
        start = time.perf_counter() - began
        page = browser.new_context(viewport=VIEWPORT).new_page()
        page.set_default_timeout(PATIENCE)

        def drawn() -> None:
            page.wait_for_function(DRAWN, arg=least)

        found = {
            "start": start,
            "cold": seconds(lambda: page.goto(address + side.first), drawn),
            "reload": seconds(lambda: page.reload(), drawn),
        }
        if side is Bare:
            page.context.close()
            return found
        page.wait_for_timeout(2_000)  # points move until the page has settled
        x, y = page.evaluate(FARTHEST)
        page.wait_for_timeout(500)
        page.mouse.move(x, y - 50)
        page.mouse.move(x, y)
        page.wait_for_timeout(1_000)
        found["click"] = seconds(lambda: page.mouse.click(x, y), lambda: side.clicked(page))
        page.goto(address + side.first)
        drawn()
        found |= side.others(page, address)
        page.context.close()
    return found


def seconds(act: Callable[[], object], seen: Callable[[], object]) -> float:
    """From the act until what follows is seen."""
    began = time.perf_counter()
    act()
    seen()
    return time.perf_counter() - began


@contextmanager
def serving(side: Side, storage: str) -> Iterator[str]:
    """The address of a server that listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(side.command(storage, port), cwd=ROOT, env=environment, **quiet)
    try:
        for _ in range(3_000):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=60)


def medians(tries: list[dict[str, float]]) -> dict[str, float | None]:
    return {
        step: round(statistics.median(found[step] for found in tries), 2)
        if all(step in found for found in tries)
        else None
        for step in MEASURED
    }


def receipt(times: int, chromium: str) -> dict[str, object]:
    packages = ("streamlit", "plotly", "optuna", "optuna-dashboard")
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "revision": git_revision(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[2],
        "versions": {name: version(name) for name in packages} | {"chromium": chromium},
        "times": times,
        "command": " ".join(sys.argv),
    }


def show(rows: list[dict[str, object]]) -> None:
    table = Table("trials", "dashboard", *MEASURED, title="Seconds, medians")
    for row in rows:
        values = ["–" if row[step] is None else f"{row[step]:.2f}" for step in MEASURED]
        table.add_row(f"{row['trials']:,}", str(row["side"]), *values)
    Console().print(table)


if __name__ == "__main__":
    main()
