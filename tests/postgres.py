"""PostgreSQL servers of the tests' own, each in a temporary folder on a free port."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

PASSWORD = "p{w} %40@:/'é"  # all that a URL or a format string could stumble over
_SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
_count = itertools.count()


class Server:
    """A server that runs; skips the test where none is installed."""

    def __init__(self) -> None:
        initdb = shutil.which("initdb") or max(
            map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None
        )
        if initdb is None:
            pytest.skip("no PostgreSQL server here; install the Debian package postgresql")
        self._pg_ctl = Path(initdb).with_name("pg_ctl")
        self._folder = Path(tempfile.mkdtemp(prefix="mixer-search-postgres-"))
        (self._folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(self._folder, "postgres")
            shutil.chown(self._folder / "password", "postgres")
        access = ("--username=tester", "--pwfile=password", "--auth=scram-sha-256")
        self._tool(initdb, "--pgdata=data", *access, "--encoding=UTF8", "--locale=C", "--no-sync")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._address = f"postgresql://tester:{quote(PASSWORD, safe='')}@127.0.0.1:{self._port}"
        self.start()
        self.remove = weakref.finalize(self, _remove, self._folder, str(self._pg_ctl))
        """Stops it and deletes all it held; at the end of the tests by itself."""

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{next(_count)}"
        self.run(f"CREATE DATABASE {name}")
        return f"{self._address}/{name}"

    def run(self, statement: str) -> None:
        """Runs SQL as somebody else."""
        with psycopg.connect(f"{self._address}/postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Starts it and waits until it answers."""
        settings = [f"-c {name}={value}" for name, value in _SETTINGS.items()]
        self._control(f"--options=-p {self._port} {' '.join(settings)}", "start")

    def stop(self) -> None:
        """Stops it at once, as a power cut would."""
        self._control("--mode=immediate", "stop")

    def freeze(self) -> None:
        """Stops every process of it where it is; the kernel still takes what is sent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        first = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in (first, *map(int, children)):
            with suppress(ProcessLookupError):  # the first, awake, has seen the end of others
                os.kill(process, number)

    def _control(self, *arguments: str) -> None:
        self._tool(str(self._pg_ctl), "--pgdata=data", "--wait", "--log=log", *arguments)

    def _tool(self, *command: str) -> None:
        _run(self._folder, *command)


def new_database() -> str:
    """The URL of an empty database on a server that all tests share."""
    return _shared().new_database()


@functools.cache
def _shared() -> Server:
    return Server()


def _run(folder: Path, *command: str) -> None:
    is_root = os.geteuid() == 0
    subprocess.run(
        command,
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        user="postgres" if is_root else None,
        group="postgres" if is_root else None,
        extra_groups=[] if is_root else None,
    )


def _remove(folder: Path, pg_ctl: str) -> None:
    _run(folder, pg_ctl, "--pgdata=data", "--wait", "--mode=immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)
