"""`search.confirm_study`: a study's front over fresh seeds; `python -m search.confirm` calls it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from runs.confirmed import Confirmed, read_confirmed
from runs.reader import open_reader
from runs.weights_folder import Weights
from search.report.lines import print_line
from search.spec.confirmation import MOST_A_FAMILY, ConfirmationSettings
from search.training import Training
from space.config import Config
from space.paths import as_path
from space.weights_file import params_of

if TYPE_CHECKING:
    from search.data import Arrays, ImageData


def confirm_study(
    study: str,
    *,
    seeds: int = 5,
    uniform: bool = False,
    candidates: int = MOST_A_FAMILY,
    level: float = 0.95,
    max_training_flops: float | None = None,
    keep_classes: bool = False,
    again: bool = False,
    data: Arrays | ImageData | None = None,
    storage: str | None = None,
    progress: bool | Console = True,
    data_dir: Path | str | None = None,
    device: str = "auto",
    weights_dir: Path | str | None = None,
    command: str = "search.confirm_study",
    **options: Any,
) -> Confirmed | None:
    """Trains the front of a finished search again, with seeds it never had, and reads test once.

    Fresh validation says who is on the front and who gets the next seed; the test split is opened
    when all is trained and reports. The same call goes on where an earlier one was stopped.

    Args:
        study: its name.
        seeds: trainings a candidate, in the mean: three each, the others where they decide most.
        uniform: gives every candidate as many.
        candidates: at most of a searched family; complete baselines come besides.
        level: of intervals.
        max_training_flops: no training begins that would exceed so many.
        keep_classes: stores the predicted class of every image, not only whether it is right.
        again: after a finished confirmation, makes another and reads the test split once more.
        data: as for `search.run_study`, and so are those that follow.
        command: what the reading of the test split is noted with.
        options: those of `search.run_study` about workers, their engine, time limits, checkpoints
            and the archive.

    Returns:
        What was found; None where the time was up before all was trained.

    Raises:
        MixerSearchError: study, data, device or storage are not fit, or the test split was read
            before; nothing is lost.
        KeyboardInterrupt: stopped; what is finished is stored, and the same call goes on.
    """
    # Takes a second
    from search.report.confirmation import show
    from search.study.test_split import check_unread, read_test

    console = progress if isinstance(progress, Console) else Console(quiet=not progress)
    settings = ConfirmationSettings(
        seeds=seeds,
        is_uniform=uniform,
        level=level,
        max_training_flops=max_training_flops,
        candidates=candidates,
        keeps_classes=keep_classes,
        again=again,
    )
    settings.check()
    where: dict[str, Any] = {
        "data": data,
        "storage": storage,
        "data_dir": data_dir,
        "weights_dir": weights_dir,
    }
    with open_reader(storage) as store:
        check_unread(store, study, again=again)
    is_trained = _train(study, settings, console, device=device, **where, **options)
    if not is_trained:
        print_line(
            console, "not all is trained: the test split stays closed; the same command goes on"
        )
        return None
    read_test(
        study,
        predict=partial(_predict, device),
        storage=storage,
        given=data,
        data_dir=as_path(data_dir),
        weights_dir=as_path(weights_dir),
        again=again,
        command=command,
        say=partial(print_line, console),
    )
    with open_reader(storage) as store:
        found = read_confirmed(store, study, level=level)
    show(console, found)
    return found


def repeat_study(study: str, *, progress: bool | Console = True, **options: Any) -> None:
    """Trains two configurations of a study's front with three fresh seeds, for the seed noise.

    The options are those of `confirm_study` but for what concerns the front.
    """
    console = progress if isinstance(progress, Console) else Console(quiet=not progress)
    settings = ConfirmationSettings(kind="repeats", seeds=3, is_uniform=True)
    _train(study, settings, console, **options)


def _train(
    study: str,
    settings: ConfirmationSettings,
    console: Console,
    *,
    data: Arrays | ImageData | None = None,
    storage: str | None = None,
    data_dir: Path | str | None = None,
    archive: Path | str | None = None,
    weights_dir: Path | str | None = None,
    **options: Any,
) -> bool:
    """Opens workers, and has a confirmation trained; whether all of it is."""
    from search.study.confirm import train  # takes a second

    training = Training(**options)
    deadline, checkpoints = training.deadline(), training.checkpoints()
    started = training.start(storage, console, "trainings", " The test split was not read.")
    with started as (start_workers, check_stop):
        return train(
            study,
            console,
            settings,
            start_workers=start_workers,
            storage=storage,
            data=data,
            data_dir=as_path(data_dir),
            archive=as_path(archive),
            checkpoints=checkpoints,
            weights_dir=as_path(weights_dir),
            retry=training.retry,
            deadline=deadline,
            check_stop=check_stop,
        )


def _predict(device_kind: str, config: Config, weights: Sequence[Weights], images: Any) -> Any:
    """As `search.study.test_split.Predict`, in this process."""
    from search.train.devices import choose
    from search.train.predict import predict

    first = weights[0].facts
    return predict(
        config,
        [params_of(one.arrays) for one in weights],
        images,
        json.loads(first["pixel_mean"]),
        json.loads(first["pixel_std"]),
        choose(device_kind),
    )
