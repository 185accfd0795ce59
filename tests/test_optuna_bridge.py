"""A study that Optuna itself opens: its trials, curves and front are ours."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from json_keys import undocumented
from optuna.trial import TrialState
from records import epoch, running, study, trial, vit

from runs import pareto
from runs.__main__ import main as runs_main
from runs.foreign_tables import foreign_tables
from runs.reader import open_reader
from runs.record import Origin, State, TrialRecord
from runs.repair.check import check
from runs.winners import objectives
from runs.writer import open_writer
from search.optuna_bridge import to_optuna
from search.to_optuna import main

SPACE = {
    "mixer": {"hidden_dim": [8, 16, 32, 48], "num_blocks": [2, 4]},
    "vit": {"hidden_dim": [12, 24], "num_heads": [3]},
}
TRIALS = [
    trial(0, accuracy=0.5),
    trial(1, accuracy=0.4),  # dominated: larger, and less accurate
    trial(2, config=vit(), accuracy=0.9, origin=Origin.BASELINE),
    running(3, state=State.PRUNED, rung=2, error="stopped after epoch 2"),
    running(4, state=State.FAILED, error="the loss was not finite"),
    running(5, state=State.REFUSED, error="over the budget"),
    running(6),
    trial(7, config=trial(0).config, origin=Origin.CONFIRMATION, parent=0, seed=9, accuracy=0.99),
    trial(8, accuracy=0.6),
]


@pytest.fixture
def storage(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/ours.db"
    with open_writer(url) as store:
        record = study()
        store.add_study(replace(record, spec=record.spec | {"space": SPACE}))
        store.add_trials("digits", TRIALS)
        store.add_epochs("digits", [epoch(e, trial=t) for t in (0, 3) for e in (1, 2)])
    return url


@pytest.fixture
def out(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/theirs.db"


def copied(storage: str, out: str) -> optuna.Study:
    to_optuna("digits", out, storage=storage)
    return optuna.load_study(study_name="digits", storage=out)


def front_of(trials: list[TrialRecord]) -> list[int]:
    """Numbers of the complete trials that no other dominates."""
    complete = [t for t in trials if t.state is State.COMPLETE]
    return [complete[i].number for i in pareto.front(*objectives(complete))]


def test_optuna_finds_our_front_and_all_our_trials_that_ended(storage: str, out: str) -> None:
    found = copied(storage, out)
    assert [d.name for d in found.directions] == ["MAXIMIZE", "MINIMIZE"]
    ours = [t for t in TRIALS if t.origin is not Origin.CONFIRMATION]
    best = sorted(found.best_trials, key=lambda t: t.values[1])
    assert [t.user_attrs["trial"] for t in best] == front_of(ours)
    assert [(t.user_attrs["trial"], t.state) for t in found.trials] == [
        (0, TrialState.COMPLETE),
        (1, TrialState.COMPLETE),
        (2, TrialState.COMPLETE),
        (3, TrialState.PRUNED),
        (4, TrialState.FAIL),
        (5, TrialState.FAIL),
        (8, TrialState.COMPLETE),
    ]
    first = found.trials[0]
    assert first.values == [0.5, float(TRIALS[0].flops)]
    assert first.intermediate_values == {e: epoch(e).validation_accuracy for e in (1, 2)}
    assert first.duration == TRIALS[0].finished_at - TRIALS[0].started_at  # type: ignore[operator]
    assert first.user_attrs["label"] == TRIALS[0].label
    assert found.trials[5].user_attrs["error"] == "over the budget"


def test_parameters_of_both_families_have_one_distribution_a_name(storage: str, out: str) -> None:
    found = copied(storage, out)
    mixer, other = found.trials[0], found.trials[2]
    assert (mixer.params["family"], other.params["family"]) == ("mixer", "vit")
    assert "num_heads" not in mixer.params
    assert "tokens_mlp_dim" not in other.params
    assert mixer.distributions["hidden_dim"] == other.distributions["hidden_dim"]
    assert mixer.params["hidden_dim"] == TRIALS[0].config.hidden_dim
    found.sampler = optuna.samplers.TPESampler(seed=0)  # and a sampler goes on with it
    asked = found.ask(mixer.distributions)
    assert asked.params.keys() == mixer.params.keys()


def test_what_a_study_calls_useless_is_not_on_the_front(storage: str, out: str) -> None:
    with open_writer(storage) as store:
        record = store.study("digits")
        store.put_study(replace(record, spec=record.spec | {"min_accuracy": 0.55}))
    best = copied(storage, out).best_trials
    assert {t.user_attrs["trial"] for t in best} == {2, 8}


def test_a_database_of_ours_and_a_study_that_is_there_are_refused(
    storage: str, out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--study", "digits", "--storage", storage, "--out"]
    before = Path(storage.removeprefix("sqlite:///")).read_bytes()
    assert main([*argv, storage]) == 2
    assert "is a database of this program" in capsys.readouterr().err
    assert Path(storage.removeprefix("sqlite:///")).read_bytes() == before
    assert main([*argv, out]) == 0
    assert main([*argv, out]) == 2
    assert "has a study 'digits' already" in capsys.readouterr().err
    assert main([*argv, out, "--name", "again", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"study": "digits", "name": "again", "out": out, "trials": 7}
    assert not undocumented(facts)
    assert sorted(optuna.get_all_study_names(out)) == ["again", "digits"]
    (tmp_path / "text.db").write_text("no database")
    assert main([*argv, f"sqlite:///{tmp_path}/text.db"]) == 2
    assert not [*tmp_path.glob(".*.tmp")]


def test_a_database_of_another_version_of_optuna_gets_a_sentence(
    storage: str, out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optuna.create_study(study_name="theirs", storage=out)
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as connection:
        connection.execute("UPDATE version_info SET schema_version = 1")
        connection.execute("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
        connection.commit()
    assert main(["--study", "digits", "--storage", storage, "--out", out]) == 2
    assert "theirs.db" in (said := capsys.readouterr().err)
    assert "schema" in said


def test_what_fails_half_way_leaves_nothing(
    storage: str, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = optuna.Study.add_trials

    def fails(self: optuna.Study, trials: list[optuna.trial.FrozenTrial]) -> None:
        add(self, trials[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr(optuna.Study, "add_trials", fails)
    with pytest.raises(KeyboardInterrupt):
        to_optuna("digits", out, storage=storage)
    assert not Path(out.removeprefix("sqlite:///")).exists()
    optuna.create_study(study_name="theirs", storage=out)
    with pytest.raises(KeyboardInterrupt):
        to_optuna("digits", out, storage=storage)
    assert optuna.get_all_study_names(out) == ["theirs"]


def test_optuna_pointed_at_our_file_is_said_in_one_line_and_does_no_harm(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert foreign_tables(storage) is None
    with open_reader(storage) as store:
        before = store.trials("digits")
    assert optuna.get_all_study_names(storage) == []  # which makes its tables
    with closing(sqlite3.connect(storage.removeprefix("sqlite:///"))) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert {"studies", "trials", "run_trial"} <= tables
    assert runs_main(["list", "--storage", storage]) == 0
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "Optuna was pointed at" in printed.err
    assert "digits" in printed.out
    assert any("Optuna was pointed at" in note for note in check(storage).notes)
    with open_writer(storage) as store:
        assert store.trials("digits") == before
        store.add_trial("digits", trial(9))
