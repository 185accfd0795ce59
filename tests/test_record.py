"""Trials that confirm or go on from others are no part of the search: all it says stays as it was.

And all that it would do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
from followed import Followed
from records import DIGITS, NOON, WIDE_SPACE, WIDE_VITS, running, trial
from sample_study import write_study
from test_scheduler import scheduler

from runs import winners
from runs.accounting import account
from runs.noise import noise_of
from runs.reader import open_reader
from runs.record import Origin, State, StudyRecord, TrialRecord
from runs.snapshot import Snapshot
from runs.stopped import stopped
from search.report.summary import (
    accuracy_lines,
    counts_line,
    failures_line,
    nothing_line,
    stopping_line,
    time_line,
)
from search.result import StudyResult
from search.schedule.optuna_adapter import SAMPLERS


def repeats(searched: Sequence[TrialRecord], origin: Origin) -> list[TrialRecord]:
    """Of every third trial: better than any of the search, failed, and running."""
    afterwards = []
    for parent in searched[::3]:
        for seed in range(1_000, 1_003):
            afterwards.append(
                replace(
                    trial(len(searched) + len(afterwards), config=parent.config),
                    origin=origin,
                    parent=parent.number,
                    params=parent.params,
                    macs=parent.macs,
                    epochs=parent.epochs,
                    seed=seed,
                    accuracy=1.0,
                    loss=0.0,
                    finished_at=NOON,
                )
            )
    for state in (State.FAILED, State.RUNNING):
        unfinished = running(len(searched) + len(afterwards), state=state)
        of = {"config": searched[0].config, "origin": origin, "parent": 0, "seed": 2_000}
        afterwards.append(replace(unfinished, **of))
    return afterwards


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyRecord, list[TrialRecord]]:
    """A study with trials in every state, of several seeds too, and baselines."""
    storage = f"sqlite:///{tmp_path_factory.mktemp('sample')}/results.db"
    write_study(storage)
    with open_reader(storage) as store:
        return store.study("sample"), store.trials("sample")


AFTERWARDS = pytest.mark.parametrize("origin", [Origin.CONFIRMATION, Origin.FINETUNE])


@AFTERWARDS
def test_what_a_study_found_stays(
    sample: tuple[StudyRecord, list[TrialRecord]], origin: Origin
) -> None:
    study, before = sample
    after = [*before, *repeats(before, origin)]

    def said(trials: list[TrialRecord]) -> list[object]:
        result = StudyResult(study=study, trials=trials, where="here", ended="complete")
        status = Followed(study, trials, goal=40, baselines=4, images_per_epoch=100)
        accuracies = partial(accuracy_lines, noise=noise_of(study, before))  # seeds change that
        lines = (accuracies, counts_line, failures_line, nothing_line, stopping_line, time_line)
        return [
            *(result.front, result.hypervolume, result.facts(), repr(result)),
            *(winners.pick(trials, rule) for rule in ("best", "knee", "cheapest")),
            *(winners.trials_since_gain(study, trials), stopped(trials)),
            *(status.finished, status.finished_baselines, status.failed_baselines, status.ended(9)),
            *(status.front, status.trials, status.counts, [line(status) for line in lines]),
        ]

    assert said(after) == said(before)


@AFTERWARDS
def test_what_the_dashboard_shows_of_the_search_stays(
    sample: tuple[StudyRecord, list[TrialRecord]], origin: Origin
) -> None:
    study, before = sample
    more = repeats(before, origin)
    first, second = Snapshot(study, before), Snapshot(study, [*before, *more])
    for name in ("front", "found", "given", "compared", "stopped", "several", "hypervolume"):
        assert getattr(second, name) == getattr(first, name), name
    assert (second.counts, second.searched) == (first.counts, first.trials)
    assert second.history.hypervolume.tolist() == first.history.hypervolume.tolist()
    assert second.history.training_flops.tolist() == first.history.training_flops.tolist()
    assert second.news != first.news, "a page is drawn anew when such a trial ends"
    columns = ["number", "state", "origin", "on_front", "accuracy"]
    assert second.frame[columns].iloc[: len(before)].equals(first.frame[columns])
    rows = second.frame.iloc[len(before) :]
    assert set(rows["origin"]) == {origin.value}
    assert list(rows["parent"]) == [t.parent for t in more]
    assert not rows["on_front"].any()


def test_what_a_confirmation_took_is_a_sum_of_its_own(
    sample: tuple[StudyRecord, list[TrialRecord]],
) -> None:
    study, before = sample
    more = repeats(before, Origin.CONFIRMATION)
    snapshot = Snapshot(study, [*before, *more])
    assert snapshot.confirming == more
    assert account(snapshot.searched) == account(before)
    assert account(snapshot.confirming).trials == sum(t.wall_seconds is not None for t in more)


@AFTERWARDS
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_the_search_proposes_next_stays(sampler: str, origin: Origin) -> None:
    """Interrupted trials are trained on by the command that began them."""
    spaces = [WIDE_SPACE, WIDE_VITS]
    before = [
        trial(2 * i + j, config=config, seed=0, accuracy=0.5 + i / 20, sampler_attrs={})
        for j, space in enumerate(spaces)
        for i, config in zip(range(5), space.members(DIGITS), strict=False)
    ]
    before.sort(key=lambda t: t.number)

    def proposals(history: list[TrialRecord]) -> list[object]:
        refused: list[object] = []
        asked = scheduler(history, spaces=spaces, sampler=sampler, num_trials=16, refused=refused)
        found = [asked.suggest() for _ in range(7)]
        return [*(s and (s.config, s.origin, type(s)) for s in found), *refused]

    assert proposals([*before, *repeats(before, origin)]) == proposals(before)


def test_a_preset_of_a_trial_with_a_fresh_seed_names_the_trial_it_repeats(
    sample: tuple[StudyRecord, list[TrialRecord]],
) -> None:
    study, before = sample
    trials = [*before, *repeats(before, Origin.CONFIRMATION)]
    found = winners.pick(trials, f"trial={len(before)}")
    source = winners.preset_of(study, found, "x", trials).source
    assert (source["trial"], source["parent"]) == (len(before), 0)
    assert "parent" not in winners.preset_of(study, before[0], "x", trials).source
