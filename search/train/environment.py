"""What a search runs on: device, library versions, revision of the code."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from runs.record import Environment

if TYPE_CHECKING:
    import jax

_LIBRARIES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "optuna",
    "numpy",
    "tensorflow-datasets",
    "pillow",  # decodes the images
)


def find_environment(device: jax.Device) -> Environment:
    """The facts kept with every trial."""
    versions = {"python": platform.python_version()}
    versions |= {library: version(library) for library in _LIBRARIES}
    return Environment(
        device_kind=device.device_kind, versions=versions, git_revision=git_revision()
    )


def git_revision() -> str | None:
    """The commit of the working tree this code lies in, `-dirty` where it differs from it.

    None where the code is not in a working tree of its own (installed, or no git).
    """
    root = Path(__file__).parents[2]
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        tracked = subprocess.run(
            ["git", "-C", str(root), "ls-files", "--error-unmatch", __file__],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() if tracked.returncode == 0 else None
