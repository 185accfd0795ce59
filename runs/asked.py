"""What a study was asked for, in words: its data, recipe and search, as its specification has it.

Each function gives names and values in the order in which they are read. What a study of an older
version did not note is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.record import StudyRecord, TrialRecord
from runs.rungs import first_exempt, rungs_of
from space.config import ImageTask
from space.costs import FLOPS
from space.errors import listed
from space.families import find_family, labels
from space.quantities import counted
from space.search_space import fitted

_SAMPLERS = {
    "cost_aware": "cost-aware: expected gain in hypervolume",
    "tpe": "TPE (tree-structured Parzen estimator)",
    "nsga2": "NSGA-II (genetic)",
    "random": "random",
}
_CHANGES = {
    "crop_padding": "random crop ({} px of border)",
    "flip": "flip",
    "cutout": "cutout {} px",
    "mixup_alpha": "mixup {}",
    "cutmix_alpha": "CutMix {}",
    "rotate": "rotation up to {}°",
    "shear": "shear {}",
    "translate": "translation {}",
    "brightness": "brightness {}",
    "contrast": "contrast {}",
    "saturation": "saturation {}",
}
"""By the field of the recipe's augmentation."""


def data_facts(study: StudyRecord, trials: Sequence[TrialRecord]) -> dict[str, str]:
    """The images: which, how large, how many.

    Args:
        study: the study.
        trials: all of it; their configurations tell the size of the images, their timings how many
            were trained on.
    """
    spec = study.spec
    data: Mapping[str, Any] = spec.get("data") or {}
    facts = {"data set": str(spec.get("dataset", "not noted"))}
    if version := spec.get("dataset_version"):
        facts["version"] = str(version)
    if task := _task(trials):
        channels = counted(task.image_channels, "channel")
        facts["images"] = f"{task.image_size} × {task.image_size} pixels, {channels}"
    if size := data.get("image_size"):
        facts["converted"] = f"to {size} × {size} pixels ({data.get('resize')})"
    facts["classes"] = f"{study.num_classes:,}"
    if images := images_per_epoch(trials):
        facts["trained on"] = f"{images:,} images an epoch, in whole batches"
    if limit := spec.get("train_limit"):
        facts["limit"] = f"the first {limit:,} training images"
    facts |= _validation(spec, data)
    if decoder := spec.get("decoder"):
        facts["decoder"] = str(decoder)
    return facts | {"digest": study.data_digest[:12]}


def recipe_facts(study: StudyRecord) -> dict[str, str]:
    """How every network is trained; the learning rate a family, where rates differ."""
    recipe: Mapping[str, Any] = study.spec.get("recipe") or {}
    facts = {}
    if "epochs" in recipe:
        facts["epochs"] = f"{recipe['epochs']:,}"
    if "batch_size" in recipe:
        facts["batch size"] = f"{recipe['batch_size']:,}"
    if "optimizer" in recipe:
        facts["optimizer"] = str(recipe["optimizer"])
    if "weight_decay" in recipe:
        facts["weight decay"] = f"{recipe['weight_decay']:g}"
    if "clip_norm" in recipe:
        facts["gradients"] = f"clipped to norm {recipe['clip_norm']:g}"
    if "learning_rate" in recipe:
        facts["learning rate"] = _rates(study)
    if "schedule" in recipe:
        facts["schedule"] = f"{recipe.get('warmup', 0.0):.0%} warm-up, then {recipe['schedule']}"
    if recipe.get("label_smoothing"):
        facts["label smoothing"] = f"{recipe['label_smoothing']:g}"
    if recipe.get("ema"):
        facts["weights"] = f"moving average, decay {recipe['ema']:g} a step"
    if recipe.get("freeze"):
        facts["trained layers"] = "the head alone"
    if "augmentation" in recipe:
        facts["augmentation"] = _augmentation(recipe["augmentation"])
    return facts


def search_facts(study: StudyRecord, trials: Sequence[TrialRecord]) -> dict[str, str]:
    """What is searched, by what, within which bounds."""
    spec, cost = study.spec, study.cost
    asked: Mapping[str, Any] = spec.get("asked") or {}
    facts = {
        "families": labels(study.families),
        "objectives": f"{cost.label} (low), validation accuracy (high)",
        "ceiling": cost.shortly(study.cost_ceiling),
    }
    if cost != FLOPS:
        facts["FLOPs ceiling"] = FLOPS.shortly(study.flops_ceiling)
    if study.min_accuracy:
        facts["least accuracy"] = f"{study.min_accuracy:.1%}; less counts as useless"
    if "trials" in asked:
        facts["configurations"] = f"{asked['trials']:,}"
    if "baselines" in spec:
        facts["baselines"] = _baselines(spec["baselines"], is_on=bool(asked.get("baselines", True)))
    if "sampler" in spec:
        facts["sampler"] = _SAMPLERS.get(spec["sampler"], str(spec["sampler"]))
    if earlier := started_from(study):
        said = (f"from {name}: {what}" for name, what in earlier.items())
        facts["warm start"] = "; and ".join(said)
    if "seeds" in spec:
        facts["seeds"] = f"{spec['seeds']} a configuration, from seed {spec.get('seed', 0)} on"
    if "rungs" in spec:
        facts["early stopping"] = _stopping(study, trials)
    if flat := asked.get("stop_when_flat"):
        facts["ends early"] = f"when the hypervolume has not grown over {counted(flat, 'trial')}"
    return facts


