from __future__ import annotations

import gzip
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from archives import isolate, pin, serving

from search.data import DataError, download

CONTENT = bytes(range(256)) * 4000  # 1 MB


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "original.bin"
    path.write_bytes(CONTENT)
    return path


def quiet(line: str) -> None:
    pass


def test_a_download_with_the_pinned_checksum_is_kept(original: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    with serving([original]) as server:
        path = download.fetch(pin(original, server.url), tmp_path / "down", lines.append)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert 1 <= len(lines) <= 21
    assert lines[-1] == "original.bin: 1.0 of 1.0 MB"


def test_other_bytes_than_the_pinned_ones_are_deleted(original: Path, tmp_path: Path) -> None:
    with serving([original]) as server:
        wrong = replace(pin(original, server.url), sha256="0" * 64)
        with pytest.raises(DataError) as caught:
            download.fetch(wrong, tmp_path / "down", quiet)
    assert "0" * 64 in str(caught.value)
    assert pin(original).sha256 in str(caught.value)
    assert list((tmp_path / "down").iterdir()) == []


def test_a_login_page_instead_of_the_file_is_deleted(original: Path, tmp_path: Path) -> None:
    with serving([original]) as server:
        archive = pin(original, server.url)
        server.files["original.bin"] = b"<html>please log in</html>"
        with pytest.raises(DataError, match="got 26 bytes"):
            download.fetch(archive, tmp_path / "down", quiet)
    assert list((tmp_path / "down").iterdir()) == []


def test_an_endless_answer_is_given_up_one_chunk_beyond_the_pinned_size(
    original: Path, tmp_path: Path
) -> None:
    with serving([original]) as server:
        short = replace(pin(original, server.url), size=1000)
        with pytest.raises(DataError, match=f"got {1 << 18} bytes"):
            download.fetch(short, tmp_path / "down", quiet)


def test_a_cut_download_goes_on_where_it_stopped(original: Path, tmp_path: Path) -> None:
    with serving([original], cut_after=300_000) as server:
        archive = pin(original, server.url)
        with pytest.raises(DataError, match="was cut after 300000 of 1024000 bytes"):
            download.fetch(archive, tmp_path / "down", quiet)
        assert (tmp_path / "down" / "original.bin.part").stat().st_size == 300_000
        path = download.fetch(archive, tmp_path / "down", quiet)
        assert server.asked == [("/original.bin", None), ("/original.bin", "bytes=300000-")]
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_file_again(original: Path, tmp_path: Path) -> None:
    with serving([original], cut_after=300_000, knows_ranges=False) as server:
        archive = pin(original, server.url)
        with pytest.raises(DataError, match="was cut"):
            download.fetch(archive, tmp_path / "down", quiet)
        path = download.fetch(archive, tmp_path / "down", quiet)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("leftover", [b"x" * 5000, b"x" * 2_000_000])
def test_a_strange_leftover_costs_one_refusal(
    original: Path, tmp_path: Path, leftover: bytes
) -> None:
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "original.bin.part").write_bytes(leftover)
    with serving([original]) as server:
        archive = pin(original, server.url)
        with pytest.raises(DataError, match="not the original"):
            download.fetch(archive, tmp_path / "down", quiet)
        assert download.fetch(archive, tmp_path / "down", quiet).read_bytes() == CONTENT


def test_a_leftover_longer_than_the_servers_file_is_dropped(original: Path, tmp_path: Path) -> None:
    (tmp_path / "down").mkdir()
    part = tmp_path / "down" / "original.bin.part"
    part.write_bytes(CONTENT[:5000])
    with serving([original]) as server:
        archive = pin(original, server.url)
        server.files["original.bin"] = CONTENT[:10]
        with pytest.raises(DataError, match="answered 416"):
            download.fetch(archive, tmp_path / "down", quiet)
    assert not part.exists()


def test_a_gz_labelled_as_encoded_stays_a_gz(tmp_path: Path) -> None:
    original = tmp_path / "original.gz"
    original.write_bytes(gzip.compress(CONTENT))
    with serving([original], headers={"Content-Encoding": "gzip"}) as server:
        path = download.fetch(pin(original, server.url), tmp_path / "down", quiet)
    assert path.read_bytes() == original.read_bytes()


def test_a_missing_file_is_said_with_the_servers_answer(original: Path, tmp_path: Path) -> None:
    with serving([]) as server, pytest.raises(DataError, match="answered 404"):
        download.fetch(pin(original, server.url), tmp_path / "down", quiet)


def test_nobody_there_is_said_at_once(original: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"could not be reached \(Connection refused\)"):
        download.fetch(pin(original), tmp_path / "down", quiet)


def test_a_host_that_never_answers_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert download.OPEN_SECONDS < 15
    monkeypatch.setattr(download, "OPEN_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(DataError, match=r"did not answer within 0\.3 s"):
            download.probe(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert time.monotonic() - started < 3


def test_a_folder_that_cannot_be_written_is_named(original: Path, tmp_path: Path) -> None:
    (tmp_path / "down" / "original.bin.part").mkdir(parents=True)  # where a file should be
    with (
        serving([original]) as server,
        pytest.raises(DataError, match=r"original\.bin\.part cannot be written"),
    ):
        download.fetch(replace(pin(original, server.url), size=10**9), tmp_path / "down", quiet)
