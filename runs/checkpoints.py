"""Names of checkpoints' files, and which trials need theirs."""

from __future__ import annotations

import hashlib

from runs.record import Failure, State, StudyRecord, TrialRecord

SUFFIX = ".checkpoint"


def checkpoint_prefix(study: StudyRecord) -> str:
    """How the names of a study's checkpoints begin; a new study of the same name has others."""
    told = (study.first_name, study.created_at.isoformat(), study.data_digest)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def checkpoint_name(study: StudyRecord, trial: int) -> str:
    """Of the trials of a configuration, given the number of the first."""
    return f"{checkpoint_prefix(study)}-{trial}{SUFFIX}"


def keeps_checkpoint(trial: TrialRecord) -> bool:
    """Whether a trial may go on from its checkpoint: it runs, or had too little time."""
    return trial.state is State.RUNNING or trial.failure is Failure.TIMEOUT
