"""How long a network takes to answer: from pixels in memory to probabilities there.

JAX and ONNX Runtime take the same uint8 pixels as a NumPy array and give float32 probabilities;
normalisation and softmax are inside, and so is the way to an accelerator and back. Calls follow
one another, which is what a server sees that answers one request at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final

import jax
import numpy as np
import psutil

from search.formats.jax_export import probabilities
from search.formats.onnx import onnx_bytes, session
from search.formats.size import fits
from search.train.devices import choose
from search.train.machine import cpu_model, num_cores
from search.train.xla_options import jax_has_begun
from space.config import Config
from space.errors import MixerSearchError

RUNTIMES: Final = ("jax", "onnx")

_NAMES = {"jax": "JAX", "onnx": "ONNX Runtime"}

BATCHES: Final = (1, 64)
"""Images in a call, where nothing else is asked for."""

_WARM_UPS = 20
_LEAST_CALLS, _LEAST_SECONDS = 100, 1.0
"""Whichever takes longer."""

_MOST_SPREAD = 0.2
"""Between the quartiles, as a share of the median: more is no measurement."""

_MOST_CROWDING = 0.1
"""By which the cores in use may exceed those of the machine, for what the system itself does."""


class LatencyError(MixerSearchError):
    """Nothing can be measured so."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Of calls with one number of images, one after another."""

    runtime: str
    """One of `RUNTIMES`."""
    batch: int
    """Images in a call."""
    threads: int
    """Processor cores it could use."""
    median_ms: float | None
    """Milliseconds a call; None where the quartiles lie too far apart, or other processes took
    cores that this one could have used: then every call is slower, and equally so."""
    p95_ms: float | None
    """Below which 95 % of the calls were; None likewise."""
    quartiles_ms: tuple[float, float]
    calls: int
    """How many were timed, after the warm-up."""
    others_cores: float
    """Cores of the machine that other processes kept busy meanwhile."""
    device: str
    versions: dict[str, str]
    """Of the runtime's libraries."""

    @property
    def spread(self) -> float:
        """Between the quartiles, as a share of their middle."""
        low, high = self.quartiles_ms
        return 2 * (high - low) / (high + low)

    @property
    def name(self) -> str:
        """The runtime as it calls itself."""
        return _NAMES[self.runtime]

    @property
    def words(self) -> str:
        """`0.42 ms, 95 % of calls under 0.51 ms`, or why there is no figure."""
        if self.median_ms is None or self.p95_ms is None:
            low, high = (milliseconds(quartile) for quartile in self.quartiles_ms)
            others = ""
            if self.others_cores >= 0.05:
                others = f" while other processes kept {self.others_cores:.1f} cores busy"
            return (
                f"too noisy: half of the calls took {low} to {high} ms{others}; measure on a "
                "machine that does nothing else"
            )
        return (
            f"{milliseconds(self.median_ms)} ms, 95 % of calls under {milliseconds(self.p95_ms)} ms"
        )

    @property
    def circumstances(self) -> str:
        """`AMD EPYC, 2 threads, jax 0.10.2`."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        threads = f"{self.threads} thread" + ("" if self.threads == 1 else "s")
        return f"{self.device}, {threads}, {versions}"


def measure(
    config: Config,
    params: Mapping[str, Any],
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
    *,
    batches: Sequence[int] = BATCHES,
    runtimes: Sequence[str] | None = None,
    device: str = "auto",
    say: Callable[[str], None] = lambda sentence: None,
) -> list[Latency]:
    """Times a network at each batch size in each runtime, with the cores this process may use.

    Args:
        config: the network.
        params: its parameter tree; how long it takes does not depend on the values.
        pixel_mean: [channels], in units of a pixel value from 0 to 255.
        pixel_std: [channels] likewise.
        batches: images in a call.
        runtimes: of `RUNTIMES`; None for those that can run it here.
        device: JAX's, as `search.train.devices.choose` takes it; ONNX Runtime uses the CPU.
        say: told what is measured next.

    Raises:
        LatencyError: a runtime that is not installed, or a batch without images.
        DeviceError: JAX finds no such device.
        FormatError: no ONNX file can be made of the network.
    """
    if any(batch < 1 for batch in batches):
        raise LatencyError(f"--batch {min(batches)}: a call needs images; give 1 or more")
    found = []
    for runtime in runtimes_for(config) if runtimes is None else runtimes:
        open_runtime = {"jax": _open_jax, "onnx": _open_onnx}[runtime]
        answer, where, versions = open_runtime(config, params, pixel_mean, pixel_std, device)
        for batch in batches:
            say(f"timing {_NAMES[runtime]}, {batch} image{'' if batch == 1 else 's'} a call")
            shape = (batch, config.image_size, config.image_size, config.image_channels)
            images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
            seconds, others = _timed(partial(answer, images))
            found.append(
                latency_of(
                    seconds,
                    others,
                    runtime=runtime,
                    batch=batch,
                    threads=num_cores(),
                    device=where,
                    versions=versions,
                )
            )
    return found


def runtimes_for(config: Config) -> tuple[str, ...]:
    """Those that are installed and can run the network."""
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        return ("jax",)
    from search.formats.onnx_graph import FAMILIES

    return RUNTIMES if config.family in FAMILIES and fits(config) else ("jax",)


def latency_of(
    seconds: Sequence[float],
    others_cores: float,
    machine_cores: int | None = None,
    *,
    runtime: str,
    batch: int,
    threads: int,
    device: str,
    versions: dict[str, str],
) -> Latency:
    """What the durations of calls say; no median where they are too noisy.

    Args:
        seconds: of the calls.
        others_cores: that other processes kept busy meanwhile.
        machine_cores: that there are; None for those of this machine.
        runtime: and all that follows, as `Latency` has it.
    """
    low, median, high, p95 = (
        float(value) for value in 1e3 * np.percentile(seconds, (25, 50, 75, 95))
    )
    cores = machine_cores or psutil.cpu_count() or threads
    is_crowded = others_cores + threads > (1 + _MOST_CROWDING) * cores
    is_steady = high - low <= _MOST_SPREAD * median and not is_crowded
    return Latency(
        runtime=runtime,
        batch=batch,
        threads=threads,
        median_ms=median if is_steady else None,
        p95_ms=p95 if is_steady else None,
        quartiles_ms=(low, high),
        calls=len(seconds),
        others_cores=others_cores,
        device=device,
        versions=versions,
    )


def limit_threads(threads: int) -> None:
    """Keeps this process, and the runtimes it starts after this, to so many processor cores.

    JAX has no setting for its CPU threads: its pools are as large as the number of cores the
    process may use (or as the variable PJRT_NPROC says), so the process is bound to that many,
    where the system can do so (Linux).

    Raises:
        LatencyError: there are not so many cores, or JAX has begun already.
    """
    have = num_cores()
    if not 1 <= threads <= have:
        raise LatencyError(
            f"--threads {threads}: this process may use {have} cores; give 1 to {have}"
        )
    if threads == have:
        return
    if not hasattr(os, "sched_setaffinity"):
        raise LatencyError(
            f"--threads {threads}: this system cannot keep a process to some cores; leave it out"
        )
    if jax_has_begun():
        raise LatencyError(
            f"--threads {threads}: JAX has begun with {have}; measure in a process of its own"
        )
    os.environ["PJRT_NPROC"] = str(threads)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def milliseconds(value: float) -> str:
    """Three figures."""
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


_Opened = tuple[Callable[[Any], Any], str, dict[str, str]]
"""What answers uint8 images, where, and the versions of its libraries."""


def _open_jax(
    config: Config,
    params: Mapping[str, Any],
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
    kind: str,
) -> _Opened:
    device = choose(kind)
    weights = jax.device_put(params, device)
    compute = jax.jit(probabilities(config, pixel_mean, pixel_std))
    where = cpu_model() if device.platform == "cpu" else device.device_kind
    versions = {name: version(name) for name in ("jax", "jaxlib")}
    return lambda images: np.asarray(compute(weights, images)), where, versions


def _open_onnx(
    config: Config,
    params: Mapping[str, Any],
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
    kind: str,
) -> _Opened:
    content = onnx_bytes(config, params, pixel_mean, pixel_std)
    if find_spec("onnxruntime") is None:
        raise LatencyError(
            "--runtime onnx: onnxruntime is not installed; pip install 'mixer-search[onnx]', or "
            "measure with --runtime jax"
        )
    opened = session(content, num_cores())

    def answer(images: Any) -> Any:
        return opened.run(["probabilities"], {"images": images})[0]

    return answer, cpu_model(), {"onnxruntime": version("onnxruntime")}


def _timed(call: Callable[[], Any]) -> tuple[list[float], float]:
    """What each call took, and how many cores other processes kept busy meanwhile."""
    for _ in range(_WARM_UPS):
        call()
    seconds: list[float] = []
    busy, own, start = _busy_seconds(), time.process_time(), time.perf_counter()
    while len(seconds) < _LEAST_CALLS or sum(seconds) < _LEAST_SECONDS:
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    others = (_busy_seconds() - busy) - (time.process_time() - own)
    return seconds, max(0.0, others / (time.perf_counter() - start))


def _busy_seconds() -> float:
    """Of all cores of the machine since it started, what its host took from it included."""
    times = psutil.cpu_times()._asdict()
    idle = ("idle", "iowait", "guest", "guest_nice")  # a guest's are among the user's
    return float(sum(value for name, value in times.items() if name not in idle))
