"""A PostgreSQL server of the tests' own: started when first asked for, stopped at the end."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

PASSWORD = "p{w} %40@:/'é"  # all that a URL or a format string could stumble over
_SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
_count = itertools.count()


def new_database() -> str:
    """The URL of an empty database; skips the test where no server is installed."""
    address = _server()
    name = f"test_{next(_count)}"
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{address}/{name}"


@functools.cache
def _server() -> str:
    """Starts a cluster in a temporary folder on a free port; its URL without a database."""
    initdb = shutil.which("initdb") or max(
        map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None
    )
    if initdb is None:
        pytest.skip("no PostgreSQL server here; install the Debian package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="mixer-search-postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "password").write_text(PASSWORD)
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres")
        shutil.chown(folder / "password", "postgres")
    tool = functools.partial(
        subprocess.run, check=True, cwd=folder, stdout=subprocess.DEVNULL, **owner
    )
    access = ("--username=tester", "--pwfile=password", "--auth=scram-sha-256")
    tool([initdb, "--pgdata=data", *access, "--encoding=UTF8", "--locale=C", "--no-sync"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = [f"-c {name}={value}" for name, value in _SETTINGS.items()]
    pg_ctl = Path(initdb).with_name("pg_ctl")
    control = [str(pg_ctl), "--pgdata=data", "--wait", "--log=log"]
    tool([*control, f"--options=-p {port} {' '.join(settings)}", "start"])
    atexit.register(tool, [*control, "--mode=immediate", "stop"])
    return f"postgresql://tester:{quote(PASSWORD, safe='')}@127.0.0.1:{port}"
