"""A folder of images: what is read of it, and the sentence for what cannot be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import SHARED, isolate, prepare_other
from pictures import draw_classes, noise, png, save, write_by_class, write_folder
from PIL import Image

from runs.reader import open_reader
from search import run
from search.data import DataError, ImageData, find_task, from_arrays, load, load_test
from search.data import folder_source as module
from search.spec.data_spec import AS_THEY_ARE, DataSpec
from space.config import ImageTask

SIX = DataSpec(image_size=6)


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pets"


def read(root: Path, options: DataSpec = AS_THEY_ARE, fraction: float = 0.25) -> ImageData:
    return load(f"folder:{root}", options=options, validation_fraction=fraction, report=[].append)


def said(root: Path, options: DataSpec = AS_THEY_ARE) -> list[str]:
    lines: list[str] = []
    load(f"folder:{root}", options=options, validation_fraction=0.25, report=lines.append)
    return [line.partition(": ")[2] for line in lines if "decoding" not in line]


def label_of(data: ImageData) -> dict[bytes, str]:
    images = [*data.train_images, *data.validation_images]
    labels = [*data.train_labels, *data.validation_labels]
    return {
        image.tobytes(): data.class_names[label]
        for image, label in zip(images, labels, strict=True)
    }


def test_subfolders_are_the_classes(root: Path) -> None:
    names = [f"{name}/{i}.png" for name in ("cat", "giraffe", "bee") for i in range(6)]
    pictures = {name: noise(8, 8, seed=seed) for seed, name in enumerate(names)}
    data = read(write_folder(root, pictures))
    assert data.class_names == ("bee", "cat", "giraffe")
    assert data.task == ImageTask(image_size=8, image_channels=3, num_classes=3)
    assert (len(data.train_labels), len(data.validation_labels)) == (14, 4)
    assert label_of(data) == {
        pixels.tobytes(): name.partition("/")[0] for name, pixels in pictures.items()
    }
    assert (data.validation, data.has_test, data.version) == ("split", False, None)
    assert find_task(f"folder:{root}") == data.task


@pytest.mark.parametrize("called", ["val", "validation"])
def test_train_validation_and_test_may_stand_above_the_classes(root: Path, called: str) -> None:
    for number, (split, count) in enumerate((("train", 8), (called, 2), ("test", 3))):
        for label, name in enumerate(("cat", "dog")):
            for i in range(count):
                pixels = noise(8, 8, seed=1000 * number + 10 * label + i)
                save(root / split / name / f"{i}.png", pixels)
    data = read(root)
    assert (len(data.train_labels), len(data.validation_labels)) == (16, 4)
    assert (data.validation, data.has_test) == ("own", True)
    test_images, test_labels = load_test(f"folder:{root}")
    assert test_labels.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(test_images[1], noise(8, 8, seed=2001))
    half = read(root, DataSpec(validation="split"), fraction=0.5)
    assert (half.validation, len(half.train_labels), len(half.validation_labels)) == ("split", 8, 8)
    assert "its own 4 validation images are left out" in said(root, DataSpec(validation="split"))


def test_a_class_may_be_called_as_a_split_is(root: Path) -> None:
    draw_classes(root, ["bus", "test", "train"])
    assert read(root).class_names == ("bus", "test", "train")


def test_folders_in_a_class_belong_to_it_and_what_systems_leave_does_not(root: Path) -> None:
    draw_classes(root, ["cat", "dog"])
    save(root / "cat" / "2026" / "may" / "x.png", noise(8, 8, seed=99))
    for litter in (".DS_Store", "cat/Thumbs.db", "dog/desktop.ini", "cat/.hidden.png"):
        (root / litter).write_bytes(b"not an image")
    (root / "__MACOSX").mkdir()
    (root / ".git").mkdir()
    data = read(root)
    assert data.class_names == ("cat", "dog")
    assert label_of(data)[noise(8, 8, seed=99).tobytes()] == "cat"
    assert len(label_of(data)) == 9


def test_what_lies_beside_the_class_folders_is_counted(root: Path) -> None:
    draw_classes(root, ["cat", "dog"])
    (root / "README.txt").touch()
    assert said(root) == ["files beside the class folders have no class and are left out: 1"]


def test_grey_images_among_coloured_ones_become_colour(root: Path) -> None:
    draw_classes(root, ["cat", "dog"])
    grey = noise(8, 8, 1, seed=50)
    save(root / "cat" / "grey.png", grey)
    data = read(root)
    assert label_of(data)[np.repeat(grey, 3, axis=2).tobytes()] == "cat"
    assert said(root) == ["1 of 9 train images are grey among coloured ones"]


def test_a_folder_of_grey_images_is_grey_whatever_its_test_images_are(root: Path) -> None:
    draw_classes(root / "train", ["cat", "dog"], size=45, channels=1)
    draw_classes(root / "test", ["cat", "dog"], size=45, channels=3)
    assert read(root).task == ImageTask(image_size=45, image_channels=1, num_classes=2)
    lines: list[str] = []
    images, _ = load_test(f"folder:{root}", report=lines.append)
    assert images.shape == (8, 45, 45, 1)
    assert lines[-1] == f"folder:{root}: 8 of 8 test images lose their colours"


def test_a_photograph_is_turned_as_its_camera_says(root: Path) -> None:
    draw_classes(root, ["cat", "dog"])
    pixels = noise(8, 8, seed=60)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees, clockwise
    Image.fromarray(pixels).save(root / "cat" / "turned.png", exif=exif)
    assert label_of(read(root))[np.rot90(pixels, -1).tobytes()] == "cat"


def test_images_of_any_size_are_converted_and_counted(root: Path) -> None:
    draw_classes(root, ["cat", "dog"], size=6)
    save(root / "cat" / "oblong.png", noise(6, 10, seed=70))
    data = read(root, SIX)
    assert data.train_images.shape[1:] == (6, 6, 3)
    assert noise(6, 10, seed=70)[:, 2:8].tobytes() in label_of(data)  # its middle
    assert said(root, SIX) == [
        "1 of 9 train images are converted to 6 x 6 pixels (resize = 'crop')"
    ]
    assert find_task(f"folder:{root}", options=SIX) == data.task


def test_what_was_decoded_is_kept_until_a_file_or_an_option_changes(root: Path) -> None:
    def decoded(options: DataSpec = SIX) -> bool:
        lines: list[str] = []
        load(f"folder:{root}", options=options, report=lines.append, validation_fraction=0.25)
        assert any("converted to" in line for line in lines)
        return any("decoding" in line for line in lines)

    draw_classes(root, ["cat", "dog"])
    assert [decoded(), decoded()] == [True, False]
    assert [decoded(DataSpec(image_size=6, resize="pad")), decoded()] == [True, False]
    assert [decoded(DataSpec(image_size=4)), decoded(DataSpec(image_size=4))] == [True, False]
    os.utime(root / "cat" / "000.png", (1, 1))
    assert [decoded(), decoded()] == [True, False]
    (root / "dog" / "000.png").rename(root / "dog" / "zzz.png")
    assert [decoded(), decoded()] == [True, False]
    (root / "cat").rename(root / "wolf")
    assert [decoded(), decoded()] == [True, False]


def broken(root: Path) -> Path:
    draw_classes(root, ["cat", "dog"])
    (root / "cat" / "notes.txt").write_text("three cats")
    whole = (root / "cat" / "000.png").read_bytes()
    (root / "dog" / "half.png").write_bytes(whole[: len(whole) // 2])
    (root / "dog" / "round.png").symlink_to("round.png")
    return root


def test_a_file_that_is_no_image_is_named(root: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"cat/notes\.txt cannot be read as an image \(not an image .*--skip-broken",
    ) as caught:
        read(broken(root))
    assert "delete" not in str(caught.value)


@pytest.mark.parametrize("file", ["half.png", "round.png"])
def test_half_an_image_and_a_link_to_itself_are_named_too(root: Path, file: str) -> None:
    broken(root)
    for other in {"cat/notes.txt", "dog/half.png", "dog/round.png"} - {f"dog/{file}"}:
        (root / other).unlink()
    with pytest.raises(DataError, match=f"dog/{file} cannot be read as an image"):
        read(root)


def test_broken_files_are_skipped_and_counted_where_that_is_asked_for(root: Path) -> None:
    broken(root)
    for _ in range(2):  # decoded, and kept
        [line] = said(root, DataSpec(skip_broken=True))
        assert line.startswith("3 of 11 train files cannot be read and are left out: cat/notes.txt")
        assert "dog/round.png (Too many levels of symbolic links)" in line
    assert len(label_of(read(root, DataSpec(skip_broken=True)))) == 8
    with pytest.raises(DataError, match="cannot be read as an image"):
        read(root)  # what was kept then is not believed now


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_named(root: Path) -> None:
    draw_classes(root, ["cat", "dog"])
    (root / "cat" / "000.png").chmod(0)
    with pytest.raises(DataError, match=r"cat/000\.png cannot be read .*Permission denied"):
        read(root)


def test_a_class_whose_images_are_all_broken_is_an_empty_class(root: Path) -> None:
    draw_classes(root, ["cat", "dog"])
    for file in (root / "dog").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match="class 'dog' has no image to train on; add some"):
        read(root, DataSpec(skip_broken=True))


def test_an_image_of_more_pixels_than_pillow_trusts_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_classes(root, ["cat", "dog"])
    save(root / "cat" / "huge.png", noise(40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match=r"huge\.png cannot be read as an image .*1600 pixels"):
        read(root, SIX)


def spoil(*steps: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        for step in steps:
            step(root)

    return damage


def two(root: Path) -> None:
    draw_classes(root, ["cat", "dog"])


def splits(*names: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for name in names:
            draw_classes(root / name, ["cat", "dog"])

    return write


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda root: None, "is no folder; name one like folder:PATH"),
        (lambda root: root.touch(), "is no folder"),
        (lambda root: root.mkdir(), "has no folders; put the images of each class in a folder"),
        (lambda root: save(root / "cat.png", noise(8, 8)), "has no folders; put the images"),
        (lambda root: draw_classes(root, ["cat"]), r"has one class \(cat\), .* tells 2 or more"),
        (spoil(two, lambda root: (root / "eel").mkdir()), "class 'eel' has no image to train on"),
        (
            spoil(two, lambda root: [(root / name).mkdir() for name in ("eel", "bee")]),
            r"classes \(bee, eel\) have no image to train on",
        ),
        (lambda root: draw_classes(root, ["Cat", "cat"]), "'Cat' and 'cat', two spellings of one"),
        (lambda root: draw_classes(root, ["é", "e\u0301"]), "two spellings of one name"),
        (lambda root: draw_classes(root, ["cat", "d\nog"]), "a class named .*; give it a name"),
        (
            spoil(two, lambda root: (root / "cat" / "up").symlink_to("..")),
            "is a link to a folder that contains it; take the link away",
        ),
        (splits("val", "test"), "has test, val and no train; put the images to train on"),
        (splits("train", "val", "validation"), "val and validation, and both are the validation"),
        (splits("train", "extra"), r"folders of splits \(train\) beside others \(extra\)"),
        (
            lambda root: [save(root / s / "1.png", noise(8, 8)) for s in ("train", "test")],
            "train has no folders; put the images of each class in a folder of its name",
        ),
        (
            spoil(splits("train"), lambda root: draw_classes(root / "val", ["cats", "dog"])),
            r"val/cats is no class of the training images .did you mean 'cat'",
        ),
        (
            spoil(two, lambda root: save(root / "dog" / "x.png", noise(8, 9))),
            r"vary in size .dog/x\.png has 8 rows and 9 columns, another 8 of both.; add `im",
        ),
        (
            lambda root: [save(root / n / "1.png", noise(8, 9)) for n in "ab"],
            r"not square .a/1.png has 8 rows and 9 columns.; add `image_size = 64`",
        ),
    ],
)
def test_a_folder_that_cannot_be_is_a_sentence(
    root: Path, write: Callable[[Path], object], sentence: str
) -> None:
    write(root)
    with pytest.raises(DataError, match=sentence) as caught:
        read(root)
    assert "\n" not in str(caught.value)


def test_a_validation_image_of_another_size_is_refused_too(root: Path) -> None:
    splits("train")(root)
    save(root / "val" / "cat" / "small.png", noise(4, 4))
    with pytest.raises(DataError, match=r"vary in size .val/cat/small\.png"):
        read(root)


def test_a_label_is_no_choice_here(root: Path) -> None:
    two(root)
    with pytest.raises(DataError, match=r"one class for each image.*leave it out"):
        read(root, DataSpec(label="fine"))


@pytest.mark.parametrize("number", [1, module._BATCH])
def test_many_files_are_decoded_in_their_order(
    root: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", number)
    draw_classes(root, "abcde", number=7)
    data = read(root)
    expected = {
        noise(8, 8, seed=label * 7 + i).tobytes(): "abcde"[label]
        for label in range(5)
        for i in range(7)
    }
    assert label_of(data) == expected


def test_a_thousand_classes(root: Path) -> None:
    image = png(noise(4, 4, 1))
    for number in range(1000):
        (root / f"n{number:04d}").mkdir(parents=True)
        for name in ("a", "b"):
            (root / f"n{number:04d}" / f"{name}.png").write_bytes(image)
    data = read(root)
    assert data.task == ImageTask(image_size=4, image_channels=1, num_classes=1000)
    assert len(set(data.train_labels.tolist())) == 1000


def test_fifty_real_images_are_the_same_by_whichever_way_they_come(
    root: Path, tmp_path: Path
) -> None:
    """Equal digests: equal arrays in equal order, so that training on them is the same."""
    images, labels, names = real_images(50)
    folder = read(write_by_class(root, images, labels, names))
    arrays = from_arrays(images, labels, class_names=names, validation_fraction=0.25)
    np.savez(tmp_path / "x.npz", train_images=images, train_labels=labels, class_names=names)
    file = load(f"arrays:{tmp_path / 'x.npz'}", validation_fraction=0.25)
    prepare_real(tmp_path, images, labels, names)
    tfds = load("real", data_dir=tmp_path, validation_fraction=0.25, report=[].append)
    assert folder.digest == arrays.digest == file.digest == tfds.digest
    assert folder.class_names == arrays.class_names == file.class_names == tfds.class_names
    framed = write_framed(tmp_path / "framed", images, labels, names)
    assert read(framed, DataSpec(image_size=32)).digest == tfds.digest


@pytest.mark.slow
def test_a_study_on_a_folder_of_real_images_is_the_one_on_the_same_images_of_tfds(
    tmp_path: Path,
) -> None:
    images, labels, names = real_images(2000)
    prepare_real(tmp_path, images, labels, names)
    write_framed(tmp_path / "framed", images, labels, names)
    accuracies = {}
    for dataset in ("real", f"folder:{tmp_path / 'framed'}"):
        name = dataset.partition(":")[0]
        study = tmp_path / f"{name}.toml"
        study.write_text(STUDY.format(name=name, dataset=dataset))
        storage = f"sqlite:///{tmp_path}/s.db"
        options = ["--storage", storage, "--data-dir", str(tmp_path)]
        assert run.main(["--study", str(study), *options]) == 0
        with open_reader(storage) as store:
            accuracies[name] = [trial.accuracy for trial in store.trials(name)]
    assert accuracies["folder"] == accuracies["real"]
    assert len(set(accuracies["real"])) == 3
    assert min(accuracies["real"]) > 0.15  # of 10 classes: something was learned


STUDY = """
name = "{name}"
dataset = "{dataset}"
trials = 2
baselines = 1
max_flops = "2M"
data = {{ image_size = 32 }}
rungs = {{ count = 0 }}
recipe = {{ epochs = 5, batch_size = 64 }}
"""


def real_images(number: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """So many CIFAR-10 training images as TFDS decodes them, class after class."""
    if not (SHARED / "cifar10").is_dir():
        pytest.skip(f"no prepared CIFAR-10 in {SHARED}")
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(SHARED / "cifar10" / "3.0.2")
    rows = list(builder.as_data_source(f"train[:{number}]"))
    labels = np.array([row["label"] for row in rows])
    order = np.argsort(labels, kind="stable")
    images = np.stack([row["image"] for row in rows])
    return images[order], labels[order], tuple(builder.info.features["label"].names)


def prepare_real(
    folder: Path, images: np.ndarray, labels: np.ndarray, names: tuple[str, ...]
) -> None:
    """The images as TFDS keeps them, in their order."""
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=(32, 32, 3)),
        "label": tfds.features.ClassLabel(names=list(names)),
    }
    rows = [
        {"image": png(pixels), "label": label} for pixels, label in zip(images, labels, strict=True)
    ]
    prepare_other(folder, "real", features, {"train": rows}, in_order=True)


def write_framed(
    root: Path, images: np.ndarray, labels: np.ndarray, names: tuple[str, ...]
) -> Path:
    """The images as files of many sizes, framed so that cropping takes the frames away again."""
    rng = np.random.default_rng(0)
    for index, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        width = int(rng.integers(1, 20))
        rows, columns = [(0, 0), (width, 0), (0, width)][index % 3]
        framed = np.pad(pixels, ((rows, rows), (columns, columns), (0, 0)))
        save(root / names[label] / f"{index:05d}.png", framed)
    return root
