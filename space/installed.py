"""What installed packages add to a registry, by their entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TypeVar

from space.errors import ConfigError

T = TypeVar("T")


def installed(group: str, kind: type[T]) -> dict[str, T]:
    """What the entry points of a group name, by their names.

    Raises:
        ConfigError: one cannot be imported, or is not of that kind.
    """
    found: dict[str, T] = {}
    for entry in entry_points(group=group):
        where = f"{entry.name} = {entry.value} of {entry.dist.name if entry.dist else group}"
        try:
            value = entry.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"the entry point {where} cannot be loaded ({error}); mend that package, or "
                "remove it"
            ) from error
        if not isinstance(value, kind):
            raise ConfigError(
                f"the entry point {where} is a {type(value).__name__}; it must be a {kind.__name__}"
            )
        found[entry.name] = value
    return found
