"""What the dashboard's tables hold, and what is derived from one reading of a study."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest
from followed import Followed
from records import CIFAR, DIGITS, NOON, at, mixer, running, seeds, study, trial, vit

from runs.convergence import Unconverged
from runs.equal_cost import at_equal_cost
from runs.frames import trials_frame
from runs.noise import Noise
from runs.points import limits_between, points_of
from runs.record import Origin, State, Timing
from runs.rungs import rungs_of
from runs.shown import (
    circumstances,
    csv_of,
    endings,
    equal_cost_table,
    front_table,
    layers_table,
    matching,
    seeds_sentence,
    trials_table,
    unfinished_table,
)
from runs.snapshot import Snapshot
from runs.wording import memory, stopping_sentence
from search.spec.rungs import RungSpec
from space.cost import cost
from space.costs import FLOPS, IMAGES_PER_SECOND

UNKNOWN = Noise(num_images=None)
BASELINE = {"config": vit(), "origin": Origin.BASELINE}


def test_a_front_says_how_far_its_accuracies_can_be_trusted() -> None:
    front = [at(5_000_000, 0.75, 9), at(6_000_000, 0.8, 10)]
    table = front_table(front, Noise(num_images=400), remarks={10: "still learning"})
    row = table.iloc[0]
    assert (row["Trial"], row["FLOPs"], row["Accuracy"]) == (9, 5.0, 75)
    assert row["±"] == pytest.approx(4.47, abs=0.01)  # Wilson's lower arm of 300 in 400
    assert list(table["Remarks"]) == ["", "still learning"]
    assert "±" not in front_table(front, UNKNOWN)
    assert "Remarks" not in front_table(front, UNKNOWN)


def test_a_column_of_mixers_does_not_say_mixer_in_every_row() -> None:
    (alone,) = front_table([at(5_000_000, 0.75)], UNKNOWN)["Configuration"]
    assert alone == "p2 C8 L2 T8 D20"
    (named,) = front_table([at(5_000_000, 0.75)], UNKNOWN, name_families=True)["Configuration"]
    assert named == at(5_000_000, 0.75).label


def test_a_comparison_of_single_seeds_has_numbers_and_no_verdict() -> None:
    mixers, vits = [at(5_000_000, 0.75, 9)], [at(4_000_000, 0.5, 0, **BASELINE)]
    found = at_equal_cost(mixers, vits, Noise(num_images=400), FLOPS)
    (row,) = equal_cost_table(found, FLOPS, {0: Unconverged.LEARNING}).to_dict("records")
    assert row == {
        "At most": "5.00 M FLOPs",
        "Mixer": "75.00 ± 4.47 %",
        "ViT": "50.00 ± 4.88 %",
        "Difference": "+25.00",
        "95 %": "+18.39 to +31.30",
        "Verdict": "one seed, images only",
        "Remarks": "ViT still learning",
    }
    (row,) = equal_cost_table(at_equal_cost(mixers, vits, UNKNOWN, FLOPS), FLOPS, {}).to_dict(
        "records"
    )
    assert (row["Mixer"], row["Difference"]) == ("75.00 %", "+25.00")
    assert "95 %" not in row


@pytest.mark.parametrize("config", [mixer(CIFAR, num_blocks=5), vit(DIGITS, num_blocks=3)])
def test_the_layers_add_up_to_the_bill(config) -> None:
    table = layers_table(config)
    assert table["Parameters"].sum() == cost(config).params
    assert table["FLOPs"].sum() == pytest.approx(cost(config).flops / 1e6)
    assert table["Share"].sum() == pytest.approx(100)
    blocks = table[table["Layer"].str.contains("lock")]
    assert set(blocks["Times"]) == {config.num_blocks}


def test_filters_narrow_the_trials() -> None:
    frame = trials_frame(
        [
            at(4_000_000, 0.5, 0, **BASELINE),
            at(6_000_000, 0.6, 1),
            at(8_000_000, 0.8, 2),
            running(3),
            trial(4, state=State.FAILED, accuracy=None, error="out of (memory"),
        ]
    )

    def left(**filters) -> list[int]:
        return list(matching(frame, **filters)["number"])

    assert left() == [0, 1, 2, 3, 4]
    assert left(states=["running", "failed"]) == [3, 4]
    assert left(origins=["baseline"]) == left(families=["vit"]) == [0]
    assert left(states=["complete"], max_cost=6e6) == [0, 1]
    assert left(min_accuracy=0.6) == [1, 2]
    assert left(text="OF (MEM") == [4]
    assert left(states=["pruned"]) == []


def test_the_table_shows_percent_and_millions_latest_first() -> None:
    table = trials_table(
        trials_frame([at(4_000_000, 0.5, 0), at(6_000_000, 0.625, 1), running(2)]),
        Noise(num_images=400),
        {"accuracy": "Accuracy", "flops": "FLOPs"},
    )
    assert list(table["Trial"]) == [2, 1, 0]
    assert list(table["Accuracy"])[1:] == [62.5, 50.0]
    assert list(table["±"])[1:] == pytest.approx([4.84, 4.88], abs=0.01)
    assert table[["Accuracy", "±"]].iloc[0].isna().all()
    assert list(table["FLOPs"])[1:] == [6.0, 4.0]
    frame = trials_frame([at(4_000_000, 0.5, 0)])
    assert list(trials_table(frame, UNKNOWN, {"accuracy": "Accuracy"})) == ["Trial", "Accuracy"]
    assert list(trials_table(frame, UNKNOWN, {})) == ["Trial"]


def test_the_csv_gives_back_every_digit() -> None:
    record = trial(7, error='a "quoted", error\nin two lines')
    row = next(csv.DictReader(io.StringIO(csv_of(trials_frame([record])))))
    assert float(row["accuracy"]) == record.accuracy
    assert (row["number"], row["error"], row["flops"]) == ("7", record.error, str(record.flops))
    assert int(row["hidden_dim"]) == record.config.hidden_dim


def test_why_trials_did_not_finish_latest_first() -> None:
    ended = [trial(n, state=s, accuracy=None) for n, s in enumerate(State) if s != State.RUNNING]
    table = unfinished_table([*ended, running(9)])
    assert list(table["State"]) == ["refused", "failed", "stopped early"]
    assert list(table["Reason"]) == [ended[0].error] * 3


def test_endings_are_sorted_and_leave_out_what_runs() -> None:
    late, early = trial(0, finished_at=NOON + timedelta(hours=1)), trial(1, finished_at=NOON)
    assert endings([late, early, running(2)]) == {
        State.COMPLETE: [early.finished_at, late.finished_at]
    }


def test_limits_are_round_and_enclose_both_ends() -> None:
    limits = limits_between(1_700_000, 23_000_000)
    assert (limits[0], limits[-1], len(limits)) == (1_600_000, 25_000_000, 13)
    assert limits_between(8e6, 8e6) == [8e6, 1e7]  # a slider needs two ends


def test_the_best_within_a_limit_of_speed_is_at_least_so_fast() -> None:
    def timed(number: int, accuracy: float, images_per_second: float):
        timing = Timing(
            compile_seconds=1, train_seconds=1, eval_seconds=1, images_per_second=images_per_second
        )
        return at(4_000_000, accuracy, number, timing=timing)

    untimed = at(4_000_000, 0.99, 5, timing=None)
    points = points_of(
        [timed(0, 0.9, 100), timed(1, 0.8, 400), timed(2, 0.7, 300), untimed], IMAGES_PER_SECOND
    )
    assert [points.trials[i].number for i in points.front] == [1, 0]
    assert points.best_within(100) == 0
    assert points.best_within(101) == 1
    assert points.best_within(401) is None


def test_hypervolume_is_shown_against_all_training_of_the_search() -> None:
    """Pruned trials cost training too; baselines are no expense of the search."""
    timing = Timing(compile_seconds=9, train_seconds=10, eval_seconds=9, images_per_second=50)
    at_noon = {"timing": timing, "finished_at": NOON}
    given = at(2_000, 0.5, 0, **BASELINE, **at_noon)
    pruned = at(2_000, 0.2, 1, state=State.PRUNED, **at_noon)
    second = replace(at(4_000, 0.9, 2, **at_noon), finished_at=NOON + timedelta(hours=2))
    first = replace(at(2_000, 0.6, 3, **at_noon), finished_at=NOON + timedelta(hours=1))
    history = Snapshot(study(flops_ceiling=20_000), [given, pruned, second, first]).history
    cost_of = 3 * 500  # images seen: 50 a second for 10 seconds
    assert list(history.training_flops) == [cost_of * 4_000, cost_of * 8_000]
    assert list(history.hypervolume) == sorted(history.hypervolume)
    assert history.hypervolume[0] == pytest.approx(0.5)  # 0.1 to 0.6, over one decade


def test_a_configuration_counts_when_its_last_seed_has_ended() -> None:
    """By the mean; what its seeds cost until then was spent."""
    timing = Timing(compile_seconds=9, train_seconds=10, eval_seconds=9, images_per_second=50)
    one, two = seeds(0, 0.5, 0.7, macs=1_000, timing=timing, finished_at=NOON)
    two = replace(two, finished_at=NOON + timedelta(hours=2))
    single = at(2_000, 0.2, 2, timing=timing, finished_at=NOON + timedelta(hours=1))
    history = Snapshot(study(flops_ceiling=20_000), [one, two, single]).history
    cost_of_each = 3 * 2_000 * 500
    assert list(history.training_flops) == [2 * cost_of_each, 3 * cost_of_each]
    assert list(history.hypervolume) == pytest.approx([0.1, 0.5])  # over one decade


def test_stopped_trials_have_an_accuracy_and_count_for_nothing_finished() -> None:
    finished = at(4_000_000, 0.5, 0)
    stopped = seeds(1, 0.8, 0.9, macs=1_000_000, state=State.PRUNED, rung=4)
    unknown = trial(3, state=State.PRUNED, accuracy=None)  # of an older version
    snapshot = Snapshot(study(), [finished, *stopped, unknown])
    assert snapshot.found == [finished]
    assert snapshot.hypervolume == Snapshot(study(), [finished]).hypervolume
    assert [(t.number, t.accuracy) for t in snapshot.stopped] == [(1, pytest.approx(0.85))]
    assert snapshot.several == {1: [0.8, 0.9]}
    assert snapshot.mean_of(stopped[0]) is None
    assert list(snapshot.frame["on_front"]) == [True, False, False, False]


def test_a_configuration_of_which_a_seed_failed_is_not_among_the_stopped() -> None:
    one, two = seeds(0, 0.5, 0.6, state=State.PRUNED, rung=4)
    assert Snapshot(study(), [one, replace(two, state=State.FAILED)]).stopped == []


def test_what_is_too_inaccurate_counts_for_nothing_but_is_there() -> None:
    """As the search's own account has it."""
    trials = [at(200, 0.3, 0), at(1_000, 0.55, 1), at(5_000, 0.85, 2), at(40_000, 0.9, 3)]
    record = study(spec={"min_accuracy": 0.8}, flops_ceiling=50_000)
    status = Followed(record, trials, goal=4, baselines=0, images_per_epoch=1)
    snapshot = Snapshot(record, trials)
    assert snapshot.front == list(status.front) == trials[2:]
    assert snapshot.hypervolume == pytest.approx(status.hypervolume)
    assert list(snapshot.history.hypervolume) == pytest.approx([0, 0, 0.75, status.hypervolume])
    assert list(snapshot.frame["on_front"]) == [False, False, True, True]
    assert snapshot.found == trials


