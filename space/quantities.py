"""Counts and durations as people write them: `20M` or `2h` in, `20.0 M` or `2 h 00 min` out."""

from __future__ import annotations

import math
import re

from space.errors import MixerSearchError

_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


def parse_count(text: str) -> int:
    """`20M`, `1.5G`, `800k`, `20e6` or plain digits as a whole number.

    Between digits may stand `_`, a space, or a comma before every three.

    Raises:
        MixerSearchError: not such a number, or not positive.
    """
    amount = parse_amount(text)
    digits = re.sub(r"[\s_,]", "", text)
    return int(digits) if digits.isdecimal() else round(amount)  # floats end at 2**53


def parse_amount(text: str) -> float:
    """As `parse_count`, without rounding to a whole number.

    Raises:
        MixerSearchError: not such a number, or not over 0.5.
    """
    compact = re.sub(r"[\s_]|(?<=\d),(?=\d{3}(?!\d))", "", text)
    found = re.fullmatch(r"(\d+\.?\d*(?:[eE]\+?\d+)?|\.\d+)([kKmMgGtTPE]?)", compact)
    if found:
        unit = found[2].upper().replace("K", "k")
        count = float(found[1]) * _UNITS[unit]
        if 0.5 < count < math.inf:
            return count
    raise MixerSearchError(f"{text!r} is no positive count; write it like 20M, 1.5G or 20000000")


def format_count(count: float) -> str:
    """Three figures and a unit: 75_891_968 -> `75.9 M`; parts of a whole number below 10."""
    unit, size = unit_of(count)
    if unit:
        value = count / size
        digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
        return f"{value:.{digits}f} {unit}"
    return f"{count:.0f}" if count >= 10 or count == round(count) else f"{count:.3g}"


def unit_of(count: float) -> tuple[str, float]:
    """The unit a count is shown in and its size: 75_891_968 -> `M`, 1e6; below a thousand none."""
    for unit, size in reversed(_UNITS.items()):
        if count >= 0.9995 * size:
            return unit, size
    return "", 1.0


def exact_count(count: float) -> str:
    """All digits of a whole number, with commas: `75,891,968`; of others six figures."""
    return f"{count:,.0f}" if count == round(count) else f"{count:,.6g}"


def counted(number: int, noun: str) -> str:
    """`1 trial`, `2,000 trials`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def parse_duration(text: str) -> float:
    """`45s`, `0.5s`, `30m`, `2h`, `1h30m` or plain seconds as seconds.

    Raises:
        MixerSearchError: not such a duration, or not positive.
    """
    compact = re.sub(r"\s", "", text).lower()
    if compact.isdecimal():
        compact += "s"
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", compact)
    if found:
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        total = 3600 * hours + 60 * minutes + seconds
        if 0 < total < math.inf:
            return total
    raise MixerSearchError(f"{text!r} is no positive duration; write it like 45s, 30m, 2h or 1h30m")


def write_duration(seconds: float) -> str:
    """As `parse_duration` reads it: `45s`, `0.5s`, `1h30m`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((f"{hours:.0f}", "h"), (f"{minutes:.0f}", "m"), (f"{rest:.6f}".rstrip("0"), "s"))
    written = [f"{part.rstrip('.')}{unit}" for part, unit in parts if float(part)]
    return "".join(written) or "0s"


def format_seconds(seconds: float) -> str:
    """`47 s`, `12 min`, `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
