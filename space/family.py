"""A family of networks: all that is known of it without its weights. Arithmetic only, no JAX."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from space.config import Config, ImageTask
from space.errors import ConfigError
from space.layer_cost import LayerCost
from space.ranges import Ranges


@dataclass(frozen=True)
class Constraint:
    """Which values of some parameters go together; all others are free of one another."""

    names: tuple[str, ...]
    holds: Callable[..., bool]
    """Takes these parameters by name."""


@dataclass(frozen=True)
class Letter:
    """A number in the short names of a family's configurations."""

    letter: str
    """Before the number: the `p` of `p4`."""
    field: str
    """Of the configuration, which has the number."""
    meaning: str
    """In a few words, with the unit."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a study, a page and a preset must know of a kind of network.

    What trains it, the Flax module and its initial weights, is the entry of the same name in
    `space.build.NETWORKS`.

    Raises:
        ConfigError: its name or colour cannot be one, or a parameter is no field of its
            configurations.
    """

    config: type[Config]
    label: str
    """Its name in a sentence or a legend: `Mixer`; with an `s`, several."""
    color: str
    """In figures, as `#RRGGBB`."""
    layers: Callable[[Any], Sequence[LayerCost]]
    """A configuration to its layers' costs, in the order an image meets them."""
    activations: Callable[[Any], int]
    """A configuration to the numbers that the backward pass keeps of one image, at least."""
    letters: Sequence[Letter]
    """What tells its configurations apart, in the order of a short name: see `describe`."""
    ranges: type[Ranges]
    """The parameters that a search varies, fields of the configuration."""
    constraint: Constraint | None = None
    """None where every combination of values is a network."""
    grows_with: frozenset[str] = frozenset()
    """Parameters of which more never mean fewer MACs: of a space too large to be listed only
    their ends are looked at for the cheapest member."""
    macs: Callable[..., int] | None = None
    """The MACs of `layers` from the images' task and the parameters by name, for lists of
    thousands; None: the layers are added up."""
    ladder: Callable[[ImageTask], Sequence[Config]] | None = None
    """Configurations to choose baselines from, in the proportions the family is published with;
    None: it gives none."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", self.name):
            raise ConfigError(
                f"{self.config.__name__}.family is {self.name!r} by default; name the family in at "
                "most 32 small letters, digits and underscores"
            )
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", self.color):
            raise ConfigError(f"family {self.name!r} has color {self.color!r}; write it as #RRGGBB")
        searched = self.ranges.model_fields.keys()
        named = self.grows_with.union(self.constraint.names if self.constraint else ())
        of_config = searched | self.ranges.fixed.keys() | {one.field for one in self.letters}
        for names, of in ((named, self.ranges), (of_config, self.config)):
            if wrong := sorted(names - of.model_fields.keys()):
                raise ConfigError(
                    f"family {self.name!r}: {wrong[0]} is no field of {of.__name__}, which has "
                    f"{', '.join(of.model_fields)}; use one of these"
                )

    def describe(self, config: Config) -> str:
        """A configuration of it in a few characters: `p4 C128 L8 T64 D512`."""
        return " ".join(f"{one.letter}{getattr(config, one.field)}" for one in self.letters)

    @property
    def name(self) -> str:
        """The one value of its configurations' field `family`."""
        field = self.config.model_fields.get("family")
        return str(field.default) if field else ""
