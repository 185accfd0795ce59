"""The sampler that knows the cost, in Optuna studies of its own: no networks, no store."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from scipy.special import ndtr
from threadpoolctl import threadpool_info, threadpool_limits

from runs.pareto import Reference, hypervolume
from search.sampler import CandidateSpace, CostAwareSampler
from search.schedule.accuracy_model import AccuracyModel
from search.schedule.improvement import expected_improvement
from search.schedule.known_trials import CURVE, KnownTrials
from search.schedule.observations import observed

SPACE = {
    "width": IntDistribution(16, 128, step=16),
    "depth": IntDistribution(1, 6),
    "patch": CategoricalDistribution([1, 2, 4]),
}
MAX_FLOPS = 60_000.0


def flops(params: Any) -> float:
    return 2.0 * params["depth"] * params["width"] ** 2 / params["patch"]


def accuracy(params: Any) -> float:
    """Grows with FLOPs, best at patch 2."""
    return float(ndtr(0.8 * math.log10(flops(params)) - 2.5 - 0.5 * (params["patch"] != 2)))


def candidates(**settings: Any) -> CandidateSpace:
    return CandidateSpace(SPACE, flops, **{"max_flops": MAX_FLOPS, **settings})


def objective(trial: optuna.Trial) -> tuple[float, float]:
    params = {
        "width": trial.suggest_int("width", 16, 128, step=16),
        "depth": trial.suggest_int("depth", 1, 6),
        "patch": trial.suggest_categorical("patch", [1, 2, 4]),
    }
    return accuracy(params), flops(params)


def study_of(sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    return optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)


def searched(num_trials: int, seed: int = 0, **settings: Any) -> optuna.Study:
    study = study_of(CostAwareSampler(candidates(), guess_accuracy=0.1, seed=seed, **settings))
    study.optimize(objective, n_trials=num_trials)
    return study


def params_of(study: optuna.Study) -> list[dict[str, Any]]:
    return [trial.params for trial in study.trials]


MEMBERS = [
    {"width": w, "depth": d, "patch": p}
    for w in range(16, 129, 16)
    for d in range(1, 7)
    for p in (1, 2, 4)
]


def test_it_proposes_nothing_twice_and_nothing_over_the_ceiling() -> None:
    allowed = [params for params in MEMBERS if flops(params) <= MAX_FLOPS]
    proposed = params_of(searched(len(allowed)))
    assert sorted(map(str, proposed)) == sorted(map(str, allowed))


def test_a_space_that_is_used_up_is_begun_again_rather_than_left() -> None:
    one = CandidateSpace({"width": IntDistribution(16, 16)}, lambda _: 10.0)
    study = study_of(CostAwareSampler(one, seed=0))
    study.optimize(lambda t: (0.5, float(t.suggest_int("width", 16, 16))), n_trials=3)
    assert [trial.params for trial in study.trials] == [{"width": 16}] * 3


def test_the_same_seed_proposes_the_same_and_another_one_something_else() -> None:
    assert params_of(searched(15)) == params_of(searched(15))
    assert params_of(searched(15)) != params_of(searched(15, seed=1))


def test_a_study_given_its_trials_goes_on_as_if_never_interrupted() -> None:
    through = searched(16)
    again = study_of(CostAwareSampler(candidates(), guess_accuracy=0.1, seed=0))
    again.add_trials(through.trials[:9])
    again.optimize(objective, n_trials=7)
    assert params_of(again) == params_of(through)


def test_twenty_trials_find_nearly_the_whole_front_above_the_median() -> None:
    allowed = [params for params in MEMBERS if flops(params) <= MAX_FLOPS]
    median = float(np.median([accuracy(params) for params in allowed]))
    reference = Reference(accuracy=median, cost=MAX_FLOPS)

    def area(params: list[dict[str, Any]]) -> float:
        return hypervolume([flops(p) for p in params], [accuracy(p) for p in params], reference)

    assert area(params_of(searched(20))) > 0.9 * area(allowed)


def test_the_more_cost_counts_the_less_compute_as_many_trials_take() -> None:
    def spent(exponent: float) -> float:
        studies = [searched(20, seed, cost_exponent=exponent) for seed in range(3)]
        return sum(flops(trial.params) for study in studies for trial in study.trials)

    assert spent(2.0) < 0.9 * spent(0.75) < 0.9 * spent(0.0)


def test_the_first_trials_are_spread_over_log_flops() -> None:
    costs = [math.log10(flops(params)) for params in params_of(searched(6))]
    low, high = math.log10(128), math.log10(MAX_FLOPS)
    thirds = {int(3 * (c - low) / (high - low + 1e-9)) for c in costs}
    assert thirds == {0, 1, 2}


def test_trials_that_run_are_not_proposed_again_and_spread_the_next_ones() -> None:
    study = searched(8)
    asked = [study.ask(SPACE).params for _ in range(6)]
    assert len({str(params) for params in asked}) == 6


@pytest.mark.parametrize("num_jobs", [1, 8])
def test_side_by_side_nothing_is_proposed_twice(num_jobs: int) -> None:
    study = study_of(CostAwareSampler(candidates(), guess_accuracy=0.1, seed=0))

    def slow(trial: optuna.Trial) -> tuple[float, float]:
        time.sleep(0.05)  # nobody has a parameter yet, all have a proposal
        return objective(trial)

    study.optimize(slow, n_trials=24, n_jobs=num_jobs)
    asked = [study.ask() for _ in range(4)]
    for trial in asked:
        objective(trial)
    assert len({str(params) for params in params_of(study)}) == 28


def test_it_proposes_on_one_thread_and_leaves_the_others_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def threads() -> set[int]:
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    def noting(*args: Any, **options: Any) -> Any:
        seen.append(threads())
        return expected_improvement(*args, **options)

    seen: list[set[int]] = []
    monkeypatch.setattr("search.schedule.sampler.expected_improvement", noting)
    with threadpool_limits(2, user_api="blas"):
        searched(8)
        assert threads() == {2}
    assert seen == [{1}] * 2


def test_a_lucky_trial_does_not_end_the_search() -> None:
    study = searched(12)
    lucky = {"width": 48, "depth": 1, "patch": 2}
    study.add_trial(_trial(lucky, TrialState.COMPLETE, [0.99]))
    study.optimize(objective, n_trials=15)
    found = max(accuracy(params) for params in params_of(study)[13:])
    assert accuracy(lucky) < 0.6
    assert found > 0.7, "nothing dearer reaches 0.99, and all of it is better than this really is"


def test_nothing_is_learnt_from_a_trial_that_was_stopped_before_its_first_epoch() -> None:
    study = searched(8)
    before = {str(params) for params in params_of(study)}
    never = study.ask(SPACE)
    study.tell(never, state=TrialState.PRUNED)
    known = KnownTrials(candidates(), study.trials)
    assert observed(known).rows.tolist() == list(range(8))
    assert not known.is_running.any()
    study.optimize(objective, n_trials=1)
    assert str(params_of(study)[-1]) not in before | {str(never.params)}


def test_where_cheap_networks_have_learnt_nothing_the_first_trials_look_up() -> None:
    """The upper end is among them, and all but the first lie in what may be useful."""

    def steep(params: Any) -> float:
        return 0.1 + 0.8 * float(ndtr((math.log10(flops(params)) - 4.4) / 0.1))

    study = study_of(CostAwareSampler(candidates(), guess_accuracy=0.1, seed=0))
    for _ in range(4):
        trial = study.ask(SPACE)
        study.tell(trial, [steep(trial.params), flops(trial.params)])
    costs = [math.log10(flops(params)) for params in params_of(study)]
    middle = (math.log10(128) + math.log10(MAX_FLOPS)) / 2
    assert max(costs) > math.log10(MAX_FLOPS) - 0.1
    assert min(costs[1:]) > middle + 0.3


@pytest.mark.parametrize("workers", [4, 16])
def test_side_by_side_the_search_looks_up_until_a_network_has_learnt_something(
    workers: int,
) -> None:
    """The cheap ones end first; what is asked for then is dearer than all that learnt nothing."""
    study = study_of(CostAwareSampler(candidates(), guess_accuracy=0.1, seed=0))
    running = [study.ask(SPACE) for _ in range(workers)]
    useless, starts = 0.0, 0
    while True:
        running.sort(key=lambda trial: flops(trial.params))
        first = running.pop(0)
        cost = flops(first.params)
        learnt = cost > 0.5 * MAX_FLOPS
        study.tell(first, [0.6 if learnt else 0.1, cost])
        if learnt:
            break
        useless = max(useless, cost)
        running.append(study.ask(SPACE))
        assert flops(running[-1].params) > useless
        starts += 1
    assert starts >= workers // 2
    assert max(flops(trial.params) for trial in running) > 0.8 * MAX_FLOPS


def test_side_by_side_a_search_in_which_nothing_learns_still_uses_its_model() -> None:
    study = study_of(CostAwareSampler(candidates(), guess_accuracy=0.1, min_accuracy=0.95, seed=0))
    running = [study.ask(SPACE) for _ in range(4)]
    for _ in range(30):
        first = running.pop(0)
        study.tell(first, [accuracy(first.params), flops(first.params)])
        running.append(study.ask(SPACE))
    best = max(accuracy(params) for params in MEMBERS if flops(params) <= MAX_FLOPS)
    assert max(trial.values[0] for trial in study.trials if trial.values) == pytest.approx(best)


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.RUNNING])
def test_part_of_a_training_says_how_well_its_neighbours_would_do(state: TrialState) -> None:
    def expected_with(reached: float) -> float:
        study = study_of(CostAwareSampler(candidates(), guess_accuracy=0.1, seed=0))
        for width in (16, 48, 80, 112):
            params = {"width": width, "depth": 1, "patch": 2}
            curve = [accuracy(params) - 0.3, accuracy(params)]
            study.add_trial(_trial(params, TrialState.COMPLETE, curve))
        params = {"width": 96, "depth": 2, "patch": 2}
        study.add_trial(_trial(params, state, [reached]))
        known = KnownTrials(candidates(), study.trials)
        seen = observed(known)
        features = known.members.features
        model = AccuracyModel(features[seen.rows], seen.values, seen.to_come, seen.rows)
        return float(ndtr(model.predict(features[[4]])[0][0]))

    good, bad = expected_with(0.6), expected_with(0.2)
    assert good > 0.7, "it would have gained what the others gained"
    assert bad < good - 0.1


def _trial(
    params: dict[str, Any], state: TrialState, curve: list[float]
) -> optuna.trial.FrozenTrial:
    complete = state is TrialState.COMPLETE
    return optuna.trial.create_trial(
        state=state,
        params=params,
        distributions=SPACE,
        values=[curve[-1], flops(params)] if complete else None,
        user_attrs={CURVE: curve},
    )


def test_a_space_too_large_to_list_is_searched_by_draws_and_neighbours() -> None:
    space = {name: IntDistribution(1, 60) for name in "abc"}

    def cost(params: Any) -> float:
        return float(10 * params["a"] * params["b"] * params["c"])

    sampler = CostAwareSampler(CandidateSpace(space, cost, max_flops=1e5), seed=0)
    study = study_of(sampler)
    study.optimize(
        lambda t: (
            float(
                ndtr(math.log10(cost(params := {n: t.suggest_int(n, 1, 60) for n in "abc"})) - 4)
            ),
            cost(params),
        ),
        n_trials=14,
    )
    assert len({str(t.params) for t in study.trials}) == 14
    assert all(t.values[1] <= 1e5 for t in study.trials)


def test_steps_logarithms_and_categories_are_proposed_as_the_study_has_them() -> None:
    """Integers of a logarithmic range are its members too; categories need be no numbers."""
    space = {
        "width": IntDistribution(8, 40, step=8),
        "depth": IntDistribution(1, 4, log=True),
        "norm": CategoricalDistribution(["layer", "none"]),
    }

    def cost(params: Any) -> float:
        return float(params["width"] * params["depth"] * (2 if params["norm"] == "layer" else 1))

    study = study_of(CostAwareSampler(CandidateSpace(space, cost, max_flops=200), seed=0))

    def trained(trial: optuna.Trial) -> tuple[float, float]:
        params = {
            "width": trial.suggest_int("width", 8, 40, step=8),
            "depth": trial.suggest_int("depth", 1, 4, log=True),
            "norm": trial.suggest_categorical("norm", ["layer", "none"]),
        }
        return float(ndtr(math.log10(cost(params)) - 1)), cost(params)

    study.optimize(trained, n_trials=15)
    assert len({str(params) for params in params_of(study)}) == 15
    assert all(cost(params) <= 200 for params in params_of(study))
    assert {params["norm"] for params in params_of(study)} == {"layer", "none"}


def test_the_page_about_the_sampler_runs_as_it_stands() -> None:
    page = (Path(__file__).parents[1] / "docs" / "sampler.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(code, names)
    complete = names["study"].get_trials(states=[TrialState.COMPLETE])
    assert len({str(t.params) for t in names["study"].trials}) == len(names["study"].trials) == 40
    assert any(t.state is TrialState.PRUNED for t in names["study"].trials)
    assert all(t.values[1] <= names["candidates"].max_flops for t in complete)


def test_a_continuous_parameter_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="chooses among integers and categories"):
        CandidateSpace({"width": FloatDistribution(0, 1)}, flops)


@pytest.mark.parametrize("depths", [6, 3_000])
@pytest.mark.parametrize("max_flops", [math.inf, 1e5])
def test_log_flops_lie_between_0_and_1_wherever_the_dear_members_are(
    depths: int, max_flops: float
) -> None:
    space = {
        "patch": CategoricalDistribution([1, 2, 4, 8]),
        "width": IntDistribution(8, 128, step=8),
        "depth": IntDistribution(1, depths),
    }
    many = CandidateSpace(
        space, lambda p: 30 * p["depth"] * p["width"] / p["patch"] ** 2, max_flops=max_flops
    )
    found = many.candidate_pool(np.zeros((0, 3), np.int64), np.random.default_rng(1))
    log_flops = found.features[:, -1]
    assert log_flops.min() == pytest.approx(0, abs=0.1)
    assert log_flops.max() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("depths", [6, 3_000])
def test_a_ceiling_under_all_members_is_refused_with_a_sentence(depths: int) -> None:
    space = {"width": IntDistribution(16, 128, step=16), "depth": IntDistribution(1, depths)}
    study = study_of(CostAwareSampler(CandidateSpace(space, lambda p: p["width"], max_flops=9)))
    with pytest.raises(ValueError, match="max_flops 9: no member found has so few FLOPs"):
        study.ask(space)


def test_a_member_without_flops_is_refused_with_a_sentence() -> None:
    space = {"width": IntDistribution(0, 5)}
    study = study_of(CostAwareSampler(CandidateSpace(space, lambda p: p["width"])))
    with pytest.raises(ValueError, match=r"'width': 0\} has 0 FLOPs; every member must"):
        study.ask(space)


def test_accuracies_in_percent_are_refused_with_a_sentence() -> None:
    study = searched(8)
    study.add_trial(_trial({"width": 16, "depth": 6, "patch": 4}, TrialState.COMPLETE, [71.0]))
    with pytest.raises(ValueError, match=r"accuracy 71; .* divide percents by 100"):
        study.ask(SPACE)


@pytest.mark.parametrize(
    "directions",
    [
        ["minimize", "minimize"],
        ["minimize", "maximize"],
        ["maximize", "maximize"],
        ["maximize"],
        ["maximize", "minimize", "minimize"],
    ],
)
def test_a_study_that_searches_the_wrong_way_round_is_refused_before_its_first_trial(
    directions: list[str],
) -> None:
    sampler = CostAwareSampler(candidates(), seed=0)
    study = optuna.create_study(directions=directions, sampler=sampler)
    called = []

    def wrong(trial: optuna.Trial) -> tuple[float, ...]:
        called.append(trial.number)
        return (0.5,) * len(directions)

    says = f"has the directions {directions!r}; make it with directions=['maximize', 'minimize']"
    with pytest.raises(ValueError, match=re.escape(says)):
        study.optimize(wrong, n_trials=1)
    assert not called


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_flops_returned_in_the_place_of_the_accuracy_are_refused_at_the_first_trial(
    scale: float,
) -> None:
    """Also where they are counted in units so large that they could be an accuracy."""
    space = CandidateSpace(SPACE, lambda p: scale * flops(p), max_flops=scale * MAX_FLOPS)
    study = study_of(CostAwareSampler(space, seed=0))

    def swapped(trial: optuna.Trial) -> tuple[float, float]:
        accuracy, flops = objective(trial)
        return scale * flops, accuracy

    with pytest.raises(ValueError, match="return the accuracy first, the FLOPs second"):
        study.optimize(swapped, n_trials=10)
    assert len(study.trials) == 1


def test_an_accuracy_that_is_by_chance_the_flops_is_one() -> None:
    space = CandidateSpace({"width": IntDistribution(1, 4)}, lambda p: p["width"] / 4)
    study = study_of(CostAwareSampler(space, seed=0))
    study.optimize(lambda t: (w := t.suggest_int("width", 1, 4) / 4, w), n_trials=4)
    assert len(study.trials) == 4
