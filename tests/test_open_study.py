"""A study that is in the database: the same specification goes on, another one is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archives import isolate, prepare_swatches
from pictures import draw_classes, noise
from records import trial
from rich.console import Console

from runs import pareto, winners
from runs.record import StudyRecord
from runs.writer import Writer, open_writer
from search import data as images
from search.data import DataError, ImageData
from search.spec.data_spec import DataSpec
from search.spec.recipe import Recipe
from search.spec.rungs import NO_RUNGS, RungSpec
from search.spec.start_from import StartFrom
from search.spec.studies import STUDIES, StudyError, StudySpec, with_changes
from search.study.open_study import as_it_began, study_of
from search.study.plan import plan, reachable
from search.study.run_study import run_study
from search.study.study_images import images_of
from space.cost import cost
from space.costs import FLOPS
from space.errors import ConfigError

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
    later = {"seeds", "cost", "max_cost"}
    fewer = {name: value for name, value in old.spec.items() if name not in later}
    store.add_study(replace(old, name="old", spec=fewer))
    opened(store, with_changes(SPEC, name="old"), data)
    began = store.study("old")
    assert (began.cost, began.cost_ceiling) == (FLOPS, began.flops_ceiling)
    with pytest.raises(StudyError, match="cost is flops there, params asked"):
        opened(store, with_changes(SPEC, name="old", cost="params"), data)
    with pytest.raises(StudyError, match="seeds is 1 there, 2 asked"):
        opened(store, with_changes(SPEC, name="old", seeds=2), data)


def test_a_study_from_before_fine_tuning_goes_on_and_draws_its_weights(
    store: Writer, data: ImageData
) -> None:
    old = study_of(store, SPEC, plan(SPEC, data.task), data)
    fields = {name: value for name, value in old.spec.items() if name != "start_from"}
    fields["recipe"] = {n: value for n, value in old.spec["recipe"].items() if n != "freeze"}
    store.add_study(replace(old, spec=fields))
    opened(store, SPEC, data)
    start = StartFrom(preset="winner", sha256="0" * 64, image_size=8)
    with pytest.raises(StudyError, match=r"start_from is None there, .*winner.* asked"):
        opened(store, with_changes(SPEC, start_from=start), data)


def test_a_study_goes_on_with_the_learning_rates_it_began_with(
    store: Writer, data: ImageData
) -> None:
    began = with_changes(SPEC, learning_rates={"mixer": 1e-3})
    opened(store, began, data)
    again = study_of(store, SPEC, plan(SPEC, data.task), data)
    assert again.spec["learning_rates"] == {"mixer": 1e-3}
    with pytest.raises(StudyError, match=r"learning_rates\.mixer is 0\.001 there, 0\.002 asked"):
        opened(store, with_changes(SPEC, learning_rates={"mixer": 2e-3}), data)


def test_a_study_from_before_rates_by_family_has_that_of_its_recipe(
    store: Writer, data: ImageData
) -> None:
    old = study_of(store, SPEC, plan(SPEC, data.task), data)
    fields = {name: value for name, value in old.spec.items() if name != "learning_rates"}
    store.add_study(replace(old, spec=fields))
    opened(store, SPEC, data)
    with pytest.raises(StudyError, match=r"learning_rates\.mixer is None there, 0\.002 asked"):
        opened(store, with_changes(SPEC, learning_rates={"mixer": 2e-3}), data)


def test_other_images_are_another_study(store: Writer, data: ImageData) -> None:
    opened(store, SPEC, data)
    with pytest.raises(StudyError, match=r"began on other images of digits .*use the same images"):
        opened(store, SPEC, replace(data, digest="another"))


@pytest.mark.parametrize(
    ("noted", "sentence"),
    [
        ({"decoder": "Pillow 12.0.0"}, r"decoded by Pillow 12\.0\.0, these by Pillow 13.*install"),
        ({}, r"older version.*, with OpenCV where .* use the same --data-dir"),
        (
            {"decoder": "Pillow 13.0.0"},
            r"digest began, these are another\); use the same --data-dir",
        ),
    ],
)
def test_the_decoder_is_named_where_it_may_be_the_reason(
    store: Writer, data: ImageData, noted: dict[str, str], sentence: str
) -> None:
    encoded = replace(
        data, name="swatches", digest="another", version="1.0.0", decoder="Pillow 13.0.0"
    )
    new = study_of(store, SPEC, plan(SPEC, data.task), encoded)
    spec = {name: value for name, value in new.spec.items() if name != "decoder"} | noted
    store.add_study(replace(new, spec=spec, data_digest="began"))
    with pytest.raises(StudyError, match=sentence) as caught:
        opened(store, SPEC, encoded)
    assert "--study-name" in str(caught.value)


SWATCHES = SPEC.model_copy(update={"name": "swatches", "dataset": "swatches"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of swatches 1.0.0."""
    isolate(monkeypatch, tmp_path)
    prepare_swatches(tmp_path / "data", labels=[0, 1, 2] * 20)
    return tmp_path / "data"


