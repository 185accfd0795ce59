from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from archives import (
    cifar_members,
    draw,
    importers_of,
    isolate,
    prepare_swatches,
    serving,
    write_originals,
    write_tar,
)

from search.data import DataError, find_task, load, load_test
from search.data.preparation import prepare
from search.data.registry import IMPORTERS

SIZES = {"cifar10": (40, 20), "cifar100": (200, 100), "mnist": (30, 20), "fashion_mnist": (30, 20)}


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


def quiet(line: str) -> None:
    pass


def read_stock(dataset: str, split: str, folder: Path) -> list[dict[str, object]]:
    """What a user of stock TFDS sees."""
    source = tfds.data_source(dataset, split=split, data_dir=folder, download=False)
    return [source[index] for index in range(len(source))]


def run_python(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """A process of its own that can import our packages and the test support."""
    here = Path(__file__).parent
    path = os.pathsep.join([environment.pop("first", ""), str(here.parent), str(here)])
    return subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(code), *map(str, arguments)],
        env=os.environ | environment | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("dataset", list(SIZES))
def test_stock_tfds_reads_what_the_originals_hold(dataset: str, tmp_path: Path) -> None:
    drawn = draw(dataset, *SIZES[dataset])
    paths = write_originals(dataset, tmp_path / "originals", drawn)
    folder = tmp_path / "tfds"
    directory = prepare(
        dataset,
        folder,
        archive=tmp_path / "originals",
        report=quiet,
        importers=importers_of(dataset, paths),
    )
    assert directory == folder / dataset / str(tfds.builder_cls(dataset).VERSION)
    for split, (images, labels) in drawn.items():
        examples = read_stock(dataset, split, folder)
        if dataset.startswith("cifar"):  # ids tell which original each one is
            order = [int(bytes(example["id"]).removeprefix(f"{split}_".encode()))
                     for example in examples]  # fmt: skip
        else:
            order = [
                next(i for i in range(len(images)) if (images[i] == example["image"]).all())
                for example in examples
            ]
        assert sorted(order) == list(range(len(images)))
        np.testing.assert_array_equal([example["image"] for example in examples], images[order])
        assert [example["label"] for example in examples] == labels[order].tolist()
        if dataset == "cifar100":
            coarse = [example["coarse_label"] for example in examples]
            assert coarse == (labels[order] // 5).tolist()


def test_the_metadata_are_those_of_the_stock_builder(tmp_path: Path) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 20, 10))
    prepare("cifar10", tmp_path, archive=paths[0], report=quiet,
            importers=importers_of("cifar10", paths))  # fmt: skip
    ours = tfds.builder("cifar10", data_dir=tmp_path).info
    stock = tfds.builder("cifar10", data_dir=tmp_path / "elsewhere").info
    assert ours.features.keys() == stock.features.keys()
    for key in stock.features:
        assert type(ours.features[key]) is type(stock.features[key])
        assert ours.features[key].shape == stock.features[key].shape
        assert ours.features[key].np_dtype == stock.features[key].np_dtype
    assert ours.features["label"].names == [f"class {index}" for index in range(10)]
    assert ours.supervised_keys == stock.supervised_keys
    assert ours.description == stock.description
    assert ours.splits["train"].num_examples == 20


def test_the_images_lie_in_the_order_tfds_published(tmp_path: Path) -> None:
    """Stock cifar10 begins train_16399, train_01680, train_47917, 17307, 27051, 48736, 26263,

    01456, 19135, 31598, 12970, 04223 (printed in many tutorials): of the first 5,000 originals
    these three come first.
    """
    drawn = draw("cifar10", 5000, 10)
    paths = write_originals("cifar10", tmp_path, drawn)
    importers = importers_of("cifar10", paths)
    prepare("cifar10", tmp_path, archive=paths[0], report=quiet, importers=importers)
    source = tfds.data_source("cifar10", split="train", data_dir=tmp_path, download=False)
    assert [source[i]["id"] for i in range(3)] == [b"train_01680", b"train_01456", b"train_04223"]


@pytest.mark.parametrize("dataset", list(IMPORTERS))
def test_the_pinned_originals_are_those_tfds_downloads(dataset: str) -> None:
    stock = tfds.builder_cls(dataset).url_infos
    ours = {archive.url: archive for archive in IMPORTERS[dataset].archives}
    assert ours.keys() == stock.keys()
    for url, info in stock.items():
        assert (ours[url].size, ours[url].sha256) == (int(info.size), info.checksum)


