"""A small study of the digits that was searched and confirmed, made once a run of the tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from search import confirm_study, run_study
from search.spec.studies import StudySpec

NAME = "small"

SPEC = StudySpec(
    name=NAME,
    dataset="digits",
    trials=2,
    baselines=0,
    max_flops=120_000,
    train_limit=256,
    validation_fraction=0.2,
    recipe={"epochs": 2, "batch_size": 64, "learning_rate": 5e-3},
    learning_rates={"mixer": 5e-3},
    space={
        "patch_size": (4,),
        "hidden_dim": (8, 16),
        "tokens_mlp_dim": (8,),
        "channels_mlp_dim": (16,),
        "num_blocks": (1,),
    },
    rungs={"count": 0},
)


@cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="confirmed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    storage = f"sqlite:///{folder}/s.db"
    # In processes of their own, as commands train: where JAX has begun in this one, a test before,
    # XLA compiles with other options, and rounds otherwise
    where = {"storage": storage, "engine": "local", "workers": 1, "device": "cpu"}
    run_study(SPEC, progress=False, **where)
    confirm_study(NAME, seeds=3, progress=False, **where)
    return folder


def copied(folder: Path) -> str:
    """The database and its weights in a folder of a test's own; its URL, for that working
    directory."""
    shutil.copytree(_made(), folder, dirs_exist_ok=True)
    return "sqlite:///s.db"
