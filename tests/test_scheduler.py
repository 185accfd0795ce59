"""The scheduler: what it suggests, decides, and works out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from records import DIGITS, WIDE_SPACE, WIDE_VITS, trial, vit

import space.cost
from runs.record import Origin, State, TrialRecord
from search.schedule import candidate as candidate_module
from search.schedule.candidate import Candidate
from search.schedule.known_trials import CURVE
from search.schedule.optuna_adapter import SAMPLERS
from search.schedule.scheduler import Action, New, Resume, Scheduler, Suggestion
from search.schedule.stopping_rule import Peer, StoppingRule, TooFarBehind, stopping_decision
from search.spec.recipe import Recipe
from search.spec.rungs import RungSpec
from search.spec.studies import StudySpec
from space.config import Config
from space.search_space import SearchSpace


def everyone(peer: Peer, others: Sequence[Peer], spread: float | None) -> TooFarBehind:
    """A rule that stops all."""
    return TooFarBehind(Peer(peer.cost, 1.0), 0.0)


def scheduler(
    history: Sequence[TrialRecord] = (),
    *,
    spaces: Sequence[SearchSpace] = (WIDE_SPACE,),
    curves: Mapping[int, Sequence[float]] | None = None,
    num_trials: int = 5,
    rule: StoppingRule = everyone,
    exempt: float = 0.0,
    sampler: str = "random",
    max_flops: int = 10**9,
    baselines: Sequence[Config] = (),
    refused: list[Config] | None = None,
    spent_before: Mapping[str, int] | None = None,
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
        {space.family: space for space in spaces},
        DIGITS,
        max_flops=max_flops,
        baselines=baselines,
        history=history,
        curves={} if curves is None else curves,
        num_trials=num_trials,
        refuse=refuse,
        rule=rule,
        spent=spent_before or {},
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


def test_the_sampler_hears_of_every_epoch_of_a_trial_that_it_proposed() -> None:
    asked = scheduler(baselines=[vit()])
    baseline, new = asked.suggest(), asked.suggest()
    assert baseline is not None
    assert new is not None
    asked.on_epoch(baseline, records(baseline, rung=None), 2, [0.3, 0.4])
    asked.on_epoch(new, records(new, rung=None), 2, [0.1, 0.2])
    known = asked._families["mixer"].sampler._study.trials
    assert [trial.user_attrs for trial in known] == [{CURVE: [0.1, 0.2]}]


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


BOTH = (WIDE_SPACE, WIDE_VITS)


class Study:
    """One worker's study: the next is proposed while one trains, and some are stopped early."""

    def __init__(self, sampler: str) -> None:
        self.sampler = sampler
        self.history: list[TrialRecord] = []
        self.curves: dict[int, list[float]] = {}

    def go(self, num_trials: int) -> None:
        """Until so many have ended."""
        asked = scheduler(
            self.history,
            spaces=BOTH,
            curves=self.curves,
            num_trials=num_trials,
            sampler=self.sampler,
            refused=[],
        )
        now = asked.suggest()
        while now is not None:
            ahead = asked.suggest()
            number = len(self.history)
            epochs = 3 if number % 3 == 2 else 9
            curve = [0.5 + 0.01 * (now.candidate.flops % 17)] * epochs
            state = State.COMPLETE if epochs == 9 else State.PRUNED
            record = trial(
                number,
                config=now.config,
                macs=now.candidate.macs,
                state=state,
                epochs=9,
                rung=None if state is State.COMPLETE else 3,
                accuracy=curve[-1],
                sampler_attrs=now.sampler_attrs if isinstance(now, New) else {},
            )
            self.history.append(record)
            self.curves[number] = curve
            asked.on_end(now, [record], curve)
            now = ahead


def spent(trials: Sequence[TrialRecord], family: str) -> int:
    epochs = {State.COMPLETE: 9, State.PRUNED: 3}
    return sum(t.flops * epochs[t.state] for t in trials if t.family == family)


def test_the_next_is_of_the_family_that_has_spent_less_its_trial_under_way_as_asked() -> None:
    study = Study("random")
    study.go(24)
    assert len(study.history) == 24
    for i, proposed in enumerate(study.history[2:], start=2):
        before, under_way = study.history[: i - 1], study.history[i - 1]
        known = {space.family: spent(before, space.family) for space in BOTH}
        known[under_way.family] += under_way.flops * 9  # though it may be stopped later
        assert known[proposed.family] == min(known.values())
    shares = [spent(study.history, space.family) for space in BOTH]
    assert 0.6 < shares[0] / shares[1] < 1.6


def test_what_a_family_spent_on_its_learning_rate_counts_as_its_training() -> None:
    asked = scheduler(spaces=BOTH, spent_before={BOTH[0].family: 10**12})
    assert {asked.suggest().config.family for _ in range(4)} == {BOTH[1].family}  # type: ignore[union-attr]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("stops", [[1, 2], [7], [13, 14]])
def test_a_study_of_two_families_taken_up_again_goes_as_if_never_interrupted(
    sampler: str, stops: list[int]
) -> None:
    through, interrupted = Study(sampler), Study(sampler)
    through.go(18)
    for stop in [*stops, 18]:
        interrupted.go(stop)
    assert [t.config for t in interrupted.history] == [t.config for t in through.history]


def test_a_family_of_which_all_is_tried_leaves_the_rest_to_the_others() -> None:
    few = SearchSpace("vit", {name: values[:1] for name, values in WIDE_VITS.ranges.items()})
    asked = scheduler(spaces=(few, WIDE_SPACE), num_trials=12)
    found = []
    while new := asked.suggest():
        found.append(new.config.family)
    assert (found.count("vit"), len(found)) == (1, 12)
    assert not asked.exhausted
    asked = scheduler(spaces=(few,), num_trials=12)
    assert [asked.suggest() is None for _ in range(3)] == [False, True, True]
    assert asked.exhausted


def test_what_one_family_achieved_stops_no_trial_of_another() -> None:
    members = list(WIDE_SPACE.members(DIGITS))
    good = [
        trial(n, config=config, macs=space.cost.cost(config).macs, accuracy=0.99)
        for n, config in enumerate(members[::4])
    ]
    curves = {t.number: [0.99] * 9 for t in good}
    asked = scheduler(good, spaces=BOTH, curves=curves, rule=stopping_decision)

    def action(config: Config) -> Action:
        new = New(candidate=Candidate.of(config), origin=Origin.SEARCH, rungs=(1, 3))
        decision = asked.on_epoch(new, records(new, rung=None), 1, [0.1])
        assert decision is not None
        return decision.action

    bad = members[150]
    assert bad not in {t.config for t in good}
    assert action(bad) is Action.STOP
    assert {action(config) for config in WIDE_VITS.members(DIGITS)} == {Action.CONTINUE}
