"""`python -m search.export --out winner/`: a winner with its weights, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shlex
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confirmed_digits import NAME, copied
from json_keys import undocumented
from processes import line, start
from test_faults import repeats

from runs.reader import open_reader
from runs.record import Origin, TrialRecord
from runs.weights_folder import read_weights
from search import data as images
from search.export import main
from search.formats.proof import FormatError, Proof, largest_difference
from search.formats.registry import FORMATS
from search.result import StudyResult
from search.spec.studies import StudyError
from search.train.devices import choose
from search.train.predict import logits_of
from search.train_command import main as train
from search.winner import pick_winner
from search.winner_folder import export_winner
from space import presets
from space.presets import Preset


@pytest.fixture
def storage(here: Path) -> str:
    return copied(here)


def export(storage: str, *options: str) -> int:
    given = ["--study", NAME, "--storage", storage, "--out", "winner/", "--no-latency"]
    return main([*given, *options])


def fresh(storage: str, preset: Preset) -> list[TrialRecord]:
    """The trainings with fresh seeds of a preset's configuration."""
    with open_reader(storage) as store:
        trials = store.trials(NAME)
    return [t for t in trials if (t.config, t.origin) == (preset.config, Origin.CONFIRMATION)]


def sizes(folder: Path) -> dict[str, bytes]:
    """The bytes of all files of a folder, hidden ones too."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_confirmed_winner_leaves_with_the_weights_that_are_best_on_validation(
    storage: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(storage, "--pick", "best") == 0
    said = capsys.readouterr().out
    preset = presets.load("winner")
    trainings = fresh(storage, preset)
    best = max(trainings, key=lambda t: (t.accuracy, -t.loss))
    weights = read_weights(NAME, best.number, storage)
    assert (here / "winner/model.safetensors").read_bytes() == weights.file.read_bytes()
    assert preset.trained.sha256 == weights.file.stem
    assert preset.trained.class_names == tuple("0123456789")
    assert preset.source["weights"]["trial"] == best.number
    assert preset.source["weights"]["validation"]["accuracy"] == best.accuracy
    confirmed = preset.source["confirmed"]
    assert confirmed["accuracy_split"] == "test"
    with open_reader(storage) as store:
        tested = store.image_results(NAME, "test")[best.number]
    own = int.from_bytes(tested.right).bit_count() / tested.num_images
    assert preset.source["weights"]["test"]["accuracy"] == own

    card = (here / "winner/README.md").read_text()
    assert f"| these weights, seed {best.seed} | test, 359 images | {100 * own:.1f} |" in card
    assert f"| the mean of 3 seeds | test | {100 * confirmed['accuracy']:.1f} |" in card
    assert "Of 3 trainings these are the weights best on validation: expect the mean." in card
    assert "Test read once." in card
    assert f"weights of trial {best.number}, seed {best.seed}: validation accuracy" in said
    assert said.endswith("written to winner; try python -m search.predict --model winner IMAGE\n")
    assert not list(here.glob(".*"))


def test_a_training_is_taken_by_its_seed(storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(storage, "--pick", "best") == 0
    first = presets.load("winner").source["weights"]
    other = next(t for t in fresh(storage, presets.load("winner")) if t.seed != first["seed"])
    capsys.readouterr()
    assert export(storage, "--pick", "best", "--seed", str(other.seed), "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert not undocumented(facts)
    assert facts["folder"] == "winner"
    assert facts["weights"]["trial"] == other.number
    assert facts["sha256"] == presets.load("winner").trained.sha256
    assert "best on validation" not in Path("winner/README.md").read_text()
    assert export(storage, "--pick", "best", "--seed", "77") == 2
    assert re.search(r"--seed 77: trial \d was trained with 1, 2, 3; name", capsys.readouterr().err)


def test_the_command_of_a_card_trains_the_same_weights_again(
    storage: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert export(storage, "--pick", "best") == 0
    preset = presets.load("winner")
    command = preset.source["command"]
    assert command in (here / "winner/README.md").read_text()
    _, _, module, *argv = shlex.split(command)
    assert module == "search.train"
    monkeypatch.chdir("winner")
    assert train([*argv, "--storage", "sqlite:///../again.db", "--device", "cpu"]) == 0
    again = read_weights(f"{preset.name}_again", 0, "sqlite:///../again.db").arrays
    mine = read_weights(NAME, preset.source["weights"]["trial"], "sqlite:///../s.db").arrays
    assert again.keys() == mine.keys()
    for path, array in mine.items():
        np.testing.assert_allclose(again[path], array, atol=1e-6, err_msg=path)


def test_the_code_of_a_card_computes_the_logits(
    storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert export(storage, "--pick", "trial=0") == 0
    monkeypatch.chdir("winner")
    preset = presets.load(".")
    (code,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    moments = preset.trained.pixel_mean, preset.trained.pixel_std
    black = np.zeros((1, 8, 8, 1), np.uint8)
    expected = logits_of(preset.config, preset.params(), black, *moments, choose("cpu"))
    np.testing.assert_allclose(names["logits"], expected, atol=1e-5)


def test_a_folder_of_ours_is_replaced_with_a_word_and_nothing_else_is(
    storage: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(storage, "--pick", "trial=0") == 0
    assert export(storage, "--pick", "trial=1") == 0
    assert "written to winner in place of Mixer p4" in capsys.readouterr().out
    assert presets.load("winner").source["trial"] == 1
    (here / "winner/notes.txt").write_text("mine")
    (here / "other").mkdir()
    (here / "other/preset.json").write_text("{}")
    (here / "file").write_text("mine")
    before = sizes(here)
    for out, sentence in (
        ("winner", r"holds what no export wrote \(notes.txt\), and is left as it is"),
        ("other", "what is there is not the folder of a trained network, and is left as it is"),
        ("file", "what is there is not the folder of a trained network"),
        ("file/winner", "cannot be written"),
    ):
        assert export(storage, "--pick", "trial=0", "--out", out) == 2
        assert re.search(sentence, capsys.readouterr().err)
    assert {path: before[path] for path in sizes(here)} == before


def arrays_format(preset: Preset, params: Any, folder: Path, pixels: Any, logits: Any) -> Proof:
    """A format of a test's own: the head alone, and the logits of black images by it."""
    np.savez(folder / "head.npz", **params["head"])
    with np.load(folder / "head.npz") as read:
        difference = largest_difference(read["kernel"], params["head"]["kernel"])
    assert logits.shape == (len(pixels), preset.config.num_classes)
    return Proof(
        format="head",
        files=("head.npz",),
        read_by=f"NumPy {np.__version__}",
        max_difference=difference,
        num_images=len(pixels),
        note="the last layer",
    )


