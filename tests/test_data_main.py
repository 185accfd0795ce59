from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from archives import draw, importers_of, isolate, prepare_other, prepare_swatches, write_originals
from pictures import draw_classes, noise

from search.data.__main__ import main
from search.data.preparation import prepare
from search.data.registry import IMPORTERS


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


def test_preparing_says_where_the_images_lie_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write_originals("cifar10", tmp_path, draw("cifar10", 40, 20))
    monkeypatch.setitem(IMPORTERS, "cifar10", importers_of("cifar10", paths)["cifar10"])
    folder = tmp_path / "made" / "on the way"
    assert main(["prepare", "cifar10", "--data-dir", str(folder), "--archive", str(paths[0])]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"cifar10 lies in {folder / 'cifar10' / '3.0.2'}: 40 train and 20 test images",
        f"next: python -m search.run --study mixer_cifar --data-dir '{folder}'",
    ]


def test_digits_need_no_preparation(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["prepare", "digits"], ["prepare", "digits", "--data-dir", "any"]):
        assert main(argv) == 0
        assert capsys.readouterr().out.endswith("next: python -m search.run --study mixer_digits\n")


def test_the_help_is_whole_and_says_what_goes_where(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["prepare"], ["list"]):
        assert main([*argv, "--help"]) == 0
        text = capsys.readouterr().out
        assert "..." not in text.replace("mnist, ...", "").replace("COMMAND [ARGS]...", "")
        assert "<path>" not in text
        assert "Prepare data sets" in text or "--data-dir DIR" in text


def test_the_list_says_what_is_prepared_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write_originals("mnist", tmp_path, draw("mnist", 20, 10))
    importers = importers_of("mnist", paths)
    prepare("mnist", tmp_path, archive=tmp_path, report=print, importers=importers)
    (tmp_path / "cifar100" / "3.0.2" / "half").mkdir(parents=True)
    capsys.readouterr()
    assert main(["list", "--data-dir", str(tmp_path)]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    known = ["digits", "cifar10", "cifar100", "mnist", "fashion_mnist"]
    assert list(lines) == [*known, "folder:PATH"]
    assert lines["digits"] == "8 x 8 x 1, 10 classes, come with scikit-learn"
    assert lines["cifar10"].endswith(f"10 classes, not prepared in {tmp_path}")
    assert "is not a whole data set" in lines["cifar100"]
    assert lines["mnist"].endswith(f"prepared in {tmp_path / 'mnist' / '3.0.1'}")


def test_the_users_mistakes_are_a_sentence_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", "cifar1O", "--data-dir", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    said = "error: no data set is called 'cifar1O' (did you mean 'cifar10'?)"
    assert captured.err.startswith(said)
    assert main(["list", "--data-dir", str(tmp_path / "absent")]) == 2
    assert main(["prepare"]) == 2
    assert main(["prepared", "cifar10"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_data_set_no_study_could_use_is_refused_when_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_other(tmp_path, "voices", {"pitch": np.int64}, {"train": [{"pitch": 440}]})
    assert main(["prepare", "voices", "--data-dir", str(tmp_path)]) == 2
    assert "voices should have one image but has none" in capsys.readouterr().err


def test_a_data_set_without_a_train_split_is_refused_when_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_swatches(tmp_path, labels=[0, 1, 2], split="full")
    capsys.readouterr()
    assert main(["prepare", "swatches", "--data-dir", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "has no split 'train' but full; choose another data set" in captured.err


def test_versions_and_configurations_are_prepared_as_tfds_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("1.0.0", "1.10.0"):
        prepare_swatches(tmp_path, labels=[0, 1, 2], configuration="dark", version=version)
    for name, version in (("swatches/dark", "1.10.0"), ("swatches/dark:1.0.0", "1.0.0")):
        capsys.readouterr()
        assert main(["prepare", name, "--data-dir", str(tmp_path)]) == 0
        place = tmp_path / "swatches" / "dark" / version
        assert capsys.readouterr().out == f"{name} lies in {place}: 3 train images\n"


def test_a_folder_and_arrays_are_looked_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pets, number = f"folder:{tmp_path / 'pets'}", 4
    for split in ("train", "val", "test"):
        draw_classes(tmp_path / "pets" / split, "ab", number=number)
    assert main(["prepare", pets, "--image-size", "6"]) == 0
    out, err = capsys.readouterr()
    assert out == (
        f"{pets}: 8 train and 8 validation and 8 test images of 2 classes, 6 x 6 x 3; "
        "there is nothing to prepare\n"
        f'next: a study file with dataset = "{pets}" and [data] image_size = 6\n'
    )
    assert err.count("images are converted to 6 x 6 pixels (resize = 'crop')") == 3
    (tmp_path / "pets" / "val" / "a" / "000.png").write_text("no image")
    assert main(["prepare", pets]) == 2
    assert "val/a/000.png cannot be read as an image" in capsys.readouterr().err
    assert main(["prepare", pets, "--skip-broken"]) == 0
    out, err = capsys.readouterr()
    assert "1 of 8 validation files cannot be read" in err
    assert "8 train and 7 validation and 8 test images" in out
    images = np.stack([noise(8, 8, 1, seed=seed) for seed in range(6)])
    np.savez(tmp_path / "x.npz", train_images=images, train_labels=[0, 1] * 3)
    assert main(["prepare", f"arrays:{tmp_path / 'x.npz'}"]) == 0
    assert ": 6 train images of 2 classes, 8 x 8 x 1; there" in capsys.readouterr().out
    assert main(["prepare", pets, "--resize", "stretch"]) == 2
    assert "data.resize: input should be 'crop'" in capsys.readouterr().err


# A process started in the background ignores interrupts, and so do its children.
INTERRUPTIBLE = """
import signal, sys
from search.data.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""


def test_an_interrupt_is_a_sentence_and_exit_130(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:  # a network that never answers
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE, "prepare", "cifar10", "--data-dir", tmp_path],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.getsockname()[1]}"},
            stderr=subprocess.PIPE,
            text=True,
        )
        with proxy.accept()[0]:  # it is asking now
            process.send_signal(signal.SIGINT)
            _, err = process.communicate()
    assert process.returncode == 130
    assert err == (
        "interrupted; what was downloaded is kept, and the same command goes on from there\n"
    )
