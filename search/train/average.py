"""The exponential moving average of the weights that a recipe may ask for."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp


def averaged(average: Any, params: Any, step: jax.Array, decay: float) -> Any:
    """The average with the weights after a step taken in.

    After t steps it is the sum of decay^(t - i) w_i over the sum of decay^(t - i), i = 1 to t:
    Adam's correction of the bias towards the start (Kingma & Ba 2015, section 3), so that the
    initial weights have no part in it, however short a training is.

    Args:
        average: a tree like `params`; at step 0 its values do not matter, if they are finite.
        params: the weights after the step.
        step: how many steps were taken before this one.
        decay: a step, between 0 and 1.
    """
    # as logarithms: 1 - decay^t would lose its digits in float32 where decay is close to 1
    log_decay = math.log(decay)
    share = math.expm1(log_decay) / jnp.expm1(jnp.float32(log_decay) * (step + 1))
    return jax.tree.map(lambda before, now: before + share * (now - before), average, params)
