"""How often test splits were read: they are to be read once, to report what validation chose."""

from __future__ import annotations

from collections.abc import Sequence

from runs.reader import Reader
from runs.record import TestReading
from space.errors import MixerSearchError


class AlreadyReadError(MixerSearchError):
    """The test split was read before, and the command does not ask for another reading."""


def readings_line(readings: Sequence[TestReading]) -> str:
    """`test not read`, `test read once`, `test read 3 times`: as every page and report says it."""
    times = {0: "not read", 1: "read once"}
    return f"test {times.get(len(readings), f'read {len(readings):,} times')}"


def all_readings(store: Reader, study: str) -> list[TestReading]:
    """The readings, for whichever study of the database, of the test splits that were read for one.

    Which test split a study has is known when it has been read: before there are none.

    Raises:
        UnknownStudyError: there is no such study.
    """
    digests = dict.fromkeys(reading.test_digest for reading in store.study_readings(study))
    return [reading for digest in digests for reading in store.test_readings(digest)]


def check_may_read(readings: Sequence[TestReading], *, again: bool) -> None:
    """Looks whether a test split may be read.

    Args:
        readings: all there are of this split, the oldest first.
        again: whether another reading was asked for.

    Raises:
        AlreadyReadError: it was read before, and no other was asked for.
    """
    if not readings or again:
        return
    last = readings[-1]
    often = "" if len(readings) == 1 else f" the last of {len(readings):,} times"
    why = last.purpose if last.study is None else f"study {last.study!r}"
    raise AlreadyReadError(
        f"the test split was read{often} on {last.read_at:%Y-%m-%d at %H:%M} UTC for {why}, "
        f"by `{last.command}`; --again reads it once more, and every page then "
        f'says "{readings_line([*readings, last])}"'
    )
