"""The families of networks, by name: what a study may search, and a page may show.

A package adds its own by an entry point of the group `mixer_search.families` that names a
`space.family.Family`, and one of `mixer_search.networks` (see `space.build`). Both are loaded when
a family is asked for that is not in the dictionary, in whichever process asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import pydantic
from pydantic import BeforeValidator, SerializeAsAny

from space.config import Config
from space.errors import ConfigError, explain, nearest
from space.family import Family
from space.installed import installed
from space.mixer_family import MIXER
from space.vit_family import VIT

FAMILIES: dict[str, Family] = {"mixer": MIXER, "vit": VIT}
"""By the name that configurations have in their field `family`."""

DEFAULT_FAMILIES: Final = ("mixer",)
"""What a study searches that does not say."""

_BASELINES: Final = ("vit", "mixer")
"""Whose ladder a study compares with: the first that it does not search, else the last."""


class UnknownFamilyError(ConfigError):
    """A family that is not registered here, perhaps of a package that is not installed."""


def find_family(name: str) -> Family:
    """The family of that name.

    Raises:
        UnknownFamilyError: there is none, and no installed package has it.
    """
    if name not in FAMILIES:
        add_installed()
    if name not in FAMILIES:
        raise UnknownFamilyError(
            f"family {name!r} is unknown{nearest(name, FAMILIES)}; known: {', '.join(FAMILIES)}, "
            "or install the package that defines it"
        )
    return FAMILIES[name]


def family_of(config: Config) -> Family:
    """The family of a configuration.

    Raises:
        UnknownFamilyError: it is not registered.
    """
    return find_family(config.family)


def add_installed() -> None:
    """Registers the families of installed packages that are not registered yet."""
    for name, family in installed("mixer_search.families", Family).items():
        if family.name != name:
            raise ConfigError(
                f"the installed family {name!r} has configurations of family {family.name!r}; "
                "give its entry point that name"
            )
        FAMILIES.setdefault(name, family)


def label_of(config: Config) -> str:
    """A short name for a configuration: its family, then what tells it from others of it.

    Raises:
        UnknownFamilyError: its family is not registered.
    """
    family = family_of(config)
    return f"{family.label} {family.describe(config)}"


def labels(names: Iterable[str]) -> str:
    """Several networks of these families in a sentence: `Mixers and ViTs`."""
    *first, last = [f"{find_family(name).label}s" for name in names]
    return f"{', '.join(first)} and {last}" if first else last


def baseline_family(searched: Iterable[str]) -> Family:
    """The family whose published proportions the searched ones are compared with.

    Where all are searched that is Mixers: what does it buy to search their proportions?
    """
    others = [name for name in _BASELINES if name not in set(searched)]
    return find_family(others[0] if others else _BASELINES[-1])


def parse_config(fields: dict[str, Any]) -> Config:
    """The configuration that `config.model_dump()` was taken from.

    Raises:
        ConfigError: a field is missing, unknown, of the wrong type, or the network cannot be.
        UnknownFamilyError: its family is not registered.
    """
    try:
        return _ANY_CONFIG.validate_python(fields)
    except pydantic.ValidationError as error:
        raise ConfigError(f"not a network configuration: {explain(error)}") from None


def _of_its_family(given: Any) -> Any:
    """Fields as the configuration of the family they name."""
    if not isinstance(given, dict):
        return given
    name = given.get("family")
    if not isinstance(name, str):
        fault = "missing" if name is None else "string_type"
        raise pydantic.ValidationError.from_exception_data(
            "Config", [{"type": fault, "loc": ("family",), "input": name or given}]
        )
    return find_family(name).config.model_validate(given)


AnyConfig = Annotated[Config, BeforeValidator(_of_its_family), SerializeAsAny()]
"""A field that holds a configuration of any family, written and read with all that is its own."""

_ANY_CONFIG: pydantic.TypeAdapter[Config] = pydantic.TypeAdapter(AnyConfig)
