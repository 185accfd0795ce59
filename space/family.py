"""A family of networks: all that is known of it without its weights. Arithmetic only, no JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from space.config import Config, ImageTask
from space.layer_cost import LayerCost
from space.ranges import Ranges


@dataclass(frozen=True)
class Constraint:
    """Which values of some parameters go together; all others are free of one another."""

    names: tuple[str, ...]
    holds: Callable[..., bool]
    """Takes these parameters by name."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a study, a page and a preset must know of a kind of network.

    What trains it, the Flax module and its initial weights, is the entry of the same name in
    `space.build.NETWORKS`.
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
    describe: Callable[[Any], str]
    """A configuration in a few characters: `p4 C128 L8 T64 D512`."""
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

    @property
    def name(self) -> str:
        """The one value of its configurations' field `family`."""
        return str(self.config.model_fields["family"].default)
