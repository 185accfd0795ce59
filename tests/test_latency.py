"""`python -m search.latency`: of a preset, of a winner with weights, of a study's front."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from records import at, mixer, running, seeds, study, vit

from runs.reader import open_reader
from runs.record import Origin
from runs.writer import open_writer
from search.bench import latency as timing
from search.bench.front_latency import measure_front
from search.latency import main as latency
from space import presets
from space.init import initial_params
from space.presets import Preset, Trained
from space.weights_file import weights_bytes


@pytest.fixture(autouse=True)
def milliseconds(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """Every network is called once; how long it is said to have taken, a test may change."""
    said = {"calls": [2.0] * 100}

    def call_once(call: Callable[[], Any]) -> tuple[list[float], float]:
        call()
        return [value / 1e3 for value in said["calls"]], 0.0

    monkeypatch.setattr(timing, "_timed", call_once)
    return said


def test_a_preset_without_weights_is_timed_with_initial_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert latency(["--model", "mixer_digits", "--batch", "1", "--batch", "3"]) == 0
    out, err = capsys.readouterr()
    assert "mixer_digits has no weights: initial ones are timed, which take as long" in err
    rows = [line.split() for line in out.splitlines()]
    assert ["JAX", "1", "2", "2", "500", "100"] in rows
    assert ["ONNX", "Runtime", "3", "2", "2", "1,500", "100"] in rows
    assert re.search(r"ONNX Runtime: .+, \d+ threads?, onnxruntime \d", out)


def test_a_winner_is_timed_with_its_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = mixer()
    content = weights_bytes(initial_params(config, 0), {})
    digest = hashlib.sha256(content).hexdigest()
    facts = Trained(sha256=digest, size_bytes=len(content), pixel_mean=(80.0,), pixel_std=(60.0,))
    presets.save(Preset.of("winner", config, {}, facts), tmp_path / "winner" / "preset.json")
    (tmp_path / "winner" / "model.safetensors").write_bytes(content)
    argv = ["--model", str(tmp_path / "winner"), "--batch", "2", "--runtime", "onnx", "--json"]
    assert latency(argv) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["has_weights"]
    [one] = found["latencies"]
    assert one["runtime"] == "onnx"
    assert one["median_ms"] == pytest.approx(2.0)
    (tmp_path / "winner" / "model.safetensors").write_bytes(content[:-1])
    assert latency(argv) == 2
    assert "their SHA-256 differs" in capsys.readouterr().err


def test_what_is_too_noisy_has_no_figure(
    milliseconds: dict[str, list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    milliseconds["calls"] = [1.0, 2.0] * 50
    argv = ["--model", "mixer_digits", "--batch", "1", "--runtime", "onnx"]
    assert latency(argv) == 0
    out = capsys.readouterr().out
    assert ["ONNX", "Runtime", "1", "-", "-", "-", "100"] in [s.split() for s in out.splitlines()]
    assert "ONNX Runtime, 1 image a call: too noisy: half of the calls took 1 to 2 ms" in out
    assert latency([*argv, "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["latencies"]
    assert (one["median_ms"], one["p95_ms"], one["quartiles_ms"]) == (None, None, [1.0, 2.0])


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--batch", "2"], "what is to be measured? give --model or --study"),
        (["--model", "mixer_digits", "--study", "x"], "give --model or --study, and not both"),
        (["--model", "mixer_digits", "--runtime", "tpu"], "--runtime tpu: there is jax, onnx;"),
        (["--model", "mixer_digits", "--batch", "0"], "--batch 0: a call needs images"),
        (["--study", "digits", "--batch", "2"], "--batch: with --study calls have one image"),
        (["--model", "mixer_digitz"], "there is no preset 'mixer_digitz' (did you mean"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert latency(argv) == 2
    assert sentence in capsys.readouterr().err


@pytest.fixture
def storage(tmp_path: Path) -> str:
    """A study: on its front trials 0 and, of two seeds, 1 and 2; baseline 4; 3 is beaten."""
    url = f"sqlite:///{tmp_path}/results.db"
    trials = [
        at(1_000_000, 0.5, 0),
        *seeds(1, 0.8, 0.9, macs=5_000_000),
        at(20_000_000, 0.6, 3),
        at(2_000_000, 0.7, 4, origin=Origin.BASELINE, config=vit()),
        running(5),
    ]
    with open_writer(url) as store:
        store.add_study(study())
        store.add_trials("digits", trials)
    return url


def costs(storage: str) -> dict[int, dict[str, float]]:
    with open_reader(storage) as store:
        return {t.number: t.costs for t in store.trials("digits") if t.costs}


def test_the_front_of_a_study_is_measured_and_kept_as_a_cost(
    storage: str, milliseconds: dict[str, list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--study", "digits", "--storage", storage, "--runtime", "onnx"]
    assert latency(argv) == 0
    out, err = capsys.readouterr()
    assert "[3/3] ViT p2 C12 L2 D20 H3" in err
    rows = [line.split()[:4] for line in out.splitlines()]
    assert ["1", "85.00", "%", "2"] in rows
    assert costs(storage) == {n: {"latency_onnx_ms": pytest.approx(2.0)} for n in (0, 1, 2, 4)}
    milliseconds["calls"] = [3.0] * 100
    assert latency([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["trial"] for one in found["trials"]] == [0, 1, 4]
    assert costs(storage)[4] == {"latency_onnx_ms": pytest.approx(3.0)}


def test_what_is_too_noisy_takes_nothings_place(
    storage: str, milliseconds: dict[str, list[float]]
) -> None:
    with open_writer(storage) as store:
        store.put_costs("digits", {"latency_onnx_ms": {3: 9.0}})
    milliseconds["calls"] = [1.0, 2.0] * 50
    measure_front("digits", storage, ["onnx"])
    assert costs(storage) == {3: {"latency_onnx_ms": 9.0}}


def test_a_study_that_is_run_is_not_measured(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_writer(storage) as store, store.hold("digits"):
        assert latency(["--study", "digits", "--storage", storage]) == 2
    assert capsys.readouterr().err.strip().endswith("; wait until that ends")
    assert costs(storage) == {}


def test_a_study_that_is_not_there_makes_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert latency(["--study", "digits", "--storage", f"sqlite:///{tmp_path}/none.db"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_a_study_without_a_finished_trial_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    with open_writer(url) as store:
        store.add_study(study())
        store.add_trials("digits", [running(0)])
    assert latency(["--study", "digits", "--storage", url]) == 2
    assert "study 'digits' has no finished trial to measure" in capsys.readouterr().err
