"""What the database counts is what there is to read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from postgres import new_database
from records import epoch, trial
from test_rename import KEPT, fill

from runs.reader import UnknownStudyError, open_reader
from runs.row_counts import RowCounts
from runs.writer import open_writer


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, here: Path) -> str:
    """Two studies with trials, curves and weights; one of the files is of both."""
    url = new_database() if request.param == "postgresql" else f"sqlite:///{here}/results.db"
    fill(url)
    shared = replace(KEPT.weights[0], digest="b" * 64)
    with open_writer(url) as store:
        two = store.add_trial("digits", trial(2)).number
        store.add_epochs("digits", [epoch(number, trial=two) for number in (1, 2)])
        store.end_trials("digits", [], weights=[replace(shared, trial=two)])
        store.add_trial("other", trial(0))
        store.add_epochs("other", [epoch(1, trial=0)])
        store.end_trials("other", [], weights=[replace(shared, trial=0)])
    return url


def test_rows_are_counted_of_the_study_alone(storage: str) -> None:
    with open_reader(storage) as store:
        for study in ("digits", "other"):
            kept = store.kept_results(study)
            assert store.counts(study) == RowCounts(
                trials=len(store.trials(study)),
                epochs=len(store.epochs(study)),
                confirmations=len(kept.confirmations),
                notes=len(kept.notes),
                readings=len(kept.readings),
            )
        assert store.counts("digits").epochs == 3
        with pytest.raises(UnknownStudyError, match="'digit' is not in"):
            store.counts("digit")


def test_weights_that_another_study_has_too_are_not_a_studys_own(storage: str) -> None:
    with open_reader(storage) as store:
        assert store.own_digests(["digits"]) == ["a" * 64]
        assert store.own_digests(["other"]) == []
        assert store.own_digests(["digits", "other"]) == ["a" * 64, "b" * 64]
