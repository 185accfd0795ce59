"""`python -m search.confirm`: fresh seeds, one reading of test, and the same command goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from json_keys import undocumented
from records import study

from runs.reader import open_reader
from runs.record import ImageResults, Origin, State
from runs.writer import open_writer
from search import confirm_study, run_study
from search import data as images
from search.confirm import main as confirm
from search.export import main as export
from search.run import main as run
from search.spec.studies import StudySpec
from search.study import test_split
from space import presets
from space.errors import MixerSearchError

SPEC = StudySpec(
    name="small",
    dataset="digits",
    families=("mixer", "vit"),
    trials=3,
    baselines=0,
    max_flops=120_000,
    train_limit=256,
    recipe={"epochs": 2, "batch_size": 64},
    learning_rates={"mixer": 2e-3, "vit": 1e-3},
    space={
        "mixer": {
            "patch_size": (4,),
            "hidden_dim": (8, 16),
            "tokens_mlp_dim": (8,),
            "channels_mlp_dim": (16,),
            "num_blocks": (1,),
        },
        "vit": {
            "patch_size": (4,),
            "hidden_dim": (8,),
            "num_blocks": (1,),
            "mlp_dim": (16,),
            "num_heads": (1,),
        },
    },
    rungs={"count": 0},
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a finished search."""
    folder = tmp_path_factory.mktemp("searched")
    run_study(SPEC, storage=f"sqlite:///{folder}/s.db", progress=False, device="cpu")
    return folder / "s.db"


