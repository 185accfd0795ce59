"""Strings and files by somebody who means harm: a sentence or success, and nothing else happens."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from followed import Followed
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from records import running
from rich.console import Console

from runs.reader import open_reader
from runs.record import State, StudyRecord
from runs.spool import spool_path, spooled
from runs.storage import StorageError
from runs.study_name import check_name
from runs.writer import open_writer
from search.report.progress import PlainReporter
from search.spec.studies import StudySpec
from search.spec.study_file import read_study
from search.study.checkpoint_folder import Checkpoints
from search.study.plan import plan
from space.config import ImageTask
from space.errors import MixerSearchError

TASK = ImageTask(image_size=8, image_channels=1, num_classes=10)
SOURCES = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "a\x00b",
    "'; DROP TABLE run_trial; --",
    "<script>alert(1)</script>",
    "[red]x[/red]",
    "\x1b[2J\x1b]0;owned\x07",
    "$(touch owned)",
    "`touch owned`",
    "{0.__class__}",
    "%s%n",
    "!!python/object/apply:os.system ['touch owned']",
    "\u202egpj.exe",
    "\ud800",
    "x" * 10_000,
]
hostile = st.one_of(
    st.sampled_from(SOURCES),
    st.text(max_size=60),
    st.builds("".join, st.lists(st.sampled_from(SOURCES[:-1]), min_size=2, max_size=3)),
)
once = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


def record(name: str) -> StudyRecord:
    return StudyRecord(
        name=name,
        spec={"name": name},
        num_classes=10,
        data_digest="none",
        flops_ceiling=10**9,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve()) and path.parent != folder.parent


@pytest.mark.fault("200 hostile names of studies, and as many errors")
@once
@given(name=hostile, error=hostile)
def test_a_name_is_refused_or_is_a_name_like_any_other(here: Path, name: str, error: str) -> None:
    """Whatever `check_name` lets pass, and the store below it whatever it is given."""
    storage = f"sqlite:///{here}/runs/results.db"
    with suppress(ValueError):
        check_name(name)
    folder = Checkpoints(None, 1.0, False).of(
        record(name.encode(errors="replace").decode()), storage
    )
    assert inside(folder.of(0).file, here / "runs")
    assert inside(spool_path(storage, name), here / "runs")
    with open_writer(storage) as store:
        try:
            with store.hold(name) as mirror, spooled(mirror, storage):
                study = store.add_study(record(name))
                failed = running(state=State.FAILED, error=error, seed=len(store.trials(name)))
                (trial,) = store.add_trials(name, [failed])
        except StorageError:
            return
        with open_reader(storage) as reader:
            assert reader.study(name) == study
            assert reader.trials(name)[-1] == trial
    shown = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    status = Followed(study, [], goal=1, baselines=0, images_per_epoch=1)
    PlainReporter(shown, status).ended(trial)
    assert isinstance(shown.file, io.StringIO)
    assert "\x1b" not in shown.file.getvalue()
    assert {path.name for path in here.iterdir()} <= {"runs", "study.toml"}


values = st.one_of(
    hostile, st.integers(), st.floats(), st.booleans(), st.lists(st.integers(), max_size=3)
)
keys = st.sampled_from(
    [*StudySpec.model_fields, "space.patch_size", "space.hidden_dim", "recipe.epochs", "recipe.x"]
)


def as_toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


@pytest.mark.fault("200 generated study files")
@once
@given(fields=st.dictionaries(keys, values, max_size=6), noise=hostile)
@example(fields={"name": "good", "dataset": "digits"}, noise="")
def test_a_study_file_is_a_study_or_a_sentence(
    here: Path, fields: dict[str, Any], noise: str
) -> None:
    fields = {"name": "good", "dataset": "digits"} | fields
    lines = [f"{key} = {as_toml(value)}" for key, value in fields.items()]
    file = here / "study.toml"
    file.write_bytes("\n".join([*lines, f"# {noise}"]).encode(errors="surrogatepass"))
    with suppress(MixerSearchError):
        planned = plan(read_study(file), TASK)
        assert planned.flops_ceiling > 0
    assert {path.name for path in here.iterdir()} <= {"runs", "study.toml"}