def wrong_format(preset: Preset, params: Any, folder: Path, pixels: Any, logits: Any) -> Proof:
    (folder / "wrong").write_text("half")
    raise FormatError("wrong: logits differ by 3; do not use it")


def test_a_format_is_proved_on_real_images_and_stands_in_the_card(
    storage: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "head", arrays_format)
    monkeypatch.setitem(FORMATS, "wrong", wrong_format)
    sentence = f"head: read by NumPy {np.__version__}, 64 images differ by at most 0e+00"
    assert export(storage, "--pick", "best", "--format", "head", "--format", "head") == 0
    assert sentence in capsys.readouterr().out
    assert f"- {sentence} (`head.npz`). The last layer." in (here / "winner/README.md").read_text()
    (proof,) = presets.load("winner").source["formats"]
    assert (proof["files"], proof["max_difference"]) == (["head.npz"], 0)
    before = sizes(here / "winner")
    assert export(storage, "--pick", "best", "--format", "wrong") == 2
    assert "wrong: logits differ by 3; do not use it" in capsys.readouterr().err
    assert export(storage, "--pick", "best", "--format", "onxn") == 2
    assert "--format onxn: there is no such format" in capsys.readouterr().err
    assert sizes(here / "winner") == before
    assert export(storage, "--pick", "best") == 0, "its head.npz is ours"
    assert not (here / "winner/head.npz").exists()


def test_all_formats_compute_the_same_and_leave_with_a_folder_that_is_replaced(
    storage: str, here: Path
) -> None:
    assert export(storage, "--pick", "best", "--format", "all") == 0
    proofs = presets.load("winner").source["formats"]
    assert [proof["format"] for proof in proofs] == [*FORMATS]
    for proof in proofs:
        assert proof["max_difference"] < 1e-5
        assert all((here / "winner" / file).is_file() for file in proof["files"])
    assert export(storage, "--pick", "best") == 0
    assert sorted(p.name for p in (here / "winner").iterdir()) == [
        "README.md",
        "model.safetensors",
        "preset.json",
    ]


