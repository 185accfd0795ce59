"""`python -m search.finetune`: a preset's weights, trained on with other images."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from json_keys import undocumented
from records import mixer
from rich.console import Console

from runs.reader import open_reader
from runs.record import Origin, State
from runs.repair.check import check
from runs.weights_folder import read_weights
from runs.winners import preset_of
from search.confirm import main as confirm
from search.finetune import main as finetune
from search.finetuning import finetune_study
from search.result import StudyResult
from search.run import main as run
from search.spec.finetuning import checked_rates, finetuning_spec
from search.spec.studies import StudyError, StudySpec, with_changes
from search.study.checkpoint_folder import Checkpoints
from search.study.finetune import finetune as finetune_with
from search.study.finetuning_network import network_for
from search.workers.in_process import open_in_process
from space import presets
from space.config import Config, ImageTask
from space.init import initial_params
from space.weights_file import params_in, weights_bytes

DIGITS = ImageTask(image_size=8, image_channels=1, num_classes=10)
SMALL = mixer(patch_size=4, hidden_dim=8, num_blocks=1, num_classes=6)
RATES = (0.01, 0.2)


def save_winner(folder: Path, config: Config = SMALL, seed: int = 7, **source: object) -> Path:
    """A preset with weights that were never trained: what they are worth is no matter here."""
    content = weights_bytes(initial_params(config, seed), {})
    trained = presets.Trained(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        pixel_mean=(100.0,) * config.image_channels,
        pixel_std=(50.0,) * config.image_channels,
    )
    presets.save(presets.Preset.of("small", config, source, trained), folder / presets.FILE)
    (folder / presets.WEIGHTS_FILE).write_bytes(content)
    return folder


def spec_of(preset: presets.Preset, **changes: Any) -> StudySpec:
    fixed = {"name": "tuned", "epochs": 2, "seeds": 2, "train_limit": 256}
    return with_changes(finetuning_spec(preset, "digits"), **(fixed | changes))


@dataclass(frozen=True)
class Finetuned:
    """Two seeds at the best of two rates."""

    folder: Path
    preset: presets.Preset
    storage: str
    result: StudyResult


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Finetuned:
    folder = tmp_path_factory.mktemp("tuned")
    preset = presets.load(save_winner(folder / "winner"))
    storage = f"sqlite:///{folder / 'runs.db'}"
    result = finetune_study(
        spec_of(preset), preset, rates=RATES, storage=storage, device="cpu", progress=False
    )
    return Finetuned(folder, preset, storage, result)


def test_a_rate_is_a_study_of_its_own_and_the_parent_names_the_best(tuned: Finetuned) -> None:
    with open_reader(tuned.storage) as store:
        children = {rate: store.study(f"tuned.rate-{rate:g}") for rate in RATES}
        tried = {rate: store.trials(study.name) for rate, study in children.items()}
    assert [study.rates_of for study in children.values()] == ["tuned", "tuned"]
    assert [[t.seed for t in trials] for trials in tried.values()] == [[2], [2]]
    reached = {rate: trials[0].accuracy or 0.0 for rate, trials in tried.items()}
    best = max(RATES, key=lambda rate: reached[rate])
    study = tuned.result.study
    assert study.spec["learning_rates"] == {"mixer": best}
    assert study.spec["rate_studies"] == ["tuned.rate-0.01", "tuned.rate-0.2"]
    assert study.spec["start_from"]["sha256"] == tuned.preset.trained.sha256  # type: ignore[union-attr]
    preset = preset_of(study, tuned.result.trials[0], "again")
    assert preset.source["recipe"]["learning_rate"] == best
    assert preset.source["start_from"]["preset"] == "small"


def test_every_seed_is_a_trial_whose_weights_are_kept_and_know_the_presets_pixels(
    tuned: Finetuned,
) -> None:
    trials = tuned.result.trials
    assert [(t.origin, t.state, t.seed) for t in trials] == [
        (Origin.FINETUNE, State.COMPLETE, 0),
        (Origin.FINETUNE, State.COMPLETE, 1),
    ]
    assert trials[0].config == SMALL.model_copy(update={"num_classes": 10})
    for trial in trials:
        facts = read_weights("tuned", trial.number, tuned.storage).facts
        assert json.loads(facts["pixel_mean"]) == [100.0]
        assert json.loads(facts["pixel_std"]) == [50.0]
    with open_reader(tuned.storage) as store:
        assert not store.weights("tuned.rate-0.01")
    report = check(tuned.storage)
    assert not report.problems
    assert not report.notes


def test_asked_for_again_it_has_nothing_to_do(tuned: Finetuned) -> None:
    again = finetune_study(
        spec_of(tuned.preset),
        tuned.preset,
        rates=RATES,
        storage=tuned.storage,
        device="cpu",
        progress=False,
    )
    assert again.trials == tuned.result.trials


def test_interrupted_at_any_epoch_it_ends_as_if_it_never_was(
    tuned: Finetuned, tmp_path: Path
) -> None:
    storage = f"sqlite:///{tmp_path / 'again.db'}"
    spec = spec_of(tuned.preset)

    def go_on(events: int | None = None) -> None:
        counted = count(1)

        def check_stop() -> None:
            if next(counted) == events:
                raise KeyboardInterrupt

        with open_in_process("cpu") as start_workers:
            finetune_with(
                spec,
                RATES,
                lambda task: network_for(tuned.preset, task, "digits"),
                Console(quiet=True),
                start_workers=start_workers,
                storage=storage,
                checkpoints=Checkpoints(every_seconds=0),
                check_stop=check_stop,
            )

    for events in (2, 8, 12):  # in the trainings of the first rate, the second, the study
        with pytest.raises(KeyboardInterrupt):
            go_on(events)
    go_on()
    with open_reader(storage) as store:
        found = [(t.seed, t.accuracy, t.loss) for t in store.trials("tuned")]
    assert found == [(t.seed, t.accuracy, t.loss) for t in tuned.result.trials]


@pytest.mark.parametrize(
    ("seed", "rates", "sentence"),
    [
        (8, RATES, r"start_from\.sha256 is \w+ there, \w+ asked"),
        (7, (0.01,), "began with --rates 0.01, 0.2, and one rate is asked for"),
        (7, (0.01, 0.1), "began with --rates 0.01, 0.2, and 0.01, 0.1 is asked for"),
    ],
)
def test_a_study_that_began_from_other_weights_or_rates_is_another(
    tuned: Finetuned, tmp_path: Path, seed: int, rates: tuple[float, ...], sentence: str
) -> None:
    preset = presets.load(save_winner(tmp_path / "winner", seed=seed))
    with pytest.raises(StudyError, match=sentence):
        finetune_study(
            spec_of(preset),
            preset,
            rates=rates,
            storage=tuned.storage,
            device="cpu",
            progress=False,
        )


def test_search_and_confirmation_leave_it_to_the_command_that_began_it(
    tuned: Finetuned, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = ["--storage", tuned.storage]
    assert run(["--resume", "tuned", *storage]) == 2
    assert "by the search.finetune that began it" in capsys.readouterr().err
    assert confirm(["--study", "tuned", "--device", "cpu", *storage]) == 2
    assert "by the search.finetune that began it" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_train_what_one_process_does(tuned: Finetuned, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'two.db'}"
    command = ["--from", str(tuned.folder / "winner"), "--dataset", "digits", "--workers", "2"]
    command += ["--study-name", "tuned", "--epochs", "2", "--seeds", "2", "--train-limit", "256"]
    command += ["--rates", "0.01,0.2", "--device", "cpu", "--storage", storage]
    assert finetune(command) == 0
    with open_reader(storage) as store:
        found = {t.seed: (t.accuracy, t.loss) for t in store.trials("tuned")}
    expected = {t.seed: (t.accuracy, t.loss) for t in tuned.result.trials}
    assert found.keys() == expected.keys()
    for seed, reached in expected.items():  # other cores add up in another order
        assert found[seed] == pytest.approx(reached, abs=1e-4)


@pytest.mark.usefixtures("here")
def test_what_the_command_finds_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """One rate needs no study to choose it; another size keeps the tokens."""
    save_winner(Path("winner"))
    command = ["--from", "winner", "--dataset", "digits", "--image-size", "16", "--rates", "0.02"]
    command += ["--epochs", "1", "--train-limit", "256", "--device", "cpu", "--freeze"]
    assert finetune([*command, "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["trainings"], planned["steps_per_training"]) == (1, 2)
    assert not Path("runs").exists()
    assert finetune([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["study"] == "small_on_digits_probed_16"
    assert facts["learning_rate"] == 0.02
    assert facts["rate_studies"] == []
    assert facts["trials"][0]["config"]["patch_size"] == 8
    assert not undocumented({**planned, **facts})
    with open_reader() as store:
        assert [study.name for study in store.studies()] == ["small_on_digits_probed_16"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--from", "mixer_b16"], "is a configuration without weights"),
        (["--from", "nowhere"], "there is no preset 'nowhere'"),
        (["--tokens", "all", "--image-size", "16"], "there is strided, tiles"),
        (["--image-size", "4"], "a network can only be enlarged"),
        (["--image-size", "5000"], "--image-size 5000: image_size"),
        (["--tokens", "tiles"], "no other image size is asked for"),
        (["--image-size", "9"], "image_size=9"),
        (["--rates", "fast"], "give numbers with commas"),
        (["--rates", "0.1,0"], "give one or more learning rates above 0"),
        (["--optimizer", "adam"], "there is sgd, adamw"),
        (["--set", "recipe.learning_rate=1"], "learning rates are given by --rates"),
    ],
)
def test_bad_input_is_answered_in_a_sentence(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_winner(Path("winner"))
    assert finetune(["--from", "winner", "--dataset", "digits", *options]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("here")
def test_weights_that_were_changed_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    file = save_winner(Path("winner")) / presets.WEIGHTS_FILE
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert finetune(["--from", "winner", "--dataset", "digits"]) == 2
    assert "their SHA-256 differs" in capsys.readouterr().err


def test_the_network_keeps_its_weights_and_gets_a_head_of_zeros(tmp_path: Path) -> None:
    preset = presets.load(save_winner(tmp_path))
    config, start = network_for(preset, DIGITS, "digits")
    assert config == SMALL.model_copy(update={"num_classes": 10})
    before, after = preset.params(), params_in(start.content)
    assert np.array_equal(before["stem"]["kernel"], after["stem"]["kernel"])
    assert after["head"]["kernel"].shape == (8, 10)
    assert not after["head"]["kernel"].any()
    assert (start.pixel_mean, start.pixel_std) == ((100.0,), (50.0,))


@pytest.mark.parametrize(
    ("tokens", "patch_size", "tokens_mlp_dim"),
    [(None, 8, SMALL.tokens_mlp_dim), ("strided", 4, 4 * SMALL.tokens_mlp_dim)],
)
def test_larger_images_take_larger_patches_or_more_tokens(
    tmp_path: Path, tokens: Any, patch_size: int, tokens_mlp_dim: int
) -> None:
    preset = presets.load(save_winner(tmp_path))
    larger = DIGITS.model_copy(update={"image_size": 16})
    config, _ = network_for(preset, larger, "digits", tokens)
    expected = {"image_size": 16, "num_classes": 10}
    expected |= {"patch_size": patch_size, "tokens_mlp_dim": tokens_mlp_dim}
    assert config == SMALL.model_copy(update=expected)


@pytest.mark.parametrize(
    ("channels", "sentence"),
    [
        (1, "takes grey images, and photos has images of three colours; average"),
        (3, "takes images of three colours, and digits has grey images; repeat"),
    ],
)
def test_grey_and_colour_do_not_mix(tmp_path: Path, channels: int, sentence: str) -> None:
    given = SMALL.model_copy(update={"image_channels": channels})
    preset = presets.load(save_winner(tmp_path, given))
    task = DIGITS.model_copy(update={"image_channels": 4 - channels})
    with pytest.raises(StudyError, match=sentence):
        network_for(preset, task, "photos" if channels == 1 else "digits")


def test_images_are_changed_as_they_were_when_the_preset_was_trained(tmp_path: Path) -> None:
    recipe = {"augmentation": {"flip": True, "crop_padding": 2}}
    preset = presets.load(save_winner(tmp_path, recipe=recipe))
    spec = finetuning_spec(preset, "digits")
    assert spec.recipe.augmentation.flip
    assert not finetuning_spec(preset, "digits", freeze=True).recipe.augmentation.is_random
    assert (spec.recipe.optimizer, spec.recipe.clip_norm, spec.recipe.weight_decay) == ("sgd", 1, 0)


def test_the_head_alone_is_trained_on_trained_features_only() -> None:
    with pytest.raises(StudyError, match=r"search\.finetune --freeze"):
        with_changes(StudySpec(name="x", dataset="digits"), {("recipe", "freeze"): True})


def test_rates_are_tried_once_the_lowest_first() -> None:
    assert checked_rates([0.1, 0.01, 0.1]) == (0.01, 0.1)
    with pytest.raises(StudyError, match="--rates none: give one or more"):
        checked_rates([])
