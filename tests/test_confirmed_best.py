"""What fresh seeds say of one network, and how a lucky accuracy is called."""

from __future__ import annotations

import pytest
from test_confirmed import SEARCHED, confirm, read_test
from test_confirmed import store as store

from runs.commands.list_studies import main
from runs.confirmed import read_confirmed
from runs.confirmed_best import best_confirmed, fresh_accuracy
from runs.wording import luckiest
from runs.writer import Writer


def test_a_trial_and_its_repetitions_have_the_mean_over_fresh_seeds(store: Writer) -> None:
    trials = confirm(store)
    found = read_confirmed(store, "digits")
    fresh = fresh_accuracy(found, SEARCHED[1])
    assert fresh is not None
    assert fresh.interval.value == pytest.approx(0.9, abs=0.02)  # 0.95 was luck
    assert fresh.said.endswith("mean of 3 fresh seeds on validation")
    repetition = next(t for t in trials if t.parent == 1)
    assert fresh_accuracy(found, repetition) == fresh
    assert fresh_accuracy(found, trials[-1]) != fresh


def test_the_best_is_chosen_by_validation_among_what_was_searched(store: Writer) -> None:
    read_test(store, confirm(store))
    best = best_confirmed(read_confirmed(store, "digits"))
    assert best is not None
    assert (best.trial, best.split) == (1, "test")


def test_list_says_what_to_expect_before_what_was_lucky(
    store: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    read_test(store, confirm(store))
    assert (
        main(["--storage", store.where if "://" in store.where else f"sqlite:///{store.where}"])
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert "mean of 3 fresh seeds on test (trial 1)" in lines[3]
    assert lines[4].strip() == "95.00 %, best of 4 and partly luck, on validation"


def test_one_accuracy_alone_was_not_chosen() -> None:
    assert luckiest(0.5, 1) == "50.00 %"
    assert luckiest(0.5, 3) == "50.00 %, best of 3 and partly luck"
