"""What a study may be called."""

from __future__ import annotations


def check_name(name: str) -> str:
    """The name of a study, if it can be one.

    Raises:
        ValueError: empty, blank, over 200 characters, or with a slash, `..` or control characters.
    """
    if not name.strip():
        raise ValueError("a study's name cannot be empty or blank")
    if len(name) > 200:
        raise ValueError(
            f"a study's name has at most 200 characters, this one {len(name)}; shorten it"
        )
    if "/" in name or "\\" in name or ".." in name or not name.isprintable():
        raise ValueError("a study's name has no slash, no '..' and no control characters")
    return name
