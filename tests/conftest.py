"""What every test shares: strict arrays, a home of its own, one compilation cache a run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("ours", deadline=None)  # a busy machine is not a fault of the code
settings.load_profile("ours")

_STRICT = {"JAX_NUMPY_RANK_PROMOTION": "raise"}
_CACHE = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


def pytest_configure(config: pytest.Config) -> None:
    """Before any test imports JAX: these reach it, and the commands that tests start.

    The same small programs are compiled in many tests and commands: once is enough.
    """
    os.environ |= _STRICT | _CACHE
    if not _is_worker(config):  # whose workers inherit it
        os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="compiled-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _is_worker(config):
        shutil.rmtree(os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)


def _is_worker(config: pytest.Config) -> bool:
    """Whether this process runs a share of the tests for another (pytest-xdist)."""
    return hasattr(config, "workerinput")


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user of this machine has set does not reach the tests."""
    for name in ("MIXER_STORAGE", "TFDS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with studies to look at; no test writes to it."""
    from browsing import write_samples  # here: not every environment has Playwright

    url = f"sqlite:///{tmp_path_factory.mktemp('samples')}/results.db"
    write_samples(url)
    return url


@pytest.fixture(scope="session")
def address(samples: str) -> Iterator[str]:
    """Of a dashboard that shows them."""
    from browsing import PUBLIC_HOST, serving

    with serving(samples, "--public-host", PUBLIC_HOST) as address:
        yield address


@pytest.fixture(scope="module")
def _chromium() -> Iterator[Browser]:
    """Not for longer than a module: while Playwright runs, no other test can run an event loop."""
    from browsing import chromium_started

    with chromium_started() as chromium:
        yield chromium


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """Without a page, before the test and after."""
    yield _chromium
    for context in _chromium.contexts:
        context.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a fault test does to us, and how often, goes into its report."""
    if marker := item.get_closest_marker("fault"):
        times = item.callspec.params.get("times", 1) if hasattr(item, "callspec") else 1
        item.user_properties += [("fault", marker.args[0]), ("times", times)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of faults: what happened, how often, and whether all held that must."""
    rows: dict[tuple[str, int], list[str]] = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.getreports(outcome):
            found = dict(report.user_properties)
            if "fault" in found and (report.when == "call" or outcome != "passed"):
                rows.setdefault((found["fault"], found["times"]), []).append(outcome)
    if rows:
        terminalreporter.section("faults")
    for (fault, times), outcomes in sorted(rows.items()):
        held = " ".join(sorted(set(outcomes)))
        terminalreporter.write_line(f"{times * len(outcomes):5}  {held:8}  {fault}")
