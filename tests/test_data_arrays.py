from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import SHARED, draw, importers_of, isolate, write_originals
from hypothesis import given
from hypothesis import strategies as st

from search.data import DataError, find_task, load, load_test
from search.data.arrays import _divide
from search.data.preparation import prepare
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
    assert load("digits").digest == "de09719f3ce3cd03"


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
    num_images=st.integers(2, 3000),
    fraction=st.floats(0.001, 0.999),
    seed=st.integers(0, 2**63),
)
def test_train_and_validation_are_disjoint_and_together_everything(
    num_images: int, fraction: float, seed: int
) -> None:
    try:
        train, validation = _divide(num_images, fraction, seed, None)
    except DataError:
        assert round(fraction * num_images) in (0, num_images)
        return
    assert len(validation) == round(fraction * num_images)
    assert sorted([*train, *validation]) == list(range(num_images))
    again = _divide(num_images, fraction, seed, len(train))
    assert again[0].tolist() == train.tolist()
    assert again[1].tolist() == validation.tolist()


def test_train_and_validation_are_the_train_split_and_nothing_of_the_test_split(tiny: Path) -> None:
    drawn = draw("cifar10", 40, 20)
    data = load("cifar10", data_dir=tiny, validation_fraction=0.25, report=quiet)
    assert (len(data.train_labels), len(data.validation_labels)) == (30, 10)
    assert as_rows(data.train_images, data.validation_images) == as_rows(drawn["train"][0])
    test_images, test_labels = load_test("cifar10", data_dir=tiny)
    assert as_rows(test_images) == as_rows(drawn["test"][0])
    assert np.bincount(test_labels).tolist() == [2] * 10


def test_the_test_split_may_be_unreadable_for_a_search(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "cifar10", tmp_path / "cifar10")
    [shard] = (tmp_path / "cifar10" / "3.0.2").glob("*-test.array_record*")
    shard.write_bytes(b"")
    assert len(load("cifar10", data_dir=tmp_path, report=quiet).train_labels) == 36
    with pytest.raises(DataError, match=f"{shard.name} cannot be read"):
        load_test("cifar10", data_dir=tmp_path)


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
    assert data.train_images.shape == (45_000, 32, 32, 3)
    assert data.validation_images.shape == (5_000, 32, 32, 3)
    labels = np.concatenate([data.train_labels, data.validation_labels])
    assert np.bincount(labels).tolist() == [5_000] * 10
    # 120.7 and 64.2, known from every recipe's (0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.262)
    assert data.train_images[::10].mean() == pytest.approx(120.7, abs=1)
    assert data.train_images[::10].std() == pytest.approx(64.2, abs=1)
    validation = {image.tobytes() for image in data.validation_images}
    assert len(validation & {image.tobytes() for image in data.train_images}) < 50  # twins in CIFAR