def test_points_too_inaccurate_are_drawn_and_on_no_front() -> None:
    trials = [at(2_000, 0.3, 0), at(4_000, 0.8, 1), at(6_000, 0.7, 2)]
    points = points_of(trials, FLOPS, min_accuracy=0.5)
    assert len(points.x) == 3
    assert points.front == [1]
    assert points.best_within(3_000) is None
    assert points.best_within(4_000) == 1


@pytest.mark.parametrize("epochs", [1, 2, 3, 8, 12, 27, 100])
@pytest.mark.parametrize("asked", [{}, {"eta": 2}, {"count": 0}, {"eta": 4, "count": None}])
def test_rungs_are_where_the_search_compares(asked: dict[str, int], epochs: int) -> None:
    spec = RungSpec.model_validate(asked)
    assert rungs_of({"rungs": spec.model_dump(mode="json")}, epochs) == list(spec.epochs(epochs))


def test_a_study_from_before_early_stopping_has_no_rungs() -> None:
    assert Snapshot(study(), [trial(0)]).rungs == []


def test_stopped_and_exempt_trials_say_so() -> None:
    assert stopping_sentence(trial()) is None
    stopped, exempt = trial(state=State.PRUNED, rung=4), trial(rung=4)
    assert stopping_sentence(stopped) == (
        "Stopped early, after epoch 4 of 12. Accuracy and loss are those after that epoch."
    )
    assert "would have been stopped after epoch 4 of 12" in (stopping_sentence(exempt) or "")


