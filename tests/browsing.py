"""Test support: the dashboard as a process, and its pages in headless Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sample_study import write_study

CHROMIUM = shutil.which("chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # WebGL without a GPU
]
PATIENCE = 60_000
"""Milliseconds; a loaded machine takes ten seconds to draw what an idle one draws in two."""
PUBLIC_HOST = "results.example.org"
HOSTILE = (
    "<img src=http://example.com/i.png onerror=document.title='owned'> **b** :red[x] www.x.com"
)
"""The name of a study."""


def write_samples(storage: str) -> None:
    """Three studies, of which `sample` is the newest."""
    write_study(storage, "few", trials=3)
    write_study(storage, HOSTILE, trials=14)
    write_study(storage, "sample", trials=40)


@contextmanager
def serving(storage: str, *options: str) -> Iterator[str]:
    """The address of a dashboard that runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--port", str(port), "--no-browser", *options]
    environment = os.environ | {"MIXER_STORAGE": storage}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert f"http://127.0.0.1:{port}" in server.stdout.readline()
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.communicate(timeout=60)  # it says goodbye, and stays if nobody listens


def _wait_for(port: int, server: subprocess.Popen[str]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the dashboard ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the dashboard did not listen within a minute")


@contextmanager
def chromium_started() -> Iterator[Browser]:
    """Skips the test where there is no Chromium."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here; install the Debian package chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def open_page(browser: Browser, width: int = 1400) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 1000})
    page.set_default_timeout(PATIENCE)
    return page


def wait_for_the_figure(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('.js-plotly-plot .legend')")
