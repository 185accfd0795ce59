"""Files of weights as others publish them: names and shapes from their code, numbers by a formula.

Names and shapes: google-research/vision_transformer at c6de1e5, `vit_jax/models_mixer.py` and
`models_vit.py`; those of older files: big_vision at 0127fb6, `models/mlp_mixer.py` and
`models/vit.py`.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from space.config import ImageTask, MixerConfig, ViTConfig

Arrays = dict[str, npt.NDArray[Any]]
Shapes = dict[str, tuple[int, ...]]

SMALL = ImageTask(image_size=16, image_channels=3, num_classes=5)
MIXER = MixerConfig(
    **SMALL.model_dump(),
    patch_size=4,
    hidden_dim=24,
    num_blocks=2,
    tokens_mlp_dim=12,
    channels_mlp_dim=32,
)
VIT = ViTConfig(
    **SMALL.model_dump(), patch_size=4, hidden_dim=24, num_blocks=2, mlp_dim=32, num_heads=3
)
VIT_GAP = VIT.model_copy(update={"classifier": "gap"})

IMAGES = np.cos(np.arange(2 * 16 * 16 * 3.0) ** 2).reshape(2, 16, 16, 3).astype(np.float32)

# What `MlpMixer` and `VisionTransformer` of vision_transformer at c6de1e5 make of these images with
# the weights of `numbered`, run under Flax 0.12.8 and JAX 0.10.2 on a CPU
LOGITS = {
    MIXER: [
        [-0.339414984, 0.331421494, 0.865200102, -0.187099040, -0.545318961],
        [-0.475376606, 0.487437785, 0.477402925, -0.434363663, -0.987025797],
    ],
    VIT: [
        [0.330704391, -1.558684826, -1.354024887, -1.204831362, 0.398313165],
        [0.189537883, -1.310782313, -0.828044772, -0.835626304, 0.419137120],
    ],
    VIT_GAP: [
        [0.399702817, 0.512074351, -0.726563096, -0.718967438, -0.459289253],
        [0.917342424, 0.578561306, -0.943117261, -0.879084349, -0.581602454],
    ],
}


def numbered(shapes: Shapes) -> Arrays:
    """Arrays of these shapes, their numbers from their places in them and in the sorted names."""
    arrays = {}
    for k, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        wave = 0.3 * np.sin((np.arange(np.prod(shape)) + k + 1.0) ** 2).reshape(shape)
        arrays[name] = (wave + name.endswith("scale")).astype(np.float32)
    return arrays


def mixer_shapes(c: MixerConfig) -> Shapes:
    S, C = c.num_patches, c.hidden_dim
    shapes: Shapes = {
        "stem/kernel": (c.patch_size, c.patch_size, c.image_channels, C),
        "stem/bias": (C,),
        "pre_head_layer_norm/scale": (C,),
        "pre_head_layer_norm/bias": (C,),
        "head/kernel": (C, c.num_classes),
        "head/bias": (c.num_classes,),
    }
    for i in range(c.num_blocks):
        for norm in ("LayerNorm_0", "LayerNorm_1"):
            shapes |= {f"MixerBlock_{i}/{norm}/{name}": (C,) for name in ("scale", "bias")}
        for mixing, n, hidden in (
            ("token_mixing", S, c.tokens_mlp_dim),
            ("channel_mixing", C, c.channels_mlp_dim),
        ):
            block = f"MixerBlock_{i}/{mixing}"
            shapes |= {f"{block}/Dense_0/kernel": (n, hidden), f"{block}/Dense_0/bias": (hidden,)}
            shapes |= {f"{block}/Dense_1/kernel": (hidden, n), f"{block}/Dense_1/bias": (n,)}
    return shapes


def vit_shapes(c: ViTConfig) -> Shapes:
    C, H, D = c.hidden_dim, c.num_heads, c.hidden_dim // c.num_heads
    has_token = c.classifier == "token"
    shapes: Shapes = {
        "embedding/kernel": (c.patch_size, c.patch_size, c.image_channels, C),
        "embedding/bias": (C,),
        "Transformer/posembed_input/pos_embedding": (1, c.num_patches + has_token, C),
        "Transformer/encoder_norm/scale": (C,),
        "Transformer/encoder_norm/bias": (C,),
        "head/kernel": (C, c.num_classes),
        "head/bias": (c.num_classes,),
    }
    if has_token:
        shapes["cls"] = (1, 1, C)
    for i in range(c.num_blocks):
        block = f"Transformer/encoderblock_{i}"
        for norm in ("LayerNorm_0", "LayerNorm_1"):
            shapes |= {f"{block}/{norm}/{name}": (C,) for name in ("scale", "bias")}
        attention = f"{block}/MultiHeadDotProductAttention_0"
        for name in ("query", "key", "value"):
            shapes |= {f"{attention}/{name}/kernel": (C, H, D), f"{attention}/{name}/bias": (H, D)}
        shapes |= {f"{attention}/out/kernel": (H, D, C), f"{attention}/out/bias": (C,)}
        shapes |= {
            f"{block}/MlpBlock_0/Dense_0/kernel": (C, c.mlp_dim),
            f"{block}/MlpBlock_0/Dense_0/bias": (c.mlp_dim,),
            f"{block}/MlpBlock_0/Dense_1/kernel": (c.mlp_dim, C),
            f"{block}/MlpBlock_0/Dense_1/bias": (C,),
        }
    return shapes


def published_shapes(config: MixerConfig | ViTConfig) -> Shapes:
    return mixer_shapes(config) if isinstance(config, MixerConfig) else vit_shapes(config)


def published_arrays(config: MixerConfig | ViTConfig) -> Arrays:
    return numbered(published_shapes(config))


def renamed(arrays: Arrays, *patterns: tuple[str, str]) -> Arrays:
    found = {}
    for name, array in arrays.items():
        for pattern, other in patterns:
            name = re.sub(pattern, other, name)
        found[name] = array
    return found


def first_mixer(arrays: Arrays) -> Arrays:
    """As the first Mixers were saved: other names, and an axis of one in their dense layers."""
    found = renamed(
        arrays,
        ("^stem/", "embedding/"),
        ("^pre_head_layer_norm/", "Mixer/encoder_norm/"),
        ("^MixerBlock_", "Mixer/encoderblock_"),
        ("LayerNorm_1", "LayerNorm_2"),
        ("token_mixing/Dense_0/(kernel|bias)", r"token_mixing_phase_0/\g<1>1"),
        ("token_mixing/Dense_1/(kernel|bias)", r"token_mixing_phase_0/\g<1>2"),
        ("channel_mixing/Dense_0/(kernel|bias)", r"channel_mixing_phase_0/\g<1>1"),
        ("channel_mixing/Dense_1/(kernel|bias)", r"channel_mixing_phase_0/\g<1>2"),
    )
    return {name: array[None] if "_phase_" in name else array for name, array in found.items()}


def first_vit(arrays: Arrays) -> Arrays:
    """As the first ViTs were saved: submodules are numbered across classes."""
    return renamed(
        arrays,
        ("LayerNorm_1", "LayerNorm_2"),
        ("MultiHeadDotProductAttention_0", "MultiHeadDotProductAttention_1"),
        ("MlpBlock_0", "MlpBlock_3"),
    )


def big_vision(arrays: Arrays) -> Arrays:
    """As big_vision saves a ViT: the class token has no position, so it is in the token."""
    found = {f"params/{name}": array for name, array in arrays.items()}
    positions = found.pop("params/Transformer/posembed_input/pos_embedding")
    if "cls" in arrays:
        found["params/cls"] = arrays["cls"] + positions[:, :1]
        positions = positions[:, 1:]
    return found | {"params/pos_embedding": positions}
