"""ONNX files: onnxruntime computes what the network does, from pixels as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CIFAR, DIGITS, mixer, vit

from search.formats import onnx as module
from search.formats.onnx import allowed, onnx_bytes, session, write_onnx
from search.formats.proof import FormatError, Proof
from search.train.predict import logits_of
from space import presets
from space.config import Config, MixerConfig, ViTConfig
from space.init import initial_params
from space.presets import Preset, Trained

MEAN, STD = (125.3, 122.95, 113.87), (62.99, 62.09, 66.7)
"""Of CIFAR-10's pixels."""


def trained(config: Config, seed: int = 0) -> dict[str, Any]:
    """Weights of which none is zero, and logits of order 1 to 10."""
    rng = np.random.default_rng(seed)
    moved: dict[str, Any] = jax.tree.map(
        lambda leaf: leaf + rng.normal(0, 0.1, leaf.shape).astype(np.float32),
        initial_params(config, seed),
    )
    kernel = moved["head"]["kernel"]
    moved["head"]["kernel"] = rng.normal(0, 0.5, kernel.shape).astype(np.float32)
    return moved


def pixels(config: Config, count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    size, channels = config.image_size, config.image_channels
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, size, size, channels), np.uint8)


def moments(config: Config) -> tuple[Sequence[float], Sequence[float]]:
    return MEAN[: config.image_channels], STD[: config.image_channels]


