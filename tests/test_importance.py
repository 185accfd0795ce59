"""Importance of hyperparameters: planted ones are found, and noise has intervals with 0 in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import numpy as np
import optuna
import pytest
from records import CIFAR, at, mixer, study

from runs.confirmation.intervals import Interval
from runs.importance import FEWEST, Importance, importance
from runs.parameters import FamilyTrials, family_trials
from runs.record import TrialRecord
from runs.snapshot import Snapshot
from space.config import MixerConfig
from space.cost import cost
from space.costs import FLOPS

NAMES = ("patch_size", "hidden_dim", "num_blocks", "tokens_mlp_dim", "channels_mlp_dim")
LABELS = ("Patch size", "Hidden dim", "Number of blocks", "Tokens MLP dim", "Channels MLP dim")


def planted(accuracy: Callable[[MixerConfig, random.Random], float], number: int) -> FamilyTrials:
    """Finished Mixers drawn at random, as accurate as a function of the configuration says."""
    draw = random.Random(0)
    trials: list[TrialRecord] = []
    while len(trials) < number:
        config = mixer(
            CIFAR,
            patch_size=draw.choice([2, 4, 8]),
            hidden_dim=draw.choice([32, 64, 96, 128, 192, 256]),
            num_blocks=draw.choice([2, 4, 6, 8, 10, 12]),
            tokens_mlp_dim=draw.choice([16, 32, 64, 128, 256]),
            channels_mlp_dim=draw.choice([64, 128, 256, 512, 1024]),
        )
        if all(config != t.config for t in trials):
            trials.append(
                at(cost(config).flops, accuracy(config, draw), len(trials), config=config)
            )
    return family_trials(Snapshot(study(), trials), "mixer")


def by_cost(config: MixerConfig, draw: random.Random) -> float:
    """Accuracy that parameters change through FLOPs alone, with the luck of a seed."""
    decades = np.log10(cost(config).flops) - 5
    return 0.9 - 0.7 * float(np.exp(-0.6 * decades)) + draw.gauss(0, 0.01)


def by_cost_and_tokens(config: MixerConfig, draw: random.Random) -> float:
    return by_cost(config, draw) - 0.02 * abs(np.log2(config.tokens_mlp_dim / 64))


def plain_luck(config: MixerConfig, draw: random.Random) -> float:
    return 0.5 + draw.gauss(0, 0.02)


@cache
def found(accuracy: Callable[[MixerConfig, random.Random], float], number: int = 150) -> Importance:
    known = importance(planted(accuracy, number))
    assert known is not None
    assert known.labels == LABELS
    return known


def of(intervals: tuple[Interval, ...]) -> dict[str, Interval]:
    return dict(zip(NAMES, intervals, strict=True))


def test_a_parameter_that_acts_through_flops_matters_on_the_whole_and_not_at_equal_flops() -> None:
    known = found(by_cost)
    assert of(known.plain.of)["patch_size"].low > 0.3
    assert known.plain.explained.low > 0.5
    assert all(one.low <= 0 for one in known.at_equal_cost.of)
    assert all(one.value < 0.1 for one in known.at_equal_cost.of)


def test_a_parameter_that_acts_beside_its_cost_is_found_at_equal_flops() -> None:
    known = found(by_cost_and_tokens)
    equal = of(known.at_equal_cost.of)
    assert equal["tokens_mlp_dim"].low > 0.3
    assert max(one.value for name, one in equal.items() if name != "tokens_mlp_dim") < 0.2
    plain = of(known.plain.of)
    assert plain["patch_size"].value > plain["tokens_mlp_dim"].value


@pytest.mark.parametrize("number", [FEWEST, 150])
def test_the_intervals_of_mere_luck_have_zero_in_them(number: int) -> None:
    known = found(plain_luck, number)
    for importances in (known.plain, known.at_equal_cost):
        assert not any(one.low > 0 for one in importances.of)
        assert importances.explained.low <= 0


def test_few_trials_say_nothing_and_the_same_trials_say_the_same() -> None:
    assert importance(planted(by_cost, FEWEST - 1)) is None
    same = planted(by_cost, FEWEST)
    assert importance(same) == importance(same)


def test_trials_that_do_not_differ_say_nothing() -> None:
    alike = [at(1_000, 0.5, number, config=mixer()) for number in range(30)]
    assert importance(FamilyTrials("mixer", FLOPS, alike)) is None


def test_of_very_many_trials_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.importance.MOST", 40)
    monkeypatch.setattr("runs.importance._REPEATS", 1)
    known = importance(planted(by_cost, 60))
    assert known is not None
    assert known.num_configurations == 40


def test_on_the_whole_the_order_is_that_of_optunas_evaluators() -> None:
    def plain(config: MixerConfig, draw: random.Random) -> float:
        """Strongly by the patch, less by the depth, by nothing else."""
        return 0.9 - 0.05 * config.patch_size + 0.008 * config.num_blocks + draw.gauss(0, 0.005)

    trials = planted(plain, 150)
    values = {
        p.name: optuna.distributions.CategoricalDistribution(p.values) for p in trials.parameters
    }
    theirs = optuna.create_study(direction="maximize")
    theirs.add_trials(
        [
            optuna.create_trial(
                params={name: getattr(t.config, name) for name in NAMES},
                distributions=values,
                value=t.accuracy,
            )
            for t in trials.trials
        ]
    )
    ours = of(found(plain).plain.of)
    two = sorted(ours, key=lambda name: -ours[name].value)[:2]
    assert two == ["patch_size", "num_blocks"]
    for evaluator in (
        optuna.importance.PedAnovaImportanceEvaluator(),
        optuna.importance.FanovaImportanceEvaluator(seed=0),
    ):
        order = optuna.importance.get_param_importances(theirs, evaluator=evaluator)
        assert list(order)[:2] == two
