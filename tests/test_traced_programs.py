"""Traced programs on disk: read back, made again when damaged, never taken for another."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from records import mixer

from search import data as images
from search.protocol import EpochDone, TrialRequest
from search.spec.recipe import Augmentation, Recipe
from search.train import program as program_module
from search.train import traced_programs as traced
from search.train.device_data import DeviceData, put
from search.train.engine import Engine
from search.train.optimizer import hyper_of, without_arguments
from space.config import Config

RECIPE = Recipe(epochs=2, batch_size=32, augmentation=Augmentation(crop_padding=1))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(traced, "_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The networks whose epochs were traced anew."""
    seen: list[Config] = []
    original = program_module.epoch_of

    def counting(config: Config, *args: object) -> object:
        function = original(config, *args)  # type: ignore[arg-type]

        def epoch(*given: object) -> object:
            seen.append(config)
            return function(*given)

        return epoch

    monkeypatch.setattr(program_module, "epoch_of", counting)
    return seen


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return put(images.load("digits", train_limit=96), jax.devices()[0])


def losses(data: DeviceData, config: Config, recipe: Recipe = RECIPE) -> list[float]:
    request = TrialRequest(numbers=(0,), seeds=(3,), config=config, recipe=recipe)
    with Engine(data, jax.devices()[0]) as engine:
        events = list(engine.run(request))
    return [e.epochs[0].train_loss for e in events if isinstance(e, EpochDone)]


def test_what_was_traced_once_is_read_and_trains_to_the_same_bits(
    folder: Path, traces: list[Config], data: DeviceData
) -> None:
    config = mixer(num_blocks=1)
    first = losses(data, config)
    assert losses(data, config) == first
    assert traces == [config]
    assert len(list(folder.glob("*-traced"))) == 1


@pytest.mark.parametrize("damage", [b"", b"not a program", None])
def test_a_damaged_file_is_made_again(
    folder: Path, traces: list[Config], data: DeviceData, damage: bytes | None
) -> None:
    config = mixer(num_blocks=1)
    first = losses(data, config)
    (file,) = folder.glob("*-traced")
    whole = file.read_bytes()
    file.write_bytes(whole[:-7] if damage is None else damage)
    assert losses(data, config) == first
    assert len(traces) == 2
    assert losses(data, config) == first
    assert len(traces) == 2


def test_numbers_of_a_recipe_are_no_part_of_it_and_everything_else_is(
    folder: Path, traces: list[Config], data: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = mixer(num_blocks=1)
    losses(data, config)
    slower = RECIPE.model_copy(update={"learning_rate": 1e-4, "weight_decay": 0.3, "epochs": 3})
    losses(data, config, slower)
    assert len(traces) == 1
    losses(data, mixer(num_blocks=1, hidden_dim=24))
    losses(data, config, RECIPE.model_copy(update={"batch_size": 16}))
    losses(data, config, RECIPE.model_copy(update={"augmentation": Augmentation()}))
    losses(put(images.load("digits", train_limit=64), jax.devices()[0]), config)
    assert len(traces) == 5
    monkeypatch.setattr(traced, "_origin", lambda: "another version of the source")
    losses(data, config)
    assert len(traces) == 6
    assert len(list(folder.glob("*-traced"))) == 6


class NewRecipe(Recipe):
    """The recipe of a version that knows one field more."""

    schedule_free: bool = False


class NewAugmentation(Augmentation):
    """As `NewRecipe`."""

    random_erasing: float = 0.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NewRecipe(**dict(RECIPE)), NewRecipe(**dict(RECIPE), schedule_free=True)),
        (
            RECIPE.model_copy(update={"augmentation": NewAugmentation()}),
            RECIPE.model_copy(update={"augmentation": NewAugmentation(random_erasing=0.25)}),
        ),
    ],
)
def test_a_field_that_a_later_version_adds_makes_another_program(
    folder: Path, traces: list[Config], data: DeviceData, one: Recipe, other: Recipe
) -> None:
    config = mixer(num_blocks=1)
    losses(data, config, one)
    losses(data, config, other)
    assert len(traces) == 2
    assert len(list(folder.glob("*-traced"))) == 2
    losses(data, config, other.model_copy(update={"learning_rate": 1e-4}))
    assert len(traces) == 2


@pytest.mark.parametrize("name", Recipe.model_fields)
def test_a_field_of_the_recipe_is_an_argument_of_the_program_or_part_of_it(name: str) -> None:
    changes = {"batch_size": 7, "epochs": 7, "augmentation": Augmentation(flip=True)}
    other = RECIPE.model_copy(update={name: changes.get(name, 0.37)})
    is_argument = hyper_of(other, 5) != hyper_of(RECIPE, 5)
    is_part = without_arguments(other) != without_arguments(RECIPE)
    assert is_argument != is_part


def test_a_program_that_cannot_be_exported_is_compiled_all_the_same(
    folder: Path, data: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = mixer(num_blocks=1)
    first = losses(data, config)

    def refuse(*_: object) -> export.Exported:
        raise ValueError("Cannot serialize code with custom calls")

    monkeypatch.setattr(program_module, "load_or_export", refuse)
    assert losses(data, config) == first


def test_without_a_folder_or_with_one_that_cannot_be_written_it_is_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trace() -> export.Exported:
        return export.export(jax.jit(jnp.sin))(jax.ShapeDtypeStruct((3,), jnp.float32))

    for folder in (None, tmp_path / "not there"):
        monkeypatch.setattr(traced, "_folder", lambda folder=folder: folder)
        program = traced.load_or_export("a sine", trace)
        np.testing.assert_allclose(program.call(jnp.ones(3)), np.sin(np.ones(3)), rtol=1e-6)