@pytest.fixture
def storage(searched: Path, here: Path) -> str:
    """A copy of it."""
    (here / "s.db").write_bytes(searched.read_bytes())
    return "sqlite:///s.db"


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The data sets whose test split was opened."""
    opened: list[str] = []
    load = images.load_test

    def counted(dataset, **options):
        opened.append(str(dataset))
        return load(dataset, **options)

    monkeypatch.setattr(test_split.images, "load_test", counted)
    return opened


def results(storage: str, split: str) -> dict[tuple[int, int], ImageResults]:
    """By parent and seed."""
    with open_reader(storage) as store:
        trials = {t.number: t for t in store.trials("small")}
        found = store.image_results("small", split)
    return {(trials[n].parent or 0, trials[n].seed): result for n, result in found.items()}


def test_a_front_is_confirmed_with_fresh_seeds_and_test_is_opened_once(
    storage: str, readings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--study", "small", "--storage", storage, "--seeds", "4", "--device", "cpu"]
    with open_reader(storage) as store:
        before = store.trials("small")
    assert confirm([*command, "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert readings == ["digits"]
    assert "Mixer" in said
    assert "test read once" in said

    with open_reader(storage) as store:
        trials = store.trials("small")
        fresh = [t for t in trials if t.origin is Origin.CONFIRMATION]
        validation = store.image_results("small", "validation")
        test = store.image_results("small", "test")
        assert set(store.weights("small")) >= {t.number for t in fresh}
    assert [t for t in trials if t.origin is not Origin.CONFIRMATION] == before
    assert len(fresh) == 4 * len({t.parent for t in fresh})
    assert not {t.seed for t in fresh} & {t.seed for t in before}
    assert set(validation) == set(test) == {t.number for t in fresh}
    for trial in fresh:
        right = np.unpackbits(np.frombuffer(validation[trial.number].right, np.uint8))
        assert right.sum() / validation[trial.number].num_images == pytest.approx(trial.accuracy)

    assert confirm([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert readings == ["digits"], "what was found is shown, and nothing is read"
    assert facts["test_readings"] == 1
    assert not undocumented(facts)

    assert export(["--study", "small", "--storage", storage, "--pick", "best"]) == 0
    assert "confirmed: test accuracy" in capsys.readouterr().out
    source = presets.load("runs/presets/small_best.json").source
    assert source["confirmed"]["accuracy_split"] == "test"
    assert len(source["seeds"]) >= 3

    assert confirm([*command, "--again", "--seeds", "2"]) == 0
    assert readings == ["digits"] * 2
    assert "test read 2 times" in capsys.readouterr().out
    with open_reader(storage) as store:
        seeds = [t.seed for t in store.trials("small") if t.origin is Origin.CONFIRMATION]
        parents = [t.parent for t in store.trials("small") if t.origin is Origin.CONFIRMATION]
    assert len(set(zip(parents, seeds, strict=True))) == len(seeds), "no seed twice"


@pytest.mark.slow  # the next test kills it instead
def test_interrupted_it_ends_as_it_would_have_ended(
    storage: str, readings: list[str], here: Path
) -> None:
    (here / "t.db").write_bytes((here / "s.db").read_bytes())
    whole = confirm_study("small", storage=storage, seeds=4, device="cpu", progress=False)
    assert whole is not None
    partly = "sqlite:///t.db"
    for timeout in ("0.5s", "1s", "2s"):
        options = {"seeds": 4, "device": "cpu", "timeout": timeout}
        if confirm_study("small", storage=partly, progress=False, **options) is not None:
            break
        assert readings == ["digits"], "the whole one's: not all is trained"
    found = confirm_study("small", storage=partly, seeds=4, device="cpu", progress=False)
    assert found is not None
    for split in ("validation", "test"):
        ours, theirs = results(partly, split), results(storage, split)
        assert {k: r.right for k, r in ours.items()} == {k: r.right for k, r in theirs.items()}
    assert found.sentences() == whole.sentences()


@pytest.mark.fault("a confirmation killed (SIGKILL) at a random moment, same command again")
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_a_random_moment_nothing_is_lost_twice_or_read_twice(
    storage: str, here: Path, times: int
) -> None:
    (here / "t.db").write_bytes((here / "s.db").read_bytes())
    options = {"seeds": 3, "uniform": True, "device": "cpu", "progress": False}
    assert confirm_study("small", storage=storage, **options) is not None
    chance = random.Random(times)
    command = [sys.executable, "-m", "search.confirm", "--study", "small", "--seeds", "3"]
    command += ["--uniform", "--device", "cpu", "--checkpoint-every", "0.001s"]
    for _ in range(times):
        process = subprocess.Popen(
            [*command, "--storage", "sqlite:///t.db"],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(1, 12))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    found = confirm_study("small", storage="sqlite:///t.db", **options)
    assert found is not None
    assert found.readings == 1
    for split in ("validation", "test"):
        ours, theirs = results("sqlite:///t.db", split), results(storage, split)
        assert {k: r.right for k, r in ours.items()} == {k: r.right for k, r in theirs.items()}


def test_trainings_that_failed_by_no_fault_of_theirs_are_tried_again(
    storage: str, readings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--study", "small", "--storage", storage, "--seeds", "2", "--device", "cpu"]
    assert confirm([*command, "--trial-timeout", "0.0001s"]) == 2, "no training has ended well"
    assert readings == [], "there is nothing to report of"
    assert "--retry-failed" in capsys.readouterr().err
    assert confirm([*command, "--trial-timeout", "1h"]) == 0, "a longer limit needs no flag"
    assert readings == ["digits"]
    with open_reader(storage) as store:
        fresh = [t for t in store.trials("small") if t.origin is Origin.CONFIRMATION]
    assert {t.state for t in fresh} == {State.COMPLETE}
    assert len(fresh) == 2 * len({t.parent for t in fresh})


def test_images_in_memory_have_no_test_split(here: Path) -> None:
    data = images.load("digits", train_limit=256)
    storage = "sqlite:///memory.db"
    spec = StudySpec.model_validate(
        SPEC.model_dump()
        | {"trials": 1, "families": ("mixer",), "learning_rates": {}}
        | {"space": {"mixer": SPEC.space["mixer"]}}
    )
    given = images.from_arrays(data.train_images, data.train_labels)
    options = {"data": given, "storage": storage, "progress": False, "device": "cpu"}
    run_study(spec, **options)
    found = confirm_study("small", seeds=2, level=0.9, **options)
    assert found is not None
    assert not found.is_tested
    wide = confirm_study("small", seeds=2, level=0.99, **options)
    assert wide is not None
    assert (found.level, wide.level) == (0.9, 0.99)
    assert wide.accuracies[0].low < found.accuracies[0].low


def test_another_study_of_the_same_images_is_told_that_test_was_read(
    storage: str, readings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--study", "small", "--storage", storage, "--seeds", "2", "--device", "cpu"]
    other = SPEC.model_copy(update={"name": "other"})
    run_study(other, storage=storage, progress=False, device="cpu")
    assert confirm(command) == 0
    capsys.readouterr()
    assert confirm(["--study", "other", *command[2:]]) == 2
    said = capsys.readouterr().err
    assert "'small'" in said
    assert "--again" in said
    with open_reader(storage) as store:
        assert not store.confirmations("other"), "refused before anything was trained"


def test_without_a_test_split_validation_reports_and_may_have_more_seeds(here: Path) -> None:
    whole = images.load("digits", train_limit=256)
    arrays = {
        "train_images": whole.train_images,
        "train_labels": whole.train_labels,
        "validation_images": whole.validation_images,
        "validation_labels": whole.validation_labels,
    }
    spec = SPEC.model_copy(update={"trials": 2, "families": ("mixer",), "learning_rates": {}})
    spec = StudySpec.model_validate(spec.model_dump() | {"space": {"mixer": SPEC.space["mixer"]}})
    storage = "sqlite:///arrays.db"
    run_study(spec, data=arrays, storage=storage, progress=False, device="cpu")
    options = {"data": arrays, "storage": storage, "progress": False, "device": "cpu"}
    found = confirm_study("small", seeds=2, **options)
    assert found is not None
    assert not found.is_tested
    assert found.comparisons == [], "there is one family"
    more = confirm_study("small", seeds=3, **options)
    assert more is not None
    assert [len(n.trials) for n in more.networks] == [3] * len(more.networks)
    others = arrays | {"train_images": 255 - whole.train_images}
    with pytest.raises(MixerSearchError, match="began on other images"):
        confirm_study("small", seeds=4, **options | {"data": others})


def test_while_its_search_runs_a_study_is_not_confirmed(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_writer(storage) as store, store.hold("small"):
        assert confirm(["--study", "small", "--storage", storage, "--device", "cpu"]) == 2
    assert "study 'small' is being run by process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--seeds", "1"], "--seeds 1: the scatter between seeds needs 2"),
        (["--level", "1.5"], "--level 1.5: give a share"),
        (["--candidates", "0"], "--candidates 0: give 1 or more"),
        (["--max-training-flops", "1k"], "allow as many, or confirm fewer"),
        (["--workers", "none"], "--workers none: neither a number"),
        (["--study", "nothing"], "study 'nothing' is not in s.db"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    storage: str, argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert confirm(["--study", "small", "--storage", storage, "--device", "cpu", *argv]) == 2
    assert says in capsys.readouterr().err
    with open_reader(storage) as store:
        assert not store.confirmations("small")


def test_a_study_that_has_found_nothing_cannot_be_confirmed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = SPEC.model_copy(update={"trials": 0, "baselines": 0})
    with open_writer("sqlite:///e.db") as store:
        store.put_study(study("empty", spec=spec.model_dump(mode="json")))
    assert confirm(["--study", "empty", "--storage", "sqlite:///e.db", "--device", "cpu"]) == 2


@pytest.mark.slow
def test_a_search_repeats_two_of_its_front_and_confirms_it(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--resume", "small", "--storage", storage, "--device", "cpu", "--workers", "1"]
    assert run([*argv, "--repeats", "--then-confirm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["confirmation"]["split"] == "test"
    with open_reader(storage) as store:
        repeats, front = store.confirmations("small")
        trials = [t for t in store.trials("small") if t.origin is Origin.CONFIRMATION]
    assert (repeats.plan["kind"], front.plan["kind"]) == ("repeats", "front")
    repeated = [t.seed for t in trials if t.seed < front.plan["first_seed"]]
    assert len(repeated) == 3 * len(repeats.plan["candidates"])
