"""`python -m runs note STUDY [TRIAL] TEXT`: a note on a study or a trial; they are listed too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from runs.commands.names import Study, open_existing
from runs.options import Storage
from runs.reader import open_reader
from runs.record import Note
from space.command import Json, Version, make_app, print_json, run_app, visible
from space.errors import MixerSearchError
from space.quantities import counted

MOST_CHARACTERS = 4_000

app = make_app()


class NoteError(MixerSearchError):
    """There is no such note, or it cannot be one."""


@app.command(
    help="Write a note on a study, or on one of its trials; the dashboard shows it. Without a "
    "text the notes are listed, each with the number that --remove takes. A study that is being "
    "run may get notes too.",
    epilog='Example: python -m runs note mixer_cifar 17 "the one for the paper"',
    no_args_is_help=True,
)
def note(
    study: Study,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="A trial's number, and the text in quotes, or the text alone.",
            metavar="[TRIAL] [TEXT]",
            show_default=False,
        ),
    ] = None,
    remove: Annotated[
        int | None,
        typer.Option(help="Remove a note by its number in the list.", metavar="N"),
    ] = None,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    trial, text = _parsed(words or [])
    if text is None and remove is None:
        with open_reader(storage) as reader:
            if trial is not None:
                reader.trial(study, trial)  # or the sentence that it is not there
            notes = [*enumerate(reader.notes(study))]
        wanted = [(i, one) for i, one in notes if trial is None or one.trial == trial]
        _print(wanted, as_json=as_json)
        if not as_json:
            print(counted(len(wanted), "note"))
        return
    with open_existing(storage) as store:
        if text is not None:
            if remove is not None:
                raise NoteError("--remove N removes a note, and a text writes one; ask for one")
            store.add_note(study, Note(text=text, written_at=datetime.now(UTC), trial=trial))
            _print([*enumerate(store.notes(study))][-1:], as_json=as_json)
        else:
            assert remove is not None, "one of both was asked for"
            known = store.notes(study)
            if trial is not None:
                raise NoteError(
                    f"--remove {remove} is the note's number in the list of the whole study; "
                    f"leave trial {trial} out"
                )
            if not 0 <= remove < len(known) or not store.remove_note(study, known[remove]):
                there = f"they are 0 to {len(known) - 1}" if known else "there is none"
                raise NoteError(f"--remove {remove}: study {study!r} has no such note; {there}")
            _print([(remove, known[remove])], as_json=as_json, what="removed: ")


def _parsed(words: list[str]) -> tuple[int | None, str | None]:
    """The trial and the text; a number alone is a trial.

    Raises:
        NoteError: there are more words, or the text cannot be a note.
    """
    trial: int | None = None
    if words and words[0].isdecimal() and len(words[0]) < 10:
        trial, words = int(words[0]), words[1:]
    if not words:
        return trial, None
    if len(words) > 1:
        what = "the text" if trial is not None else "a trial's number or the text"
        raise NoteError(
            f"after {words[0]!r} there is {words[1]!r}, and {what} is one argument; put the text "
            "in quotes"
        )
    text = words[0].strip()
    if not text:
        raise NoteError("the note is empty; write a text, or leave it out to list the notes")
    if len(text) > MOST_CHARACTERS:
        raise NoteError(
            f"the note has {len(text):,} characters, and at most {MOST_CHARACTERS:,} are kept; "
            "shorten it"
        )
    if not all(c.isprintable() or c in "\n\t" for c in text):
        raise NoteError("the note holds control characters; leave them out")
    return trial, text


def _print(notes: Sequence[tuple[int, Note]], *, as_json: bool, what: str = "") -> None:
    """Notes, with their numbers among all of the study."""
    if as_json:
        print_json({"notes": [{"note": i} | _facts(one) for i, one in notes]})
        return
    for i, one in notes:
        on = "the study" if one.trial is None else f"trial {one.trial}"
        print(f"{what}note {i} on {on}, {one.written_at:%Y-%m-%d %H:%M:%S} UTC")
        print(visible("\n".join(f"    {line}" for line in one.text.splitlines())))


def _facts(one: Note) -> dict[str, Any]:
    return asdict(one) | {"written_at": one.written_at.isoformat()}


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m runs note")
