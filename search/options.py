"""Options that the commands which train have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.study.kept_weights import CHOICES
from search.train.devices import KINDS
from space.paths import as_path

OF_THE_STUDY = "the study's"
"""What a flag of the specification is by default."""

StudyName = Annotated[
    str | None,
    typer.Option(
        help="Keep the results under another name.", metavar="NAME", show_default=OF_THE_STUDY
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        help="Passes over the training images a trial.", metavar="N", show_default=OF_THE_STUDY
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(help="Of sampler and training.", metavar="N", show_default=OF_THE_STUDY),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        help="Trainings of every configuration; their mean counts.",
        metavar="K",
        show_default=OF_THE_STUDY,
    ),
]
TrainLimit = Annotated[
    int | None,
    typer.Option(
        help="Only the first N training images, for a quick look.",
        metavar="N",
        show_default=OF_THE_STUDY,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Any field as a study file has it, such as recipe.learning_rate=1e-3; repeatable.",
        metavar="FIELD=VALUE",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be trained and what it would take, and leave."),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        help="Start no trial after so long: 45s, 30m, 2h.", metavar="TIME", show_default="none"
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        parser=as_path,
        help="Folder with prepared TFDS data sets; by default $TFDS_DATA_DIR or "
        "~/tensorflow_datasets.",
        metavar="DIR",
        show_default=False,
    ),
]
Archive = Annotated[
    Path | None,
    typer.Option(
        parser=as_path,
        help="The data set's original archive, or the folder of its original files, instead of a "
        "download.",
        metavar="FILE|DIR",
        show_default=False,
    ),
]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out files of a folder that are no images.")
]
Device = Annotated[str, typer.Option(help="Where to train.", metavar="|".join(KINDS))]
Workers = Annotated[
    str,
    typer.Option(
        help="Trials trained side by side, each on an accelerator of its own, or on its share of "
        "the CPU's cores; auto: --workers-per-device for every accelerator there is.",
        metavar="N|auto",
    ),
]
WorkersPerDevice = Annotated[
    int,
    typer.Option(
        help="Workers that share an accelerator, its memory divided evenly: small networks leave "
        "most of one idle. A CPU is shared by all workers.",
        metavar="K",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        help="Where workers live: processes of this machine, or actors on a Ray cluster.",
        metavar="local|ray",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        help="Of the Ray cluster's head; auto: of the cluster this machine is a node of.",
        metavar="HOST:PORT|auto",
        show_default="auto",
    ),
]
TrialTimeout = Annotated[
    str, typer.Option(help="A trial that takes longer has failed.", metavar="TIME")
]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Train those again that failed by no fault of their own: they ran into the time "
        "limit, lost their worker, or had no memory. With a higher --trial-timeout those that ran "
        "into it are trained again without being asked to.",
    ),
]
CheckpointEvery = Annotated[
    str,
    typer.Option(
        help="How often a trial under way is kept, to go on from there after an interruption.",
        metavar="TIME",
    ),
]
KeepWeights = Annotated[
    str,
    typer.Option(
        help="Whose weights to keep: of complete trials on the front (removed when they leave it), "
        "of all complete trials, or of none.",
        metavar="|".join(CHOICES),
    ),
]
KeepCheckpoints = Annotated[
    bool,
    typer.Option(
        "--keep-checkpoints", help="Keep the last checkpoint of every trial that has ended."
    ),
]
