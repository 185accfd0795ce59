"""`timm/`: a folder that timm loads, and what is read from folders of timm's own."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published_files import first_vit
from records import CIFAR, mixer, vit
from safetensors.numpy import load_file, save_file
from weights import (
    OtherConfig,
    drawn_config,
    drawn_images,
    drawn_params,
    flax_logits,
    trained_preset,
)

from search.formats.layout import LayoutError
from search.formats.npz import write_npz
from search.formats.proof import FormatError
from search.formats.timm import read_config, read_weights, safetensors_in, write_timm
from search.formats.timm_arrays import to_timm
from search.formats.timm_config import config_of, ratio_of, timm_config, trained_of
from space import presets
from space.config import Config
from space.weights_file import flat

HAS_TIMM = find_spec("torch") is not None and find_spec("timm") is not None
needs_timm = pytest.mark.skipif(
    not HAS_TIMM, reason="torch and timm are not installed, so timm itself is not asked"
)


NAMED = mixer(
    CIFAR,
    patch_size=16,
    hidden_dim=512,
    num_blocks=8,
    tokens_mlp_dim=7,
    channels_mlp_dim=9,
)
"""With what an architecture of timm's sets itself, and other MLPs."""


def drawn(family: str, seed: int) -> Config:
    return drawn_config(family, np.random.default_rng(seed))


def written(folder: Path, config: Config, seed: int = 0) -> tuple[Any, Any, Any]:
    """The proof, the parameters and the logits of a folder."""
    params, images = drawn_params(config, seed), drawn_images(config, 6, seed)
    preset = trained_preset(config, params)
    logits = flax_logits(preset, params, images)
    return write_timm(preset, params, folder, images, logits), params, logits


@pytest.mark.parametrize("family", ["mixer", "vit"])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_written_is_read_back_to_the_bit(tmp_path: Path, family: str, seed: int) -> None:
    config = drawn(family, seed)
    proof, params, _ = written(tmp_path, config, seed)
    assert proof.files == ("timm/config.json", "timm/model.safetensors")
    assert 0 < proof.max_difference <= 1e-5
    facts = read_config(tmp_path / "timm/config.json")
    assert config_of(facts) == config
    back = flat(read_weights(tmp_path / "timm/model.safetensors", config))
    for path, array in flat(params).items():
        np.testing.assert_array_equal(back.pop(path), array)
    assert not back


@needs_timm
@pytest.mark.parametrize("family", ["mixer", "vit"])
@pytest.mark.parametrize("seed", range(4))
def test_timm_loads_it_strictly_and_computes_the_same(
    tmp_path: Path, family: str, seed: int
) -> None:
    import timm

    config = drawn(family, seed)
    proof, _, logits = written(tmp_path, config, seed)
    assert proof.read_by.startswith(f"timm {timm.__version__} (torch ")
    assert proof.max_difference <= 1e-6 * max(1, np.abs(logits).max())


@needs_timm
@pytest.mark.parametrize("config", [vit(CIFAR), NAMED], ids=["vit", "published sizes"])
def test_timm_makes_it_by_its_name_with_the_right_images(tmp_path: Path, config: Config) -> None:
    import timm
    import torch

    written(tmp_path, config)
    model = timm.create_model(f"local-dir:{tmp_path / 'timm'}", pretrained=False)
    arrays = load_file(tmp_path / "timm/model.safetensors")
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    assert not any(model.load_state_dict(state, strict=True))
    data = timm.data.resolve_model_data_config(model)
    assert data["input_size"] == (3, config.image_size, config.image_size)
    assert (data["crop_mode"], data["crop_pct"]) == ("center", 1.0)
    np.testing.assert_allclose(np.array(data["mean"]) * 255, [125.3, 122.9, 113.8])


@needs_timm
def test_timm_reads_a_vit_from_a_published_archive(tmp_path: Path) -> None:
    """By its own loader of vision_transformer's files, which knows the first names alone."""
    import timm
    import torch

    config = vit(CIFAR)
    params, images = drawn_params(config), drawn_images(config)
    preset = trained_preset(config, params)
    logits = flax_logits(preset, params, images)
    write_npz(preset, params, tmp_path, images, logits)
    facts = timm_config(preset)
    model = timm.models.VisionTransformer(num_classes=10, **facts["model_args"]).eval()
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        np.savez(tmp_path / "first.npz", **first_vit(dict(archive)))
    model.load_pretrained(str(tmp_path / "first.npz"))
    pixels = torch.from_numpy(2 * images.astype(np.float32) / 255 - 1).permute(0, 3, 1, 2)
    with torch.inference_mode():
        found = model(pixels).numpy()
    np.testing.assert_allclose(found, logits, rtol=0, atol=1e-5)


