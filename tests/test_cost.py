"""The bill of a network against counts published by others, and against XLA's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import PUBLISHED, PUBLISHED_PARAMS, named_mixer
from records import CIFAR, DIGITS, IMAGENET, mixer, vit
from trees import image_like, shapes

from space.build import build
from space.config import Config, MixerConfig
from space.cost import cost, training_bytes
from space.mixer_family import MixerRanges, mixer_macs


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_macs_are_the_published_ones(name: str) -> None:
    config, params, macs = PUBLISHED[name]
    assert cost(config).params == params
    assert cost(config).macs == macs
    assert cost(config).flops == 2 * macs


@pytest.mark.parametrize("name", PUBLISHED_PARAMS)
def test_parameters_are_the_published_ones(name: str) -> None:
    config, params = PUBLISHED_PARAMS[name]
    assert cost(config).params == params


@pytest.mark.parametrize(
    "name",
    ["Mixer-S/32", "Mixer-B/16", "Mixer-L/16", "CIFAR Mixer", "ViT-Ti/16", "ViT-L/16"],
)
def test_the_module_itself_has_the_published_number_of_parameters(name: str) -> None:
    config, params, _ = PUBLISHED[name]
    assert sum(map(np.prod, shapes(config).values())) == params


def test_the_mean_pooled_module_has_no_class_token() -> None:
    config, params = PUBLISHED_PARAMS["ViT-S/16 mean-pooled"]
    assert "cls" not in shapes(config)
    assert sum(map(np.prod, shapes(config).values())) == params


@pytest.mark.parametrize(
    "config", [mixer(), mixer(CIFAR, num_blocks=1), vit(), vit(CIFAR, classifier="gap")]
)
def test_every_row_of_the_bill_has_the_parameters_under_its_path(config: Config) -> None:
    tree = shapes(config)
    rows = {layer.name: layer.params for layer in cost(config).layers}
    assert len(rows) == len(cost(config).layers)
    for name, params in rows.items():
        under = [
            np.prod(shape)
            for path, shape in tree.items()
            if path == name or path.startswith(f"{name}/")
        ]
        assert sum(under) == params, name
    assert sum(rows.values()) == sum(map(np.prod, tree.values()))


def test_swapping_the_two_mlps_leaves_macs_but_not_parameters() -> None:
    b16 = named_mixer(16, 12, 768, 384, 3072)
    swapped = named_mixer(16, 12, 768, 3072, 384)
    assert cost(swapped).macs == cost(b16).macs
    assert round(cost(b16).params / 1e6, 1) == 59.9
    assert round(cost(swapped).params / 1e6, 1) == 23.0


@settings(deadline=None)
@given(
    S=st.sampled_from([1, 4, 16]),
    C=st.integers(1, 40),
    D_S=st.integers(1, 40),
    D_C=st.integers(1, 40),
)
def test_a_blocks_macs_are_2_s_c_times_both_mlp_dims(S: int, C: int, D_S: int, D_C: int) -> None:
    patch_size = {1: 8, 4: 4, 16: 2}[S]
    one, two = (
        mixer(
            patch_size=patch_size,
            hidden_dim=C,
            tokens_mlp_dim=D_S,
            channels_mlp_dim=D_C,
            num_blocks=blocks,
        )
        for blocks in (1, 2)
    )
    assert cost(two).macs - cost(one).macs == 2 * S * C * (D_S + D_C)
    assert cost(two).params - cost(one).params == (
        4 * C + 2 * S * D_S + D_S + S + 2 * C * D_C + D_C + C
    )


@settings(deadline=None, max_examples=8)
@given(
    config=st.builds(
        mixer,
        patch_size=st.sampled_from([1, 2, 4, 8]),
        hidden_dim=st.integers(1, 9),
        tokens_mlp_dim=st.integers(1, 9),
        channels_mlp_dim=st.integers(1, 9),
        num_blocks=st.integers(1, 3),
        image_channels=st.sampled_from([1, 3]),
    )
    | st.builds(
        lambda heads, head_dim, **kw: vit(hidden_dim=heads * head_dim, num_heads=heads, **kw),
        heads=st.integers(1, 3),
        head_dim=st.integers(1, 3),
        patch_size=st.sampled_from([1, 2, 4, 8]),
        mlp_dim=st.integers(1, 9),
        num_blocks=st.integers(1, 3),
        classifier=st.sampled_from(["token", "gap"]),
    )
)
def test_the_bill_counts_the_parameters_of_any_module(config: Config) -> None:
    assert cost(config).params == sum(map(np.prod, shapes(config).values()))


@pytest.mark.parametrize(
    "config",
    [
        mixer(CIFAR, patch_size=4, hidden_dim=128, tokens_mlp_dim=128, channels_mlp_dim=512),
        vit(CIFAR, patch_size=4, hidden_dim=128, mlp_dim=256, num_heads=4),
    ],
)
def test_xla_counts_the_same_flops_within_five_percent(config: Config) -> None:
    """XLA counts biases, norms and GELU too, so it counts a little more."""
    module = build(config)
    params = jax.eval_shape(module.init, jax.random.key(0), image_like(config))
    compiled = jax.jit(module.apply).lower(params, image_like(config)).compile()
    assert 1.0 < compiled.cost_analysis()["flops"] / cost(config).flops < 1.05


def test_training_needs_at_least_weights_gradients_both_moments_and_activations() -> None:
    config, params, _ = PUBLISHED["CIFAR Mixer"]
    none, one, two = (training_bytes(config, batch) for batch in (0, 1, 2))
    assert none == 4 * 4 * params
    assert two - one == one - none
    stored = (one - none) // 4
    S, C, D_S, D_C, L = 64, 128, 64, 512, 8
    assert stored >= L * (2 * S * C + 2 * C * D_S + 2 * S * D_C)  # norms' outputs, hidden layers
    assert training_bytes(config, 1, bytes_per_value=2) - none == (one - none) // 2


def test_memory_of_attention_grows_with_the_square_of_the_tokens() -> None:
    def activations(patch_size: int) -> int:
        config = vit(IMAGENET, patch_size=patch_size, classifier="gap", num_heads=12)
        return training_bytes(config, 1) - training_bytes(config, 0)

    assert activations(4) / activations(16) == pytest.approx(16**2, rel=0.05)


def test_the_macs_of_parameters_alone_are_those_of_the_layers() -> None:
    for task in (DIGITS, CIFAR, IMAGENET):
        for values in itertools.product((1, 4, 8), (3, 64), (1, 5), (7, 128), (1, 12)):
            named = dict(zip(MixerRanges.model_fields, values, strict=True))
            config = MixerConfig.model_validate(task.model_dump() | named)
            assert mixer_macs(task, **named) == cost(config).macs


def kept_for_the_backward_pass(config: Config, batch: int) -> int:
    """How many numbers JAX does keep, with no compiler to do without some of them."""
    module, images = build(config), jax.ShapeDtypeStruct((batch, 8, 8, 1), np.float32)
    params = jax.eval_shape(module.init, jax.random.key(0), images)
    pull = jax.eval_shape(lambda p, x: jax.vjp(lambda p: module.apply(p, x), p)[1], params, images)
    return sum(leaf.size for leaf in jax.tree.leaves(pull))


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (mixer(), mixer(hidden_dim=15)),
        (mixer(), mixer(num_blocks=3)),
        (mixer(), mixer(tokens_mlp_dim=9)),
        (mixer(), mixer(channels_mlp_dim=21)),
        (vit(), vit(hidden_dim=15)),
        (vit(), vit(num_blocks=3)),
        (vit(), vit(mlp_dim=21)),
    ],
)
def test_every_dimension_adds_a_third_at_least_of_what_jax_keeps_and_hardly_more(
    small: Config, large: Config
) -> None:
    """An estimate from below: JAX keeps more of a GELU than what goes in and what comes out."""

    def of_an_image(count: Callable[[Config, int], int]) -> int:
        more, less = (count(large, batch) - count(small, batch) for batch in (3, 2))
        return more - less

    added = of_an_image(training_bytes) / 4
    kept = of_an_image(kept_for_the_backward_pass)
    assert 0.3 < added / kept < 1.1
