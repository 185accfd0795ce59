"""Drawing a configuration through Optuna's own trials."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.samplers import BruteForceSampler, RandomSampler
from optuna.trial import FixedTrial
from records import DIGITS, mixers

from space.suggest import suggest

SPACE = mixers(
    patch_size=(2, 4),
    hidden_dim=(8, 24, 96),
    tokens_mlp_dim=(16,),
    channels_mlp_dim=(16, 32),
    num_blocks=(1, 3),
)


def test_a_parameter_is_the_index_of_its_value() -> None:
    fixed = {
        "patch_size": 1,
        "hidden_dim": 2,
        "tokens_mlp_dim": 0,
        "channels_mlp_dim": 0,
        "num_blocks": 1,
    }
    config = suggest(FixedTrial(fixed), SPACE, DIGITS)
    assert config == SPACE.member(
        DIGITS, patch_size=4, hidden_dim=96, tokens_mlp_dim=16, channels_mlp_dim=16, num_blocks=3
    )


def test_values_are_neighbours_to_optuna_in_their_order() -> None:
    trial = optuna.create_study(sampler=RandomSampler(seed=0)).ask()
    suggest(trial, SPACE, DIGITS)
    assert trial.distributions == {
        name: IntDistribution(0, len(values) - 1) for name, values in SPACE.ranges.items()
    }


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_member_can_be_drawn_and_nothing_else() -> None:
    drawn = []
    study = optuna.create_study(sampler=BruteForceSampler())
    study.optimize(lambda trial: drawn.append(suggest(trial, SPACE, DIGITS)) or 0.0)
    assert len(drawn) == SPACE.size
    assert set(drawn) == set(SPACE.members(DIGITS))
