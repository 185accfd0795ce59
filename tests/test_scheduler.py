"""The scheduler: what it suggests, decides, and works out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from records import DIGITS, WIDE_SPACE, trial, vit

import space.cost
from runs.record import Origin, State, TrialRecord
from search.schedule import candidate as candidate_module
from search.schedule.optuna_adapter import SAMPLERS
from search.schedule.scheduler import Action, New, Resume, Scheduler, Suggestion
from search.schedule.stopping_rule import Peer, TooFarBehind
from search.spec.recipe import Recipe
from search.spec.rungs import RungSpec
from search.spec.studies import StudySpec
from space.config import Config


def everyone(peer: Peer, others: Sequence[Peer], spread: float | None) -> TooFarBehind:
    """A rule that stops all."""
    return TooFarBehind(Peer(peer.cost, 1.0), 0.0)


def scheduler(
    history: Sequence[TrialRecord] = (),
    *,
    exempt: float = 0.0,
    sampler: str = "random",
    max_flops: int = 10**9,
    baselines: Sequence[Config] = (),
    refused: list[Config] | None = None,
) -> Scheduler:
    def refuse(suggestion: New, reason: str) -> TrialRecord:
        assert refused is not None, reason
        refused.append(suggestion.config)
        return trial(len(refused), state=State.REFUSED, config=suggestion.config, accuracy=None)

    return Scheduler(
        StudySpec(
            name="s",
            dataset="digits",
            sampler=sampler,
            recipe=Recipe(epochs=9),
            rungs=RungSpec(spared=exempt),
        ),
        WIDE_SPACE,
        DIGITS,
        max_flops=max_flops,
        baselines=baselines,
        history=history,
        curves={},
        num_trials=5,
        refuse=refuse,
        rule=everyone,
    )


def records(suggestion: Suggestion, **changes: object) -> list[TrialRecord]:
    return [trial(0, config=suggestion.config, state=State.RUNNING, **changes)]


def test_what_was_interrupted_comes_first_then_baselines_then_the_search() -> None:
    begun = trial(0, config=next(iter(WIDE_SPACE.members(DIGITS))), state=State.RUNNING)
    asked = scheduler([begun], baselines=[vit()])
    resumed, baseline, new = asked.suggest(), asked.suggest(), asked.suggest()
    assert isinstance(resumed, Resume)
    assert resumed.trials == (begun,)
    assert isinstance(baseline, New)
    assert (baseline.config, baseline.origin, baseline.rungs) == (vit(), Origin.BASELINE, ())
    assert isinstance(new, New)
    assert (new.origin, new.rungs) == (Origin.SEARCH, (1, 3))


def test_no_more_is_suggested_than_was_asked_for() -> None:
    asked = scheduler()
    assert [asked.suggest() is None for _ in range(7)] == [False] * 5 + [True] * 2
    assert not asked.exhausted


def test_at_a_rung_it_decides_and_elsewhere_it_has_nothing_to_say() -> None:
    asked = scheduler()
    new = asked.suggest()
    assert new is not None
    assert asked.on_epoch(new, records(new, rung=None), 2, [0.1, 0.2]) is None
    decision = asked.on_epoch(new, records(new, rung=None), 3, [0.1, 0.2, 0.3])
    assert decision is not None
    assert decision.action is Action.STOP
    assert decision.reason is not None
    assert decision.reason.startswith("stopped after epoch 3 of 9: 30.0 %")


def test_a_configuration_of_which_a_seed_failed_continues() -> None:
    asked = scheduler()
    new = asked.suggest()
    assert new is not None
    decision = asked.on_epoch(new, records(new, rung=None), 3, [0.1])
    assert decision is not None
    assert (decision.action, decision.reason) == (Action.CONTINUE, None)


def test_an_exempt_configuration_is_told_so_once_and_then_left_alone() -> None:
    asked = scheduler(exempt=1.0)
    new = asked.suggest()
    assert new is not None
    first = asked.on_epoch(new, records(new, rung=None), 1, [0.1])
    later = asked.on_epoch(new, records(new, rung=1), 3, [0.1, 0.2, 0.3])
    assert first is not None
    assert later is not None
    assert (first.action, first.is_exempt) == (Action.CONTINUE, True)
    assert (later.action, later.is_exempt) == (Action.CONTINUE, False)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_cost_of_a_configuration_is_worked_out_once_for_each_proposal(
    sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[Config] = []

    def counted(config: Config) -> space.cost.NetworkCost:
        asked_for.append(config)
        return space.cost.cost(config)

    monkeypatch.setattr(candidate_module, "cost", counted)
    refused: list[Config] = []
    asked = scheduler(sampler=sampler, max_flops=2 * 10**6, refused=refused)
    proposed: list[Config] = []
    while new := asked.suggest():
        proposed.append(new.config)
        assert new.candidate.flops == space.cost.cost(new.config).flops
        asked.on_epoch(new, records(new, rung=None), 3, [0.1, 0.2, 0.3])
        asked.on_end(new, [replace(t, state=State.COMPLETE) for t in records(new)], [0.1] * 9)
    assert len(proposed) == 5
    assert sorted(map(str, asked_for)) == sorted(map(str, proposed + refused))
