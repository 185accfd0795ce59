"""Originals from the network: pinned, resumed, and never waited for in silence."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from search.data.errors import DataError

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0  # without a single byte
OPEN_SECONDS = 12.0  # name look-up, every address of the host, and the first byte together

_CHUNK = 1 << 18
_REPORTS = 20  # lines per file


@dataclass(frozen=True)
class Archive:
    """An original file: where it lies, and the only bytes we accept."""

    url: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        """The last part of the URL."""
        return self.url.rsplit("/", 1)[-1]


def check(path: Path, archive: Archive) -> None:
    """Nothing, when the file holds the original bytes.

    Raises:
        DataError: other bytes (says what was expected and what is there), or an unreadable file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    if (size, sha256) != (archive.size, archive.sha256):
        raise DataError(
            f"{path} is not the original {archive.filename}: "
            f"expected {archive.size} bytes with sha256 {archive.sha256}, "
            f"got {size} bytes with sha256 {sha256}"
        )


def fetch(archive: Archive, folder: Path, report: Callable[[str], None]) -> Path:
    """The checked original in `folder`; a download that was cut goes on where it stopped.

    Raises:
        DataError: no connection, a cut download (its `.part` is kept), or other bytes than the
            original's (they are deleted).
    """
    target = folder / archive.filename
    part = folder / f"{archive.filename}.part"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not part.exists() or part.stat().st_size < archive.size:
            _download(archive, part, report)
        part.replace(target)
    try:
        check(target, archive)
    except DataError as error:
        target.unlink(missing_ok=True)
        raise DataError(f"{archive.url} was downloaded, but {error} (deleted)") from error
    return target


def probe(url: str) -> None:
    """Nothing, when the URL answers within `OPEN_SECONDS`, whatever it answers.

    Raises:
        DataError: it does not.
    """
    _open(url, {}).close()


def _download(archive: Archive, part: Path, report: Callable[[str], None]) -> None:
    """Fill `part` up to the end of the archive, or one byte beyond it."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _open(archive.url, headers) as response:
        if response.status_code not in (200, 206):
            if response.status_code == 416:  # what we have cannot be its beginning
                part.unlink()
            raise DataError(f"{archive.url} answered {response.status_code} {response.reason}")
        resumed = response.status_code == 206
        done = have if resumed else 0
        step = max(archive.size // _REPORTS, 1)
        try:
            with part.open("ab" if resumed else "wb") as file:
                # The raw stream: a server that labels a .gz `Content-Encoding: gzip` must not
                # make us unpack it.
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    if (done + len(chunk)) // step > done // step:
                        report(f"{archive.filename}: {_megabytes(done + len(chunk), archive.size)}")
                    done += file.write(chunk)
                    if done > archive.size:
                        break
        except urllib3.exceptions.HTTPError as error:
            raise DataError(
                f"{archive.url} was cut after {done} of {archive.size} bytes ({_reason(error)}); "
                "the same command goes on from there"
            ) from error
        except OSError as error:
            raise DataError(f"{part} cannot be written ({error.strerror})") from error


def _open(url: str, headers: dict[str, str]) -> requests.Response:
    """The answer's head; its body is still to be read.

    A time limit of `requests` counts for one address and not for the look-up of the name, so a
    machine without network can stall for minutes: the whole opening gets a limit of its own, in a
    thread that may be left behind.
    """
    answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            limits = (CONNECT_SECONDS, READ_SECONDS)
            answers.put(requests.get(url, headers=headers, stream=True, timeout=limits))
        except Exception as error:  # raised again by the one who waits
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=OPEN_SECONDS)
    except queue.Empty:
        raise DataError(f"{url} did not answer within {OPEN_SECONDS:g} s") from None
    if isinstance(answer, requests.RequestException):
        raise DataError(f"{url} could not be reached ({_reason(answer)})") from answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def _reason(error: BaseException) -> str:
    """The words of the system at the bottom of a chain of errors, else those of the first."""
    reason, below = str(error), error.__cause__ or error.__context__
    while below is not None:
        if isinstance(below, OSError) and below.strerror:
            reason = below.strerror
        below = below.__cause__ or below.__context__
    return reason


def _megabytes(done: int, size: int) -> str:
    return f"{done / 1e6:.1f} of {size / 1e6:.1f} MB"
