"""Results as pandas."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from records import at, epoch, running, seeds, study, trial, vit

from runs import winners
from runs.frames import epochs_frame, trials_frame
from runs.record import EpochRecord, Failure, Origin, State
from runs.winners import candidates, front
from space.families import label_of

BASELINE = {"origin": Origin.BASELINE}
TRIALS = [
    at(1_000_000, 0.30, 0),
    at(10_000_000, 0.80, 1, rung=4),
    at(50_000_000, 0.60, 2),
    at(500_000, 0.99, 3, config=vit(), **BASELINE),
    at(600_000, 0.98, 4, config=vit(num_blocks=3), **BASELINE),
    running(5),
    running(
        6,
        state=State.FAILED,
        environment=None,
        error="diverged",
        failure=Failure.DIVERGED,
        finished_at=None,
    ),
]


def test_there_is_one_row_a_trial_in_the_order_given() -> None:
    frame = trials_frame(TRIALS[::-1])
    assert list(frame["number"]) == [6, 5, 4, 3, 2, 1, 0]
    assert list(frame["state"])[:3] == ["failed", "running", "complete"]
    assert list(frame["failure"])[:1] == ["diverged"]


def test_columns_hold_what_the_records_hold() -> None:
    found = TRIALS[1]
    row = trials_frame(TRIALS).iloc[1]
    assert found.timing
    assert found.environment
    expected = {
        "number": 1,
        "state": "complete",
        "origin": "search",
        "family": "mixer",
        "label": "Mixer p2 C9 L2 T8 D20",
        "on_front": True,
        "accuracy": 0.8,
        "loss": found.loss,
        "params": found.params,
        "macs": 5_000_000,
        "flops": 10_000_000,
        "seed": 3,
        "epochs": 12,
        "rung": 4,
        "wall_seconds": found.wall_seconds,
        "trace_seconds": found.timing.trace_seconds,
        "compile_seconds": 1.5,
        "cache_hit": False,
        "train_seconds": found.timing.train_seconds,
        "eval_seconds": 0.25,
        "images_per_second": 12_345.678,
        "train_flop_per_second": 3 * 10_000_000 * 12_345.678,
        "device_bytes": 2**31 + 7,
        "device_kind": "NVIDIA H200",
        "git_revision": "5f2c1ab-dirty",
        "error": found.error,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
        "image_size": 8,
        "image_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "hidden_dim": 9,
        "num_blocks": 2,
        "tokens_mlp_dim": 8,
        "channels_mlp_dim": 20,
    }
    assert {name: row[name] for name in expected} == expected
    empty = {"failure", "timeout_seconds", "parent", *("mlp_dim", "num_heads", "classifier")}
    assert set(trials_frame(TRIALS).columns) - set(expected) == empty
    assert row[[*empty]].isna().all()
    assert list(trials_frame(TRIALS).columns)[:9] == list(expected)[:9]


def test_what_is_not_known_is_missing() -> None:
    frame = trials_frame(TRIALS)
    unfinished = frame[frame["number"] >= 5]
    for name in ("accuracy", "loss", "train_seconds", "images_per_second", "finished_at"):
        assert unfinished[name].isna().all()
    assert frame["device_kind"].isna().tolist() == [False] * 6 + [True]
    assert frame["tokens_mlp_dim"].isna().tolist() == [t.config.family == "vit" for t in TRIALS]


def test_the_front_is_that_of_the_finished_trials_of_each_origin() -> None:
    frame = trials_frame(TRIALS)
    assert frame["on_front"].dtype == bool
    assert list(frame["on_front"]) == [True, True, False, True, False, False, False]
    searched = frame[frame["on_front"] & (frame["origin"] == "search")]
    assert list(searched["number"]) == [t.number for t in front(candidates(TRIALS))]


def test_what_is_too_inaccurate_is_in_the_frame_and_on_no_front() -> None:
    """Baselines are for comparison, and stay."""
    trials = [*TRIALS, at(400_000, 0.2, 7, config=vit(num_blocks=4), **BASELINE)]
    frame = trials_frame(trials, min_accuracy=0.5)
    assert list(frame[frame["on_front"]]["number"]) == [1, 3, 7]
    assert len(frame) == len(trials)


def test_all_seeds_of_a_configuration_are_on_the_front_if_their_mean_is() -> None:
    """Trial 0 alone would be dominated, and trial 5 alone would dominate."""
    ahead = seeds(0, 0.50, 0.90, 0.70, macs=1_000_000)
    beaten = seeds(4, 0.30, 0.95, macs=1_000_000)
    unfinished = [*seeds(8, 0.99, macs=1_000), running(9, config=trial(8).config, seed=1)]
    refused = running(10, config=ahead[0].config, state=State.REFUSED)
    frame = trials_frame([*ahead, *beaten, *unfinished, refused])
    assert list(frame[frame["on_front"]]["number"]) == [0, 1, 2]
    assert list(frame["accuracy"][:5]) == [0.50, 0.90, 0.70, 0.30, 0.95]  # each its own


@pytest.mark.parametrize("trials", [[], [running(0)], [trial(0)]])
def test_a_study_that_has_hardly_begun_has_the_same_first_columns(trials: list[object]) -> None:
    frame = trials_frame(trials)
    assert len(frame) == len(trials)
    full = trials_frame(TRIALS)
    assert list(frame.columns)[:31] == list(full.columns)[:31]
    assert frame.columns[30] == "finished_at"


def test_a_frame_survives_csv() -> None:
    frame = trials_frame(TRIALS)
    back = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    for name in ("number", "accuracy", "flops", "on_front", "label", "train_seconds"):
        pd.testing.assert_series_equal(back[name], frame[name], check_dtype=False)


def test_curves_have_one_row_an_epoch() -> None:
    epochs = [epoch(1), epoch(2), epoch(1, trial=3)]
    frame = epochs_frame(epochs)
    assert [EpochRecord(**row) for row in frame.to_dict("records")] == epochs
    assert list(epochs_frame([]).columns) == list(frame.columns)


def test_the_reference_point_is_guessing_at_the_ceiling() -> None:
    reference = winners.reference_of(study(num_classes=100, flops_ceiling=8_000_000))
    assert (reference.accuracy, reference.cost) == (0.01, 8e6)


def test_labels_tell_the_families_apart() -> None:
    assert label_of(trial(4).config) == "Mixer p2 C12 L2 T8 D20"
    assert label_of(vit()) == "ViT p2 C12 L2 D20 H3"


def test_a_measured_cost_is_a_column_where_any_trial_has_it() -> None:
    frame = trials_frame([trial(0, costs={"latency_jax_ms": 0.25}), trial(1)])
    assert frame["latency_jax_ms"].tolist()[0] == 0.25
    assert frame["latency_jax_ms"].isna().tolist() == [False, True]
