"""Readings of a test split are counted, whatever study they were for; another has to be asked for.

Counted even where the process is killed: with a reading comes all it showed, or neither is there.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from postgres import new_database
from processes import line, start
from records import NOON, study, trial
from test_faults import repeats

from runs.reader import open_reader
from runs.record import ImageResults
from runs.record import TestReading as ReadingOfTest
from runs.test_readings import AlreadyReadError, all_readings, check_may_read, readings_line
from runs.writer import open_writer

READING = ReadingOfTest(
    test_digest="c" * 64,
    study="digits",
    trial=None,
    read_at=NOON,
    purpose="confirmation 0",
    command="python -m search.confirm --study digits",
)
NUM_TRIALS = 20
NUM_IMAGES = 10_000


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with two studies of complete trials."""
    url = new_database() if request.param == "postgresql" else f"sqlite:///{tmp_path}/results.db"
    with open_writer(url) as store:
        for name in ("digits", "other"):
            store.add_study(study(name))
            store.add_trials(name, [trial(number) for number in range(NUM_TRIALS)])
    return url


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (0, "test not read"),
        (1, "test read once"),
        (2, "test read 2 times"),
        (1_000, "test read 1,000 times"),
    ],
)
def test_a_page_says_how_often_the_test_split_was_read(times: int, said: str) -> None:
    assert readings_line([READING] * times) == said


def test_the_first_reading_needs_no_leave_and_a_further_one_has_to_be_asked_for() -> None:
    check_may_read([], again=False)
    check_may_read([READING] * 2, again=True)
    with pytest.raises(AlreadyReadError) as caught:
        check_may_read([READING], again=False)
    assert str(caught.value) == (
        "the test split was read on 2026-03-01 at 12:00 UTC for study 'digits', by `python -m "
        "search.confirm --study digits`; --again reads it once more, and every page then says "
        '"test read 2 times"'
    )
    evaluation = replace(READING, study=None, purpose="evaluation of digits_knee")
    with pytest.raises(AlreadyReadError, match="12:00 UTC for evaluation of digits_knee, by `pyth"):
        check_may_read([evaluation], again=False)
    with pytest.raises(AlreadyReadError, match=r"read the last of 2 times on .* read 3 times"):
        check_may_read([READING] * 2, again=False)


def test_readings_for_all_studies_of_the_same_images_count(storage: str) -> None:
    with open_writer(storage) as store:
        assert all_readings(store, "digits") == []
        for name, digest in (("digits", "c"), ("other", "c"), ("other", "d")):
            store.add_test_reading(replace(READING, study=name, test_digest=digest * 64), [])
        assert len(all_readings(store, "digits")) == 2
        assert len(all_readings(store, "other")) == 3


READS = """
import itertools, sys
from dataclasses import replace
from runs.writer import open_writer
from test_test_readings import READING, shown_by
with open_writer(sys.argv[1]) as store:
    for number in itertools.count(len(store.study_readings("digits"))):
        store.add_test_reading(replace(READING, purpose=str(number)), shown_by(number))
        print(number, flush=True)
"""


def shown_by(number: int) -> list[ImageResults]:
    """What the reading of that number shows: of all trials, and other bits than any other."""
    bits = np.random.default_rng(number).random((NUM_TRIALS, NUM_IMAGES)) < 0.5
    classes = np.full(NUM_IMAGES, number, "<u2").tobytes()
    return [
        ImageResults(
            trial=trial,
            split="test",
            num_images=NUM_IMAGES,
            right=np.packbits(right).tobytes(),
            classes=classes,
        )
        for trial, right in enumerate(bits)
    ]


@pytest.mark.fault("killed (SIGKILL) between reading the test split and its commit")
@pytest.mark.parametrize("times", repeats(3, 20))
def test_a_kill_leaves_a_reading_with_all_it_showed_or_neither(storage: str, times: int) -> None:
    """Each reading takes the place of what the one before showed, so the last one tells."""
    chance = random.Random(times)
    acknowledged = -1
    for _ in range(times):
        process = start(READS, storage)
        assert process.stdout is not None
        first = line(process)
        time.sleep(chance.uniform(0, 0.2))
        process.kill()
        printed = process.stdout.read().split()
        process.communicate()
        acknowledged = int(printed[-1] if printed else first)
        with open_reader(storage) as store:
            readings = store.study_readings("digits")
            found = store.image_results("digits", "test")
        assert [reading.purpose for reading in readings] == [*map(str, range(len(readings)))]
        assert acknowledged + 1 <= len(readings) <= acknowledged + 2
        assert [*found.values()] == shown_by(len(readings) - 1)