def began(store: Writer, spec: StudySpec, folder: Path, *, without: set[str]) -> StudyRecord:
    """The study, as a version of the program began it that knew nothing of those fields."""
    split = "random" if "split" in without else None
    data = images_of(store, with_changes(spec, split=split), data_dir=folder, report=[].append)
    new = study_of(store, with_changes(spec, split=split), plan(spec, data.task), data)
    fields = {name: value for name, value in new.spec.items() if name not in without}
    return store.add_study(replace(new, spec=fields))


def goes_on(store: Writer, spec: StudySpec, folder: Path) -> tuple[ImageData, list[str]]:
    """The images it goes on with, and what is said of them."""
    said: list[str] = []
    data = images_of(store, spec, data_dir=folder, report=said.append)
    assert study_of(store, spec, plan(spec, data.task), data) == store.study(spec.name)
    return data, [line for line in said if "decoding" not in line]


def test_a_new_study_is_stratified_and_notes_what_it_read(store: Writer, folder: Path) -> None:
    study = began(store, SWATCHES, folder, without=set())
    assert study.spec["split"] == "stratified"
    assert study.spec["dataset_version"] == "1.0.0"
    assert study.spec["decoder"].startswith("Pillow ")
    data, said = goes_on(store, SWATCHES, folder)
    assert (data.split, said) == ("stratified", [])


def test_how_many_images_accuracies_are_counted_on_is_noted_of_older_studies_too(
    store: Writer, folder: Path
) -> None:
    before = began(store, SWATCHES, folder, without={"num_validation"})
    assert "num_validation" not in before.spec
    data, _ = goes_on(store, SWATCHES, folder)
    again = study_of(store, SWATCHES, plan(SWATCHES, data.task), data, {"trials": 2})
    assert again.spec["num_validation"] == len(data.validation_labels) > 0
    assert store.put_study(again).spec == again.spec
    goes_on(store, SWATCHES, folder)


def test_a_study_keeps_its_split_unless_another_is_asked_for(store: Writer, folder: Path) -> None:
    """Before there was a choice, every split was random."""
    before = began(store, SWATCHES, folder, without={"split", "dataset_version", "decoder"})
    data, _ = goes_on(store, SWATCHES, folder)
    assert (data.split, data.digest) == ("random", before.data_digest)
    goes_on(store, with_changes(SWATCHES, split="random"), folder)
    with pytest.raises(StudyError, match="split is random there, stratified asked"):
        goes_on(store, with_changes(SWATCHES, split="stratified"), folder)
    asked = with_changes(SWATCHES, name="asked", split="random")
    assert began(store, asked, folder, without=set()).spec["split"] == "random"
    data, _ = goes_on(store, with_changes(SWATCHES, name="asked"), folder)
    assert data.split == "random"


