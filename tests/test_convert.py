"""`python -m search.convert`: what others trained comes in as a folder like any other."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published_files import IMAGES, LOGITS, MIXER, VIT, VIT_GAP, first_vit, published_arrays
from records import mixer, vit
from safetensors.numpy import load_file, save, save_file
from weights import (
    drawn_images,
    drawn_params,
    flax_logits,
    trained_folder,
    trained_preset,
)

from search.convert import main
from search.formats.npz import write_npz
from search.formats.timm import write_timm
from space import presets, reference
from space.config import Config
from space.presets import Preset
from space.weights_file import flat, weights_bytes


@pytest.fixture
def like(here: Path) -> dict[Any, str]:
    """Files that name the small networks; the working directory is empty but for them."""
    (here / "like").mkdir()
    files = {}
    for config in LOGITS:
        files[config] = f"like/{config.family}_{len(files)}.json"
        presets.save(Preset.of("small", config, {}), files[config])
    return files


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip()


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The sentence; nothing is written."""
    before = sorted(Path().rglob("*"))
    assert main([*argv]) == 2
    assert sorted(Path().rglob("*")) == before
    sentence = said(capsys)
    assert sentence.startswith("error: ")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("config", LOGITS, ids=["mixer", "vit", "vit gap"])
def test_a_published_archive_becomes_a_folder_that_computes_the_same(
    like: dict[Any, str], config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("x.npz", **published_arrays(config))
    assert main(["x.npz", "--like", like[config], "--out", "found"]) == 0
    assert "written to found; load it with space.presets.load('found')" in capsys.readouterr().out
    preset = presets.load("found")
    assert preset.trained
    assert (preset.name, preset.config) == ("found", config)
    assert preset.trained.pixel_mean == preset.trained.pixel_std == (127.5,) * 3
    found = reference.logits(config, preset.params(), IMAGES)
    np.testing.assert_allclose(found, LOGITS[config], rtol=0, atol=2e-6)
    digest = hashlib.sha256(Path("x.npz").read_bytes()).hexdigest()
    assert preset.source["converted_from"] == "x.npz"
    assert preset.source["converted_sha256"] == digest
    card = Path("found/README.md").read_text(encoding="utf-8")
    assert "Converted from `x.npz`, published archive (.npz), SHA-256" in card
    assert digest in card
    assert f"python -m search.convert x.npz --like {like[config]} --out found" in card


@pytest.mark.parametrize("config", [mixer(), vit(), vit(classifier="gap")])
@pytest.mark.parametrize("layout", ["npz", "timm"])
def test_what_was_exported_comes_back_and_computes_the_same(
    here: Path, layout: str, config: Config
) -> None:
    params, images = drawn_params(config), drawn_images(config)
    preset = trained_preset(config, params)
    logits = flax_logits(preset, params, images)
    write = {"npz": write_npz, "timm": write_timm}[layout]
    write(preset, params, here, images, logits)
    named = []
    if layout == "npz":
        presets.save(Preset.of("x", config, {}), "like.json")
        named = ["--like", "like.json"]
    assert main(["model.npz" if named else "timm", *named, "--out", "back"]) == 0
    back = presets.load("back")
    np.testing.assert_allclose(flax_logits(back, back.params(), images), logits, rtol=0, atol=1e-5)
    assert preset.trained
    assert back.trained
    if layout == "timm":
        assert back.trained.class_names == preset.trained.class_names
        assert back.trained.pixel_std == pytest.approx(preset.trained.pixel_std, rel=1e-15)
        for path, array in flat(params).items():
            np.testing.assert_array_equal(flat(back.params())[path], array)


def test_weights_that_a_study_kept_say_all_of_themselves(here: Path) -> None:
    config, params = vit(), drawn_params(vit())
    facts = {"family": "vit", "config": config.model_dump_json(), "pixel_mean": "[33.5]"}
    Path("w.safetensors").write_bytes(weights_bytes(params, facts | {"pixel_std": "[61.25]"}))
    assert main(["w.safetensors", "--out", "found"]) == 0
    preset = presets.load("found")
    assert preset.trained
    assert preset.config == config
    assert (preset.trained.pixel_mean, preset.trained.pixel_std) == ((33.5,), (61.25,))
    for path, array in flat(params).items():
        np.testing.assert_array_equal(flat(preset.params())[path], array)


def test_weights_of_timms_alone_need_a_name_and_their_pixels(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, params = mixer(), drawn_params(mixer())
    preset, images = trained_preset(config, params), drawn_images(config)
    write_timm(preset, params, here, images, flax_logits(preset, params, images))
    file = "timm/model.safetensors"
    presets.save(Preset.of("x", config, {}), "like.json")
    assert "does not say which network it is of; name it with --like" in refused(
        capsys, file, "--out", "found"
    )
    named = [file, "--like", "like.json", "--out", "found"]
    assert "name --pixel-mean and --pixel-std in units of" in refused(capsys, *named)
    assert "name --pixel-std in units of" in refused(capsys, *named, "--pixel-mean", "0")
    assert main([*named, "--pixel-mean", "33.5", "--pixel-std=61"]) == 0
    printed = capsys.readouterr().out
    assert "note: timm computes GELU by erf where it is not told otherwise" in printed
    found = presets.load("found")
    assert found.trained
    assert (found.trained.pixel_mean, found.trained.pixel_std) == ((33.5,), (61.0,))
    assert "Timm computes GELU by erf" in Path("found/README.md").read_text(encoding="utf-8")


def test_json_says_what_was_written(
    like: dict[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("x.npz", **published_arrays(MIXER))
    assert main(["x.npz", "--like", like[MIXER], "--out", "found", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == "found"
    assert told["preset"] == json.loads(Path("found/preset.json").read_bytes())


@pytest.mark.parametrize(
    ("options", "pixels"),
    [
        (["--pixel-mean", "1,2,3", "--pixel-std", "4,5,6"], ((1, 2, 3), (4, 5, 6))),
        (["--pixel-std", "64"], ((127.5,) * 3, (64,) * 3)),
    ],
)
def test_pixels_may_be_named(like: dict[Any, str], options: list[str], pixels: Any) -> None:
    np.savez("x.npz", **published_arrays(MIXER))
    assert main(["x.npz", "--like", like[MIXER], "--out", "found", *options]) == 0
    trained = presets.load("found").trained
    assert trained
    assert (trained.pixel_mean, trained.pixel_std) == pixels


def test_fields_of_the_named_network_may_be_set(
    like: dict[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    other = MIXER.model_copy(update={"num_classes": 7})
    np.savez("x.npz", **published_arrays(other))
    named = ["x.npz", "--like", like[MIXER], "--out", "found"]
    assert "x.npz knows 7 classes, the network that was named 5; read it with --set" in refused(
        capsys, *named
    )
    assert main([*named, "--set", "num_classes=7"]) == 0
    assert presets.load("found").config == other
    np.savez("x.npz", **first_vit(published_arrays(VIT_GAP)))
    named[2] = like[VIT]
    assert main([*named, "--set", "classifier=gap"]) == 0
    assert "in place of Mixer p4 C24 L2 T12 D32" in capsys.readouterr().out
    assert presets.load("found").config == VIT_GAP


def test_bad_options_are_refused_in_a_sentence(
    like: dict[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("x.npz", **published_arrays(MIXER))
    Path("x.pth").touch()
    Path("x.h5").touch()
    Path("empty").mkdir()
    named = ["x.npz", "--like", like[MIXER], "--out", "found"]
    for argv, words in (
        (["x.npz", "--out", "found"], "x.npz does not say which network it is of"),
        (["x.npz", "--out", "found", "--set", "num_classes=3"], "that --like names; name one"),
        ([*named, "--set", "depth=3"], "the configuration of like/mixer_0.json has image_size"),
        ([*named, "--set", "num_blocks"], "a field is set as FIELD=VALUE"),
        ([*named, "--set", "num_blocks=two"], "num_blocks: input should be a valid integer"),
        ([*named, "--set", "patch_size=5"], "patch_size=5 does not tile image_size=16"),
        ([*named, "--pixel-mean", "1,2"], "--pixel-mean 1,2: that is not one number for each"),
        ([*named, "--pixel-std", "wide"], "--pixel-std wide: that is not one number"),
        ([*named, "--pixel-std", "0"], "pixel_std.0: input should be greater than 0"),
        ([*named, "--pixel-mean", "nan"], "pixel_mean.0: input should be a finite number"),
        (["x.npz", "--like", "mixer_b61", "--out", "found"], "did you mean 'mixer_b16'"),
        (["gone.npz", *named[1:]], "gone.npz cannot be read (No such file or directory)"),
        (["x.pth", *named[1:]], "x.pth is a pickle by its name"),
        (["x.h5", *named[1:]], "x.h5 is neither an .npz archive, nor a .safetensors file"),
        (["empty", *named[1:]], "config.json cannot be read"),
        (["x.npz", "--like", like[VIT], "--out", "found"], "are not those of ViT p4 C24 L2"),
    ):
        assert words in refused(capsys, *argv), argv


def test_weights_of_another_configuration_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other heads are the same shapes in a ViT of timm's, but not what the header says."""
    config = vit()
    facts = {"config": config.model_dump_json(), "pixel_mean": "[0]", "pixel_std": "[1]"}
    Path("w.safetensors").write_bytes(weights_bytes(drawn_params(config), facts))
    presets.save(Preset.of("x", vit(num_heads=1), {}), "like.json")
    sentence = refused(capsys, "w.safetensors", "--like", "like.json", "--out", "found")
    assert "w.safetensors is of ViT p2 C12 L2 D20 H3 by its header" in sentence
    wrong = facts | {"config": vit(num_blocks=3).model_dump_json()}
    Path("w.safetensors").write_bytes(weights_bytes(drawn_params(config), wrong))
    sentence = refused(capsys, "w.safetensors", "--out", "found")
    assert "16 missing: params/Transformer/encoderblock_2/" in sentence
    for header in ({"config": "{"}, facts | {"pixel_mean": '["x"]'}):
        Path("w.safetensors").write_bytes(weights_bytes(drawn_params(config), header))
        sentence = refused(capsys, "w.safetensors", "--out", "found")
        assert "the header of w.safetensors cannot be understood" in sentence


def test_damaged_files_are_refused_in_a_sentence(
    like: dict[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("x.npz", **published_arrays(MIXER))
    save_file(published_arrays(MIXER), "x.safetensors")
    for name in ("x.npz", "x.safetensors"):
        Path(name).write_bytes(Path(name).read_bytes()[:-40])
        assert "; take another copy of it" in refused(
            capsys, name, "--like", like[MIXER], "--out", "found"
        )


def test_only_the_folder_of_a_trained_network_is_replaced(
    like: dict[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("x.npz", **published_arrays(MIXER))
    named = ["x.npz", "--like", like[MIXER], "--out", "found"]
    Path("found").mkdir()
    Path("found/thesis.txt").write_text("years of work")
    assert "is not the folder of a trained network" in refused(capsys, *named)
    assert Path("found/thesis.txt").read_text() == "years of work"
    trained_folder(Path("mine"), MIXER, drawn_params(MIXER))
    assert main([*named[:-1], "mine"]) == 0
    assert "in place of Mixer p4 C24 L2 T12 D32" in capsys.readouterr().out


def test_a_source_is_never_replaced_by_what_is_made_of_it(
    like: dict[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    trained_folder(Path("mine"), MIXER, drawn_params(MIXER))
    np.savez("mine/model.npz", **published_arrays(MIXER))
    sentence = refused(capsys, "mine/model.npz", "--like", like[MIXER], "--out", "mine")
    assert "mine/model.npz lies in it, and would be gone with it" in sentence
    assert "it is the folder of a trained network of this program already" in refused(
        capsys, "mine", "--out", "other"
    )


def test_a_folder_of_timms_with_other_weights_names_what_is_wrong(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, params = vit(), drawn_params(vit())
    preset, images = trained_preset(config, params), drawn_images(config)
    write_timm(preset, params, here, images, flax_logits(preset, params, images))
    arrays = load_file("timm/model.safetensors")
    arrays["fc_norm.weight"] = arrays.pop("norm.weight")
    Path("timm/model.safetensors").write_bytes(save(arrays))
    sentence = refused(capsys, "timm", "--out", "found")
    assert "(1 missing: norm.weight; 1 foreign: fc_norm.weight)" in sentence
