"""Traced programs kept on disk, beside what XLA made of them.

Python takes longer to trace and lower a network than it takes to read its compiled program from
JAX's cache: here the lowered one (StableHLO, by `jax.export`) is kept under a name made from all
it follows from, this project's source and the libraries' versions included. A file that is damaged
or of no use is made again; without a cache folder nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jax
from jax import export

from search.train.compile_cache import TRACED

_DIGEST_BYTES = 32


def kept(facts: str, trace: Callable[[], export.Exported]) -> export.Exported:
    """What `trace` returns, from the disk where it was traced before.

    Args:
        facts: all that the program follows from but source and versions, in any wording.
        trace: makes it.

    Raises:
        ValueError, NotImplementedError: what `trace` raises where a program cannot be exported.
    """
    folder = _folder()
    if folder is None:
        return trace()
    name = hashlib.sha256(f"{_origin()}\n{facts}".encode()).hexdigest()
    path = folder / f"{name}{TRACED}"
    with suppress(OSError, ValueError):
        return export.deserialize(bytearray(_read(path)))
    traced = trace()
    with suppress(OSError):
        _write(path, bytes(traced.serialize()))
    return traced


def _read(path: Path) -> bytes:
    entry = path.read_bytes()
    digest, program = entry[:_DIGEST_BYTES], entry[_DIGEST_BYTES:]
    if hashlib.sha256(program).digest() != digest:
        raise ValueError(f"{path} is damaged")
    return program


def _write(path: Path, program: bytes) -> None:
    """Under its name only when it is whole: several processes write."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            file.write(hashlib.sha256(program).digest() + program)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _folder() -> Path | None:
    if not jax.config.jax_enable_compilation_cache:  # type: ignore[attr-defined]
        return None
    folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    return Path(folder) if folder else None


@cache
def _origin() -> str:
    """Changes with the source of this project, the libraries and their settings."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in ("search", "space"):
        for source in sorted((root / package).rglob("*.py")):
            digest.update(source.read_bytes())
    versions = [f"{name} {version(name)}" for name in ("jax", "jaxlib", "flax", "optax", "numpy")]
    settings = [jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision]  # type: ignore[attr-defined]
    return " ".join([digest.hexdigest(), *versions, *map(str, settings)])
