"""The images of a folder whose subfolders are classes, as files with their labels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from search.data.class_names import check_class_names
from search.data.errors import DataError
from space.errors import listed, nearest

_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
_LITTER = {"thumbs.db", "desktop.ini", "__macosx"}  # of Windows and macOS; and all with a dot


@dataclass(frozen=True)
class LabelledFile:
    """A file that should be an image, and its class by number."""

    name: str
    """Its path in the folder."""
    label: int


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, by name: no file has been opened."""

    class_names: tuple[str, ...]
    """Of the training images, in alphabetical order."""
    files: dict[str, list[LabelledFile]]
    """By split; class after class, and by name in each."""
    num_beside: int
    """Files beside the class folders, which have no class."""


def list_images(dataset: str, root: Path) -> Listing:
    """The classes and files of `root/CLASS/...` or `root/SPLIT/CLASS/...`, hidden ones left out.

    Splits are `train`, `val` or `validation`, and `test`. Folders in a class folder belong to it.

    Raises:
        DataError: a folder that is missing, empty, unreadable or contains itself, a class without
            a file, two spellings of one class, or a class that is not trained on.
    """
    if not root.is_dir():
        raise DataError(f"{dataset}: {shown(root)} is no folder; name one like folder:PATH")
    roots = _split_folders(dataset, root)
    class_names = tuple(entry.name for entry in _visible(roots["train"]) if _is_folder(entry))
    if not class_names:
        raise DataError(
            f"{dataset}: {shown(roots['train'])} has no folders; put the images of each class in "
            "a folder of its name, perhaps below train, validation and test"
        )
    check_class_names(dataset, class_names)
    files = {}
    num_beside = 0
    for split in dict.fromkeys(_SPLITS.values()):
        if split in roots:
            files[split], beside = _split_files(dataset, root, roots[split], class_names)
            num_beside += beside
    trained = {file.label for file in files["train"]}
    empty = [name for label, name in enumerate(class_names) if label not in trained]
    if empty:
        raise no_image(dataset, empty)
    return Listing(class_names, files, num_beside)


def no_image(dataset: str, class_names: list[str]) -> DataError:
    """The error of classes that nothing can be learned of."""
    which = f"class {class_names[0]!r}" if len(class_names) == 1 else "classes"
    names = "" if len(class_names) == 1 else f" ({listed(class_names, 3)})"
    have = "has" if len(class_names) == 1 else "have"
    return DataError(
        f"{dataset}: {which}{names} {have} no image to train on; add some, or move the folder "
        "elsewhere"
    )


def fingerprint(root: Path, files: Iterable[LabelledFile]) -> str:
    """Changes with the name, the label, the size or the time of a file."""
    digest = hashlib.sha256()
    for file in files:
        try:
            status = os.stat(os.path.join(root, file.name))
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError as error:  # refused, or left out, by whoever reads it
            state = f"errno {error.errno}"
        digest.update(os.fsencode(file.name))
        digest.update(f"\0{file.label} {state}\n".encode())
    return digest.hexdigest()


def shown(path: str | Path) -> str:
    """A path as it can be printed on one line, whatever is in it."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _split_folders(dataset: str, root: Path) -> dict[str, Path]:
    """The folder of each split; the root itself where its subfolders are the classes."""
    folders = [Path(entry) for entry in _visible(root) if _is_folder(entry)]
    named = [path for path in folders if path.name.lower() in _SPLITS]
    has_classes = any(
        _is_folder(entry)
        for path in named
        if path.name.lower() == "train"
        for entry in _visible(path)
    )
    if not named or (len(named) < len(folders) and not has_classes):
        return {"train": root}  # a class may be called test
    splits: dict[str, Path] = {}
    for path in named:
        split = _SPLITS[path.name.lower()]
        if split in splits:
            raise DataError(
                f"{dataset} has the folders {splits[split].name} and {path.name}, and both are "
                f"the {split} split; move one elsewhere"
            )
        splits[split] = path
    others = [shown(path.name) for path in folders if path not in named]
    if others:
        raise DataError(
            f"{dataset} has folders of splits ({', '.join(path.name for path in named)}) beside "
            f"others ({listed(others, 3)}); move the others elsewhere, or into the splits"
        )
    if "train" not in splits:
        raise DataError(
            f"{dataset} has {', '.join(path.name for path in named)} and no train; put the images "
            "to train on in a folder train"
        )
    return splits


def _split_files(
    dataset: str, root: Path, folder: Path, class_names: tuple[str, ...]
) -> tuple[list[LabelledFile], int]:
    """The files of the class folders, and how many lie beside them."""
    label_of = {name: label for label, name in enumerate(class_names)}
    start = len(os.path.join(root, ""))
    files: list[LabelledFile] = []
    beside = 0
    for entry in _visible(folder):
        if not _is_folder(entry):
            beside += 1
        elif (label := label_of.get(entry.name)) is None:
            raise DataError(
                f"{dataset}: {shown(entry.path)} is no class of the training images"
                f"{nearest(entry.name, class_names)}; give it the name of one, or move it elsewhere"
            )
        else:
            below = _files_below(entry.path, frozenset())
            files += [LabelledFile(path[start:], label) for path in below]
    return files, beside


def _files_below(folder: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _unreadable(folder, error) from error
    place = (status.st_dev, status.st_ino)
    if place in above:
        raise DataError(
            f"{shown(folder)} is a link to a folder that contains it; take the link away"
        )
    for entry in _visible(folder):
        if _is_folder(entry):
            yield from _files_below(entry.path, above | {place})
        else:
            yield entry.path


def _visible(folder: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name, without what systems leave there."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from error
    return [
        entry
        for entry in found
        if not entry.name.startswith(".") and entry.name.lower() not in _LITTER
    ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: no image, as whoever reads it says
        return False


def _unreadable(folder: str | Path, error: OSError) -> DataError:
    return DataError(
        f"{shown(folder)} cannot be read ({error.strerror}); make it readable, or name another "
        "folder like folder:PATH"
    )
