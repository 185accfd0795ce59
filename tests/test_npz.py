"""`model.npz`: what is published is read, old names too; what is written computes the same."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from published_files import (
    IMAGES,
    LOGITS,
    MIXER,
    VIT,
    VIT_GAP,
    Arrays,
    big_vision,
    first_mixer,
    first_vit,
    numbered,
    published_arrays,
    published_shapes,
    renamed,
)
from weights import drawn_config, drawn_images, drawn_params, flax_logits, trained_preset

from search.formats import npz
from search.formats.layout import LayoutError
from search.formats.npz import read_npz, write_npz
from search.formats.proof import FormatError
from space import presets, reference
from space.build import build
from space.config import MixerConfig, ViTConfig
from space.weights_file import flat


def state_of_a_training(arrays: Arrays) -> Arrays:
    return {f"opt/target/{name}": array for name, array in arrays.items()}


LAYOUTS: list[tuple[str, MixerConfig | ViTConfig, Callable[[Arrays], Arrays]]] = [
    ("as it is", MIXER, dict),
    ("as it is", VIT, dict),
    ("as it is", VIT_GAP, dict),
    ("the first Mixers", MIXER, first_mixer),
    ("the first ViTs", VIT, first_vit),
    ("the first ViTs", VIT_GAP, first_vit),
    ("the state of a training", VIT, state_of_a_training),
    ("big_vision", MIXER, lambda arrays: renamed(arrays, ("^", "params/"))),
    ("big_vision", VIT, big_vision),
    ("big_vision", VIT_GAP, big_vision),
]


@pytest.mark.parametrize(
    ("config", "saved"),
    [layout[1:] for layout in LAYOUTS],
    ids=[f"{name}-{config.family}" for name, config, _ in LAYOUTS],
)
def test_a_file_of_every_layout_computes_what_the_published_module_does(
    tmp_path: Path, config: MixerConfig | ViTConfig, saved: Callable[[Arrays], Arrays]
) -> None:
    np.savez(tmp_path / "x.npz", **saved(published_arrays(config)))
    params = read_npz(tmp_path / "x.npz", config)
    found = reference.logits(config, params, IMAGES)
    np.testing.assert_allclose(found, LOGITS[config], rtol=0, atol=2e-6)


@pytest.mark.parametrize("config", LOGITS, ids=["mixer", "vit", "vit gap"])
def test_our_modules_compute_what_the_published_ones_do(
    tmp_path: Path, config: MixerConfig | ViTConfig
) -> None:
    np.savez(tmp_path / "x.npz", **published_arrays(config))
    found = build(config).apply({"params": read_npz(tmp_path / "x.npz", config)}, IMAGES)
    np.testing.assert_allclose(np.asarray(found), LOGITS[config], rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["mixer_s16", "vit_ti16"])
def test_files_of_the_published_sizes_are_read(tmp_path: Path, name: str) -> None:
    config = presets.load(name).config
    shapes = published_shapes(config)  # type: ignore[arg-type]
    np.savez(tmp_path / "x.npz", **{name: np.zeros(shape, "f4") for name, shape in shapes.items()})
    found = flat(read_npz(tmp_path / "x.npz", config))
    assert {name: array.shape for name, array in found.items()} == shapes


@pytest.mark.parametrize("family", ["mixer", "vit"])
@pytest.mark.parametrize("seed", range(4))
def test_an_archive_takes_pixels_from_minus_one_to_one(
    tmp_path: Path, family: str, seed: int
) -> None:
    config = drawn_config(family, np.random.default_rng(seed))
    params, images = drawn_params(config, seed), drawn_images(config, 6, seed)
    preset = trained_preset(config, params)
    logits = flax_logits(preset, params, images)
    proof = write_npz(preset, params, tmp_path, images, logits)
    assert proof.files == ("model.npz",)
    assert proof.num_images == 6
    assert proof.read_by
    assert proof.max_difference is not None
    assert 0 < proof.max_difference <= 1e-5
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    assert {name: array.shape for name, array in arrays.items()} == published_shapes(config)  # type: ignore[arg-type]
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}
    pixels = (2 * images.astype(np.float32) / 255) - 1
    module = build(config)
    found = np.asarray(module.apply({"params": read_npz(tmp_path / "model.npz", config)}, pixels))
    np.testing.assert_allclose(found, logits, rtol=0, atol=1e-5)


def test_equal_networks_are_equal_archives(tmp_path: Path) -> None:
    params, images = drawn_params(MIXER), drawn_images(MIXER)
    preset = trained_preset(MIXER, params)
    contents = set()
    for _ in range(2):
        write_npz(preset, params, tmp_path, images, flax_logits(preset, params, images))
        contents.add((tmp_path / "model.npz").read_bytes())
    assert len(contents) == 1


def test_an_archive_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    params, images = drawn_params(MIXER), drawn_images(MIXER)
    preset = trained_preset(MIXER, params)
    logits = flax_logits(preset, params, images)
    logits[3, 2] += 3e-5
    with pytest.raises(FormatError, match=r"npz: .* differ by 3\.0e-05"):
        write_npz(preset, params, tmp_path, images, logits)
    logits[3, 2] = np.nan
    with pytest.raises(FormatError, match="differ by inf"):
        write_npz(preset, params, tmp_path, images, logits)


def refused(path: Path, config: MixerConfig | ViTConfig = MIXER) -> str:
    with pytest.raises(LayoutError) as caught:
        read_npz(path, config)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


class Runs:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("how", ["one array of objects", "a whole pickle", "an .npy of objects"])
def test_pickles_are_refused_and_never_unpickled(tmp_path: Path, how: str) -> None:
    harm, path = tmp_path / "harm", tmp_path / "x.npz"
    hostile = np.array([Runs(harm)], dtype=object)
    if how == "one array of objects":
        np.savez(path, **published_arrays(MIXER) | {"head/bias": hostile})
    elif how == "a whole pickle":
        path.write_bytes(pickle.dumps(Runs(harm)))
    else:
        with path.open("wb") as file:
            np.save(file, hostile)
    harm.unlink(missing_ok=True)
    assert "x.npz holds pickled objects, which could run any program" in refused(path)
    assert not harm.exists()


def test_a_damaged_archive_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **published_arrays(MIXER))
    content = path.read_bytes()
    middle = content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1])
    for damaged in (
        content[:-30],
        content[: len(content) // 2],
        content[:3],
        b"",
        middle + content[len(middle) :],
        b"<!DOCTYPE html>" * 99,
    ):
        path.write_bytes(damaged)
        sentence = refused(path)
        assert "x.npz is no whole .npz archive" in sentence or "pickled objects" in sentence
    path.unlink()
    assert "x.npz cannot be read (No such file or directory)" in refused(path)
    path.mkdir()
    assert "cannot be read (Is a directory)" in refused(path)


def test_any_other_zip_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Runs(tmp_path / "harm")))
    assert "(archive/data.pkl in it is no array)" in refused(tmp_path / "x.npz")
    assert not (tmp_path / "harm").exists()


def test_a_single_array_is_not_a_network(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    assert "x.npy is one array, not an archive" in refused(tmp_path / "x.npy")


def test_every_name_that_is_missing_or_foreign_is_told_and_every_wrong_shape(
    tmp_path: Path,
) -> None:
    arrays = first_mixer(published_arrays(MIXER))
    del arrays["Mixer/encoderblock_1/token_mixing_phase_0/kernel2"]
    arrays["Mixer/encoderblock_0/LayerNorm_7/scale"] = np.zeros(24, np.float32)
    arrays["embedding/bias"] = np.zeros(25, np.float32)
    np.savez(tmp_path / "x.npz", **arrays)
    assert refused(tmp_path / "x.npz") == (
        "the arrays of x.npz are not those of Mixer p4 C24 L2 T12 D32 (1 missing: "
        "MixerBlock_1/token_mixing/Dense_1/kernel; 1 foreign: "
        "Mixer/encoderblock_0/LayerNorm_7/scale; 1 of another shape: embedding/bias [25] for "
        "[24]); name the network they are of with --like"
    )


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **published_arrays(VIT))
    sentence = refused(tmp_path / "x.npz")
    assert re.search(
        r"28 missing: (\S+, ){9}\S+ and 18 more; 38 foreign: .* and 28 more\)", sentence
    )
    wider = MIXER.model_copy(update={"hidden_dim": 48, "num_blocks": 4})
    np.savez(tmp_path / "x.npz", **published_arrays(wider))
    assert "24 foreign: MixerBlock_2/LayerNorm_0/bias" in refused(tmp_path / "x.npz")
    assert re.search(r"of another shape: \S+ \[48.* and \d+ more\)", refused(tmp_path / "x.npz"))


def test_another_number_of_classes_is_named_with_what_to_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **published_arrays(MIXER))
    other = MIXER.model_copy(update={"num_classes": 7})
    assert refused(tmp_path / "x.npz", other) == (
        "x.npz knows 5 classes, the network that was named 7; read it with --set num_classes=5, "
        "and train a head for other classes afterwards with python -m search.finetune"
    )


def test_a_layer_that_no_network_here_has_is_named(tmp_path: Path) -> None:
    extra = {"pre_logits/kernel": np.zeros((24, 24)), "pre_logits/bias": np.zeros(24)}
    np.savez(tmp_path / "x.npz", **published_arrays(VIT) | extra)
    assert "x.npz has a layer pre_logits before its head" in refused(tmp_path / "x.npz", VIT)


def test_only_finite_numbers_are_weights(tmp_path: Path) -> None:
    arrays = published_arrays(MIXER)
    for wrong, words in (
        (np.full(24, np.nan, np.float32), "stem/bias in x.npz holds numbers that are not finite"),
        (np.zeros(24, np.int64), "stem/bias in x.npz is of type int64"),
    ):
        np.savez(tmp_path / "x.npz", **arrays | {"stem/bias": wrong})
        assert words in refused(tmp_path / "x.npz")
    halves = {name: array.astype(np.float16) for name, array in arrays.items()}
    np.savez(tmp_path / "x.npz", **halves)
    assert read_npz(tmp_path / "x.npz", MIXER)["stem"]["bias"].dtype == np.float32


def test_the_pixels_of_published_networks_are_from_minus_one_to_one() -> None:
    assert [(pixel - npz.PIXEL_MEAN) / npz.PIXEL_STD for pixel in (0, 255)] == [-1, 1]
    assert numbered({"a/scale": (2,)})["a/scale"].tolist() == pytest.approx(
        [1 + 0.3 * np.sin(1), 1 + 0.3 * np.sin(4)]
    )
