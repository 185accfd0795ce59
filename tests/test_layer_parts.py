"""FLOPs by the parts of a network."""

from __future__ import annotations

import pytest
from records import CIFAR, IMAGENET, mixer, vit

from runs.layer_parts import flops_by_part, part_of
from space.config import Config
from space.cost import cost


@pytest.mark.parametrize("config", [mixer(CIFAR), vit(CIFAR), vit(CIFAR, classifier="token")])
def test_parts_add_up_to_the_network(config: Config) -> None:
    assert sum(flops_by_part(config).values()) == cost(config).flops


def test_a_mixer_spends_on_token_and_channel_mixing_in_proportion_to_their_widths() -> None:
    """S patches, C channels: token mixing takes 2 S C T MACs a block, channel mixing 2 S C D."""
    shape = {"patch_size": 16, "hidden_dim": 768, "num_blocks": 12}
    b16 = mixer(IMAGENET, **shape, tokens_mlp_dim=384, channels_mlp_dim=3072)
    parts = flops_by_part(b16)
    assert list(parts) == ["Stem", "Token mixing", "Channel mixing", "Head"]
    assert parts["Token mixing"] == 2 * 12 * 2 * 196 * 768 * 384
    assert parts["Channel mixing"] == 8 * parts["Token mixing"]


def test_attention_holds_its_projections_and_both_products() -> None:
    config = vit(CIFAR, patch_size=4, classifier="gap")
    parts = flops_by_part(config)
    assert list(parts) == ["Stem", "Attention", "MLP", "Head"]
    assert parts["Attention"] == 2 * 2 * (4 * 64 * 12**2 + 2 * 64**2 * 12)


def test_a_layer_of_another_family_goes_by_its_own_name() -> None:
    assert part_of("pooling_mixer_3/pool_mixing/Dense_1") == "pool mixing"
    assert part_of("neck") == "neck"
