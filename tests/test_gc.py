"""`python -m runs gc`: lists, asks, removes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from archives import isolate
from test_garbage import fill, kept_and_orphans

from runs.__main__ import main


@pytest.fixture
def orphans(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Weights that can go, in the folder of the default database."""
    isolate(monkeypatch, here)
    (here / "runs").mkdir()
    fill("sqlite:///runs/mixer_search.db")
    _, *garbage = kept_and_orphans(
        "sqlite:///runs/mixer_search.db", here / "runs/mixer_search.db.weights"
    )
    return garbage


@pytest.mark.parametrize(
    ("options", "answer", "remains"),
    [
        ([], "y\n", False),
        ([], "yes\n", False),
        ([], "n\n", True),
        ([], "\n", True),
        ([], "", True),
        (["--yes"], "", False),
        (["--dry-run"], "y\n", True),
        (["--dry-run", "--yes"], "", True),
    ],
)
def test_only_what_was_listed_goes_and_only_where_that_is_said(
    orphans: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    answer: str,
    remains: bool,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert main(["gc", *options]) == 0
    printed = capsys.readouterr().out
    for file in orphans:
        assert file.exists() is remains
        assert str(file) in printed
    assert printed.splitlines()[-1].endswith("nothing was removed") is remains
    assert len(list(orphans[0].parent.iterdir())) == (4 if remains else 1)


@pytest.mark.parametrize(("options", "removed"), [([], False), (["--yes"], True)])
def test_json_has_all_that_is_listed_and_says_what_was_removed(
    orphans: list[Path], capsys: pytest.CaptureFixture[str], options: list[str], removed: bool
) -> None:
    assert main(["gc", "--json", *options]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {item["path"] for item in document["garbage"]} == set(map(str, orphans))
    assert {item["removed"] for item in document["garbage"]} == {removed}
    assert document["notes"] == document["errors"] == []
    assert {file.exists() for file in orphans} == {not removed}
    assert all(item["size_bytes"] > 0 for item in document["garbage"])


def test_a_file_that_is_of_use_by_the_time_of_the_answer_is_left(
    orphans: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(io.StringIO):
        def readline(self, *args: int) -> str:  # type: ignore[override]
            orphans[0].touch()  # as a search does that is about to list it
            return "y\n"

    monkeypatch.setattr("sys.stdin", Slow())
    assert main(["gc"]) == 0
    assert [file.exists() for file in orphans] == [True, False, False]


def test_bad_input_is_a_sentence(orphans: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--storage", "sqlite:///no.db"]) == 2
    assert "no.db does not exist" in capsys.readouterr().err
