"""`python -m search.bench`: arithmetic by hand, bad input in sentences, one real measurement."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import pytest
from published import PUBLISHED
from records import CIFAR, mixer
from rich.console import Console

from search.bench import command as bench
from search.bench import speed
from search.bench.result import last_result
from search.bench.roofline import Ceilings, Roofline, roofline, step_bytes, step_flops
from search.bench.speed import empty_cache, steps_at_once
from space.cost import cost

CIFAR_MIXER, PARAMS, MACS = PUBLISHED["CIFAR Mixer"]
CPU = Ceilings(flops_per_second=1e11, matrix_size=1024, bytes_per_second=1e10)
H200 = Ceilings(flops_per_second=790e12, matrix_size=8192, bytes_per_second=4.3e12)

KEPT = 933_888
"""Activations of an image: 8 blocks of 4 S C + 2 C D_S + 2 S D_C = 114,688, and 2 S C = 16,384."""


def test_a_step_takes_six_flops_a_mac_and_image() -> None:
    assert step_flops(CIFAR_MIXER, 1) == 455_351_808
    assert step_flops(CIFAR_MIXER, 64) == 6 * 64 * 75_891_968


def test_a_step_writes_and_reads_weights_gradients_moments_and_activations() -> None:
    assert step_bytes(CIFAR_MIXER, 64, 4) == 2 * (4 * 4 * 1_132_170 + 64 * 4 * KEPT) == 514_380_096
    assert step_bytes(CIFAR_MIXER, 512, 2) == 2 * (16 * PARAMS + 512 * 2 * KEPT) == 1_948_832_064


def test_a_cpu_is_limited_by_its_products_and_an_h200_by_its_memory() -> None:
    found = roofline(CIFAR_MIXER, 64, 4, CPU)
    assert found.compute_seconds == pytest.approx(0.29143, rel=1e-4)
    assert found.memory_seconds == pytest.approx(0.05144, rel=1e-4)
    assert (found.seconds, found.limited_by) == (found.compute_seconds, "compute")
    found = roofline(CIFAR_MIXER, 512, 2, H200)
    assert found.compute_seconds == pytest.approx(295.1e-6, rel=1e-3)
    assert found.memory_seconds == pytest.approx(453.2e-6, rel=1e-3)
    assert (found.seconds, found.limited_by) == (found.memory_seconds, "memory")


def test_where_both_take_the_same_time_either_is_the_roofline() -> None:
    assert Roofline(compute_seconds=2.0, memory_seconds=2.0).seconds == 2.0


@pytest.mark.parametrize(
    ("roofline_seconds", "seconds", "steps"),
    [(0.01, 3.0, 50), (0.05, 3.0, 10), (1.0, 3.0, 4), (1e-6, 3.0, 100), (0.05, 0.001, 4)],
)
def test_an_epoch_is_a_third_of_the_time_within_four_to_a_hundred_steps(
    roofline_seconds: float, seconds: float, steps: int
) -> None:
    assert steps_at_once(roofline_seconds, seconds) == steps


def test_the_ladder_has_the_mixer_whose_speed_is_promised_and_a_vit() -> None:
    assert CIFAR_MIXER in bench.LADDER
    assert {config.family for config in bench.LADDER} == {"mixer", "vit"}
    assert {config.task for config in bench.LADDER} == {CIFAR}
    assert len(set(bench.LADDER)) == 7


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--batch-size", "0"], "--batch-size 0: a step needs images; give 1 or more"),
        (["--batch-size", "-5"], "--batch-size -5"),
        (["--batch-size", "many"], "--batch-size: input should be a valid integer, not 'many'"),
        (["--batch-size", "900000000"], "GiB by estimate, cpu has"),
        (["--seconds", "0"], "--seconds 0: measuring takes time"),
        (["--seconds", "nan"], "--seconds nan"),
        (["--device", "cuda"], "only cpu"),
        (["--device", "toaster"], "--device toaster"),
        (["--sekonds", "1"], "--sekonds"),
    ],
)
def test_bad_input_is_answered_with_a_sentence(
    capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    assert bench.main(argv) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert out == ""
    assert "Traceback" not in err


def test_a_device_that_runs_out_of_memory_is_a_sentence_and_a_bug_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raising(said: str) -> None:
        def compile_program(*_: object, **__: object) -> None:
            raise jax.errors.JaxRuntimeError(said)

        monkeypatch.setattr(speed, "compile_program", compile_program)

    cpu = jax.devices("cpu")[0]
    raising("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")
    with pytest.raises(speed.RoomError, match=r"batch size 7: .* give a smaller --batch-size"):
        speed.measure(mixer(), 7, cpu, CPU, 0.01)
    raising("INTERNAL: something else")
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        speed.measure(mixer(), 7, cpu, CPU, 0.01)


def test_the_cache_that_was_set_is_set_again() -> None:
    def settings() -> tuple[object, ...]:
        names = ("compilation_cache_dir", "persistent_cache_min_entry_size_bytes")
        return tuple(getattr(jax.config, f"jax_{name}") for name in names)

    before = settings()
    with empty_cache():
        assert settings()[0] != before[0]
    assert settings() == before


def test_a_small_mixer_is_measured_and_its_numbers_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = mixer(CIFAR, patch_size=8, num_blocks=1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bench, "LADDER", (small,))
    assert bench.main(["--json", "--device", "cpu", "--batch-size", "8", "--seconds", "0.05"]) == 0
    out, err = capsys.readouterr()
    assert "[1/1] Mixer p8 C12 L1" in err
    facts = json.loads(out)
    assert facts["device_kind"] == "cpu"
    assert facts["cpu"]["cores"] >= 1
    assert facts["cpu"]["model"]
    assert facts["date"].endswith("+00:00")
    assert {"jax", "flax", "python", "pillow"} <= set(facts["versions"])
    assert "git_revision" in facts
    assert (facts["dtype"], facts["batch_size"]) == ("float32", 8)
    ceilings = Ceilings(**facts["ceilings"])
    assert 1e8 < ceilings.bytes_per_second < 1e13
    assert 1e8 < ceilings.flops_per_second < 1e15

    [found] = facts["networks"]
    assert found["config"] == small.model_dump()
    assert (found["params"], found["macs"]) == (cost(small).params, cost(small).macs)
    assert found["images_per_second"] == pytest.approx(8 / found["step_seconds"])
    assert found["flops_per_second"] == pytest.approx(
        6 * found["macs"] * found["images_per_second"]
    )
    least = roofline(small, 8, 4, ceilings)
    assert found["roofline_seconds"] == pytest.approx(least.seconds)
    assert found["limited_by"] == least.limited_by
    assert 0 < found["roofline_fraction"] < 1
    assert found["roofline_fraction"] == pytest.approx(least.seconds / found["step_seconds"])
    assert found["steps"] >= 8
    assert found["trace_seconds"] > 0
    assert 0 < found["compile_seconds_warm"] < found["compile_seconds_cold"]
    assert found["device_bytes"] > 16 * found["params"]

    kept = last_result()
    assert kept == (facts["date"], "cpu", ((found["macs"], found["images_per_second"]),))
    (tmp_path / "mixer-search" / "bench.json").write_text("{")
    assert last_result() is None

    Console().print(bench.table_of([speed.Speed(**found)]))
    shown = capsys.readouterr().out
    assert "Mixer p8 C12 L1 T8 D20" in shown
    assert "cached" in shown, "the eight columns fit 80 characters"
