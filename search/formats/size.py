"""How many weights one file holds, of formats that have a limit."""

from __future__ import annotations

from search.formats.proof import FormatError
from space.config import Config
from space.cost import cost

_MOST_BYTES = 2**31 - 2**24
"""Of weights: a message of Protocol Buffers and one of FlatBuffers hold 2 GiB, program included."""


def check_size(format: str, config: Config) -> None:  # noqa: A002  as the option has it
    """Refuses a network whose weights no such file holds, before it is made.

    Raises:
        FormatError: they are too many.
    """
    if not fits(config):
        raise FormatError(
            f"--format {format}: {_bytes_of(config) / 2**30:.1f} GiB of weights are more than one "
            "such file holds (2 GiB); leave that format out"
        )


def fits(config: Config) -> bool:
    """Whether such a file holds the network's weights."""
    return _bytes_of(config) <= _MOST_BYTES


def _bytes_of(config: Config) -> int:
    return 4 * cost(config).params
