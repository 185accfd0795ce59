"""`python -m dashboard` before there is a server: what it refuses, and what it tells Streamlit."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from sample_study import write_study

from dashboard import __main__ as command


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What Streamlit would be started with; the browser test starts it."""
    monkeypatch.setenv("MIXER_STORAGE", f"sqlite:///{tmp_path}/results.db")
    write_study(os.environ["MIXER_STORAGE"], trials=1)
    given: dict[str, object] = {}
    monkeypatch.setattr(command, "_serve", given.update)
    return given


def test_without_a_database_it_says_how_to_make_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([]) == 2
    said = capsys.readouterr().err
    assert "runs/mixer_search.db does not exist" in said
    assert "python -m search.run" in said
    assert not list(here.iterdir())


def test_it_stays_on_this_machine_and_tells_nobody(settings: dict[str, object]) -> None:
    assert command.main([]) == 0
    assert settings["server.address"] == "127.0.0.1"
    assert settings["server.allowedHosts"] == ["127.0.0.1", "localhost"]
    assert settings["browser.gatherUsageStats"] is False
    assert settings["client.showErrorDetails"] == "none"


def test_a_proxys_name_is_let_in(settings: dict[str, object]) -> None:
    assert command.main(["--public-host", "results.example.org"]) == 0
    assert settings["server.address"] == "127.0.0.1"
    assert settings["server.allowedHosts"] == ["127.0.0.1", "localhost", "results.example.org"]


@pytest.mark.parametrize("address", ["a..b", f"{70 * 'a'}.org"])
def test_an_address_that_is_none_is_a_sentence(
    settings: dict[str, object], capsys: pytest.CaptureFixture[str], address: str
) -> None:
    assert command.main(["--address", address, "--allow-remote"]) == 2
    assert f"cannot listen at {address} port 8501" in capsys.readouterr().err
    assert not settings


def test_an_address_others_can_reach_is_refused_unless_asked_for(
    settings: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    for address in ("0.0.0.0", "192.0.2.7", "example.com"):
        assert command.main(["--address", address]) == 2
        assert "--allow-remote" in capsys.readouterr().err
    assert not settings
    assert command.main(["--address", "0.0.0.0", "--allow-remote"]) == 0
    assert settings["server.address"] == "0.0.0.0"


def test_a_port_in_use_is_a_sentence(
    settings: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert command.main(["--port", str(port)]) == 2
    assert f"port {port}" in capsys.readouterr().err
    assert not settings


def test_the_storage_reaches_the_pages_but_its_password_no_terminal(
    settings: dict[str, object], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = "postgresql+psycopg://me:s3cret@127.0.0.1:1/results"
    assert command.main(["--storage", url]) == 2  # nothing listens there
    said = capsys.readouterr()
    assert "s3cret" not in said.err + said.out
    assert command.main(["--storage", f"sqlite:///{tmp_path}/results.db"]) == 0
    assert os.environ["MIXER_STORAGE"] == f"sqlite:///{tmp_path}/results.db"
    assert f"{tmp_path}/results.db at http://127.0.0.1:8501" in capsys.readouterr().out


@pytest.mark.parametrize("display", [None, ":0"])
def test_a_browser_opens_only_where_there_is_a_display(
    settings: dict[str, object], monkeypatch: pytest.MonkeyPatch, display: str | None
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    assert command.main([]) == 0
    assert settings["server.headless"] is (display is None)
    assert command.main(["--no-browser"]) == 0
    assert settings["server.headless"] is True
