"""The searches ours is compared with: each as it is meant, none with what another is not told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from find_table import find_table  # noqa: E402
from joint_sampler import mostly_cheap  # noqa: E402
from methods import METHODS, OURS  # noqa: E402
from own_study import OwnStudySampler  # noqa: E402
from peers import is_installed  # noqa: E402

from runs.record import State  # noqa: E402
from search.schedule.candidate_space import CandidateSpace  # noqa: E402

QUICK = [n for n, m in METHODS.items() if not m.is_recorded and not m.warm_from]


@pytest.mark.parametrize("method", QUICK)
def test_no_method_repeats_a_configuration_or_goes_over_the_ceiling(method: str) -> None:
    table = find_table("digits")
    done = METHODS[method].replay(table, seed=3, num_trials=25)
    assert len(done.trials) == 25, "nothing was refused"
    assert len({trial.config for trial in done.trials}) == 25
    assert max(trial.flops for trial in done.trials) <= table.flops_ceiling


def test_cheapest_first_is_the_cheapest_first() -> None:
    table = find_table("digits")
    done = METHODS["cheapest first"].replay(table, seed=0, num_trials=40)
    assert [t.flops for t in done.trials] == sorted(table.flops.values())[:40]


def test_with_our_rungs_the_same_are_tried_for_less() -> None:
    table = find_table("digits")
    whole, stopped = (
        METHODS[name].replay(table, seed=0, num_trials=40)
        for name in ("cheapest first", "cheapest first, our rungs")
    )
    assert [t.config for t in whole.trials] == [t.config for t in stopped.trials]
    assert stopped.points[-1].training_flops < whole.points[-1].training_flops
    assert any(t.state is State.PRUNED for t in stopped.trials)
    assert all(t.state is State.COMPLETE for t in whole.trials)


def test_half_the_flops_are_drawn_twice_as_often() -> None:
    log_flops = np.log10([1e6, 2e6, 4e6, 8e6])
    rng = np.random.default_rng(0)
    first = [int(mostly_cheap(log_flops, rng)[0]) for _ in range(4_000)]
    shares = np.bincount(first, minlength=4) / 4_000
    assert shares == pytest.approx(np.array([8, 4, 2, 1]) / 15, abs=0.03)


@pytest.mark.parametrize("method", ["TPE, our starts", "NSGA-II, our starts"])
def test_our_starts_are_those_of_our_sampler(method: str) -> None:
    table = find_table("digits")
    theirs, ours = (
        METHODS[name].replay(table, seed=1, num_trials=7).trials for name in (method, OURS)
    )
    assert [t.config for t in theirs[:6]] == [t.config for t in ours[:6]]
    assert theirs[6].config != ours[6].config


def test_an_expert_is_told_what_is_over_the_ceiling_as_a_violated_constraint() -> None:
    candidates = CandidateSpace(
        {name: IntDistribution(1, 8) for name in ("width", "depth")},
        lambda params: params["width"] * params["depth"],
        max_flops=8,
    )
    sampler = OwnStudySampler(
        lambda seed: RandomSampler(seed=seed), candidates, guess_accuracy=0.1, seed=0
    )
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    study.optimize(lambda t: (0.5, t.suggest_int("width", 1, 8) * t.suggest_int("depth", 1, 8)), 15)
    assert len({tuple(t.params.values()) for t in study.trials}) == 15
    assert max(t.values[1] for t in study.trials) <= 8
    told = sampler._study.get_trials(states=[TrialState.COMPLETE])
    over = [t for t in told if t.params["width"] * t.params["depth"] > 8]
    assert over
    for trial in over:
        assert trial.values[0] == 0.1
        flops = trial.params["width"] * trial.params["depth"]
        assert trial.constraints["flops"] == pytest.approx(np.log10(flops / 8))
    assert all(t.constraints["flops"] <= 0 for t in told if t not in over)


def test_a_study_of_a_seed_goes_the_same_way_every_time() -> None:
    first, second = (
        METHODS["TPE, our starts"].replay(find_table("large"), seed=5, num_trials=20)
        for _ in range(2)
    )
    assert [t.config for t in first.trials] == [t.config for t in second.trials]


@pytest.mark.slow
@pytest.mark.skipif(
    not is_installed(), reason="BoTorch is not installed: pip install -e '.[peers]'"
)
@pytest.mark.parametrize("method", [n for n, m in METHODS.items() if m.is_recorded])
def test_a_peer_repeats_nothing_and_stays_under_the_ceiling(method: str) -> None:
    table = find_table("large")
    done = METHODS[method].replay(table, seed=0, num_trials=15)
    assert len({t.config for t in done.trials}) == 15
    assert max(t.flops for t in done.trials) <= table.flops_ceiling
