"""Study files: what may be said, and the sentence for what may not."""

from __future__ import annotations

import math
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from search.spec.assignments import parse_assignments
from search.spec.recipe import Recipe
from search.spec.rungs import RungSpec
from search.spec.studies import STUDIES, StudyError, StudySpec, with_changes
from search.spec.study_file import find_study, read_study
from search.study.plan import plan
from space.config import ImageTask
from space.mixer_family import MixerRanges
from space.vit_family import ViTRanges

FASHION = ImageTask(image_size=28, image_channels=1, num_classes=10)


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_name_and_dataset_are_enough_and_the_ranges_fit_the_images(tmp_path: Path) -> None:
    spec = read_study(write(tmp_path, 'name = "mine"\ndataset = "fashion_mnist"\n'))
    patches = plan(spec, FASHION).spaces["mixer"].ranges["patch_size"]
    assert patches
    assert all(28 % patch == 0 for patch in patches)


def test_every_field_can_be_set(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        name = "mine"
        dataset = "cifar10"
        trials = 7
        baselines = ["vit_ti4_cifar"]
        max_flops = "1.5G"
        min_accuracy = 0.4
        sampler = "nsga2"
        seed = 3
        validation_fraction = 0.2
        train_limit = 1000

        [space]
        hidden_dim = [128, 64, 64]
        num_blocks = { low = 2, high = 8, step = 2 }

        [data]
        image_size = 64
        resize = "pad"
        label = "coarse_label"
        validation = "own"
        skip_broken = true

        [recipe]
        epochs = 5
        learning_rate = 1
        optimizer = "muon"
        schedule = "linear"
        ema = 0.999
        [recipe.augmentation]
        flip = true
        rotate = 15
        """,
    )
    spec = read_study(path)
    assert spec.space["mixer"].hidden_dim == (64, 128)
    assert spec.space["mixer"].num_blocks == (2, 4, 6, 8)
    assert spec.max_flops == 1_500_000_000
    assert spec.baselines == ("vit_ti4_cifar",)
    assert (spec.recipe.optimizer, spec.recipe.schedule, spec.recipe.ema) == (
        "muon",
        "linear",
        0.999,
    )
    assert spec.recipe.augmentation.flip
    assert spec.recipe.augmentation.rotate == 15.0
    assert (spec.recipe.epochs, spec.recipe.learning_rate, spec.seed) == (5, 1.0, 3)
    assert (spec.data.image_size, spec.data.resize, spec.data.skip_broken) == (64, "pad", True)
    assert (spec.data.label, spec.data.validation) == ("coarse_label", "own")
    assert "skip_broken" not in spec.fixed()["data"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('dataset = "digits"', ["name", "required"]),
        ('name = "a"', ["dataset", "required"]),
        ('name = "a"\ndataset = "digits"\ntrails = 3', ["line 3", "trails", "'trials'"]),
        ('name = "a"\ndataset = "digits"\ntrials = -1', ["line 3", "trials", "or equal to 0"]),
        ('name = "a"\ndataset = "digits"\ntrials = "3"', ["line 3", "trials", "integer"]),
        ('name = "a"\ndataset = "digits"\nsampler = "gp"', ["line 3", "'tpe'", "'gp'"]),
        (
            'name = "a"\ndataset = "digits"\n[space]\nhidden_dim = []',
            ["line 4", "space.hidden_dim", "at least 1 item"],
        ),
        (
            'name = "a"\ndataset = "digits"\n[space]\nnum_blocks = {low = 4, high = 2}',
            ["line 4", "space.num_blocks", "range is empty"],
        ),
        (
            'name = "a"\ndataset = "digits"\n[space]\nhidden_dims = [1]',
            ["line 4", "unknown field", "'hidden_dim'", "patch_size"],
        ),
        (
            'name = "a"\ndataset = "digits"\n[recipe]\n[recipe.augmentation]\nflp = true',
            ["line 5", "recipe.augmentation.flp", "'flip'"],
        ),
        (
            'name = "a"\ndataset = "digits"\nrecipe.learning_rate = -1',
            ["line 3", "recipe.learning_rate", "greater than 0"],
        ),
        (
            'name = "a"\ndataset = "digits"\n[recipe]\noptimizer = "adam"',
            ["line 4", "recipe.optimizer", "'adamw', 'sgd' or 'muon', not 'adam'"],
        ),
        (
            'name = "a"\ndataset = "digits"\n[recipe]\nema = 1.0',
            ["line 4", "recipe.ema", "less than 1, not 1.0"],
        ),
        ('name = "a"\ndataset = "digits"\nmax_flops = "20X"', ["line 3", "max_flops", "20X"]),
        ('name = "a"\ndataset = "digits"\n[rungs]\ncont = 2', ["line 4", "'count'", "spared"]),
        (
            'name = "a"\ndataset = "digits"\n[data]\nimagesize = 2',
            ["line 4", "data.imagesize: unknown field", "'image_size'", "skip_broken"],
        ),
        (
            'name = "a"\ndataset = "digits"\n[data]\nimage_size = 1_000_000',
            ["line 4", "data.image_size", "less than or equal to 4096, not 1000000"],
        ),
        (
            'name = "a"\ndataset = "digits"\n[data]\nresize = "stretch"',
            ["line 4", "data.resize", "'crop', 'squash' or 'pad', not 'stretch'"],
        ),
        (
            'name = "a"\ndataset = "digits"\nspace.patch_size = [4, 7]\n[data]\nimage_size = 64',
            ["line 4", "data: image_size=64 is not tiled by space.patch_size=7; choose a multiple"],
        ),
        ('name = "a/b"\ndataset = "digits"', ["line 1", "name", "slash", "not 'a/b'"]),
        ('name = "a\ndataset = 3', ["not TOML", "line 1"]),
    ],
)
def test_a_fault_is_named_with_its_line_and_what_is_allowed(
    tmp_path: Path, text: str, says: list[str]
) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(write(tmp_path, text))
    for part in says:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


BASE = 'name = "a"\ndataset = "digits"\n'


def test_ranges_of_a_family_stand_in_a_table_of_its_own_or_of_the_only_one_without(
    tmp_path: Path,
) -> None:
    flat = read_study(write(tmp_path, BASE + "[space]\nnum_blocks = [2]"))
    named = read_study(write(tmp_path, BASE + "[space.mixer]\nnum_blocks = [2]"))
    assert flat == named
    assert flat.space == {"mixer": MixerRanges(num_blocks=(2,))}
    vit = read_study(write(tmp_path, BASE + 'families = ["vit"]\n[space]\nnum_heads = [2]'))
    assert vit.space == {"vit": ViTRanges(num_heads=(2,))}
    both = (
        BASE + 'families = ["mixer", "vit"]\n[space.vit]\nmlp_dim = {low = 8, high = 16, step = 8}'
    )
    spec = read_study(write(tmp_path, both))
    assert spec.space == {"mixer": MixerRanges(), "vit": ViTRanges(mlp_dim=(8, 16))}
    assert with_changes(spec, trials=3).space == spec.space


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'families = ["mixr"]',
            "line 3: families: family 'mixr' is unknown (did you mean 'mixer'?); known: mixer, vit,"
            " or install the package that defines it",
        ),
        ("families = []", "line 3: families: tuple should have at least 1 item after validation"),
        ('families = "vit"', "line 3: families: input should be a valid array, not 'vit'"),
        (
            'families = ["vit", "vit"]',
            "line 3: families: family 'vit' is there twice; name each once",
        ),
        (
            "[space.vit]\nnum_heads = [2]",
            "line 3: space.vit: it is not searched; add it to families, which has mixer, or leave "
            "[space.vit] out",
        ),
        (
            'families = ["mixer", "vit"]\n[space]\nnum_blocks = [2]',
            "line 4: space: the ranges are of no family; put those of each into its table: "
            "[space.mixer], [space.vit]",
        ),
        (
            "[space.mixer]\nnum_heads = [2]",
            "line 4: space.mixer.num_heads: unknown field; allowed: patch_size, hidden_dim, "
            "tokens_mlp_dim, channels_mlp_dim, num_blocks",
        ),
        (
            "[space]\nnum_heads = [2]",
            "line 4: space.num_heads: unknown field; allowed: patch_size, hidden_dim, "
            "tokens_mlp_dim, channels_mlp_dim, num_blocks, mixer",
        ),
        (
            "[space.mixer]\nnum_blocks = {low = 4, high = 2}",
            "line 4: space.mixer.num_blocks: the range is empty, low=4 is above high=2; exchange "
            "them",
        ),
        ("space = 3", "line 3: space: input should be an object, not 3"),
    ],
)
def test_a_fault_in_families_and_their_ranges_is_named_with_its_line(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = write(tmp_path, BASE + text)
    with pytest.raises(StudyError) as caught:
        read_study(path)
    assert str(caught.value).startswith(f"study file {path}, {sentence}")


FLOATS = {
    "max_cost": "max_cost = {}",
    "min_accuracy": "min_accuracy = {}",
    "validation_fraction": "validation_fraction = {}",
    "rungs.spared": "[rungs]\nspared = {}",
    "learning_rates.mixer": "[learning_rates]\nmixer = {}",
    "recipe.learning_rate": "[recipe]\nlearning_rate = {}",
    "recipe.warmup": "[recipe]\nwarmup = {}",
    "recipe.weight_decay": "[recipe]\nweight_decay = {}",
    "recipe.label_smoothing": "[recipe]\nlabel_smoothing = {}",
    "recipe.clip_norm": "[recipe]\nclip_norm = {}",
    "recipe.augmentation.mixup_alpha": "[recipe.augmentation]\nmixup_alpha = {}",
    "recipe.ema": "[recipe]\nema = {}",
    "recipe.augmentation.cutmix_alpha": "[recipe.augmentation]\ncutmix_alpha = {}",
    "recipe.augmentation.rotate": "[recipe.augmentation]\nrotate = {}",
    "recipe.augmentation.shear": "[recipe.augmentation]\nshear = {}",
    "recipe.augmentation.translate": "[recipe.augmentation]\ntranslate = {}",
    "recipe.augmentation.brightness": "[recipe.augmentation]\nbrightness = {}",
    "recipe.augmentation.contrast": "[recipe.augmentation]\ncontrast = {}",
    "recipe.augmentation.saturation": "[recipe.augmentation]\nsaturation = {}",
}
"""Every field of a study that takes a fraction, by its name, as TOML sets it."""


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize("field", FLOATS)
def test_a_number_that_is_not_finite_is_refused_with_its_field(
    tmp_path: Path, field: str, value: str
) -> None:
    path = write(tmp_path, f'name = "a"\ndataset = "digits"\n{FLOATS[field].format(value)}')
    with pytest.raises(StudyError) as caught:
        read_study(path)
    assert f"{field}: input should be a finite number, not {value}" in str(caught.value)


def test_no_float_of_a_study_is_left_out_of_the_test_above() -> None:
    def floats(model: type[pydantic.BaseModel], where: str = "") -> Iterator[str]:
        for name, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
                yield from floats(kind, f"{where}{name}.")
            elif float in (kind, *typing.get_args(kind)) or "float" in str(kind):
                yield f"{where}{name}" + ".mixer" * (typing.get_origin(kind) is dict)

    assert set(floats(StudySpec)) == set(FLOATS)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_recipe_made_in_python_is_finite_too(value: float) -> None:
    with pytest.raises(pydantic.ValidationError, match="clip_norm"):
        Recipe(clip_norm=value)


def test_a_patch_that_does_not_tile_is_refused_with_those_that_do(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"\ndataset = "x"\n[space]\npatch_size = [5, 7]')
    with pytest.raises(Exception, match=r"space\.patch_size: 5 does not tile.* 1, 2, 4, 7, 14, 28"):
        plan(read_study(path), FASHION)


def test_a_space_with_nothing_under_the_ceiling_says_the_cheapest(tmp_path: Path) -> None:
    spec = with_changes(STUDIES["mixer_digits"], max_flops=100)
    with pytest.raises(Exception, match=r"at most 100 FLOPs; the cheapest has [\d,]+"):
        plan(spec, ImageTask(image_size=8, image_channels=1, num_classes=10))


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a/b", "a\\b", "..", "a\0b", "a\nb"])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match="name"):
        with_changes(STUDIES["mixer_smoke"], name=name)


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        (
            f'name = "{300 * "x"}"',
            "name: a study's name has at most 200 characters, this one 300; shorten it",
        ),
        (
            'max_flops = "20X"',
            "max_flops: '20X' is no positive count; write it like 20M, 1.5G or 20000000",
        ),
        (
            "space.num_blocks = {low = 4, high = 2}",
            "space.num_blocks: the range is empty, low=4 is above high=2; exchange them",
        ),
    ],
)
def test_a_sentence_that_says_all_is_not_followed_by_the_value(
    tmp_path: Path, assignment: str, sentence: str
) -> None:
    given = {"name": 'name = "a"', "dataset": 'dataset = "digits"'}
    given[assignment.partition(" ")[0]] = assignment
    path = write(tmp_path, "\n".join(given.values()))
    line = list(given.values()).index(assignment) + 1
    with pytest.raises(StudyError) as caught:
        read_study(path)
    assert str(caught.value) == f"study file {path}, line {line}: {sentence}"


def test_fewer_families_leave_the_ranges_of_the_others_behind() -> None:
    both = with_changes(
        STUDIES["mixer_digits"], space={"mixer": {"num_blocks": [1]}, "vit": {"num_heads": [2]}}
    )
    for fewer in (
        with_changes(both, families=("vit",)),
        with_changes(both, parse_assignments(['families=["vit"]'], both)),
    ):
        assert fewer.space == {"vit": ViTRanges(num_heads=(2,))}
    more = with_changes(STUDIES["mixer_smoke"], families=("mixer", "vit"))
    assert more.space == STUDIES["mixer_smoke"].space | {"vit": ViTRanges()}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "bad", "min_accuracy": 80.0}, "--min-accuracy: input should be less than 1"),
        ({"epochs": 0}, "--epochs: input should be greater than 0, not 0"),
        (
            {"space": {"patch_size": [3]}, "data": {"image_size": 8}},
            "data: image_size=8 is not tiled by space.patch_size=3; choose a multiple, or other",
        ),
        ({"trials": -1, "seeds": 0}, "--trials: .*; --seeds: .* or equal to 1, not 0"),
        ({"name": "a/b"}, "--study-name: a study's name has no slash"),
        ({"epochs": 1, "rungs": RungSpec(count=1)}, "rungs: count=1 with eta=3 needs at least 3"),
        ({"learning_rates": {"vti": 1e-3}}, "learning_rates: family 'vti' is unknown .*'vit'"),
        ({"learning_rates": {"vit": 0}}, "learning_rates.vit: input should be greater than 0"),
    ],
)
def test_a_change_that_cannot_be_is_named_as_it_was_asked_for(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(StudyError, match=f"^{sentence}"):
        with_changes(STUDIES["mixer_smoke"], **changes)


def test_an_unknown_study_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(StudyError, match=r"did you mean 'mixer_cifar'.*mixer_digits"):
        find_study("mixer_cifr")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", "directory"])
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "mine.toml"
    if content == "directory":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(StudyError, match="cannot be read"):
        read_study(path)


def test_a_zero_in_the_path_is_a_sentence_too() -> None:
    with pytest.raises(StudyError, match="cannot be read"):
        find_study("a\0b.toml")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(
            ["name", "dataset", "trials", "space", "recipe", "seed", "x y", "baselines"]
        ),
        st.one_of(
            st.integers(),
            st.floats(),
            st.booleans(),
            st.text(max_size=20).map(lambda s: s.replace("'", "")),
            st.lists(st.integers(), max_size=3),
        ),
    )
)
def test_any_file_is_a_study_or_a_sentence(tmp_path: Path, fields: dict[str, object]) -> None:
    lines = []
    for key, value in fields.items():
        shown = f"'{value}'" if isinstance(value, str) else str(value).lower()
        lines.append(f'"{key}" = {shown}')
    text = "\n".join(lines).encode(errors="replace").decode()
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    path = write(tmp_path, text)
    try:
        spec = read_study(path)
    except StudyError as error:
        sentence = str(error)
        event("refused")
    else:
        sentence = spec.name
    assert sentence
    assert "\n" not in sentence


def test_baselines_made_for_other_images_are_refused() -> None:
    spec = with_changes(STUDIES["mixer_digits"], baselines=("vit_b16",))
    with pytest.raises(StudyError, match=r"'vit_b16' is made for 224x224x3 images of 1000 classes"):
        plan(spec, ImageTask(image_size=8, image_channels=1, num_classes=10))


@pytest.mark.parametrize("spec", STUDIES.values(), ids=STUDIES.keys())
def test_every_built_in_study_can_be_planned_with_its_baselines(spec: StudySpec) -> None:
    sizes = {"digits": (8, 1, 10), "fashion_mnist": (28, 1, 10), "cifar10": (32, 3, 10)}
    size, channels, classes = sizes.get(spec.dataset, (32, 3, 100))
    task = ImageTask.model_validate(
        {"image_size": size, "image_channels": channels, "num_classes": classes}
    )
    planned = plan(spec, task)
    assert len(planned.baselines) == spec.baselines
    assert planned.num_configurations >= spec.trials


def test_more_rungs_than_the_epochs_allow_are_refused_with_what_to_do(tmp_path: Path) -> None:
    text = 'name = "m"\ndataset = "digits"\n[recipe]\nepochs = 8\n[rungs]\ncount = 2\n'
    path = write(tmp_path, text)
    with pytest.raises(StudyError) as caught:
        read_study(path)
    assert str(caught.value) == (
        f"study file {path}, line 5: rungs: count=2 with eta=3 needs at least 9 epochs, not 8; "
        "lower the count, 0 (or --no-rungs) being none"
    )
    assert read_study(write(tmp_path, text.replace("8", "9"))).rungs.epochs(9) == (1, 3)
    assert read_study(write(tmp_path, text.replace("count = 2", "count = 0"))).rungs.epochs(8) == ()


def test_a_study_file_may_have_a_byte_order_mark_a_name_in_capitals_and_lie_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "MINE.TOML").write_bytes(b'\xef\xbb\xbfname = "mine"\r\ndataset = "digits"\r\n')
    assert find_study("~/MINE.TOML").name == find_study(f"{tmp_path}/MINE.TOML").name == "mine"


def test_a_study_file_in_another_encoding_is_told_to_be_saved_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes('name = "mine"'.encode("utf-16"))
    with pytest.raises(StudyError, match="it is not UTF-8 text; save it as UTF-8"):
        read_study(path)