@pytest.mark.slow
def test_how_long_it_takes_to_answer_stands_in_the_card(storage: str, here: Path) -> None:
    given = ["--study", NAME, "--storage", storage, "--out", "winner", "--pick", "best"]
    assert main(given) == 0
    measured = presets.load("winner").source["latency"]
    assert {(one["runtime"], one["batch"]) for one in measured} == {
        ("jax", 1),
        ("jax", 64),
        ("onnx", 1),
        ("onnx", 64),
    }
    card = (here / "winner/README.md").read_text()
    assert "## Latency\n\n| runtime | images a call |" in card


def test_damaged_and_missing_weights_are_a_sentence(
    storage: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = read_weights(NAME, 0, storage).file
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    for damaged in (bytes(content), bytes(content[:100])):
        file.write_bytes(damaged)
        assert export(storage, "--pick", "trial=0") == 2
        assert "is damaged: its SHA-256 is not its name" in capsys.readouterr().err
    assert export(storage, "--pick", "trial=0", "--weights-dir", "elsewhere") == 2
    assert "name the folder that holds" in capsys.readouterr().err
    assert not (here / "winner").exists()


def test_from_python_too_and_other_images_than_the_studys_are_refused(storage: str) -> None:
    other = images.load("digits", train_limit=100)
    with open_reader(storage) as store:
        result = store.read(NAME)
    found = StudyResult(
        study=result.study, trials=result.trials, where="", ended="trials", storage=storage
    )
    with pytest.raises(StudyError, match="began on other images of digits"):
        found.export("winner", "trial=0", data=other)
    preset = found.export("winner", "trial=0", with_latency=False)
    assert (preset.name, preset.folder) == ("winner", Path("winner"))


def test_a_study_of_images_in_memory_leaves_where_they_are_given(storage: str) -> None:
    with sqlite3.connect("s.db") as connection:
        connection.execute("UPDATE run_study SET spec = json_set(spec, '$.dataset', 'arrays')")
    with open_reader(storage) as store:
        winner = pick_winner(store, NAME, "trial=0")
    leave = partial(export_winner, winner, Path("winner"), "mine", storage=storage)
    with pytest.raises(StudyError, match="was trained on images in memory, on which what leaves"):
        leave(with_latency=False)
    data = images.load("digits", train_limit=256, validation_fraction=0.2)
    assert leave(with_latency=False, data=data).source["validation"]["num_images"] == 288


FULL = """
import resource, sys
from search.export import main
from search.formats import folder

def on_a_full_disk(path, found=folder.whole_folder):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # the weights are larger
    return found(path)

folder.whole_folder = on_a_full_disk
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.fault("the disk full while a winner is exported")
def test_a_full_disk_is_a_sentence_and_leaves_what_was_there(storage: str, here: Path) -> None:
    assert export(storage, "--pick", "trial=0") == 0
    before = sizes(here)
    argv = ["--study", NAME, "--storage", storage, "--pick", "trial=1", "--out", "winner"]
    argv += ["--no-latency"]
    done = subprocess.run(
        [sys.executable, "-c", FULL, *argv],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "--out winner: it cannot be written (File too large), and what was" in done.stderr
    assert sizes(here) == before


WRITES = """
import itertools, sys
from pathlib import Path
from search.formats.folder import write_folder
from space import presets
models = [presets.load(name) for name in ("0", "1")]
print("ready", flush=True)
for number in itertools.count():
    model = models[number % 2]
    write_folder(Path("winner"), model, model.weights())
"""


@pytest.mark.fault("killed (SIGKILL) while a winner's folder is replaced")
@pytest.mark.parametrize("times", repeats(1, 60))
def test_a_kill_leaves_one_whole_winner_or_the_other(storage: str, here: Path, times: int) -> None:
    for number in ("0", "1"):
        assert export(storage, "--pick", f"trial={number}", "--out", number) == 0
    whole = [contents_of(presets.load(number)) for number in ("0", "1")]
    chance = random.Random(times)
    for _ in range(times):
        process = start(WRITES, "")
        assert line(process) == "ready"
        time.sleep(chance.uniform(0.02, 0.2))
        process.kill()
        process.communicate()
        if (here / "winner").exists():
            assert contents_of(presets.load("winner")) in whole
    assert export(storage, "--pick", "trial=0") == 0
    assert contents_of(presets.load("winner")) == whole[0]
    assert not list(here.glob(".*"))


def contents_of(preset: Preset) -> tuple[Any, ...]:
    """Configuration, weights and card."""
    assert preset.folder is not None
    card = (preset.folder / "README.md").read_text()
    return preset.config, hashlib.sha256(preset.weights()).hexdigest(), card
