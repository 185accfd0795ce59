"""Traced programs kept on disk, beside what XLA made of them.

Python takes longer to trace and lower a network than it takes to read its compiled program from
JAX's cache: here the lowered one (StableHLO, by `jax.export`) is kept under a name made from all
it follows from, this project's source and the libraries' versions included. A file that is damaged
or of no use is made again; without a cache folder nothing is kept.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jax
from jax import export

from search.train.compile_cache import TRACED
from space.whole_file import whole_file

_DIGEST_BYTES = 32


def load_or_export(facts: str, trace: Callable[[], export.Exported]) -> export.Exported:
    """What `trace` returns, from the disk where it was traced before.

    Args:
        facts: all that the program follows from but this project's source and versions, in any
            wording.
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
        program = bytes(traced.serialize())
        with whole_file(path) as file:  # several processes write
            file.write(hashlib.sha256(program).digest() + program)
    return traced


@cache
def source_digest(module: str) -> str:
    """Changes with the source of the package that a module is in: a network may be of another's."""
    top = sys.modules[module.partition(".")[0]]
    folders = getattr(top, "__path__", ())
    files = [file for folder in folders for file in sorted(Path(folder).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in files or [Path(str(top.__file__))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> bytes:
    entry = path.read_bytes()
    digest, program = entry[:_DIGEST_BYTES], entry[_DIGEST_BYTES:]
    if hashlib.sha256(program).digest() != digest:
        raise ValueError(f"{path} is damaged")
    return program


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
