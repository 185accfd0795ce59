"""`docs/examples/serve.py` over loopback: real images, wrong ones, too much, and many at once."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import requests
from onnx import TensorProto, helper, numpy_helper
from pictures import noise, png
from PIL import Image
from scipy.special import softmax
from sklearn.datasets import load_digits

from search.data.decoding import decode_any
from search.data.resize import resized
from search.formats.onnx import write_onnx
from space import presets, reference

FILE = Path(__file__).parents[1] / "docs" / "examples" / "serve.py"
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """uint8 [1797, 8, 8, 1] and labels."""
    images, labels = load_digits(return_X_y=True)
    return (images * 255 / 16).round().astype(np.uint8).reshape(-1, 8, 8, 1), labels


def write_model(path: Path) -> None:
    """Which digit's mean is nearest, in the interface that exported networks have."""
    images, labels = digits()
    flat = images.reshape(-1, 64) / 255
    means = np.stack([flat[labels == label].mean(axis=0) for label in range(10)])
    arrays = {
        "scale": np.float32(255),
        "shape": np.array([0, -1]),
        "kernel": (2 * means.T).astype(np.float32),
        "bias": -(means**2).sum(axis=1).astype(np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["float", "scale"], ["scaled"]),
            helper.make_node("Reshape", ["scaled", "shape"], ["flat"]),
            helper.make_node("MatMul", ["flat", "kernel"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "digits",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 8, 8, 1])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 10])
            for name in ("logits", "probabilities")
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    facts = {
        "name": "digits_knee",
        "sha256": 64 * "a",
        "image_size": "8",
        "image_channels": "1",
        "resize": "crop",
        "class_names": json.dumps(NAMES),
    }
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("winner") / "model.onnx"
    write_model(path)
    return path


