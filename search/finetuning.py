"""`search.finetune_study`: trained weights, trained on with other images; `search.finetune` calls
it too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from runs.reader import open_reader
from search.result import StudyResult
from search.spec.finetuning import RATES, checked_rates
from search.spec.studies import StudyError, StudySpec
from search.study.finetuning_network import network_for
from search.study.kept_weights import WeightsOptions
from search.training import Training
from space.paths import as_path
from space.presets import Preset

if TYPE_CHECKING:
    from search.data import Arrays, ImageData


def finetune_study(
    spec: StudySpec,
    preset: Preset,
    *,
    rates: Sequence[float] | None = None,
    data: Arrays | ImageData | None = None,
    storage: str | None = None,
    workers: int | str = "auto",
    progress: bool | Console = True,
    data_dir: Path | str | None = None,
    archive: Path | str | None = None,
    device: str = "auto",
    workers_per_device: int = 1,
    engine: str = "auto",
    ray_address: str | None = None,
    trial_timeout: str | float = "24h",
    retry_failed: bool = False,
    checkpoint_every: str | float = "30s",
    checkpoint_dir: Path | str | None = None,
    keep_checkpoints: bool = False,
    weights_dir: Path | str | None = None,
) -> StudyResult:
    """Fine-tunes the weights of a preset, or goes on with that.

    Args:
        spec: the study, as `search.spec.finetuning.finetuning_spec` makes it.
        preset: with the weights that `spec.start_from` names.
        rates: learning rates, of which one training each chooses; None: those of `RATES`.
        data: images in the place of the data set the study names.
        storage: database URL; None for the default.
        workers: trials trained side by side.
        progress: whether to print how it goes; or where.
        data_dir: folder with prepared data sets.
        archive: the data set's original archive, where it has to be prepared.
        device: `auto`, `cpu`, `gpu`, `cuda`, `rocm` or `tpu`.
        workers_per_device: how many workers share an accelerator.
        engine: `local`, `ray`, or `auto` as in `search.run_study`.
        ray_address: of the Ray cluster's head.
        trial_timeout: a trial that takes longer has failed.
        retry_failed: trains those again that failed for no fault of their configuration.
        checkpoint_every: how often a trial under way is kept.
        checkpoint_dir: where; by default beside the database.
        keep_checkpoints: keeps those of trials that have ended too.
        weights_dir: where the weights of the trials are kept; by default beside the database.

    Raises:
        MixerSearchError: preset, study, data, device or storage are not fit; nothing is lost.
        KeyboardInterrupt: stopped; what is finished is stored, and the same call goes on.
    """
    console = progress if isinstance(progress, Console) else Console(quiet=not progress)
    start = spec.start_from
    if start is None or preset.trained is None or start.sha256 != preset.trained.sha256:
        raise StudyError(
            f"study {spec.name!r} does not start from the weights of preset {preset.name!r}; make "
            "its specification with search.spec.finetuning.finetuning_spec"
        )
    tried = checked_rates(RATES.get(spec.recipe.optimizer, ()) if rates is None else rates)
    spec = spec.model_copy(
        update={"recipe": spec.recipe.model_copy(update={"learning_rate": tried[0]})}
    )
    training = Training(
        workers=workers,
        workers_per_device=workers_per_device,
        device=device,
        engine=engine,
        ray_address=ray_address,
        trial_timeout=trial_timeout,
        retry_failed=retry_failed,
        checkpoint_every=checkpoint_every,
        checkpoint_dir=checkpoint_dir,
        keep_checkpoints=keep_checkpoints,
    )
    checkpoints = training.checkpoints()
    weights = WeightsOptions("all", as_path(weights_dir))
    weights.check()
    with training.start(storage, console) as (start_workers, check_stop):
        # Takes a second, in which workers start
        from search.study.finetune import finetune

        finetune(
            spec,
            tried,
            lambda task: network_for(preset, task, spec.dataset, start.tokens),
            console,
            start_workers=start_workers,
            storage=storage,
            data=data,
            data_dir=as_path(data_dir),
            archive=as_path(archive),
            checkpoints=checkpoints,
            weights=weights,
            retry=training.retry,
            check_stop=check_stop,
        )
    with open_reader(storage) as store:
        return StudyResult.read(store, spec.name, "complete")
