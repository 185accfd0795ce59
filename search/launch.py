"""`search.run_study`: a study from Python, with all that the command line has.

`python -m search.run` and `python -m search.train` call it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from runs.reader import open_reader
from search.result import StudyResult
from search.spec.studies import StudyError, StudySpec
from search.spec.study_file import find_study
from search.study.kept_weights import WeightsOptions
from search.training import Training
from space.paths import as_path

if TYPE_CHECKING:
    from search.data import Arrays, ImageData


def run_study(
    study: StudySpec | str | Path,
    *,
    data: Arrays | ImageData | None = None,
    storage: str | None = None,
    workers: int | str = "auto",
    progress: bool | Console = True,
    data_dir: Path | str | None = None,
    archive: Path | str | None = None,
    baselines: bool = True,
    tune_rate: bool | None = None,
    device: str = "auto",
    workers_per_device: int = 1,
    engine: str = "auto",
    ray_address: str | None = None,
    timeout: str | float | None = None,
    trial_timeout: str | float = "6h",
    retry_failed: bool = False,
    stop_when_flat: int | None = None,
    checkpoint_every: str | float = "30s",
    checkpoint_dir: Path | str | None = None,
    keep_checkpoints: bool = False,
    keep_weights: str = "front",
    weights_dir: Path | str | None = None,
) -> StudyResult:
    """Runs a study, or goes on with it, to the number of trials it is to have.

    With one worker (`auto`, or 1) it trains in this process: no `if __name__ == "__main__"` is
    needed, and a notebook can run it. With several, or `engine="local"`, each is a process.

    Args:
        study: a `StudySpec`, a built-in study's name, or the path of a `.toml` file.
        data: images in the place of the data set the study names: from `search.data.from_arrays`,
            or arrays by the keys an `.npz` file has. A study keeps to the images it began with.
        storage: database URL; None for `$MIXER_STORAGE` or `sqlite:///runs/mixer_search.db`.
        workers: trials trained side by side.
        progress: whether to print how it goes; or where.
        data_dir: folder with prepared data sets.
        archive: the data set's original archive, where it has to be prepared.
        baselines: False leaves those that are missing for another time.
        tune_rate: whether a learning rate a family is found first, by short trainings at half, once
            and twice the recipe's; None: where the study searches several families, asks for 20
            trials or more, and gives no `learning_rates`. A study that has begun keeps its rates.
        device: `auto`, `cpu`, `gpu`, `cuda`, `rocm` or `tpu`.
        workers_per_device: how many workers share an accelerator.
        engine: `local` for processes of this machine, `ray` for actors on a Ray cluster; `auto`
            for this process where there is one worker, else `local`.
        ray_address: of the Ray cluster's head.
        timeout: no trial starts after so long; seconds, or as `2h`.
        trial_timeout: a trial that takes longer has failed.
        retry_failed: trains those again that failed for no fault of their configuration.
        stop_when_flat: ends the study when its front's hypervolume has not grown over so many
            trials.
        checkpoint_every: how often a trial under way is kept.
        checkpoint_dir: where; by default beside the database.
        keep_checkpoints: keeps those of trials that have ended too.
        keep_weights: of which complete trials weights are kept: `front`, `all` or `none`.
        weights_dir: where; by default beside the database.

    Raises:
        MixerSearchError: study, data, device or storage are not fit; nothing is lost.
        KeyboardInterrupt: stopped; what is finished is stored, and the same call goes on.
    """
    console = progress if isinstance(progress, Console) else Console(quiet=not progress)
    spec = study if isinstance(study, StudySpec) else find_study(str(study))
    training = Training(
        workers=workers,
        workers_per_device=workers_per_device,
        device=device,
        engine=engine,
        ray_address=ray_address,
        timeout=timeout,
        trial_timeout=trial_timeout,
        retry_failed=retry_failed,
        checkpoint_every=checkpoint_every,
        checkpoint_dir=checkpoint_dir,
        keep_checkpoints=keep_checkpoints,
    )
    deadline, checkpoints = training.deadline(), training.checkpoints()
    weights = WeightsOptions(keep_weights, as_path(weights_dir))
    weights.check()
    if stop_when_flat is not None and stop_when_flat < 1:
        raise StudyError(f"--stop-when-flat {stop_when_flat}: give a number of trials, 1 or more")
    if tune_rate and spec.learning_rates:
        given = ", ".join(f"{name} {rate:g}" for name, rate in spec.learning_rates.items())
        raise StudyError(
            f"--tune-rate: the study has learning rates ({given}); leave that out to train by "
            "them, or take learning_rates out of the study"
        )
    with training.start(storage, console) as (start_workers, check_stop):
        # Takes a second, in which workers start
        from search.study.run_study import run_study as run

        status = run(
            spec,
            console,
            start_workers=start_workers,
            storage=storage,
            data=data,
            data_dir=as_path(data_dir),
            archive=as_path(archive),
            with_baselines=baselines,
            tune_rate=tune_rate,
            checkpoints=checkpoints,
            weights=weights,
            retry=training.retry,
            deadline=deadline,
            stop_when_flat=stop_when_flat,
            check_stop=check_stop,
        )
    with open_reader(storage) as store:
        return StudyResult.read(store, spec.name, status.ended(stop_when_flat), storage)
