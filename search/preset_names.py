"""What the preset of a winner is called, and what it takes the place of."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from space import presets
from space.errors import ConfigError, MixerSearchError
from space.families import label_of

_MOST_BYTES = 120
"""Of a study's name in a file's, which has room for 255 with what is added."""


class PresetInTheWayError(MixerSearchError):
    """A preset of another study has the name under which this one would be written."""


def preset_name(study: str, rule: str, limits: Mapping[str, object]) -> str:
    """The name of a winner by what was asked for; it is part of a file's name too.

    Args:
        study: its name.
        rule: that picked the winner.
        limits: options and their values; None where it was not given.
    """
    for option, limit in limits.items():
        rule += "" if limit is None else f"_{option}_{limit}"
    return f"{_for_a_file(study)}_{re.sub('[^A-Za-z0-9_-]+', '_', rule)}"


def replaced(path: Path, preset: presets.Preset, *, may_be_anothers: bool) -> str:
    """What a preset file takes the place of, to be said; empty for no file, or the same network.

    Raises:
        PresetInTheWayError: a preset of another study, unless it may be one.
        NewerPresetError: that of a newer version, whose study this one cannot read, the same.
    """
    if not os.path.exists(path):  # pathlib's raises where a name is too long
        return ""
    try:
        before = presets.load(path)
    except presets.NewerPresetError:
        if not may_be_anothers:
            raise
        return " in place of a preset of a newer version"
    except ConfigError:
        return " in place of what was no preset"
    others = _other_study(before, preset)
    if others and not may_be_anothers:
        raise PresetInTheWayError(
            f"{path} is a preset of another study, {others}; name another file with --out"
        )
    return in_place_of(before, preset)


def in_place_of(before: presets.Preset, preset: presets.Preset) -> str:
    """How a preset that is replaced is said; empty for the same network of the same study."""
    if others := _other_study(before, preset):
        return f" in place of {label_of(before.config)} of study {others}"
    return "" if before.config == preset.config else f" in place of {label_of(before.config)}"


def _other_study(before: presets.Preset, preset: presets.Preset) -> str:
    """The study a preset was found in, where that is known and not the other's; else empty.

    Two of the same name were not begun in the same microsecond; a database may be moved.
    """
    study, began = before.source.get("study"), before.source.get("study_began")
    if began == preset.source["study_began"]:  # it may have been renamed
        return ""
    if began is None and study in {None, preset.source["study"]}:
        return ""
    return repr(study) + (f" of {began}" if began else "")


def _for_a_file(study: str) -> str:
    """The name of a study as part of a file's name, another one for every study.

    Letters and digits of all scripts stay. Where anything else was replaced, or the name cut to
    what a file's name has room for, a digest of the whole name tells such studies apart.
    """
    kept = "".join(c if _may_stay(c) else " " for c in study)
    kept = "_".join(kept.encode()[:_MOST_BYTES].decode(errors="ignore").split())
    if kept == study:
        return study
    digest = hashlib.sha256(study.encode()).hexdigest()[:8]
    return "-".join(part for part in (kept, digest) if part)


def _may_stay(character: str) -> bool:
    """A letter, a digit, or a mark, without which some scripts have no vowels."""
    return (
        character in "_-" or character.isalnum() or unicodedata.category(character).startswith("M")
    )
