from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from archives import draw, importers_of, isolate, prepare_other, write_originals
from pictures import noise
from pictures import png as as_png
from PIL import Image

from search.data import DataError, prepared
from search.data.preparation import prepare
from search.data.resize import resized
from search.spec.data_spec import DataSpec
from space.config import ImageTask

IMAGE = tfds.features.Image
LABEL = tfds.features.ClassLabel(num_classes=3)
SHARD = "cifar10-train.array_record-00000-of-00001"


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared cifar10 of 40 images; tests damage copies of it."""
    folder = tmp_path_factory.mktemp("whole")
    paths = write_originals("cifar10", folder, draw("cifar10", 40, 20))
    importers = importers_of("cifar10", paths)
    return prepare("cifar10", folder, archive=paths[0], report=print, importers=importers)


def png(shape: tuple[int, ...], seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels.squeeze(-1) if shape[-1] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    def damage(directory: Path) -> None:
        text = (directory / name).read_text()
        assert old in text
        (directory / name).write_text(text.replace(old, new))

    return damage


def cut(directory: Path) -> None:
    content = (directory / SHARD).read_bytes()
    (directory / SHARD).write_bytes(content[: len(content) // 2])


def flip(directory: Path) -> None:
    content = bytearray((directory / SHARD).read_bytes())
    content[70_000] ^= 0xFF
    (directory / SHARD).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut, f"{SHARD} cannot be read .*delete .*3.0.2, then prepare cifar10 again"),
        (flip, f"{SHARD} cannot be read .*delete .*3.0.2, then prepare cifar10 again"),
        (lambda path: (path / SHARD).write_bytes(b""), f"{SHARD} cannot be read"),
        (lambda path: (path / SHARD).unlink(), f"{SHARD} cannot be read .*No such file"),
        (edit("dataset_info.json", '"40"', '"50"'), f"{SHARD} cannot be read .*out of bound"),
        (edit("dataset_info.json", '"train"', '"all_of_it"'), "no split 'train' but all_of_it"),
        (
            edit("dataset_info.json", '"array_record"', '"tfrecord"'),
            "prepared as tfrecord, .*array",
        ),
        (
            lambda path: (path / "dataset_info.json").write_text("{"),
            "metadata of cifar10 in .*read",
        ),
        (lambda path: (path / "dataset_info.json").write_text("[]"), "metadata of cifar10"),
        (lambda path: (path / "features.json").unlink(), "metadata of cifar10 .*old TFDS"),
        (lambda path: (path / "features.json").write_text("{}"), "metadata of cifar10"),
        (edit("features.json", '"10"', '"4"'), f"{SHARD} cannot be read .label . of 4 classes"),
        (edit("features.json", '"32"', '"31"'), r"an image of shape \(32, 32, 3\), not \(31, 31"),
    ],
)
def test_a_damaged_directory_is_a_sentence(
    whole: Path, tmp_path: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    directory = tmp_path / "cifar10" / "3.0.2"
    shutil.copytree(whole, directory)
    damage(directory)
    with pytest.raises(DataError, match=sentence):
        prepared.read("cifar10", directory, "train")


def test_of_several_shards_the_damaged_one_is_named(tmp_path: Path) -> None:
    rows = [{"image": png((64, 64, 3), seed), "label": seed % 3} for seed in range(30)]
    features = {"image": IMAGE(shape=(64, 64, 3)), "label": LABEL}
    directory = prepare_other(tmp_path, "other", features, {"train": rows}, num_shards=3)
    assert len(prepared.read("other", directory, "train").labels) == 30
    second = directory / "other-train.array_record-00001-of-00003"
    second.write_bytes(second.read_bytes()[:70_000])
    with pytest.raises(DataError, match=f"{second} cannot be read"):
        prepared.read("other", directory, "train")


def test_a_record_that_is_no_image_is_a_sentence(tmp_path: Path) -> None:
    rows = [{"image": b"not an image", "label": 0}]
    features = {"image": IMAGE(shape=(8, 8, 3)), "label": LABEL}
    directory = prepare_other(tmp_path, "other", features, {"train": rows})
    with pytest.raises(DataError, match=r"cannot be read \(not an image"):
        prepared.read("other", directory, "train")


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3)])
def test_any_square_data_set_of_tfds_is_read(shape: tuple[int, int, int], tmp_path: Path) -> None:
    rows = [{"picture": png(shape, seed), "kind": seed % 3, "n": seed} for seed in range(7)]
    features = {"picture": IMAGE(shape=shape), "kind": LABEL, "n": np.int64}
    directory = prepare_other(tmp_path, "other", features, {"train": rows})
    task = ImageTask(image_size=8, image_channels=shape[2], num_classes=3)
    assert prepared.read_task("other", directory) == task
    split = prepared.read("other", directory, "train")
    assert (split.task, split.images.dtype, split.labels.dtype) == (task, np.uint8, np.int32)
    assert split.images.shape == (7, *shape)
    assert sorted(split.labels.tolist()) == [0, 0, 0, 1, 1, 2, 2]


SMALL = {"image": IMAGE(shape=(8, 8, 3)), "label": LABEL}


def test_unlabelled_images_are_left_out_and_counted(tmp_path: Path) -> None:
    """TFDS writes -1 where the class is not known."""
    labels = [seed % 3 if seed % 10 else -1 for seed in range(50)]
    rows = [{"image": png((8, 8, 3), seed), "label": label} for seed, label in enumerate(labels)]
    directory = prepare_other(tmp_path, "other", SMALL, {"train": rows})
    split = prepared.read("other", directory, "train")
    assert split.num_unlabelled == 5
    assert sorted(split.labels.tolist()) == sorted(label for label in labels if label >= 0)
    label_of = {
        np.asarray(Image.open(io.BytesIO(row["image"]))).tobytes(): row["label"] for row in rows
    }
    assert [label_of[image.tobytes()] for image in split.images] == split.labels.tolist()


def test_a_data_set_without_any_label_is_refused(tmp_path: Path) -> None:
    rows = [{"image": png((8, 8, 3), seed), "label": -1} for seed in range(5)]
    directory = prepare_other(tmp_path, "other", SMALL, {"train": rows})
    with pytest.raises(DataError, match=r"none of the 5 train images of other in .* has a class"):
        prepared.read("other", directory, "train")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: next(path.glob("*-train*")).write_bytes(b""),
        lambda path: next(path.glob("*-train*")).unlink(),
        lambda path: (path / "dataset_info.json").write_text("{"),
        lambda path: (path / "features.json").write_text("{}"),
        edit("features.json", '"3"', '"1"'),  # fewer classes than labels
    ],
)
def test_advice_spares_what_only_its_owner_can_make_again(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    rows = [{"image": png((8, 8, 3), seed), "label": seed % 3} for seed in range(5)]
    directory = prepare_other(tmp_path, "other", SMALL, {"train": rows})
    damage(directory)
    with pytest.raises(DataError) as caught:
        prepared.read("other", directory, "train")
    assert "delete" not in str(caught.value)
    assert f"mend or replace {directory}" in str(caught.value) or "choose" in str(caught.value)
    (directory / "dataset_info.json").unlink()
    with pytest.raises(DataError, match="mend or replace") as caught:
        prepared.find("other", tmp_path)
    assert "delete" not in str(caught.value)


def test_another_version_than_the_importers_is_not_to_be_deleted(
    whole: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "cifar10" / "9.9.9"
    shutil.copytree(whole, directory)
    cut(directory)
    with pytest.raises(DataError, match="mend or replace"):
        prepared.read("cifar10", directory, "train")


def test_the_classes_have_the_names_tfds_gives_them(whole: Path, tmp_path: Path) -> None:
    split = prepared.read("cifar10", whole, "train")
    assert split.class_names == tuple(f"class {number}" for number in range(10))
    directory = prepare_other(
        tmp_path, "other", SMALL, {"train": [{"image": png((8, 8, 3)), "label": 0}]}
    )
    assert prepared.read("other", directory, "train").class_names == ("0", "1", "2")


def test_supervised_keys_decide_between_several_labels(tmp_path: Path) -> None:
    row = {"image": png((8, 8, 3)), "fine": 4, "coarse": 1}
    features = {
        "image": IMAGE(shape=(8, 8, 3)),
        "fine": tfds.features.ClassLabel(num_classes=5),
        "coarse": LABEL,
    }
    directory = prepare_other(
        tmp_path, "other", features, {"train": [row]}, supervised_keys=("image", "fine")
    )
    assert prepared.read("other", directory, "train").labels.tolist() == [4]


def test_a_label_may_be_chosen(tmp_path: Path) -> None:
    row = {"image": png((8, 8, 3)), "fine": 4, "coarse": 1, "n": 3}
    features = {
        "image": IMAGE(shape=(8, 8, 3)),
        "fine": tfds.features.ClassLabel(num_classes=5),
        "coarse": tfds.features.ClassLabel(names=["fish", "fowl"]),
        "n": np.int64,
    }
    directory = prepare_other(
        tmp_path, "other", features, {"train": [row]}, supervised_keys=("image", "fine")
    )
    split = prepared.read("other", directory, "train", DataSpec(label="coarse"))
    assert (split.labels.tolist(), split.class_names) == ([1], ("fish", "fowl"))
    assert split.task.num_classes == 2
    assert prepared.read_task("other", directory, DataSpec(label="coarse")) == split.task
    for wrong in ("n", "image", "coarse_label"):
        with pytest.raises(DataError, match=f"no class label '{wrong}' but coarse, fine; correct"):
            prepared.read("other", directory, "train", DataSpec(label=wrong))


@pytest.mark.parametrize("shape", [(None, None, 3), (8, 12, 3), (None, None, 1)])
def test_images_of_any_size_are_converted_where_a_size_is_given(
    shape: tuple[int | None, int | None, int], tmp_path: Path
) -> None:
    sizes = [(8, 12)] * 3 if shape[0] else [(8, 12), (6, 6), (31, 7)]
    images = [noise(*size, shape[2], seed) for seed, size in enumerate(sizes)]
    rows = [{"image": as_png(image), "label": label} for label, image in enumerate(images)]
    features = {"image": IMAGE(shape=shape), "label": LABEL}
    directory = prepare_other(tmp_path, "other", features, {"train": rows})
    options = DataSpec(image_size=6, resize="squash")
    split = prepared.read("other", directory, "train", options)
    for image, label in zip(split.images, split.labels, strict=True):
        np.testing.assert_array_equal(image, resized(images[label], 6, "squash"), strict=True)
    number = 3 if shape[0] else 2
    assert split.notes == (
        f"{number} of 3 train images are converted to 6 x 6 pixels (resize = 'squash')",
    )
    assert prepared.read_task("other", directory, options) == split.task


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ({"image": IMAGE(shape=(8, 9, 3)), "label": LABEL}, "not square .8 x 9.; add `image_size"),
        (
            {"image": IMAGE(shape=(None, None, 3)), "label": LABEL},
            "images that vary in size; add `image_size = 64`, or another size, to .data.",
        ),
        ({"image": IMAGE(shape=(2, 8, 8, 3)), "label": LABEL}, "images of several frames"),
        ({"image": IMAGE(shape=(8, 8, 4)), "label": LABEL}, "images of 4 channels"),
        ({"image": IMAGE(shape=(8, 8, 1), dtype=np.uint16), "label": LABEL}, "uint16 images"),
        ({"label": LABEL}, "should have one image but has none among label"),
        ({"image": IMAGE(shape=(8, 8, 3))}, "one class label but has none among image"),
        ({"image": IMAGE(shape=(8, 8, 3)), "label": np.int64}, "class label but has none"),
        (
            {"a": IMAGE(shape=(8, 8, 3)), "b": IMAGE(shape=(8, 8, 3)), "label": LABEL},
            "several .a, b",
        ),
        (
            {"image": IMAGE(shape=(8, 8, 3)), "x": LABEL, "y": LABEL},
            "several .x, y.; choose one with `label`",
        ),
        (
            {"image": IMAGE(shape=(8, 8, 3)), "label": tfds.features.ClassLabel(num_classes=1)},
            "has 1 classes",
        ),
    ],
)
def test_what_is_no_classification_of_square_images_is_refused(
    features: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    row = {
        key: png((8, 8, 3)) if isinstance(feature, IMAGE) else 0
        for key, feature in features.items()
    }
    directory = prepare_other(tmp_path, "other", features, {"train": [row]})
    with pytest.raises(DataError, match=sentence):
        prepared.read_task("other", directory)
    with pytest.raises(DataError, match=sentence):
        prepared.read("other", directory, "train")


def test_the_highest_whole_version_is_found(whole: Path, tmp_path: Path) -> None:
    assert prepared.find("cifar10", tmp_path) is None
    for version in ("3.0.2", "10.0.0", "9.1.1"):
        shutil.copytree(whole, tmp_path / "cifar10" / version)
    (tmp_path / "cifar10" / "incomplete.ABC_11.0.0").mkdir()
    assert prepared.find("cifar10", tmp_path) == tmp_path / "cifar10" / "10.0.0"
    shutil.copytree(whole, tmp_path / "emnist" / "letters" / "3.1.0")
    found = prepared.find("emnist/letters", tmp_path)
    assert found == tmp_path / "emnist" / "letters" / "3.1.0"


def test_a_version_that_is_named_is_found(whole: Path, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.10.0", "1.2.0"):
        for place in ("flowers", "emnist/letters"):
            shutil.copytree(whole, tmp_path / place / version)
    for place in ("flowers", "emnist/letters"):
        assert prepared.find(f"{place}:1.0.0", tmp_path) == tmp_path / place / "1.0.0"
        assert prepared.find(place, tmp_path) == tmp_path / place / "1.10.0"
        assert prepared.find(f"{place}:1.1.0", tmp_path) is None
        assert prepared.versions(place, tmp_path) == ["1.10.0", "1.2.0", "1.0.0"]
    assert prepared.versions("roses", tmp_path) == []


@pytest.mark.parametrize(
    "name", ["flowers:1", "flowers:newest", "flowers:1.0.0/red", "a/b/c", ":1.0.0"]
)
def test_what_is_not_in_tfds_own_notation_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the name of a data set; write it like cifar10"):
        prepared.find(name, tmp_path)


def test_a_directory_without_its_info_is_half_a_data_set(whole: Path, tmp_path: Path) -> None:
    directory = tmp_path / "cifar10" / "3.0.2"
    directory.mkdir(parents=True)
    assert prepared.find("cifar10", tmp_path) is None
    shutil.copy(whole / SHARD, directory)
    with pytest.raises(
        DataError, match=r"no dataset_info\.json.; delete .*3\.0\.2, then prepare cifar10 again"
    ):
        prepared.find("cifar10", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_an_unreadable_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir(mode=0)
    with pytest.raises(DataError, match=r"cannot be read .Permission denied"):
        prepared.find("cifar10", tmp_path)


def test_the_data_folder_is_the_one_given_else_that_of_tfds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepared.data_folder(None) == tmp_path / "home" / "tensorflow_datasets"
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "named"))
    assert prepared.data_folder(None) == tmp_path / "named"
    assert prepared.data_folder(tmp_path) == tmp_path
    with pytest.raises(DataError, match="mkdir -p"):
        prepared.data_folder(tmp_path / "absent")
    monkeypatch.setenv("TFDS_DATA_DIR", "gs://bucket/data")
    with pytest.raises(DataError, match="is not a local folder"):
        prepared.data_folder(None)
