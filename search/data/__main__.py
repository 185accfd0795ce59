"""Prepare a data set ahead of a study: `python -m search.data prepare cifar10`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pydantic
import typer
from rich.console import Console
from rich.text import Text

from search.data import prepared
from search.data.errors import DataError
from search.data.loading import TASKS, to_stderr
from search.data.naming import parse_name
from search.data.preparation import prepare
from search.data.source import Request, Source
from search.data.sources import open_source, source_of
from search.spec.data_spec import DataSpec
from search.spec.studies import STUDIES
from space.command import Json, Version, make_app, print_json, run_app
from space.config import ImageTask
from space.errors import explain
from space.paths import as_path

app = make_app(no_args_is_help=True)


@app.callback()
def data(version: Version = False) -> None:
    """Prepare data sets ahead of a study, and see where they lie."""


DataDir = Annotated[
    Path | None,
    typer.Option(
        parser=as_path,
        help="Where prepared data sets lie; by default $TFDS_DATA_DIR or ~/tensorflow_datasets.",
        metavar="DIR",
        show_default=False,
    ),
]


@app.command("prepare", short_help="Make a data set ready for studies.")
def prepare_command(
    dataset: Annotated[
        str,
        typer.Argument(
            help="cifar10, mnist, ... or a data set of TFDS: NAME, NAME/CONFIG, NAME:1.0.0; "
            "folder:PATH and arrays:FILE.npz are looked through.",
            metavar="DATASET",
        ),
    ],
    data_dir: DataDir = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            parser=as_path,
            help="The original file, or the folder that holds the original files; "
            "by default they are downloaded.",
            metavar="FILE|DIR",
            show_default=False,
        ),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Pixels a side to convert images to.", metavar="N")
    ] = None,
    resize: Annotated[
        str, typer.Option(help="How they are converted.", metavar="crop|squash|pad")
    ] = "crop",
    label: Annotated[
        str | None, typer.Option(help="The class label, where there are several.", metavar="KEY")
    ] = None,
    skip_broken: Annotated[
        bool,
        typer.Option("--skip-broken", help="Leave out files of a folder that are no images."),
    ] = False,
    version: Version = False,
) -> None:
    """Make a data set ready for studies; what is ready already is left as it is."""
    options = _options(image_size=image_size, resize=resize, label=label, skip_broken=skip_broken)
    if dataset == "digits" and archive is None:
        print("digits come with scikit-learn: there is nothing to prepare")
    elif source_of(dataset):
        request = Request(dataset=dataset, options=options, archive=archive, report=to_stderr)
        _look_through(open_source(request), request)
        return
    else:
        folder = data_dir or prepared.data_folder(None)
        with _progress() as report:
            directory = prepare(dataset, folder, archive=archive, report=report)
        prepared.read_task(dataset, directory, options)  # refuse now what no study could use
        counts = prepared.count(dataset, directory)
        prepared.check_split(dataset, directory, "train", counts)
        print(f"{dataset} lies in {directory}: {_numbers(counts)} images")
    known = parse_name(dataset).unversioned
    study = next((spec.name for spec in STUDIES.values() if spec.dataset == known), None)
    if study is not None:
        where = (
            f" --data-dir {shlex.quote(str(data_dir))}" if data_dir and dataset != "digits" else ""
        )
        print(f"next: python -m search.run --study {study}{where}")


@app.command("list", short_help="Show the data sets that need no TensorFlow.")
def list_command(data_dir: DataDir = None, as_json: Json = False, version: Version = False) -> None:
    """The data sets that need no TensorFlow, and where they are prepared."""
    folder = prepared.data_folder(data_dir)
    if as_json:
        print_json([_facts(dataset, task, folder) for dataset, task in TASKS.items()])
        return
    for dataset, task in TASKS.items():
        size, channels = task.image_size, task.image_channels
        print(
            f"{dataset:<14} {size} x {size} x {channels}, {task.num_classes} classes, "
            f"{_whereabouts(dataset, folder)}"
        )
    print("folder:PATH and arrays:FILE.npz are your own images: there is nothing to prepare")


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, 2 for what the user can mend, 130 when interrupted."""
    code = run_app(app, argv, "python -m search.data")
    if code == 130:
        print(
            "interrupted; what was downloaded is kept, and the same command goes on from there",
            file=sys.stderr,
        )
    return code


def _options(**fields: Any) -> DataSpec:
    try:
        return DataSpec.model_validate(fields)
    except pydantic.ValidationError as error:
        raise DataError(f"data.{explain(error)}") from None


def _look_through(source: Source, request: Request) -> None:
    """Reads what a study would read, and says what is there."""
    counts = {}
    for split in source.counts():
        read = source.read(split)
        counts[split] = len(read.labels)
        for note in read.notes:
            to_stderr(f"{request.dataset}: {note}")
    task = source.task()
    print(
        f"{request.dataset}: {_numbers(counts)} images of {task.num_classes:,} classes, "
        f"{task.image_size} x {task.image_size} x {task.image_channels}; "
        "there is nothing to prepare"
    )
    table = (
        ""
        if request.options.image_size is None
        else (f" and [data] image_size = {request.options.image_size}")
    )
    print(f"next: a study file with dataset = {json.dumps(request.dataset)}{table}")


def _numbers(counts: Mapping[str, int]) -> str:
    return " and ".join(f"{number:,} {split}" for split, number in counts.items())


def _whereabouts(dataset: str, folder: Path) -> str:
    if dataset == "digits":
        return "come with scikit-learn"
    try:
        directory = prepared.find(dataset, folder)
    except DataError as error:
        return str(error)
    return f"prepared in {directory}" if directory else f"not prepared in {folder}"


def _facts(dataset: str, task: ImageTask, folder: Path) -> dict[str, Any]:
    """A data set of the list, for `--json`; no folder where it is not prepared."""
    directory, problem = None, None
    if dataset != "digits":
        try:
            directory = prepared.find(dataset, folder)
        except DataError as error:
            problem = str(error)
    return {
        "dataset": dataset,
        **task.model_dump(),
        "is_ready": dataset == "digits" or directory is not None,
        "folder": None if directory is None else str(directory),
        "problem": problem,
    }


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A line that changes on a terminal, else one line after another."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield to_stderr
        return
    with console.status("preparing") as status:
        yield lambda line: status.update(Text(line))


if __name__ == "__main__":
    sys.exit(main())
