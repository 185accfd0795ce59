"""What can go is found, and nothing else: not what is used, young, awaited, or another's."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archives import isolate
from postgres import new_database
from records import NOON, running, study, trial

from runs.checkpoints import checkpoint_name
from runs.garbage import Findings, find_garbage, remove
from runs.record import Failure, Origin, State, StudyRecord
from runs.spool import spool_path, write_spool
from runs.storage import StorageError
from runs.weights_folder import WeightsFolder
from runs.writer import open_writer
from space.cache_folder import cache_folder
from space.weights_file import weights_bytes

STUDY = study("digits")
GONE = study("gone", created_at=NOON)


@pytest.fixture
def storage(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with a trial that runs, one that had too little time, and two that are complete.

    Its files lie in the working directory.
    """
    isolate(monkeypatch, here)
    url = f"sqlite:///{here}/s.db"
    fill(url)
    return url


def fill(url: str) -> None:
    with open_writer(url) as store:
        store.add_study(STUDY)
        late = running(1, state=State.FAILED, failure=Failure.TIMEOUT)
        for record in (running(0), late, trial(2), trial(3)):
            store.add_trial(STUDY.name, record)


def old(file: Path, content: bytes = b"something") -> Path:
    """A file that was written yesterday."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    yesterday = time.time() - 86_400
    os.utime(file, (yesterday, yesterday))
    return file


def weights_of(record: StudyRecord, number: int) -> bytes:
    facts = {"study": record.name, "study_began": record.created_at.isoformat()}
    return weights_bytes({"w": np.full(3, number)}, facts | {"trial": str(number)})


def found(findings: Findings) -> dict[Path, str]:
    return {item.path: item.reason for item in findings.garbage}


def test_checkpoints_of_trials_that_ended_or_whose_study_is_gone_can_go(
    storage: str, here: Path
) -> None:
    folder = here / "s.db.checkpoints"
    runs, late, ended = (old(folder / checkpoint_name(STUDY, n)) for n in (0, 1, 2))
    gone = old(folder / checkpoint_name(GONE, 0))
    half = old(folder / f"{checkpoint_name(STUDY, 0)}.x1.tmp")
    other = old(folder / "notes.txt")
    findings = find_garbage(storage)
    assert found(findings) == {
        ended: "trial 2 of study 'digits' has ended",
        gone: "its study is gone",
        half: "left unfinished by a process that was killed",
    }
    assert all(abs(item.age_seconds - 86_400) < 100 for item in findings.garbage)
    assert remove(findings.garbage) == []
    assert set(folder.iterdir()) == {runs, late, other}


def kept_and_orphans(storage: str, path: Path) -> tuple[Path, Path, Path, Path]:
    """Files of trial 2, which the database names, of 3, of another study, and an unfinished one."""
    folder = WeightsFolder(path)
    with open_writer(storage) as store:
        record = folder.write(2, weights_of(STUDY, 2))
        store.end_trials(STUDY.name, [], weights=[record])
    orphan = folder.file(folder.write(3, weights_of(STUDY, 3)).digest)
    others = folder.file(folder.write(0, weights_of(GONE, 0)).digest)
    half = old(folder.path / f"{'a' * 64}.safetensors.x1.tmp")
    for file in (folder.file(record.digest), orphan, others):
        old(file, file.read_bytes())
    return folder.file(record.digest), orphan, others, half


def test_weights_that_no_trial_refers_to_can_go(storage: str, here: Path) -> None:
    kept, orphan, others, half = kept_and_orphans(storage, here / "s.db.weights")
    findings = find_garbage(storage)
    assert found(findings) == {
        orphan: "trial 3 of study 'digits' no longer keeps it",
        others: "no trial refers to it",
        half: "left unfinished by a process that was killed",
    }
    assert remove(findings.garbage) == []
    assert list(kept.parent.iterdir()) == [kept]


def test_weights_of_a_confirmation_stay_when_those_of_its_parent_go(
    storage: str, here: Path
) -> None:
    """A front that moves on while the search is continued does not take them along."""
    folder = WeightsFolder(here / "s.db.weights")
    origin = {"origin": Origin.CONFIRMATION, "parent": 2}
    with open_writer(storage) as store:
        repeat = replace(trial(2, seed=1_000), number=4, **origin)
        store.add_trial(STUDY.name, repeat)
        kept = [folder.write(number, weights_of(STUDY, number)) for number in (2, 4)]
        store.end_trials(STUDY.name, [], weights=kept)
        folder.remove(store.end_trials(STUDY.name, [], without=[2]))
    left = folder.file(kept[1].digest)
    old(left, left.read_bytes())
    assert find_garbage(storage).garbage == []
    assert list(folder.files()) == [left]


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_in_a_folder_that_several_databases_may_use_what_is_of_another_study_is_left(
    storage: str, here: Path, backend: str
) -> None:
    options: dict[str, Path] = {}
    checkpoints, weights = here / "runs/checkpoints", here / "runs/weights"
    if backend == "postgresql":
        storage = new_database()
        fill(storage)
    else:
        options = {"checkpoint_dir": checkpoints, "weights_dir": weights}
    _, orphan, _, half = kept_and_orphans(storage, weights)
    ended = old(checkpoints / checkpoint_name(STUDY, 2))
    old(checkpoints / checkpoint_name(GONE, 0))
    findings = find_garbage(storage, **options)
    assert set(found(findings)) == {orphan, half, ended}
    assert findings.notes == [
        f"1 file in {folder} of no study of this database: left, another database may use that "
        "folder too"
        for folder in (findings.garbage[0].path.parent, weights)
    ]


def test_what_a_study_that_is_run_may_use_is_left_and_a_note_says_so(
    storage: str, here: Path
) -> None:
    kept_and_orphans(storage, here / "s.db.weights")
    old(here / "s.db.checkpoints" / checkpoint_name(STUDY, 2))
    old(cache_folder() / "cifar10.npz")
    assert len(find_garbage(storage).garbage) == 5
    with open_writer(storage) as store, store.hold(STUDY.name):
        findings = find_garbage(storage)
        assert {item.reason for item in findings.garbage} == {
            "no trial refers to it",
            "left unfinished by a process that was killed",
        }
        assert findings.notes[0].startswith("study 'digits' is being run by process")
    assert len(find_garbage(storage).garbage) == 5


def test_young_files_are_left(storage: str, here: Path) -> None:
    WeightsFolder(here / "s.db.weights").write(3, weights_of(STUDY, 3))
    findings = find_garbage(storage)
    assert findings.garbage == []
    assert "1 file in" in findings.notes[0]
    assert "left for an hour" in findings.notes[0]


def test_where_a_spool_waits_nothing_of_the_database_can_go(storage: str, here: Path) -> None:
    kept_and_orphans(storage, here / "s.db.weights")
    old(here / "s.db.checkpoints" / checkpoint_name(STUDY, 2))
    write_spool(spool_path(storage, STUDY.name), STUDY, [replace(trial(3), accuracy=0.9)], [])
    findings = find_garbage(storage)
    assert findings.garbage == []
    assert "put them back first" in findings.notes[0]


def test_caches_can_go_whichever_database_there_is(storage: str, here: Path) -> None:
    images = old(cache_folder() / "cifar10-3.0.2-at-0123456789abcdef.npz", b"12345")
    half = old(cache_folder() / "cifar10-3.0.2-at-0123456789abcdef.npz.x1.tmp")
    compiled = cache_folder() / "compiled-0123456789ab"
    program = old(compiled / "jit_flat-cache", b"1234567")
    other = old(cache_folder() / "notes.txt")
    (cache_folder() / "compiled-empty").mkdir()
    findings = find_garbage(storage)
    sizes = {item.path: item.size_bytes for item in findings.garbage}
    assert sizes == {images: 5, compiled: 7, half: 9}
    assert remove(findings.garbage) == []
    assert not program.exists()
    assert compiled.exists(), "a process may be about to write to it"
    assert other.exists()
    assert find_garbage(storage).garbage == []


def test_without_a_database_only_caches_are_looked_at_and_one_that_is_named_must_be_there(
    storage: str, here: Path
) -> None:
    images = old(cache_folder() / "cifar10.npz")
    weights = old(here / "runs/mixer_search.db.weights" / f"{'a' * 64}.safetensors")
    findings = find_garbage()
    assert set(found(findings)) == {images}
    assert "no database runs/mixer_search.db" in findings.notes[0]
    assert weights.exists()
    with pytest.raises(StorageError, match="does not exist"):
        find_garbage(f"sqlite:///{here}/no.db")


def test_a_link_is_removed_and_not_what_it_leads_to(storage: str, here: Path) -> None:
    elsewhere = old(here / "elsewhere" / "file")
    compiled = cache_folder() / "compiled-0123456789ab"
    compiled.mkdir(parents=True)
    (compiled / "link").symlink_to(elsewhere.parent)
    assert remove(find_garbage(storage).garbage) == []
    assert elsewhere.exists()
    assert list(compiled.iterdir()) == []


def test_what_cannot_be_removed_is_said(storage: str, tmp_path: Path) -> None:
    folder = tmp_path / "s.db.weights"
    (folder / f"{'a' * 64}.safetensors").mkdir(parents=True)
    old(folder / f"{'a' * 64}.safetensors" / "file")
    garbage = find_garbage(storage).garbage
    garbage = [replace(item, path=item.path / "file" / "x") for item in garbage]
    (sentence,) = remove(garbage)
    assert "cannot be removed (Not a directory)" in sentence
