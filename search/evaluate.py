"""`python -m search.evaluate --model winner/`: how accurate a trained network is on a data set."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from runs.confirmation.sentence import read_times
from runs.noise import LEVEL
from runs.options import Storage
from search import options
from search.evaluated_images import EvaluationError
from search.evaluation import Evaluation, evaluate
from search.interrupted import same_command
from space import presets
from space.command import Json, Version, make_app, print_json, run_app

app = make_app()


@app.command(
    name="evaluate",
    help="Evaluate a trained network on the validation or the test images of a data set, by "
    "default those it was trained beside. Readings of a test split are counted in the database.",
    epilog="Example: python -m search.evaluate --model winner/",
    no_args_is_help=True,
)
def evaluate_model(
    model: Annotated[
        str,
        typer.Option(
            help="The folder of a trained network, or the name of a preset that comes with "
            "weights.",
            metavar="FOLDER|NAME",
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            help="A data set with the same classes, as a study file names it.",
            metavar="DATASET",
            show_default="the one it was trained on",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Which images.", metavar="validation|test")
    ] = "validation",
    resize: Annotated[
        bool,
        typer.Option("--resize", help="Convert images of another size, as in its training."),
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Read a test split once more: every page says how often it was read."
        ),
    ] = False,
    storage: Storage = None,
    data_dir: options.DataDir = None,
    device: options.Device = "auto",
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    if split not in {"validation", "test"}:
        raise EvaluationError(f"--split {split}: there is validation and test; choose one")
    preset = presets.load(model)
    found = evaluate(
        preset,
        dataset=dataset,
        split="test" if split == "test" else "validation",
        data_dir=data_dir,
        resize=resize,
        storage=storage,
        again=again,
        device=device,
        command=same_command("search.evaluate", sys.argv[1:]),
    )
    if as_json:
        print_json({"model": preset.name, "level": LEVEL} | asdict(found))
    else:
        print(f"{preset.name} on {found.dataset}, {_in_words(found)}")


def _in_words(found: Evaluation) -> str:
    accuracy, low, high = (100 * value for value in (found.accuracy, found.low, found.high))
    said = (
        f"{found.split}: accuracy {accuracy:.2f} % ({low:.2f} to {high:.2f} by its "
        f"{found.num_images:,} images), loss {found.loss:.4f}"
    )
    if found.test_readings is not None:
        return f"{said}; {read_times(found.test_readings)}"
    if found.recorded_accuracy is None:
        return said
    if abs(found.recorded_accuracy - found.accuracy) < 1e-6:
        return f"{said}; its training measured the same"
    return f"{said}; its training measured {100 * found.recorded_accuracy:.2f} %"


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.evaluate")


if __name__ == "__main__":
    sys.exit(main())
