"""The generated spaces are hard in the way that is promised of each."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from find_table import find_table  # noqa: E402
from generated import EPOCHS, SPACES, Generated, blooms_late, generated  # noqa: E402
from learning_curves import TableError  # noqa: E402
from methods import METHODS  # noqa: E402
from two_stage import TWO_STAGE  # noqa: E402

from space.cost import cost  # noqa: E402
from space.families import FAMILIES  # noqa: E402


@pytest.fixture(autouse=True)
def _family_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known to these tests and to no others."""
    monkeypatch.setitem(FAMILIES, TWO_STAGE.name, TWO_STAGE)


def space(name: str) -> Generated:
    table = find_table(name)
    assert isinstance(table, Generated)
    return table


@pytest.mark.parametrize("name", SPACES)
def test_a_curve_is_a_function_of_network_and_seed(name: str) -> None:
    table = space(name)
    config = table.members[len(table.members) // 2]
    again = SPACES[name]()
    assert again.training(config, seed=3) == table.training(config, seed=3)
    assert again.worth(config) == table.worth(config)
    assert table.training(config, seed=4) != table.training(config, seed=3)
    accuracies = table.training(config, seed=3).accuracies
    assert len(accuracies) == EPOCHS == table.spec.recipe.epochs
    assert all(0 <= accuracy <= 1 for accuracy in accuracies)


@pytest.mark.parametrize("name", SPACES)
def test_what_a_network_is_worth_is_the_mean_of_its_trainings(name: str) -> None:
    table = space(name)
    config = table.members[-1]
    ends = [table.training(config, seed).accuracies[-1] for seed in range(400)]
    assert np.mean(ends) == pytest.approx(table.worth(config), abs=4 * table.noise / 20)
    assert np.std(ends) == pytest.approx(table.noise, rel=0.15)


@pytest.mark.parametrize("name", ["large", "many"])
def test_flops_are_those_of_the_cost_model(name: str) -> None:
    table = space(name)
    some = table.members[:: len(table.members) // 50]
    assert [table.flops[config] for config in some] == [cost(config).flops for config in some]
    assert max(table.flops.values()) <= table.flops_ceiling


def test_below_the_upper_third_of_log_flops_large_is_guessing() -> None:
    table = space("large")
    low = [table.worth(c) for c in table.members if table.place(c).u < 2 / 3]
    assert max(low) < 0.12
    assert max(table.worth(c) for c in table.members) > 0.75


def test_one_training_of_noisy_is_two_points_off() -> None:
    assert space("noisy").noise == 0.02
    assert all(space(name).noise < 0.02 for name in SPACES if name != "noisy")


def test_many_has_fifty_thousand_members_in_seven_parameters() -> None:
    table = space("many")
    assert len(table.members) == 51_840
    assert len(table.place(table.members[0]).z) == 7


def test_slow_networks_have_learnt_less_at_a_rung_the_larger_they_are() -> None:
    table = space("slow")
    by_size = sorted(table.members, key=lambda c: table.flops[c])
    learnt = [table.progress(table.place(config), 4) for config in by_size]
    assert learnt == sorted(learnt, reverse=True)
    assert learnt[0] > 0.95
    assert learnt[-1] < 0.55


def test_late_bloomers_look_poor_at_the_rungs_and_are_the_best_of_the_front() -> None:
    table = space("late")
    late = [c for c in table.members if blooms_late(table.place(c))]
    assert 0.15 < len(late) / len(table.members) < 0.35
    assert len(table.front().intersection(late)) >= 5
    config = max(late, key=table.worth)
    place = table.place(config)
    rung = table.progress(place, 4)
    usual = space("noisy").progress(place, 4)
    assert rung < 0.6 * usual
    assert table.progress(place, EPOCHS) == pytest.approx(1.0)


@pytest.mark.parametrize("name", SPACES)
def test_a_generated_space_is_searched_like_a_recorded_table(name: str) -> None:
    done = METHODS["random"].replay(space(name), seed=0, num_trials=12)
    assert done.points[-1].trials == 12
    assert 0 < done.points[-1].above_guessing < 1


def test_a_space_that_there_is_not_names_those_that_are() -> None:
    with pytest.raises(TableError, match="there are large, noisy, many, slow, late"):
        generated("lrage")
