"""How a command of ours ends."""

from __future__ import annotations

import importlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import pytest
import typer

from search.data.__main__ import main as data
from space.command import make_app, run_app
from space.errors import ConfigError, MixerSearchError
from space.paths import as_path


def app_that(action: str) -> typer.Typer:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    def act(count: int = 1) -> None:
        match action:
            case "refuses":
                raise ConfigError("patch_size=5 does not tile image_size=32; use 4")
            case "exits":
                raise typer.Exit(7)
            case "breaks":
                raise KeyError("a bug")
            case _:
                print(f"count {count}")

    return app


def test_a_command_that_does_its_work_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app_that("works"), ["--count", "3"], "python -m it") == 0
    assert capsys.readouterr().out == "count 3\n"


def test_bad_input_ends_with_2_and_one_sentence_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_app(app_that("refuses"), [], "python -m it") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: patch_size=5 does not tile image_size=32; use 4\n"


def test_what_a_terminal_would_obey_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    app = make_app()

    @app.command()
    def fail() -> None:
        raise MixerSearchError("no study '\x1b[31mx\x1b]0;y\x07 \N{RIGHT-TO-LEFT OVERRIDE}é'")

    assert run_app(app, [], "command") == 2
    said = capsys.readouterr().err
    assert said == "error: no study '\\x1b[31mx\\x1b]0;y\\x07 \\u202eé'\n"


def test_an_unknown_option_ends_with_2_and_names_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_app(app_that("works"), ["--cuont", "3"], "python -m it") == 2
    err = capsys.readouterr().err
    assert err.startswith("error: no such option: --cuont ")
    assert err.endswith("; see python -m it --help\n")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--count", "x"], "--count: input should be a valid integer, not 'x'"),
        (["--count", "1.5"], "--count: input should be a valid integer, not '1.5'"),
        (["--share", "7"], "--share: input should be less than or equal to 1, not '7'"),
        (["--count"], "option '--count' requires an argument; see python -m it --help"),
        (["x", "y"], "got unexpected extra argument(s) (y); see python -m it --help"),
        ([], "missing argument 'PLACE'; see python -m it --help"),
    ],
)
def test_a_command_line_that_cannot_be_is_one_sentence_too(
    capsys: pytest.CaptureFixture[str], argv: list[str], sentence: str
) -> None:
    app = make_app()

    @app.command()
    def act(
        place: Annotated[str, typer.Argument(metavar="PLACE")],
        count: int = 1,
        share: Annotated[float, typer.Option(min=0, max=1)] = 0.5,
    ) -> None:
        raise KeyError("a bug")

    assert run_app(app, argv, "python -m it") == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {sentence}\n")


def test_a_command_that_is_told_nothing_may_show_its_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = make_app(no_args_is_help=True)

    @app.command(no_args_is_help=True)
    def act(count: int = 1) -> None:
        raise KeyError("a bug")

    assert run_app(app, [], "python -m it") == 2
    err = capsys.readouterr().err
    assert err.startswith("Usage: python -m it [OPTIONS]\n")
    assert "--count" in err


def test_a_command_may_choose_how_it_ends() -> None:
    assert run_app(app_that("exits"), [], "python -m it") == 7


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(KeyError, match="a bug"):
        run_app(app_that("breaks"), [], "python -m it")


def _annotated(command: Callable[..., None]) -> dict[str, Any]:
    """The annotations of a command's options."""
    hints = get_type_hints(command, include_extras=True)
    return {name: hint for name, hint in hints.items() if hasattr(hint, "__metadata__")}


def test_every_option_that_is_a_path_takes_a_tilde_for_the_home_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No shell replaces it in `--out=~/x`."""
    monkeypatch.setenv("HOME", "/home/me")
    found = {}
    modules = ("search.run", "search.train_command", "search.export", "search.data.__main__")
    others = ("search.check", "search.bench.command", "runs.__main__", "dashboard.__main__")
    for module in modules + others:
        for command in importlib.import_module(module).app.registered_commands:
            for name, hint in _annotated(command.callback).items():
                if Path in (hint.__origin__, *get_args(hint.__origin__)):
                    found[f"{module} {name}"] = hint.__metadata__[0].parser("~/x")
    assert {"search.run archive", "search.data.__main__ data_dir", "runs.__main__ out"} < set(found)
    assert set(found.values()) == {Path("/home/me/x")}


def test_a_tilde_that_is_nobodys_home_stays_as_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert as_path("~") == Path("/home/me")
    assert as_path("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    assert as_path("a/~/x") == Path("a/~/x")


def test_the_advice_for_a_folder_at_home_makes_the_one_that_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data(["list", "--data-dir=~/images"]) == 2
    advice = re.search("`(mkdir .*)`", capsys.readouterr().err)
    assert advice
    subprocess.run(advice[1], shell=True, check=True)
    assert data(["list", "--data-dir=~/images"]) == 0