@pytest.mark.parametrize("without", [set(), {"split", "dataset_version", "decoder"}])
def test_a_study_goes_on_with_the_version_it_began_with(
    without: set[str], store: Writer, folder: Path
) -> None:
    """The versions that are not noted in the records of an older program are tried."""
    before = began(store, SWATCHES, folder, without=without)
    for seed, version in enumerate(("1.9.0", "1.10.0"), start=1):
        prepare_swatches(folder, labels=[0, 1, 2] * 20, version=version, seed=seed)
    data, said = goes_on(store, SWATCHES, folder)
    assert (data.version, data.digest) == ("1.0.0", before.data_digest)
    assert said == [
        "swatches 1.10.0 is there too: study 'swatches' goes on with 1.0.0, with which it began"
    ]
    new = began(store, with_changes(SWATCHES, name="new"), folder, without=set())
    assert new.spec["dataset_version"] == "1.10.0"


def test_the_version_may_be_named_and_another_one_is_another_study(
    store: Writer, folder: Path
) -> None:
    began(store, SWATCHES, folder, without=set())
    prepare_swatches(folder, labels=[0, 1, 2] * 20, version="1.10.0", seed=1)
    same = SWATCHES.model_copy(update={"dataset": "swatches:1.0.0"})
    assert goes_on(store, same, folder)[0].version == "1.0.0"
    other = SWATCHES.model_copy(update={"dataset": "swatches:1.10.0"})
    with pytest.raises(StudyError, match=r"is swatches:1\.0\.0 there, swatches:1\.10\.0 asked"):
        goes_on(store, other, folder)
    named = same.model_copy(update={"name": "named"})
    began(store, named, folder, without=set())
    data, _ = goes_on(store, named.model_copy(update={"dataset": "swatches"}), folder)
    assert data.version == "1.0.0"


def test_a_version_that_is_gone_is_asked_for(store: Writer, folder: Path, tmp_path: Path) -> None:
    began(store, SWATCHES, folder, without=set())
    newer = tmp_path / "newer"
    prepare_swatches(newer, labels=[0, 1, 2] * 20, version="1.10.0", seed=1)
    with pytest.raises(
        StudyError, match=r"began on swatches:1\.0\.0, .* holds 1\.10\.0.*--data-dir"
    ):
        goes_on(store, SWATCHES, newer)


def test_a_damaged_newer_version_keeps_no_older_study_from_going_on(
    store: Writer, folder: Path
) -> None:
    began(store, SWATCHES, folder, without={"split", "dataset_version", "decoder"})
    newer = prepare_swatches(folder, labels=[0, 1, 2] * 20, version="1.10.0", seed=1)
    next(newer.glob("*-train*")).write_bytes(b"")
    assert goes_on(store, SWATCHES, folder)[0].version == "1.0.0"
    with pytest.raises(DataError, match=r"1\.10\.0.* cannot be read"):
        images_of(store, with_changes(SWATCHES, name="new"), data_dir=folder, report=[].append)


def test_a_study_from_before_there_was_a_choice_validates_on_a_part_of_the_train_split(
    store: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path)
    for split in ("train", "val"):
        draw_classes(tmp_path / "pets" / split, "ab", number=20)
    pets = SPEC.model_copy(update={"name": "pets", "dataset": f"folder:{tmp_path / 'pets'}"})
    before = with_changes(pets, data=DataSpec(validation="split"))
    data = images_of(store, before, data_dir=None, report=[].append)
    record = study_of(store, before, plan(before, data.task), data)
    fields = {name: value for name, value in record.spec.items() if name != "data"}
    store.add_study(replace(record, spec=fields))
    assert goes_on(store, pets, tmp_path)[0].validation == "split"
    own = with_changes(pets, data=DataSpec(validation="own"))
    data = images_of(store, own, data_dir=None, report=[].append)
    with pytest.raises(StudyError, match=r"data\.validation is split there, own asked"):
        study_of(store, own, plan(own, data.task), data)
    new = began(store, with_changes(pets, name="new"), tmp_path, without=set())
    assert new.spec["data"] == {
        "image_size": None,
        "resize": "crop",
        "label": None,
        "validation": "own",
    }
    assert goes_on(store, with_changes(pets, name="new"), tmp_path)[0].validation == "own"


