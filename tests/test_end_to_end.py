"""The main job through its commands: search, interruption, continuation, export, use."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import PIL
import pytest

from runs.reader import StorageError, open_reader
from runs.record import Origin, State, TrialRecord
from search.run import main as search
from search.train.machine import num_cores
from space import presets
from space.build import build
from space.cost import cost

ROOT = Path(__file__).parents[1]
DATABASE = "sqlite:///{}/runs/mixer_search.db"
STUDY = ["--study", "mixer_smoke", "--trials", "2"]


needs_two_cores = pytest.mark.skipif(num_cores() < 2, reason="two workers need two cores")


def command(module: str, *argv: str) -> list[str]:
    return [sys.executable, "-m", module, *argv]


def environment() -> dict[str, str]:
    """The commands find the packages from any folder, as they do when installed."""
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "120"}


def run(module: str, *argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(module, *argv),
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def finished(folder: Path) -> list[TrialRecord]:
    with open_reader(DATABASE.format(folder)) as store:
        trials = store.trials("mixer_smoke")
    return [t for t in trials if t.state not in {State.REFUSED, State.RUNNING}]


def interrupt_in_training(folder: Path, how: signal.Signals, *options: str) -> int:
    """Starts the study, waits for the first epoch of the first trial, and sends a signal.

    No process that the command started may outlive it for long.
    """
    process = subprocess.Popen(
        command("search.run", *STUDY, *options),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
        try:
            with open_reader(DATABASE.format(folder)) as store:
                if store.epochs("mixer_smoke"):
                    break
        except StorageError:
            continue  # not there yet
    started = children(process.pid)
    process.send_signal(how)
    output, _ = process.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while any(map(is_alive, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, started))
    if how is not signal.SIGKILL:
        assert "Go on with the same command" in output, output
        assert "Traceback" not in output
    return process.returncode


def children(pid: int) -> list[int]:
    """The processes a process has started; none where the system does not tell."""
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("how", "workers"),
    [
        pytest.param(signal.SIGINT, "1", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "1", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, "1", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "2", marks=[needs_two_cores, pytest.mark.slow]),
        pytest.param(signal.SIGKILL, "2", marks=needs_two_cores),
    ],
)
def test_a_study_that_was_stopped_goes_on_with_the_same_command(
    tmp_path: Path, how: signal.Signals, workers: str
) -> None:
    options = ("--epochs", "60", "--workers", workers)
    code = interrupt_in_training(tmp_path, how, *options)
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[how]
    unfinished = 3 - len(finished(tmp_path))
    assert unfinished > 0, "the study was not stopped half-way"
    again = run("search.run", *STUDY, *options, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    trials = finished(tmp_path)
    assert [t.origin for t in trials].count(Origin.SEARCH) == 2
    assert [t.origin for t in trials].count(Origin.BASELINE) == 1
    assert len({t.config for t in trials}) == 3
    with open_reader(DATABASE.format(tmp_path)) as store:
        assert [[e.epoch for e in store.epochs("mixer_smoke", t.number)] for t in trials] == [
            list(range(1, 61))
        ] * 3
    once_more = run("search.run", *STUDY, *options, cwd=tmp_path)
    assert once_more.returncode == 0
    assert finished(tmp_path) == trials


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which a study was run, and what was printed."""
    folder = tmp_path_factory.mktemp("searched")
    done = run("search.run", *STUDY, "--epochs", "8", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_study_ends_with_its_front_and_the_next_commands(searched: tuple[Path, str]) -> None:
    _, printed = searched
    assert "Front of mixer_smoke" in printed
    assert "python -m dashboard" in printed
    assert "python -m search.confirm --study mixer_smoke" in printed
    assert "python -m search.export --study mixer_smoke --pick knee" in printed
    assert "could change places; ± is a 95 % interval, of the 144 validation images only" in printed
    assert "; one seed, images only" in printed


def test_every_trial_is_better_than_guessing_and_says_what_it_ran_on(
    searched: tuple[Path, str],
) -> None:
    for trial in finished(searched[0]):
        assert trial.accuracy is not None
        assert trial.accuracy > 0.2
        assert trial.timing is not None
        measured = vars(trial.timing) | {"cache_hit": True}  # a cold cache has none
        assert min(measured.values()) > 0
        assert trial.environment is not None
        assert trial.environment.versions["jax"] == jax.__version__
        assert trial.environment.versions["pillow"] == PIL.__version__  # it decodes the images
        bill = cost(trial.config)
        assert (trial.params, trial.macs) == (bill.params, bill.macs)


def test_an_exported_winner_is_the_trials_network(searched: tuple[Path, str]) -> None:
    folder, _ = searched
    done = run("search.export", "--study", "mixer_smoke", "--pick", "best", cwd=folder)
    assert done.returncode == 0, done.stderr
    preset = presets.load(folder / "runs" / "presets" / "mixer_smoke_best.json")
    trial = max(
        (t for t in finished(folder) if t.origin is Origin.SEARCH),
        key=lambda t: (t.accuracy or 0, -t.flops),
    )
    assert preset.config == trial.config
    assert (preset.num_params, 2 * preset.macs) == (trial.params, trial.flops)
    assert preset.source["trial"] == trial.number
    images = jax.random.normal(jax.random.key(0), (2, 8, 8, 1))
    first, second = build(preset.config), build(trial.config)
    params = first.init(jax.random.key(1), images)["params"]
    params["head"]["kernel"] = jnp.ones_like(params["head"]["kernel"])
    np.testing.assert_array_equal(
        first.apply({"params": params}, images), second.apply({"params": params}, images)
    )


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What a search says that does not begin; in this process, since it starts no other."""
    capsys.readouterr()
    assert search([*STUDY, *options]) == 2
    return capsys.readouterr().err


def test_a_study_with_another_specification_is_refused_with_the_fields(
    searched: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, _ = searched
    monkeypatch.chdir(folder)
    before = finished(folder)
    said = " ".join(refused(capsys, "--epochs", "9", "--seed", "5").split())
    assert "recipe.epochs is 8 there, 9 asked" in said
    assert "seed is 0 there, 5 asked" in said
    assert "--study-name" in said
    assert finished(folder) == before


@pytest.mark.usefixtures("here")
def test_other_images_under_the_same_name_are_refused(
    searched: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = searched
    database = folder / "runs" / "mixer_search.db"
    copy = folder / "copy.db"
    with sqlite3.connect(database) as there, sqlite3.connect(copy) as here:
        there.backup(here)
        here.execute("UPDATE run_study SET data_digest = 'of other images'")
    said = refused(capsys, "--epochs", "8", "--storage", f"sqlite:///{copy}")
    assert "began on other images" in " ".join(said.split())


def test_a_diverging_recipe_fails_its_trials_with_the_step(tmp_path: Path) -> None:
    study = tmp_path / "wild.toml"
    study.write_text(
        'name = "wild"\ndataset = "digits"\ntrials = 1\nbaselines = 0\n'
        "[space]\npatch_size = [4]\nhidden_dim = [8]\nnum_blocks = [1]\n"
        "tokens_mlp_dim = [8]\nchannels_mlp_dim = [16]\n"
        "[recipe]\nepochs = 2\nlearning_rate = 1e30\nclip_norm = 1e30\nwarmup = 0\n"
    )
    done = run("search.run", "--study", str(study), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "diverged: the loss was not finite at step" in done.stdout
    *_, why, dashboard = done.stdout.splitlines()
    assert "0 trials complete, 1 failed, 0 baselines;" in done.stdout
    assert why.startswith("there is nothing to choose from: 1 trial failed, 1 of them with: div")
    assert dashboard == "next: python -m dashboard"


@pytest.mark.slow
@needs_two_cores
def test_a_worker_that_is_killed_costs_the_study_nothing_but_time(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("search.run", *STUDY, "--epochs", "60", "--workers", "2"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
        with suppress(StorageError), open_reader(DATABASE.format(tmp_path)) as store:
            running = {t.number for t in store.trials("mixer_smoke") if t.state is State.RUNNING}
            if {epoch.trial for epoch in store.epochs("mixer_smoke")} & running:
                break
    workers = [pid for pid in children(process.pid) if "spawn_main" in command_of(pid)]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    if workers:
        assert "lost its worker (killed by SIGKILL) and starts again" in printed
    trials = finished(tmp_path)
    assert [t.state for t in trials] == [State.COMPLETE] * 3
    with open_reader(DATABASE.format(tmp_path)) as store:
        assert [[e.epoch for e in store.epochs("mixer_smoke", t.number)] for t in trials] == [
            list(range(1, 61))
        ] * 3


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.usefixtures("here")
def test_more_workers_than_there_are_cores_is_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refused(capsys, "--workers", "1000")
    assert said.startswith("error: --workers 1000: there are")
    assert said.count("\n") == 1


@pytest.mark.slow
def test_a_search_over_seeds_compares_means_and_says_where_its_time_went(tmp_path: Path) -> None:
    searched = run("search.run", *STUDY, "--seeds", "2", "--trials", "1", cwd=tmp_path)
    assert searched.returncode == 0, searched.stderr
    assert "of 2 programs came from the cache" in searched.stdout
    trials = finished(tmp_path)
    assert [(t.origin, t.seed) for t in trials] == [
        (origin, seed) for origin in (Origin.BASELINE, Origin.SEARCH) for seed in (0, 1)
    ]
    mixers = trials[2:]
    assert all(t.wall_seconds and t.timing and t.timing.device_bytes for t in trials)
    assert mixers[0].accuracy != mixers[1].accuracy or mixers[0].loss != mixers[1].loss
    exported = run("search.export", "--study", "mixer_smoke", "--out", "mean.json", cwd=tmp_path)
    assert "(mean of 2 seeds)" in exported.stdout, exported.stderr
    source = presets.load(str(tmp_path / "mean.json")).source
    assert source["accuracies"] == [t.accuracy for t in mixers]
    assert source["accuracy"] == pytest.approx(np.mean(source["accuracies"]))


def test_a_space_of_one_architecture_is_a_study_of_one_trial_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(
        'name = "one"\ndataset = "digits"\ntrials = 5\nbaselines = 0\n[space]\npatch_size = [4]\n'
        "hidden_dim = [8]\ntokens_mlp_dim = [8]\nchannels_mlp_dim = [16]\nnum_blocks = [1]\n"
        "[recipe]\nepochs = 1\nbatch_size = 64\n"
    )
    done = run("search.run", "--study", "one.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        "5 trials were asked for, and the space has 1 within the budget: the study ends when all "
        "are tried" in done.stdout
    )
    assert "1 trial complete" in done.stdout
