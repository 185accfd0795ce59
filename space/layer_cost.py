"""What one layer of a network costs: the rows of its bill. Arithmetic only.

A MAC is one multiply-add in a matrix product: patch embedding, dense layers, both attention
products, classifier. Biases, norms, GELU, softmax and residual adds are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One row of a network's bill; `name` is the layer's path in the parameter tree."""

    name: str
    params: int
    macs: int

    @property
    def flops(self) -> int:
        """2 x MACs, one image, forward."""
        return 2 * self.macs


def dense(name: str, rows: int, features_in: int, features_out: int) -> LayerCost:
    """A dense layer with bias applied to `rows` vectors."""
    return LayerCost(
        name=name,
        params=features_in * features_out + features_out,
        macs=rows * features_in * features_out,
    )


def norm(name: str, features: int) -> LayerCost:
    """A layer norm with scale and bias."""
    return LayerCost(name=name, params=2 * features, macs=0)
