"""`python -m search.train`: a configuration that is given, trained as a study of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from json_keys import undocumented
from pictures import noise, write_folder
from records import mixer

from runs.reader import open_reader
from runs.record import Origin, State
from runs.winners import preset_of
from search.spec.recipe import Recipe
from search.spec.studies import STUDIES, StudyError
from search.train_command import main as train
from search.train_command import recipe_of
from space import presets
from space.config import MixerConfig

SMALL = mixer(patch_size=4, hidden_dim=8, num_blocks=1)
COMMAND = ["--preset", "small.json", "--device", "cpu", "--seeds", "2", "--train-limit", "256"]


def save(config: MixerConfig = SMALL, **source: object) -> None:
    presets.save(presets.Preset.of("small", config, source), "small.json")


@pytest.mark.usefixtures("here")
def test_every_seed_is_a_trial_that_was_given_and_a_repeat_has_nothing_left_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(dataset="digits", recipe=Recipe(batch_size=32).model_dump())
    command = [*COMMAND, "--epochs", "2", "--set", "recipe.learning_rate=5e-3"]
    assert train(command) == 0
    out = capsys.readouterr().out
    assert "Mixer p4 C8 L1 T8 D20, 2 epochs: accuracy " in out
    assert "(seed 0 " in out
    assert "search.export" not in out
    with open_reader() as store:
        (record,) = store.studies()
        trials = store.trials(record.name)
    assert record.name == "small_on_digits_2"
    assert [(t.origin, t.state, t.config) for t in trials] == [
        (Origin.BASELINE, State.COMPLETE, SMALL)
    ] * 2
    assert [t.seed for t in trials] == [0, 1]
    assert record.spec["recipe"]["batch_size"] == 32
    assert record.spec["recipe"]["learning_rate"] == 5e-3
    assert record.flops_ceiling > trials[0].flops
    assert preset_of(record, trials[0], "again").config == SMALL

    assert train([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"study", "storage", "dataset", "preset", "accuracy", "trials"}
    assert not undocumented(facts)
    accuracies = [trial["accuracy"] for trial in facts["trials"]]
    assert facts["accuracy"] == pytest.approx(sum(accuracies) / 2)
    with open_reader() as store:
        assert len(store.trials(record.name)) == 2


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (
            ["--preset", "mixer_s16", "--dataset", "cifar10"],
            "preset 'mixer_s16' is made for 224x224x3 images of 1000 classes, cifar10 has 32x32x3",
        ),
        (["--preset", "mixer_s16"], "it does not say on what data it was found; give --dataset"),
        (["--preset", "mixer_s61", "--dataset", "digits"], "did you mean 'mixer_s16'"),
        (["--preset", "mixer_digits", "--dataset", "digits", "--epochs", "0"], "error: --epochs"),
        (["--preset", "mixer_digits", "--dataset", "digits", "--set", "a=1"], "--set a: a study"),
        (["--preset", "mixer_digits", "--dataset", "digits", "--study-name", "a/b"], "no slash"),
    ],
)
def test_what_cannot_be_trained_is_a_sentence_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    assert train(argv) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.splitlines()) == 1
    assert not list(Path.cwd().iterdir())


@pytest.mark.usefixtures("here")
def test_a_dry_run_counts_the_one_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    save(dataset="digits")
    assert train([*COMMAND, "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["trials"], facts["baselines"], facts["seeds"]) == (0, 1, 2)
    assert facts["study"] == "small_on_digits_40"


@pytest.mark.usefixtures("here")
def test_images_are_read_as_they_were_where_the_preset_was_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn = {f"{name}/{i}.png": noise(9, 12, 1, seed=i) for name in "abcdefghij" for i in range(8)}
    write_folder(Path("odd"), drawn)
    recipe = Recipe(batch_size=8).model_dump(mode="json")
    save(dataset="folder:odd", recipe=recipe, data={"image_size": 8, "resize": "pad"})
    assert train([*COMMAND, "--dry-run"]) == 0, capsys.readouterr().err
    save(dataset="folder:odd", recipe=recipe, data={"image_size": 8, "resize": "fold"})
    assert train([*COMMAND, "--dry-run"]) == 2
    assert "its source.data is not one of this version (resize" in capsys.readouterr().err


def test_the_recipe_is_that_of_the_preset_else_of_the_built_in_study_on_the_data() -> None:
    found = Recipe(epochs=7, weight_decay=0.5)
    source = {"dataset": "cifar10", "recipe": found.model_dump(mode="json")}
    preset = presets.Preset.of("x", SMALL, source)
    assert recipe_of(preset, "cifar10") == found
    assert recipe_of(preset, "cifar100") == STUDIES["mixer_cifar100"].recipe
    assert recipe_of(preset, "flowers") == Recipe()
    newer = presets.Preset.of("x", SMALL, source | {"recipe": {"lamb": True}})
    with pytest.raises(StudyError, match=r"source\.recipe is not one of this version"):
        recipe_of(newer, "cifar10")