def test_baselines_are_compared_with_by_their_mean_too() -> None:
    given = seeds(0, 0.5, 0.6, config=vit(), origin=Origin.BASELINE)
    snapshot = Snapshot(study(), [*given, *seeds(2, 0.8, 0.7), running(4), trial(5)])
    assert [t.accuracy for t in snapshot.compared] == [pytest.approx(0.55)]
    assert snapshot.several == {0: [0.5, 0.6], 2: [0.8, 0.7]}
    assert snapshot.mean_of(given[1]) == snapshot.compared[0]
    assert snapshot.mean_of(snapshot.trials[4]) is None


def test_a_refused_trial_is_no_seed_of_what_was_tried_before() -> None:
    tried = trial(0)
    refused = running(1, config=tried.config, state=State.REFUSED)
    snapshot = Snapshot(study(), [tried, refused])
    assert snapshot.seeds_of(refused) == [refused]
    assert snapshot.seeds_of(tried) == [tried]


def test_seeds_are_told_apart_in_words() -> None:
    one, two = seeds(4, 0.961, 0.974)
    assert seeds_sentence([one, two]) == (
        "One of 2 seeds of this configuration: seed 0 (trial 4) 96.10 %, seed 1 (trial 5) "
        "97.40 %; mean 96.75 %."
    )
    failed = replace(two, state=State.FAILED)
    assert "seed 1 (trial 5) failed; no mean before all are finished" in seeds_sentence(
        [one, failed]
    )


