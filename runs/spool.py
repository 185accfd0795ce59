"""A spool: a study's results in a file, written when its database has failed for good.

Lines of JSON: the study, its trials, their epochs, what else is kept, and a digest of the lines
before. Nothing in it
is run or unpickled, and what is not exactly what `write_spool` writes is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from runs.lease import LeaseLostError
from runs.record import (
    ConfirmationRecord,
    EpochRecord,
    ImageResults,
    KeptResults,
    Note,
    State,
    StudyRecord,
    TestReading,
    TrialRecord,
    WeightsRecord,
)
from runs.storage import StorageError, beside, exists, parse_storage, without_password
from runs.study_mirror import StudyMirror
from space.errors import ConfigError, explain
from space.families import UnknownFamilyError

_VERSION = 5
_SINCE = {"failure": 2, "timeout_seconds": 2, "costs": 3, "parent": 4}
"""Fields of a trial that not all versions had, and the first that did: an older spool has none."""
_KEPT_SINCE = {
    "weights": 4,
    "image_results": 4,
    "confirmations": 4,
    "readings": 4,
    "notes": 5,
}
"""The first version with each kind of what is kept besides trials and curves."""
_WHERE = ("host", "hostaddr", "port", "dbname", "service")
"""Parameters of a URL that may say which server it is."""
_STUDY = pydantic.TypeAdapter(StudyRecord)
_TRIAL = pydantic.TypeAdapter(TrialRecord)
_EPOCH = pydantic.TypeAdapter(EpochRecord)
_KEPT: dict[str, pydantic.TypeAdapter[Any]] = {
    "weights": pydantic.TypeAdapter(WeightsRecord),
    "image_results": pydantic.TypeAdapter(ImageResults),
    "confirmations": pydantic.TypeAdapter(ConfirmationRecord),
    "readings": pydantic.TypeAdapter(TestReading),
    "notes": pydantic.TypeAdapter(Note),
}
"""Of what else is kept, by the name of its field and its lines."""


class SpoolError(StorageError):
    """A spool cannot be written, or is not one."""


@dataclass(frozen=True, kw_only=True)
class Spool:
    """What was known of a study when its database failed."""

    study: StudyRecord
    trials: tuple[TrialRecord, ...]
    epochs: tuple[EpochRecord, ...]
    """Of all its trials, by trial and epoch."""
    kept: KeptResults = field(default_factory=KeptResults)


def spool_path(storage: str | None, study: str) -> Path:
    """Where to write the next spool of a study; there is no file of that name.

    The name can be read and is the study's alone, whatever characters that has.
    """
    folder, count = _folder(storage), 1
    while (path := folder / f"{_stem(study)}-{count}.jsonl").exists():
        count += 1
    return path


def spools_of(storage: str | None) -> list[Path]:
    """The spools that wait to be put back into a database, oldest first."""
    files = [path for path in _folder(storage).glob("*.jsonl") if path.is_file()]
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))


def refuse_spooled(storage: str | None, study: str) -> None:
    """Looks whether a study has results that are not in its database.

    Raises:
        SpoolError: it has.
    """
    for path in _folder(storage).glob(f"{_stem(study)}-*.jsonl"):
        raise SpoolError(
            f"study {study!r} has results in {path} that its database could not take; "
            f"put them back with {_repair(storage)}, or move that file away"
        )


@contextmanager
def spooled(mirror: StudyMirror, storage: str | None) -> Iterator[None]:
    """Writes a spool of all the mirror holds, should the database fail in the block.

    Raises:
        StorageError: the one that came, and where the results are.
    """
    try:
        yield
    except LeaseLostError:
        raise  # the process that has the study now trains what is missing
    except StorageError as error:
        if mirror.study is None:
            raise
        path = spool_path(storage, mirror.study.name)
        try:
            write_spool(path, mirror.study, mirror.trials, mirror.epochs, mirror.kept)
        except SpoolError as none:
            raise StorageError(
                f"{error}. What the database has not taken is lost: {none}"
            ) from error
        raise StorageError(
            f"{error}. All results so far are in {path}; when the database is mended put them "
            f"back with {_repair(storage)}"
        ) from error


def write_spool(
    path: Path,
    study: StudyRecord,
    trials: Sequence[TrialRecord],
    epochs: Sequence[EpochRecord],
    kept: KeptResults | None = None,
) -> None:
    """Writes all that is known of a study; the file appears under its name when it is whole.

    Raises:
        SpoolError: it cannot be written there.
    """
    trials = sorted(trials, key=lambda trial: trial.number)
    epochs = sorted(epochs, key=lambda epoch: (epoch.trial, epoch.epoch))
    kept = kept or KeptResults()
    body = _body(Spool(study=study, trials=tuple(trials), epochs=tuple(epochs), kept=kept))
    seal = json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode()
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("wb") as stream:
                stream.write(body + seal + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise SpoolError(
            f"spool {path} cannot be written ({error.strerror}); free some space there, "
            "or make its folder writable"
        ) from None


def read_spool(path: Path) -> Spool:
    """What `write_spool` wrote.

    Raises:
        SpoolError: it cannot be read, was cut or changed, or is of another version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpoolError(
            f"spool {path} cannot be read ({error.strerror}); mend its permissions"
        ) from None
    body, _, seal = content.removesuffix(b"\n").rpartition(b"\n")
    body += b"\n"
    if seal != json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode():
        raise SpoolError(
            f"spool {path} was cut or changed; restore it from a copy, or move it away"
        )
    try:
        first, *others = [json.loads(line) for line in body.splitlines()]
        version = first["spool"]
        if version in range(1, _VERSION + 1):
            spool = Spool(
                study=strict_study(first["study"]),
                trials=tuple(strict_trial(line["trial"]) for line in others if "trial" in line),
                epochs=tuple(strict_epoch(line["epoch"]) for line in others if "epoch" in line),
                kept=_kept_of(others),
            )
            _check(spool, body, version)
            return spool
    except pydantic.ValidationError as error:
        raise _not_a_spool(path, explain(error)) from None
    except KeyError as error:
        raise _not_a_spool(path, f"there is no {error}") from None
    except UnknownFamilyError as error:
        raise SpoolError(f"spool {path} holds trials that cannot be read here: {error}") from None
    except (ConfigError, TypeError, ValueError, RecursionError) as error:
        raise _not_a_spool(path, str(error)) from None
    raise SpoolError(
        f"spool {path} was written by another version of this program (format {version!r}, "
        f"this one reads 1 to {_VERSION}); use that version"
    )


