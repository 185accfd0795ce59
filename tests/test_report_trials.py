"""The trials of the front in a report: their curves, and what the best of them has learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from sample_study import write_study

from runs.record import TrialRecord
from runs.report.section import Figure, Section
from runs.report.trials import trials_section
from runs.snapshot import read_snapshot
from runs.weights_folder import weights_folder
from runs.writer import open_writer


@pytest.fixture
def storage(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/results.db"
    write_study(url, "sample", trials=14)
    return url


def section(storage: str) -> Section:
    with open_writer(storage) as store:
        [found] = trials_section(store, read_snapshot(store, "sample"), storage)
    return found


def keep_weights(storage: str) -> TrialRecord:
    """Those of the front's most accurate trial."""
    with open_writer(storage) as store:
        best = read_snapshot(store, "sample").front[-1]
        kernel = np.ones((best.config.patch_size, best.config.patch_size, 3, 8), np.float32)
        content = safetensors.numpy.save({"params/stem/kernel": kernel})
        record = weights_folder(storage).write(best.number, content)
        store.end_trials("sample", [store.trial("sample", best.number)], weights=[record])
    return best


def test_the_ends_and_the_knee_of_the_front_have_their_curves(storage: str) -> None:
    [part] = section(storage).parts
    assert isinstance(part, Figure)
    with open_writer(storage) as store:
        front = read_snapshot(store, "sample").front
    for end in (front[0], front[-1]):
        assert f"trial {end.number} is {end.label}" in part.caption


def test_what_the_best_trial_with_weights_has_learnt_is_shown(storage: str) -> None:
    best = keep_weights(storage)
    _, stem = section(storage).parts
    assert isinstance(stem, Figure)
    assert stem.caption.startswith(f"Trial {best.number}, {best.label}. The 8 filters of the stem")


def test_a_database_without_its_weights_has_the_rest(storage: str) -> None:
    keep_weights(storage)
    for file in weights_folder(storage).files():
        file.unlink()
    assert len(section(storage).parts) == 1
