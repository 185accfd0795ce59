"""The compilation cache on disk: used from the start, mended when damaged, done without if need be.

Every test is a process of its own: JAX opens its cache once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import zstandard

from search.train import compile_cache
from search.train.compile_cache import prune

COMPILE = """
import jax, jax.numpy as jnp
from search.train.cache_hits import counted_hits
from search.train.compile_cache import use_compile_cache
said = []
use_compile_cache(said.append)
with counted_hits() as hits:
    jax.jit(lambda x: jnp.tanh(x) @ x).lower(jax.ShapeDtypeStruct((4, 4), "float32")).compile()
print(hits.count, *said, sep="\\n")
"""


def compiled(folder: Path, **env: str) -> tuple[int, list[str], str]:
    """Hits, what was said, and warnings of a process that compiles a program."""
    told = {"JAX_COMPILATION_CACHE_DIR": str(folder)} | env
    done = subprocess.run(
        [sys.executable, "-c", COMPILE],
        env={k: v for k, v in (os.environ | told).items() if v},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    first, *said = done.stdout.splitlines()
    return int(first), said, done.stderr


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*-cache"))


def test_what_was_compiled_once_is_read_the_next_time(tmp_path: Path) -> None:
    assert compiled(tmp_path / "new" / "folder") == (0, [], "")
    assert entries(tmp_path / "new" / "folder")
    assert compiled(tmp_path / "new" / "folder") == (1, [], "")


def test_the_folder_is_the_users_own_by_default(tmp_path: Path) -> None:
    hits, said, _ = compiled(tmp_path, JAX_COMPILATION_CACHE_DIR="", XDG_CACHE_HOME=str(tmp_path))
    assert (hits, said) == (0, [])
    (folder,) = (tmp_path / "mixer-search").glob("compiled-*")
    assert entries(folder)
    assert folder.stat().st_mode & 0o077 == 0, "an entry is code that will be run"


@pytest.mark.fault("an entry of the compile cache truncated, emptied or changed")
@pytest.mark.parametrize("damage", ["truncated", "emptied", "garbage"])
def test_a_damaged_entry_is_deleted_and_compiled_anew(tmp_path: Path, damage: str) -> None:
    compiled(tmp_path)
    for entry in entries(tmp_path):
        whole = entry.read_bytes()
        parts = {"truncated": whole[: len(whole) // 2], "emptied": b"", "garbage": b"\x00hello"}
        entry.write_bytes(parts[damage])
    hits, said, warnings = compiled(tmp_path)
    assert hits == 0
    assert len(said) == 1
    assert "had damaged entries" in said[0]
    assert warnings == ""
    assert compiled(tmp_path) == (1, [], "")


@pytest.mark.fault("a compile cache that cannot be")
@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_a_folder_that_cannot_be_is_one_warning_and_no_cache(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / "file" if kind == "a file" else tmp_path / "file" / "folder"
    hits, said, warnings = compiled(folder)
    assert hits == 0
    assert len(said) == 1
    assert "cannot be used" in said[0]
    assert warnings == ""


@pytest.mark.fault("a compile cache that may not be written")
def test_a_read_only_folder_is_one_warning_and_no_cache(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    folder = tmp_path if os.geteuid() else Path("/sys")  # read-only to the superuser too
    hits, said, warnings = compiled(folder)
    assert hits == 0
    assert len(said) == 1
    assert "cannot be used" in said[0]
    assert warnings == ""


def test_entries_of_either_compression_are_checked(tmp_path: Path) -> None:
    """JAX uses zstandard where it is installed."""
    program = os.urandom(1000)
    for name, entry in (("zlib", zlib.compress(program)), ("zstd", zstandard.compress(program))):
        (tmp_path / f"{name}-whole-cache").write_bytes(entry)
        (tmp_path / f"{name}-cut-cache").write_bytes(entry[: len(entry) // 2])
    assert prune(tmp_path) == 2
    assert [entry.name for entry in entries(tmp_path)] == ["zlib-whole-cache", "zstd-whole-cache"]


def test_entries_already_checked_are_not_read_again(tmp_path: Path) -> None:
    good = tmp_path / "a-cache"
    good.write_bytes(zlib.compress(b"program"))
    assert prune(tmp_path) == 0
    good.write_bytes(b"damaged")
    os.utime(good, ns=(0, 0))
    assert prune(tmp_path) == 0
    good.touch()
    assert prune(tmp_path) == 1


def test_the_oldest_entries_go_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, name in enumerate(["old-cache", "middle-cache", "new-cache"]):
        (tmp_path / name).write_bytes(zlib.compress(os.urandom(1000)))
        os.utime(tmp_path / name, ns=(10**18 + i, 10**18 + i))
    monkeypatch.setattr(compile_cache, "MAX_BYTES", 2500)
    prune(tmp_path)
    assert [entry.name for entry in entries(tmp_path)] == ["middle-cache", "new-cache"]
