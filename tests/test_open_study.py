"""A study that is in the database: the same specification goes on, another one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from records import trial

from runs import pareto, winners
from runs.writer import Writer, open_writer
from search import data as images
from search.data import ImageData
from search.open_study import plan, reachable, study_of
from search.rungs import NO_RUNGS
from search.studies import STUDIES, StudyError, StudySpec, with_changes
from space.cost import cost

SPEC = STUDIES["mixer_smoke"]


@pytest.fixture(scope="module")
def data() -> ImageData:
    return images.load("digits")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Writer]:
    with open_writer(f"sqlite:///{tmp_path}/s.db") as writer:
        yield writer


def opened(store: Writer, spec: StudySpec, data: ImageData) -> None:
    store.add_study(study_of(store, spec, plan(spec, data.task), data))


def test_more_trials_are_the_same_study_and_other_seeds_are_not(
    store: Writer, data: ImageData
) -> None:
    opened(store, SPEC, data)
    opened(store, with_changes(SPEC, trials=9), data)
    with pytest.raises(StudyError, match="seeds is 1 there, 3 asked"):
        opened(store, with_changes(SPEC, seeds=3), data)


def test_a_study_of_a_version_that_knew_fewer_fields_goes_on(
    store: Writer, data: ImageData
) -> None:
    old = study_of(store, SPEC, plan(SPEC, data.task), data)
    fewer = {name: value for name, value in old.spec.items() if name != "seeds"}
    store.add_study(replace(old, name="old", spec=fewer))
    opened(store, with_changes(SPEC, name="old"), data)
    with pytest.raises(StudyError, match="seeds is 1 there, 2 asked"):
        opened(store, with_changes(SPEC, name="old", seeds=2), data)


def test_other_images_are_another_study(store: Writer, data: ImageData) -> None:
    opened(store, SPEC, data)
    with pytest.raises(StudyError, match="began on other images of digits"):
        opened(store, SPEC, replace(data, digest="another"))


def test_a_study_from_before_early_stopping_goes_on_without_it(
    store: Writer, data: ImageData
) -> None:
    old = study_of(store, SPEC, plan(SPEC, data.task), data)
    fewer = {name: value for name, value in old.spec.items() if name != "rungs"}
    store.add_study(replace(old, name="old", spec=fewer))
    opened(store, with_changes(SPEC, name="old", rungs=NO_RUNGS), data)
    with pytest.raises(StudyError, match=r"rungs\.count is 0 there, None asked"):
        opened(store, with_changes(SPEC, name="old"), data)


ONE = with_changes(
    SPEC,
    name="one",
    max_flops=None,
    space={
        "patch_size": [2],
        "hidden_dim": [8],
        "tokens_mlp_dim": [8],
        "channels_mlp_dim": [16],
        "num_blocks": [1],
    },
)


@pytest.mark.parametrize("asked", ["nothing", "far more", "exactly that"])
def test_a_study_of_one_configuration_has_a_hypervolume_unless_its_budget_ends_there(
    store: Writer, data: ImageData, asked: str
) -> None:
    (only,) = plan(ONE, data.task).space.members(data.task)
    flops = cost(only).flops
    budgets = {"nothing": None, "far more": 10**9, "exactly that": flops}
    spec = ONE.model_copy(update={"max_flops": budgets[asked]})
    study = study_of(store, spec, plan(spec, data.task), data)
    found = [trial(0, config=only, accuracy=0.9)]
    volume = pareto.hypervolume(*winners.objectives(found), winners.reference_of(study))
    expected = 0.0 if asked == "exactly that" else 0.01 * (0.9 - 0.1)
    assert volume == pytest.approx(expected, abs=1e-4)


def test_the_ceiling_of_a_study_that_was_begun_stays(store: Writer, data: ImageData) -> None:
    """Before, it was the FLOPs of the dearest configuration."""
    planned = plan(ONE, data.task)
    (only,) = planned.space.members(data.task)
    old = replace(study_of(store, ONE, planned, data), flops_ceiling=cost(only).flops)
    store.add_study(old)
    assert study_of(store, ONE, planned, data) == old


def test_room_above_the_dearest_mixer_is_no_room_for_dearer_baselines(data: ImageData) -> None:
    spec = SPEC.model_copy(update={"max_flops": None, "baselines": 9})
    planned = plan(spec, data.task)
    dearest = cost(planned.space.dearest(data.task)).flops
    budget = spec.model_copy(update={"max_flops": dearest})
    assert planned.flops_ceiling > dearest
    assert planned.baselines == plan(budget, data.task).baselines


def test_no_more_trials_can_be_reached_than_there_are_configurations(data: ImageData) -> None:
    planned = plan(SPEC, data.task)
    assert reachable(with_changes(SPEC, trials=1000), planned, data.task) == 24
    assert reachable(with_changes(SPEC, trials=5), planned, data.task) == 5
