"""Costs: a study minimises the one it names, and a new one is an entry of a dictionary."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, EntryPoints
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import CIFAR, DIGITS, WIDE_SPACE, mixer, study, trial
from visits import visit, words

import runs
import space.costs as module
import space.installed
from runs import pareto, winners
from runs.reader import open_reader
from runs.record import Origin, State, StudyRecord, TrialRecord
from runs.repair.contradictions import contradictions
from runs.writer import open_writer
from search.export import main as export
from search.run import main as run
from search.schedule.candidate import Candidate
from search.schedule.early_stopping import EarlyStopping
from search.schedule.optuna_adapter import SAMPLERS
from search.schedule.scheduler import Scheduler
from search.schedule.stopping_rule import Peer, TooFarBehind
from search.spec.rungs import RungSpec
from search.spec.studies import STUDIES, StudyError, StudySpec, with_changes
from search.spec.study_file import read_study
from search.study.plan import plan, reachable
from space import presets
from space.config import Config
from space.cost import cost as bill_of
from space.costs import COSTS, FLOPS, IMAGES_PER_SECOND, MACS, PARAMS, Cost, CostError, find_cost
from space.errors import ConfigError
from space.installed import installed
from space.mixer_family import MixerRanges
from space.search_space import fitted

LAYERS = Cost(
    name="layers",
    label="Layers",
    unit="layers",
    title="Layers (blocks of the network)",
    of=lambda config: config.num_blocks,
)

WIDTH = Cost(
    name="width",
    label="Width",
    unit="channels",
    title="Width (channels)",
    of=lambda config: config.hidden_dim,
)

STUDY = """
name = "few_layers"
dataset = "digits"
cost = "layers"
max_cost = 2
trials = 4
baselines = 1

[space]
patch_size = [4]
hidden_dim = [8, 16]
tokens_mlp_dim = [8]
channels_mlp_dim = [16]
num_blocks = [1, 2, 3]

