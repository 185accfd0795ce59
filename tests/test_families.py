"""Families of networks: what the registries hold, and a third one that a package brings."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import pytest
from records import CIFAR, DIGITS, mixer, vit
from visits import PAGES, heading, visit, words

from runs.plot.palette import LIGHT
from runs.reader import open_reader
from runs.record import Origin, State, StudyRecord, TrialRecord
from search.train.traced_programs import source_digest
from space import families, presets
from space.build import NETWORKS, build
from space.config import ImageTask, MixerConfig
from space.cost import cost, training_bytes
from space.errors import ConfigError
from space.families import FAMILIES, baseline_family, find_family, label_of, labels
from space.family import Letter
from space.init import initial_params, param_shapes
from space.search_space import fitted

ROOT = Path(__file__).parents[1]
THIRD = ROOT / "tests" / "third_family"
"""A package as pip installs it: modules, and the entry points that name a family in them."""


def test_a_family_has_an_entry_in_both_registries_under_its_own_name() -> None:
    assert FAMILIES.keys() == NETWORKS.keys()
    assert [family.name for family in FAMILIES.values()] == list(FAMILIES)


def test_no_two_families_look_alike() -> None:
    assert len({family.label for family in FAMILIES.values()}) == len(FAMILIES)
    assert len({family.color for family in FAMILIES.values()}) == len(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_what_a_family_says_from_parameters_alone_is_true_of_its_configurations(
    family: families.Family,
) -> None:
    for task in (DIGITS, CIFAR):
        space = fitted(family.name, family.ranges(), task)
        for values in list(space.values())[::97]:
            config = space.member(task, **dict(zip(space.ranges, values, strict=True)))
            assert space.cost_of(task, values) == cost(config).flops
            assert training_bytes(config, 1) > 16 * cost(config).params
            assert label_of(config).startswith(f"{family.label} p{values[0]} ")


def test_a_study_is_compared_with_a_family_it_does_not_search_else_with_published_mixers() -> None:
    searched = (["mixer"], ["vit"], ["patch_mlp"], ["mixer", "vit"])
    found = [baseline_family(names) for names in searched]
    assert found == [FAMILIES["vit"], FAMILIES["mixer"], FAMILIES["vit"], FAMILIES["mixer"]]


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_short_name_has_an_explained_letter_for_all_that_tells_configurations_apart(
    family: families.Family,
) -> None:
    free = family.config.model_fields.keys() - ImageTask.model_fields.keys() - {"family"}
    assert {one.field for one in family.letters} == free - family.ranges.fixed.keys()
    assert len({one.letter for one in family.letters}) == len(family.letters)
    assert all(one.letter.isalpha() and one.meaning for one in family.letters)


def test_families_in_a_sentence() -> None:
    assert labels(["mixer"]) == "Mixers"
    assert labels(["mixer", "vit"]) == "Mixers and ViTs"
    assert label_of(mixer()) == "Mixer p2 C12 L2 T8 D20"
    assert label_of(vit()) == "ViT p2 C12 L2 D20 H3"


_OF_A_FAMILY = re.compile(r"(?<![a-z])(mixers?|vits?)(?![a-z])", re.IGNORECASE)
_ELSEWHERE = {"MixerSearchError", "mixer_search", "MIXER_STORAGE"}
"""The program's own name."""


_OF_KNOWN_NETWORKS = {
    "studies.py",  # the built-in studies search Mixers
    "onnx_graph.py",
    "published.py",
    "stem.py",
    "timm.py",
    "timm_arrays.py",
    "timm_config.py",
}
"""Files on how others name and compute the networks that are published."""


@pytest.mark.parametrize("package", ["search", "runs", "dashboard"])
def test_outside_the_registries_families_are_named_in_sentences_and_studies_alone(
    package: str,
) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        if path.name in _OF_KNOWN_NETWORKS:
            continue
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            is_code = token.type == tokenize.NAME or token.string in {'"mixer"', '"vit"'}
            words = token.string.replace("ViT", "Vit").replace("_", " ")
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words)
            if is_code and token.string not in _ELSEWHERE and _OF_A_FAMILY.search(words):
                found.append(f"{path.relative_to(ROOT)}:{token.start[0]}: {token.string}")
    assert not found


@pytest.fixture(scope="module")
def third() -> Iterator[None]:
    """The package is installed in this process, and gone afterwards."""
    sys.path.insert(0, str(THIRD))
    yield
    sys.path.remove(str(THIRD))
    FAMILIES.pop("patch_mlp", None)
    NETWORKS.pop("patch_mlp", None)
    for name in ("patch_mlp", "patch_mlp_network"):
        sys.modules.pop(name, None)