def test_a_folder_may_move_and_its_images_may_not_change(
    store: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path)
    draw_classes(tmp_path / "pets", "ab", number=20)
    pets = SPEC.model_copy(update={"name": "pets", "dataset": f"folder:{tmp_path / 'pets'}"})
    began(store, pets, tmp_path, without=set())
    goes_on(store, pets.model_copy(update={"trials": 9}), tmp_path)
    goes_on(store, with_changes(pets, skip_broken=True), tmp_path)  # and nothing is broken
    (tmp_path / "pets").rename(tmp_path / "animals")
    moved = pets.model_copy(update={"dataset": f"folder:{tmp_path / 'animals'}"})
    goes_on(store, moved, tmp_path)
    small = with_changes(moved, data=DataSpec(image_size=4))
    data = images_of(store, small, data_dir=None, report=[].append)
    with pytest.raises(StudyError, match=r"data\.image_size is None there, 4 asked"):
        study_of(store, small, plan(small, data.task), data)
    (tmp_path / "animals" / "a" / "000.png").unlink()
    data = images_of(store, moved, data_dir=None, report=[].append)
    with pytest.raises(
        StudyError, match=r"other images of folder:.*digest .*; use the same images"
    ):
        study_of(store, moved, plan(moved, data.task), data)
    with pytest.raises(StudyError, match=r"dataset is folder:.* there, digits asked"):
        opened(store, SPEC.model_copy(update={"name": "pets"}), images.load("digits"))


def test_images_given_from_python_take_the_place_of_those_that_are_named(store: Writer) -> None:
    arrays = {
        "train_images": np.stack([noise(8, 8, seed=seed) for seed in range(40)]),
        "train_labels": np.arange(40) % 2,
    }
    spec = SPEC.model_copy(update={"name": "given", "dataset": "arrays"})
    with pytest.raises(DataError, match="arrays: which ones"):
        images_of(store, spec, data_dir=None, report=[].append)
    for _ in range(2):  # begun, and gone on with
        data = images_of(store, spec, data_dir=None, given=arrays, report=[].append)
        store.add_study(study_of(store, spec, plan(spec, data.task), data))
        assert len(data.validation_labels) == 4
    assert images_of(store, spec, data_dir=None, given=data, report=[].append) is data
    arrays["train_images"][0] += 1
    data = images_of(store, spec, data_dir=None, given=arrays, report=[].append)
    with pytest.raises(StudyError, match="began on other images of arrays"):
        study_of(store, spec, plan(spec, data.task), data)