[recipe]
epochs = 2
batch_size = 64
learning_rate = 3e-3
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the study's file, and its database once it has run."""
    folder = tmp_path_factory.mktemp("layers")
    (folder / "study.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COSTS, "layers", LAYERS)
        assert run(["--study", str(folder / "study.toml"), *storage(folder)]) == 0
        yield folder


def storage(folder: Path) -> list[str]:
    return ["--storage", f"sqlite:///{folder}/results.db"]


@pytest.fixture
def results(written: Path) -> tuple[StudyRecord, list[TrialRecord]]:
    with open_reader(f"sqlite:///{written}/results.db") as store:
        return store.study("few_layers"), store.trials("few_layers")


def test_a_study_minimises_the_cost_it_names(
    results: tuple[StudyRecord, list[TrialRecord]],
) -> None:
    record, trials = results
    assert (record.cost, record.cost_ceiling) == (LAYERS, 2)
    assert [t.costs for t in trials] == [{"layers": float(t.config.num_blocks)} for t in trials]
    searched = [t for t in trials if t.origin is Origin.SEARCH]
    assert sorted((t.config.num_blocks, t.config.hidden_dim) for t in searched) == [
        *((1, 8), (1, 16), (2, 8), (2, 16))
    ]
    front = winners.front(searched, cost=record.cost)
    assert [t.number for t in front] == brute_force([(t.config.num_blocks, t) for t in searched])
    reached = [max(t.accuracy or 0 for t in searched if t.config.num_blocks <= n) for n in (1, 2)]
    by_hand = (reached[0] - 0.1) * math.log10(2)  # at 2 layers it is at the reference point
    found = pareto.hypervolume(*winners.objectives(front, LAYERS), winners.reference_of(record))
    assert found == pytest.approx(by_hand)


def test_the_data_frame_has_a_column_of_it(written: Path) -> None:
    frame = runs.frame("few_layers", f"sqlite:///{written}/results.db")
    assert list(frame["layers"]) == list(frame["num_blocks"])
    assert {"flops", "params", "macs"} <= set(frame.columns)


def test_the_same_command_goes_on_and_another_cost_is_another_study(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--study", str(written / "study.toml"), *storage(written)]) == 0
    said = capsys.readouterr().out
    assert "at most 2 layers" in said
    assert "nothing was left to train" in said
    other = tmp_path / "study.toml"
    other.write_text(STUDY.replace('cost = "layers"\nmax_cost = 2', 'cost = "params"'))
    assert run(["--study", str(other), *storage(written)]) == 2
    error = capsys.readouterr().err
    assert "with another specification: cost is layers there, params asked" in error


@pytest.mark.usefixtures("here")
def test_export_takes_the_best_of_at_most_so_much(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--study", "few_layers", *storage(written)]
    assert export([*common, "--max-cost", "1"]) == 0
    assert ", 1 layers, accuracy" in capsys.readouterr().out
    preset = presets.load("runs/presets/few_layers_best_max_cost_1.json")
    assert preset.config.num_blocks == 1
    assert export([*common, "--max-cost", "0.6"]) == 2
    error = capsys.readouterr().err
    assert "no finished trial has at most 0.6 layers; the cheapest has 1 layers: raise" in error
    assert "--max-cost" in error


def test_the_front_page_shows_it(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXER_STORAGE", storage(written)[1])
    app = visit(study="few_layers")
    assert app.session_state["front_axis"] == "layers"
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["layout"]["xaxis"]["title"]["text"] == "Layers (blocks of the network)"
    assert sorted(x for trace in figure["data"][:1] for x in numbers(trace["x"])) == [1, 1, 2, 2]
    assert "Best within so many layers" in [slider.label for slider in app.select_slider]
    assert "Layers" in app.dataframe[0].value.columns
    assert [m.label for m in visit("trial", study="few_layers").metric][-1] == "Layers"
    assert "decades of layers" in words(visit("progress", study="few_layers"))
    table = visit("table", study="few_layers")
    box = table.number_input[0]
    assert (box.label, box.key) == ("At most so many layers", "table_max_layers")


def test_who_does_not_know_the_cost_reads_what_was_recorded(
    results: tuple[StudyRecord, list[TrialRecord]],
    written: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record, trials = results
    known = winners.front(winners.candidates(trials), cost=record.cost)
    monkeypatch.delitem(COSTS, "layers")
    assert record.cost.name == record.cost.unit == "layers"
    assert winners.front(winners.candidates(trials), cost=record.cost) == known
    monkeypatch.setenv("MIXER_STORAGE", storage(written)[1])
    assert not visit(study="few_layers").error


def numbers(column: Any) -> list[float]:
    """A column of a figure, which may travel as bytes."""
    import base64

    if isinstance(column, dict):
        return np.frombuffer(base64.b64decode(column["bdata"]), column["dtype"]).tolist()
    return list(column)


def brute_force(trials: list[tuple[float, TrialRecord]]) -> list[int]:
    """The numbers of the trials that no other dominates, cheapest first."""
    pairs = [(value, t.accuracy or 0.0, t.number) for value, t in trials]
    front = [
        (value, number)
        for value, accuracy, number in pairs
        if not any(
            v <= value and a >= accuracy and (v, a) != (value, accuracy) for v, a, _ in pairs
        )
    ]
    return [number for _, number in sorted(front)]


MEMBERS = list(WIDE_SPACE.members(DIGITS))


@given(
    chosen=st.lists(
        st.tuples(st.sampled_from(MEMBERS), st.integers(1, 99)), min_size=1, max_size=25
    ),
    cost=st.sampled_from([FLOPS, MACS, PARAMS, LAYERS]),
)
def test_front_and_hypervolume_are_those_of_the_named_cost(
    chosen: list[tuple[Config, int]], cost: Cost
) -> None:
    trials = [
        trial(number, config=config, accuracy=percent / 100)
        for number, (config, percent) in enumerate(chosen)
    ]
    front = winners.front(trials, cost=cost)
    assert [t.number for t in front] == brute_force([(cost(t.config), t) for t in trials])
    ceiling = 2 * max(cost(t.config) for t in trials)
    record = study(spec={"cost": "x", "cost_ceiling": ceiling})
    found = pareto.hypervolume(*winners.objectives(trials, cost), winners.reference_of(record))
    edges = sorted({cost(t.config) for t in trials} | {ceiling})
    area = 0.0
    for low, high in pairwise(edges):
        best = max(t.accuracy or 0.0 for t in trials if cost(t.config) <= low)
        area += max(0.0, best - record.guess_accuracy) * math.log10(high / low)
    assert found == pytest.approx(area)


def test_the_winner_of_few_parameters_is_not_that_of_few_flops() -> None:
    many_tokens = trial(0, config=mixer(patch_size=1, hidden_dim=16), accuracy=0.8)
    many_weights = trial(1, config=mixer(patch_size=4, hidden_dim=64), accuracy=0.8)
    assert many_tokens.params < many_weights.params
    assert many_tokens.flops > many_weights.flops
    both = [many_tokens, many_weights]
    for cost, winner in ((PARAMS, many_tokens), (FLOPS, many_weights)):
        assert winners.pick(both, "cheapest", cost=cost) is winner
        assert winners.pick(both, "best", max_cost=winner.cost(cost), cost=cost) is winner


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_proposed_is_under_both_limits(sampler: str) -> None:
    spec = with_changes(
        StudySpec(name="s", dataset="digits", cost="params", max_cost=3_000, max_flops=100_000),
        sampler=sampler,
    )
    refused: list[str] = []

    def refuse(new: Any, reason: str) -> TrialRecord:
        refused.append(reason)
        return trial(state=State.REFUSED, config=new.config, accuracy=None, loss=None)

    asked = Scheduler(
        spec,
        {"mixer": WIDE_SPACE},
        DIGITS,
        max_flops=100_000,
        max_cost=3_000,
        baselines=(),
        history=(),
        curves={},
        num_trials=24,
        refuse=refuse,
    )
    found = []
    while new := asked.suggest():
        found.append(new.candidate)
        ended = trial(config=new.config, accuracy=0.1 + new.candidate.flops / 200_000)
        asked.on_end(new, [ended], [0.1] * spec.recipe.epochs)
    assert len({candidate.config for candidate in found}) == 24
    assert all(c.cost == bill_of(c.config).params <= 3_000 for c in found)
    assert all(bill_of(c.config).flops <= 100_000 for c in found)
    told = asked._families["mixer"].sampler._study.get_trials(deepcopy=False)[0]
    assert told.values[1] == pytest.approx(math.log10(found[0].cost))
    if sampler == "cost_aware":
        assert not refused, "it knows what is over either limit"
    for reason in refused:
        assert (
            reason == "tried before"
            or " FLOPs of at most 100,000" in reason
            or (" parameters of at most 3,000" in reason)
        )


def test_at_a_rung_trials_are_compared_with_those_that_cost_no_more() -> None:
    seen = []

    def too_far(peer: Peer, others: Sequence[Peer], spread: float | None) -> TooFarBehind:
        seen.append(peer.cost)
        return TooFarBehind(Peer(peer.cost, 0.9), 0.1)

    rungs = RungSpec(count=1, spared=0)
    stopping = EarlyStopping(rungs, epochs=9, seed=0, rule=too_far, cost=PARAMS)
    decision = stopping.decide(Candidate.of(mixer(), PARAMS), 3, 0.2)
    assert seen == [bill_of(mixer()).params]
    assert "20.0 % where a trial of no more parameters had 90.0 %" in (decision.reason or "")


def test_a_ceiling_nobody_gave_is_above_the_dearest_network() -> None:
    spec = StudySpec(name="s", dataset="cifar10", cost="params", baselines=3)
    planned = plan(spec, CIFAR)
    dearest = PARAMS(planned.spaces["mixer"].most_expensive(CIFAR, PARAMS))
    assert dearest < planned.cost_ceiling < 1.03 * dearest
    counts = [PARAMS(config) for config in planned.baselines]
    assert counts == sorted(counts)
    assert counts[-1] <= dearest


def test_limits_that_nothing_meets_together_are_refused() -> None:
    """Of large patches a Mixer has fewer tokens, so fewer FLOPs, and more weights."""
    one = {"hidden_dim": (16,), "tokens_mlp_dim": (8,), "channels_mlp_dim": (16,)}
    ranges = MixerRanges(patch_size=(4, 8), num_blocks=(1,), **one)
    space = fitted("mixer", ranges, CIFAR)
    quick, small = (space.cheapest(CIFAR, cost) for cost in (FLOPS, PARAMS))
    assert (quick.patch_size, small.patch_size) == (8, 4)
    limits: dict[str, Any] = {"max_flops": FLOPS(quick), "max_cost": PARAMS(small)}
    for limited in ({"max_flops": FLOPS(quick)}, {"max_cost": PARAMS(small)}, limits):
        spec = StudySpec(
            name="s",
            dataset="cifar10",
            cost="params",
            space={"mixer": ranges},
            baselines=0,
            **limited,
        )
        if limited is limits:
            with pytest.raises(ConfigError, match=r"at most [\d,]+ parameters; .* --max-cost"):
                plan(spec, CIFAR)
        else:
            assert reachable(spec, plan(spec, CIFAR), CIFAR) == 1


def test_of_flops_both_limits_are_one() -> None:
    spec = STUDIES["mixer_smoke"]
    limited = with_changes(spec, max_cost=500_000.0)
    assert limited.flops_limit == 500_000
    assert limited.fixed() == with_changes(spec, max_flops=500_000).fixed()
    assert spec.fixed()["cost"] == "flops"
    few = with_changes(spec, cost="params", max_cost=9_000.0)
    assert (few.max_cost, few.max_flops) == (9_000, spec.max_flops)
    assert with_changes(few, cost="macs").max_cost is None, "it was a number of parameters"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            'cost = "parms"',
            "line 3: cost: there is no cost 'parms' (did you mean 'params'?); a study can "
            "minimise: flops, macs, params",
        ),
        (
            'cost = "images_per_second"',
            "cost 'images_per_second' is known only once a network is trained; a study can "
            "minimise: flops, macs, params",
        ),
        ('max_cost = "20X"', "line 3: max_cost: '20X' is no positive count"),
        ("max_cost = 0", "max_cost: input should be greater than 0"),
        (
            'max_cost = "2M"\nmax_flops = "3M"',
            "max_flops: the study minimises FLOPs, which max_cost limits too; give one",
        ),
    ],
)
def test_a_cost_that_cannot_be_is_explained(tmp_path: Path, fields: str, sentence: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(f'name = "a"\ndataset = "digits"\n{fields}\n')
    with pytest.raises(StudyError) as caught:
        read_study(path)
    assert sentence in str(caught.value)


@pytest.mark.usefixtures("here")
def test_a_ceiling_that_nothing_is_under_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("study.toml").write_text(STUDY.replace('"layers"\nmax_cost = 2', '"params"'))
    assert run(["--study", "study.toml", "--max-cost", "100"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "no configuration of the space has at most 100 parameters; the cheapest has" in error
    assert "raise --max-cost to that, or widen the space" in error


def test_a_cost_that_is_not_positive_is_refused_with_the_network() -> None:
    free = Cost(name="free", label="Free", unit="free", title="Free", of=lambda config: 0)
    with pytest.raises(CostError, match=r"cost 'free' of MixerConfig\(.* is 0; make it positive"):
        free(mixer())
    with pytest.raises(CostError, match="is measured"):
        IMAGES_PER_SECOND(mixer())


def test_costs_are_read_back_and_compared_with_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_writer(f"sqlite:///{tmp_path}/s.db") as store:
        store.add_study(study("s"))
        store.add_trial("s", trial(0, costs={"layers": 2.0, "latency_ms": 0.25}))
        store.add_trial("s", trial(1))
        store.update_trial("s", trial(0, costs={"layers": 3.0, "latency_ms": 0.25}))
        read = store.trials("s")
        assert read[0] == store.trial("s", 0) == store.read("s").trials[0]
    assert [t.costs for t in read] == [{"layers": 3.0, "latency_ms": 0.25}, {}]
    monkeypatch.setitem(COSTS, "layers", LAYERS)
    assert "its Layers are not those of its configuration" in contradictions(read[0], [])
    assert "its Layers are not those of its configuration" not in contradictions(read[1], [])


def test_an_installed_package_adds_a_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint(name="width", value=f"{__name__}:WIDTH", group=module.GROUP)
    monkeypatch.setattr(space.installed, "entry_points", lambda group: EntryPoints([point]))
    monkeypatch.setattr(module, "COSTS", dict(COSTS))
    module._load_entry_points.cache_clear()
    try:
        assert find_cost("flops") is FLOPS
        assert "width" not in module.COSTS, "nobody asked for it yet"
        assert find_cost("width") is WIDTH
    finally:
        module._load_entry_points.cache_clear()
    wrong = EntryPoint(name="x", value=f"{__name__}:STUDY", group=module.GROUP)
    monkeypatch.setattr(space.installed, "entry_points", lambda group: EntryPoints([wrong]))
    with pytest.raises(ConfigError, match="is a str; it must be a Cost"):
        installed(module.GROUP, Cost)
