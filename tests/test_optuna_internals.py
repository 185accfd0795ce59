"""What Optuna keeps to itself is still where it was; and nothing else of the kind is used."""

from __future__ import annotations

import re
from pathlib import Path

import optuna
from optuna.samplers import NSGAIISampler

from search.schedule.optuna_internals import parents, recall_parents, reopened, set_system_attr

ROOT = Path(__file__).parents[1]


def study_of(generations: int) -> tuple[optuna.Study, NSGAIISampler]:
    sampler = NSGAIISampler(seed=0, population_size=4)
    study = optuna.create_study(sampler=sampler, directions=["maximize", "minimize"])
    study.optimize(
        lambda trial: (x := trial.suggest_float("x", 0, 1), x**2), n_trials=4 * generations
    )
    return study, sampler


def test_an_attribute_is_read_back_from_the_trial() -> None:
    study, _ = study_of(1)
    running = study.ask()
    set_system_attr(study, study.get_trials(deepcopy=False)[running.number], "name", [1, 2])
    reopened(study, running.number).set_user_attr("other", 3)
    read = study.get_trials()[running.number]
    assert (read.system_attrs["name"], read.user_attrs["other"]) == ([1, 2], 3)


def test_parents_that_are_recalled_are_not_chosen_anew() -> None:
    study, sampler = study_of(3)
    chosen = parents(study, sampler, 2)
    assert len(chosen) == 1
    assert parents(study, sampler, 9) == {}
    other = optuna.create_study(sampler=sampler, directions=["maximize", "minimize"])
    for trial in study.get_trials():
        trial.system_attrs.update(chosen)  # as records have them
        other.add_trial(trial)
    assert parents(other, sampler, 2) == {}
    recall_parents(other, sampler)
    assert parents(other, sampler, 2) == chosen


def test_the_private_names_of_libraries_stand_in_one_place_each() -> None:
    """Of Optuna here, of TFDS in `search.data.prepared`, of JAX in `search.train.xla_options`."""
    private = re.compile(r"(?<!self)(?<!cls)(?<!super\(\))\.(_(?!_|exit\b)\w+)")
    found = {
        str(path.relative_to(ROOT)): set(private.findall(path.read_text()))
        for package in ("search", "space", "runs", "dashboard")
        for path in (ROOT / package).rglob("*.py")
    }
    peers = {"_session", "_engine", "_data", "_process", "_factorise", "_read", "_ends", "_folder"}
    peers |= {"_asdict"}  # of named tuples, where it is no private name
    used = {path: names - peers for path, names in found.items() if names - peers}
    assert used.pop("search/schedule/optuna_internals.py")
    assert used == {
        "search/data/prepared.py": {"_is_gcs_disabled"},
        "search/train/xla_options.py": {"_src"},
    }
