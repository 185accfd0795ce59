"""The folder with the weights of trials: one safetensors file a trial, named by its SHA-256.

A file's arrays are float32, as they were trained, under the path of each in the variables of the
network: `params/stem/kernel`. Its header says of which trial they are and what they expect:

    variables = flax.traverse_util.unflatten_dict(weights.arrays, sep="/")
    logits = space.build.build(config).apply(variables, (images - pixel_mean) / pixel_std)

The database lists the files (`run_weights`). A file is there before its row and goes after it: a
process that is killed leaves a file without a row at worst, never a row without its file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from safetensors.numpy import load

from runs.reader import open_reader
from runs.record import WeightsRecord
from runs.storage import beside
from space.errors import MixerSearchError
from space.whole_file import whole_file

_NAME = re.compile(r"[0-9a-f]{64}\.safetensors(\..*\.tmp)?")


class WeightsError(MixerSearchError):
    """No weights of a trial are kept, or their file is missing or damaged."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Of a trial, as they were trained."""

    file: Path
    arrays: dict[str, Any]
    """NumPy arrays, float32, by their path in the network's variables."""
    facts: dict[str, str]
    """The file's header: `family`, `config` (JSON), `study`, `study_began`, `trial`, `dataset`,
    `seed`, `epochs`, and of the training pixels a channel `pixel_mean` and `pixel_std` (JSON, in
    units of a pixel value from 0 to 255)."""


class WeightsFolder:
    """Files of weights; several studies may share a folder.

    Args:
        path: made when the first file is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, digest: str) -> Path:
        """Where the weights of that digest are, if they are there."""
        return self.path / f"{digest}.safetensors"

    def files(self) -> Iterator[Path]:
        """All files of weights, those left unfinished by a killed process included."""
        if self.path.is_dir():
            yield from (file for file in self.path.iterdir() if _NAME.fullmatch(file.name))

    def write(self, trial: int, content: bytes) -> WeightsRecord:
        """Writes the weights of a trial, whole or not at all.

        Raises:
            OSError: they cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        with whole_file(self.file(digest), sync=True) as file:
            file.write(content)
        return WeightsRecord(trial=trial, digest=digest, size_bytes=len(content))

    def remove(self, digests: Iterable[str]) -> None:
        """Removes files that no row refers to; those that cannot be removed are left as orphans."""
        for digest in digests:
            with suppress(OSError):
                self.file(digest).unlink(missing_ok=True)

    def read(self, record: WeightsRecord) -> bytes:
        """The file of a trial's weights.

        Raises:
            WeightsError: it is missing, cannot be read, or is not what was written.
        """
        file = self.file(record.digest)
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            raise WeightsError(
                f"the weights of trial {record.trial} are not in {self.path}; name the folder that "
                f"holds {file.name}, or restore that file from a copy"
            ) from None
        except OSError as error:
            raise WeightsError(
                f"{file}, the weights of trial {record.trial}, cannot be read ({error.strerror}); "
                "mend its permissions"
            ) from None
        if hashlib.sha256(content).hexdigest() != record.digest:
            raise WeightsError(
                f"{file}, the weights of trial {record.trial}, is damaged: its SHA-256 is not its "
                "name; restore it from a copy"
            )
        return content


def weights_folder(storage: str | None, folder: Path | None = None) -> WeightsFolder:
    """The folder that was named, else the one beside SQLite's file, else `runs/weights`."""
    return WeightsFolder((folder or beside(storage, "weights")).absolute())


def read_weights(
    study: str, trial: int, storage: str | None = None, *, folder: Path | None = None
) -> Weights:
    """The weights of a trial, held against the digest that the database has.

    Args:
        study: its name.
        trial: its number.
        storage: database URL; None for the default.
        folder: that holds them; None for the default.

    Raises:
        StorageError: there is no such database, study or trial.
        WeightsError: none are kept, or their file is missing or damaged.
    """
    with open_reader(storage) as store:
        state = store.trial(study, trial).state
        record = store.weights(study).get(trial)
    if record is None:
        raise WeightsError(
            f"no weights of trial {trial} of study {study!r}, which is {state.value}, are kept; "
            "search.run keeps those of complete trials that are on the front when they end "
            "(--keep-weights front), or of all (--keep-weights all)"
        )
    return weights_in(weights_folder(storage, folder), record)


def weights_in(folder: WeightsFolder, record: WeightsRecord) -> Weights:
    """The weights of a trial as the database lists them.

    Raises:
        WeightsError: their file is missing or damaged.
    """
    content, file = folder.read(record), folder.file(record.digest)
    return Weights(file=file, arrays=load(content), facts=read_facts(file) or {})


def read_facts(file: Path) -> dict[str, str] | None:
    """The header of a file; None where it is no whole safetensors file."""
    try:
        with safetensors.safe_open(file, framework="np") as opened:
            found: dict[str, str] | None = opened.metadata()
    except (OSError, safetensors.SafetensorError):
        return None
    return found or {}


def size_of(file: Path) -> int:
    """In bytes; 0 of a file that is gone."""
    try:
        return file.stat().st_size
    except OSError:
        return 0
