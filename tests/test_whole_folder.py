"""Folders that are whole or as they were before, whenever their writer is killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import line, start
from test_faults import repeats

from space import whole_folder as module
from space.whole_folder import whole_folder


def contents(folder: Path) -> dict[str, str]:
    """The texts of all files, by their paths in the folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def write(folder: Path, text: str) -> None:
    """Two files and one in a folder of its own, of one text."""
    with whole_folder(folder) as unfinished:
        (unfinished / "deep").mkdir()
        for name in ("a", "b", "deep/c"):
            (unfinished / name).write_text(text)


def test_a_folder_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "winner"
    with whole_folder(folder) as unfinished:
        (unfinished / "file").write_text("x")
        assert not folder.exists()
        assert unfinished.name.startswith(".winner.")
    assert contents(tmp_path) == {"new/winner/file": "x"}


@pytest.mark.parametrize("before", ["nothing", "empty", "full", "link"])
def test_what_was_there_is_replaced_as_a_whole(tmp_path: Path, before: str) -> None:
    folder = tmp_path / "winner"
    if before == "empty":
        folder.mkdir()
    elif before == "full":
        write(folder, "old")
        (folder / "d").write_text("old")
    elif before == "link":
        write(tmp_path / "real", "old")
        folder.symlink_to("real")
    write(folder, "new")
    assert contents(folder) == dict.fromkeys(("a", "b", "deep/c"), "new")
    assert folder.is_symlink() == (before == "link")
    assert not list(tmp_path.glob(".*"))


def test_what_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "winner", "old")
    before = contents(tmp_path)

    def fail_half_way() -> None:
        with whole_folder(tmp_path / "winner") as unfinished:
            (unfinished / "a").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert contents(tmp_path) == before


def test_where_two_folders_cannot_change_places_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "winner", "old")
    before = contents(tmp_path)
    monkeypatch.setattr(module.ctypes, "CDLL", lambda *args, **options: object())
    with pytest.raises(OSError, match="cannot exchange two folders in one step"):
        write(tmp_path / "winner", "new")
    assert contents(tmp_path) == before


def test_leftovers_of_killed_processes_go_and_those_of_others_at_work_stay(tmp_path: Path) -> None:
    for name in (".winner.0123abcd.tmp", ".other.0123abcd.tmp", ".winner.mine.tmp"):
        write(tmp_path / name, "left")
    with whole_folder(tmp_path / "winner") as unfinished:
        (unfinished / "a").write_text("first")
        write(tmp_path / "winner", "second")
        assert (unfinished / "a").read_text() == "first"
        left = {path.name for path in tmp_path.glob(".*")} - {unfinished.name}
        assert left == {".other.0123abcd.tmp", ".winner.mine.tmp"}
    assert contents(tmp_path / "winner") == {"a": "first"}


FILLS = """
import resource, sys
from pathlib import Path
from test_whole_folder import write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write(Path(sys.argv[1]), "new" * 1000)
"""


@pytest.mark.fault("the disk full while a folder is written")
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "winner", "old")
    before = contents(tmp_path)
    process = start(FILLS, str(tmp_path / "winner"))
    process.communicate()
    assert process.returncode == 1
    assert contents(tmp_path) == before


WRITES = """
import itertools, sys
from pathlib import Path
from test_whole_folder import write
folder = Path(sys.argv[1])
first = int((folder / "a").read_text()) + 1 if folder.exists() else 0
for number in itertools.count(first):
    write(folder, str(number))
    print(number, flush=True)
"""


@pytest.mark.fault("killed (SIGKILL) while a folder is replaced")
@pytest.mark.parametrize("times", repeats(5, 200))
def test_a_kill_leaves_the_old_folder_or_the_new_one(tmp_path: Path, times: int) -> None:
    chance = random.Random(times)
    folder = tmp_path / "winner"
    for _ in range(times):
        process = start(WRITES, str(folder))
        assert process.stdout is not None
        first = line(process)
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        printed = process.stdout.read().split()
        process.communicate()
        acknowledged = int(printed[-1] if printed else first)
        found = contents(folder)
        (number,) = {int(text) for text in found.values()}
        assert set(found) == {"a", "b", "deep/c"}
        assert number in {acknowledged, acknowledged + 1}
    write(folder, "end")
    assert not list(tmp_path.glob(".*"))


def test_a_folder_has_the_permissions_of_others(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from test_whole_folder import write; "
    code += "os.umask(0o027); write(Path(sys.argv[1]), 'x')"
    path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parent)])
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "winner"],
        env=os.environ | {"PYTHONPATH": path},
        check=True,
    )
    assert (tmp_path / "winner").stat().st_mode & 0o777 == 0o750