@needs_timm
def test_the_note_says_what_timms_own_gelu_makes_of_a_mixer(tmp_path: Path) -> None:
    proof, _, _ = written(tmp_path, mixer())
    assert "MlpMixer(config['num_classes'], **config['model_args'], act_layer=" in proof.note
    assert "without act_layer timm computes GELU by erf, up to " in proof.note
    proof, _, _ = written(tmp_path, vit())
    assert "act_layer" not in proof.note, "its config carries it"


@pytest.mark.skipif(HAS_TIMM, reason="torch and timm are installed, so timm itself is asked")
def test_without_timm_the_proof_says_that_it_was_not_asked(tmp_path: Path) -> None:
    proof, _, _ = written(tmp_path, mixer())
    assert proof.read_by == "NumPy alone (space.reference)"
    assert "torch and timm are not installed here, so timm itself was not asked" in proof.note


def test_no_width_is_cut_off_by_timms_arithmetic() -> None:
    """timm 1.0.31 `models/mlp_mixer.py`, `MixerBlock`: `[int(x * dim) for x in ...(mlp_ratio)]`."""
    rng = np.random.default_rng(0)
    drawn = [(int(width), int(dim)) for width, dim in rng.integers(1, 4097, (200, 2))]
    for width, dim in [*drawn, (60, 88), (384, 768), (3072, 768)]:
        stored = json.loads(json.dumps(ratio_of(width, dim)))
        assert int(stored * dim) == width
    assert int(60 / 88 * 88) == 59, "which plain division would have made of it"
    assert (ratio_of(384, 768), ratio_of(3072, 768)) == (0.5, 4.0)


def test_configurations_come_back_from_their_config() -> None:
    no_weights = {"head": {"bias": np.zeros(1)}}
    for seed in range(100):
        for config in (drawn("mixer", seed), drawn("vit", seed)):
            facts = json.loads(json.dumps(timm_config(trained_preset(config, no_weights))))
            assert config_of(facts) == config


def test_the_fields_of_a_config_are_those_of_timm(tmp_path: Path) -> None:
    written(
        tmp_path, mixer(presets.load("mixer_cifar").config.task, hidden_dim=88, tokens_mlp_dim=60)
    )
    facts = read_config(tmp_path / "timm/config.json")
    assert (facts["architecture"], facts["model_args"]["num_blocks"]) == ("mixer_b16_224", 2)
    assert facts["label_names"][:2] == ["class 0", "class 1"]
    assert facts["model_args"]["mlp_ratio"][0] > 60 / 88
    assert facts["pretrained_cfg"]["input_size"] == [3, 32, 32]
    told = trained_of(facts, config_of(facts))
    assert told["resize"] == "crop"
    np.testing.assert_allclose(told["pixel_std"], [62.9, 62.0, 66.7], rtol=1e-12)


def test_a_mixer_of_published_sizes_goes_by_its_name_without_what_that_sets() -> None:
    facts = timm_config(trained_preset(NAMED, {"head": {"bias": np.zeros(1)}}))
    assert facts["architecture"] == "mixer_s16_224"
    assert facts["model_args"].keys() == {"img_size", "in_chans", "mlp_ratio"}
    assert config_of(facts) == NAMED


PUBLISHED = {
    "architecture": "mixer_b16_224",
    "num_classes": 1000,
    "num_features": 768,
    "global_pool": "avg",
    "pretrained_cfg": {
        "tag": "goog_in21k_ft_in1k",
        "input_size": [3, 224, 224],
        "fixed_input_size": True,
        "interpolation": "bicubic",
        "crop_pct": 0.875,
        "crop_mode": "center",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "num_classes": 1000,
        "first_conv": "stem.proj",
        "classifier": "head",
    },
}
"""As of timm/mixer_b16_224.goog_in21k_ft_in1k: no arguments, since the architecture has them."""