@pytest.mark.parametrize(
    ("size", "channels", "classes", "number"),
    [(45, 1, 2, 25), (31, 3, 2, 25), (8, 3, 200, 2), (2, 1, 3, 20)],
)
def test_a_space_fits_images_of_any_size(
    size: int,
    channels: int,
    classes: int,
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    isolate(monkeypatch, tmp_path)
    names = [f"class {label}" for label in range(classes)]
    draw_classes(tmp_path / "pets", names, number=number, size=size, channels=channels)
    spec = StudySpec(name="pets", dataset=f"folder:{tmp_path / 'pets'}")
    lines = start(with_changes(spec, recipe=Recipe(batch_size=32)), tmp_path)
    assert lines[-1] == f"{spec.dataset} has no test images: nothing can be confirmed on test"
    assert ", 45 images to train and 5 to validate on;" in lines[-2] or classes > 2


def test_images_smaller_than_the_patch_are_refused(data: ImageData) -> None:
    with pytest.raises(ConfigError, match=r"16 does not tile images of 8 pixels; use some of 1, 2"):
        plan(with_changes(SPEC, space={"patch_size": [16]}), data.task)


class EnoughError(Exception):
    """Raised where training would begin."""


def start(spec: StudySpec, folder: Path) -> list[str]:
    """The lines of a study up to its training."""

    def start_workers(data: ImageData) -> None:
        raise EnoughError

    text = io.StringIO()
    with pytest.raises(EnoughError):
        run_study(
            spec,
            Console(file=text),
            start_workers=start_workers,  # type: ignore[arg-type]
            storage=f"sqlite:///{folder}/s.db",
            data_dir=folder,
        )
    return text.getvalue().splitlines()


def test_the_start_says_what_the_classes_make_of_an_accuracy(folder: Path) -> None:
    prepare_swatches(folder, "even", labels=[0, 1, 2] * 30)
    prepare_swatches(folder, "lopsided", labels=[2] * 480 + [0, 1] * 10)
    even = SWATCHES.model_copy(update={"dataset": "even"})
    assert not [line for line in start(even, folder) if "always answers" in line]
    lopsided = SWATCHES.model_copy(update={"dataset": "lopsided"})
    assert start(lopsided, folder)[-1] == (
        "warning: 96 % of the training images are of class 'blue': "
        "a network that always answers 'blue' has 0.96"
    )


def test_a_study_from_before_early_stopping_goes_on_without_it(
    store: Writer, data: ImageData
) -> None:
    old = study_of(store, SPEC, plan(SPEC, data.task), data)
    fewer = {name: value for name, value in old.spec.items() if name != "rungs"}
    store.add_study(replace(old, name="old", spec=fewer))
    opened(store, with_changes(SPEC, name="old", rungs=NO_RUNGS), data)
    with pytest.raises(StudyError, match=r"rungs\.count is 0 there, None asked"):
        opened(store, with_changes(SPEC, name="old"), data)


def test_a_study_whose_recipe_had_fewer_fields_goes_on_with_their_defaults(
    store: Writer, data: ImageData
) -> None:
    """Those of the tables in it too; a field that it had keeps its value."""
    spec = with_changes(
        SPEC, {("recipe", "weight_decay"): 0.1, ("recipe", "augmentation", "flip"): True}
    )
    old = study_of(store, spec, plan(spec, data.task), data)
    recipe = dict(old.spec["recipe"])
    recipe["augmentation"] = {
        name: recipe["augmentation"][name]
        for name in ("crop_padding", "flip", "cutout", "mixup_alpha", "cutmix_alpha")
    }
    for name in ("optimizer", "schedule", "ema"):
        del recipe[name]
    store.add_study(replace(old, spec=old.spec | {"recipe": recipe}))
    opened(store, spec, data)
    for field, value, sentence in (
        ("ema", 0.99, r"recipe\.ema is 0\.0 there, 0\.99 asked"),
        ("optimizer", "sgd", r"recipe\.optimizer is adamw there, sgd asked"),
        ("weight_decay", 0.2, r"recipe\.weight_decay is 0\.1 there, 0\.2 asked"),
    ):
        with pytest.raises(StudyError, match=sentence):
            opened(store, with_changes(spec, {("recipe", field): value}), data)
    with pytest.raises(StudyError, match=r"recipe\.augmentation\.rotate is 0\.0 there, 10\.0"):
        opened(store, with_changes(spec, {("recipe", "augmentation", "rotate"): 10.0}), data)


def test_a_study_from_before_there_were_families_is_one_of_mixers(
    store: Writer, data: ImageData
) -> None:
    new = study_of(store, SPEC, plan(SPEC, data.task), data)
    old = {name: value for name, value in new.spec.items() if name != "families"}
    old["space"] = {
        "patch_size": [2, 4],
        "hidden_dim": [8, 16, 32],
        "tokens_mlp_dim": [8, 16],
        "channels_mlp_dim": [16, 32],
        "num_blocks": [1],
    }
    assert new.spec["space"] == {"mixer": old["space"]}
    stored = store.add_study(replace(new, name="old", spec=old))
    assert stored.families == ("mixer",)
    opened(store, with_changes(SPEC, name="old"), data)
    narrower = with_changes(SPEC, name="old", space={"mixer": {"num_blocks": [1, 2]}})
    with pytest.raises(StudyError, match=r"space\.mixer\.num_blocks is \[1\] there, \[1, 2\]"):
        opened(store, narrower, data)
    both = StudySpec.model_validate(
        SPEC.model_dump() | {"name": "old", "families": ["mixer", "vit"]}
    )
    with pytest.raises(
        StudyError, match=r"families is \['mixer'\] there, \['mixer', 'vit'\] asked"
    ):
        opened(store, both, data)


def test_a_study_of_two_families_has_one_ceiling_and_all_their_configurations(
    data: ImageData,
) -> None:
    mixers, vits = (
        plan(StudySpec(name="x", dataset="digits", families=(name,)), data.task)
        for name in ("mixer", "vit")
    )
    spec = StudySpec(name="x", dataset="digits", families=("mixer", "vit"), trials=10**6)
    both = plan(spec, data.task)
    assert both.flops_ceiling == max(mixers.flops_ceiling, vits.flops_ceiling)
    assert both.num_configurations == mixers.num_configurations + vits.num_configurations
    assert reachable(spec, both, data.task) == both.num_configurations
    assert {config.family for config in mixers.baselines} == {"vit"}
    assert {config.family for config in vits.baselines} == {"mixer"}
    assert {config.family for config in both.baselines} == {"mixer"}
    assert all(c.channels_mlp_dim == 4 * c.hidden_dim for c in both.baselines)


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
    (only,) = plan(ONE, data.task).spaces["mixer"].members(data.task)
    flops = cost(only).flops
    budgets = {"nothing": None, "far more": 10**9, "exactly that": flops}
    spec = ONE.model_copy(update={"max_flops": budgets[asked]})
    study = study_of(store, spec, plan(spec, data.task), data)
    found = [trial(0, config=only, accuracy=0.9)]
    volume = pareto.hypervolume(*winners.objectives(found), winners.reference_of(study))
    expected = 0.0 if asked == "exactly that" else 0.01 * (0.9 - 0.1)
    assert volume == pytest.approx(expected, abs=1e-4)


def test_the_ceiling_of_a_study_that_was_begun_stays(store: Writer, data: ImageData) -> None:
    """Before, it was the FLOPs of the most expensive configuration."""
    planned = plan(ONE, data.task)
    (only,) = planned.spaces["mixer"].members(data.task)
    old = replace(study_of(store, ONE, planned, data), flops_ceiling=cost(only).flops)
    store.add_study(old)
    assert study_of(store, ONE, planned, data) == old


def test_room_above_the_dearest_mixer_is_no_room_for_dearer_baselines(data: ImageData) -> None:
    spec = SPEC.model_copy(update={"max_flops": None, "baselines": 9})
    planned = plan(spec, data.task)
    most_expensive = cost(planned.spaces["mixer"].most_expensive(data.task)).flops
    budget = spec.model_copy(update={"max_flops": most_expensive})
    assert planned.flops_ceiling > most_expensive
    assert planned.baselines == plan(budget, data.task).baselines


def test_no_more_trials_can_be_reached_than_there_are_configurations(data: ImageData) -> None:
    planned = plan(SPEC, data.task)
    assert reachable(with_changes(SPEC, trials=1000), planned, data.task) == 24
    assert reachable(with_changes(SPEC, trials=5), planned, data.task) == 5


def test_a_study_from_before_exempt_trials_counted_keeps_its_rule(
    store: Writer, data: ImageData
) -> None:
    new = study_of(store, SPEC, plan(SPEC, data.task), data)
    assert as_it_began(SPEC, new).rungs == RungSpec().settled()
    assert new.spec["rungs"] == RungSpec().settled().model_dump(mode="json")
    rungs = {"eta": 3, "count": None, "spared": 0.05}
    old = replace(new, name="old", spec=new.spec | {"rungs": rungs})
    store.add_study(old)
    as_before = RungSpec(exempt="unweighted", spared=0.05)
    assert as_it_began(SPEC, old).rungs == as_before
    for asked in (RungSpec(), as_before):
        opened(store, with_changes(SPEC, name="old", rungs=asked), data)
    with pytest.raises(StudyError, match=r"rungs\.exempt is unweighted there, weighted asked"):
        opened(store, with_changes(SPEC, name="old", rungs=RungSpec(exempt="weighted")), data)
