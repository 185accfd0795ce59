"""`python -m search.export`: where a preset is written, and what it takes the place of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from json_keys import undocumented
from records import NOON, at, trial
from records import study as a_study

from runs.__main__ import main as runs
from runs.writer import open_writer
from search.export import main
from space import presets
from space.families import label_of


@pytest.fixture
def folder(here: Path) -> Path:
    """A working directory with a study of two trials: 0 is cheap, 1 is accurate."""
    with open_writer() as store:
        store.add_study(a_study("my-study"))
        store.add_trial("my-study", at(2_000_000, 0.3, 0))
        store.add_trial("my-study", at(20_000_000, 0.9, 1))
    return here / "runs" / "presets"


def export(*options: str, study: str = "my-study", storage: str | None = None) -> int:
    where = [] if storage is None else ["--storage", storage]
    return main(["--study", study, *where, *options])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "my-study_knee"),
        (["--pick", "trial=1"], "my-study_trial_1"),
        (["--max-flops", "2M"], "my-study_best_max_flops_2M"),
        (["--min-accuracy", "0.5"], "my-study_cheapest_min_accuracy_0_5"),
        (
            ["--pick", "knee", "--max-flops", "20M", "--min-accuracy", "0.5"],
            "my-study_knee_max_flops_20M_min_accuracy_0_5",
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


def test_a_folder_of_a_study_without_weights_is_refused_with_the_commands_that_make_some(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export("--pick", "trial=1", "--out", "x/") == 2
    said = capsys.readouterr().err
    assert "no weights of trial 1 of study 'my-study', seed 3, are kept" in said
    assert said.endswith(
        "train it once more, which keeps them: python -m search.export --study my-study --pick "
        "trial=1 --out x.json && python -m search.train --preset x.json --seed 3 --study-name "
        "x_again && python -m search.export --study x_again --pick trial=0 --out x\n"
    )
    assert not Path("x").exists()


@pytest.mark.parametrize("options", [["--format", "npz"], ["--seed", "3", "--out", "x.json"]])
def test_what_a_preset_file_cannot_have_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert export(*options) == 2
    said = capsys.readouterr().err
    assert said == f"error: {options[0]} is of a folder with weights; name one with --out FOLDER\n"
    assert not folder.exists()


def exported(study: str, storage: str | None = None) -> set[str]:
    """The names of all presets, once a study of two trials was made and its most accurate taken."""
    with open_writer(storage) as store:
        store.add_study(a_study(study))
        store.add_trial(study, at(2_000_000, 0.3, 0))
        store.add_trial(study, at(20_000_000, 0.9, 1))
    assert export("--pick", "best", study=study, storage=storage) == 0
    return {path.name for path in Path("runs/presets").iterdir()}


@pytest.mark.usefixtures("here")
def test_letters_and_digits_of_any_script_stay_in_the_name_of_a_preset() -> None:
    exported("模型一")
    exported("Größe_β2")
    assert exported("किताब") == {"模型一_best.json", "Größe_β2_best.json", "किताब_best.json"}


@pytest.mark.usefixtures("here")
def test_no_two_studies_share_the_name_of_a_preset() -> None:
    names = ["a_b", "a.b", "a b", "a  b", "a:b", "🙂", "🙃", 200 * "語", 199 * "語" + "x"]
    for count, name in enumerate(names, start=1):
        files = exported(name)
        assert len(files) == count
    assert "a_b_best.json" in files
    assert all(re.fullmatch(r"[\w-]+\.json", file) for file in files)
    assert {presets.load(Path("runs/presets") / file).source["study"] for file in files} == {*names}


@pytest.mark.usefixtures("here")
def test_the_preset_of_a_study_of_the_same_name_elsewhere_is_left_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    exported("digits", "sqlite:///one.db")
    path = Path("runs/presets/digits_best.json")
    before = path.read_bytes()
    with open_writer("sqlite:///other.db") as store:
        store.add_study(a_study("digits", created_at=NOON))
        store.add_trial("digits", at(2_000_000, 0.3, 0))
    capsys.readouterr()
    assert export("--pick", "best", study="digits", storage="sqlite:///other.db") == 2
    assert capsys.readouterr().err == (
        f"error: {path} is a preset of another study, 'digits' of 2026-03-01T09:00:00+00:00; "
        "name another file with --out\n"
    )
    assert path.read_bytes() == before
    out = ["--pick", "best", "--out", str(path)]
    assert export(*out, study="digits", storage="sqlite:///other.db") == 0
    said = capsys.readouterr().out
    assert re.search(r"in place of Mixer .* of study 'digits' of 2026-03-01T09:00\S+; load", said)


@pytest.mark.usefixtures("here")
def test_a_study_whose_database_was_moved_replaces_its_own_preset() -> None:
    exported("digits", "sqlite:///one.db")
    Path("one.db").rename("moved.db")
    assert export("--pick", "best", study="digits", storage="sqlite:///moved.db") == 0


@pytest.mark.usefixtures("here")
def test_a_study_that_was_renamed_replaces_its_own_preset(
    capsys: pytest.CaptureFixture[str],
) -> None:
    exported("digits", "sqlite:///one.db")
    assert runs(["rename", "digits", "ciphers", "--storage", "sqlite:///one.db"]) == 0
    path = "runs/presets/digits_best.json"
    out = ["--pick", "best", "--out", path]
    capsys.readouterr()
    assert export(*out, study="ciphers", storage="sqlite:///one.db") == 0
    assert f"written to {path}; load" in capsys.readouterr().out, "in place of nothing else"
    assert presets.load(path).source["study"] == "ciphers"


def test_the_preset_of_a_newer_version_is_replaced_only_where_it_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export() == 0
    path = folder / "my-study_knee.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 3'))
    assert export() == 2
    assert "newer version of mixer-search (format 3" in capsys.readouterr().err
    assert '"format": 3' in path.read_text()
    assert export("--out", str(path)) == 0
    assert "in place of a preset of a newer version; load" in capsys.readouterr().out


def test_a_tilde_in_out_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = folder.parent / "home"
    monkeypatch.setenv("HOME", str(home))
    assert export("--out", "~/BEST.JSON") == 0
    assert presets.load(home / "BEST.JSON").source["study"] == "my-study"
    assert not Path("~").exists()


def test_json_names_the_file_and_the_trial(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export("--pick", "trial=1", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"file", "study", "seeds", "trial"}
    assert presets.load(facts["file"]).config.model_dump(mode="json") == facts["trial"]["config"]
    assert (facts["study"], facts["seeds"]) == ("my-study", 1)
    assert (facts["trial"]["number"], facts["trial"]["accuracy"]) == (1, 0.9)
    assert [path.name for path in folder.iterdir()] == ["my-study_trial_1.json"]
    assert not undocumented(facts)
