"""A study of the database as it was asked for, to go on with it without its flags."""

from __future__ import annotations

from typing import Any

import pydantic

from runs.reader import open_reader
from runs.record import StudyRecord
from search.spec.studies import STUDIES, StudyError, StudySpec
from search.study.open_study import BEFORE_THE_FIELD, NOTES
from space.errors import explain


def stored_study(
    name: str, storage: str | None, trials: int | None = None
) -> tuple[StudySpec, dict[str, Any]]:
    """A study's specification, and what else it was last asked for.

    Args:
        name: of the study.
        storage: database URL; None for the default.
        trials: how many it is to have now; None for as many as it was last asked for.

    Returns:
        The specification; and `baselines`, whether those that are missing are trained,
        `stop_when_flat` and `tune_rate`, as they were last asked for. Of a study of an older
        version, which did not note them, nothing.

    Raises:
        StorageError: there is no such database or study; the sentence names those there are.
        StudyError: a newer version began it, or an older one did not note how many trials it has.
    """
    with open_reader(storage) as store:
        record = store.study(name)
        where = store.where
    asked = record.spec.get("asked") or {}
    if trials is None:
        trials = asked.get("trials", _built_in_trials(record))
    if trials is None:
        raise StudyError(
            f"--resume {name}: an older version began it and did not note how many trials it is "
            "to have; give --trials N"
        )
    fields = {key: value for key, value in record.spec.items() if key not in NOTES}
    try:
        spec = StudySpec.model_validate(
            BEFORE_THE_FIELD | fields | {"name": name, "trials": trials}
        )
    except pydantic.ValidationError as error:
        raise StudyError(
            f"study {name!r}: its specification in {where} is not one of this version "
            f"({explain(error)}); go on with the version of mixer-search that began it"
        ) from None
    return spec, asked


def _built_in_trials(record: StudyRecord) -> int | None:
    """How many trials the built-in study has that was begun under its own name."""
    spec = STUDIES.get(record.name)
    is_it = spec is not None and record.spec.get("dataset") == spec.dataset
    return spec.trials if spec and is_it else None
