"""Presets: the files that come with the program, and those people write."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from published import PUBLISHED
from records import mixer, vit

from space import presets
from space.config import Config
from space.cost import cost
from space.errors import ConfigError
from space.init import initial_params
from space.presets import Preset, Trained, WeightsError, load, names, save
from space.weights_file import weights_bytes

SHIPPED = {
    "mixer_s32": "Mixer-S/32",
    "mixer_s16": "Mixer-S/16",
    "mixer_b32": "Mixer-B/32",
    "mixer_b16": "Mixer-B/16",
    "mixer_l32": "Mixer-L/32",
    "mixer_l16": "Mixer-L/16",
    "mixer_h14": "Mixer-H/14",
    "mixer_cifar": "CIFAR Mixer",
    "vit_ti16": "ViT-Ti/16",
    "vit_s16": "ViT-S/16",
    "vit_b16": "ViT-B/16",
    "vit_l16": "ViT-L/16",
    "vit_h14": "ViT-H/14",
    "vit_ti4_cifar": "ViT-Ti/4, 32 px",
}
SOURCE = {
    "study": "Größe 語",
    "trial": 17,
    "accuracy": 0.1 + 0.2,
    "loss": None,
    "recipe": {"epochs": 12, "learning_rate": 3e-3},
    "versions": {"jax": "0.10.2"},
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_published_network_comes_with_its_published_counts(name: str) -> None:
    config, params, macs = PUBLISHED[SHIPPED[name]]
    preset = load(name)
    assert (preset.name, preset.config, preset.num_params, preset.macs) == (
        name,
        config,
        params,
        macs,
    )


def test_every_preset_that_comes_with_the_program_loads_under_its_name() -> None:
    folder = Path(presets.__file__).parent
    files = [path.stem for path in folder.glob("*.json")]
    trained = [path.parent.name for path in folder.glob("*/preset.json")]
    assert names() == sorted([*files, *trained])
    assert set(SHIPPED) | {"mixer_digits", "vit_digits"} == set(files)
    assert set(trained) == {"mixer_cifar_cpu_1m", "mixer_cifar_cpu_5m"}
    for name in trained:
        assert load(name).params()["head"]["kernel"].shape[1] == 10
    for name in names():
        preset = load(name)
        assert preset.name == name
        assert preset.source


@pytest.mark.parametrize("config", [mixer(), vit(), vit(classifier="gap")])
def test_what_was_saved_loads_equal(tmp_path: Path, config: Config) -> None:
    preset = Preset.of("found", config, SOURCE)
    assert (preset.num_params, preset.macs) == (cost(config).params, cost(config).macs)
    path = tmp_path / "made" / "on the way" / "found.json"
    save(preset, path)
    assert load(path) == load(str(path)) == preset
    save(Preset.of("other", config, {}), path)
    assert load(path).name == "other"


def test_a_file_is_utf_8_whatever_the_language_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    code = "import sys; from records import mixer; from space.presets import Preset, save; "
    code += r"save(Preset.of('\u8a9e', mixer(), {'study': 'Gr\xf6\xdfe'}), sys.argv[1])"
    folder = Path(__file__).parent
    subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code, str(path)],
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": f"{folder.parent}:{folder}"},
        check=True,
    )
    assert load(path).source == {"study": "Größe"}


@pytest.mark.parametrize(("count", "right"), [("params", "72,714"), ("macs", "1,315,456")])
def test_counts_that_are_not_the_configurations_are_refused(
    tmp_path: Path, count: str, right: str
) -> None:
    path = tmp_path / "wrong.json"
    fields = json.loads(load("mixer_digits").to_json())
    path.write_text(json.dumps(fields | {count: 1_000_000}))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        f"preset 'mixer_digits' says {count}=1,000,000, its configuration has {right}; "
        "mend whichever is wrong"
    )


def text(**changes: object) -> bytes:
    fields = json.loads(load("mixer_digits").to_json())
    return json.dumps(fields | changes).encode()


DAMAGED = {
    "empty": (b"", "invalid JSON"),
    "cut": (load("mixer_digits").to_json().encode()[:200], "invalid JSON"),
    "not text": (bytes(range(256)) * 100, "invalid JSON"),
    "a list": (b"[1, 2]", "input should be an object"),
    "no config": (json.dumps({"name": "x", "params": 1, "macs": 1}).encode(), "config: field req"),
    "a string for a number": (text(params="72714"), "params: .*valid integer, not '72714'"),
    "a field nobody knows": (text(colour="red"), "colour: extra inputs are not permitted"),
    "another family": (text(config={"family": "cnn"}), "'cnn'"),
    "a patch that does not tile": (
        text(config=mixer().model_dump() | {"patch_size": 3}),
        "patch_size=3 does not tile image_size=8",
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_file_that_is_no_preset_is_refused_in_one_short_sentence(
    tmp_path: Path, damage: str
) -> None:
    content, words = DAMAGED[damage]
    path = tmp_path / "damaged.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 400 + len(str(path))


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known() -> None:
    with pytest.raises(ConfigError) as caught:
        load("mixer_b61")
    assert "there is no preset 'mixer_b61' (did you mean 'mixer_b16'?)" in str(caught.value)
    assert all(name in str(caught.value) for name in names())
    with pytest.raises(ConfigError, match=r"no preset '\.\./presets/mixer_b16'"):
        load("../presets/mixer_b16")


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    for name in ("missing.json", "folder.json/preset.json"):
        with pytest.raises(ConfigError, match=f"{name} cannot be read"):
            load(tmp_path / name)
    with pytest.raises(ConfigError, match=r"folder.json cannot be written .*--out"):
        save(load("mixer_digits"), tmp_path / "folder.json")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        save(load("mixer_digits"), tmp_path / "file" / "x.json")


def test_a_byte_order_mark_and_a_name_in_capitals_are_no_hindrance(tmp_path: Path) -> None:
    """As editors on Windows write them."""
    path = tmp_path / "FOUND.JSON"
    path.write_bytes(b"\xef\xbb\xbf" + load("mixer_digits").to_json().encode())
    assert load(path) == load("mixer_digits")


def test_a_preset_in_the_home_folder_is_found_under_its_short_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save(load("mixer_digits"), tmp_path / "found.json")
    assert load("~/found.json") == load("mixer_digits")


@pytest.mark.parametrize("changes", [{}, {"colour": "red"}, {"config": {"family": "cnn"}}])
def test_a_preset_of_a_newer_version_says_so_whatever_is_new_in_it(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / "found.json"
    path.write_bytes(text(format=3, **changes))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        "preset 'mixer_digits' was written by a newer version of mixer-search (format 3, this one "
        "reads 2); upgrade mixer-search"
    )


def test_a_preset_says_its_format_and_one_without_is_of_the_first(tmp_path: Path) -> None:
    written = json.loads(load("mixer_digits").to_json())
    assert written["format"] == 1
    path = tmp_path / "old.json"
    path.write_text(json.dumps({key: written[key] for key in written if key != "format"}))
    assert load(path) == load("mixer_digits")


@pytest.mark.parametrize("wrong", [0, "2", 1.5, None])
def test_a_format_that_is_no_version_is_refused(tmp_path: Path, wrong: object) -> None:
    path = tmp_path / "wrong.json"
    path.write_bytes(text(format=wrong))
    with pytest.raises(ConfigError, match="is not a preset: format: input should be 1"):
        load(path)


def trained_folder(folder: Path, config: Config) -> Path:
    """A preset with the weights a network starts from."""
    params = initial_params(config, 3)
    content = weights_bytes(params, {"family": config.family})
    moments = tuple(20.0 + i for i in range(config.image_channels))
    trained = Trained(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        pixel_mean=moments,
        pixel_std=moments,
    )
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(content)
    save(Preset.of("winner", config, {}, trained), folder / "preset.json")
    return folder


@pytest.mark.parametrize("named", ["winner", "winner/preset.json"])
def test_a_folder_loads_with_its_weights(named: str, tmp_path: Path) -> None:
    config = mixer()
    folder = trained_folder(tmp_path / "winner", config)
    preset = load(tmp_path / named)
    assert (preset.config, preset.folder, preset.format) == (config, folder, 2)
    expected = initial_params(config, 3)
    jax.tree.map(np.testing.assert_array_equal, preset.params(), expected)


def test_weights_are_read_without_the_accelerator_stack(tmp_path: Path) -> None:
    trained_folder(tmp_path / "winner", vit())
    code = (
        "import sys; from space.presets import load; "
        f"print(load({str(tmp_path / 'winner')!r}).params()['head']['kernel'].shape); "
        "assert not {'jax', 'flax'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("(")


def test_damaged_weights_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = trained_folder(tmp_path / "winner", mixer())
    file = folder / "model.safetensors"
    content = file.read_bytes()
    for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b""):
        file.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"their SHA-256 differs; restore that file, or"):
            load(folder).params()
    file.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        load(folder).params()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    trained_folder(tmp_path / "other", mixer(num_blocks=1))
    mine = load(trained_folder(tmp_path / "winner", mixer(num_blocks=2)))
    other = load(tmp_path / "other")
    (tmp_path / "winner" / "model.safetensors").write_bytes(other.weights())
    save(mine.model_copy(update={"trained": other.trained}), tmp_path / "winner" / "preset.json")
    with pytest.raises(WeightsError, match="they are of another one"):
        load(tmp_path / "winner").params()


def test_a_configuration_alone_has_no_weights() -> None:
    with pytest.raises(WeightsError, match=r"python -m search\.train"):
        load("mixer_s16").params()


def test_what_a_network_expects_must_fit_it(tmp_path: Path) -> None:
    preset = load(trained_folder(tmp_path / "winner", mixer(num_classes=10)))
    assert preset.trained
    for wrong in ({"pixel_mean": (1.0,) * 2}, {"class_names": ("cat", "dog")}):
        with pytest.raises(ConfigError, match=f"trained.{next(iter(wrong))}"):
            Preset.of("x", preset.config, {}, preset.trained.model_copy(update=wrong))
