"""What is read of an image is what was drawn, whatever file it was drawn into."""

from __future__ import annotations

import io
import struct
import sys
import types
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from archives import isolate, prepare_other
from PIL import Image

from search.data import DataError, prepared
from search.data.decoding import decode, decode_any, look

LABEL = tfds.features.ClassLabel(num_classes=3)
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of the PNG specification


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


def png(
    kind: int,
    depth: int,
    pixels: list[tuple[int, ...]],
    palette: list[tuple[int, int, int]] | None = None,
    alphas: list[int] | None = None,
) -> bytes:
    """A PNG of 4 x 4 pixels by the specification alone: all its columns are the pixels given."""
    bits = "".join(f"{sample:0{depth}b}" for pixel in pixels for sample in pixel)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")  # filter 0: the samples as they are

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 4, 4, depth, kind, 0, 0, 0))]
    if palette:
        chunks.append((b"PLTE", bytes(value for colour in palette for value in colour)))
    if alphas:
        chunks.append((b"tRNS", bytes(alphas)))
    chunks += [(b"IDAT", zlib.compress(row * 4)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def saved(image: Image.Image, kind: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def read_back(folder: Path, encoded: bytes, channels: int) -> np.ndarray:
    """The image as a study gets it from a directory that TFDS has prepared."""
    features = {"image": tfds.features.Image(shape=(4, 4, channels)), "label": LABEL}
    rows = [{"image": encoded, "label": 1}]
    directory = prepare_other(folder, "other", features, {"train": rows})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [image] = prepared.read("other", directory, "train").images
    return image


COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (10, 20, 30)]
LUMA = [76, 150, 29, 18]  # 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), as TensorFlow weighs them


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (png(GREY, 1, [(0,), (1,), (1,), (0,)] * 2), [0, 255, 255, 0]),
        (png(GREY, 2, [(0,), (1,), (2,), (3,)]), [0, 85, 170, 255]),
        (png(GREY, 4, [(0,), (1,), (8,), (15,)]), [0, 17, 136, 255]),
        (png(GREY, 8, [(0,), (1,), (200,), (255,)]), [0, 1, 200, 255]),
        (png(GREY, 16, [(0x1234,), (0xFF00,), (0x00FF,), (0x80FF,)]), [0x12, 0xFF, 0, 0x80]),
        (png(GREY_ALPHA, 8, [(200, 0), (9, 255), (0, 0), (255, 1)]), [200, 9, 0, 255]),
        (png(GREY_ALPHA, 16, [(0x1234, 0), (0xFF00, 9), (255, 1), (0, 0)]), [0x12, 0xFF, 0, 0]),
    ],
    ids=["1 bit", "2 bits", "4 bits", "8 bits", "16 bits", "with alpha", "16 bits with alpha"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_is_read_as_it_was_drawn(
    encoded: bytes, expected: list[int], channels: int, tmp_path: Path
) -> None:
    image = read_back(tmp_path, encoded, channels)
    assert image.shape == (4, 4, channels)
    for row in image:
        assert row.tolist() == [[value] * channels for value in expected]


@pytest.mark.parametrize(
    "encoded",
    [
        png(RGB, 8, COLOURS),
        png(RGB, 16, [tuple(value << 8 | 0x7F for value in colour) for colour in COLOURS]),
        png(
            RGBA,
            8,
            [(*colour, alpha) for colour, alpha in zip(COLOURS, (0, 1, 128, 255), strict=True)],
        ),
        png(RGBA, 16, [tuple(value << 8 for value in (*colour, 0)) for colour in COLOURS]),
        png(PALETTE, 8, [(0,), (1,), (2,), (3,)], COLOURS),
        png(PALETTE, 2, [(0,), (1,), (2,), (3,)], COLOURS),
        png(PALETTE, 8, [(0,), (1,), (2,), (3,)], COLOURS, alphas=[0, 128, 255]),
        saved(Image.fromarray(np.array([COLOURS] * 4, np.uint8)), "BMP"),
        saved(Image.fromarray(np.array([COLOURS] * 4, np.uint8)), "WEBP", lossless=True),
    ],
    ids=["8", "16", "alpha", "16 alpha", "palette", "2 bits", "transparent", "BMP", "WebP"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_read_as_they_were_drawn(encoded: bytes, channels: int, tmp_path: Path) -> None:
    image = read_back(tmp_path, encoded, channels)
    expected = [[value] for value in LUMA] if channels == 1 else [list(each) for each in COLOURS]
    assert image.tolist() == [expected] * 4


def test_the_inks_of_a_cmyk_jpeg_become_light(tmp_path: Path) -> None:
    inks = Image.new("CMYK", (4, 4), (10, 100, 200, 40))
    image = read_back(tmp_path, saved(inks, "JPEG", quality=100), 3)
    light = [(255 - ink) * (255 - 40) / 255 for ink in (10, 100, 200)]
    np.testing.assert_allclose(image, np.broadcast_to(light, (4, 4, 3)), atol=2)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_ordinary_image_is_what_pillow_always_gave(
    kind: str, channels: int, tmp_path: Path
) -> None:
    """So that the digests of studies on such images stay."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, channels), dtype=np.uint8)
    encoded = saved(Image.fromarray(pixels.squeeze(-1) if channels == 1 else pixels), kind)
    feature = tfds.features.Image(shape=(4, 4, channels))
    np.testing.assert_array_equal(
        read_back(tmp_path, encoded, channels),
        feature.decode_example_np_with_pil(encoded, channels),
        strict=True,
    )


def test_opencv_beside_us_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow_datasets.core.features import image_feature

    cv2 = types.ModuleType("cv2")  # as good as installed, and unable to do a thing
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    monkeypatch.setattr(image_feature, "cv2", cv2)
    assert read_back(tmp_path, png(RGB, 8, COLOURS), 3).tolist() == [[*map(list, COLOURS)]] * 4


@pytest.mark.parametrize(
    ("encoded", "channels"),
    [
        (png(GREY, 1, [(0,), (1,), (1,), (0,)] * 2), 1),
        (png(GREY, 16, [(0x1234,), (0xFF00,), (0x00FF,), (0x80FF,)]), 1),
        (png(GREY_ALPHA, 8, [(200, 0), (9, 255), (0, 0), (255, 1)]), 1),
        (png(PALETTE, 8, [(0,), (1,), (2,), (3,)], COLOURS, alphas=[0, 128, 255]), 3),
        (png(RGBA, 16, [tuple(value << 8 for value in (*colour, 0)) for colour in COLOURS]), 3),
        (saved(Image.new("CMYK", (4, 4), (10, 100, 200, 40)), "JPEG"), 3),
    ],
    ids=["1 bit", "16 bits", "grey and alpha", "palette", "16 bits and alpha", "CMYK"],
)
def test_a_file_is_read_as_a_record_is_and_its_header_tells_its_channels(
    encoded: bytes, channels: int, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(encoded)
    assert look(file) == (4, 4, channels)
    for wanted in (1, 3):
        np.testing.assert_array_equal(
            decode_any(encoded, wanted, upright=True), decode(encoded, (4, 4, wanted)), strict=True
        )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_a_viewer_does_and_only_where_that_is_asked_for(
    orientation: int,
) -> None:
    """The eight orientations of the EXIF specification, 2.32, tag 274."""
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    turned = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(pixels),
    }
    exif = Image.Exif()
    exif[274] = orientation
    encoded = saved(Image.fromarray(pixels), "PNG", exif=exif)
    np.testing.assert_array_equal(decode_any(encoded, 3, upright=True), turned[orientation])
    np.testing.assert_array_equal(decode_any(encoded, 3), pixels)


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
def test_a_header_of_no_known_mode_is_refused(mode: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(saved(Image.new(mode, (4, 4)), "TIFF"))
    with pytest.raises(ValueError, match=f"an image of mode {mode}, neither grey nor colours"):
        look(tmp_path / "file")


@pytest.mark.parametrize(
    ("encoded", "problem"),
    [
        (saved(Image.new("F", (4, 4), 0.5), "TIFF"), "mode F"),
        (saved(Image.new("I", (4, 4), 70_000), "TIFF"), "mode I"),
        (saved(Image.new("LAB", (4, 4)), "TIFF"), "mode LAB"),
        (
            saved(
                Image.new("RGB", (4, 4), "red"),
                "GIF",
                save_all=True,
                append_images=[Image.new("RGB", (4, 4), "blue")],
            ),
            "2 frames",
        ),
        (saved(Image.new("RGB", (4, 5)), "PNG"), r"shape \(5, 4, 3\), not \(4, 4, 3\)"),
        (png(RGB, 8, COLOURS)[:-30], "truncated|broken"),
        (b"not an image", "not an image that Pillow knows"),
    ],
    ids=["float", "32 bits", "LAB", "animation", "oblong", "truncated", "text"],
)
def test_what_cannot_be_shown_to_a_network_is_refused_with_its_record(
    encoded: bytes, problem: str, tmp_path: Path
) -> None:
    features = {"image": tfds.features.Image(shape=(4, 4, 3)), "label": LABEL}
    rows = [{"image": encoded, "label": 0}]
    directory = prepare_other(tmp_path, "other", features, {"train": rows})
    with pytest.raises(DataError, match=f"record 0 of .*array_record.*({problem})") as caught:
        prepared.read("other", directory, "train")
    assert "delete" not in str(caught.value)
    assert "--data-dir DIR" in str(caught.value)


def test_a_feature_nobody_asked_for_is_not_decoded(tmp_path: Path) -> None:
    features = {
        "image": tfds.features.Image(shape=(4, 4, 3)),
        "depth": tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16),
        "label": LABEL,
    }
    row = {"image": png(RGB, 8, COLOURS), "depth": b"not an image", "label": 2}
    directory = prepare_other(
        tmp_path, "other", features, {"train": [row]}, supervised_keys=("image", "label")
    )
    assert prepared.read("other", directory, "train").labels.tolist() == [2]