@pytest.mark.parametrize("dataset", list(IMPORTERS))
def test_the_version_of_an_importer_is_the_one_tfds_makes(dataset: str) -> None:
    assert IMPORTERS[dataset].version == str(tfds.builder_cls(dataset).VERSION)


def test_the_version_an_importer_makes_can_be_named(tmp_path: Path) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 20, 10))
    importers = importers_of("cifar10", paths)
    settings = {"archive": paths[0], "report": quiet, "importers": importers}
    with pytest.raises(DataError, match=r"cifar10:1\.0\.0 .*originals.* 3\.0\.2.*--data-dir DIR"):
        prepare("cifar10:1.0.0", tmp_path, **settings)
    assert prepare("cifar10:3.0.2", tmp_path, **settings) == tmp_path / "cifar10" / "3.0.2"
    assert len(load("cifar10:3.0.2", data_dir=tmp_path, report=quiet).train_labels) == 18


@pytest.mark.parametrize(
    ("prepared", "asked", "named"),
    [
        ([("brightness_1", "1.0.0")], "swatches", "swatches/brightness_1; name that"),
        ([("a", "1.0.0"), ("b", "1.0.0")], "swatches", "swatches/a, swatches/b; name one of them"),
        ([("a", "1.0.0")], "swatches/b", "swatches/a; name that"),
        ([(None, "1.0.0")], "swatches/b", "swatches; name that"),
        ([(None, "1.0.0")], "swatches:2.0.0", "swatches:1.0.0; name that"),
        ([("a", "1.0.0")], "swatches/a:2.0.0", "swatches/a:1.0.0; name that"),
        ([("a", "1.0.0")], "swatches:1.0.0", "swatches/a; name that"),
        ([("letters", "3.1.0")], "emnist", "emnist/letters; name that"),  # known to TFDS
    ],
)
def test_what_is_there_under_another_name_is_named(
    prepared: list[tuple[str | None, str]], asked: str, named: str, tmp_path: Path
) -> None:
    family = asked.partition("/")[0].partition(":")[0]
    for configuration, version in prepared:
        prepare_swatches(tmp_path, family, labels=[0], configuration=configuration, version=version)
    for ask in (find_task, load, load_test):
        with pytest.raises(DataError) as caught:
            ask(asked, data_dir=tmp_path)
        assert str(caught.value).endswith(f"it is there as {named}")


@pytest.mark.parametrize("dataset", list(IMPORTERS))
def test_the_known_tasks_are_those_of_the_stock_features(dataset: str, tmp_path: Path) -> None:
    features = tfds.builder(dataset, data_dir=tmp_path).info.features
    task = IMPORTERS[dataset].task
    size = task.image_size
    assert features["image"].shape == (size, size, task.image_channels)
    assert features["label"].num_classes == task.num_classes


def test_neither_tensorflow_nor_the_network_is_touched(tmp_path: Path) -> None:
    (tmp_path / "fake" / "tensorflow").mkdir(parents=True)
    (tmp_path / "fake" / "tensorflow" / "__init__.py").write_text("raise SystemExit('imported')")
    write_originals("cifar10", tmp_path, draw("cifar10", 20, 10))
    process = run_python(
        """
        import sys
        from pathlib import Path
        from archives import importers_of
        from search.data import find_task, load, load_test
        from search.data.preparation import prepare

        def watch(event, arguments):
            if event in ("socket.connect", "socket.getaddrinfo"):
                raise SystemExit(f"{event} {arguments}")

        sys.addaudithook(watch)
        folder = Path(sys.argv[1])
        path = folder / "cifar-10-binary.tar.gz"
        prepare("cifar10", folder, archive=path, report=lambda line: None,
                importers=importers_of("cifar10", [path]))
        print(len(load("cifar10", data_dir=folder).train_labels))
        print(len(load_test("cifar10", data_dir=folder)[1]))
        assert not [name for name in sys.modules if name.split(".")[0] == "tensorflow"]
        """,
        tmp_path,
        first=str(tmp_path / "fake"),
    )
    out, err = process.communicate()
    assert (process.returncode, out) == (0, "18\n10\n"), err
    assert err.splitlines() == [
        f"cifar10: decoding the images in {tmp_path / 'cifar10' / '3.0.2'}, kept for the next time"
    ]


