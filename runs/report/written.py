"""A report as text, and as a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from runs.reader import open_reader
from runs.report.content import read_content
from runs.report.page import as_html
from space.errors import MixerSearchError
from space.whole_file import whole_file


class ReportError(MixerSearchError):
    """A report cannot be written there, or under that name."""


def report_html(study: str, storage: str | None = None, *, now: datetime | None = None) -> str:
    """The report of a study: one page that needs nothing but itself.

    Args:
        study: its name.
        storage: a database URL; by default `MIXER_STORAGE`, else `runs/mixer_search.db` here.
        now: when it is written; by default the time it is.

    Raises:
        StorageError: no database there, or no such study in it.
    """
    with open_reader(storage) as store:
        content = read_content(store, study, storage)
    return as_html(content, now or datetime.now(UTC))


def write_report(study: str, out: Path, storage: str | None = None) -> int:
    """Writes the report to a file, whole or not at all.

    Args:
        study: its name.
        out: the file; ends with `.html`.
        storage: as of `report_html`.

    Returns:
        The file's size in bytes.

    Raises:
        StorageError: no database there, or no such study in it.
        ReportError: the name ends otherwise, or the file cannot be written.
    """
    if out.suffix.lower() not in {".html", ".htm"}:
        raise ReportError(f"--out {out}: a report is an .html file; end its name so")
    data = report_html(study, storage).encode()
    try:
        with whole_file(out) as file:
            file.write(data)
    except OSError as error:
        raise ReportError(
            f"--out {out} cannot be written ({error.strerror or error}); name another file"
        ) from None
    return len(data)
