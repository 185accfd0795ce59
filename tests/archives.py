"""Test support: small archives in the original formats, a server for them, and prepared copies."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import struct
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.data.download import Archive
from search.data.registry import IMPORTERS, Importer

SHARED = Path(__file__).parents[2] / "shared" / "tfds"  # the prepared CIFAR-10, where there is one

Drawn = dict[str, tuple[np.ndarray, np.ndarray]]  # split -> images, labels


def isolate(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A cache of the test's own, no data of the user's, and no proxy before the loopback."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def draw(dataset: str, num_train: int, num_test: int, seed: int = 0) -> Drawn:
    """Random images of the data set's shape, and labels that name every class in turn."""
    task = IMPORTERS[dataset].task
    size, channels = task.image_size, task.image_channels
    rng = np.random.default_rng(seed)
    return {
        split: (
            rng.integers(0, 256, (number, size, size, channels), dtype=np.uint8),
            np.arange(number, dtype=np.uint8) % task.num_classes,
        )
        for split, number in (("train", num_train), ("test", num_test))
    }


def cifar_members(dataset: str, drawn: Drawn) -> dict[str, bytes]:
    """The files of CIFAR's binary version; a coarse label is its fine label // 5."""

    def records(images: np.ndarray, labels: np.ndarray) -> bytes:
        columns = [labels[:, None]] if dataset == "cifar10" else [labels[:, None] // 5]
        if dataset == "cifar100":
            columns.append(labels[:, None])
        columns.append(images.transpose(0, 3, 1, 2).reshape(len(images), -1))
        return np.concatenate(columns, axis=1).astype(np.uint8).tobytes()

    def names(number: int) -> bytes:
        return "".join(f"class {index}\n" for index in range(number)).encode() + b"\n"

    if dataset == "cifar100":
        return {
            "cifar-100-binary/coarse_label_names.txt": names(20),
            "cifar-100-binary/fine_label_names.txt": names(100),
            "cifar-100-binary/test.bin": records(*drawn["test"]),
            "cifar-100-binary/train.bin": records(*drawn["train"]),
        }
    images, labels = drawn["train"]
    batches = np.array_split(np.arange(len(labels)), 5)
    return {
        # the test batch first: an original's order is not the order of reading
        "cifar-10-batches-bin/test_batch.bin": records(*drawn["test"]),
        "cifar-10-batches-bin/batches.meta.txt": names(10),
    } | {
        f"cifar-10-batches-bin/data_batch_{number}.bin": records(images[batch], labels[batch])
        for number, batch in reversed(list(enumerate(batches, start=1)))
    }


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_originals(dataset: str, folder: Path, drawn: Drawn) -> list[Path]:
    """The original file or files, in the order the importer wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [archive.filename for archive in IMPORTERS[dataset].archives]
    if dataset.startswith("cifar"):
        return [write_tar(folder / names[0], cifar_members(dataset, drawn))]
    contents = []
    for split in ("train", "test"):
        images, labels = drawn[split]
        contents.append(struct.pack(">4I", 2051, *images.shape[:3]) + images.tobytes())
        contents.append(struct.pack(">2I", 2049, len(labels)) + labels.tobytes())
    for name, content in zip(names, contents, strict=True):
        (folder / name).write_bytes(gzip.compress(content, mtime=0))
    return [folder / name for name in names]


def pin(path: Path, base_url: str = "http://127.0.0.1:9") -> Archive:
    """The archive that accepts exactly this file; by default from where nothing answers."""
    content = path.read_bytes()
    return Archive(f"{base_url}/{path.name}", len(content), hashlib.sha256(content).hexdigest())


def importers_of(
    dataset: str, paths: list[Path], base_url: str = "http://127.0.0.1:9"
) -> dict[str, Importer]:
    """The importers, with these files pinned as the originals of one data set."""
    archives = tuple(pin(path, base_url) for path in paths)
    return IMPORTERS | {dataset: replace(IMPORTERS[dataset], archives=archives)}


@dataclass
class Server:
    """A loopback server of files that remembers what it was asked."""

    files: dict[str, bytes]
    knows_ranges: bool = True
    cut_after: int | None = None  # bytes of one answer, then the connection closes
    hold: threading.Event | None = None  # where it would be cut, wait for this instead
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        content = self.files.get(request.path.lstrip("/"))
        if content is None:
            request.send_error(404)
            return
        start = 0
        if wanted and self.knows_ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
            if start >= len(content):
                request.send_error(416)
                return
        request.send_response(206 if start else 200)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content) - start))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        cut, self.cut_after = self.cut_after, None
        stop = None if cut is None else start + cut
        request.wfile.write(content[start:stop])
        if stop is not None and self.hold is not None:
            request.wfile.flush()
            self.hold.wait()
            request.wfile.write(content[stop:])


@contextmanager
def serving(paths: list[Path], **settings: Any) -> Iterator[Server]:
    server = Server({path.name: path.read_bytes() for path in paths}, **settings)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def prepare_other(
    folder: Path,
    name: str,
    features: dict[str, Any],
    examples: dict[str, list[dict[str, Any]]],
    *,
    supervised_keys: tuple[str, str] | None = None,
    file_format: str = "array_record",
    num_shards: int | None = None,
    version: str = "1.0.0",
    configuration: str | None = None,
    in_order: bool = False,
) -> Path:
    """A directory prepared by TFDS itself from features and examples of any kind.

    Records lie there in TFDS's own order, unless they are to keep that of the examples.
    """
    import tensorflow_datasets as tfds

    named = [tfds.core.BuilderConfig(name=configuration)] if configuration else []

    class Other(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)
        BUILDER_CONFIGS = named

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=supervised_keys,
                disable_shuffling=in_order,
            )

        def _split_generators(self, dl_manager: Any) -> Any:
            return {split: self._generate_examples(rows) for split, rows in examples.items()}

        def _generate_examples(self, rows: Any) -> Any:
            return enumerate(rows)

    Other.name = name
    builder = Other(data_dir=folder)
    builder.download_and_prepare(
        file_format=file_format,
        download_config=tfds.download.DownloadConfig(try_download_gcs=False, num_shards=num_shards),
    )
    return Path(builder.data_dir)


def prepare_swatches(
    folder: Path,
    name: str = "swatches",
    *,
    labels: list[int],
    split: str = "train",
    class_names: tuple[str, ...] = ("red", "green", "blue"),
    seed: int = 0,
    **settings: Any,
) -> Path:
    """A prepared data set of 8 x 8 RGB images, no two alike, of classes that their colour tells."""
    import tensorflow_datasets as tfds
    from PIL import Image

    rng = np.random.default_rng(seed)
    rows = []
    for label in labels:
        pixels = rng.integers(0, 100, (8, 8, 3), dtype=np.uint8)
        pixels[..., label % 3] += 120
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        rows.append({"image": buffer.getvalue(), "label": label})
    features = {
        "image": tfds.features.Image(shape=(8, 8, 3)),
        "label": tfds.features.ClassLabel(names=list(class_names)),
    }
    return prepare_other(folder, name, features, {split: rows}, **settings)