def started_from(study: StudyRecord) -> dict[str, str]:
    """By the name of an earlier study whose trials the sampler learns from, how many it took of
    which images, and where its recipe differs."""
    found = {}
    for earlier in study.spec.get("earlier", ()):
        counts = [
            counted(len(one["accuracies"]), find_family(one["family"]).label)
            for one in earlier["trials"]
        ]
        facts = [" and ".join(counts), f"of {earlier['dataset']}"]
        other = _flat(earlier.get("recipe") or {})
        own = _flat(study.spec.get("recipe") or {})
        differs = [
            f"{name} {other[name]} (here {value})"
            for name, value in own.items()
            if name in other and other[name] != value
        ]
        if differs:
            facts.append(f"trained with {listed(differs, 4)}")
        found[earlier["study"]] = ", ".join(facts)
    return found


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a table and of the tables in it."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return found


def start_facts(study: StudyRecord) -> dict[str, str]:
    """The weights that all trainings start from; nothing of a study that draws them."""
    start: Mapping[str, Any] = study.spec.get("start_from") or {}
    if not start:
        return {}
    size = start["image_size"]
    facts = {
        "preset": str(start["preset"]),
        "weights": f"SHA-256 {start['sha256'][:12]}",
        "network's images": f"{size} × {size} pixels",
        "seeds": f"{study.spec.get('seeds', 1)}, from seed {study.spec.get('seed', 0)} on",
    }
    if start.get("tokens"):
        facts["enlarged"] = f"to more tokens ({start['tokens']})"
    return facts


@dataclass(frozen=True, kw_only=True)
class SearchedRange:
    """The values that a parameter of a family may take in a study."""

    family: str
    parameter: str
    values: tuple[int, ...]
    """Ascending."""
    fitting: tuple[int, ...]
    """Those that fit the images where a study gives no range."""

    @property
    def is_narrowed(self) -> bool:
        """Whether values that fit are left out."""
        return not set(self.fitting) <= set(self.values)

    @property
    def is_widened(self) -> bool:
        """Whether it has values beyond those that fit by default."""
        return not set(self.values) <= set(self.fitting)


def searched_ranges(study: StudyRecord, trials: Sequence[TrialRecord]) -> list[SearchedRange]:
    """The space, family by family; empty before the size of the images is known."""
    task = _task(trials)
    if task is None:
        return []
    given: Mapping[str, Any] = study.spec.get("space") or {}
    found = []
    for name in study.families:
        family = find_family(name)
        named = given.get(name, given if len(study.families) == 1 else {})
        named = {k: v for k, v in named.items() if k in family.ranges.model_fields}
        open_ranges = fitted(name, family.ranges(), task).ranges
        ranges = fitted(name, family.ranges.model_validate(named), task).ranges
        found += [
            SearchedRange(
                family=name, parameter=parameter, values=values, fitting=open_ranges[parameter]
            )
            for parameter, values in ranges.items()
        ]
    return found


def images_per_epoch(trials: Sequence[TrialRecord]) -> int | None:
    """Training images a network sees in an epoch, whole batches; None before one was timed."""
    timed = next(
        (t for t in trials if t.timing and t.accuracy is not None and t.rung is None), None
    )
    if timed is None or timed.timing is None:
        return None
    return round(timed.timing.images_per_second * timed.timing.train_seconds / timed.epochs)


def _task(trials: Sequence[TrialRecord]) -> ImageTask | None:
    """Of the images, as the networks take them; None of a study without trials."""
    return trials[0].config.task if trials else None


def _validation(spec: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, str]:
    if "num_validation" not in spec:
        return {}
    how = ""
    if data.get("validation") == "own":
        how = ", the data set's own"
    elif "validation_fraction" in spec:
        how = f", {spec['validation_fraction']:.0%} of its train split"
        how += f" ({spec['split']})" if spec.get("split") else ""
    return {"validated on": f"{spec['num_validation']:,} images{how}"}


def _rates(study: StudyRecord) -> str:
    recipes = {name: study.recipe_of(name) or {} for name in study.families}
    by_family = {name: recipe["learning_rate"] for name, recipe in recipes.items()}
    if len(set(by_family.values())) == 1:
        is_tuned = bool(study.spec.get("learning_rates"))
        return f"{next(iter(by_family.values())):g}" + (" (tuned)" if is_tuned else "")
    return ", ".join(f"{find_family(name).label} {rate:g}" for name, rate in by_family.items())


def _augmentation(changes: Mapping[str, Any]) -> str:
    said = [_CHANGES.get(name, name).format(f"{v:g}") for name, v in changes.items() if v]
    return ", ".join(said) or "none"


def _baselines(given: int | Sequence[str], *, is_on: bool) -> str:
    if not given or not is_on:
        return "none"
    if isinstance(given, int):
        return f"{given}, in published proportions"
    return ", ".join(map(str, given))


def _stopping(study: StudyRecord, trials: Sequence[TrialRecord]) -> str:
    epochs = (study.spec.get("recipe") or {}).get("epochs") or (trials[0].epochs if trials else 0)
    rungs = rungs_of(study.spec, epochs)
    if not rungs:
        return "none, every configuration is trained to the end"
    at = " and ".join(map(str, rungs))
    share, first = study.spec["rungs"].get("spared") or 0.0, first_exempt(study.spec)
    exempt = f"the first {first} and {share:.0%} of the others" if first else f"{share:.0%}"
    return f"after epoch {at} of {epochs}; {exempt} exempt"
