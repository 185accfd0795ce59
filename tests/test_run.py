"""`python -m search.run` on bad input: one sentence, exit code 2, nothing lost."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from json_keys import undocumented
from records import at, running, study
from rich.console import Console

from runs.reader import open_reader
from runs.record import Environment
from runs.writer import open_writer
from search.export import main as export
from search.interrupted import same_command
from search.protocol import TrialRequest
from search.run import main as run
from search.spec.studies import STUDIES, StudySpec
from search.study.run_study import run_study
from search.study.stop_signals import Interrupted

SMOKE = ["--study", "mixer_smoke"]


def refused(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    """The sentence a command that must be refused prints."""
    assert run(argv) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


def test_the_built_in_studies_are_listed_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in STUDIES:
        assert sum(f" {name} " in line for line in lines) == 1


def test_the_built_in_studies_are_a_table_for_programs_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    (digits,) = (row for row in rows if row["study"] == "mixer_digits")
    assert (digits["dataset"], digits["trials"], digits["image_size"]) == ("digits", 12, 8)
    assert not undocumented(rows)


def test_help_is_complete_and_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for flag in (
        *("--study", "--list", "--study-name", "--trials", "--epochs", "--timeout", "--seed"),
        *("--storage", "--max-flops", "--max-cost", "--min-accuracy", "--train-limit", "--sampler"),
        *("--no-baselines", "--data-dir", "--archive", "--device", "--engine", "--ray-address"),
        *("--workers", "--workers-per-device"),
        "--retry-failed",
    ):
        assert flag in text
    assert "Example" in text


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--study", "mixer_cifr"], "did you mean 'mixer_cifar'"),
        (["--study", "none.toml"], "none.toml"),
        ([*SMOKE, "--workers-per-device", "0"], "--workers-per-device 0: a device has one worker"),
        ([*SMOKE, "--trials", "-1"], "error: --trials: input should be greater than or equal to 0"),
        ([*SMOKE, "--trials", "abc"], "error: --trials: input should be a valid integer, not"),
        ([*SMOKE, "--epochs", "-1"], "error: --epochs"),
        ([*SMOKE, "--epochs", "1.5"], "--epochs: input should be a valid integer, not '1.5'"),
        ([*SMOKE, "--sampler", "gp"], "'tpe', 'nsga2' or 'random'"),
        (
            [*SMOKE, "--timeout", "soon"],
            "--timeout: 'soon' is no positive duration; write it like",
        ),
        ([*SMOKE, "--checkpoint-every", "0s"], "--checkpoint-every: '0s' is no positive duration"),
        ([*SMOKE, "--checkpoint-dir", __file__], "no file can be written there (File exists)"),
        ([*SMOKE, "--checkpoint-dir", "/proc/1/x"], "--checkpoint-dir /proc/1/x: no file can be"),
        ([*SMOKE, "--storage", f"sqlite:///{5000 * 'a'}.db"], "name too long"),
        ([*SMOKE, "--max-flops", "-3"], "--max-flops: '-3' is no positive count; write it like"),
        ([*SMOKE, "--max-flops", "10"], "the cheapest has"),
        ([*SMOKE, "--min-accuracy", "90"], "error: --min-accuracy"),
        ([*SMOKE, "--study-name", "a/b"], "error: --study-name: a study's name has no slash"),
        ([*SMOKE, "--study-name", "  "], "blank"),
        ([*SMOKE, "--storage", "postgres://h/d"], "postgresql, not postgres"),
        ([*SMOKE, "--storage", "sqlite://file.db"], "three: sqlite:///file.db"),
        ([*SMOKE, "--storage", "mysql://h/d"], "'mysql'"),
        ([*SMOKE, "--storage", "nonsense"], "not a URL"),
        ([*SMOKE, "--device", "cuda"], "only cpu"),
        ([*SMOKE, "--device", "cuda"], "(for NVIDIA: pip install"),
        ([*SMOKE, "--device", "tpu"], "(see https://docs.jax.dev/en/latest/installation.html) or"),
        ([*SMOKE, "--device", "gpu0"], "--device gpu0: there is auto, cpu, gpu, cuda, rocm, tpu"),
        ([*SMOKE, "--train-limit", "9999"], "1,294 training images; give --train-limit 1 to 1294"),
        ([*SMOKE, "--train-limit", "10"], "batch_size=64 is more than the 10"),
        (["--study", "mixer_cifar", "--data-dir", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_answered_with_a_sentence(
    capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    error = refused(capsys, argv)
    assert says in error
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1


def test_a_command_given_nothing_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, []).startswith("Usage: python -m search.run ")


def test_a_file_that_is_no_database_of_ours_is_left_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in (("empty.db", b""), ("text.db", b"hello"), ("cut.db", b"SQLite format 3")):
        path = here / name
        path.write_bytes(content)
        assert name in refused(capsys, [*SMOKE, "--storage", f"sqlite:///{path}"])
        assert path.read_bytes() == content


@pytest.mark.usefixtures("here")
def test_an_export_without_a_study_or_finished_trials_is_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert export(SMOKE) == 2
    assert "does not exist" in capsys.readouterr().err
    with open_writer() as store:
        store.add_study(study("mixer_smoke"))
        store.add_trial("mixer_smoke", running())
    for argv, says in (
        (SMOKE, "none of the study's 1 trials is finished"),
        ([*SMOKE, "--pick", "trial=0"], "trial 0 is running"),
        ([*SMOKE, "--pick", "fastest"], "'fastest' is no rule"),
        (["--study", "mixer_smok"], "did you mean 'mixer_smoke'"),
    ):
        assert export(argv) == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ([], 2),  # the knee; with trial 0 it would be trial 1
        (["--pick", "cheapest"], 1),
        (["--pick", "cheapest", "--min-accuracy", "0.2"], 0),
        (["--pick", "trial=0"], 0),
    ],
)
@pytest.mark.usefixtures("here")
def test_an_export_holds_to_the_studys_min_accuracy_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str], options: list[str], taken: int
) -> None:
    with open_writer() as store:
        store.add_study(study("mixer_smoke", spec={"min_accuracy": 0.5}))
        for number, accuracy in enumerate((0.3, 0.6, 0.7)):
            store.add_trial("mixer_smoke", at(2_000_000 * 10**number, accuracy, number))
    assert export([*SMOKE, *options]) == 0
    assert capsys.readouterr().out.startswith(f"trial {taken}:")
    assert export([*SMOKE, "--max-flops", "2M"]) == 2
    assert "an accuracy of 0.5; the best has 0.3000" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--storage {}", "--storage={}", "--storage {} --storage x://"])
def test_how_to_go_on_does_not_print_a_password(option: str) -> None:
    words = option.format("postgresql://u:it'ssecret@h/d").replace("x://", "sqlite:///x.db").split()
    shown = same_command("search.run", ["--study", "s", *words, "--seed", "1"])
    assert "secret" not in shown
    kept = shlex.split(shown)
    assert kept[:5] == ["python", "-m", "search.run", "--study", "s"]
    assert any("postgresql+psycopg://u:***@h/d" in word for word in kept)
    assert kept[-2:] == ["--seed", "1"]


@pytest.mark.usefixtures("here")
def test_what_is_refused_leaves_no_study_to_disagree_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "only cpu" in refused(capsys, [*SMOKE, "--device", "cuda", "--epochs", "7"])
    with open_reader() as store:
        assert store.studies() == []


def test_a_study_is_held_until_what_was_trained_is_kept(tmp_path: Path) -> None:
    """Whoever goes on with it at once must find its checkpoints, and its devices free."""
    storage = f"sqlite:///{tmp_path}/s.db"
    held: list[bool] = []

    class Stopped:
        count = 1
        environment = Environment(device_kind="none", versions={}, git_revision=None)

        def start(self, worker: int, request: TrialRequest) -> None:
            held.clear()

        def next(self) -> None:
            raise Interrupted

        def interrupt(self) -> None:
            with open_reader(storage) as store:
                held.append(store.holder("s") is not None)

    spec = StudySpec(name="s", dataset="digits", trials=2)
    workers: Any = Stopped()
    with pytest.raises(Interrupted):
        run_study(spec, Console(quiet=True), start_workers=lambda images: workers, storage=storage)
    with open_reader(storage) as store:
        assert (held, store.holder("s")) == ([True], None)
