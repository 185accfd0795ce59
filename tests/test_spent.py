"""`runs.spent`: sums over trials, a family and origin each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from records import trial, vit

from runs.record import Environment, Origin
from runs.spent import family_shares, spent_by_family, where_facts


def test_compute_is_summed_by_family_and_by_what_it_was_for() -> None:
    trials = [
        trial(0, config=vit()),
        trial(1),
        trial(2),
        trial(3, origin=Origin.CONFIRMATION),
        trial(4, timing=None),
    ]
    found = spent_by_family(trials)
    assert [(s.family, s.origin.value, s.trials) for s in found] == [
        ("mixer", "search", 2),
        ("mixer", "confirmation", 1),
        ("vit", "search", 1),
    ]
    assert found[0].training_flops == sum(t.training_flops or 0.0 for t in trials[1:3])
    assert found[0].device_seconds == pytest.approx(2 * (10 / 3 + 0.25))


def test_shares_are_of_the_search_alone() -> None:
    trials = [trial(0), trial(1, config=vit()), trial(2, origin=Origin.CONFIRMATION)]
    shares = family_shares(spent_by_family(trials))
    mixer, other = (t.training_flops or 0.0 for t in trials[:2])
    assert shares == pytest.approx(
        {"mixer": mixer / (mixer + other), "vit": other / (mixer + other)}
    )
    assert family_shares([]) == {}


def test_where_a_study_ran_is_counted_where_it_differs() -> None:
    one = Environment(device_kind="H200", versions={"jax": "0.10.2"}, git_revision="a" * 40)
    other = replace(one, git_revision=f"{'b' * 40}-dirty")
    trials = [trial(0, environment=one), trial(1, environment=other), trial(2, environment=one)]
    assert where_facts(trials) == {
        "device": "H200",
        "git revision": f"{'a' * 12} (2), {'b' * 12}-dirty (1)",
        "jax": "0.10.2",
    }
    assert where_facts([trial(0, environment=None)]) == {}