def test_the_seeds_of_a_front_are_counted_only_where_there_are_several() -> None:
    front = [at(5_000_000, 0.7, 9), at(6_000_000, 0.8, 10)]
    assert "Seeds" not in front_table(front, UNKNOWN, several={})
    assert list(front_table(front, UNKNOWN, several={10: [0.7, 0.8, 0.9]})["Seeds"]) == [1, 3]


def test_a_trials_facts_say_where_its_time_went() -> None:
    facts = circumstances(at(10_000_000, 0.5))
    assert facts["tracing"] == "0.30 s"
    assert facts["compiling"] == "1.50 s"
    assert facts["training speed"] == "370 GFLOP/s"  # 3 x 10 MFLOPs x 12,346 images/s
    assert facts["peak device memory"] == "2.00 GiB"
    timing = replace(trial().timing, cache_hit=True)
    assert circumstances(trial(timing=timing))["compiling"] == "1.50 s, from the cache"


def test_facts_of_an_older_version_leave_out_what_it_did_not_measure() -> None:
    timing = Timing(compile_seconds=1, train_seconds=2, eval_seconds=3, images_per_second=4)
    facts = circumstances(trial(timing=timing, wall_seconds=None))
    assert facts["training"] == "2.0 s"
    assert not {"tracing", "peak device memory", "of the study's wall clock"} & set(facts)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 MiB"), (2**20, "1 MiB"), (2**30 - 1, "1024 MiB"), (2**31, "2.00 GiB")]
)
def test_memory_is_counted_in_powers_of_two(size: int, text: str) -> None:
    assert memory(size) == text


def test_before_the_first_finished_trial_there_is_no_hypervolume() -> None:
    snapshot = Snapshot(study(), [at(2_000, 0.5, 0, **BASELINE), running(1)])
    assert snapshot.hypervolume == 0
    assert len(snapshot.history.hypervolume) == 0


def test_news_is_a_trial_that_starts_or_ends() -> None:
    before = Snapshot(study(), [trial(0), running(1)])
    assert before.news == Snapshot(study(), [trial(0), running(1)]).news
    assert before.news != Snapshot(study(), [trial(0), trial(1)]).news
    assert before.news != Snapshot(study(), [trial(0), running(1), running(2)]).news