class Server:
    """One in a process of its own."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, *command], stdout=file, stderr=file, cwd=log.parent
            )
        self.http = requests.Session()
        self.http.trust_env = False
        self.port = self._port()

    def _port(self) -> int:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log.read_text()):
                return int(found[1])
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def predict(self, body: bytes, **options: Any) -> requests.Response:
        return self.http.post(self.url("/predict"), data=body, timeout=60, **options)

    def predict_several(self, files: list[bytes]) -> requests.Response:
        form = [("image", (f"{i}.png", file)) for i, file in enumerate(files)]
        return self.http.post(self.url("/predict"), files=form, timeout=60)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    with Server([str(FILE), str(model), "--port", "0"], log) as server:
        yield server
    assert "Traceback" not in log.read_text()


def directly(model: Path, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], {"images": images})
    return np.asarray(found)


def probabilities(response: requests.Response) -> np.ndarray:
    """[images, classes] of an answer, once the classes are as they must be."""
    assert response.status_code == 200, response.text
    found = response.json()["predictions"]
    for one in found:
        assert list(one["probabilities"]) == NAMES
        assert one["class"] == max(NAMES, key=one["probabilities"].get)
    return np.array([list(one["probabilities"].values()) for one in found])


def test_it_says_what_it_serves(server: Server) -> None:
    answer = server.http.get(server.url("/health"), timeout=60)
    assert answer.json() == {"status": "ok", "model": "digits_knee", "sha256": 64 * "a"}


def test_answers_are_those_of_onnxruntime_and_mostly_right(server: Server, model: Path) -> None:
    images, labels = digits()
    images, labels = images[:64], labels[:64]
    expected = directly(model, images)
    answer = server.predict_several([png(pixels) for pixels in images])
    np.testing.assert_allclose(probabilities(answer), expected, atol=1e-7)
    classes = [NAMES.index(one["class"]) for one in answer.json()["predictions"]]
    assert np.mean(classes == labels) > 0.8
    one = probabilities(server.predict(png(images[5])))
    np.testing.assert_allclose(one, expected[5:6], atol=1e-6)


def test_a_winner_that_comes_along_is_exported_and_served(tmp_path: Path) -> None:
    preset = presets.load("mixer_cifar_cpu_1m")
    assert preset.trained
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    pixels = (images - np.array(preset.trained.pixel_mean)) / np.array(preset.trained.pixel_std)
    logits = reference.logits(preset.config, preset.params(), pixels)
    write_onnx(preset, preset.params(), tmp_path, images, logits.astype(np.float32))
    with Server([str(FILE), str(tmp_path / "model.onnx"), "--port", "0"], tmp_path / "log") as own:
        answer = own.predict_several([png(one) for one in images]).json()["predictions"]
    assert [list(one["probabilities"]) for one in answer] == 3 * [list(preset.trained.class_names)]
    served = [list(one["probabilities"].values()) for one in answer]
    np.testing.assert_allclose(served, softmax(logits, axis=-1), atol=1e-5)


def test_eight_clients_at_once_get_their_own_answers(server: Server, model: Path) -> None:
    images, _ = digits()
    expected = directly(model, images[:160])

    def ask(client: int) -> list[np.ndarray]:
        mine = images[20 * client : 20 * client + 20]
        alone = [probabilities(server.predict(png(pixels))) for pixels in mine[:10]]
        return [*alone, probabilities(server.predict_several([png(p) for p in mine[10:]]))]

    with ThreadPoolExecutor(8) as clients:
        found = [np.concatenate(rows) for rows in clients.map(ask, range(8))]
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-6)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


WRONG: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "nothing": (lambda: b"", 400, "no image: send a file as the body or in a form"),
    "text": (lambda: b"hello, world", 415, "not an image: send PNG, JPEG, WEBP, GIF, BMP"),
    "cut off": (lambda: png(noise(64, 64))[:3000], 400, "a damaged image .*: send a whole one"),
    "another format": (lambda: encoded(Image.new("RGB", (8, 8)), "TIFF"), 415, "not an image"),
    "16 bits": (lambda: encoded(Image.new("I;16", (8, 8))), 415, "mode I;16: send 8 bits a chan"),
    "huge": (lambda: encoded(Image.new("1", (8000, 4000))), 413, "over 25,000,000 pixels"),
    "vast": (lambda: encoded(Image.new("1", (9000, 9000))), 413, "over 25,000,000 pixels"),
    "too long": (lambda: bytes(2**24 + 1), 413, "16,777,217 bytes: send at most 16,777,216"),
    "far too long": (lambda: bytes(2**26), 413, "67,108,864 bytes: send at most 16,777,216"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_answered_is_refused_in_a_sentence(server: Server, what: str) -> None:
    body, status, sentence = WRONG[what]
    for answer in (server.predict(body()), server.predict_several([body()])):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        if what not in {"too long", "far too long"}:  # a form has more bytes
            assert re.match(sentence, answer.json()["error"])
    assert re.match(sentence, server.predict(body()).json()["error"])


def test_one_wrong_image_among_right_ones_is_refused(server: Server) -> None:
    right = png(digits()[0][0])
    answer = server.predict_several([right, b"no image", right])
    assert (answer.status_code, answer.json()["error"][:12]) == (415, "not an image")


def test_more_images_than_fit_a_batch_are_refused(server: Server) -> None:
    answer = server.predict_several(65 * [png(digits()[0][0])])
    assert answer.status_code == 400
    assert "Maximum number of files is 64" in answer.json()["error"]


def test_a_form_that_is_none_or_has_no_file_is_refused(server: Server) -> None:
    broken = server.predict(b"x", headers={"content-type": "multipart/form-data"})
    assert (broken.status_code, broken.json()["error"][:16]) == (400, "a broken request")
    boundary = {"content-type": "multipart/form-data; boundary=b"}
    text = b'--b\r\ncontent-disposition: form-data; name="image"\r\n\r\nx\r\n--b--\r\n'
    fields = server.predict(text, headers=boundary)
    assert (fields.status_code, fields.json()["error"][:8]) == (400, "no image")


@pytest.mark.parametrize(("path", "status"), [("/predict", 405), ("/nothing", 404)])
def test_other_requests_are_answered_in_json_too(server: Server, path: str, status: int) -> None:
    answer = server.http.get(server.url(path), timeout=60)
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}


def test_clients_that_stop_or_leave_half_way_hold_nobody_up(model: Path, tmp_path: Path) -> None:
    patient = FILE.read_text(encoding="utf-8")
    hasty = tmp_path / "serve.py"
    hasty.write_text(patient.replace("16 * 2**20, 30", "16 * 2**20, 1"), encoding="utf-8")
    body = png(digits()[0][0])
    lines = ["POST /predict HTTP/1.1", "host: x", "connection: close"]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode()
    with Server([str(hasty), str(model), "--port", "0"], tmp_path / "log") as server:
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address, 60) as slow, slow.makefile() as answer:
            slow.sendall(head + body[:50])
            with socket.create_connection(address, 60) as gone:
                gone.sendall(head + body[:50])
            assert probabilities(server.predict(body)).shape == (1, 10)
            said = answer.read()
    assert "408 Request Timeout" in said
    assert "not done in 1 s: send less at once" in said
    assert "Traceback" not in server.log.read_text()


def test_a_file_that_is_no_exported_network_is_a_sentence(model: Path, tmp_path: Path) -> None:
    foreign = onnx.load(model)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    for file in (tmp_path / "none.onnx", tmp_path / "foreign.onnx"):
        run = subprocess.run([sys.executable, FILE, file], capture_output=True, text=True)
        assert run.returncode == 2
        assert f"error: {file} is no exported network: " in run.stderr
        assert "Traceback" not in run.stderr


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The file as a module, in this process."""
    spec = importlib.util.spec_from_file_location("serve_example", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_images_become_squares_as_they_did_in_training(example: ModuleType, resize: Any) -> None:
    for rows, columns in [(8, 8), (9, 8), (31, 64), (64, 37), (5, 3), (100, 101), (1, 2)]:
        for channels in (1, 3):
            image = noise(rows, columns, channels)
            found = example.pixels(png(image), 8, channels, resize)
            np.testing.assert_array_equal(found, resized(image, 8, resize))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_colours_become_those_of_training(example: ModuleType, mode: str) -> None:
    image = Image.fromarray(noise(8, 8)).convert(mode)
    file = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    for channels in (1, 3):
        found = example.pixels(file, 8, channels, "crop")
        np.testing.assert_array_equal(found, decode_any(file, channels))


def test_it_imports_nothing_of_this_project() -> None:
    for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not {str(name).split(".")[0] for name in names} & {"search", "space", "runs"}
