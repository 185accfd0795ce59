"""A Ray cluster of several nodes on this machine, reached by nobody without its token."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None or sys.platform != "linux",
    reason="no Ray (pip install -e '.[ray]', where there is one for this Python), or no Linux",
)

_HERE = "127.0.0.2"  # Ray takes 127.0.0.1 for a slip, and looks for an address others can reach
_EVERY_NODE = (
    *("--block", f"--node-ip-address={_HERE}", "--num-cpus=1"),
    "--object-store-memory=100000000",
)


class Nodes:
    """Nodes of one core each, the first of which is the head."""

    def __init__(self, count: int, folder: Path) -> None:
        self._nodes: list[subprocess.Popen[bytes]] = []
        try:
            head = ("--head", "--port=0", "--include-dashboard=false", f"--temp-dir={folder}")
            _, said = self._start(*head)
            (self.address,) = set(re.findall(rf"--address='({_HERE}:\d+)'", said))
            for _ in range(count - 1):
                self.add()
        except BaseException:
            self.close()
            raise

    def add(self, *options: str) -> subprocess.Popen[bytes]:
        """One more node."""
        node, _ = self._start(f"--address={self.address}", *options)
        return node

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """All processes of a node at once, as if its plug was pulled."""
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()
        self._nodes.remove(node)

    def stop(self, node: subprocess.Popen[bytes]) -> None:
        """A node takes its leave: others know at once."""
        node.terminate()
        node.wait()
        self._nodes.remove(node)

    def close(self) -> None:
        """Ends all nodes, the head last."""
        for node in reversed(self._nodes.copy()):
            self.kill(node)

    def _start(self, *options: str) -> tuple[subprocess.Popen[bytes], str]:
        ray = Path(sys.executable).with_name("ray")
        with tempfile.TemporaryFile() as log:
            node = subprocess.Popen(
                [ray, "start", *_EVERY_NODE, *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._nodes.append(node)
            said = ""
            while "--block" not in said:  # the last it says: it runs until it is killed
                assert node.poll() is None, said
                time.sleep(0.1)
                said = os.pread(log.fileno(), 10**6, 0).decode()
        return node, said


@contextmanager
def cluster(num_nodes: int) -> Iterator[Nodes]:
    """A cluster; what is started here finds its token in the environment."""
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder,
    ):
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        nodes = Nodes(num_nodes, Path(folder))
        try:
            yield nodes
        finally:
            nodes.close()
