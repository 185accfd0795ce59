"""Counts and durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.errors import MixerSearchError
from space.quantities import (
    format_count,
    format_seconds,
    parse_count,
    parse_duration,
    write_duration,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("20M", 20_000_000),
        ("1.5G", 1_500_000_000),
        ("1.5g", 1_500_000_000),
        ("800k", 800_000),
        ("800K", 800_000),
        ("2T", 2_000_000_000_000),
        (".5k", 500),
        ("20e6", 20_000_000),
        ("2E+7", 20_000_000),
        ("20000000", 20_000_000),
        ("20_000_000", 20_000_000),
        ("20,000,000", 20_000_000),
        ("1,500M", 1_500_000_000),
        (" 20 M ", 20_000_000),
        ("7", 7),
        ("0.6", 1),
    ],
)
def test_a_count_is_read(text: str, count: int) -> None:
    assert parse_count(text) == count
    assert type(parse_count(text)) is int


@pytest.mark.parametrize(
    "text",
    [
        *("", "M", "0", "0M", "-5", "1e-3", "1.2.3", "20X", "20MB", "nan", "inf", "ten", "0x10"),
        *("0.2", "1,5M", "1,50", ",500", "1e400", "9" * 400, "9" * 5000, "1e300T"),
    ],
)
def test_what_is_no_count_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(MixerSearchError, match="is no positive count; write it like 20M"):
        parse_count(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (75_891_968, "75.9 M"),
        (12_601_767_936, "12.6 G"),
        (1_253_683_200, "1.25 G"),
        (999, "999"),
        (999.4, "999"),
        (999.6, "1.00 k"),
        (1000, "1.00 k"),
        (9_994, "9.99 k"),
        (9_996, "10.0 k"),
        (99_940, "99.9 k"),
        (99_960, "100 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (412e12, "412 T"),
        (999.6e12, "1.00 P"),
        (75.9e15, "75.9 P"),
        (3.4e18, "3.40 E"),
        (0, "0"),
    ],
)
def test_a_count_is_shown_with_three_figures(count: float, text: str) -> None:
    assert format_count(count) == text


@settings(deadline=None)
@given(st.integers(1, 10**20))
def test_a_count_that_was_shown_reads_back_within_half_a_percent(count: int) -> None:
    assert parse_count(format_count(count)) == pytest.approx(count, rel=0.0051)
    assert parse_count(f"{count:,}") == count


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("45", 45),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1H 30M 5S", 5405),
        ("90m", 5400),
        ("0h5m", 300),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert type(parse_duration(text)) is float


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "h", "-5", "1.5h", "30m1h", "1h30", "2d", "1e3", "²", "9" * 400]
)
def test_what_is_no_duration_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(MixerSearchError, match="is no positive duration; write it like 45s, 30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (47.2, "47 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (720, "12 min"),
        (89 * 60, "89 min"),
        (90 * 60, "1 h 30 min"),
        (3 * 3600 + 5 * 60, "3 h 05 min"),
        (2 * 3600 - 20, "2 h 00 min"),
    ],
)
def test_a_duration_is_shown_in_the_units_of_its_size(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize("text", ["5s", "0.5s", "30m", "6h", "1h30m", "1h1m1.25s", "48h"])
def test_a_duration_is_written_as_people_write_it(text: str) -> None:
    assert write_duration(parse_duration(text)) == text


@given(st.floats(0.001, 1e6))
def test_a_duration_that_is_written_is_read_as_it_was(seconds: float) -> None:
    assert parse_duration(write_duration(seconds)) == pytest.approx(seconds, abs=1e-6)