def test_a_whole_download_becomes_a_data_set_and_is_cleared_away(tmp_path: Path) -> None:
    paths = write_originals("mnist", tmp_path / "originals", draw("mnist", 30, 20))
    lines: list[str] = []
    with serving(paths) as server:
        importers = importers_of("mnist", paths, server.url)
        prepare("mnist", tmp_path / "tfds", report=lines.append, importers=importers)
        prepare("mnist", tmp_path / "tfds", report=lines.append, importers=importers)
        assert len(server.asked) == 4
    left = sorted(path.name for path in (tmp_path / "tfds").iterdir())
    assert left == [".mixer-search-mnist.lock", "mnist"]
    assert "train-images-idx3-ubyte.gz: 0.0 of 0.0 MB" in lines


def test_a_wrong_download_leaves_nothing_half_prepared(tmp_path: Path) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 20, 10))
    folder = tmp_path / "tfds"
    with serving(paths) as server:
        importers = importers_of("cifar10", paths, server.url)
        server.files[paths[0].name] += b"more"
        with pytest.raises(DataError, match=r"expected .* got .*--archive FILE"):
            prepare("cifar10", folder, report=quiet, importers=importers)
        assert not (folder / "cifar10").exists()
        server.files[paths[0].name] = paths[0].read_bytes()
        assert prepare("cifar10", folder, report=quiet, importers=importers).is_dir()


def test_only_the_original_bytes_are_taken_from_an_archive(tmp_path: Path) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 20, 10))
    with pytest.raises(DataError, match=r"is not the original cifar-10-binary\.tar\.gz") as caught:
        load("cifar10", data_dir=tmp_path, archive=paths[0], report=quiet)
    assert IMPORTERS["cifar10"].archives[0].url in str(caught.value)
    assert paths[0].exists()  # it is the user's
    assert not (tmp_path / "cifar10").exists()


@pytest.mark.parametrize(
    ("dataset", "archive", "sentence"),
    [
        ("cifar10", "nowhere.tar.gz", "cannot be read .No such file"),
        ("mnist", "train-images-idx3-ubyte.gz", "not a folder, but mnist has 4 originals"),
        ("mnist", "empty", "train-images-idx3-ubyte.gz cannot be read .No such file"),
        ("oxford_flowers102", "nowhere.tar.gz", "leave --archive out"),
        ("digits", "nowhere.tar.gz", "leave --archive out"),
    ],
)
def test_an_archive_that_cannot_be_the_original_is_refused(
    dataset: str, archive: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "train-images-idx3-ubyte.gz").touch()
    with pytest.raises(DataError, match=sentence):
        load(dataset, data_dir=tmp_path, archive=tmp_path / archive, report=quiet)


def test_a_damaged_original_leaves_nothing_half_prepared(tmp_path: Path) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 20, 10))
    paths[0].write_bytes(paths[0].read_bytes()[:-5000])
    importers = importers_of("cifar10", paths)
    with pytest.raises(DataError, match=r"is not a whole tar\.gz"):
        prepare("cifar10", tmp_path, archive=paths[0], report=quiet, importers=importers)
    assert not (tmp_path / "cifar10").exists()


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("batches.meta.txt", b"cat\ndog\n", "2 names and labels up to 9 for the 10 classes"),
        ("test_batch.bin", bytes([10]) + bytes(3072), "labels up to 10 for the 10 classes"),
    ],
)
def test_labels_and_names_must_fit_the_classes(
    file: str, content: bytes, sentence: str, tmp_path: Path
) -> None:
    members = cifar_members("cifar10", draw("cifar10", 20, 10))
    path = write_tar(
        tmp_path / "cifar-10-binary.tar.gz",
        members | {f"cifar-10-batches-bin/{file}": content},
    )
    importers = importers_of("cifar10", [path])
    with pytest.raises(DataError, match=sentence):
        prepare("cifar10", tmp_path, archive=path, report=quiet, importers=importers)


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    paths = write_originals("mnist", tmp_path, draw("mnist", 20, 10))
    importers = importers_of("mnist", paths)
    bigger = IMPORTERS["mnist"].task.model_copy(update={"image_size": 29})
    importers["mnist"] = replace(importers["mnist"], task=bigger)
    with pytest.raises(DataError, match=r"images of shape \(28, 28, 1\)"):
        prepare("mnist", tmp_path, archive=tmp_path, report=quiet, importers=importers)


