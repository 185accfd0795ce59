"""The family of errors a user can cause and a user can mend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import pydantic
from pydantic_core import ErrorDetails


class MixerSearchError(Exception):
    """Bad input or an unfit environment, in one sentence: what was asked, what is so, what to do.

    Commands print it without a traceback and exit with code 2. Anything else that escapes is a
    bug and keeps its traceback. Each package defines its own children beside the code that
    raises them.
    """


class ConfigError(MixerSearchError):
    """A configuration, search space or preset that cannot be: the sentence names the field."""


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the closest of the known words, else the empty string."""
    match = get_close_matches(word, list(known), n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""


def listed(words: Sequence[str], most: int) -> str:
    """The words, `a, b and 4 more` where they are more than `most`."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


def explain(error: pydantic.ValidationError) -> str:
    """What pydantic found wrong, as `field: reason` parts joined by semicolons."""
    return "; ".join(dict.fromkeys(explain_one(found) for found in error.errors()))


def explain_one(found: ErrorDetails, name: str | None = None) -> str:
    """One of `error.errors()` as `field: reason, not value`, a long value cut.

    A validator's own sentence that says what to do (after a semicolon) stands without the value.
    `name` is the field's where it goes by another, such as an option.
    """
    field = name or ".".join(str(step) for step in found["loc"]) or "value"
    reason = found["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    says_all = found["type"] in {"missing", "extra_forbidden", "json_invalid"} or ";" in reason
    if not says_all:
        value = repr(found["input"])
        reason += f", not {value if len(value) <= 80 else f'{value[:77]}...'}"
    return f"{field}: {reason[:1].lower()}{reason[1:]}"
