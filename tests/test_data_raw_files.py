from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import cifar_members, draw, write_originals, write_tar

from search.data import DataError
from search.data.registry import IMPORTERS

CIFAR10 = cifar_members("cifar10", draw("cifar10", 20, 10))
BATCH = "cifar-10-batches-bin/data_batch_3.bin"


def test_cifar_planes_become_pixels_in_the_order_of_the_batches(tmp_path: Path) -> None:
    drawn = draw("cifar10", 23, 4)
    originals = IMPORTERS["cifar10"].read(write_originals("cifar10", tmp_path, drawn))
    for split, (images, labels) in drawn.items():
        np.testing.assert_array_equal(originals.splits[split].images, images)
        np.testing.assert_array_equal(originals.splits[split].labels["label"], labels)
    assert originals.class_names == {"label": [f"class {index}" for index in range(10)]}


def test_cifar100_has_the_coarse_label_first(tmp_path: Path) -> None:
    drawn = draw("cifar100", 100, 4)
    originals = IMPORTERS["cifar100"].read(write_originals("cifar100", tmp_path, drawn))
    labels = originals.splits["train"].labels
    assert labels["label"].tolist() == list(range(100))
    assert labels["coarse_label"].tolist() == [label // 5 for label in range(100)]
    assert {key: len(names) for key, names in originals.class_names.items()} == {
        "coarse_label": 20,
        "label": 100,
    }


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9000]), "is not a whole tar.gz"),
        (lambda path: path.write_bytes(path.read_bytes()[:20]), "is not a whole tar.gz"),
        (lambda path: path.write_bytes(b""), "is not a whole tar.gz"),
        (lambda path: path.write_bytes(b"hello"), "is not a whole tar.gz"),
        (
            lambda path: path.write_bytes(gzip.compress(b"hello" * 999, mtime=0)),
            "is not a whole tar.gz",
        ),
        (lambda path: write_tar(path, {"other.txt": b""}), "has no cifar-10-batches-bin/"),
        (
            lambda path: write_tar(path, {k: v for k, v in CIFAR10.items() if k != BATCH}),
            f"has no {BATCH}",
        ),
        (
            lambda path: write_tar(path, CIFAR10 | {BATCH: CIFAR10[BATCH][:-1]}),
            "where records have 3073 each",
        ),
        (
            lambda path: write_tar(path, CIFAR10 | {"cifar-10-batches-bin/test_batch.bin": b""}),
            "holds 0 bytes",
        ),
    ],
)
def test_a_damaged_cifar_is_refused(tmp_path: Path, damage: Any, sentence: str) -> None:
    path = write_tar(tmp_path / "cifar.tar.gz", CIFAR10)
    damage(path)
    with pytest.raises(DataError, match=sentence):
        IMPORTERS["cifar10"].read([path])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not gzip", "is not a whole gzip file"),
        (gzip.compress(b"hello" * 999, mtime=0)[:-9], "is not a whole gzip file"),
        (gzip.compress(b"", mtime=0), "is not an IDX file of 1 dimensions"),
        (gzip.compress(b"\0\0\x08\x03" + bytes(12), mtime=0), "is not an IDX file of 1 dimensions"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x09" + bytes(8), mtime=0), "holds 8 values"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\0", mtime=0), "holds 0 values"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x07" + bytes(7), mtime=0), "20 images but .* 7 labels"),
    ],
)
def test_a_damaged_mnist_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    paths = write_originals("mnist", tmp_path, draw("mnist", 20, 10))
    paths[1].write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        IMPORTERS["mnist"].read(paths)
