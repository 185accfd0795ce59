"""Which weights a study keeps, and what becomes of them when it is killed or the disk is full."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from postgres import new_database
from records import WIDE_SPACE, at
from records import study as a_study
from test_loop import SEEDS, VIT, Listener, Quick, Repeating, search

from runs import winners
from runs.image_results import image_results_of
from runs.reader import Reader, open_reader
from runs.record import ImageResults, State, TrialRecord, WeightsRecord
from runs.repair.check import check
from runs.seeds import behind
from runs.weights_folder import WeightsFolder
from runs.writer import Writer, open_writer
from search.protocol import (
    Event,
    Finished,
    Predicted,
    TrialRequest,
    WeightsOffered,
    WeightsSent,
    WorkerDied,
)
from search.run import main
from search.study.kept_weights import KeptWeights
from search.study.state import StudyState
from space.cost import cost
from space.costs import FLOPS, PARAMS

ROOT = Path(__file__).parents[1]


@dataclass
class Offering(Quick):
    """A trainer that has weights of its trials, whose accuracies are as good as random."""

    sent: list[int] = field(default_factory=list)

    def run(
        self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        luck = cost(request.config).flops * 0.6180339887498949 % 1
        for event in super().run(request):
            if isinstance(event, Finished):
                seed = request.seeds[request.numbers.index(event.trial)]
                event = replace(event, accuracy=0.8 * luck + seed / 1000)
                if request.predicts:
                    yield Predicted(event.trial, np.array([seed % 10, 1, 2], np.uint16))
            yield event
        if request.weights_facts is not None:
            yield WeightsOffered()
            if goes_on():
                self.sent += request.numbers
                for number in request.numbers:
                    yield WeightsSent(number, self.content(number))

    def content(self, number: int) -> bytes:
        return f"weights of {number}".encode()


class Alike(Offering):
    """All trials have the same weights."""

    def content(self, number: int) -> bytes:
        return b"weights of any"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Writer]:
    sqlite = f"sqlite:///{tmp_path}/s.db"
    with open_writer(sqlite if request.param == "sqlite" else new_database()) as writer:
        yield writer


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Writer]:
    with open_writer(f"sqlite:///{tmp_path}/s.db") as writer:
        yield writer


def run(
    store: Writer,
    folder: Path,
    trials: int,
    *,
    which: str = "front",
    trainer: Quick | None = None,
    **changes: object,
) -> Listener:
    """Runs a study, or goes on with it, and keeps weights."""
    searched, listener = search(
        store, trainer=trainer or Offering(), space=WIDE_SPACE, baselines=(VIT,), **changes
    )
    kept = KeptWeights(searched.study, WeightsFolder(folder), only_front=which == "front")
    replace(searched, weights=None if which == "none" else kept).go(num_trials=trials)
    return listener


def on_front(store: Reader) -> set[int]:
    """Numbers of the trials on the front, all seeds."""
    trials = store.trials("s")
    front = winners.front(winners.candidates(trials))
    return {seed.number for mean in front for seed in behind(trials, mean)}


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_weights_of_the_front_are_kept_and_no_others(
    store: Writer, tmp_path: Path, seeds: int
) -> None:
    trainer = Offering()
    run(store, tmp_path / "w", 20, trainer=trainer, seeds=seeds, sampler="random")
    kept = store.weights("s")
    assert set(kept) == on_front(store)
    assert len(kept) >= 2 * seeds
    assert files(tmp_path / "w") == {f"{record.digest}.safetensors" for record in kept.values()}
    for number, record in kept.items():
        content = WeightsFolder(tmp_path / "w").read(record)
        assert (content, len(content)) == (f"weights of {number}".encode(), record.size_bytes)
    complete = [t for t in store.trials("s") if t.state is State.COMPLETE]
    assert len(kept) < len(trainer.sent) < len(complete), "some left, others were not asked for"


def test_of_a_study_of_another_cost_it_is_the_front_in_that(lite: Writer, tmp_path: Path) -> None:
    lite.add_study(a_study("s", spec={"cost": "params", "cost_ceiling": 1e9}, flops_ceiling=10**9))
    run(lite, tmp_path / "w", 20, cost="params", sampler="random", seed=1)
    found = winners.candidates(lite.trials("s"))
    of_params, of_flops = (
        {t.number for t in winners.front(found, cost=cost)} for cost in (PARAMS, FLOPS)
    )
    assert set(lite.weights("s")) == of_params != of_flops


def test_all_keeps_baselines_too_and_none_keeps_nothing(lite: Writer, tmp_path: Path) -> None:
    run(lite, tmp_path / "w", 4, which="none")
    assert not (tmp_path / "w").exists()
    run(lite, tmp_path / "w", 8, which="all")
    assert set(lite.weights("s")) == set(range(5, 9)), "what ended before has none"
    lite.add_study(a_study("other"))
    assert lite.weights("other") == {}


def test_a_trial_that_leaves_the_front_in_a_later_run_takes_its_weights_with_it(
    lite: Writer, tmp_path: Path
) -> None:
    run(lite, tmp_path / "w", 4)
    before = set(lite.weights("s"))
    run(lite, tmp_path / "w", 24)
    assert before - on_front(lite), "better ones came"
    assert set(lite.weights("s")) == on_front(lite)
    assert len(files(tmp_path / "w")) == len(on_front(lite))


def test_equal_weights_are_one_file_as_long_as_a_trial_has_them(
    lite: Writer, tmp_path: Path
) -> None:
    run(lite, tmp_path / "w", 20, trainer=Alike())
    assert set(lite.weights("s")) == on_front(lite)
    assert len(files(tmp_path / "w")) == 1


def test_what_is_kept_of_all_stays_when_only_the_front_is_asked_for(
    lite: Writer, tmp_path: Path
) -> None:
    run(lite, tmp_path / "w", 10, which="all")
    front = on_front(lite)
    run(lite, tmp_path / "w", 11)
    left = front - on_front(lite)
    assert set(range(11)) - left <= set(lite.weights("s"))


def test_a_configuration_driven_off_the_front_while_it_sends_is_not_kept(
    lite: Writer, tmp_path: Path
) -> None:
    study = lite.add_study(a_study("s"))
    slow, quick = (
        lite.add_trial("s", at(flops, accuracy, number, seed=0))
        for number, (flops, accuracy) in enumerate([(2000, 0.5), (1000, 0.6)])
    )
    running = [
        replace(t, state=State.RUNNING, accuracy=None, finished_at=None) for t in (slow, quick)
    ]
    state = StudyState(running)
    kept = KeptWeights(study, WeightsFolder(tmp_path), only_front=True)
    assert kept.wants([slow], state)
    assert kept.wants([quick], state)
    for trial in (quick, slow):
        kept.end_trials(lite, [trial], {trial.number: b"weights"}, state, print)
        state.put([trial])
    assert set(lite.weights("s")) == {quick.number}
    assert not kept.wants([slow], state)


def test_weights_that_cannot_be_written_are_one_note_and_the_results_are_stored(
    lite: Writer, tmp_path: Path
) -> None:
    (tmp_path / "w").write_text("a file where the folder should be")
    listener = run(lite, tmp_path / "w", 6, which="all")
    (note,) = (note for note in listener.notes if "weights" in note)
    assert note.startswith(f"no weights can be written in {tmp_path}/w (File exists); see that")
    assert [t.state for t in lite.trials("s")] == [State.COMPLETE] * 7
    assert lite.weights("s") == {}


@pytest.mark.fault("the disk of the weights full while a study runs")
def test_a_full_disk_loses_weights_and_no_result(here: Path) -> None:
    """No file may grow beyond 1.5 MB: the database does not, and the weights of this network do."""
    (here / "large.toml").write_text(
        'name = "large"\ndataset = "digits"\ntrials = 1\nbaselines = 0\ntrain_limit = 128\n'
        "[space]\npatch_size = [4]\nhidden_dim = [256]\nnum_blocks = [1]\n"
        "tokens_mlp_dim = [8]\nchannels_mlp_dim = [1024]\n[recipe]\nepochs = 1\nbatch_size = 64\n"
    )
    command = [sys.executable, "-m", "search.run", "--study", "large.toml", "--device", "cpu"]
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 1500; exec {shlex.join(command)}"],  # KiB
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "250"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("(File too large); free some space: results are stored") == 1
    with open_reader() as reader:
        (trial,) = reader.trials("large")
        assert reader.weights("large") == {}
    assert trial.state is State.COMPLETE
    assert list(here.rglob("*.safetensors*")) == []
    assert check(None).problems == ()


class Killed(Writer):
    """Dies when the file of some weights is there and their row is not."""

    def end_trials(
        self,
        study: str,
        trials: Sequence[TrialRecord],
        *,
        weights: Sequence[WeightsRecord] = (),
        without: Collection[int] = (),
        image_results: Sequence[ImageResults] = (),
    ) -> list[str]:
        if trials[0].number == 3:
            assert weights
            os.kill(os.getpid(), signal.SIGKILL)
        return super().end_trials(
            study, trials, weights=weights, without=without, image_results=image_results
        )


def run_and_die(storage: str, folder: str) -> None:
    """In a process of its own."""
    with open_writer(storage) as opened:
        store = Killed(opened._engine, opened.where)
        run(store, Path(folder), 10, which="all")


def of_weights(storage: str) -> tuple[list[str], list[str]]:
    """Problems and notes of a check, as far as they are about weights."""
    report = check(storage)
    return [p for p in report.problems if "weights" in p], [
        n for n in report.notes if "weights" in n
    ]


@pytest.mark.fault("a study killed (SIGKILL) between the file of some weights and its row")
def test_killed_between_file_and_row_a_study_leaves_an_orphan_and_goes_on(tmp_path: Path) -> None:
    storage, folder = f"sqlite:///{tmp_path}/s.db", tmp_path / "s.db.weights"
    code = f"import test_kept_weights as t; t.run_and_die({storage!r}, {str(folder)!r})"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    died = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, check=False
    )
    assert died.returncode == -signal.SIGKILL
    with open_reader(storage) as reader:
        assert set(reader.weights("s")) == {0, 1, 2}
        assert reader.trial("s", 3).state is State.RUNNING
    assert len(files(folder)) == 4
    problems, notes = of_weights(storage)
    assert not problems
    assert "1 file of weights" in notes[0]
    assert "python -m runs gc" in notes[0]
    with open_writer(storage) as store:
        run(store, folder, 10, which="all")
        assert set(store.weights("s")) == set(range(11))
    assert len(files(folder)) == 11, "trained again, it has the same weights"
    assert of_weights(storage) == ([], [])


LABELS = np.array([0, 1, 0])


def confirm(store: Writer, folder: Path, trainer: Quick | None = None) -> Listener:
    """Trains trial 1 twice again, and keeps weights of the front."""
    searched, listener = search(store, trainer=trainer or Offering())
    replace(
        searched,
        scheduler=Repeating,
        weights=KeptWeights(searched.study, WeightsFolder(folder), only_front=True),
        image_results=partial(image_results_of, split="validation", labels=LABELS),
    ).go(num_trials=0)
    return listener


def confirmations(store: Reader) -> list[TrialRecord]:
    return [t for t in store.trials("s") if t.parent is not None]


def test_all_weights_of_a_confirmation_are_kept_and_those_of_the_search_stay_as_they_were(
    lite: Writer, tmp_path: Path
) -> None:
    run(lite, tmp_path / "w", 8)
    before = lite.weights("s")
    assert 0 < len(before) < 8, "of the front alone"
    assert lite.trial("s", 1).seed not in SEEDS
    confirm(lite, tmp_path / "w")
    ends = confirmations(lite)
    assert [(t.state, t.seed) for t in ends] == [(State.COMPLETE, seed) for seed in SEEDS]
    assert set(lite.weights("s")) == set(before) | {t.number for t in ends}
    assert len(files(tmp_path / "w")) == len(before) + len(ends)
    results = lite.image_results("s", "validation")
    assert {n: bin(found.right[0]) for n, found in results.items()} == {
        ends[0].number: "0b11000000",  # 0, 1 and 2 predicted where there are 0, 1 and 0
        ends[1].number: "0b1000000",
    }
    run(lite, tmp_path / "w", 12)
    assert {t.number for t in ends} <= set(lite.weights("s")), "the search takes none away"


def test_a_confirmation_whose_weights_cannot_be_written_has_failed_and_has_no_results(
    lite: Writer, tmp_path: Path
) -> None:
    run(lite, tmp_path / "w", 4, which="none")
    (tmp_path / "w").write_text("a file where the folder should be")
    listener = confirm(lite, tmp_path / "w")
    (note,) = (note for note in listener.notes if "weights" in note)
    assert note.endswith("see that it can be written: confirmations that end meanwhile have failed")
    for trial in confirmations(lite):
        assert (trial.state, trial.accuracy) == (State.FAILED, None)
        assert trial.error == "its weights could not be kept, from which the test is predicted"
        assert trial.may_be_tried_again
    assert [t.state for t in listener.ends[-2:]] == [State.FAILED] * 2
    assert lite.image_results("s", "validation") == {}
    assert check(f"sqlite:///{tmp_path}/s.db").problems == ()


@dataclass
class DiesInWeights(Offering):
    """A trainer whose worker dies when it is to send weights, so many times."""

    deaths: int = 1

    def run(
        self, request: TrialRequest, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        for event in super().run(request, goes_on):
            if isinstance(event, WeightsSent) and event.trial != request.numbers[0] and self.deaths:
                self.deaths -= 1
                yield WorkerDied("killed by SIGKILL")  # type: ignore[misc]
                return
            yield event


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_worker_that_dies_before_it_has_sent_the_weights_of_a_confirmation_trains_again(
    lite: Writer, tmp_path: Path, deaths: int
) -> None:
    run(lite, tmp_path / "w", 4, which="none")
    trainer = DiesInWeights(deaths=deaths)
    listener = confirm(lite, tmp_path / "w", trainer)
    assert len(trainer.requested) == 2
    first, second = confirmations(lite)
    assert first.state is State.COMPLETE
    assert second.state is (State.COMPLETE if deaths == 1 else State.FAILED)
    kept = {t.number for t in (first, second) if t.state is State.COMPLETE}
    assert set(lite.weights("s")) == set(lite.image_results("s", "validation")) == kept
    assert not any("results are stored" in note for note in listener.notes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--keep-weights", "best"), "--keep-weights best: there is front, all, none; choose one"),
        (("--weights-dir", "file/x"), "--weights-dir file/x: no file can be written there"),
    ],
)
def test_what_cannot_be_kept_or_written_is_a_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, str], says: str
) -> None:
    (here / "file").touch()
    assert main(["--study", "mixer_smoke", *options]) == 2
    assert says in capsys.readouterr().err
