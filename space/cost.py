"""What a configuration costs, in closed form: parameters, MACs, memory. Arithmetic only.

FLOPs = 2 x MACs, for one image, forward; `space.layer_cost` says what a MAC is. A training step
costs 3 x that per image.
"""

from __future__ import annotations

from dataclasses import dataclass

from space.config import Config
from space.families import family_of
from space.layer_cost import LayerCost

__all__ = ["LayerCost", "NetworkCost", "cost", "training_bytes"]


@dataclass(frozen=True)
class NetworkCost:
    """The bill of a network, layer by layer in the order an image meets them."""

    layers: tuple[LayerCost, ...]

    @property
    def params(self) -> int:
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def flops(self) -> int:
        """2 x MACs, one image, forward."""
        return 2 * self.macs


def cost(config: Config) -> NetworkCost:
    """The exact bill of a configuration; pinned in the tests to the published counts.

    Raises:
        UnknownFamilyError: its family is not registered.
    """
    return NetworkCost(tuple(family_of(config).layers(config)))


def training_bytes(config: Config, batch_size: int, bytes_per_value: int = 4) -> int:
    """Memory a training step needs at least, in bytes: an estimate from below.

    Weights, gradients and both Adam moments in float32, and the activations the backward pass
    keeps.

    Raises:
        UnknownFamilyError: the configuration's family is not registered.
    """
    activations = batch_size * family_of(config).activations(config)
    return 16 * cost(config).params + bytes_per_value * activations
