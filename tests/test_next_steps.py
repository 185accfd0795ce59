"""What to type next for a study, as it stands."""

from __future__ import annotations

from records import mixer, study, trial, vit

from runs.lease import Holder
from runs.next_steps import confirm_further, next_steps, search_until
from runs.record import Origin, StudyRecord, TrialRecord
from runs.snapshot import Snapshot

ASKED = study(spec=study().spec | {"asked": {"trials": 2, "baselines": False}})


def commands(
    asked: StudyRecord, trials: list[TrialRecord], holder: Holder | None = None, **how: bool
) -> list[str]:
    return [step.command for step in next_steps(Snapshot(asked, trials, holder), None, **how)]


def test_an_interrupted_search_goes_on_as_it_was_asked_for() -> None:
    assert commands(ASKED, []) == ["python -m search.run --resume digits"]


def test_a_finished_one_searches_on_with_more_and_confirms_before_it_exports() -> None:
    trials = [trial(0), trial(1, accuracy=0.9)]
    confirm = "python -m search.confirm --study digits"
    export = "python -m search.export --study digits --pick knee"
    more = "python -m search.run --resume digits --trials 4"
    assert commands(ASKED, trials) == [more, confirm, export]
    assert commands(ASKED, trials, is_confirmed=True) == [more, export]


def test_what_another_process_runs_is_not_gone_on_with() -> None:
    found = commands(ASKED, [trial(0)], Holder.this_process())
    assert not any("--resume" in command for command in found)


def test_an_older_study_has_to_be_told_how_many() -> None:
    assert commands(study(), [])[0].endswith("--resume digits --trials N")


def test_a_study_of_a_rate_leads_to_the_study_it_is_for() -> None:
    rate = study("my.rate-0.1", spec={"rate_of": "my study"})
    assert commands(rate, [trial(0)]) == ["python -m search.run --resume 'my study'"]


def test_a_fine_tuning_takes_its_most_accurate_training_home() -> None:
    tuned = study(spec={"start_from": {"preset": "mixer_s"}})
    trials = [trial(i, origin=Origin.FINETUNE, accuracy=a) for i, a in enumerate((0.5, 0.8, 0.7))]
    assert commands(tuned, trials) == ["python -m search.export --study digits --pick trial=1"]
    assert commands(tuned, []) == []


def test_more_seeds_are_another_confirmation_where_test_was_read() -> None:
    found = confirm_further("my study", None, seeds=7, again=False)
    assert found == "python -m search.confirm --study 'my study' --seeds 7"
    assert confirm_further("s", None, seeds=7, again=True).endswith("--seeds 7 --again")


def test_enough_configurations_of_a_family_are_asked_for_at_the_rate_they_came() -> None:
    spec = study().spec | {"asked": {"trials": 12}}
    asked = study(spec=spec)
    found = [trial(i, config=mixer(num_blocks=1 + i)) for i in range(4)]
    others = [trial(10 + i, config=vit(num_blocks=1 + i)) for i in range(8)]
    given = [trial(99, config=mixer(num_blocks=9), origin=Origin.BASELINE)]
    snapshot = Snapshot(asked, [*found, *others, *given])
    more = search_until(snapshot, "mixer", 20, None)
    assert more == "python -m search.run --resume digits --trials 57"  # 19 of them a third
    half = Snapshot(study(spec=spec | {"asked": {"trials": 100}}), [*found, *given])
    assert search_until(half, "mixer", 20, None) == "python -m search.run --resume digits"
    assert search_until(Snapshot(study(), found), "mixer", 20, None) is None
    tuned = study(spec=spec | {"start_from": {"preset": "mixer_s"}})
    assert search_until(Snapshot(tuned, found), "mixer", 20, None) is None


def test_what_was_asked_to_search_nothing_is_not_told_to_search_on() -> None:
    asked = study(spec=study().spec | {"asked": {"trials": 0}, "baselines": 1})
    given = [trial(0, origin=Origin.BASELINE)]
    assert commands(asked, given) == []
    assert commands(asked, []) == ["python -m search.run --resume digits"]
