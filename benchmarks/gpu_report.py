"""Fills every GPU row of this project in one call of at most eight minutes.

    python benchmarks/gpu_report.py --data-dir DIR --out FOLDER
    python benchmarks/gpu_report.py --rehearse --out FOLDER     # in small, on two CPU cores

Parts in order of value, each in processes of its own and with a limit of its own; after every part
`report.json` and `report.md` in FOLDER hold all that is known. Whatever ends a part, or the report,
what was measured before is kept. benchmarks/README.md says what each number means.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gpu_plan import PARTS_SCRIPT, REHEARSAL, ROOT, WHOLE, Part, Size, part_of
from gpu_tables import markdown

from search import data as images
from search.train.environment import git_revision
from search.train.machine import num_cores
from space.errors import MixerSearchError

LIBRARIES = (
    *("jax", "jaxlib", "jax-cuda13-pjrt", "jax-cuda12-pjrt", "flax", "optax", "optuna", "numpy"),
    *("tensorflow-datasets", "pillow"),
)
_SECONDS_TO_GO = 3.0
"""A part that gets SIGTERM has so long to write its results, then it gets SIGKILL."""
_SECONDS_WORTH_BEGINNING = 10.0
"""In less no part gets further than its imports."""


class ReportError(MixerSearchError):
    """A report that cannot be made as it was asked for."""


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0; 1 where a part has no figure; 2 for bad input; 130 and 143 for signals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder with a prepared cifar10")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument(
        "--rehearse", action="store_true", help="every part in small, on the CPU; digits by default"
    )
    parser.add_argument("--parts", help="only these, separated by commas")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="PART=SECONDS", help="another limit"
    )
    parser.add_argument("--revision", help="of this code, where it lies in no git repository")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return make(args)
    except MixerSearchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("\nstopped: what was measured is kept", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


def _terminated(*_: object) -> None:
    raise Terminated


def make(args: argparse.Namespace) -> int:
    """Runs the parts that were asked for, and writes the report after each.

    Raises:
        ReportError: no such part, no such device, or a folder that holds a report.
        DataError: the images are not there.
    """
    began = time.monotonic()
    size = REHEARSAL if args.rehearse else WHOLE
    limits = _limits(size, args.parts, args.limit)
    if (args.out / "report.json").exists():
        raise ReportError(f"--out {args.out}: there is a report; name another folder")
    args.out.mkdir(parents=True, exist_ok=True)
    dataset = "digits" if args.rehearse and args.data_dir is None else "cifar10"
    with tempfile.TemporaryDirectory(prefix="gpu-report-") as folder:
        here = Path(folder)
        report = _begin(args, size, here)
        reading = time.monotonic()
        data = images.load(dataset, data_dir=args.data_dir, report=print)  # kept for all parts
        report["images"] = {"dataset": dataset, "digest": data.digest}
        report["seconds"]["images"] = time.monotonic() - reading
        _write(report, args.out)
        for number, name in enumerate(limits, start=1):
            left = size.total_seconds - (time.monotonic() - began)
            seconds = min(limits[name], left)
            if left < _SECONDS_WORTH_BEGINNING:
                _note(report, name, f"not begun: {size.total_seconds:.0f} s were over")
                continue
            print(f"[{number}/{len(limits)}] {name}: at most {seconds:.0f} s", flush=True)
            part_began = time.monotonic()
            try:
                _measure(part_of(name, seconds, size, report, here, args), report, here)
            except MixerSearchError as error:
                _note(report, name, str(error))
            report["seconds"][name] = time.monotonic() - part_began
            _write(report, args.out)
    print(f"written to {args.out / 'report.md'}")
    return 0 if all(name in report["parts"] for name in limits) else 1


def _measure(part: Part, report: dict[str, Any], here: Path) -> None:
    """Runs a part, and puts what it measured into the report, or why there is nothing."""
    with _utilisation(here / "utilisation.txt") as utilisation:
        ended = run(part, here / f"{part.name}.log")
        share = utilisation()
    found = part.figures(ended.started)
    if found:
        report["parts"][part.name] = found
        if part.is_endless:
            found["utilisation"] = share
    if ended.how and not (found and part.is_endless and ended.at_limit):
        _note(report, part.name, ended.how)
    elif not found:
        _note(report, part.name, "it measured nothing")


def _limits(size: Size, parts: str | None, changes: list[str]) -> dict[str, float]:
    limits = dict(size.limits)
    known = ", ".join(limits)
    for change in changes:
        name, _, seconds = change.rpartition("=")
        if name not in limits:
            raise ReportError(f"--limit {change}: there is no such part; there is {known}")
        try:
            limits[name] = float(seconds)
        except ValueError:
            raise ReportError(f"--limit {change}: give seconds, as in {name}=30") from None
    if parts is not None:
        chosen = [name.strip() for name in parts.split(",")]
        for name in chosen:
            if name not in limits:
                raise ReportError(f"--parts {name}: there is no such part; there is {known}")
        limits = {name: limits[name] for name in limits if name in chosen}
    return limits


def _begin(args: argparse.Namespace, size: Size, here: Path) -> dict[str, Any]:
    """What the report says of itself, once the device is known to be there."""
    began = time.monotonic()
    task = here / "device.json"
    task.write_text(json.dumps({"device": size.device, "file": str(here / "device.jsonl")}))
    asked = subprocess.run(
        [sys.executable, str(PARTS_SCRIPT), "device", str(task)],
        env=os.environ | {"PYTHONPATH": _python_path()},
        capture_output=True,
        text=True,
    )
    if asked.returncode:
        why = asked.stderr.strip().splitlines()[-1]
        raise ReportError(f"{why}; --rehearse tries every part in small on a CPU")
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[library] = version(library)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "benchmarks/gpu_report.py", *_shown(sys.argv[1:])]),
        "rehearsal": args.rehearse,
        "revision": args.revision or git_revision(),
        "device": json.loads((here / "device.jsonl").read_text()) | _card(),
        "cpu_cores": num_cores(),
        "versions": versions,
        "seconds": {"device": time.monotonic() - began},
        "parts": {},
        "notes": {},
    }


def _shown(argv: list[str]) -> list[str]:
    """The command line without folders of this machine."""
    shown: list[str] = []
    for word in argv:
        option, equals, _ = word.partition("=")
        is_folder = shown and shown[-1] in {"--data-dir", "--out"}
        if option in {"--data-dir", "--out"} and equals:
            word = f"{option}=DIR"
        shown.append("DIR" if is_folder else word)
    return shown


def _card() -> dict[str, str]:
    """What NVIDIA's driver says of the card; nothing where there is none."""
    fields = ("name", "driver_version", "memory.total", "power.limit")
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    first = said.stdout.splitlines()[0].split(", ")
    return dict(zip(fields, first, strict=False))


