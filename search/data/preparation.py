"""From originals to a directory that TFDS reads, whole or not at all."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from search.data import download, prepared
from search.data.errors import DataError
from search.data.naming import DatasetName, parse_name
from search.data.registry import IMPORTERS, Importer
from search.data.tfds_writer import write
from space.errors import nearest


def prepare(
    dataset: str,
    folder: Path,
    *,
    archive: Path | None = None,
    report: Callable[[str], None],
    importers: Mapping[str, Importer] = IMPORTERS,
) -> Path:
    """The prepared directory `folder/dataset/version`, made first where it is missing.

    Several processes may ask at once: one prepares, the others wait for it. What a killed one
    left behind is cleared away by the next, but for its downloads, which are used.

    Args:
        dataset: one of the importers', or any image data set of TFDS (needs TensorFlow), in
            TFDS's notation: `NAME`, `NAME/CONFIG`, each with `:VERSION`; without, the highest.
        folder: where prepared data sets lie; made when missing.
        archive: the original file, or the folder that holds the original files; None: download.
        report: takes a line of progress.
        importers: the data sets prepared without TensorFlow.

    Raises:
        DataError: the originals cannot be had or are not the originals, the name is unknown,
            TensorFlow is needed and missing, or the folder cannot be written.
    """
    name = parse_name(dataset)
    importer = importers.get(name.unversioned)
    if archive is not None and importer is None:
        raise DataError(
            f"an archive was given for {dataset}, but only {', '.join(importers)} are prepared "
            "from one; leave --archive out"
        )
    if directory := prepared.find(dataset, folder):
        if archive is not None:
            report(f"{dataset} is already prepared in {directory}: {archive} is not needed")
        return directory
    if importer is None:
        refuse_unknown(dataset, folder)
    elif name.version not in (None, importer.version):
        raise DataError(
            f"{dataset} is not in {folder}, and the originals become version {importer.version}; "
            "leave the version out, or name the folder that holds it with --data-dir DIR"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(name, folder, report):
            if directory := prepared.find(dataset, folder):  # by the one we waited for
                return directory
            if importer is not None:
                return _import(name.unversioned, importer, folder, archive, report)
            return _let_tfds_prepare(dataset, folder, report)
    except OSError as error:
        raise DataError(
            f"{dataset} cannot be prepared in {folder} ({error.strerror or error}); "
            "name another folder with --data-dir DIR"
        ) from error


@contextmanager
def _alone(name: DatasetName, folder: Path, report: Callable[[str], None]) -> Iterator[None]:
    lock = FileLock(folder / f".mixer-search-{name.file_stem}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report(f"another process is preparing {name} in {folder}: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _import(
    dataset: str,
    importer: Importer,
    folder: Path,
    archive: Path | None,
    report: Callable[[str], None],
) -> Path:
    workshop = folder / f".mixer-search-{dataset}"  # ours alone: we hold the lock
    unfinished = workshop / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        if archive is None:
            paths = _download(dataset, importer, folder, workshop / "originals", report)
        else:
            paths = _given(dataset, importer, archive)
        report(f"{dataset}: reading the originals")
        made = write(dataset, importer, paths, unfinished, report)
        directory = folder / made.relative_to(unfinished)
        directory.parent.mkdir(exist_ok=True)
        os.replace(made, directory)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    shutil.rmtree(workshop, ignore_errors=True)
    return directory


def _download(
    dataset: str,
    importer: Importer,
    folder: Path,
    originals: Path,
    report: Callable[[str], None],
) -> list[Path]:
    try:
        return [download.fetch(archive, originals, report) for archive in importer.archives]
    except DataError as error:
        raise DataError(
            f"{dataset} is not prepared in {folder}, and {error}; name the folder that holds it "
            "with --data-dir DIR, give the original with --archive FILE, or try the digits that "
            "need no download with --study mixer_digits"
        ) from error


def _given(dataset: str, importer: Importer, archive: Path) -> list[Path]:
    names = [original.filename for original in importer.archives]
    if archive.is_dir():
        paths = [archive / name for name in names]
    elif len(names) == 1:
        paths = [archive]
    else:
        raise DataError(
            f"{archive} is not a folder, but {dataset} has {len(names)} originals; "
            f"give the folder that holds {', '.join(names)}"
        )
    for path, original in zip(paths, importer.archives, strict=True):
        try:
            download.check(path, original)
        except DataError as error:
            raise DataError(f"{error}; give the one from {original.url}") from error
    return paths


def refuse_unknown(dataset: str, folder: Path) -> None:
    """Nothing, when TFDS could prepare the data set on this machine.

    Raises:
        DataError: TFDS does not know it, knows only configurations of it, or lacks TensorFlow;
            where it lies in the folder under another name, the sentence says which.
    """
    if (problem := _unpreparable(dataset, folder)) is None:
        return
    if there := prepared.relatives(dataset, folder):
        raise DataError(
            f"{dataset} as such is not in {folder}: it is there as {', '.join(there)}; "
            f"name {'that' if len(there) == 1 else 'one of them'}"
        )
    raise DataError(problem)


def _unpreparable(dataset: str, folder: Path) -> str | None:
    """Why TFDS cannot prepare the data set on this machine, as a sentence."""
    name = parse_name(dataset)
    with prepared.quiet_tfds() as tfds:
        known = tfds.list_builders(with_community_datasets=False)
        if name.family not in known:
            close = nearest(name.unversioned, ["digits", *known])
            return (
                f"no data set is called {dataset!r}{close}, and {folder} holds none of that name; "
                "correct the name, or give --data-dir DIR"
            )
        configurations = list(tfds.builder_cls(name.family).builder_configs)
    if configurations and name.configuration is None:
        return (
            f"{dataset} comes in {len(configurations)} configurations; "
            f"name one, like {name.family}/{configurations[0]}"
        )
    if importlib.util.find_spec("tensorflow") is None:
        return (
            f"{dataset} is not prepared in {folder}, and TFDS needs TensorFlow to prepare it; "
            "pip install 'mixer-search[tf]', or name the folder that holds it with --data-dir DIR"
        )
    return None


def _let_tfds_prepare(dataset: str, folder: Path, report: Callable[[str], None]) -> Path:
    report(f"{dataset}: TFDS prepares it in {folder}")
    with prepared.quiet_tfds() as tfds:
        try:
            builder = tfds.builder(dataset, data_dir=folder)
            for url in list(builder.url_infos or ())[:1]:  # offline, TFDS would retry for minutes
                download.probe(url)
            builder.download_and_prepare(
                file_format="array_record",
                download_config=tfds.download.DownloadConfig(try_download_gcs=False),
            )
        except DataError as error:
            raise DataError(
                f"{dataset} is not prepared in {folder}, and {error}; "
                "name the folder that holds it with --data-dir DIR"
            ) from error
        except Exception as error:  # whatever the code of somebody's data set raises
            raise DataError(
                f"TFDS could not prepare {dataset} in {folder} ({type(error).__name__}: {error}); "
                "prepare it elsewhere and name the folder with --data-dir DIR"
            ) from error
        return Path(builder.data_dir)