PREPARE_FROM_SERVER = """
import sys
from pathlib import Path
from archives import importers_of
from search.data.preparation import prepare

dataset, folder, url, *paths = sys.argv[1:]
importers = importers_of(dataset, [Path(path) for path in paths], url)
print(prepare(dataset, Path(folder), report=print, importers=importers))
"""


def wait_until(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_of_two_processes_one_prepares_and_one_waits(tmp_path: Path) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 20, 10))
    folder = tmp_path / "tfds"
    with serving(paths, cut_after=100, hold=threading.Event()) as server:
        first = run_python(PREPARE_FROM_SERVER, "cifar10", folder, server.url, paths[0])
        wait_until(lambda: server.asked)  # it holds the lock, and the server holds it
        second = run_python(PREPARE_FROM_SERVER, "cifar10", folder, server.url, paths[0])
        assert second.stdout is not None
        waiting = second.stdout.readline()
        assert waiting == f"another process is preparing cifar10 in {folder}: waiting for it\n"
        server.hold.set()
        for process in (first, second):
            out, err = process.communicate()
            assert process.returncode == 0, err
            assert out.endswith(f"{folder / 'cifar10' / '3.0.2'}\n")
        assert len(server.asked) == 1
    assert len(read_stock("cifar10", "train", folder)) == 20


def test_what_a_killed_download_left_is_used(tmp_path: Path) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 300, 10))
    folder = tmp_path / "tfds"
    with serving(paths, cut_after=600_000, hold=threading.Event()) as server:
        process = run_python(PREPARE_FROM_SERVER, "cifar10", folder, server.url, paths[0])
        part = folder / ".mixer-search-cifar10" / "originals" / f"{paths[0].name}.part"
        wait_until(lambda: part.exists() and part.stat().st_size)
        process.kill()
        process.communicate()
        have = part.stat().st_size
        server.hold.set()
        importers = importers_of("cifar10", paths, server.url)
        prepare("cifar10", folder, report=quiet, importers=importers)
        assert server.asked[-1] == (f"/{paths[0].name}", f"bytes={have}-")
    left = sorted(path.name for path in folder.iterdir())
    assert left == [".mixer-search-cifar10.lock", "cifar10"]


def test_what_a_killed_preparation_wrote_is_cleared_away(tmp_path: Path) -> None:
    paths = write_originals("mnist", tmp_path / "originals", draw("mnist", 3000, 20))
    folder = tmp_path / "tfds"
    with serving(paths) as server:
        process = run_python(PREPARE_FROM_SERVER, "mnist", folder, server.url, *paths)
        unfinished = folder / ".mixer-search-mnist" / "unfinished"
        wait_until(lambda: list(unfinished.rglob("incomplete*")))
        process.kill()
        process.communicate()
        assert process.returncode == -9  # it was not done yet
        assert list(unfinished.rglob("incomplete*"))
        assert not (folder / "mnist").exists()
        junk = unfinished / "mnist" / "3.0.1"  # killed a moment before it was moved
        junk.mkdir()
        (junk / "dataset_info.json").touch()
        importers = importers_of("mnist", paths, server.url)
        prepare("mnist", folder, report=quiet, importers=importers)
        assert len(server.asked) == 4  # nothing downloaded twice
    assert sorted(path.name for path in folder.iterdir()) == [".mixer-search-mnist.lock", "mnist"]
    assert len(read_stock("mnist", "train", folder)) == 3000


def test_without_network_the_ways_out_are_named_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody listens: no way out
    started = time.monotonic()
    with pytest.raises(DataError) as caught:
        load("cifar10", data_dir=tmp_path, report=quiet)
    assert time.monotonic() - started < 15
    for part in ("cifar10", str(tmp_path), "--data-dir", "--archive", "--study mixer_digits"):
        assert part in str(caught.value)
    assert not (tmp_path / "cifar10").exists()


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ("cifar1O", "no data set is called 'cifar1O' .did you mean 'cifar10'"),
        ("oxford_flower102", "did you mean 'oxford_flowers102'"),
        ("oxford_flowers102", r"pip install 'mixer-search\[tf\]'.*--data-dir"),
        ("emnist", "6 configurations; name one, like emnist/byclass"),
        ("../cifar10", "is not the name of a data set"),
        ("", "is not the name of a data set"),
    ],
)
def test_a_data_set_nobody_can_prepare_here_is_refused(
    dataset: str, sentence: str, tmp_path: Path
) -> None:
    folder = tmp_path / "tfds"
    folder.mkdir()
    with pytest.raises(DataError, match=sentence):
        load(dataset, data_dir=folder, report=quiet)
    assert list(folder.iterdir()) == []


