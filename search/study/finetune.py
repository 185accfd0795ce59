"""A fine-tuning from specification to summary: a study a learning rate, then the study itself.

Every rate is a study of its own, so that what is interrupted goes on like any other. Their
trainings have a seed that the study's own have not: no training that was chosen for its luck is
reported.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from runs.rates import mean_accuracies
from runs.record import Origin, State, StudyRecord, TrialRecord
from runs.storage import without_password
from runs.writer import Writer
from search.data import Arrays, ImageData
from search.protocol import StartWeights, StartWorkers, Workers
from search.report.finetuning import accuracy_line, open_reporter
from search.report.lines import print_line
from search.schedule.finetuning import FinetuningScheduler
from search.spec.retry import RetryPolicy, causes
from search.spec.studies import StudyError, StudySpec, recipe_for, with_changes
from search.study.checkpoint_folder import Checkpoints
from search.study.held import held_study
from search.study.kept_weights import WeightsOptions
from search.study.loop import Search
from search.study.open_study import study_of
from search.study.plan import Plan, epoch_steps, plan
from search.study.rate_tuning import TunedRates, spent_on_rates
from search.study.run_study import kept
from search.study.state import StudyState
from search.study.study_images import images_of
from space.config import Config, ImageTask
from space.families import label_of
from space.quantities import counted


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """What all trainings of a fine-tuning have in common."""

    config: Config
    start: StartWeights
    planned: Plan
    images: ImageData
    workers: Workers
    console: Console
    storage: str | None
    checkpoints: Checkpoints
    retry: RetryPolicy
    check_stop: Callable[[], None]

    def train(
        self, spec: StudySpec, study: StudyRecord, store: Writer, weights: WeightsOptions
    ) -> list[TrialRecord]:
        """Trains what is missing of a study that is held; its trainings, in order."""
        state = StudyState.read(store, study.name)
        before = sum(_is_mine(t) and t.state is not State.RUNNING for t in state.trials.values())
        is_cpu = self.workers.environment.device_kind == "cpu"
        with open_reporter(self.console, spec.seeds, before) as reporter, kept(self.workers):
            Search(
                study=study,
                spec=spec,
                spaces=self.planned.affordable,
                task=self.images.task,
                baselines=(),
                store=store,
                workers=self.workers,
                reporter=reporter,
                state=state,
                check_stop=self.check_stop,
                scheduler=partial(
                    FinetuningScheduler, config=self.config, at_once=1 if is_cpu else spec.seeds
                ),
                checkpoints=self.checkpoints.of(study, self.storage),
                weights=weights.of(study, self.storage),
                retry=self.retry,
                takes_up=_is_mine,
                starts_from=self.start.digest,
            ).go(num_trials=0)
        return [trial for trial in state.trials.values() if _is_mine(trial)]


def rate_studies(spec: StudySpec, rates: Sequence[float]) -> dict[float, StudySpec]:
    """By learning rate, the study that tries it with one seed; none of a rate that has no rival."""
    if len(rates) < 2:
        return {}
    return {
        rate: with_changes(
            spec,
            name=f"{spec.name}.rate-{rate:g}",
            seeds=1,
            seed=spec.seed + spec.seeds,
            recipe=spec.recipe.model_copy(update={"learning_rate": rate}),
        )
        for rate in sorted(rates)
    }


def finetune(
    spec: StudySpec,
    rates: Sequence[float],
    network_for: Callable[[ImageTask], tuple[Config, StartWeights]],
    console: Console,
    *,
    start_workers: StartWorkers,
    storage: str | None = None,
    data: Arrays | ImageData | None = None,
    data_dir: Path | None = None,
    archive: Path | None = None,
    checkpoints: Checkpoints | None = None,
    weights: WeightsOptions | None = None,
    retry: RetryPolicy | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> None:
    """Fine-tunes, or goes on with it, and prints how it goes and what it found.

    Args:
        spec: the study, with `start_from`; its recipe's learning rate is the lowest of `rates`.
        rates: of several, a study each finds the one by which `spec` is trained.
        network_for: what is trained on such images, and from which weights.
        console: where it is shown.
        start_workers: takes the images and the weights.
        storage: database URL; None for the default.
        data: the images; None for those of the data set the study names.
        data_dir: folder with prepared data sets; None for TFDS's.
        archive: the data set's original archive, where it has to be prepared.
        checkpoints: where and how often trials under way are kept.
        weights: of which complete trials they are kept, and where; of rates that are tried none.
        retry: which trials that failed are tried again.
        check_stop: called between epochs; raises to stop.

    Raises:
        MixerSearchError: preset, data, device or storage are not fit; nothing is lost.
        KeyboardInterrupt: stopped; what is finished is stored.
    """
    say = partial(print_line, console)
    if data is not None:
        name = data.name if isinstance(data, ImageData) else "arrays"
        spec = spec.model_copy(update={"dataset": name})
    with held_study(spec.name, storage, say, check_stop=check_stop) as store:
        images = images_of(store, spec, data_dir=data_dir, archive=archive, given=data, report=say)
        config, start = network_for(images.task)
        planned = plan(spec, images.task, given=(config,))
        steps = epoch_steps(spec, len(images.train_labels))
        tried = rate_studies(spec, rates)
        study = study_of(store, spec, planned, images, {"trials": 0})
        study = _with_rates(study, [child.name for child in tried.values()])
        say(
            f"{study.name}: {_start_of(spec)} on {spec.dataset}, {len(images.train_labels):,} "
            f"images to train and {len(images.validation_labels):,} to validate on; "
            f"{label_of(config)}, {spec.recipe.epochs} epochs"
            + (", only the head learns" if spec.recipe.freeze else "")
        )
        workers = start_workers(images, start)
        study = store.put_study(study)
        each = f", {workers.count} workers" if workers.count > 1 else ""
        say(f"on {workers.environment.device_kind}{each}; results in {store.where}")
        trainer = Trainer(
            config=config,
            start=start,
            planned=planned,
            images=images,
            workers=workers,
            console=console,
            storage=storage,
            checkpoints=checkpoints or Checkpoints(),
            retry=retry or RetryPolicy(),
            check_stop=check_stop,
        )
        chosen = study.spec["learning_rates"]
        if tried and not chosen:
            found = _try_rates(trainer, tried, spec, say)
            chosen = found.chosen
            study = store.put_study(replace(study, spec=study.spec | {"learning_rates": chosen}))
            seen = 3 * steps * spec.recipe.batch_size
            for sentence in found.lines(seen * spent_on_rates(store, study).total()):
                say(sentence)
        spec = spec.model_copy(update={"learning_rates": chosen})
        rate = recipe_for(spec, config.family).learning_rate
        say(f"learning rate {rate:g}: {counted(spec.seeds, 'training')}")
        trials = trainer.train(spec, study, store, weights or WeightsOptions("all"))
    for line in _closing_lines(study, trials, storage):
        say(line)


def _try_rates(
    trainer: Trainer, tried: dict[float, StudySpec], parent: StudySpec, say: Callable[[str], None]
) -> TunedRates:
    """Trains what is missing of the studies of all rates."""
    trials: dict[float, list[TrialRecord]] = {}
    for rate, spec in tried.items():
        say(f"learning rate {rate:g}: one training, to choose a rate by")
        with held_study(spec.name, trainer.storage, say, check_stop=trainer.check_stop) as store:
            study = study_of(store, spec, trainer.planned, trainer.images)
            study = replace(study, spec=study.spec | {"rate_of": parent.name})
            study = store.put_study(study)
            trials[rate] = trainer.train(spec, study, store, WeightsOptions("none"))
    return TunedRates(
        accuracies=mean_accuracies(trials, 1.0 / trainer.images.task.num_classes),
        epochs=parent.recipe.epochs,
        trainings=sum(map(len, trials.values())),
    )


def _with_rates(study: StudyRecord, names: list[str]) -> StudyRecord:
    """With the names of the studies that try its rates.

    Raises:
        StudyError: it began with others.
    """
    before = study.spec.get("rate_studies", names)
    if before != names:
        asked = ", ".join(name.rpartition(".rate-")[2] for name in names) or "one rate"
        there = ", ".join(name.rpartition(".rate-")[2] for name in before)
        raise StudyError(
            f"study {study.name!r} began with --rates {there}, and {asked} is asked for; ask for "
            "the same, or name another study with --study-name"
        )
    return replace(study, spec=study.spec | {"rate_studies": names})


def _start_of(spec: StudySpec) -> str:
    assert spec.start_from is not None, "a fine-tuning starts from weights"
    return f"preset {spec.start_from.preset} (weights {spec.start_from.sha256[:12]})"


def _is_mine(trial: TrialRecord) -> bool:
    return trial.origin is Origin.FINETUNE


def _closing_lines(
    study: StudyRecord, trials: Sequence[TrialRecord], storage: str | None
) -> list[str]:
    """What was found, why trainings failed, and what to type next."""
    failed = [t for t in trials if t.state is State.FAILED]
    lines = [line for line in [accuracy_line(trials)] if line]
    if failed:
        lines.append(f"{len(failed)} failed: {causes(failed)}")
    complete = [t for t in trials if t.state is State.COMPLETE]
    if complete:
        best = max(complete, key=lambda t: (t.accuracy or 0.0, -t.number))
        where = f" --storage {shlex.quote(without_password(storage))}" if storage else ""
        lines.append(
            f"next: python -m search.export --study {shlex.quote(study.name)} "
            f"--pick trial={best.number}{where} --out finetuned"
        )
    return lines
