"""`search.schedule.confirmation`: whom fresh seeds go to, and that they are fresh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import NOON, mixer, trial

from runs.confirmed_networks import Network
from runs.record import Failure, ImageResults, Origin, State, TrialRecord
from search.schedule.confirmation import ConfirmationScheduler
from search.schedule.scheduler import New, Resume
from search.spec.confirmation import ConfirmationTask
from search.spec.studies import StudySpec

STUDY_SPEC = StudySpec(name="digits", dataset="digits")
WIDTHS = (8, 16, 24, 32, 48)
ACCURACIES = (0.5, 0.9, 0.7, 0.905, 0.6)
"""Of the second and the fourth it is hard to say which is better."""


class World:
    """Candidates whose accuracies are known, and a confirmation of them."""

    def __init__(self, accuracies: Sequence[float] = ACCURACIES, **settings: object) -> None:
        self.accuracies = accuracies
        self.settings = {"seeds": 5, "at_once": 1, "is_uniform": False, "first_seed": 7} | settings
        self.trials: list[TrialRecord] = [
            trial(i, config=mixer(hidden_dim=width), accuracy=accuracy)
            for i, (width, accuracy) in enumerate(zip(WIDTHS, accuracies, strict=False))
        ]
        self.parents = list(self.trials)

    @property
    def task(self) -> ConfirmationTask:
        fresh = [t for t in self.trials if t.origin is Origin.CONFIRMATION]
        networks = [
            Network(parent=p, trials=tuple(t for t in fresh if t.parent == p.number))
            for p in self.parents
        ]
        return ConfirmationTask(
            networks=networks,
            groups=["Mixer"] * len(networks),
            training_flops=[float(p.flops) for p in self.parents],
            results=self.results,
            **self.settings,  # type: ignore[arg-type]
        )

    def results(self) -> dict[int, ImageResults]:
        found = {}
        for t in self.trials:
            if t.origin is Origin.CONFIRMATION and t.state is State.COMPLETE:
                rng = np.random.default_rng(t.seed * 100 + (t.parent or 0))
                right = rng.random(400) < self.accuracies[t.parent or 0]
                found[t.number] = ImageResults(
                    trial=t.number,
                    split="validation",
                    num_images=400,
                    right=np.packbits(right).tobytes(),
                )
        return found

    def begin(self, new: New) -> list[TrialRecord]:
        assert new.seeds is not None
        begun = [
            replace(
                self.parents[new.parent or 0],
                number=len(self.trials) + i,
                origin=Origin.CONFIRMATION,
                parent=new.parent,
                seed=seed,
                state=State.RUNNING,
                accuracy=None,
                loss=None,
                finished_at=None,
            )
            for i, seed in enumerate(new.seeds)
        ]
        self.trials += begun
        return begun

    def end(self, begun: Sequence[TrialRecord], state: State = State.COMPLETE) -> list[TrialRecord]:
        ended = [replace(t, state=state, accuracy=0.5, loss=1.0, finished_at=NOON) for t in begun]
        for t in ended:
            self.trials[t.number] = t
        return ended

    def run(self, scheduler: ConfirmationScheduler | None = None) -> Iterator[tuple[int, int]]:
        """Parent and seed of every training, in the order of their starts, one worker: the next is
        suggested while one trains."""
        scheduler = scheduler or ConfirmationScheduler(STUDY_SPEC, task=self.task)
        suggestion = scheduler.suggest()
        while suggestion is not None:
            if isinstance(suggestion, New):
                begun = self.begin(suggestion)
                yield from ((suggestion.parent or 0, seed) for seed in suggestion.seeds or ())
            else:
                begun = list(suggestion.trials)
            ahead = scheduler.suggest()
            scheduler.on_end(suggestion, self.end(begun))
            suggestion = ahead


def test_every_candidate_has_three_seeds_before_any_has_more() -> None:
    trained = list(World().run())
    assert trained[:15] == [(i, 7 + seed) for seed in range(3) for i in range(5)]
    assert len(trained) == 25
    assert len(set(trained)) == 25, "no seed twice"


def test_the_rest_goes_where_it_decides_most() -> None:
    more = [parent for parent, _ in list(World(seeds=8).run())[15:]]
    assert more.count(1) + more.count(3) > len(more) / 2
    assert more.count(2) + more.count(4) < len(more) / 10, "who is clearly below needs no more"


def test_uniform_is_uniform() -> None:
    trained = list(World(is_uniform=True, seeds=4).run())
    assert [parent for parent, _ in trained] == list(range(5)) * 4


def test_seeds_of_the_first_round_train_together_where_that_is_asked_for() -> None:
    world = World(at_once=3)
    suggestion = ConfirmationScheduler(STUDY_SPEC, task=world.task).suggest()
    assert isinstance(suggestion, New)
    assert suggestion.seeds == (7, 8, 9)
    assert len(list(world.run())) == 25


@pytest.mark.parametrize("failure", [Failure.OUT_OF_MEMORY, Failure.DIVERGED])
def test_seeds_that_find_no_room_together_come_again_one_by_one(failure: Failure) -> None:
    world = World((0.9, 0.905, 0.7, 0.5, 0.6), at_once=3)
    scheduler = ConfirmationScheduler(STUDY_SPEC, task=world.task)
    first = scheduler.suggest()
    assert isinstance(first, New)
    ended = [replace(t, failure=failure) for t in world.end(world.begin(first), State.FAILED)]
    scheduler.on_end(first, ended)
    following = [scheduler.suggest() for _ in range(4)]
    again = [s for s in following if isinstance(s, Resume)]
    if failure is Failure.DIVERGED:
        assert not again
        return
    assert following[:3] == again
    last = following[3]
    assert isinstance(last, New)
    scheduler.on_end(last, world.end(world.begin(last)))
    assert [[t.seed for t in s.trials] for s in again] == [[7], [8], [9]]
    assert {t.state for s in again for t in s.trials} == {State.RUNNING}
    for suggestion in again:
        scheduler.on_end(suggestion, world.end(suggestion.trials))
    assert 0 in {parent for parent, _ in world.run(scheduler)}, "of the best two: it has not failed"


@pytest.mark.parametrize("stop", [1, 7, 15, 16, 20, 24])
@pytest.mark.parametrize("in_training", [True, False])
def test_taken_up_again_it_trains_what_it_would_have_trained(stop: int, in_training: bool) -> None:
    whole = list(World().run())
    world = World()
    trained, run = [], world.run()
    for _ in range(stop):
        trained.append(next(run))
    if not in_training:  # the last that began has ended
        world.end([t for t in world.trials if t.state is State.RUNNING])
    assert trained + list(world.run()) == whole


def test_what_ran_is_resumed_as_it_was_requested() -> None:
    world = World(at_once=3)
    scheduler = ConfirmationScheduler(STUDY_SPEC, task=world.task)
    first, second = scheduler.suggest(), scheduler.suggest()
    assert isinstance(first, New)
    assert isinstance(second, New)
    began = [world.begin(first), world.begin(second)]
    resumed = ConfirmationScheduler(STUDY_SPEC, task=world.task)
    for expected in began:
        suggestion = resumed.suggest()
        assert isinstance(suggestion, Resume)
        assert list(suggestion.trials) == expected


def test_a_candidate_of_which_a_training_failed_is_trained_no_more() -> None:
    world = World()
    scheduler = ConfirmationScheduler(STUDY_SPEC, task=world.task)
    suggestion = scheduler.suggest()
    assert isinstance(suggestion, New)
    scheduler.on_end(suggestion, world.end(world.begin(suggestion), State.FAILED))
    assert all(parent != 0 for parent, _ in world.run(scheduler))
    assert all(parent != 0 for parent, _ in world.run()), "nor by the next process"


@given(st.floats(1, 30))
def test_no_more_is_trained_than_the_budget_allows(times: float) -> None:
    world = World()
    limit = times * sum(world.task.training_flops) / 5
    world.settings["max_training_flops"] = limit
    spent = sum(world.parents[parent].flops for parent, _ in world.run())
    assert spent <= limit
    if sum(1 for t in world.trials if t.origin is Origin.CONFIRMATION) < 25:
        assert limit - spent < max(world.task.training_flops)
