"""Names of classes that people gave."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from search.data.errors import DataError
from space.errors import listed


def check_class_names(dataset: str, names: Sequence[str]) -> None:
    """Nothing, where there are two or more and each is a class of its own.

    Raises:
        DataError: one class or none, a name that cannot be printed, or two spellings of one name.
    """
    if len(names) < 2:
        found = f"one class ({names[0]})" if names else "no class"
        raise DataError(f"{dataset} has {found}, and a network tells 2 or more apart; add others")
    seen: dict[str, str] = {}
    for name in names:
        if not name.isprintable() or not name.strip():
            raise DataError(f"{dataset} has a class named {name!a}; give it a name that is text")
        spelling = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        if spelling in seen:
            raise DataError(
                f"{dataset} has the classes {seen[spelling]!r} and {name!r}, two spellings of one "
                "name; make one class of them, or tell them apart by more"
            )
        seen[spelling] = name


def missing_note(names: Sequence[str], counts: Sequence[int]) -> tuple[str, ...]:
    """The line that names classes without an image; none where every class has one."""
    missing = [name for name, count in zip(names, counts, strict=True) if not count]
    if not missing:
        return ()
    return (f"{len(missing):,} of {len(names):,} classes have no image: {listed(missing, 3)}",)
