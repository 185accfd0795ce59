"""A data set prepared by TFDS: `NAME`, `NAME/CONFIG`, each with `:VERSION`."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path

from search.data import prepared
from search.data.cache import cached
from search.data.decoding import DECODER
from search.data.errors import DataError
from search.data.naming import parse_name
from search.data.preparation import prepare, refuse_unknown
from search.data.registry import IMPORTERS, remedy
from search.data.source import Request
from search.data.split import Split
from space.config import ImageTask


class TfdsSource:
    """A prepared directory, found or made when it is first needed."""

    decoder = DECODER

    def __init__(self, request: Request) -> None:
        self._name = parse_name(request.dataset)
        self._request = request

    @property
    def version(self) -> str:
        """As the directory is called."""
        return self._directory.name

    def counts(self) -> dict[str, int]:
        """From the metadata; TFDS, which takes a second to import, reads them where we cannot."""
        try:
            info = json.loads((self._directory / "dataset_info.json").read_text())
            return {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
        except (OSError, ValueError, KeyError, TypeError):
            return prepared.count(self._request.dataset, self._directory)

    def task(self) -> ImageTask:
        """Known, else from the metadata."""
        if known := self._known:
            return known
        request = self._request
        return prepared.read_task(request.dataset, self._directory, request.options)

    def read(self, split: str) -> Split:
        """A whole split, in the order of its shards."""
        request, directory = self._request, self._directory
        dataset, options = request.dataset, request.options
        if split == "test":  # read once in a while
            return prepared.read(dataset, directory, split, options)

        def decoded() -> Split:
            request.report(f"{dataset}: decoding the images in {directory}, kept for the next time")
            return prepared.read(dataset, directory, split, options)

        stem = f"{self._name.file_stem}-{directory.name}"
        if split != "train":
            stem += f"-{split}"
        if options.image_size or options.label:
            wanted = repr(
                (options.image_size, options.image_size and options.resize, options.label)
            )
            stem += f"-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
        whole = cached(stem, directory, fingerprint(dataset, directory), decoded)
        if self._known and whole.task != self._known:
            raise DataError(
                f"what is prepared as {dataset} has {whole.task}, not {self._known}; "
                "name the folder of the real one with --data-dir DIR"
            )
        return whole

    @cached_property
    def _directory(self) -> Path:
        dataset = self._request.dataset
        folder = prepared.data_folder(self._request.data_dir)
        if self._request.may_prepare:
            request = self._request
            return prepare(dataset, folder, archive=request.archive, report=request.report)
        if directory := prepared.find(dataset, folder):
            return directory
        if self._name.unversioned not in IMPORTERS:
            refuse_unknown(dataset, folder)
        raise DataError(
            f"{dataset} is not prepared in {folder}; run `python -m search.data prepare "
            f"{dataset}`, or name the folder that holds it with --data-dir DIR"
        )

    @property
    def _known(self) -> ImageTask | None:
        """What the data sets everybody names ask of a network."""
        importer = IMPORTERS.get(self._name.unversioned)
        if importer is None or self._request.options.label:
            return None
        size = self._request.options.image_size or importer.task.image_size
        return importer.task.model_copy(update={"image_size": size})


def fingerprint(dataset: str, directory: Path) -> str:
    """Changes with the metadata, and with a shard's size or time.

    Raises:
        DataError: a file cannot be read.
    """
    try:
        digest = hashlib.sha256((directory / "dataset_info.json").read_bytes())
        for file in sorted(directory.iterdir()):
            status = file.stat()
            digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); {remedy(dataset, directory)}"
        ) from error
    return digest.hexdigest()