def run(module: str, *argv: str, cwd: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-m", module, *argv],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A study of the third family and Mixers: its folder, and what its command said."""
    folder = tmp_path_factory.mktemp("third")
    (folder / "third.toml").write_text(
        """
        name = "third"
        dataset = "digits"
        families = ["patch_mlp", "mixer"]
        trials = 4
        baselines = 1
        max_flops = "200k"
        [space.patch_mlp]
        patch_size = [2, 4]
        [space.mixer]
        hidden_dim = [8, 16]
        num_blocks = [1]
        [recipe]
        epochs = 3
        batch_size = 64
        learning_rate = 3e-3
        [rungs]
        count = 0
        """
    )
    installed_here = f"{ROOT}{os.pathsep}{THIRD}"
    done = run("search.run", "--study", "third.toml", cwd=folder, path=installed_here)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def trials(third: None, searched: tuple[Path, str]) -> tuple[StudyRecord, list[TrialRecord]]:
    with open_reader(storage_in(searched[0])) as store:
        return store.study("third"), store.trials("third")


def storage_in(folder: Path) -> str:
    return f"sqlite:///{folder}/runs/mixer_search.db"


def test_a_family_of_a_package_is_searched_beside_another(
    trials: tuple[StudyRecord, list[TrialRecord]],
) -> None:
    study, found = trials
    assert study.families == ("patch_mlp", "mixer")
    assert study.spec["space"].keys() == {"patch_mlp", "mixer"}
    assert {t.state for t in found if t.state is not State.REFUSED} == {State.COMPLETE}
    complete = [t for t in found if t.state is State.COMPLETE and t.origin is Origin.SEARCH]
    assert {t.family for t in complete} == {"patch_mlp", "mixer"}
    assert all(t.params == cost(t.config).params for t in found)
    assert max(t.accuracy or 0 for t in complete if t.family == "patch_mlp") > 0.5
    assert [t.family for t in found if t.origin is Origin.BASELINE] == ["vit"]


@pytest.mark.usefixtures("trials")
def test_the_next_trial_is_of_the_family_that_spent_less(
    trials: tuple[StudyRecord, list[TrialRecord]],
) -> None:
    spent = {"patch_mlp": 0, "mixer": 0}
    for trial in trials[1]:
        if trial.origin is Origin.SEARCH and trial.state is State.COMPLETE:
            assert spent[trial.family] == min(spent.values())
            spent[trial.family] += trial.flops * trial.epochs


def test_the_summary_says_which_network_is_of_which_family(searched: tuple[Path, str]) -> None:
    assert re.search(r"trial network +FLOPs +accuracy", searched[1])
    assert "Patch MLP p" in searched[1]
    assert re.search(r"FLOPs: Patch MLP [\d.]+ ± [\d.]+ %.*, Mixer ", searched[1])


@pytest.mark.usefixtures("third")
@pytest.mark.parametrize("page", PAGES)
def test_the_pages_show_the_family(
    page: str, searched: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXER_STORAGE", storage_in(searched[0]))
    with open_reader() as store:
        of_it = next(t for t in store.trials("third") if t.family == "patch_mlp")
    app = visit(page, study="third", trial=str(of_it.number))
    assert not app.error
    assert heading(app)
    if page == "front":
        drawn = {
            one["name"]: one for one in json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
        }
        assert {"Patch MLP", "Mixer", "ViT"} <= drawn.keys()
        assert drawn["Patch MLP"]["marker"]["color"] == LIGHT.family("patch_mlp")
        assert app.subheader[0].value == "Patch MLPs and Mixers on the front"
    if page == "table":
        assert set(app.multiselect[2].options) == {"mixer", "patch_mlp", "vit"}
    if page == "trial":
        assert "ViT of no more FLOPs" in words(app)


@pytest.mark.usefixtures("third")
def test_a_winner_of_the_family_becomes_a_preset_that_can_be_built(
    searched: tuple[Path, str], trials: tuple[StudyRecord, list[TrialRecord]]
) -> None:
    folder, path = searched[0], f"{ROOT}{os.pathsep}{THIRD}"
    trial = next(t for t in trials[1] if t.family == "patch_mlp" and t.state is State.COMPLETE)
    pick = f"trial={trial.number}"
    done = run("search.export", "--study", "third", "--pick", pick, cwd=folder, path=path)
    assert done.returncode == 0, done.stderr
    (file,) = (folder / "runs" / "presets").glob("*.json")
    preset = presets.load(file)
    assert preset.config == trial.config
    assert type(preset.config) is type(trial.config)
    params = initial_params(preset.config, seed=1)
    jax.tree.map(
        lambda a, b: np.testing.assert_equal(a.shape, b.shape), params, param_shapes(trial.config)
    )
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == cost(preset.config).params
    again, other = (initial_params(preset.config, seed) for seed in (1, 2))
    jax.tree.map(np.testing.assert_array_equal, params, again)
    assert not np.array_equal(params["hidden"]["kernel"], other["hidden"]["kernel"])
    image = np.zeros((2, 8, 8, 1), np.float32)
    assert build(preset.config).apply({"params": params}, image).shape == (2, 10)


@pytest.mark.parametrize("command", ["runs", "search.check"])
def test_without_its_package_a_trial_of_the_family_is_a_sentence_and_nothing_is_lost(
    searched: tuple[Path, str], command: str
) -> None:
    folder, options = searched[0], [] if command == "search.check" else ["--study", "third"]
    options += ["--out", "t.csv"] if command == "runs" else []
    before = (folder / "runs" / "mixer_search.db").stat().st_size
    done = run(command, *options, cwd=folder, path=str(ROOT))
    assert done.returncode in {1, 2}
    said = done.stdout + done.stderr
    assert "family 'patch_mlp' is unknown; known: mixer, vit, or install the package" in said
    assert "Traceback" not in said
    assert "restore" not in said
    assert (folder / "runs" / "mixer_search.db").stat().st_size == before


@pytest.mark.usefixtures("third")
def test_a_program_is_not_taken_for_that_of_another_version_of_the_package(tmp_path: Path) -> None:
    config = find_family("patch_mlp").ranges.fitting(8)
    space = fitted("patch_mlp", find_family("patch_mlp").ranges(), DIGITS)
    assert space.ranges == config
    module = type(build(next(iter(space.members(DIGITS))))).__module__
    before = source_digest(module)
    changed = tmp_path / "patch_mlp_network.py"
    changed.write_text((THIRD / "patch_mlp_network.py").read_text() + "\n# another version\n")
    source_digest.cache_clear()
    assert source_digest(module) == before != source_digest("space.mixer")
    sys.modules[module].__file__ = str(changed)
    source_digest.cache_clear()
    assert source_digest(module) != before


def package(folder: Path, entries: str, code: str = "") -> None:
    """An installed package, its module `other`."""
    info = folder / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mixer_search.families]\n{entries}\n")
    (folder / "other.py").write_text(code)


@pytest.mark.parametrize(
    ("entries", "code", "words"),
    [
        ("cnn = other:FAMILY", "", "cnn = other:FAMILY of other cannot be loaded"),
        ("cnn = another:FAMILY", "", "cannot be loaded .No module named 'another'.; mend"),
        ("cnn = other:FAMILY", "FAMILY = 3", "is a int; it must be a Family"),
        (
            "cnn = other:FAMILY",
            "from space.mixer_family import MIXER as FAMILY",
            "'cnn' has configurations of family 'mixer'; give its entry point that name",
        ),
    ],
)
def test_a_package_that_does_not_bring_what_it_says_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: str, code: str, words: str
) -> None:
    package(tmp_path, entries, code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "other", raising=False)
    with pytest.raises(ConfigError, match=words):
        find_family("cnn")
    monkeypatch.delitem(sys.modules, "other", raising=False)
    assert find_family("mixer") is FAMILIES["mixer"]  # which needs no package


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"color": "red"}, "family 'mixer' has color 'red'; write it as #RRGGBB"),
        ({"grows_with": frozenset({"width"})}, "width is no field of MixerRanges, .* num_blocks"),
        ({"letters": (Letter("W", "width", "x"),)}, "width is no field of MixerConfig"),
        ({"config": ImageTask}, "ImageTask.family is '' by default; name the family in at most 32"),
        ({"ranges": FAMILIES["vit"].ranges}, "'mixer': channels_mlp_dim is no field of ViTRanges"),
        (
            {"ranges": FAMILIES["vit"].ranges, "grows_with": frozenset()},
            "'mixer': classifier is no field of MixerConfig",
        ),
    ],
)
def test_a_family_that_cannot_be_is_refused_where_it_is_made(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(FAMILIES["mixer"], **change)


def test_a_registry_is_a_dictionary_that_a_test_can_add_to(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shallow(MixerConfig):
        family: Literal["shallow"] = "shallow"  # type: ignore[assignment]

    monkeypatch.setitem(FAMILIES, "shallow", FAMILIES["mixer"])
    monkeypatch.setitem(NETWORKS, "shallow", NETWORKS["mixer"])
    config = Shallow(**mixer().model_dump(exclude={"family"}))
    assert cost(config) == cost(mixer())
    assert (
        sum(leaf.size for leaf in jax.tree.leaves(initial_params(config, 0))) == cost(config).params
    )
