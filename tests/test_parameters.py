"""Hyperparameters as columns: which vary, what choices leave, means along one of them."""

from __future__ import annotations

import numpy as np
import pytest
from records import at, mixer, running, seeds, study, trial, vit

from runs.cost_trend import at_equal_cost
from runs.parameters import Parameter, _ascending, brushed, family_trials, parameters_table, varied
from runs.record import Origin, State
from runs.slices import MOST, means
from runs.snapshot import Snapshot
from space.costs import FLOPS

SMALL = trial(0, config=mixer(patch_size=2, hidden_dim=8), accuracy=0.5)
LARGE = trial(1, config=mixer(patch_size=4, hidden_dim=64), accuracy=0.75)
TWO = family_trials(Snapshot(study(), [SMALL, LARGE]), "mixer")


def test_only_what_differs_among_the_trials_is_a_parameter() -> None:
    assert [(p.name, p.values) for p in TWO.parameters] == [
        ("patch_size", (2, 4)),
        ("hidden_dim", (8, 64)),
    ]
    assert varied([SMALL]) == varied([]) == []


def test_strings_are_parameters_too_and_have_places_instead_of_distances() -> None:
    trials = [trial(i, config=vit(classifier=one)) for i, one in enumerate(("token", "gap"))]
    [classifier] = varied(trials)
    assert classifier == Parameter("classifier", ("gap", "token"))
    assert not classifier.is_number
    assert not classifier.is_logarithmic
    assert classifier.codes(trials).tolist() == [1, 0]


def test_a_field_that_is_a_number_or_nothing_goes_by_names() -> None:
    """No family here has one; one of somebody's package may."""
    mixed = Parameter("hidden_dim", _ascending({4, "None"}))
    assert mixed.values == ("4", "None")
    assert mixed.codes([trial(0, config=mixer(hidden_dim=4))]).tolist() == [0.0]


def test_a_width_has_a_logarithmic_axis_and_a_narrow_range_has_not() -> None:
    assert Parameter("hidden_dim", (32, 64, 128)).is_logarithmic
    assert not Parameter("num_blocks", (4, 5, 6)).is_logarithmic


def test_a_field_reads_as_words() -> None:
    names = ("hidden_dim", "num_blocks", "tokens_mlp_dim", "mlp_dim")
    assert [Parameter(name, (1, 2)).label for name in names] == [
        "Hidden dim",
        "Number of blocks",
        "Tokens MLP dim",
        "MLP dim",
    ]


def test_a_configuration_counts_once_with_the_mean_of_its_seeds() -> None:
    several = seeds(0, 0.5, 0.75)
    others = [
        running(10, state=State.PRUNED),
        trial(11, config=vit()),
        trial(12, origin=Origin.CONFIRMATION),
        trial(13, origin=Origin.BASELINE),
    ]
    found = family_trials(Snapshot(study(), [*several, *others]), "mixer")
    assert [(t.number, t.accuracy) for t in found.trials] == [
        (0, 0.625),
        (13, pytest.approx(0.1 + 0.7 / 3)),
    ]


def test_choices_leave_what_passes_all_of_them() -> None:
    def left(**choices: object) -> list[int]:
        return [t.number for t in brushed(TWO, **choices)]  # type: ignore[arg-type]

    assert left() == left(values={"patch_size": []}) == [0, 1]
    assert left(values={"patch_size": [4]}) == [1]
    assert left(values={"patch_size": [4], "hidden_dim": [8]}) == []
    assert left(max_cost=SMALL.flops) == [0]
    assert left(min_accuracy=0.75) == [1]


def test_a_choice_that_another_study_offered_is_no_choice() -> None:
    assert len(brushed(TWO, values={"num_heads": [4]})) == 2


def test_the_table_has_the_most_accurate_first_and_a_column_a_parameter() -> None:
    table = parameters_table(TWO.trials, TWO.parameters, FLOPS)
    assert list(table) == ["Trial", "Accuracy", "FLOPs", "Patch size", "Hidden dim"]
    assert table["Trial"].tolist() == [1, 0]
    assert table["Hidden dim"].tolist() == [64, 8]


def test_accuracy_that_follows_from_the_cost_leaves_nothing_at_equal_cost() -> None:
    costs = np.geomspace(1e6, 1e9, 30)
    decades = np.log10(costs)
    left = at_equal_cost(costs, 0.2 + 0.1 * decades - 0.004 * decades**2)
    np.testing.assert_allclose(left, 0, atol=1e-12)
    assert at_equal_cost(np.full(3, 1e6), np.array([0.1, 0.2, 0.6])) == pytest.approx(
        [-0.2, -0.1, 0.3]
    )


def test_means_of_few_values_are_theirs_with_the_intervals_of_one_common_scatter() -> None:
    found = means(np.array([1.0, 1, 2, 2, 4]), np.array([0.0, 2, 5, 7, 9]))
    assert found.x.tolist() == [1, 2, 4]
    assert found.mean.tolist() == [1, 6, 9]
    # Squares within: 2 + 2, with 5 - 3 degrees of freedom; t(0.975, 2) = 4.3027
    assert found.high - found.mean == pytest.approx(4.3027 * np.sqrt(2 / np.array([2, 2, 1])), 1e-4)


def test_means_of_many_values_are_those_of_neighbours() -> None:
    x = np.arange(80.0)
    found = means(x, 3 * x)
    assert len(found.x) == MOST
    np.testing.assert_allclose(found.mean, 3 * found.x)


def test_single_trials_have_means_and_no_intervals() -> None:
    found = means(np.array([1.0, 2]), np.array([3.0, 4]))
    assert found.mean.tolist() == [3, 4]
    assert np.isnan(found.low).all()


def test_trials_without_the_cost_of_the_study_are_left_out() -> None:
    asked = study(spec={"dataset": "cifar10", "cost": "latency_onnx_ms"})
    measured = at(2_000, 0.5, 1, costs={"latency_onnx_ms": 2.0})
    found = family_trials(Snapshot(asked, [at(1_000, 0.4, 0), measured]), "mixer")
    assert [t.number for t in found.trials] == [1]
