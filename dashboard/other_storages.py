"""Which other databases the dashboard reads, besides its own; loads no Streamlit.

They are named when it starts, never by a link: see `dashboard.also`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

_VARIABLE = "MIXER_ALSO"
"""Their URLs, one a line; in the environment a password stands in no list of processes."""


def other_storages() -> list[str]:
    """Their URLs, in the order they were named, each once."""
    urls = [url.strip() for url in os.environ.get(_VARIABLE, "").splitlines()]
    return list(dict.fromkeys(url for url in urls if url))


def name_others(urls: Sequence[str]) -> None:
    """Names them, instead of those that the environment has."""
    os.environ[_VARIABLE] = "\n".join(urls)
