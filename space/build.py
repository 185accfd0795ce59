"""From a configuration to the Flax module that computes it, and to the weights it starts from.

A package adds the networks of its own families by entry points of the group
`mixer_search.networks`, named as the family's (see `space.families`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from space.config import Config
from space.families import UnknownFamilyError
from space.initializers import Array, draw_mixer, draw_vit
from space.installed import installed
from space.mixer import MlpMixer
from space.vit import VisionTransformer


@dataclass(frozen=True, kw_only=True)
class Network:
    """What trains a family."""

    module: Callable[[Any, Any], nn.Module]
    """A configuration, and the dtype of the computation, to the module."""
    draw: Callable[[np.random.Generator, tuple[str, ...], tuple[int, ...]], Array] | None = None
    """A weight's first value, float32, by its path and shape; None: the module's `init` draws,
    which compiles a program for every new shape."""


NETWORKS: dict[str, Network] = {
    "mixer": Network(module=MlpMixer, draw=draw_mixer),
    "vit": Network(module=VisionTransformer, draw=draw_vit),
}
"""By the name of the family, as `space.families.FAMILIES` has it."""


def network_of(config: Config) -> Network:
    """What trains a configuration.

    Raises:
        UnknownFamilyError: no network of its family is registered.
    """
    if config.family not in NETWORKS:
        for name, network in installed("mixer_search.networks", Network).items():
            NETWORKS.setdefault(name, network)
    if config.family not in NETWORKS:
        raise UnknownFamilyError(
            f"family {config.family!r} has no network to train; known: {', '.join(NETWORKS)}, or "
            "install the package that defines it, with an entry point of mixer_search.networks"
        )
    return NETWORKS[config.family]


def build(config: Config, dtype: Any = jnp.float32) -> nn.Module:
    """The network of a configuration: `module.apply({"params": params}, images) -> logits`.

    Args:
        config: of any family.
        dtype: of the computation (float32, or bfloat16 on accelerators that have it);
            parameters and logits are float32 always.

    Raises:
        UnknownFamilyError: no network of its family is registered.
    """
    return network_of(config).module(config, dtype)
