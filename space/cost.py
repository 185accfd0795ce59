"""What a configuration costs, in closed form: parameters, MACs, memory. Arithmetic only.

A MAC is one multiply-add in a matrix product: patch embedding, dense layers, both attention
products, classifier. Biases, norms, GELU, softmax and residual adds are not counted.
FLOPs = 2 x MACs, for one image, forward. A training step costs 3 x that per image.
"""

from __future__ import annotations

from dataclasses import dataclass

from space.config import Config, ImageTask, MixerConfig, ViTConfig, unknown_family


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
        TypeError: a configuration of another family.
    """
    match config:
        case MixerConfig():
            return NetworkCost(tuple(_mixer_layers(config)))
        case ViTConfig():
            return NetworkCost(tuple(_vit_layers(config)))
        case _:
            raise unknown_family(config)


def mixer_macs(
    task: ImageTask,
    *,
    patch_size: int,
    hidden_dim: int,
    tokens_mlp_dim: int,
    channels_mlp_dim: int,
    num_blocks: int,
) -> int:
    """The MACs that `cost` has for a Mixer, from its parameters alone: for lists of thousands."""
    S, C = (task.image_size // patch_size) ** 2, hidden_dim
    stem = S * C * patch_size**2 * task.image_channels
    block = 2 * S * C * (tokens_mlp_dim + channels_mlp_dim)
    return stem + num_blocks * block + C * task.num_classes


def training_bytes(config: Config, batch_size: int, bytes_per_value: int = 4) -> int:
    """Memory a training step needs at least, in bytes: an estimate from below.

    Weights, gradients and both Adam moments in float32, and the activations the backward pass
    keeps: per block the two normalised inputs, the two hidden layers before and after GELU and,
    for a ViT, queries, keys, values and the attention weights.
    """
    S, C = config.num_patches, config.hidden_dim
    match config:
        case MixerConfig():
            block = 4 * S * C + 2 * C * config.tokens_mlp_dim + 2 * S * config.channels_mlp_dim
        case ViTConfig():
            T = config.num_tokens
            block = 8 * T * C + 2 * config.num_heads * T * T + 2 * T * config.mlp_dim
        case _:
            raise unknown_family(config)
    activations = batch_size * (config.num_blocks * block + 2 * S * C)
    return 16 * cost(config).params + bytes_per_value * activations


def _dense(name: str, rows: int, features_in: int, features_out: int) -> LayerCost:
    """A dense layer with bias applied to `rows` vectors."""
    return LayerCost(
        name=name,
        params=features_in * features_out + features_out,
        macs=rows * features_in * features_out,
    )


def _norm(name: str, features: int) -> LayerCost:
    return LayerCost(name=name, params=2 * features, macs=0)


def _mixer_layers(config: MixerConfig) -> list[LayerCost]:
    S, C = config.num_patches, config.hidden_dim
    layers = [_dense("stem", S, config.patch_size**2 * config.image_channels, C)]
    for i in range(config.num_blocks):
        block = f"MixerBlock_{i}"
        layers += [
            _norm(f"{block}/LayerNorm_0", C),
            _dense(f"{block}/token_mixing/Dense_0", C, S, config.tokens_mlp_dim),
            _dense(f"{block}/token_mixing/Dense_1", C, config.tokens_mlp_dim, S),
            _norm(f"{block}/LayerNorm_1", C),
            _dense(f"{block}/channel_mixing/Dense_0", S, C, config.channels_mlp_dim),
            _dense(f"{block}/channel_mixing/Dense_1", S, config.channels_mlp_dim, C),
        ]
    return [*layers, _norm("pre_head_layer_norm", C), _dense("head", 1, C, config.num_classes)]


def _vit_layers(config: ViTConfig) -> list[LayerCost]:
    S, T, C = config.num_patches, config.num_tokens, config.hidden_dim
    layers = [_dense("embedding", S, config.patch_size**2 * config.image_channels, C)]
    if config.classifier == "token":
        layers.append(LayerCost(name="cls", params=C, macs=0))
    layers.append(LayerCost(name="Transformer/posembed_input", params=T * C, macs=0))
    for i in range(config.num_blocks):
        block = f"Transformer/encoderblock_{i}"
        attention = f"{block}/MultiHeadDotProductAttention_0"
        layers += [
            _norm(f"{block}/LayerNorm_0", C),
            *(_dense(f"{attention}/{name}", T, C, C) for name in ("query", "key", "value")),
            LayerCost(name=f"{attention} (products)", params=0, macs=2 * T * T * C),
            _dense(f"{attention}/out", T, C, C),
            _norm(f"{block}/LayerNorm_1", C),
            _dense(f"{block}/MlpBlock_0/Dense_0", T, C, config.mlp_dim),
            _dense(f"{block}/MlpBlock_0/Dense_1", T, config.mlp_dim, C),
        ]
    return [*layers, _norm("Transformer/encoder_norm", C), _dense("head", 1, C, config.num_classes)]
