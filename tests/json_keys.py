"""Whether what commands print with `--json` is documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DOCS = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
)


def undocumented(facts: Any) -> set[str]:
    """The keys of JSON that no page of `docs/` has in backquotes; a configuration is a preset's."""
    match facts:
        case dict():
            found = {key for key in facts if f"`{key}`" not in DOCS}
            return found.union(*(undocumented(v) for k, v in facts.items() if k != "config"))
        case list():
            return set().union(*map(undocumented, facts))
        case _:
            return set()
