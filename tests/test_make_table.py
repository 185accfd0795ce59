"""A table of learning curves made by its command, and what its card says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from search.spec.study_file import find_study
from space.config import ImageTask, MixerConfig
from space.cost import cost
from space.search_space import fitted

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import make_table  # noqa: E402
from learning_curves import PARAMETERS, TABLES, LearningCurves, read_table  # noqa: E402
from recorded import recorded  # noqa: E402
from simulator import replay  # noqa: E402

from search.schedule.optuna_adapter import SAMPLERS  # noqa: E402

STUDY = """
name = "tiny"
dataset = "digits"
train_limit = 200

[space]
patch_size = [4]
hidden_dim = [8, 16]
tokens_mlp_dim = [8]
channels_mlp_dim = [16, 32]
num_blocks = [1]

[recipe]
epochs = 2
batch_size = 64

[rungs]
count = 0
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table of four configurations, two of them trained with a second seed."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "tiny.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_table, "TABLES", folder)
        words = ["--study", str(folder / "tiny.toml"), "--repeated", "2", "--workers", "1"]
        assert make_table.main(words) == 0
    return folder


@pytest.fixture(scope="module")
def curves(made: Path) -> LearningCurves:
    return read_table(made / "digits.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "cost_aware", "tpe", "nsga2"])
def test_every_sampler_can_search_a_table_that_was_made(
    curves: LearningCurves, sampler: str
) -> None:
    done = replay(recorded(curves), seed=0, sampler=SAMPLERS[sampler])
    assert done.points[-1].above_guessing == pytest.approx(1.0)


@pytest.mark.slow
def test_repeated_configurations_are_among_those_of_the_first_seed(
    made: Path, curves: LearningCurves
) -> None:
    seeds = curves.rows.groupby(list(PARAMETERS))["seed"].nunique()
    assert sorted(seeds) == [1, 1, 2, 2]
    card = (made / "digits.md").read_text()
    assert "4 with seed 0, 2 with seed 1" in card
    assert "over the seeds of 2 configurations" in card


@pytest.mark.slow
def test_a_configuration_that_never_trained_to_the_end_is_kept_as_failed(
    curves: LearningCurves,
) -> None:
    assert curves.about["failed"] == []
    fields = {"patch_size": 4, "hidden_dim": 8, "tokens_mlp_dim": 8, "channels_mlp_dim": 16}
    values = fields | {"num_blocks": 1}
    is_it = (curves.rows[list(values)] == list(values.values())).all(axis=1)
    table = recorded(LearningCurves(curves.rows[~is_it], curves.about | {"failed": [values]}))
    assert table.failed == {MixerConfig(**table.task.model_dump(), **values)}
    assert len(table.trainings) == 3


def test_the_card_in_the_repository_is_the_tables() -> None:
    card = make_table.card("digits", read_table("digits"))
    assert (TABLES / "digits.md").read_text() == card
    assert "over the seeds of 639 configurations" in card


def test_an_unknown_study_is_refused_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_table.main(["--study", "mixer_digts"]) == 2
    assert "did you mean 'mixer_digits'?" in capsys.readouterr().err


def test_the_table_for_cifar_is_of_214_configurations() -> None:
    spec = find_study(str(TABLES / "cifar10.toml"))
    task = ImageTask(image_size=32, image_channels=3, num_classes=10)
    members = list(fitted("mixer", spec.space["mixer"], task).members(task))
    assert spec.max_flops
    assert sum(cost(config).flops <= spec.max_flops for config in members) == 214
