"""The sources by name: what each of them is asked, whatever it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from archives import isolate, prepare_swatches
from pictures import draw_classes, noise

from search.data import DataError, find_task, load, load_test, versions
from search.data.source import Request
from search.data.sources import SOURCES, open_source, source_of, tfds_name
from search.data.split import Split
from search.spec.data_spec import DataSpec
from space.config import ImageTask


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """A data set of every source, with images of 8 pixels a side, and no validation of its own."""
    draw_classes(tmp_path / "pets", "abc", number=10)
    images = np.stack([noise(8, 8, seed=seed) for seed in range(30)])
    np.savez(tmp_path / "x.npz", train_images=images, train_labels=np.arange(30) % 3)
    prepare_swatches(tmp_path, labels=[0, 1, 2] * 10)
    return ["digits", f"folder:{tmp_path / 'pets'}", f"arrays:{tmp_path / 'x.npz'}", "swatches"]


def test_every_source_answers_before_and_after_it_is_read(names: list[str], tmp_path: Path) -> None:
    assert {source_of(name) for name in names} == {None, *SOURCES}
    for name in names:
        for options in (DataSpec(), DataSpec(image_size=4)):
            request = Request(dataset=name, options=options, data_dir=tmp_path, report=[].append)
            source = open_source(request)
            counts, task = source.counts(), source.task()
            split = source.read("train")
            assert counts["train"] == len(split.images) == len(split.labels)
            assert split.task == task == find_task(name, data_dir=tmp_path, options=options)
            assert task.image_size == (options.image_size or 8)
            assert split.images.shape[1:] == (task.image_size,) * 2 + (task.image_channels,)
            assert split.images.dtype == np.uint8
            assert (split.labels.dtype, split.labels.min()) == (np.int32, 0)
            assert split.labels.max() == task.num_classes - 1 == len(split.class_names) - 1
            assert bool(split.notes) == (options.image_size is not None)


def test_what_has_no_images_to_test_or_validate_on_says_so(
    names: list[str], tmp_path: Path
) -> None:
    for name in names:
        own = DataSpec(validation="own")
        with pytest.raises(DataError, match=r"has no .*validation"):
            load(name, data_dir=tmp_path, options=own, report=[].append)
        assert load(name, data_dir=tmp_path, report=[].append).has_test == (name == "digits")
        if name != "digits":
            with pytest.raises(DataError, match=r"has no .*test"):
                load_test(name, data_dir=tmp_path)


class Stripes:
    """All that a source has to be: `stripes:NUMBER`, upright ones and others."""

    version = None
    decoder = None

    def __init__(self, request: Request) -> None:
        self._number = int(request.place)

    def counts(self) -> dict[str, int]:
        return {"train": self._number}

    def task(self) -> ImageTask:
        return ImageTask(image_size=4, image_channels=1, num_classes=2)

    def read(self, split: str) -> Split:
        upright = np.tile(np.array([0, 255], np.uint8), (4, 2))
        labels = np.arange(self._number, dtype=np.int32) % 2
        images = np.stack([upright.T if label else upright for label in labels])[..., np.newaxis]
        return Split(self.task(), images, labels, ("upright", "level"))


def test_a_new_source_is_one_class_and_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "stripes", Stripes)
    data = load("stripes:40")
    assert data.class_names == ("upright", "level")
    assert (len(data.train_labels), len(data.validation_labels)) == (36, 4)
    assert find_task("stripes:40") == data.task
    with pytest.raises(DataError, match="stripes:40 has no test images"):
        load_test("stripes:40")


def test_an_archive_is_for_the_importers_alone(names: list[str], tmp_path: Path) -> None:
    for name in names:
        with pytest.raises(DataError, match=r"only cifar10, .* are prepared from one; leave"):
            load(name, data_dir=tmp_path, archive=tmp_path / "x.tar.gz")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("folder", "folder: which one. Name it like folder:PATH"),
        ("folder:", "which one"),
        ("arrays", "arrays: which ones. Name the file like arrays:FILE.npz"),
        ("digits:1.0.0", "the digits have no versions; write digits"),
        ("pets:here", "'pets:here' is not the name of a data set; write it like cifar10"),
        ("", "is not the name of a data set"),
    ],
)
def test_a_name_that_names_nothing_is_a_sentence(name: str, sentence: str) -> None:
    for ask in (load, load_test, find_task):
        with pytest.raises(DataError, match=sentence):
            ask(name)


def test_what_is_not_of_tfds_has_no_versions() -> None:
    for name in ("digits", "folder:1.0.0", "arrays:x.npz"):
        assert (tfds_name(name), versions(name)) == (None, [])
    assert str(tfds_name("emnist/letters:3.1.0")) == "emnist/letters:3.1.0"


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    draw_classes(tmp_path / "my pets", "abc")
    assert find_task("folder:~/my pets").num_classes == 3
