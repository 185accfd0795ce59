"""Where a study compares its trials, and what came of that for one of them. No Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runs.record import State, TrialRecord
from runs.rungs import rung_epochs


def rungs_of(spec: Mapping[str, Any], epochs: int) -> list[int]:
    """The epochs after which a study compares trials of so many epochs, ascending.

    Given its specification; studies from before early stopping have no rungs.
    """
    rungs = spec.get("rungs")
    return list(rung_epochs(rungs["eta"], rungs["count"], epochs)) if rungs else []


def stopping_sentence(trial: TrialRecord) -> str | None:
    """That a trial was stopped early, or exempt; None of all others."""
    if trial.rung is None:
        return None
    where = f"after epoch {trial.rung} of {trial.epochs}"
    if trial.state is State.PRUNED:
        return f"Stopped early, {where}. Accuracy and loss are those after that epoch."
    if trial.state is State.COMPLETE:
        return (
            f"It would have been stopped {where}, and was trained on to see whether stopping it "
            "would have been right."
        )
    return None
