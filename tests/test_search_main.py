"""`python -m search`: a line a command, and a version everywhere."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from importlib.util import find_spec

import pytest

from search.__main__ import COMMANDS
from search.__main__ import main as search


def entry_point(command: str) -> str:
    """The module that `python -m` runs."""
    is_package = importlib.import_module(command).__spec__.submodule_search_locations is not None
    return f"{command}.__main__" if is_package else command


def test_every_command_that_there_is_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert search([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["python", "-m", name] for name in COMMANDS]
    assert max(map(len, lines)) < 100
    packages = ("search", "runs", "dashboard", "search.data", "search.bench", "search.train")
    assert {name for name in packages if find_spec(f"{name}.__main__")} <= {"search", *COMMANDS}


@pytest.mark.parametrize("command", ["search", *COMMANDS])
def test_every_command_says_which_version_it_is(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert importlib.import_module(entry_point(command)).main(["--version"]) == 0
    assert capsys.readouterr().out == f"mixer-search {version('mixer-search')}\n"


@pytest.mark.parametrize("command", ["search", *COMMANDS])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_fits_the_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    columns: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert importlib.import_module(entry_point(command)).main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    typed = ("python -m", "Example", "--")  # an example is a line as it is typed
    too_long = [line for line in lines if len(line) > columns]
    assert [line for line in too_long if not line.strip().startswith(typed)] == []
