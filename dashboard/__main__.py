"""`python -m dashboard`: checks the storage, then serves the pages to a browser on this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dashboard.other_storages import name_others, other_storages
from runs.foreign_tables import foreign_tables
from runs.options import Storage
from runs.plot.palette import DARK, LIGHT
from runs.reader import open_reader
from runs.storage import describe, parse_storage
from space.command import Version, make_app, run_app
from space.errors import MixerSearchError

app = make_app()


class AddressError(MixerSearchError):
    """The dashboard cannot, or should not, be served at that address and port."""


@app.command()
def serve(
    storage: Storage = None,
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="N")] = 8501,
    address: Annotated[
        str, typer.Option(help="Where to listen; by default for this machine only.", metavar="HOST")
    ] = "127.0.0.1",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Also accept an --address others can reach.")
    ] = False,
    public_host: Annotated[
        str | None,
        typer.Option(
            help="The name under which a proxy on this machine, with a login, serves the pages.",
            metavar="HOST",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open a browser window.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="Another database, whose studies the page Compare offers too; may be repeated. By "
            "default $MIXER_ALSO, one a line.",
            metavar="URL",
            show_default=False,
        ),
    ] = None,
    version: Version = False,
) -> None:
    """Shows the studies of a database in the browser: front, trials, progress. Read-only."""
    if storage is not None:
        os.environ["MIXER_STORAGE"] = storage  # the pages read it there
    if also:
        name_others(also)
    for each in (None, *other_storages()):
        with open_reader(each):  # better a sentence here than on every page
            pass
        if stranger := foreign_tables(each):
            print(f"note: {stranger}", file=sys.stderr)
    _check_address(address, port, allow_remote)
    _load_pages()
    shown = f"[{address}]" if ":" in address else address
    print(f"{describe(parse_storage(None))} at http://{shown}:{port} (Ctrl-C to stop)", flush=True)
    hosts = [public_host] if public_host else []
    _serve(_options(address, port, hosts, headless=no_browser or not _has_display()))


def _load_pages() -> None:
    """Imports what the pages draw with, so that the first visitor need not wait for it."""
    from dashboard import confirmed_view  # noqa: F401


def _serve(options: dict[str, Any]) -> None:
    from streamlit.web import bootstrap  # here: a wrong argument should not wait a second for it

    bootstrap.load_config_options(options)
    bootstrap.run(str(Path(__file__).with_name("app.py")), False, [], options)


def _options(address: str, port: int, hosts: list[str], *, headless: bool) -> dict[str, Any]:
    """Streamlit's settings; they win over the user's own `config.toml`."""
    options: dict[str, Any] = {
        "server.address": address,
        "server.port": port,
        "server.headless": headless,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        "runner.magicEnabled": False,
        # A range slider gets its value twice: as `value=`, and from `dashboard.kept`
        "global.disableWidgetStateDuplicationWarning": True,
        "theme.light.primaryColor": "#0072B2",
        "theme.dark.primaryColor": "#56B4E9",
        "theme.metricValueFontSize": "1.5rem",
        "theme.light.backgroundColor": LIGHT.background,
        "theme.dark.backgroundColor": DARK.background,
    }
    if _is_loopback(address):  # a web page elsewhere whose name leads here is sent away
        options["server.allowedHosts"] = sorted({"localhost", "127.0.0.1", address, *hosts})
    return options


def _check_address(address: str, port: int, allow_remote: bool) -> None:
    if not (allow_remote or _is_loopback(address)):
        raise AddressError(
            f"--address {address} lets other machines read the results, and there is no password; "
            "leave it at 127.0.0.1, or add --allow-remote if that is what you want"
        )
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as trying:
            trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trying.bind(place)
    except (OSError, UnicodeError) as error:
        raise AddressError(
            f"cannot listen at {address} port {port} ({getattr(error, 'strerror', error)}); "
            f"if another program has that port, choose one with --port, such as {port + 1}"
        ) from None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _has_display() -> bool:
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform in {"darwin", "win32"} or bool(display)


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0 after Ctrl-C, 2 for what the user can mend."""
    return run_app(app, argv, "python -m dashboard")


if __name__ == "__main__":
    sys.exit(main())
