"""Two processes never run one study."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runs.claim import ClaimedError, claim
from runs.store import open_writer

HOLD = """
import sys, time
from runs.claim import claim
with claim(sys.argv[1], "s"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def storage(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/s.db"
    with open_writer(url):
        return url


def test_a_study_another_process_runs_is_refused_until_that_is_killed(storage: str) -> None:
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, storage], cwd=root, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(ClaimedError, match="'s' is being run by another process"),
            claim(storage, "s"),
        ):
            pass
        with claim(storage, "another study"):
            pass
        other.kill()
        other.wait()
        with claim(storage, "s"):
            pass


def test_a_claim_ends_with_its_block(storage: str) -> None:
    for _ in range(2):
        with claim(storage, "s"):
            pass
