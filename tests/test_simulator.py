"""The published table, and searches replayed on it."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from runs.record import State
from space.cost import cost

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from learning_curves import TABLES, LearningCurves, TableError, read_table  # noqa: E402
from recorded import Recorded, recorded  # noqa: E402
from simulator import replay  # noqa: E402

from search.spec.rungs import NO_RUNGS  # noqa: E402


@pytest.fixture(scope="module")
def curves() -> LearningCurves:
    return read_table("digits")


@pytest.fixture(scope="module")
def table(curves: LearningCurves) -> Recorded:
    return recorded(curves)


def test_the_table_holds_what_its_card_says(curves: LearningCurves, table: Recorded) -> None:
    assert len(table.trainings) >= 600
    assert {len(trainings) for trainings in table.trainings.values()} == {2}
    assert len(curves.rows) == 639 * 2 * 12
    assert (TABLES / "digits.parquet").stat().st_size < 10_000_000
    assert f"{len(curves.rows):,}" in (TABLES / "digits.md").read_text()


def test_the_counts_in_the_table_are_those_of_the_cost_model(curves: LearningCurves) -> None:
    table = recorded(curves)
    first = curves.rows.drop_duplicates(["macs", "params"])
    counts = set(zip(first["macs"], first["params"], strict=True))
    assert {(cost(config).macs, cost(config).params) for config in table.trainings} == counts


def test_a_replay_is_the_recorded_trainings_and_their_cost(table: Recorded) -> None:
    done = replay(table, seed=1, num_trials=12, sampler="random", rungs=NO_RUNGS)
    spent = 0.0
    for trial, point in zip(done.trials, done.points, strict=True):
        assert trial.accuracy in [t.accuracies[-1] for t in table.trainings[trial.config]]
        spent += 3 * trial.flops * table.images_per_epoch * 12
        assert point.training_flops == pytest.approx(spent)
    shares = [point.above_guessing for point in done.points]
    assert shares == sorted(shares)
    assert done.points[-1].seconds - sum(done.ask_seconds) == pytest.approx(
        sum(t.timing.train_seconds + t.timing.compile_seconds for t in done.trials if t.timing),
        abs=0.01,  # an ask is timed twice, from a little outside too
    )


def test_several_workers_train_side_by_side_in_replayed_time(table: Recorded) -> None:
    one, four = (
        replay(table, seed=1, workers=n, num_trials=40, sampler="random", rungs=NO_RUNGS)
        for n in (1, 4)
    )
    assert len(one.trials) == len(four.trials) == 40
    assert 0.2 < four.points[-1].seconds / one.points[-1].seconds < 0.5


@pytest.mark.slow
def test_the_whole_table_is_its_whole_hypervolume(table: Recorded) -> None:
    done = replay(table, seed=0, sampler="random", rungs=NO_RUNGS)
    assert done.points[-1].above_guessing == pytest.approx(1.0)
    assert len({trial.config for trial in done.trials}) == len(table.trainings)


def test_our_search_needs_a_tenth_of_what_a_random_one_needs(table: Recorded) -> None:
    def spent(sampler: str) -> float:
        replays = [
            replay(table, seed=seed, until=0.95, above=["guessing"], sampler=sampler)
            for seed in (2000, 2001, 2002)
        ]
        return sorted(r.spent_to(0.95, floor="guessing") for r in replays)[1]

    assert spent("cost_aware") < spent("random") / 10


def test_replayed_trials_are_stopped_at_rungs_and_cost_less(table: Recorded) -> None:
    done = replay(table, seed=0, num_trials=60, sampler="random")
    pruned = [trial for trial in done.trials if trial.state is State.PRUNED]
    assert len(pruned) > 10
    assert {trial.rung for trial in pruned} <= {1, 4}
    whole = sum(3 * t.flops * table.images_per_epoch * 12 for t in done.trials)
    assert done.points[-1].training_flops < 0.8 * whole


def test_a_sample_of_a_space_is_refused_as_a_search_may_propose_the_rest(table: Recorded) -> None:
    some = random.Random(0).sample(list(table.trainings), 300)
    sentence = "300 of the 639 .* ceiling of 4,000,000 FLOPs cannot be .*; make_table.py trains"
    with pytest.raises(TableError, match=sentence):
        replace(table, trainings={config: table.trainings[config] for config in some})


@pytest.mark.parametrize("sampler", ["random", "cost_aware", "tpe", "nsga2"])
def test_what_failed_when_the_table_was_made_fails_in_a_replay_at_no_cost(
    table: Recorded, sampler: str
) -> None:
    failed = frozenset(random.Random(0).sample(list(table.trainings), 300))
    rest = {c: trainings for c, trainings in table.trainings.items() if c not in failed}
    done = replay(
        replace(table, trainings=rest, failed=failed),
        seed=0,
        num_trials=40,
        sampler=sampler,
        rungs=NO_RUNGS,
    )
    failures = {t.config for t in done.trials if t.state is State.FAILED}
    complete = [t for t in done.trials if t.state is State.COMPLETE]
    assert failures
    assert failures <= failed
    assert len(failures) + len(complete) == 40
    assert done.points[-1].training_flops == pytest.approx(
        sum(3 * t.flops * table.images_per_epoch * 12 for t in complete)
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop_columns(["macs", "seed"]), "has no column macs, seed; make it again"),
        (lambda t: t.replace_schema_metadata({}), "does not say how it was made"),
        (lambda t: t.slice(1), "trainings of other than 12 epochs"),
    ],
)
def test_a_table_that_is_not_one_is_refused_with_a_sentence(
    tmp_path: Path, change, sentence: str
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(change(pq.read_table(TABLES / "digits.parquet")), path)
    with pytest.raises(TableError, match=sentence):
        read_table(path)


def test_a_table_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there are cifar10, digits"):
        read_table("digts")
    broken = tmp_path / "t.parquet"
    broken.write_text("no table")
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        read_table(broken)
