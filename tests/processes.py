"""Python programs of a test's own, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def start(code: str, argument: str) -> subprocess.Popen[str]:
    """Runs code with one argument; it can import our packages and the tests' modules."""
    return subprocess.Popen(
        [sys.executable, "-c", code, argument],
        env=os.environ | {"PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    """The next line it prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
