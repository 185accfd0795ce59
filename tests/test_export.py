"""`python -m search.export`: where a preset is written, and what it takes the place of."""

from __future__ import annotations

from pathlib import Path

import pytest
from records import at, study, trial

from runs.record import label_of
from runs.writer import open_writer
from search.export import main
from space import presets


@pytest.fixture
def folder(here: Path) -> Path:
    """A working directory with a study of two trials: 0 is cheap, 1 is accurate."""
    with open_writer() as store:
        store.add_study(study("my study"))
        store.add_trial("my study", at(2_000_000, 0.3, 0))
        store.add_trial("my study", at(20_000_000, 0.9, 1))
    return here / "runs" / "presets"


def export(*options: str) -> int:
    return main(["--study", "my study", *options])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "my_study_knee"),
        (["--pick", "trial=1"], "my_study_trial_1"),
        (["--max-flops", "2M"], "my_study_best_max_flops_2M"),
        (["--min-accuracy", "0.5"], "my_study_cheapest_min_accuracy_0_5"),
        (
            ["--pick", "knee", "--max-flops", "20M", "--min-accuracy", "0.5"],
            "my_study_knee_max_flops_20M_min_accuracy_0_5",
        ),
    ],
)
def test_what_was_asked_for_is_in_the_name_of_the_file(
    folder: Path, options: list[str], name: str
) -> None:
    assert export(*options) == 0
    assert [path.name for path in folder.iterdir()] == [f"{name}.json"]
    assert presets.load(folder / f"{name}.json").name == name


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--max-flops", "2M"], "trial 1 has 20,000,000 FLOPs, more than --max-flops 2,000,000"),
        (["--min-accuracy", "0.95"], "trial 1 has an accuracy of 0.9000, less than --min-accuracy"),
    ],
)
def test_a_trial_that_is_not_within_the_limits_asked_for_is_not_written_under_their_name(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert export("--pick", "trial=1", *options) == 2
    assert sentence in capsys.readouterr().err
    assert not folder.exists()


def test_a_file_that_held_something_else_is_replaced_with_a_word(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for number in (0, 1, 1):
        assert export("--pick", f"trial={number}", "--out", "x.json") == 0
        said.append(capsys.readouterr().out.splitlines()[-1])
    load = "load it with space.presets.load('x.json')"
    before = label_of(trial(0).config)
    assert said[0] == said[2] == f"written to x.json; {load}"
    assert said[1] == f"written to x.json in place of {before}; {load}"
    Path("notes.json").write_text("{}")
    assert export("--out", "notes.json") == 0
    said_last = capsys.readouterr().out
    assert "written to notes.json in place of what was no preset; load" in said_last


def test_a_file_that_could_not_be_loaded_again_is_refused_at_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in ("x.txt", "x", "x.JSON"):
        assert export("--out", out) == 2
        said = capsys.readouterr().err
        assert said == f"error: --out {out}: a preset is a .json file; name one that ends so\n"
    assert list(here.iterdir()) == []
