"""Figures of a study by its name, as a notebook draws them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sample_study import write_study
from test_confirmed import confirm, read_test
from test_confirmed import store as store

import runs.plot
from runs.confirmation.errors import ConfirmationError
from runs.parameters import family_trials
from runs.plot import NothingToDrawError
from runs.plot.palette import DARK
from runs.reader import UnknownStudyError, open_reader
from runs.side_by_side import TrialChoiceError
from runs.snapshot import Snapshot, read_snapshot
from runs.writer import Writer
from space.costs import CostError


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('plot')}/results.db"
    write_study(url, "sample", trials=30)
    write_study(url, "early", complete=False, trials=2)
    return url


@pytest.fixture(scope="module")
def snapshot(storage: str) -> Snapshot:
    with open_reader(storage) as store:
        return read_snapshot(store, "sample")


def test_the_front_is_drawn_through_the_trials_of_the_front(
    storage: str, snapshot: Snapshot
) -> None:
    stair = next(t for t in runs.plot.front("sample", storage).data if t.name == "Mixer front")
    assert [row[0] for row in stair.customdata] == [t.number for t in snapshot.front]


def test_another_axis_is_named_as_the_cost_is(storage: str) -> None:
    figure = runs.plot.front("sample", storage, axis="params")
    assert figure.layout.xaxis.title.text == "Parameters"
    with pytest.raises(CostError, match=r"no cost 'parms' \(did you mean 'params'\?\)"):
        runs.plot.front("sample", storage, axis="parms")


def test_a_snapshot_is_drawn_as_it_was_read(snapshot: Snapshot) -> None:
    figure = runs.plot.hypervolume(snapshot, against="configurations")
    assert max(figure.data[0].y) == pytest.approx(snapshot.hypervolume)
    assert max(figure.data[0].x) == len(snapshot.found)


def test_curves_are_those_of_the_trials_named(storage: str) -> None:
    one = runs.plot.curves("sample", 4, storage)
    assert {trace.name for trace in one.data} == {"Training", "Validation"}
    several = runs.plot.curves("sample", [9, 4], storage)
    assert [trace.name for trace in several.data] == ["Trial 9", "Trial 4"]
    with pytest.raises(TrialChoiceError, match="no trial 400"):
        runs.plot.curves("sample", 400, storage)


def test_curves_are_by_default_those_worth_a_look(storage: str, snapshot: Snapshot) -> None:
    drawn = {trace.name for trace in runs.plot.curves("sample", storage=storage).data}
    ends = {snapshot.seeds_of(snapshot.front[i])[0].number for i in (0, -1)}
    assert {f"Trial {number}" for number in ends} <= drawn


def test_a_palette_reaches_the_figure(storage: str) -> None:
    for draw in (runs.plot.front, runs.plot.hypervolume, runs.plot.timeline):
        figure = draw("sample", storage, palette=DARK)
        assert figure.layout.template.layout.paper_bgcolor == DARK.background


@pytest.mark.parametrize("name", ["front", "hypervolume", "timeline", "importance", "parallel"])
def test_a_study_with_nothing_finished_gets_a_sentence(storage: str, name: str) -> None:
    with pytest.raises(NothingToDrawError, match=r"study 'early'.* let it run on"):
        getattr(runs.plot, name)("early", storage=storage)


def test_a_study_that_is_not_there_gets_a_sentence(storage: str) -> None:
    with pytest.raises(UnknownStudyError, match="did you mean 'sample'"):
        runs.plot.front("smaple", storage)


def test_a_notebook_loads_neither_streamlit_nor_the_accelerator_stack(storage: str) -> None:
    """Whatever module of figures was imported before, the name is the function's."""
    code = (
        "import sys, runs.plot.figures.front, runs.plot\n"
        f"runs.plot.front('sample', {storage!r})\n"
        f"runs.plot.curves('sample', None, {storage!r})\n"
        f"runs.plot.timeline('sample', {storage!r})\n"
        "spared = {'streamlit', 'jax', 'flax', 'optax', 'optuna', 'kaleido'}\n"
        "print(spared & {name.partition('.')[0] for name in sys.modules})"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_confirmed_fronts_and_their_difference_are_of_fresh_seeds(
    store: Writer, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    with pytest.raises(ConfirmationError, match=r"make one: python -m search\.confirm"):
        runs.plot.front("digits", url, view="confirmed")
    read_test(store, confirm(store))
    confirmed = runs.plot.front("digits", url, view="confirmed")
    assert confirmed.layout.yaxis.title.text == "Test accuracy (%)"
    first, given = (runs.plot.difference("digits", url, other=o) for o in (None, "Mixer baseline"))
    assert [figure.data[2].name for figure in (first, given)] == [
        "Mixer less ViT",
        "Mixer less Mixer baseline",
    ]
    with pytest.raises(NothingToDrawError, match="no ResNet to compare with; there are: ViT, "):
        runs.plot.difference("digits", url, other="ResNet")


def test_studies_are_compared_by_name_or_as_they_were_read(
    storage: str, snapshot: Snapshot
) -> None:
    other = replace(snapshot, study=replace(snapshot.study, name="other"))
    figure = runs.plot.compare(["sample", other, snapshot], storage)
    names = [trace.name for trace in figure.data if trace.mode == "lines+markers"]
    assert names == ["sample", "other", "sample (3)"]
    foreign = replace(other.study, spec=other.study.spec | {"dataset": "mnist"})
    with pytest.raises(NothingToDrawError, match="'other' cannot be compared with 'sample': its "):
        runs.plot.compare(["sample", replace(other, study=foreign)], storage)


def test_hyperparameters_are_those_of_the_family_asked_for(
    storage: str, snapshot: Snapshot
) -> None:
    found = family_trials(snapshot, "vit")
    lines = runs.plot.parallel("sample", storage, family="vit").data[0]
    assert len(lines.dimensions) == len(found.parameters) + 2  # and cost and accuracy
    assert len(lines.dimensions[-1]["values"]) == len(found.trials)
    with pytest.raises(NothingToDrawError, match=r"4 finished ViTs; importance takes 20"):
        runs.plot.importance("sample", storage, family="vit")
