"""`python -m search`: the commands there are, a line each."""

from __future__ import annotations

import sys

from space.command import Version, make_app, run_app

COMMANDS = {
    "search.run": "search for Mixers accurate for their FLOPs, or go on with a study",
    "search.confirm": "train a study's front again with fresh seeds; read the test split once",
    "search.train": "train one configuration longer, with one seed or several",
    "search.finetune": "train the weights of a winner on with the images of another data set",
    "search.export": "write a study's winner as a folder with weights, or as a preset file",
    "search.predict": "say what a trained network takes images for",
    "search.evaluate": "measure how accurate a trained network is on a data set",
    "search.convert": "make a folder of what others trained: published files, timm's",
    "search.latency": "measure how long a network takes to answer, in JAX and ONNX Runtime",
    "search.presets": "networks to choose from: published ones, baselines, winners of studies",
    "search.check": "look a database over; put back what it could not take",
    "search.data": "prepare data sets ahead of a study, and see where they lie",
    "search.bench": "measure how fast this machine trains",
    "runs": "write the trials of a study to a CSV or Parquet file",
    "runs gc": "remove files that are of no use any more",
    "dashboard": "show studies in the browser",
}
"""What follows `python -m`, and what it does."""

app = make_app()


@app.command(help="List the commands; each has --help.")
def list_commands(version: Version = False) -> None:
    """A line each."""
    for module, what in COMMANDS.items():
        print(f"python -m {module:<15} {what}")


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search")


if __name__ == "__main__":
    sys.exit(main())