def plain(record: StudyRecord | TrialRecord | EpochRecord) -> Any:
    """A record as JSON has it; of one with values of a wrong type, those."""
    adapters = {StudyRecord: _STUDY, TrialRecord: _TRIAL, EpochRecord: _EPOCH}
    adapter: pydantic.TypeAdapter[Any] = adapters[type(record)]  # type: ignore[assignment]
    return adapter.dump_python(record, mode="json", by_alias=True, warnings=False)


def strict_study(fields: Any) -> StudyRecord:
    """The study that `plain` was made from.

    Raises:
        pydantic.ValidationError: a field is missing or of the wrong type.
    """
    return _STUDY.validate_json(json.dumps(fields), strict=True)


def strict_trial(fields: Any) -> TrialRecord:
    """The trial that `plain` was made from, as `strict_study`."""
    return _TRIAL.validate_json(json.dumps(fields), strict=True)


def strict_epoch(fields: Any) -> EpochRecord:
    """The epoch that `plain` was made from, as `strict_study`."""
    return _EPOCH.validate_json(json.dumps(fields), strict=True)


def _kept_of(lines: Sequence[Any]) -> KeptResults:
    """As `strict_study`."""
    return KeptResults(
        **{
            kind: tuple(
                adapter.validate_json(json.dumps(line[kind]), strict=True)
                for line in lines
                if kind in line
            )
            for kind, adapter in _KEPT.items()
        }
    )


