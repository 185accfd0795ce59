from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from archives import isolate

from search.cache_folder import cache_folder
from search.data import DataError
from search.data.cache import cached
from search.data.split import Split
from space.config import ImageTask

TASK = ImageTask(image_size=4, image_channels=3, num_classes=2)


class Reader:
    """Counts how often the directory was really read."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Split:
        self.times += 1
        images = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
        return Split(TASK, images, np.array([0, 1, 0, 1, 1], np.int32))


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


def test_a_directory_is_decoded_once(directory: Path) -> None:
    read = Reader()
    assert_same(cached("toy", directory, read), Reader()())
    assert_same(cached("toy", directory, read), Reader()())
    assert read.times == 1
    [file] = cache_folder().iterdir()
    assert file.name.startswith("toy-1.0.0-")


def test_a_changed_directory_is_decoded_again(directory: Path) -> None:
    read = Reader()
    cached("toy", directory, read)
    shard = directory / "toy-train.array_record-00000-of-00001"
    os.utime(shard, (1, 1))
    cached("toy", directory, read)
    shard.write_bytes(b"other records")
    cached("toy", directory, read)
    (directory / "dataset_info.json").write_text('{"name": "TOY"}')
    cached("toy", directory, read)
    assert read.times == 4


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
    cached("toy", directory, read)
    [file] = cache_folder().iterdir()
    damage(file)  # type: ignore[operator]
    assert_same(cached("toy", directory, read), Reader()())
    assert_same(cached("toy", directory, read), Reader()())
    assert read.times == 2
    assert list(cache_folder().iterdir()) == [file]


def test_an_unwritable_cache_only_costs_time(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()  # a file where the folder should be
    read = Reader()
    for _ in range(2):
        assert_same(cached("toy", directory, read), Reader()())
    assert read.times == 2


def test_a_full_disk_leaves_nothing_behind(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert_same(cached("toy", directory, Reader()), Reader()())
    assert list(cache_folder().iterdir()) == []


def test_configurations_have_caches_of_their_own(directory: Path) -> None:
    cached("toy/red", directory, Reader())
    cached("toy/blue", directory, Reader())
    shutil.rmtree(directory)
    assert len(list(cache_folder().iterdir())) == 2


def test_a_directory_that_cannot_be_read_is_a_sentence(directory: Path) -> None:
    (directory / "shard").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"shard cannot be read .No such file.*prepare toy again"):
        cached("toy", directory, Reader())
