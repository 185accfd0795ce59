from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import tensorflow_datasets as tfds
from archives import (
    SHARED,
    draw,
    importers_of,
    isolate,
    prepare_other,
    prepare_swatches,
    write_originals,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from pictures import noise, png

from search.data import DataError, find_task, load, load_test, versions
from search.data.division import divide
from search.data.preparation import prepare
from search.spec.data_spec import DataSpec
from space.config import ImageTask


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cifar10 of 40 train and 20 test images."""
    folder = tmp_path_factory.mktemp("tiny")
    paths = write_originals("cifar10", folder, draw("cifar10", 40, 20))
    importers = importers_of("cifar10", paths)
    prepare("cifar10", folder, archive=paths[0], report=print, importers=importers)
    return folder


def quiet(line: str) -> None:
    pass


def as_rows(*arrays: np.ndarray[Any, Any]) -> list[bytes]:
    return sorted(image.tobytes() for images in arrays for image in images)


def test_the_digits_are_the_1797_of_scikit_learn_from_black_to_white() -> None:
    data = load("digits")
    test_images, test_labels = load_test("digits")
    assert data.task == ImageTask(image_size=8, image_channels=1, num_classes=10)
    assert data.train_images.shape == (1294, 8, 8, 1)
    assert data.validation_images.shape == (144, 8, 8, 1)
    assert test_images.shape == (359, 8, 8, 1)
    assert data.train_images.dtype == np.uint8
    assert data.train_labels.dtype == test_labels.dtype == np.int32
    everything = np.concatenate([data.train_images, data.validation_images, test_images])
    assert sorted(set(np.unique(everything).tolist())) == [
        round(value * 255 / 16) for value in range(17)
    ]
    from sklearn.datasets import load_digits

    bundled = load_digits()
    assert as_rows(everything) == as_rows(np.round(bundled.data * 255 / 16).astype(np.uint8))
    labels = np.concatenate([data.train_labels, data.validation_labels, test_labels])
    assert np.bincount(labels).tolist() == np.bincount(bundled.target).tolist()


def test_an_image_keeps_its_label() -> None:
    from sklearn.datasets import load_digits

    bundled = load_digits()
    images = np.round(bundled.data * 255 / 16).astype(np.uint8)
    label_of = {image.tobytes(): label for image, label in zip(images, bundled.target, strict=True)}
    data = load("digits")
    for images, labels in (
        (data.train_images, data.train_labels),
        (data.validation_images, data.validation_labels),
        load_test("digits"),
    ):
        assert [label_of[image.tobytes()] for image in images] == labels.tolist()


def test_the_digest_is_the_same_on_every_machine() -> None:
    """Pinned: a change of the division, in NumPy's generator or here, changes every study."""
    assert load("digits", split="random").digest == "de09719f3ce3cd03"
    assert load("digits").digest == load("digits", split="stratified").digest
    assert load("digits").digest == "a960e9f98c9434bb"


def test_the_digest_tells_seeds_and_limits_apart() -> None:
    digests = {
        load("digits", **choice).digest  # type: ignore[arg-type]
        for choice in (
            {},
            {"split_seed": 1},
            {"train_limit": 100},
            {"validation_fraction": 0.2},
        )
    }
    assert len(digests) == 4
    assert load("digits", split_seed=1).digest in digests


def test_a_limit_keeps_the_first_training_images_and_all_of_validation() -> None:
    data, few = load("digits"), load("digits", train_limit=100)
    np.testing.assert_array_equal(few.train_images, data.train_images[:100])
    np.testing.assert_array_equal(few.train_labels, data.train_labels[:100])
    np.testing.assert_array_equal(few.validation_images, data.validation_images)
    assert len(load("digits", train_limit=1294).train_labels) == 1294


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"train_limit": 0}, "train_limit=0: there are 1,294 training images; give"),
        ({"train_limit": -5}, "train_limit=-5"),
        ({"train_limit": 1295}, "train_limit=1295: there are 1,294 training images; give"),
        ({"validation_fraction": 0.0}, r"validation_fraction=0\.0"),
        ({"validation_fraction": 1.0}, r"validation_fraction=1\.0"),
        ({"validation_fraction": float("nan")}, "validation_fraction=nan"),
        ({"validation_fraction": 1e-9}, "1438 of 1438 images for training and 0 for validation"),
        ({"split_seed": -1}, "split_seed=-1 is negative"),
    ],
)
def test_an_impossible_division_is_refused(choice: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        load("digits", **choice)


@given(
    counts=st.lists(st.integers(0, 300), min_size=1, max_size=12),
    fraction=st.floats(0.001, 0.999),
    seed=st.integers(0, 2**63),
    split=st.sampled_from(["stratified", "random"]),
)
def test_train_and_validation_are_disjoint_and_together_everything(
    counts: list[int], fraction: float, seed: int, split: Any
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    num_images = len(labels)
    num_validation = round(fraction * num_images)
    try:
        train, validation = divide(labels, fraction, seed, None, split)
    except DataError:
        spare = sum(max(count - 1, 0) for count in counts)
        too_many = num_validation > spare if split == "stratified" else False
        assert num_validation in (0, num_images) or too_many
        return
    assert len(validation) == num_validation
    assert sorted([*train, *validation]) == list(range(num_images))
    again = divide(labels, fraction, seed, len(train), split)
    assert again[0].tolist() == train.tolist()
    assert again[1].tolist() == validation.tolist()


@given(
    counts=st.lists(st.integers(0, 300), min_size=1, max_size=12),
    fraction=st.floats(0.01, 0.5),
    seed=st.integers(0, 2**63),
)
def test_a_stratified_split_has_every_class_in_its_share(
    counts: list[int], fraction: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    assume(1 <= round(fraction * len(labels)) <= sum(max(count - 1, 0) for count in counts))
    train, validation = divide(labels, fraction, seed, None, "stratified")
    share = len(validation) / len(labels)
    tiny = any(0 < count < 2 / (1 - share) for count in counts)  # others take over for those
    for label, count in enumerate(counts):
        kept_out = np.count_nonzero(labels[validation] == label)
        if count:
            assert np.count_nonzero(labels[train] == label) >= 1
        if not tiny:
            assert np.floor(share * count) <= kept_out <= np.ceil(share * count)


def test_the_rest_goes_to_the_largest_remainders() -> None:
    """10 of 100: of 52, 26, 15 and 7 images 5.2, 2.6, 1.5 and 0.7 would be kept out."""
    labels = np.repeat([0, 1, 2, 3], [52, 26, 15, 7])
    for seed in range(5):
        _, validation = divide(labels, 0.1, seed, None, "stratified")
        assert np.bincount(labels[validation]).tolist() == [5, 3, 1, 1]


def test_a_class_of_one_image_is_trained_on() -> None:
    labels = np.repeat(np.arange(11), [1] * 10 + [20])
    for seed in range(20):
        train, validation = divide(labels, 0.5, seed, None, "stratified")
        assert len(validation) == 15
        assert set(labels[train]) == set(range(11))


def test_of_many_classes_alike_chance_decides_which_are_kept_out_of() -> None:
    """5 of 50 with five images each, a tie of all remainders: not the first by number."""
    labels = np.repeat(np.arange(50), 5)
    chosen = [divide(labels, 0.02, seed, None, "stratified")[1] for seed in range(20)]
    assert len({label for validation in chosen for label in labels[validation]}) > 25


def test_the_training_images_come_in_no_order_of_classes() -> None:
    labels = np.repeat(np.arange(10), 100)
    train, validation = divide(labels, 0.1, 0, None, "stratified")
    for order in (train, validation):
        assert len(set(labels[order[:40]])) >= 8  # in order there would be one or two


def test_too_much_validation_for_the_smallest_classes_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"of 8 images in 4 classes leaves some class no image to train on"
    ):
        divide(np.repeat(np.arange(4), 2), 0.7, 0, None, "stratified")


def test_train_and_validation_are_the_train_split_and_nothing_of_the_test_split(tiny: Path) -> None:
    drawn = draw("cifar10", 40, 20)
    data = load("cifar10", data_dir=tiny, validation_fraction=0.25, report=quiet)
    assert (len(data.train_labels), len(data.validation_labels)) == (30, 10)
    assert as_rows(data.train_images, data.validation_images) == as_rows(drawn["train"][0])
    test_images, test_labels = load_test("cifar10", data_dir=tiny)
    assert as_rows(test_images) == as_rows(drawn["test"][0])
    assert np.bincount(data.validation_labels).tolist() == [1] * 10
    assert np.bincount(test_labels).tolist() == [2] * 10


def test_the_test_split_may_be_unreadable_for_a_search(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "cifar10", tmp_path / "cifar10")
    [shard] = (tmp_path / "cifar10" / "3.0.2").glob("*-test.array_record*")
    shard.write_bytes(b"")
    assert len(load("cifar10", data_dir=tmp_path, report=quiet).train_labels) == 36
    with pytest.raises(DataError, match=f"{shard.name} cannot be read"):
        load_test("cifar10", data_dir=tmp_path)


def test_unlabelled_images_are_left_out_and_said_every_time(tmp_path: Path) -> None:
    labels = [number % 3 if number % 10 else -1 for number in range(50)]
    prepare_swatches(tmp_path, labels=labels)
    for _ in range(2):  # decoded, and from the cache
        lines: list[str] = []
        data = load("swatches", data_dir=tmp_path, report=lines.append)
        assert len(data.train_labels) + len(data.validation_labels) == 45
        assert lines[-1] == "swatches: 5 of 50 images have no class (label -1) and are left out"


def test_validation_is_the_data_sets_own_where_it_has_some(tmp_path: Path) -> None:
    """Three shards of 50 images, and 6 that validate."""
    features = {
        "image": tfds.features.Image(shape=(45, 45, 1)),
        "label": tfds.features.ClassLabel(num_classes=2),
    }
    drawn = {
        split: [noise(45, 45, 1, seed=first + index) for index in range(number)]
        for split, first, number in (("train", 0, 50), ("validation", 100, 6), ("test", 200, 3))
    }
    rows = {
        split: [{"image": png(image), "label": index % 2} for index, image in enumerate(images)]
        for split, images in drawn.items()
    }
    prepare_other(tmp_path, "blots", features, rows, num_shards=3)
    own = load("blots", data_dir=tmp_path, report=quiet)
    assert own.task == ImageTask(image_size=45, image_channels=1, num_classes=2)
    assert (own.validation, own.has_test) == ("own", True)
    assert as_rows(own.train_images) == as_rows(np.stack(drawn["train"]))
    assert as_rows(own.validation_images) == as_rows(np.stack(drawn["validation"]))
    lines: list[str] = []
    again = load("blots", data_dir=tmp_path, train_limit=10, report=lines.append)
    np.testing.assert_array_equal(again.train_images, own.train_images[:10])
    assert (again.validation_images == own.validation_images).all()
    assert lines == []  # both splits were kept
    split = DataSpec(validation="split")
    part = load("blots", data_dir=tmp_path, options=split, report=lines.append)
    assert (part.validation, len(part.train_labels), len(part.validation_labels)) == (
        "split",
        45,
        5,
    )
    assert lines == ["blots: its own 6 validation images are left out"]


def test_a_data_set_without_validation_images_has_none_of_its_own(tiny: Path) -> None:
    own = DataSpec(validation="own")
    with pytest.raises(DataError, match="cifar10 has no validation images of its own; leave"):
        load("cifar10", data_dir=tiny, options=own, report=quiet)
    data = load("cifar10", data_dir=tiny, report=quiet)
    assert (data.validation, data.has_test) == ("split", True)


def test_cifar100_has_coarse_labels_too_and_converts_to_another_size(tmp_path: Path) -> None:
    drawn = draw("cifar100", 200, 100)
    paths = write_originals("cifar100", tmp_path, drawn)
    importers = importers_of("cifar100", paths)
    prepare("cifar100", tmp_path, archive=paths[0], report=quiet, importers=importers)
    coarse = DataSpec(label="coarse_label")
    data = load("cifar100", data_dir=tmp_path, options=coarse, report=quiet)
    assert data.task == ImageTask(image_size=32, image_channels=3, num_classes=20)
    assert find_task("cifar100", data_dir=tmp_path, options=coarse) == data.task
    label_of = {image.tobytes(): label // 5 for image, label in zip(*drawn["train"], strict=True)}
    assert [label_of[image.tobytes()] for image in data.train_images] == data.train_labels.tolist()
    fine = load("cifar100", data_dir=tmp_path, report=quiet)  # kept beside it
    assert fine.task.num_classes == 100
    small = DataSpec(image_size=16)
    data = load("cifar100", data_dir=tmp_path, options=small, report=quiet)
    assert data.train_images.shape == (180, 16, 16, 3)
    assert find_task("cifar100", data_dir=tmp_path / "elsewhere", options=small) == data.task
    assert load_test("cifar100", data_dir=tmp_path, options=coarse)[1].max() == 19


def test_the_version_and_what_decoded_it_are_told(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.10.0"):
        prepare_swatches(tmp_path, labels=[0, 1, 2] * 5, version=version, seed=len(version))
    newest = load("swatches", data_dir=tmp_path, report=quiet)
    older = load("swatches:1.0.0", data_dir=tmp_path, report=quiet)
    assert (newest.version, older.version) == ("1.10.0", "1.0.0")
    assert newest.digest != older.digest
    assert newest.decoder == f"Pillow {PIL.__version__}"
    assert newest.class_names == ("red", "green", "blue")
    digits = load("digits")
    assert (digits.version, digits.decoder) == (None, None)
    assert digits.class_names == tuple("0123456789")
    assert versions("swatches", data_dir=tmp_path) == ["1.10.0", "1.0.0"]
    assert versions("digits", data_dir=tmp_path) == []


def test_the_second_time_is_silent_and_equal(tiny: Path) -> None:
    lines: list[str] = []
    first = load("cifar10", data_dir=tiny, report=lines.append)
    again = load("cifar10", data_dir=tiny, report=lines.append)
    assert len(lines) == 1
    assert "decoding the images" in lines[0]
    assert first.digest == again.digest
    np.testing.assert_array_equal(first.train_images, again.train_images, strict=True)


def test_the_tasks_of_the_known_data_sets_need_no_files(tmp_path: Path) -> None:
    tasks = {
        "digits": (8, 1, 10),
        "cifar10": (32, 3, 10),
        "cifar100": (32, 3, 100),
        "mnist": (28, 1, 10),
        "fashion_mnist": (28, 1, 10),
    }
    for dataset, (size, channels, classes) in tasks.items():
        assert find_task(dataset, data_dir=tmp_path) == ImageTask(
            image_size=size, image_channels=channels, num_classes=classes
        )


def test_the_task_of_another_data_set_needs_its_directory(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set is called 'flowers'.*--data-dir DIR"):
        find_task("flowers", data_dir=tmp_path)
    with pytest.raises(DataError, match="TFDS needs TensorFlow to prepare it"):
        find_task("oxford_flowers102", data_dir=tmp_path)
    with pytest.raises(DataError, match=r"run `python -m search\.data prepare cifar10`"):
        load_test("cifar10", data_dir=tmp_path)
    shutil.copytree(tiny / "cifar10", tmp_path / "flowers")
    info = tmp_path / "flowers" / "3.0.2" / "dataset_info.json"
    info.write_text(info.read_text().replace('"cifar10"', '"flowers"'))
    task = ImageTask(image_size=32, image_channels=3, num_classes=10)
    assert find_task("flowers", data_dir=tmp_path) == task


def test_something_else_under_a_known_name_is_refused(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "cifar10", tmp_path / "cifar100")
    with pytest.raises(DataError, match=r"what is prepared as cifar100 has .*num_classes=10"):
        load("cifar100", data_dir=tmp_path, report=quiet)


def test_a_data_directory_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    for ask in (load, load_test):
        with pytest.raises(DataError, match="is not a folder; create it"):
            ask("cifar10", data_dir=tmp_path / "absent")
    with pytest.raises(DataError, match="is not a folder; create it"):
        find_task("flowers", data_dir=tmp_path / "absent")


def test_the_package_loads_neither_tfds_nor_scikit_learn() -> None:
    code = (
        "import sys, search.data; print({'tensorflow_datasets', 'sklearn', 'jax'} & {*sys.modules})"
    )
    root = Path(__file__).parents[1]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert out.stdout == "set()\n", out.stderr


def test_the_real_cifar10_has_5000_images_of_each_class(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (SHARED / "cifar10").is_dir():
        pytest.skip(f"no prepared CIFAR-10 in {SHARED}")
    # Decoded once, not once a test run: in .pytest_cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(request.config.cache.mkdir("real-cifar10")))
    data = load("cifar10", data_dir=SHARED, report=quiet)
    assert np.bincount(data.validation_labels).tolist() == [500] * 10
    assert data.train_images.shape == (45_000, 32, 32, 3)
    assert data.validation_images.shape == (5_000, 32, 32, 3)
    labels = np.concatenate([data.train_labels, data.validation_labels])
    assert np.bincount(labels).tolist() == [5_000] * 10
    # 120.7 and 64.2, known from every recipe's (0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.262)
    assert data.train_images[::10].mean() == pytest.approx(120.7, abs=1)
    assert data.train_images[::10].std() == pytest.approx(64.2, abs=1)
    validation = {image.tobytes() for image in data.validation_images}
    assert len(validation & {image.tobytes() for image in data.train_images}) < 50  # twins in CIFAR
