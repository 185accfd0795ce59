"""Arrays, from a file and from Python: what is read of them, and the sentence for what is not."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import noise

from search.data import DataError, find_task, from_arrays, load, load_test
from search.data.resize import resized
from search.spec.data_spec import DataSpec
from space.config import ImageTask


def arrays(number: int = 12, size: int = 6, channels: int = 3, classes: int = 3) -> dict[str, Any]:
    """No two images alike; labels name every class in turn."""
    return {
        "train_images": np.stack([noise(size, size, channels, seed) for seed in range(number)]),
        "train_labels": np.arange(number) % classes,
    }


def read(folder: Path, given: dict[str, Any], **choices: Any) -> Any:
    np.savez(folder / "x.npz", **given)
    return load(f"arrays:{folder / 'x.npz'}", report=[].append, **choices)


def test_a_file_and_arrays_in_memory_are_the_same(tmp_path: Path) -> None:
    given = arrays()
    file = read(tmp_path, given, validation_fraction=0.25)
    memory = load(given, validation_fraction=0.25)
    spelt = from_arrays(**given, validation_fraction=0.25)
    assert file.digest == memory.digest == spelt.digest
    assert file.task == ImageTask(image_size=6, image_channels=3, num_classes=3)
    assert find_task(f"arrays:{tmp_path / 'x.npz'}") == file.task
    assert (len(file.train_labels), len(file.validation_labels)) == (9, 3)
    assert file.class_names == ("0", "1", "2")
    assert (file.version, file.decoder, file.validation) == (None, None, "split")
    assert (file.name, memory.name) == (f"arrays:{tmp_path / 'x.npz'}", "arrays")
    assert load(memory) is memory


def test_an_image_keeps_its_label_and_nothing_is_lost() -> None:
    given = arrays()
    data = load(given, validation_fraction=0.25)
    label_of = {
        image.tobytes(): label
        for image, label in zip(given["train_images"], given["train_labels"], strict=True)
    }
    images = [*data.train_images, *data.validation_images]
    labels = [*data.train_labels, *data.validation_labels]
    assert {image.tobytes() for image in images} == set(label_of)
    assert [label_of[image.tobytes()] for image in images] == labels


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint32])
def test_grey_images_need_no_channel_and_labels_any_whole_type(dtype: Any) -> None:
    given = arrays(channels=1)
    flat = {
        "train_images": given["train_images"].squeeze(-1),
        "train_labels": given["train_labels"].astype(dtype),
    }
    assert load(flat, validation_fraction=0.25).digest == (
        load(given, validation_fraction=0.25).digest
    )


def test_its_own_validation_and_test_images(tmp_path: Path) -> None:
    own = {f"validation_{key[6:]}": value[:4] for key, value in arrays(size=6).items()}
    test = {f"test_{key[6:]}": value[:2] for key, value in arrays(size=6).items()}
    names = {"class_names": ["red", "green", "blue"]}
    data = read(tmp_path, arrays() | own | test | names)
    assert (data.validation, data.has_test) == ("own", True)
    assert data.class_names == ("red", "green", "blue")
    np.testing.assert_array_equal(data.validation_images, own["validation_images"])
    assert sorted(image.tobytes() for image in data.train_images) == sorted(
        image.tobytes() for image in arrays()["train_images"]
    )
    assert data.train_labels.tolist() != arrays()["train_labels"].tolist()  # shuffled
    few = read(tmp_path, arrays() | own, train_limit=5)
    np.testing.assert_array_equal(few.train_images, data.train_images[:5])
    images, labels = load_test(arrays() | test)
    np.testing.assert_array_equal(images, test["test_images"])
    assert labels.tolist() == [0, 1]
    with pytest.raises(DataError, match="has no validation images of its own; leave valid"):
        load(arrays(), options=DataSpec(validation="own"))
    with pytest.raises(DataError, match="has no test images, so nothing can be confirmed"):
        load_test(arrays())


def test_arrays_are_converted_too() -> None:
    given = arrays()
    given["train_images"] = given["train_images"][:, :, 1:5]
    with pytest.raises(DataError, match=r"not square .6 rows and 4 columns.; add `image_size"):
        load(given)
    lines: list[str] = []
    options = DataSpec(image_size=3, resize="pad")
    data = load(given, options=options, validation_fraction=0.25, report=lines.append)
    assert lines == ["arrays: 12 of 12 train images are converted to 3 x 3 pixels (resize = 'pad')"]
    expected = {resized(image, 3, "pad").tobytes() for image in given["train_images"]}
    assert {image.tobytes() for image in data.train_images} <= expected
    assert data.decoder is not None
    assert data.decoder.startswith("Pillow")


def test_classes_without_an_image_are_said_where_they_have_names() -> None:
    lines: list[str] = []
    names = [f"class {number}" for number in range(1000)]
    data = load(arrays() | {"class_names": names}, validation_fraction=0.25, report=lines.append)
    assert data.task.num_classes == 1000
    [line] = lines
    assert line.startswith("arrays: 997 of 1,000 classes have no image: class 3, class 4, class 5")


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in arrays().items() if name != key}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "has no train_images; save it with"),
        (without("train_labels"), "has no train_labels"),
        (without("train_images") | {"x_train": np.zeros(3)}, "holds 'x_train'.*; known are train_"),
        (arrays() | {"test_images": np.zeros((1, 6, 6, 3), np.uint8)}, "has no test_labels"),
        (arrays() | {"validation_labels": np.zeros(1, int)}, "has no validation_images"),
        (arrays() | {"train_image": np.zeros(3)}, "'train_image' .did you mean 'train_images'"),
        (
            arrays() | {"train_images": arrays()["train_images"].astype(np.float32) / 255},
            r"train_images are float32; images are uint8 .*: 0 is dark, 255 bright",
        ),
        (
            arrays() | {"train_images": arrays()["train_images"].transpose(0, 3, 1, 2)},
            r"train_images have the shape \(12, 3, 6, 6\); images are uint8 \[images, rows",
        ),
        (arrays() | {"train_images": np.zeros((12, 6, 6, 4), np.uint8)}, r"shape \(12, 6, 6, 4\)"),
        (arrays() | {"train_images": np.zeros((12, 0, 0, 3), np.uint8)}, r"shape \(12, 0, 0, 3\)"),
        (arrays() | {"train_images": np.zeros((12, 36), np.uint8)}, r"shape \(12, 36\)"),
        (
            arrays() | {"train_labels": np.arange(11) % 3},
            "are 12 and train_labels 11; there is",
        ),
        (
            {"train_images": np.zeros((0, 6, 6, 3), np.uint8), "train_labels": np.zeros(0, int)},
            "are 0 and train_labels 0; there is one label an image, and one image at least",
        ),
        (arrays() | {"train_labels": np.arange(12)[:, None] % 3}, r"labels are int64 of shape"),
        (arrays() | {"train_labels": np.arange(12) / 3}, "labels are float64 of shape"),
        (
            arrays() | {"train_labels": np.arange(12) % 3 - 1},
            r"train_labels\[0\] is -1; labels",
        ),
        (arrays() | {"train_labels": np.arange(12) + 2**40}, r"train_labels\[0\] is 1099511627776"),
        (arrays() | {"train_labels": np.zeros(12, int)}, r"has one class \(0\), and a network"),
        (arrays() | {"train_labels": np.arange(12) % 3 * 2}, "go up to 4 and none is 1; number"),
        (arrays() | {"train_labels": np.arange(12) * 10**8}, "go up to 1100000000 and none is 1"),
        (
            arrays() | {"class_names": ["a", "b"]},
            r"train_labels\[2\] is 2, and there are 2 classes; .* from 0 to 1",
        ),
        (
            arrays() | {"test_images": np.zeros((1, 6, 6, 3), np.uint8), "test_labels": [3]},
            r"test_labels\[0\] is 3, and there are 3 classes",
        ),
        (
            arrays() | {"test_images": np.zeros((1, 6, 6, 1), np.uint8), "test_labels": [0]},
            "test_images are 6 x 6 x 1, and train_images 6 x 6 x 3; make them alike",
        ),
        (arrays() | {"class_names": ["a", "b", "A"]}, "'a' and 'A', two spellings of one name"),
        (arrays() | {"class_names": [1, 2, 3]}, "class_names are int64 of shape .3,.; give one"),
    ],
)
def test_arrays_that_do_not_fit_are_a_sentence(
    given: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=sentence):
        load(given)
    with pytest.raises(DataError, match=sentence) as caught:
        read(tmp_path, given)
    assert "\n" not in str(caught.value)


def write_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:  # else NumPy adds .npy to the name
        np.save(file, array)


class Trap:
    """What its pickle does when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("sprung"),))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: np.savez(path, **arrays() | {"class_names": np.array([Trap()] * 3, object)}),
        lambda path: path.write_bytes(pickle.dumps(Trap())),
        lambda path: write_array(path, np.array([Trap()], object)),
    ],
    ids=["an object array", "a pickle", "a pickled array"],
)
def test_nothing_is_unpickled(write: Any, here: Path) -> None:
    write(here / "x.npz")
    with pytest.raises(DataError, match=r"x\.npz cannot be read .it holds pickled objects"):
        load("arrays:x.npz")
    assert not Path("sprung").exists()


def cut(path: Path) -> None:
    np.savez_compressed(path, **arrays())
    path.write_bytes(path.read_bytes()[:-200])


def flip(path: Path) -> None:
    np.savez_compressed(path, **arrays())
    content = bytearray(path.read_bytes())
    content[300] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (cut, "cannot be read"),
        (flip, "cannot be read"),
        (lambda path: path.touch(), "cannot be read"),
        (lambda path: path.write_text("label,pixel\n"), "cannot be read"),
        (lambda path: path.mkdir(), "Is a directory.; name a file like arrays:FILE.npz"),
        (lambda path: None, "No such file or directory.; name a file"),
        (lambda path: write_array(path, np.zeros(3)), "holds one array; save several with"),
    ],
    ids=["cut", "flipped", "empty", "text", "folder", "nothing", "npy"],
)
def test_a_file_that_holds_no_arrays_is_a_sentence(write: Any, sentence: str, here: Path) -> None:
    write(here / "x.npz")
    with pytest.raises(DataError, match=sentence):
        load("arrays:x.npz")


def test_a_label_is_no_choice_here() -> None:
    with pytest.raises(
        DataError, match=r"data\.label = 'fine' chooses among several; leave it out"
    ):
        load(arrays(), options=DataSpec(label="fine"))