def _stem(study: str) -> str:
    """How the names of a study's spools begin."""
    clean = re.sub(r"[^A-Za-z0-9_-]+", "_", study)[:40]
    digest = hashlib.sha256(study.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{clean}-{digest}"


def _repair(storage: str | None) -> str:
    """The command that puts spools back."""
    where = ["--storage", without_password(storage)] if storage else []
    return shlex.join(["python", "-m", "search.check", *where, "--repair"])


def _folder(storage: str | None) -> Path:
    """A folder a database: beside its file, else in `runs/` under a digest of where it is."""
    url = parse_storage(storage)
    folder = beside(storage, "spool")
    if url.get_backend_name() == "sqlite":
        exists(folder)  # or a sentence
        return folder
    where = {name: url.query[name] for name in _WHERE if name in url.query}
    # without the user and the options of the connection
    server = f"{url.host}:{url.port or 5432}/{url.database}{sorted(where.items()) or ''}"
    return folder / hashlib.sha256(server.encode()).hexdigest()[:12]


def _body(spool: Spool, version: int = _VERSION) -> bytes:
    """All lines but the last, as a version of the format has them."""
    trials = [plain(trial) for trial in spool.trials]
    trials = [{k: v for k, v in t.items() if _SINCE.get(k, 1) <= version} for t in trials]
    lines = [
        {"spool": version, "study": plain(spool.study)},
        *({"trial": trial} for trial in trials),
        *({"epoch": plain(epoch)} for epoch in spool.epochs),
    ]
    lines += [
        {kind: adapter.dump_python(record, mode="json")}
        for kind, adapter in _KEPT.items()
        if version >= _KEPT_SINCE[kind]
        for record in getattr(spool.kept, kind)
    ]
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def _check(spool: Spool, body: bytes, version: int) -> None:
    """Raises ValueError where a line is not as we write it, or lines do not fit together."""
    if _body(spool, version) != body:
        raise ValueError("it has fields or lines of other kinds")
    numbers = [trial.number for trial in spool.trials]
    if len(set(numbers)) < len(numbers):
        raise ValueError("two of its trials have one number")
    tried = [(t.config, t.seed) for t in spool.trials if t.state is not State.REFUSED]
    if len(set(tried)) < len(tried):
        raise ValueError("two of its trials have one configuration and seed")
    places = [(epoch.trial, epoch.epoch) for epoch in spool.epochs]
    if len(set(places)) < len(places):
        raise ValueError("an epoch is there twice")
    if not {epoch.trial for epoch in spool.epochs} <= set(numbers):
        raise ValueError("an epoch is of no trial")
    if not {trial.parent for trial in spool.trials} <= {None, *numbers}:
        raise ValueError("a trial repeats one that is not there")
    _check_kept(spool.kept, spool.study.name, set(numbers))
    times = [spool.study.created_at, *(trial.started_at for trial in spool.trials)]
    times += [trial.finished_at for trial in spool.trials if trial.finished_at]
    times += [confirmation.began_at for confirmation in spool.kept.confirmations]
    times += [reading.read_at for reading in spool.kept.readings]
    times += [note.written_at for note in spool.kept.notes]
    if any(time.tzinfo is None for time in times):
        raise ValueError("a time has no time zone")


def _check_kept(kept: KeptResults, study: str, trials: set[int]) -> None:
    """Raises ValueError where what is kept does not belong to these trials of a study."""
    once: dict[str, list[object]] = {
        "weights": [record.trial for record in kept.weights],
        "image results": [(results.trial, results.split) for results in kept.image_results],
        "confirmations": [confirmation.number for confirmation in kept.confirmations],
    }
    for what, keys in once.items():
        if len(set(keys)) < len(keys):
            raise ValueError(f"{what} are there twice")
    of = {record.trial for record in kept.weights}
    of |= {results.trial for results in kept.image_results}
    of |= {reading.trial for reading in kept.readings if reading.trial is not None}
    of |= {note.trial for note in kept.notes if note.trial is not None}
    if not of <= trials:
        raise ValueError("something is kept of no trial")
    if any(reading.study != study for reading in kept.readings):
        raise ValueError("a reading of a test split is for another study")


def _not_a_spool(path: Path, why: str) -> SpoolError:
    return SpoolError(f"spool {path} is not one of ours ({why[:200]}); move it away")