def test_with_tensorflow_tfds_prepares_any_other_data_set(tmp_path: Path) -> None:
    """A builder that asks TensorFlow for nothing, on a machine that seems to have it."""
    (tmp_path / "fake" / "tensorflow").mkdir(parents=True)
    (tmp_path / "fake" / "tensorflow" / "__init__.py").touch()
    process = run_python(
        """
        import io, sys
        from pathlib import Path
        import tensorflow_datasets as tfds
        from PIL import Image
        from search.data import DataError, find_task, load

        def png(index):
            buffer = io.BytesIO()
            Image.new("RGB", (4, 4), (index, 0, 0)).save(buffer, "PNG")
            return buffer.getvalue()

        class Swatches(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.2.0")

            def _info(self):
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
                    "image": tfds.features.Image(shape=(4, 4, 3)),
                    "label": tfds.features.ClassLabel(num_classes=2),
                }))

            def _split_generators(self, dl_manager):
                return {"train": self._generate_examples()}

            def _generate_examples(self):
                for index in range(20):
                    yield index, {"image": png(index), "label": index % 2}

        class Broken(Swatches):
            def _split_generators(self, dl_manager):
                raise KeyError("its server has moved")

        class Offline(Swatches):
            url_infos = {"http://127.0.0.1:9/far.zip": None}

        folder = Path(sys.argv[1])
        data = load("swatches", data_dir=folder)
        print(data.train_images.shape, data.validation_images.shape)
        print(find_task("swatches", data_dir=folder))
        for name in ("broken", "offline"):
            try:
                load(name, data_dir=folder)
            except DataError as error:
                print(error)
        """,
        tmp_path,
        first=str(tmp_path / "fake"),
    )
    out, err = process.communicate()
    assert process.returncode == 0, err
    lines = [line for line in out.splitlines() if "ownload" not in line]
    assert lines == [
        "(18, 4, 4, 3) (2, 4, 4, 3)",
        "image_size=4 image_channels=3 num_classes=2",
        f"TFDS could not prepare broken in {tmp_path} (KeyError: 'its server has moved'); "
        "prepare it elsewhere and name the folder with --data-dir DIR",
        f"offline is not prepared in {tmp_path}, and http://127.0.0.1:9/far.zip could not be "
        "reached (Connection refused); name the folder that holds it with --data-dir DIR",
    ]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file.* cannot be read .Not a directory.*--data-dir"):
        prepare("cifar10", tmp_path / "file" / "below", report=quiet)
    (tmp_path / ".mixer-search-cifar10.lock").mkdir()
    with pytest.raises(DataError, match=r"cifar10 cannot be prepared in .*--data-dir"):
        prepare("cifar10", tmp_path, report=quiet)


def test_a_disk_that_fills_up_leaves_nothing_half_prepared(tmp_path: Path) -> None:
    write_originals("cifar10", tmp_path / "originals", draw("cifar10", 500, 10))
    process = run_python(
        """
        import resource, sys
        from pathlib import Path
        from archives import importers_of
        from search.data import DataError
        from search.data.preparation import prepare

        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # bytes a file
        folder = Path(sys.argv[1])
        importers = importers_of("cifar10", list((folder / "originals").iterdir()))
        try:
            prepare("cifar10", folder, archive=folder / "originals", report=print,
                    importers=importers)
        except DataError as error:
            print(error)
        """,
        tmp_path,
    )
    out, err = process.communicate()
    lines = out.splitlines()
    assert lines[0] == "cifar10: reading the originals", err
    assert lines[1].startswith(f"cifar10 cannot be written in {tmp_path}")
    assert "--data-dir" in lines[1]
    assert len(lines) == 2
    assert not (tmp_path / "cifar10").exists()
    assert not (tmp_path / ".mixer-search-cifar10" / "unfinished").exists()


def test_an_archive_for_what_is_there_already_is_said_to_be_needless(tmp_path: Path) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 20, 10))
    importers = importers_of("cifar10", paths)
    lines: list[str] = []
    for _ in range(2):
        prepare("cifar10", tmp_path, archive=paths[0], report=lines.append, importers=importers)
    assert "is already prepared in" in lines[-1]
