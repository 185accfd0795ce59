"""`python -m search.predict`: files of any kind and size, and a sentence for what is no image."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from json_keys import undocumented
from pictures import noise, save
from PIL import Image
from records import mixer

from search.data.resize import resized
from search.formats.folder import write_folder
from search.predict import main, predictions
from search.train.devices import choose
from search.train.predict import logits_of
from space.init import initial_params
from space.presets import Preset, Trained
from space.weights_file import weights_bytes

NAMES = ("<b>one</b>", *(f"class {i}" for i in range(1, 10)))


@pytest.fixture
def model(here: Path) -> Preset:
    """In the folder `model`, for images of 8 x 8 pixels in colour; its weights are drawn."""
    config = mixer(image_channels=3)
    content = weights_bytes(initial_params(config, 3), {"family": "mixer"})
    trained = Trained(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        pixel_mean=(120.0, 110.0, 100.0),
        pixel_std=(60.0, 50.0, 40.0),
        class_names=NAMES,
        resize="pad",
    )
    return write_folder(Path("model"), Preset.of("drawn", config, {}, trained), content)


def predict(*options: str | Path) -> int:
    return main(["--model", "model", "--device", "cpu", *map(str, options)])


def test_a_file_is_predicted_as_its_pixels_are(
    model: Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = [noise(8, 8, seed=seed) for seed in range(3)]
    files = [save(Path(f"{i}.png"), image) for i, image in enumerate(pixels)]
    assert predict(*files, "--json", "--top", "2") == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert not undocumented(facts)
    moments = model.trained.pixel_mean, model.trained.pixel_std
    logits = logits_of(model.config, model.params(), np.stack(pixels), *moments, choose("cpu"))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for found, expected, file in zip(facts["predictions"], shares, files, strict=True):
        assert found["file"] == str(file)
        best = np.argsort(-expected)[:2]
        assert [c["label"] for c in found["classes"]] == best.tolist()
        assert [c["class_name"] for c in found["classes"]] == [NAMES[label] for label in best]
        np.testing.assert_allclose(
            [c["probability"] for c in found["classes"]], expected[best], rtol=1e-5
        )
    assert said.err == ""


def test_images_are_made_what_the_network_takes_and_that_is_said(
    model: Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    wide, grey = noise(20, 30, seed=1), noise(8, 8, channels=1, seed=2)
    save(Path("wide.png"), wide)
    save(Path("wide-before.png"), resized(wide, 8, "pad"))
    save(Path("grey.png"), grey)
    save(Path("grey-before.png"), np.repeat(grey, 3, axis=-1))
    names = ("wide", "wide-before", "grey", "grey-before")
    wide_, wide_before, grey_, grey_before = predictions(
        model, [Path(f"{name}.png") for name in names], device="cpu"
    )
    assert wide_.probabilities == wide_before.probabilities
    assert grey_.probabilities == grey_before.probabilities
    assert predict(*(f"{name}.png" for name in names)) == 0
    said = capsys.readouterr()
    assert [text.partition(".png: ")[0] for text in said.out.splitlines()] == [*names]
    assert said.err.splitlines() == [
        "1 of 4 images: converted to 8 x 8 pixels (resize = 'pad')",
        "1 of 4 images: grey, repeated for the 3 channels of the network",
    ]


def test_what_is_no_image_is_a_sentence_and_the_others_are_predicted(
    model: Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = save(Path("whole.png"), noise(64, 64)).read_bytes()
    Path("text.png").write_text("not an image")
    Path("cut.png").write_bytes(whole[:2000])
    Image.new("1", (20_000, 10_000)).save("huge.png")
    wrong = ("text.png", "cut.png", "huge.png", "model", "missing.png", 300 * "x")
    assert predict(*wrong[:3], "whole.png", *wrong[3:]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("whole.png: ")
    sentences = [line for line in said.err.splitlines() if line.startswith("error: ")]
    for file, sentence, reason in zip(
        wrong,
        sentences,
        (
            "not an image that Pillow knows",
            "truncated",
            "exceeds limit",
            "it is a folder",
            "there is no such file",
            "it cannot be read (File name too long)",
        ),
        strict=True,
    ):
        assert sentence.startswith(f"error: {file} is not predicted: ")
        assert reason in sentence
    assert predict("text.png", "--json") == 2
    assert [e["file"] for e in json.loads(capsys.readouterr().out)["errors"]] == ["text.png"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_weights_are_a_sentence(
    model: Preset, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    file = Path("model/model.safetensors")
    content = bytearray(file.read_bytes())
    content[200] ^= 4
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:300] if damage == "cut" else content)
    save(Path("image.png"), noise(8, 8))
    assert predict("image.png") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: weights model/model.safetensors ")
    assert said.err.count("\n") == 1
