"""JAX's persistent compilation cache: on from the start, one folder a kind of machine.

JAX writes an entry under its final name without a lock, warns at every reading of a damaged one
and never repairs it: what was cut short by a kill or a full disk is deleted here instead.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from space.cache_folder import cache_folder
from space.paths import make_writable

MAX_BYTES = 4 * 2**30
"""When the folder holds more, the oldest entries are deleted.

JAX can do that too (`jax_compilation_cache_max_size`), but keeps the age of an entry in a second
file: a process that is killed between the two leaves a folder to which JAX never writes again.
"""

TRACED = "-traced"
"""How the names of traced programs end, which `search.train.traced_programs` keeps here too."""

_CHECKED = "checked"
"""An empty file whose time says until when entries are known to be whole."""


def use_compile_cache(say: Callable[[str], None]) -> None:
    """Turns the cache on, for this process and those it starts: programs of any size, however
    quickly compiled.

    The folder is `$JAX_COMPILATION_CACHE_DIR`, or one in `~/.cache/mixer-search` named for this
    kind of machine. Where it cannot be used, one sentence says so and the process goes on without.
    """
    given = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    folder = Path(given) if given else cache_folder() / f"compiled-{_machine()}"
    try:
        make_writable(folder, mode=0o700)  # an entry is code: ours alone
        deleted = prune(folder)
    except OSError as error:
        say(
            f"the compilation cache {folder} cannot be used ({error.strerror}): every program is "
            "compiled anew; make the folder writable, or name another with "
            "JAX_COMPILATION_CACHE_DIR"
        )
        _configure({"jax_enable_compilation_cache": False})
        return
    if deleted:
        say(f"the compilation cache {folder} had damaged entries: {deleted} deleted")
    _configure(
        {
            "jax_compilation_cache_dir": str(folder),
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": -1,
        }
    )


def prune(folder: Path) -> int:
    """Deletes entries that cannot be read, then the oldest beyond `MAX_BYTES`.

    Entries older than the last call of this function are taken as whole; traced programs are
    checked by whoever reads them.

    Returns:
        How many could not be read.
    """
    marker = folder / _CHECKED
    checked_ns = marker.stat().st_mtime_ns if marker.exists() else 0
    damaged, kept = 0, []
    for entry in sorted([*folder.glob("*-cache"), *folder.glob(f"*{TRACED}")]):
        try:
            status = entry.stat()
            is_new = status.st_mtime_ns >= checked_ns and not entry.name.endswith(TRACED)
            if is_new and not _is_whole(entry.read_bytes()):
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


def _configure(settings: dict[str, Any]) -> None:
    """Settings of JAX, here and in processes that inherit the environment."""
    for name, value in settings.items():
        os.environ[name.upper()] = str(value)
    if "jax" in sys.modules:  # which has read the environment already
        import jax

        for name, value in settings.items():
            jax.config.update(name, value)


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
