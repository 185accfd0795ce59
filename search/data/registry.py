"""The data sets we prepare ourselves: their originals, and how to read them.

URLs, sizes and checksums as in `tensorflow_datasets/url_checksums/*.txt` (TFDS 4.9.10).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from search.data.download import Archive
from search.data.naming import parse_name
from search.data.raw_files import Originals, read_cifar, read_mnist
from space.config import ImageTask


@dataclass(frozen=True)
class Importer:
    """What a data set asks of a network, its original files, and their reader."""

    task: ImageTask
    version: str  # that TFDS gives what the originals hold
    archives: tuple[Archive, ...]
    read: Callable[[list[Path]], Originals]  # the archives, in their order


def _cifar10(paths: list[Path]) -> Originals:
    return read_cifar(
        paths[0],
        folder="cifar-10-batches-bin",
        files={
            "train": [f"data_batch_{number}.bin" for number in range(1, 6)],
            "test": ["test_batch.bin"],
        },
        names={"label": "batches.meta.txt"},
    )


def _cifar100(paths: list[Path]) -> Originals:
    return read_cifar(
        paths[0],
        folder="cifar-100-binary",
        files={"train": ["train.bin"], "test": ["test.bin"]},
        names={"coarse_label": "coarse_label_names.txt", "label": "fine_label_names.txt"},
    )


_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist"
_FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_MNIST_TASK = ImageTask(image_size=28, image_channels=1, num_classes=10)

IMPORTERS = {
    "cifar10": Importer(
        task=ImageTask(image_size=32, image_channels=3, num_classes=10),
        version="3.0.2",
        archives=(
            Archive(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                170052171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        read=_cifar10,
    ),
    "cifar100": Importer(
        task=ImageTask(image_size=32, image_channels=3, num_classes=100),
        version="3.0.2",
        archives=(
            Archive(
                "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
                168513733,
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ),
        ),
        read=_cifar100,
    ),
    "mnist": Importer(
        task=_MNIST_TASK,
        version="3.0.1",
        archives=(
            Archive(
                f"{_MNIST_URL}/train-images-idx3-ubyte.gz",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            Archive(
                f"{_MNIST_URL}/train-labels-idx1-ubyte.gz",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            Archive(
                f"{_MNIST_URL}/t10k-images-idx3-ubyte.gz",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            Archive(
                f"{_MNIST_URL}/t10k-labels-idx1-ubyte.gz",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        read=read_mnist,
    ),
    "fashion_mnist": Importer(
        task=_MNIST_TASK,
        version="3.0.1",
        archives=(
            Archive(
                f"{_FASHION_URL}/train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            Archive(
                f"{_FASHION_URL}/train-labels-idx1-ubyte.gz",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            Archive(
                f"{_FASHION_URL}/t10k-images-idx3-ubyte.gz",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            Archive(
                f"{_FASHION_URL}/t10k-labels-idx1-ubyte.gz",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        read=read_mnist,
    ),
}


def remedy(dataset: str, directory: Path) -> str:
    """What to do about a prepared directory that is damaged.

    Only what an importer brings back may be deleted: nobody can tell what a copy is worth of a
    data set that was prepared elsewhere.
    """
    importer = IMPORTERS.get(parse_name(dataset).unversioned)
    if importer and directory.name == importer.version:
        return f"delete {directory}, then prepare {dataset} again"
    return f"mend or replace {directory}, or name another folder with --data-dir DIR"
