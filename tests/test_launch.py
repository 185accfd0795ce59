"""`search.run_study`: a study in a plain script that asks for no `__main__`, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import pytest
from json_keys import undocumented
from records import study

from runs.reader import open_reader
from runs.writer import open_writer
from search import data as images
from search import run_study
from search.run import main as run
from search.spec.studies import STUDIES, StudyError
from search.study.stored import stored_study
from space import presets
from space.errors import MixerSearchError

ROOT = Path(__file__).parents[1]

NOTEBOOK = """
import json, os, signal, sys, threading, time
import search
assert not {"jax", "optuna", "sqlalchemy", "pandas"} & set(sys.modules), "import search is light"

def interrupt_in_training():
    from runs.reader import StorageError, open_reader
    while True:
        time.sleep(0.01)
        try:
            with open_reader() as store:
                if len(store.epochs("notebook")) > 2:
                    return os.kill(os.getpid(), signal.SIGINT)
        except StorageError:
            pass

spec = search.StudySpec(
    name="notebook", dataset="digits", trials=1, baselines=0, max_flops="60k", train_limit=256,
    recipe=search.Recipe(epochs=60, batch_size=64), space={"num_blocks": (1,), "patch_size": (4,)},
    rungs={"count": 0},  # an epoch at a rung is not kept: whether it goes on is not decided yet
)
handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
threading.Thread(target=interrupt_in_training).start()
try:
    search.run_study(spec, device="cpu")
    sys.exit("it was not interrupted")
except KeyboardInterrupt:
    print("-- interrupted")
assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
result = search.run_study(spec, device="cpu", workers=1)
preset = result.export("winner.json", "best")
facts = {
    "name": result.name,
    "rows": len(result.frame),
    "front": [trial.number for trial in result.front],
    "best": result.best(max_flops="60k").number,
    "repr": repr(result),
    "facts": result.facts(),
    "flag": os.environ["XLA_FLAGS"],
}
print(json.dumps(facts))
"""


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """A script, run in a folder."""
    (folder / "script.py").write_text(code)
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the script has run."""
    folder = tmp_path_factory.mktemp("notebook")
    done = python(folder, NOTEBOOK)
    assert (done.returncode, done.stderr) == (0, "")
    (folder / "out.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the script has printed; its folder is the working directory now."""
    monkeypatch.chdir(folder)
    return (folder / "out.txt").read_text().splitlines()


def test_a_script_without_a_guard_is_interrupted_and_goes_on_after_its_last_epoch(
    said: list[str],
) -> None:
    at = said.index("-- interrupted")
    assert said[at - 1].startswith("Stopped. Finished trials are stored; one that was running")
    (goes_on,) = (line for line in said[at:] if "was interrupted" in line)
    after = int(goes_on.split("goes on after epoch ")[1].split()[0])
    assert 2 < after < 60
    with open_reader() as store:
        curves = store.curves("notebook")
    assert [len(curve) for curve in curves.values()] == [60]


def test_its_result_is_a_frame_a_front_a_best_trial_and_a_preset(said: list[str]) -> None:
    found: dict[str, Any] = json.loads(said[-1])
    assert (found["name"], found["rows"]) == ("notebook", 1)
    assert found["repr"].startswith("<StudyResult 'notebook': 1 complete; 1 on the front>")
    assert found["best"] == found["front"][-1]
    facts = found["facts"]
    assert [trial["number"] for trial in facts["front"]] == found["front"]
    assert (facts["ended"], facts["trials"]["complete"]) == ("complete", 1)
    best = facts["front"][-1]
    assert presets.load("winner.json").config.model_dump(mode="json") == best["config"]
    assert "xla_cpu_disable_loop_unrolling" in found["flag"]


@pytest.mark.usefixtures("said")
def test_a_study_is_gone_on_with_as_it_was_asked_for() -> None:
    spec, asked = stored_study("notebook", None)
    assert asked == {"trials": 1, "baselines": True, "stop_when_flat": None, "tune_rate": None}
    assert (spec.trials, spec.recipe.epochs, spec.max_flops) == (1, 60, 60_000)
    ranges = spec.space["mixer"].model_dump()
    assert ranges["num_blocks"] == (1,)
    assert ranges["hidden_dim"], "what was fitted to the images"
    assert stored_study("notebook", None, trials=5)[0].trials == 5


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--resume", "notbook"], "did you mean 'notebook'?"),
        (["--resume", "notebook", "--study", "mixer_smoke"], "leave --study out"),
        (["--resume", "notebook", "--study-name", "x"], "leave --study-name out"),
        (["--resume", "notebook", "--set", "seed=7"], "seed is 0 there, 7 asked"),
    ],
)
def test_what_would_make_another_study_of_it_is_refused(
    capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    assert run(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert len(error.splitlines()) == 1


@pytest.mark.usefixtures("said")
def test_json_is_all_that_a_study_prints_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--resume", "notebook", "--stop-when-flat", "9", "--device", "cpu", "--json"]) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert set(facts) == {
        *("study", "storage", "dataset", "ended", "trials", "baselines", "hypervolume", "front"),
        *("cost", "cost_ceiling"),
    }
    assert facts["hypervolume"] > 0
    assert not undocumented(facts)
    assert "nothing was left to train" in err
    assert stored_study("notebook", None)[1]["stop_when_flat"] == 9


@pytest.mark.usefixtures("here")
def test_jax_that_has_started_before_is_told_of_and_in_nobodys_way(
    said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a notebook that has computed something."""
    assert not [line for line in said if "JAX had started" in line]
    monkeypatch.setenv("XLA_FLAGS", "")
    assert jax.devices()
    digits = images.load("digits")
    mine = images.from_arrays(digits.train_images, digits.train_labels)
    result = run_study("mixer_smoke", data=mine, device="cpu", timeout=1e-3)
    out = capsys.readouterr().out
    assert out.startswith("JAX had started before this study: ")
    assert "the time is up: no further trial is started" in out
    assert (result.ended, result.trials, result.front) == ("timeout", [], [])
    assert (result.study.data_digest, result.study.spec["dataset"]) == (mine.digest, "arrays")
    with pytest.raises(StudyError, match="began on other images"):
        run_study(
            "mixer_smoke",
            data={"train_images": digits.train_images[1:], "train_labels": digits.train_labels[1:]},
            device="cpu",
            progress=False,
        )


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"workers": 0}, "--workers 0: neither a number from 1 on nor auto"),
        ({"workers": "2.5"}, "--workers 2.5: neither"),
        ({"engine": "spark"}, "--engine spark: there is local and ray"),
        ({"ray_address": "auto"}, "add --engine ray"),
        ({"device": "gpu0"}, "--device gpu0: there is auto, cpu"),
        ({"stop_when_flat": 0}, "--stop-when-flat 0: give a number of trials"),
        ({"trial_timeout": -1}, "--trial-timeout: '-1.000000s' is no positive duration"),
        ({"timeout": "soon"}, "--timeout: 'soon' is no positive duration"),
    ],
)
def test_settings_that_cannot_be_are_a_sentence(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(MixerSearchError, match=says):
        run_study("mixer_smoke", **settings)
    assert not list(Path.cwd().iterdir())


@pytest.mark.usefixtures("here")
def test_a_study_of_an_older_version_is_asked_how_many_trials_it_is_to_have() -> None:
    spec = STUDIES["mixer_smoke"]
    new = {"rungs", "split", "data", "families"}
    old = {k: v for k, v in spec.fixed().items() if k not in new}
    old["space"] = old["space"]["mixer"]
    with open_writer() as store:
        for name in ("mine", "mixer_smoke"):
            store.add_study(study(name, spec=old))
    with pytest.raises(StudyError, match="did not note how many"):
        stored_study("mine", None)
    spec, asked = stored_study("mine", None, trials=4)
    assert (spec.trials, spec.split, spec.rungs.count, asked) == (4, "random", 0, {})
    assert stored_study("mixer_smoke", None)[0].trials == STUDIES["mixer_smoke"].trials
