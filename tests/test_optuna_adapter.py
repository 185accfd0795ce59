"""Proposals: what Optuna is told, and that an interruption changes nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import optuna
import pytest
from records import WIDE_SPACE, WIDE_VITS, running

from runs.record import State, TrialRecord
from search.schedule.known_trials import CURVE
from search.schedule.optuna_adapter import SAMPLERS, OptunaAdapter
from search.spec.studies import SamplerName
from space.config import ImageTask
from space.cost import cost
from space.search_space import SearchSpace

TASK = ImageTask(image_size=8, image_channels=1, num_classes=10)


def adapter(
    sampler: str,
    history: list[TrialRecord],
    space: SearchSpace = WIDE_SPACE,
    **settings: float | None,
) -> OptunaAdapter:
    return OptunaAdapter(
        space,
        TASK,
        sampler=SAMPLERS[sampler],
        seed=3,
        max_flops=math.inf,
        min_accuracy=settings.get("min_accuracy"),
        history=history,
    )


def search(
    sampler: str, count: int, *, restart_every: int = 0, space: SearchSpace = WIDE_SPACE
) -> list[TrialRecord]:
    """A search of a smooth surrogate: accuracy grows with log FLOPs, best at hidden_dim 32."""
    history: list[TrialRecord] = []
    asked = adapter(sampler, history, space)
    for number in range(count):
        if restart_every and number % restart_every == 0:
            asked = adapter(sampler, history, space)
        proposal = asked.ask()
        flops = cost(proposal.config).flops
        accuracy = 0.08 * math.log10(flops) + 0.4 * (proposal.config.hidden_dim == 32)
        trial = replace(
            running(number, config=proposal.config, sampler_attrs={}),
            state=State.COMPLETE,
            accuracy=accuracy,
            sampler_attrs=proposal.sampler_attrs,
        )
        asked.tell([trial], proposal)
        history.append(trial)
    return history


SPACES = pytest.mark.parametrize(
    "space", [WIDE_SPACE, WIDE_VITS], ids=lambda space: str(space.family)
)


@SPACES
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_proposal_is_a_member_of_the_space(sampler: str, space: SearchSpace) -> None:
    members = set(space.members(TASK))
    assert all(trial.config in members for trial in search(sampler, 30, space=space))


@pytest.mark.parametrize(
    "space", [WIDE_SPACE, pytest.param(WIDE_VITS, marks=pytest.mark.slow)], ids=["mixer", "vit"]
)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_rebuilt_from_its_records_proposes_what_it_would_have(
    sampler: str, space: SearchSpace
) -> None:
    through = [trial.config for trial in search(sampler, 60, space=space)]
    interrupted = [t.config for t in search(sampler, 60, restart_every=7, space=space)]
    assert interrupted == through


def test_nsga2_leaves_random_sampling_after_a_restart() -> None:
    history = search("nsga2", 45, restart_every=1)
    generations = {trial.sampler_attrs["NSGAIISampler:generation"] for trial in history}
    assert generations == {0, 1, 2}


def test_tpe_learns_where_the_accuracy_is() -> None:
    late = search("tpe", 120)[80:]
    share = sum(trial.config.hidden_dim == 32 for trial in late) / len(late)
    assert share > 0.45, "a quarter is what chance gives"


def test_optuna_sees_accuracy_and_log_flops_of_the_records_and_their_front() -> None:
    history = search("random", 20)
    study = adapter("random", history)._study
    assert [t.values for t in study.trials] == [
        [trial.accuracy, math.log10(trial.flops)] for trial in history
    ]
    assert study.directions == [
        optuna.study.StudyDirection.MAXIMIZE,
        optuna.study.StudyDirection.MINIMIZE,
    ]


def test_failed_and_refused_trials_are_told_as_failures() -> None:
    trial = search("random", 1)[0]
    for state in (State.FAILED, State.REFUSED):
        other = replace(trial, state=state, accuracy=None)
        study = adapter("random", [other])._study
        assert [t.state for t in study.trials] == [optuna.trial.TrialState.FAIL]


@pytest.mark.parametrize("rebuilt", [True, False])
def test_a_refused_proposal_is_no_bad_one_to_a_sampler_that_learns(rebuilt: bool) -> None:
    asked = adapter("cost_aware", [])
    proposal = asked.ask()
    trial = running(0, config=proposal.config, sampler_attrs=proposal.sampler_attrs)
    refused = replace(trial, state=State.REFUSED, accuracy=None, error="tried before")
    if rebuilt:
        asked = adapter("cost_aware", [refused])
    else:
        asked.tell([refused], proposal)
    told = asked._study.trials[0]
    assert (told.state, told.user_attrs) == (optuna.trial.TrialState.PRUNED, {})
    assert asked.ask().config != proposal.config


def test_the_sampler_knows_how_far_trials_under_way_are_and_then_their_ends() -> None:
    asked = adapter("cost_aware", [])
    proposal = asked.ask()
    for curve in ([0.2], [0.2, 0.3]):
        asked.hear(proposal, curve)
        (told,) = asked._study.trials
        assert (told.state, told.user_attrs) == (optuna.trial.TrialState.RUNNING, {CURVE: curve})
    trial = running(0, config=proposal.config, sampler_attrs=proposal.sampler_attrs)
    asked.tell([replace(trial, state=State.COMPLETE, accuracy=0.5)], proposal, [0.2, 0.3, 0.5])
    (told,) = asked._study.trials
    assert told.state is optuna.trial.TrialState.COMPLETE
    assert told.user_attrs == {CURVE: [0.2, 0.3, 0.5]}


@pytest.mark.parametrize("rebuilt", [True, False])
def test_less_accurate_trials_than_asked_for_are_infeasible(rebuilt: bool) -> None:
    asked = adapter("tpe", [], min_accuracy=0.5)
    history = []
    for number, accuracy in enumerate((0.4, 0.6)):
        proposal = asked.ask()
        trial = running(number, config=proposal.config, sampler_attrs={})
        history.append(replace(trial, state=State.COMPLETE, accuracy=accuracy))
        asked.tell(history[-1:], proposal)
    if rebuilt:
        asked = adapter("tpe", history, min_accuracy=0.5)
    best = asked._study.best_trials
    assert [t.values[0] for t in best] == [0.6]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_given_configuration_counts_as_the_samplers_own(sampler: str) -> None:
    asked = adapter(sampler, [])
    given = list(WIDE_SPACE.members(TASK))[7]
    proposal = asked.ask(given)
    assert proposal.config == given
    trial = running(0, config=given, sampler_attrs=proposal.sampler_attrs)
    asked.tell([replace(trial, state=State.COMPLETE, accuracy=0.5)], proposal)
    assert asked._study.trials[0].values == [0.5, math.log10(trial.flops)]
    if sampler == "nsga2":
        assert proposal.sampler_attrs == {"NSGAIISampler:generation": 0}


def test_a_study_may_ask_for_every_sampler_there_is() -> None:
    assert get_args(SamplerName) == tuple(SAMPLERS)


def test_the_first_trials_are_drawn_at_random_and_those_of_random_always() -> None:
    history = search("random", 30)
    for sampler, count in (("tpe", 10), ("nsga2", 20), ("random", 31)):
        drawn = [adapter(sampler, history[:n]).at_random for n in range(31)]
        assert drawn == [n < count for n in range(31)]
