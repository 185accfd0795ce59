"""Latencies: what durations say, and that both runtimes are timed on the same work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import psutil
import pytest
from records import CIFAR, mixer, vit

from search.bench import latency as module
from search.bench.latency import (
    RUNTIMES,
    Latency,
    LatencyError,
    latency_of,
    limit_threads,
    measure,
    milliseconds,
    runtimes_for,
)
from search.bench.latency_table import markdown, notes
from search.train.machine import num_cores
from space import presets
from space.init import initial_params

FACTS: dict[str, Any] = {
    "runtime": "jax",
    "batch": 8,
    "threads": 2,
    "device": "AMD EPYC",
    "versions": {"jax": "0.10.2"},
}


def of_milliseconds(*values: float) -> Latency:
    return latency_of([value / 1e3 for value in values], 0.0, 2, **FACTS)


def test_median_quartiles_and_the_95th_percentile_are_those_of_the_calls() -> None:
    found = of_milliseconds(*np.linspace(10.0, 11.2, 101))
    assert found.median_ms == pytest.approx(10.6)
    assert found.quartiles_ms == pytest.approx((10.3, 10.9))
    assert found.p95_ms == pytest.approx(11.14)
    assert (found.calls, found.batch) == (101, 8)
    assert found.spread == pytest.approx(0.6 / 10.6)
    assert found.words == "10.6 ms, 95 % of calls under 11.1 ms"


def test_a_few_slow_calls_move_the_95th_percentile_alone() -> None:
    found = of_milliseconds(*[1.0] * 90, *[50.0] * 10)
    assert (found.median_ms, found.p95_ms) == pytest.approx((1.0, 50.0))


@pytest.mark.parametrize(
    ("quartiles", "is_steady"), [((9.01, 10.99), True), ((8.99, 11.01), False)]
)
def test_quartiles_a_fifth_apart_are_too_noisy(
    quartiles: tuple[float, float], is_steady: bool
) -> None:
    low, high = quartiles
    found = of_milliseconds(*[low] * 30, *[10.0] * 41, *[high] * 30)
    assert found.quartiles_ms == pytest.approx(quartiles)
    assert (found.median_ms is not None) == (found.p95_ms is not None) == is_steady
    if not is_steady:
        assert found.words == (
            "too noisy: half of the calls took 8.99 to 11 ms; measure on a machine that does "
            "nothing else"
        )


@pytest.mark.parametrize(
    ("others", "cores", "is_steady"), [(0.15, 2, True), (0.25, 2, False), (13.0, 16, True)]
)
def test_steady_calls_on_cores_that_others_use_are_no_measurement(
    others: float, cores: int, is_steady: bool
) -> None:
    found = latency_of([0.01] * 100, others, cores, **FACTS)
    assert (found.median_ms is not None) == is_steady
    assert found.others_cores == others
    if found.median_ms is None:
        assert f"while other processes kept {others:.1f} cores busy" in found.words


def test_a_process_that_computes_beside_us_is_counted() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            busy, own = module._busy_seconds(), psutil.Process(other.pid).cpu_times().user
            time.sleep(1.0)
            spent = psutil.Process(other.pid).cpu_times().user - own
            assert spent > 0
            assert module._busy_seconds() - busy >= 0.9 * spent - 0.05
        finally:
            other.kill()


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.04567, "0.0457"), (1.0, "1"), (45.678, "45.7"), (999.4, "999"), (12345.6, "12,346")],
)
def test_milliseconds_have_three_figures(value: float, written: str) -> None:
    assert milliseconds(value) == written


def test_a_card_says_on_what_it_was_measured_and_what_was_too_noisy() -> None:
    steady, noisy = of_milliseconds(*[2.0] * 100), of_milliseconds(*[1.0] * 50, *[2.0] * 50)
    assert markdown([steady, noisy]) == [
        "| runtime | images a call | median ms | 95 % under ms | images/s | calls |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| JAX | 8 | 2 | 2 | 4,000 | 100 |",
        "| JAX | 8 | - | - | - | 100 |",
        "",
        "JAX, 8 images a call: too noisy: half of the calls took 1 to 2 ms; measure on a machine "
        "that does nothing else.",
        "JAX: AMD EPYC, 2 threads, jax 0.10.2.",
    ]
    assert notes([steady]) == ["JAX: AMD EPYC, 2 threads, jax 0.10.2."]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WARM_UPS", 1)
    monkeypatch.setattr(module, "_LEAST_CALLS", 3)
    monkeypatch.setattr(module, "_LEAST_SECONDS", 0.0)


@pytest.mark.usefixtures("quick")
def test_every_runtime_is_timed_at_every_batch_size() -> None:
    config, said = mixer(), list[str]()
    params = initial_params(config, 0)
    found = measure(config, params, [127.5], [64.0], batches=(1, 3), say=said.append)
    assert [(one.runtime, one.batch) for one in found] == [
        ("jax", 1),
        ("jax", 3),
        ("onnx", 1),
        ("onnx", 3),
    ]
    assert said[1] == "timing JAX, 3 images a call"
    for one in found:
        assert one.calls == 3
        assert 0 < one.quartiles_ms[0] <= one.quartiles_ms[1]
        assert one.threads == num_cores()
    assert list(found[0].versions) == ["jax", "jaxlib"]
    assert list(found[-1].versions) == ["onnxruntime"]


def test_what_is_timed_is_the_same_answer_in_every_runtime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Any] = []

    def call_once(call: Callable[[], Any]) -> tuple[list[float], float]:
        answers.append(call())
        return [1e-3] * 100, 0.0

    monkeypatch.setattr(module, "_timed", call_once)
    config = vit(CIFAR, patch_size=8)
    params = initial_params(config, 0)
    kernel = params["head"]["kernel"]
    params["head"]["kernel"] = np.random.default_rng(0).normal(0, 0.5, kernel.shape)
    found = measure(config, params, (125.3, 123.0, 113.9), (63.0, 62.1, 66.7), batches=(3,))
    assert [one.median_ms for one in found] == pytest.approx([1.0, 1.0])
    assert [type(answer) for answer in answers] == [np.ndarray, np.ndarray]
    np.testing.assert_allclose(answers[0].sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(*answers, rtol=0, atol=1e-5)


def test_calls_go_on_until_there_are_enough_and_they_took_long_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LEAST_SECONDS", 0.0)
    calls: list[int] = []
    seconds, _ = module._timed(lambda: calls.append(0))
    assert (len(seconds), len(calls)) == (100, 120)
    monkeypatch.setattr(module, "_LEAST_SECONDS", 0.02)
    monkeypatch.setattr(module, "_LEAST_CALLS", 1)
    seconds, _ = module._timed(lambda: sum(range(1000)))
    assert sum(seconds) >= 0.02 > sum(seconds[:-1])


def test_a_call_without_images_is_refused() -> None:
    with pytest.raises(LatencyError, match="--batch 0: a call needs images"):
        measure(mixer(), {}, [1.0], [1.0], batches=(4, 0))


@pytest.mark.parametrize(("name", "runtimes"), [("vit_l16", RUNTIMES), ("vit_h14", ("jax",))])
def test_what_no_onnx_file_holds_is_measured_in_jax_alone(
    name: str, runtimes: tuple[str, ...]
) -> None:
    assert runtimes_for(presets.load(name).config) == runtimes


def test_without_onnxruntime_jax_alone_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.find_spec
    monkeypatch.setattr(
        module, "find_spec", lambda name: None if name == "onnxruntime" else real(name)
    )
    assert runtimes_for(mixer()) == ("jax",)
    with pytest.raises(LatencyError, match=r"pip install 'mixer-search\[onnx\]'"):
        measure(mixer(), initial_params(mixer(), 0), [1.0], [1.0], runtimes=["onnx"])


@pytest.mark.parametrize("threads", [0, 4096])
def test_threads_that_there_are_not_are_refused(threads: int) -> None:
    with pytest.raises(LatencyError, match=f"--threads {threads}: this process may use"):
        limit_threads(threads)


needs_two_cores = pytest.mark.skipif(
    num_cores() < 2 or not hasattr(os, "sched_setaffinity"),
    reason="to be kept to one core takes two, and a system that does so",
)


@needs_two_cores
def test_a_limit_after_jax_has_begun_is_refused() -> None:
    jax.devices()
    with pytest.raises(LatencyError, match="JAX has begun with"):
        limit_threads(1)


BOUND = """
import os
from records import mixer
from search.bench import latency
from space.init import initial_params
latency.limit_threads(1)
latency._LEAST_CALLS = latency._WARM_UPS = 1
latency._LEAST_SECONDS = 0.0
found = latency.measure(mixer(), initial_params(mixer(), 0), [127.5], [64.0], batches=(64,))
assert [one.threads for one in found] == [1, 1]
print({len(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task")})
"""


@needs_two_cores
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed in /proc")
def test_every_thread_of_both_runtimes_keeps_to_the_cores_asked_for() -> None:
    tests = Path(__file__).parent
    variables = {"PYTHONPATH": f"{tests.parent}:{tests}", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BOUND],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "{1}\n"
