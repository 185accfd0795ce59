"""A spool holds what it was given, or is refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import NOON, epoch, running, study, trial, vit
from test_writer import STUDIES, TRIALS, results_of

from runs.record import (
    ConfirmationRecord,
    KeptResults,
    Note,
    Origin,
    State,
    WeightsRecord,
)
from runs.record import (
    TestReading as ReadingOfTest,
)
from runs.spool import _KEPT, SpoolError, read_spool, spool_path, spools_of, write_spool

HERE = Path(__file__).parent
EPOCHS = [epoch(e, trial=number) for number in (0, 2) for e in (1, 2, 3)]
SOME = [
    trial(0),
    running(1, state=State.REFUSED, error="tried"),
    running(2),
    trial(3, config=vit()),
    trial(4, config=trial(0).config, origin=Origin.CONFIRMATION, parent=0, seed=1_000),
]
READING = ReadingOfTest(
    test_digest="c" * 64, study="digits", trial=4, read_at=NOON, purpose="p", command="x --y 'ü'"
)
KEPT = KeptResults(
    weights=(WeightsRecord(trial=0, digest="a" * 64, size_bytes=7),),
    image_results=(results_of(4), replace(results_of(4, "test", 1), classes=None)),
    confirmations=(ConfirmationRecord(number=0, began_at=NOON, plan={"seed": 7, "x": [0.1]}),),
    readings=(READING, replace(READING, trial=None)),
    notes=(Note(text="two\nlines, 'ü'", written_at=NOON), Note(text="x", written_at=NOON, trial=2)),
)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "made" / "a.jsonl"
    write_spool(path, study(), SOME, EPOCHS, KEPT)
    return path


def sealed(lines: list[Any]) -> bytes:
    """A spool whose digest is right, whatever its lines are."""
    body = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    seal = {"sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(seal).encode() + b"\n"


def test_a_spool_is_read_as_it_was_written(spool: Path) -> None:
    found = read_spool(spool)
    assert found.study == study()
    assert list(found.trials) == SOME
    assert list(found.epochs) == EPOCHS
    assert found.kept == KEPT
    assert [path.name for path in spool.parent.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("kind", STUDIES)
def test_every_study_there_can_be_survives(tmp_path: Path, kind: str) -> None:
    write_spool(tmp_path / "s", STUDIES[kind], [], [])
    assert read_spool(tmp_path / "s").study == STUDIES[kind]


@pytest.mark.parametrize("kind", TRIALS)
def test_every_trial_there_can_be_survives(tmp_path: Path, kind: str) -> None:
    write_spool(tmp_path / "s", study(), [TRIALS[kind]], [])
    assert read_spool(tmp_path / "s").trials == (TRIALS[kind],)


def test_the_order_given_does_not_matter(spool: Path) -> None:
    other = spool.with_name("b.jsonl")
    write_spool(other, study(), SOME[::-1], EPOCHS[::-1], KEPT)
    assert other.read_bytes() == spool.read_bytes()


@given(st.data())
def test_a_spool_with_a_byte_changed_or_cut_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("spool") / "s"
    write_spool(path, study(), SOME[:1], EPOCHS[:1])
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    if content + b"\n" == path.read_bytes():  # without its last line's end it is whole
        return
    path.write_bytes(content)
    with pytest.raises(SpoolError, match=r"was cut or changed; restore it from a copy, or move"):
        read_spool(path)


def changed(kind: str, **fields: Any) -> Callable[[list[Any]], None]:
    """Writes other values into the first line of a kind."""

    def change(lines: list[Any]) -> None:
        next(line for line in lines if kind in line)[kind].update(fields)

    return change


FORGED: dict[str, tuple[Callable[[list[Any]], object], str]] = {
    "nothing": (lambda lines: lines.clear(), "was cut or changed"),
    "no study": (lambda lines: lines[0].pop("study"), "there is no 'study'"),
    "a list": (lambda lines: lines.insert(0, [1, 2]), "is not one of ours"),
    "of the future": (lambda lines: lines[0].update(spool=6), "another version"),
    "a line of another kind": (lambda lines: lines.append({"note": 1}), "of other kinds"),
    "an unknown field": (changed("trial", command="rm"), "of other kinds"),
    "text for a number": (changed("trial", macs="12"), "macs: input should be a valid integer"),
    "a state there is not": (changed("trial", state="lost"), "state: input should be"),
    "no configuration": (changed("trial", config={"family": "mixer"}), "config"),
    "a family that is not installed": (
        changed("trial", config={"family": "cnn"}),
        "cannot be read here: family 'cnn' is unknown",
    ),
    "a patch that does not fit": (
        lambda lines: lines[1]["trial"]["config"].update(patch_size=3),
        "does not tile",
    ),
    "a time without a zone": (changed("trial", started_at="2026-03-01T09:00:00"), "no time zone"),
    "a number twice": (changed("trial", number=3), "two of its trials have one number"),
    "an epoch twice": (changed("epoch", epoch=2), "an epoch is there twice"),
    "a parent that is not there": (
        lambda lines: lines[5]["trial"].update(parent=9),
        "a trial repeats one that is not there",
    ),
    "weights of no trial": (changed("weights", trial=9), "something is kept of no trial"),
    "results twice": (changed("image_results", split="test"), "image results are there twice"),
    "bits that are none": (changed("image_results", right="ü"), "right: "),
    "a confirmation without a zone": (
        changed("confirmations", began_at="2026-03-01T09:00:00"),
        "no time zone",
    ),
    "a reading for another study": (changed("readings", study="x"), "is for another study"),
    "a note on no trial": (changed("notes", trial=9), "something is kept of no trial"),
    "an epoch of no trial": (changed("epoch", trial=9), "an epoch is of no trial"),
    "a trial twice": (
        lambda lines: lines[3]["trial"].update(config=lines[1]["trial"]["config"]),
        "one configuration and seed",
    ),
}


@pytest.mark.parametrize(
    ("version", "unknown", "later"),
    [
        (
            1,
            {"failure": None, "timeout_seconds": None, "costs": {}, "parent": None},
            {"failure": "timeout"},
        ),
        (2, {"costs": {}, "parent": None}, {"costs": {"layers": 2.0}}),
        (3, {"parent": None}, {"parent": 0}),
    ],
)
def test_a_spool_of_an_older_version_is_read_without_what_it_did_not_know(
    spool: Path, version: int, unknown: dict[str, object], later: dict[str, object]
) -> None:
    lines = [json.loads(line) for line in spool.read_text().splitlines()[:-1]]
    assert lines[0]["spool"] == 5
    assert {"surroundings", "failure"} <= lines[1]["trial"].keys()  # as older ones have them
    lines[0]["spool"] = version
    lines = [line for line in lines if not line.keys() & _KEPT.keys() and line != lines[5]]
    for line in lines:
        if "trial" in line:
            assert {name: line["trial"].pop(name) for name in unknown} == unknown
    spool.write_bytes(sealed(lines))
    assert list(read_spool(spool).trials) == SOME[:4]
    assert read_spool(spool).kept == KeptResults()
    spool.write_bytes(sealed([*lines, {"confirmations": {}}]))
    with pytest.raises(SpoolError, match="is not one of ours"):
        read_spool(spool)
    lines[1]["trial"] |= later
    spool.write_bytes(sealed(lines))
    with pytest.raises(SpoolError, match="of other kinds"):
        read_spool(spool)


def test_a_spool_from_before_there_were_notes_is_read_and_has_none(spool: Path) -> None:
    lines = [json.loads(line) for line in spool.read_text().splitlines()[:-1]]
    lines[0]["spool"] = 4
    spool.write_bytes(sealed(lines))
    with pytest.raises(SpoolError, match="of other kinds"):  # that version had no such line
        read_spool(spool)
    spool.write_bytes(sealed([line for line in lines if "notes" not in line]))
    assert read_spool(spool).kept == replace(KEPT, notes=())


@pytest.mark.parametrize("kind", FORGED)
def test_a_spool_that_we_never_wrote_is_refused_though_its_digest_is_right(
    spool: Path, kind: str
) -> None:
    lines = [json.loads(line) for line in spool.read_text().splitlines()[:-1]]
    spool.write_bytes(sealed(lines))
    assert read_spool(spool).study == study()
    change, words = FORGED[kind]
    change(lines)
    spool.write_bytes(sealed(lines))
    with pytest.raises(SpoolError, match=words):
        read_spool(spool)


def test_deep_nesting_is_refused(spool: Path) -> None:
    body = b"[" * 100_000 + b"\n"
    seal = json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode()
    spool.write_bytes(body + seal + b"\n")
    with pytest.raises(SpoolError, match="is not one of ours"):
        read_spool(spool)


@given(st.text(max_size=200))
def test_no_name_leaves_the_folder(name: str) -> None:
    path = spool_path("sqlite:///runs/x.db", name)
    assert path.parent == Path("runs/x.db.spool")
    assert path.name.isascii()
    assert len(path.name) < 80
    assert ".." not in path.name


def test_studies_whose_names_look_alike_have_spools_of_their_own() -> None:
    names = ["a b", "a_b", "a/b", "../a_b", "a b ", "A b"]
    assert len({spool_path("sqlite:///x.db", name).name.lower() for name in names}) == len(names)


def test_a_spool_never_takes_the_place_of_one_that_waits(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/x.db"
    assert spools_of(storage) == []
    written = []
    for age in range(3):
        path = spool_path(storage, "s")
        write_spool(path, study("s"), SOME[:age], [])
        os.utime(path, (age, age))
        written.append(path)
    assert spools_of(storage) == written
    assert [len(read_spool(path).trials) for path in written] == [0, 1, 2]


def test_databases_of_a_server_do_not_share_spools_and_nobody_is_named() -> None:
    def folder(url: str) -> Path:
        return spool_path(f"postgresql+psycopg://{url}", "s").parent

    assert folder("u:secret@h/a") == folder("other@h:5432/a")
    assert len({folder(f"u@{where}") for where in ("h/a", "h/b", "g/a", "h:5433/a")}) == 4
    assert len({folder(f"/a?host={where}") for where in ("/run/one", "/run/two")}) == 2
    assert folder("h/a?application_name=x") == folder("h/a")
    assert "secret" not in str(folder("u:secret@h/a"))


FULL = """
import resource, sys; sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from test_spool import EPOCHS, SOME, SpoolError, study, write_spool
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    write_spool(Path(sys.argv[3]), study("new"), SOME, EPOCHS)
except SpoolError as error:
    print(error)
"""


def test_a_full_disk_ends_in_a_sentence_and_leaves_the_spool_that_was_there(spool: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-B", "-c", FULL, HERE, HERE.parent, spool],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"spool {spool} cannot be written (File too large); free some space" in said
    assert read_spool(spool).study == study()
    assert [path.name for path in spool.parent.iterdir()] == ["a.jsonl"]


def test_a_folder_that_cannot_be_written_or_a_file_that_cannot_be_read_is_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match=r"cannot be written \("):
        write_spool(tmp_path / "file" / "s", study(), [], [])
    with pytest.raises(SpoolError, match=r"cannot be read \(No such file"):
        read_spool(tmp_path / "none")


def test_a_spool_takes_numbers_no_database_could(tmp_path: Path) -> None:
    """Whoever puts it back finds out; nothing is lost before."""
    odd = replace(trial(0), macs=2**80, error="\0 \x85 ü 語 \n")
    write_spool(tmp_path / "s", study(), [odd], [epoch(1, train_loss=float("inf"))])
    assert read_spool(tmp_path / "s").trials == (odd,)
    assert read_spool(tmp_path / "s").epochs[0].train_loss == float("inf")