def _note(report: dict[str, Any], name: str, sentence: str) -> None:
    report["notes"][name] = sentence
    print(f"  {name}: {sentence}", flush=True)


def _write(report: dict[str, Any], out: Path) -> None:
    """Both files, each whole or as it was."""
    for name, text in (
        ("report.json", json.dumps(report, indent=1) + "\n"),
        ("report.md", markdown(report)),
    ):
        file = out / f"{name}.tmp"
        file.write_text(text)
        os.replace(file, out / name)


@dataclass(frozen=True)
class Ended:
    """How a part's command ended."""

    started: datetime
    how: str | None = None
    """In words, where it was not by itself."""
    at_limit: bool = False


def run(part: Part, log: Path) -> Ended:
    """Runs a part's command in a session of its own, and ends all of it at the limit."""
    started = datetime.now(UTC)
    with log.open("w") as said:
        process = subprocess.Popen(
            part.command,
            cwd=log.parent,
            env=os.environ | {"PYTHONPATH": _python_path()} | part.environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=part.seconds)
        except subprocess.TimeoutExpired:
            return Ended(started, f"stopped after {part.seconds:.0f} s, its limit", at_limit=True)
        finally:
            _end(process)
    if code == 0:
        return Ended(started)
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return Ended(started, ": ".join([how, *last]))


def _python_path() -> str:
    """Where commands in other folders find this code, installed or not."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([str(ROOT), *(os.path.abspath(folder) for folder in given if folder)])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks whatever is left of the session to end, then ends it."""
    for number, seconds in ((signal.SIGTERM, _SECONDS_TO_GO), (signal.SIGKILL, _SECONDS_TO_GO)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)


class _utilisation:  # noqa: N801  read as a word: with _utilisation(...)
    """Samples how much of the time a kernel runs on the card, by the driver's own count."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Callable[[], float | None]:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        with suppress(OSError), self._file.open("wb") as file:
            self._process = subprocess.Popen([*command, "--loop-ms=500"], stdout=file)
        return self._mean

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _mean(self) -> float | None:
        """In percent; None where nothing is known."""
        said = self._file.read_text().split() if self._process else []
        numbers = [float(word) for word in said if word.replace(".", "", 1).isdigit()]
        return statistics.fmean(numbers) if numbers else None


if __name__ == "__main__":
    sys.exit(main())
