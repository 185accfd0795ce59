from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from archives import isolate

from search.data import DataError
from search.data.cache import cached
from search.data.split import Split
from search.data.tfds_source import fingerprint
from space.cache_folder import cache_folder
from space.config import ImageTask

TASK = ImageTask(image_size=4, image_channels=3, num_classes=2)


class Reader:
    """Counts how often the directory was really read."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Split:
        self.times += 1
        images = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
        labels = np.array([0, 1, 0, 1, 1], np.int32)
        return Split(
            TASK,
            images,
            labels,
            ("a cat", "собака"),
            num_unlabelled=3,
            notes=("5 images", "большие"),
        )


def kept(directory: Path, read: Reader, stem: str = "toy") -> Split:
    """What is read of a prepared directory, as its source keeps it."""
    found = fingerprint(stem, directory)
    return cached(f"{stem}-{directory.name}", directory, found, read)


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "toy" / "1.0.0"
    directory.mkdir(parents=True)
    (directory / "dataset_info.json").write_text('{"name": "toy"}')
    (directory / "toy-train.array_record-00000-of-00001").write_bytes(b"records")
    return directory


def assert_same(one: Split, other: Split) -> None:
    assert one.task == other.task
    np.testing.assert_array_equal(one.images, other.images, strict=True)
    np.testing.assert_array_equal(one.labels, other.labels, strict=True)
    assert (one.class_names, one.num_unlabelled) == (other.class_names, other.num_unlabelled)
    assert one.notes == other.notes


def test_a_directory_is_decoded_once(directory: Path) -> None:
    read = Reader()
    assert_same(kept(directory, read), Reader()())
    assert_same(kept(directory, read), Reader()())
    assert read.times == 1
    [file] = cache_folder().iterdir()
    assert file.name.startswith("toy-1.0.0-")


def test_a_changed_directory_is_decoded_again(directory: Path) -> None:
    read = Reader()
    kept(directory, read)
    shard = directory / "toy-train.array_record-00000-of-00001"
    os.utime(shard, (1, 1))
    kept(directory, read)
    shard.write_bytes(b"other records")
    kept(directory, read)
    (directory / "dataset_info.json").write_text('{"name": "TOY"}')
    kept(directory, read)
    assert read.times == 4


def test_a_data_set_has_one_copy_however_often_it_changes(directory: Path) -> None:
    shard = directory / "toy-train.array_record-00000-of-00001"
    for second in range(5):
        os.utime(shard, (second, second))
        kept(directory, Reader())
    assert len(list(cache_folder().iterdir())) == 1


def test_other_versions_and_folders_keep_their_own(directory: Path, tmp_path: Path) -> None:
    others = [tmp_path / "toy" / "1.1.0", tmp_path / "another folder" / "toy" / "1.0.0"]
    for other in others:
        shutil.copytree(directory, other)
    read = Reader()
    for _ in range(2):
        for each in (directory, *others):
            kept(each, read)
    assert read.times == 3
    assert len(list(cache_folder().iterdir())) == 3


def test_what_another_decoder_made_is_not_believed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Reader()
    kept(directory, read)
    monkeypatch.setattr("search.data.cache.DECODER", "Pillow 1.1.7")
    kept(directory, read)
    assert read.times == 2
    assert len(list(cache_folder().iterdir())) == 1


def test_copies_in_older_formats_go_and_nothing_else_does(directory: Path) -> None:
    """The first format had the fingerprint in its name, and may hold what OpenCV decoded."""
    cache_folder().mkdir(parents=True)
    old = [
        "toy-1.0.0-0123456789abcdef.npz",
        "toy-0.9.0-fedcba9876543210.npz",
        "toy-red-1.0.0-0123456789abcdef.npz",  # of toy/red
    ]
    others = [
        "toy-1.0.0-mine.npz",
        "toy-1.0.0-0123456789abcdef.npz.bak",
    ]
    for name in (*old, *others):
        (cache_folder() / name).write_bytes(b"")
    read = Reader()
    kept(directory, read)
    kept(directory, read)
    assert read.times == 1
    left = {path.name for path in cache_folder().iterdir()}
    assert left > set(others)
    assert len(left) == len(others) + 1


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(bytes([7, 8, 9, 10]))] ^= 1  # a pixel: only a checksum can tell
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not an npz"),
        lambda path: np.savez(path, images=np.zeros(3)),
        lambda path: np.savez(path, images=np.zeros(3), labels=np.zeros(3), num_classes=2),
    ],
)
def test_a_damaged_cache_is_rewritten(directory: Path, damage: object) -> None:
    read = Reader()
    kept(directory, read)
    [file] = cache_folder().iterdir()
    damage(file)  # type: ignore[operator]
    assert_same(kept(directory, read), Reader()())
    assert_same(kept(directory, read), Reader()())
    assert read.times == 2
    assert list(cache_folder().iterdir()) == [file]


def test_an_unwritable_cache_only_costs_time(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()  # a file where the folder should be
    read = Reader()
    for _ in range(2):
        assert_same(kept(directory, read), Reader()())
    assert read.times == 2


def test_a_full_disk_leaves_nothing_behind(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert_same(kept(directory, Reader()), Reader()())
    assert list(cache_folder().iterdir()) == []


def test_configurations_have_caches_of_their_own(directory: Path) -> None:
    kept(directory, Reader(), "toy-red")
    kept(directory, Reader(), "toy-blue")
    shutil.rmtree(directory)
    assert len(list(cache_folder().iterdir())) == 2


def test_a_directory_that_cannot_be_read_is_a_sentence(directory: Path) -> None:
    (directory / "shard").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"shard cannot be read .No such file.*mend or replace"):
        kept(directory, Reader())