def own_logits(
    config: Config, params: Any, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    return logits_of(config, params, images, *moments(config), jax.devices("cpu")[0])


def preset_of(config: Config) -> Preset:
    mean, std = moments(config)
    names = tuple(f"class {i} ü" for i in range(config.num_classes))
    facts = Trained(
        sha256="5" * 64, size_bytes=1, pixel_mean=mean, pixel_std=std, class_names=names
    )
    return Preset.of("found", config, {}, facts)


def written(config: Config, folder: Path, count: int = 5) -> tuple[bytes, Proof]:
    params, images = trained(config), pixels(config, count)
    proof = write_onnx(
        preset_of(config), params, folder, images, own_logits(config, params, images)
    )
    return (folder / "model.onnx").read_bytes(), proof


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Of both families, grey and colour, from one token to many."""
    task = draw(st.sampled_from([DIGITS, CIFAR]))
    patches = [1, 2, 4, 8] if task == DIGITS else [4, 8, 16, 32]
    heads = draw(st.integers(1, 3))
    shape = {
        "patch_size": draw(st.sampled_from(patches)),
        "hidden_dim": heads * draw(st.integers(8, 16)),
        "num_blocks": draw(st.integers(1, 3)),
    }
    widths = [draw(st.integers(1, 30)) for _ in range(2)]
    if draw(st.booleans()):
        return mixer(task, **shape, tokens_mlp_dim=widths[0], channels_mlp_dim=widths[1])
    classifier = draw(st.sampled_from(["token", "gap"]))
    return vit(task, **shape, num_heads=heads, mlp_dim=widths[0], classifier=classifier)


@settings(max_examples=4, deadline=None)
@given(config=configs(), seed=st.integers(0, 99))
def test_networks_compute_the_same_at_any_batch_size(config: Config, seed: int) -> None:
    computes_the_same_at_any_batch_size(config, seed)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(config=configs(), seed=st.integers(0, 99))
def test_many_networks_compute_the_same_at_any_batch_size(config: Config, seed: int) -> None:
    computes_the_same_at_any_batch_size(config, seed)


def computes_the_same_at_any_batch_size(config: Config, seed: int) -> None:
    params, images = trained(config, seed), pixels(config, 64, seed)
    expected = own_logits(config, params, images)
    read = session(onnx_bytes(config, params, *moments(config)), threads=1)
    for batch in (1, 3, 64):
        logits, shares = read.run(["logits", "probabilities"], {"images": images[:batch]})
        assert logits.dtype == shares.dtype == np.float32
        np.testing.assert_allclose(logits, expected[:batch], rtol=0, atol=allowed(expected))
        softmax = jax.nn.softmax(expected[:batch], axis=-1)
        np.testing.assert_allclose(shares, softmax, rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", [mixer(), mixer(CIFAR, patch_size=4)])
def test_a_small_network_is_within_the_hundred_thousandth_that_is_promised(
    config: MixerConfig, tmp_path: Path
) -> None:
    _, proof = written(config, tmp_path)
    assert proof.read_by == f"onnxruntime {onnxruntime.__version__}"
    assert proof.max_difference is not None
    assert proof.max_difference < 2e-6
    assert (proof.files, proof.num_images) == (("model.onnx",), 5)


@pytest.mark.parametrize("name", ["mixer_cifar", "vit_ti4_cifar"])
def test_the_baselines_of_real_size_are_written_and_proved(name: str, tmp_path: Path) -> None:
    config = presets.load(name).config
    params, images = initial_params(config, 0), pixels(config, 8)
    kernel = params["head"]["kernel"]
    params["head"]["kernel"] = np.random.default_rng(0).normal(0, 0.3, kernel.shape)
    logits = own_logits(config, params, images)
    largest = float(np.abs(logits).max())
    assert largest > 2
    proof = write_onnx(preset_of(config), params, tmp_path, images, logits)
    assert proof.max_difference is not None
    assert proof.max_difference < 3e-6 * largest


@pytest.mark.parametrize("config", [mixer(), vit(), vit(classifier="gap")])
def test_equal_weights_are_equal_bytes_that_say_what_a_reader_needs(
    config: MixerConfig | ViTConfig, tmp_path: Path
) -> None:
    content, _ = written(config, tmp_path)
    assert content == written(config, tmp_path)[0]
    model = onnx.load_from_string(content)
    assert [opset.version for opset in model.opset_import] == [20]
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["class_names"])[3] == "class 3 ü"
    assert facts["image_size"] == "8"
    assert facts["image_channels"] == "1"
    assert (facts["resize"], facts["name"], facts["sha256"]) == ("crop", "found", "5" * 64)
    [images] = session(content, 1).get_inputs()
    assert (images.name, images.type) == ("images", "tensor(uint8)")
    assert images.shape == ["batch", 8, 8, 1]


def test_a_file_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    config = mixer()
    params, images = trained(config), pixels(config, 3)
    logits = own_logits(config, params, images)
    params["MixerBlock_1"]["channel_mixing"]["Dense_1"]["bias"][0] += 0.01
    with pytest.raises(FormatError, match=r"differ by .*, more than") as caught:
        write_onnx(preset_of(config), params, tmp_path, images, logits)
    assert onnxruntime.__version__ in str(caught.value)


def test_weights_that_are_not_finite_are_no_proof(tmp_path: Path) -> None:
    config = mixer()
    params, images = trained(config), pixels(config, 3)
    logits = own_logits(config, params, images)
    params["head"]["bias"][0] = np.nan
    with pytest.raises(FormatError, match="differ by inf"):
        write_onnx(preset_of(config), params, tmp_path, images, logits)


def missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.find_spec
    monkeypatch.setattr(module, "find_spec", lambda asked: None if asked == name else real(asked))


def test_without_onnx_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing("onnx", monkeypatch)
    with pytest.raises(FormatError, match=r"pip install 'mixer-search\[onnx\]'"):
        written(mixer(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_onnxruntime_the_file_is_written_and_not_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing("onnxruntime", monkeypatch)
    content, proof = written(mixer(), tmp_path)
    onnx.checker.check_model(content)
    assert (proof.read_by, proof.max_difference, proof.num_images) == (None, None, 0)
    assert proof.sentence.startswith("onnx: not proved; onnxruntime is not installed")


def test_more_than_one_file_holds_is_refused_before_it_is_made() -> None:
    with pytest.raises(FormatError, match=r"2\.4 GiB of weights are more than one such file"):
        onnx_bytes(presets.load("vit_h14").config, {}, MEAN, STD)


def test_a_family_without_a_graph_is_refused() -> None:
    class OtherConfig(MixerConfig):
        family: str = "other"  # type: ignore[assignment]

    config = OtherConfig(**mixer().model_dump(exclude={"family"}))
    with pytest.raises(FormatError, match="family 'other' have no ONNX graph here"):
        onnx_bytes(config, {}, MEAN, STD)
