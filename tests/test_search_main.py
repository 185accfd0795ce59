"""`python -m search`: a line a command, and a version everywhere."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from importlib.util import find_spec

import pytest

from search.__main__ import COMMANDS
from search.__main__ import main as search


def run(command: str, option: str) -> int:
    """As `python -m`: the exit code."""
    name, *argv = command.split()
    module = importlib.import_module(name)
    if module.__spec__ and module.__spec__.submodule_search_locations is not None:
        module = importlib.import_module(f"{name}.__main__")
    code: int = module.main([*argv, option])
    return code


def test_every_command_that_there_is_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert search([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, command in zip(lines, COMMANDS, strict=True):
        assert line.startswith(f"python -m {command} ")
    assert max(map(len, lines)) < 100
    packages = ("search", "runs", "dashboard", "search.data", "search.bench", "search.train")
    assert {name for name in packages if find_spec(f"{name}.__main__")} <= {"search", *COMMANDS}


@pytest.mark.parametrize("command", ["search", *COMMANDS])
def test_every_command_says_which_version_it_is(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run(command, "--version") == 0
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
    assert run(command, "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    typed = ("python -m", "Example", "--")  # an example is a line as it is typed
    too_long = [line for line in lines if len(line) > columns]
    assert [line for line in too_long if not line.strip().startswith(typed)] == []