@pytest.mark.parametrize(
    ("architecture", "preset"),
    [
        ("mixer_b16_224", "mixer_b16"),
        ("mixer_s32_224", "mixer_s32"),
        ("mixer_l16_224", "mixer_l16"),
        ("vit_tiny_patch16_224", "vit_ti16"),
        ("vit_small_patch16_224", "vit_s16"),
        ("vit_base_patch16_224", "vit_b16"),
        ("vit_large_patch16_224", "vit_l16"),
    ],
)
def test_an_architecture_of_timms_own_is_the_published_network(
    architecture: str, preset: str
) -> None:
    facts = PUBLISHED | {"architecture": architecture}
    config = config_of(facts)
    assert config == presets.load(preset).config
    assert trained_of(facts, config) == {
        "pixel_mean": (127.5,) * 3,
        "pixel_std": (127.5,) * 3,
        "resize": "crop",
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "resnet18"}, "of the architecture 'resnet18'"),
        ({"architecture": None}, "of the architecture None"),
        ({"architecture": "vit_base_patch16_clip_224"}, "vit_base_patch16_clip_224"),
        ({"model_args": {"stem_norm": True}}, "it has stem_norm = True, networks here False"),
        ({"model_args": {"act_layer": "relu"}}, "it has act_layer, which no network here has"),
        ({"model_args": {"img_size": [224, 192]}}, "224 x 192 is no square"),
        ({"model_args": {"patch_size": 13}}, "patch_size=13 does not tile image_size=224"),
        ({"model_args": {"embed_dim": "wide"}}, "config.json describes no network"),
        ({"num_classes": None}, "num_classes: input should be a valid integer"),
    ],
)
def test_what_is_no_network_of_this_program_is_refused(changes: Any, words: str) -> None:
    with pytest.raises(LayoutError) as caught:
        config_of(PUBLISHED | changes)
    assert words in str(caught.value)
    assert "--like" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"global_pool": "avg"}, "class_token = True"),
        ({"global_pool": "avg", "class_token": False}, "fc_norm = None"),
        ({"global_pool": "map"}, "global_pool = 'map'"),
        ({"class_token": False}, "class_token = False"),
        ({"init_values": 1e-5, "reg_tokens": 4}, "init_values, reg_tokens"),
        ({"act_layer": "quick_gelu"}, "act_layer = 'quick_gelu'"),
    ],
)
def test_a_vit_of_timms_that_computes_otherwise_is_refused(arguments: Any, words: str) -> None:
    facts = PUBLISHED | {"architecture": "vit_small_patch16_224", "model_args": arguments}
    with pytest.raises(LayoutError, match=words):
        config_of(facts)


def test_what_does_not_fit_the_network_is_left_out() -> None:
    cfg = {"mean": [0.5], "std": [0.25] * 3, "crop_mode": "ten crops"}
    facts = {"pretrained_cfg": cfg, "label_names": ["cat", "dog"]}
    assert trained_of(facts, presets.load("mixer_b16").config) == {"pixel_std": (63.75,) * 3}


def test_weights_are_named_as_timm_has_them(tmp_path: Path) -> None:
    config = mixer()
    written(tmp_path, config)
    path = tmp_path / "timm/model.safetensors"
    arrays = load_file(path)
    del arrays["blocks.1.mlp_tokens.fc1.weight"]
    arrays["blocks.0.ls1.gamma"] = np.zeros(3, np.float32)
    arrays["norm.bias"] = arrays["norm.bias"][:-1].copy()
    save_file(arrays, path)
    with pytest.raises(LayoutError) as caught:
        read_weights(path, config)
    assert (
        "(1 missing: blocks.1.mlp_tokens.fc1.weight; 1 foreign: blocks.0.ls1.gamma; 1 of another "
        "shape: norm.bias [11] for [12])" in str(caught.value)
    )


def test_a_vits_queries_keys_and_values_are_one_matrix(tmp_path: Path) -> None:
    config = vit()
    _, params, _ = written(tmp_path, config)
    matrix = load_file(tmp_path / "timm/model.safetensors")["blocks.0.attn.qkv.weight"]
    assert matrix.shape == (36, 12)
    attention = params["Transformer"]["encoderblock_0"]["MultiHeadDotProductAttention_0"]
    x = np.arange(12.0)
    key = np.einsum("c,chd->hd", x, attention["key"]["kernel"]).reshape(-1)
    np.testing.assert_allclose(matrix[12:24] @ x, key, rtol=1e-5)


def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    written(tmp_path, mixer())
    path = tmp_path / "timm/model.safetensors"
    content = path.read_bytes()
    for damaged in (content[:-1], content[:7], b"", b"<html>" * 50):
        path.write_bytes(damaged)
        with pytest.raises(LayoutError, match=r"model.safetensors is no whole safetensors file"):
            safetensors_in(path)
    for text, words in (
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[1]", "no JSON object"),
    ):
        (tmp_path / "timm/config.json").write_bytes(text)
        with pytest.raises(LayoutError, match=words):
            read_config(tmp_path / "timm/config.json")
    shutil.rmtree(tmp_path / "timm")
    with pytest.raises(LayoutError, match="cannot be read"):
        safetensors_in(path)
    with pytest.raises(LayoutError, match="cannot be read"):
        read_config(tmp_path / "timm/config.json")


def test_a_family_that_timm_does_not_have_is_refused(tmp_path: Path) -> None:
    config = OtherConfig(image_size=8, image_channels=1, num_classes=10)
    with pytest.raises(FormatError, match="timm has no network of family 'other'"):
        to_timm(config, {})
