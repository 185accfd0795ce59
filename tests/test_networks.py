"""The networks against a second implementation and against what their definitions imply."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from records import CIFAR, mixer, vit
from trees import image_like, shapes

from space.build import build
from space.config import Config, MixerConfig, ViTConfig
from space.mixer import MlpMixer
from space.stem import PatchStem
from space.vit import VisionTransformer

MIXER = mixer(CIFAR, patch_size=8)
VIT = vit(CIFAR, patch_size=8)
GAP = vit(CIFAR, patch_size=8, classifier="gap")
WIDE_MIXER = mixer(
    CIFAR, patch_size=4, hidden_dim=64, tokens_mlp_dim=64, channels_mlp_dim=128, num_blocks=1
)
WIDE_VIT = vit(CIFAR, patch_size=4, hidden_dim=64, mlp_dim=128, num_heads=2, num_blocks=1)
ALL = pytest.mark.parametrize("config", [MIXER, VIT, GAP], ids=["mixer", "vit", "vit-gap"])

Params = dict[str, Any]


def images(config: Config) -> jax.Array:
    """A batch of three."""
    shape = (3, config.image_size, config.image_size, config.image_channels)
    return jnp.asarray(np.random.default_rng(7).normal(size=shape), jnp.float32)


@functools.cache
def first(config: Config) -> Params:
    """The parameters training begins with."""
    return jax.jit(build(config).init)(jax.random.key(0, impl="rbg"), images(config))["params"]


def scrambled(config: Config) -> Params:
    """Parameters in which nothing is zero or one, so that nothing is left out unseen."""
    draw = np.random.default_rng(1)
    drawn = {
        path: jnp.asarray(draw.normal(0, 0.3, shape), jnp.float32)
        for path, shape in shapes(config).items()
    }
    return unflatten_dict(drawn, sep="/")


@functools.cache
def compiled(config: Config, dtype: Any) -> Callable[[Params, jax.Array], jax.Array]:
    return jax.jit(build(config, dtype).apply)


def logits(config: Config, params: Params, x: jax.Array, dtype: Any = jnp.float32) -> jax.Array:
    return compiled(config, dtype)({"params": params}, x)


def norm(x: np.ndarray, params: Params) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return scaled * params["scale"] + params["bias"]


def dense(x: np.ndarray, params: Params) -> np.ndarray:
    return x @ params["kernel"] + params["bias"]


def mlp(x: np.ndarray, params: Params) -> np.ndarray:
    h = dense(x, params["Dense_0"])
    h = h * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
    return dense(h, params["Dense_1"])


def cut(x: np.ndarray, params: Params) -> np.ndarray:
    """Patch after patch, row by row: batch, patches, channels."""
    p = params["kernel"].shape[0]
    patches = [
        np.tensordot(x[:, r : r + p, c : c + p], params["kernel"], axes=3) + params["bias"]
        for r in range(0, x.shape[1], p)
        for c in range(0, x.shape[2], p)
    ]
    return np.stack(patches, axis=1)


def plain_mixer(config: MixerConfig, params: Params, x: np.ndarray) -> np.ndarray:
    """Equation 1 of Tolstikhin et al. 2021 in NumPy, double precision."""
    x = cut(x, params["stem"])
    for i in range(config.num_blocks):
        block = params[f"MixerBlock_{i}"]
        y = norm(x, block["LayerNorm_0"]).swapaxes(1, 2)
        x = x + mlp(y, block["token_mixing"]).swapaxes(1, 2)
        x = x + mlp(norm(x, block["LayerNorm_1"]), block["channel_mixing"])
    return dense(norm(x, params["pre_head_layer_norm"]).mean(1), params["head"])


def attend(x: np.ndarray, params: Params) -> np.ndarray:
    q, k, v = (
        np.einsum("btc,chd->bhtd", x, params[name]["kernel"]) + params[name]["bias"][:, None]
        for name in ("query", "key", "value")
    )
    weights = np.exp(q @ k.swapaxes(2, 3) / math.sqrt(q.shape[-1]))
    mixed = weights / weights.sum(-1, keepdims=True) @ v
    return np.einsum("bhtd,hdc->btc", mixed, params["out"]["kernel"]) + params["out"]["bias"]


def plain_vit(config: ViTConfig, params: Params, x: np.ndarray) -> np.ndarray:
    """Equations 1 to 4 of Dosovitskiy et al. 2021 in NumPy, double precision."""
    x = cut(x, params["embedding"])
    if config.classifier == "token":
        x = np.concatenate([np.repeat(params["cls"], len(x), axis=0), x], axis=1)
    encoder = params["Transformer"]
    x = x + encoder["posembed_input"]["pos_embedding"]
    for i in range(config.num_blocks):
        block = encoder[f"encoderblock_{i}"]
        y = norm(x, block["LayerNorm_0"])
        x = x + attend(y, block["MultiHeadDotProductAttention_0"])
        x = x + mlp(norm(x, block["LayerNorm_1"]), block["MlpBlock_0"])
    x = norm(x, encoder["encoder_norm"])
    return dense(x[:, 0] if config.classifier == "token" else x.mean(1), params["head"])


def in_numpy(config: Config, params: Params, x: jax.Array) -> np.ndarray:
    doubled = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    plain = plain_mixer if isinstance(config, MixerConfig) else plain_vit
    return plain(config, doubled, np.asarray(x, np.float64))


@ALL
def test_logits_are_those_of_the_papers_equations(config: Config) -> None:
    params, x = scrambled(config), images(config)
    expected = in_numpy(config, params, x)
    np.testing.assert_allclose(logits(config, params, x), expected, rtol=1e-5, atol=1e-5)


@ALL
def test_norms_add_a_millionth_to_the_variance(config: Config) -> None:
    """Seen only where tokens are nearly constant: here their variance is about a millionth."""
    params, x = flatten_dict(scrambled(config), sep="/"), images(config)
    for path in params:  # whatever writes to the tokens writes little
        if any(part in path for part in ("stem", "embedding", "cls", "Dense_1", "/out/")):
            params[path] = params[path] * 1e-3
    tree = unflatten_dict(params, sep="/")
    np.testing.assert_allclose(
        logits(config, tree, x), in_numpy(config, tree, x), rtol=1e-4, atol=1e-4
    )


def test_the_stem_is_a_convolution_with_the_same_kernel() -> None:
    x = images(MIXER)
    stem, conv = PatchStem(8, 12, jnp.float32), nn.Conv(12, (8, 8), strides=(8, 8))
    ours, theirs = (
        jax.jit(module.init)(jax.random.key(5, impl="rbg"), x) for module in (stem, conv)
    )
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)  # initialised alike too
    params = {"params": jax.tree.map(lambda leaf: leaf + 0.1, ours["params"])}
    expected = jax.jit(conv.apply)(params, x).reshape(3, 16, 12)
    np.testing.assert_allclose(jax.jit(stem.apply)(params, x), expected, rtol=1e-5, atol=1e-5)


def test_mixer_parameters_have_the_published_names_and_shapes() -> None:
    tree = shapes(MIXER)
    assert tree.pop("stem/kernel") == (8, 8, 3, 12)
    assert tree.pop("MixerBlock_0/token_mixing/Dense_0/kernel") == (16, 8)
    assert tree.pop("MixerBlock_0/token_mixing/Dense_1/kernel") == (8, 16)
    assert tree.pop("MixerBlock_1/channel_mixing/Dense_0/kernel") == (12, 20)
    assert tree.pop("MixerBlock_1/LayerNorm_1/scale") == (12,)
    assert tree.pop("pre_head_layer_norm/scale") == (12,)
    assert tree.pop("head/kernel") == (12, 10)
    assert len(tree) == 2 + 2 * 12 + 2 + 2 - 7


def test_vit_parameters_have_the_published_names_and_shapes() -> None:
    tree = shapes(VIT)
    block = "Transformer/encoderblock_1"
    assert tree.pop("embedding/kernel") == (8, 8, 3, 12)
    assert tree.pop("cls") == (1, 1, 12)
    assert tree.pop("Transformer/posembed_input/pos_embedding") == (1, 17, 12)
    assert tree.pop(f"{block}/MultiHeadDotProductAttention_0/query/kernel") == (12, 3, 4)
    assert tree.pop(f"{block}/MultiHeadDotProductAttention_0/out/kernel") == (3, 4, 12)
    assert tree.pop(f"{block}/MlpBlock_0/Dense_0/kernel") == (12, 20)
    assert tree.pop(f"{block}/LayerNorm_0/bias") == (12,)
    assert tree.pop("Transformer/encoder_norm/scale") == (12,)
    assert tree.pop("head/bias") == (10,)
    assert len(tree) == 2 + 1 + 1 + 2 * 16 + 2 + 2 - 9


@pytest.mark.parametrize("config", [WIDE_MIXER, WIDE_VIT], ids=["mixer", "vit"])
def test_the_first_loss_is_ln_k_and_only_the_head_has_a_gradient(config: Config) -> None:
    def loss(params: Params, x: jax.Array) -> jax.Array:
        labels = jnp.array([0, 4, 9])
        out = build(config).apply({"params": params}, x)
        return optax.softmax_cross_entropy_with_integer_labels(out, labels).mean()

    value, gradient = jax.jit(jax.value_and_grad(loss))(first(config), images(config))
    assert float(value) == pytest.approx(math.log(10), abs=1e-6)
    for path, leaf in flatten_dict(gradient, sep="/").items():
        assert np.asarray(leaf).any() == path.startswith("head/"), path


def test_a_mixers_kernels_are_lecun_normal_and_its_biases_zero() -> None:
    tree = flatten_dict(jax.tree.map(np.asarray, first(WIDE_MIXER)), sep="/")
    for path, leaf in tree.items():
        if path.endswith("bias") or path == "head/kernel":
            assert not leaf.any(), path
        elif path.endswith("scale"):
            assert (leaf == 1).all(), path
        else:
            fan_in = math.prod(leaf.shape[:-1])
            assert float(leaf.std()) * math.sqrt(fan_in) == pytest.approx(1, rel=0.08), path


def test_a_vits_kernels_are_xavier_uniform_and_its_positions_small() -> None:
    tree = flatten_dict(jax.tree.map(np.asarray, first(WIDE_VIT)), sep="/")
    assert not tree["cls"].any()
    assert not tree["head/kernel"].any()
    assert float(tree["Transformer/posembed_input/pos_embedding"].std()) == pytest.approx(
        0.02, rel=0.08
    )
    stem = tree["embedding/kernel"]
    assert float(stem.std()) * math.sqrt(48) == pytest.approx(1, rel=0.08)
    block = "Transformer/encoderblock_0"
    for path, fans in {"MlpBlock_0/Dense_0/kernel": 192, "MlpBlock_0/Dense_1/kernel": 192}.items():
        leaf = tree[f"{block}/{path}"]
        limit = math.sqrt(6 / fans)
        assert 0.95 * limit < float(abs(leaf).max()) <= limit
        assert float(leaf.std()) == pytest.approx(limit / math.sqrt(3), rel=0.05)
    biases = [leaf for path, leaf in tree.items() if "MlpBlock" in path and "bias" in path]
    assert all(0 < float(abs(leaf).max()) < 1e-5 for leaf in biases)


def test_a_mixer_does_not_care_for_the_order_of_patches_if_its_tokens_move_along() -> None:
    """Permuting the patches, and rows and columns of token mixing alike, changes nothing."""
    params, x = scrambled(MIXER), images(MIXER)
    order = np.random.default_rng(2).permutation(16)
    tiles = x.reshape(3, 4, 8, 4, 8, 3).transpose(0, 1, 3, 2, 4, 5).reshape(3, 16, 8, 8, 3)
    moved = tiles[:, order].reshape(3, 4, 4, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5)
    moved = moved.reshape(3, 32, 32, 3)
    tree = flatten_dict(params, sep="/")
    for path in list(tree):
        if "token_mixing/Dense_0/kernel" in path or "token_mixing/Dense_1/bias" in path:
            tree[path] = tree[path][order]
        if "token_mixing/Dense_1/kernel" in path:
            tree[path] = tree[path][:, order]
    expected = logits(MIXER, params, x)
    along = logits(MIXER, unflatten_dict(tree, sep="/"), moved)
    np.testing.assert_allclose(along, expected, rtol=0, atol=1e-5)
    assert abs(logits(MIXER, params, moved) - expected).max() > 1e-2  # else it proves nothing


@pytest.mark.parametrize("config", [MIXER, VIT], ids=["mixer", "vit"])
def test_bfloat16_computes_nearly_the_same_and_speaks_float32(config: Config) -> None:
    params, x = scrambled(config), images(config)
    exact, rounded = (logits(config, params, x, dtype) for dtype in (jnp.float32, jnp.bfloat16))
    assert rounded.dtype == jnp.float32
    assert 0 < float(abs(rounded - exact).max()) < 0.1 * float(abs(exact).max())
    made = jax.eval_shape(build(config, jnp.bfloat16).init, jax.random.key(0), image_like(config))
    assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {jnp.dtype("float32")}


@ALL
def test_an_images_logits_do_not_depend_on_the_others_in_the_batch(config: Config) -> None:
    params, x = scrambled(config), images(config)
    others = x.at[1:].set(5.0)
    before, after = logits(config, params, x), logits(config, params, others)
    np.testing.assert_allclose(after[0], before[0], rtol=1e-6, atol=1e-6)
    assert abs(after[1:] - before[1:]).max() > 1e-2


def test_each_family_has_its_module() -> None:
    assert build(MIXER) == MlpMixer(MIXER, jnp.float32)
    assert build(VIT, jnp.bfloat16) == VisionTransformer(VIT, jnp.bfloat16)
