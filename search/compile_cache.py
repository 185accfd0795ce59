"""JAX's persistent compilation cache: on from the start, one folder a kind of machine, mended.

JAX writes an entry under its final name without a lock, warns at every reading of a damaged one
and never repairs it: what was cut short by a kill or a full disk is deleted here instead.
"""

from __future__ import annotations

import hashlib
import platform
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from search.data.cache import cache_folder

MAX_BYTES = 4 * 2**30
"""When the folder holds more, the oldest entries are deleted."""

_CHECKED = "checked"
"""An empty file whose time says until when entries are known to be whole."""


def use_compile_cache(say: Callable[[str], None]) -> None:
    """Turns the cache on for this process: programs of any size, however quickly compiled.

    The folder is `$JAX_COMPILATION_CACHE_DIR`, or one in `~/.cache/mixer-search` named for this
    kind of machine. Where it cannot be used, one sentence says so and the process goes on without.
    """
    given = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    folder = Path(given) if given else cache_folder() / f"compiled-{_machine()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # an entry is code: ours alone
        with tempfile.TemporaryFile(dir=folder):
            pass
        deleted = mend(folder)
    except OSError as error:
        say(
            f"the compilation cache {folder} cannot be used ({error.strerror}): every program is "
            "compiled anew; make the folder writable, or name another with "
            "JAX_COMPILATION_CACHE_DIR"
        )
        jax.config.update("jax_enable_compilation_cache", False)
        return
    if deleted:
        say(f"the compilation cache {folder} had damaged entries: {deleted} deleted")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def compile_cache_environment() -> dict[str, str]:
    """This process's cache, for the environment of one that has not imported JAX yet."""
    folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    is_used = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
    if not folder or not is_used:
        return {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def mend(folder: Path) -> int:
    """Deletes entries that cannot be read, then the oldest beyond `MAX_BYTES`.

    Entries older than the last call of this function are taken as whole.

    Returns:
        How many could not be read.
    """
    marker = folder / _CHECKED
    checked_ns = marker.stat().st_mtime_ns if marker.exists() else 0
    damaged, kept = 0, []
    for entry in sorted(folder.glob("*-cache")):
        try:
            status = entry.stat()
            if status.st_mtime_ns >= checked_ns and not _is_whole(entry.read_bytes()):
                entry.unlink()
                damaged += 1
            else:
                kept.append((status.st_mtime_ns, status.st_size, entry))
        except FileNotFoundError:  # another process mends too
            continue
    marker.touch()
    total = sum(size for _, size, _ in kept)
    for _, size, entry in sorted(kept):
        if total <= MAX_BYTES:
            break
        entry.unlink(missing_ok=True)
        total -= size
    return damaged


def _is_whole(entry: bytes) -> bool:
    """Whether an entry decompresses: JAX compresses with zlib, or with zstandard if it is there."""
    if entry.startswith(b"\x28\xb5\x2f\xfd"):  # a zstandard frame
        try:
            import zstandard
        except ImportError:
            return True  # not ours to judge
        try:
            zstandard.ZstdDecompressor().decompress(entry)
        except zstandard.ZstdError:
            return False
        return True
    try:
        zlib.decompress(entry)
    except zlib.error:
        return False
    return True


def _machine() -> str:
    """Differs between processors with other instructions: their compiled programs do too."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        said = [line for line in lines if line.startswith(("model name", "flags", "Features"))][:2]
    except OSError:
        said = [platform.processor()]
    text = "\n".join([platform.machine(), *said])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Hits(threading.local):
    """How many programs this thread has read from the cache."""

    count = 0


_hits = Hits()


def _listen(event: str, **_: object) -> None:
    if event == "/jax/compilation_cache/cache_hits":
        _hits.count += 1


jax.monitoring.register_event_listener(_listen)


@contextmanager
def counted_hits() -> Iterator[Hits]:
    """Counts from zero what this thread reads from the cache inside the block."""
    _hits.count = 0
    yield _hits
