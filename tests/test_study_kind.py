"""What a study is that searches nothing, and its result."""

from __future__ import annotations

from records import seeds, study, trial

from runs.record import Origin
from runs.snapshot import Snapshot
from runs.study_kind import kind_sentence, kind_words, result_lines


def test_a_study_of_baselines_says_so_and_has_a_result() -> None:
    found = Snapshot(study(), seeds(0, 0.5, 0.7, origin=Origin.BASELINE))
    assert kind_sentence(found) == "Trains 1 baseline, given configurations. It searches nothing."
    assert kind_words(found) == "baselines (Mixer), no search"
    [line] = result_lines(found)
    assert ": 60.00 " in line
    assert line.endswith("on validation, mean of 2 seeds (50.00 % to 70.00 %).")


def test_a_fine_tuning_has_the_mean_of_its_trainings() -> None:
    tuned = study(spec=study().spec | {"start_from": {"preset": "mixer_s"}})
    found = Snapshot(tuned, seeds(0, 0.5, 0.7, origin=Origin.FINETUNE))
    assert kind_words(found) == "fine-tunes mixer_s"
    assert ": 60.00 " in result_lines(found)[0]
    assert result_lines(Snapshot(tuned, [])) == []


def test_a_search_is_described_by_its_own_pages() -> None:
    found = Snapshot(study(), [trial(0)])
    assert kind_sentence(found) is None
    assert result_lines(found) == []
    assert kind_words(found) == "Mixer"
    begun = study(spec=study().spec | {"asked": {"trials": 5}})
    assert kind_sentence(Snapshot(begun, [trial(0, origin=Origin.BASELINE)])) is None
