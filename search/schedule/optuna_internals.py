"""All that we use of Optuna and that Optuna keeps to itself: its own samplers do the same.

There is no public way to write a system attribute, to take a trial up by its number, or to hand a
genetic sampler the parents it has chosen.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.samplers import BaseGASampler
from optuna.trial import FrozenTrial, Trial


def reopened(study: optuna.Study, number: int) -> Trial:
    """A running trial of the study, to write on."""
    return Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def set_system_attr(study: optuna.Study, trial: FrozenTrial, name: str, value: Any) -> None:
    """Writes on a trial, from within a sampler."""
    study._storage.set_trial_system_attr(trial._trial_id, name, value)


def parents(study: optuna.Study, sampler: BaseGASampler, generation: int) -> dict[str, Any]:
    """The parents of a generation, by Optuna's key; none where they are not chosen yet."""
    chosen = study._storage.get_study_system_attrs(study._study_id)
    key = f"{sampler._get_parent_cache_key_prefix()}{generation}"
    return {key: chosen[key]} if key in chosen else {}


def recall_parents(study: optuna.Study, sampler: BaseGASampler) -> None:
    """Gives a genetic sampler the parents back that `parents` told and its trials carry.

    Chosen anew they would be others, since more trials are complete now.
    """
    for trial in study.get_trials(deepcopy=False):
        for key, chosen in trial.system_attrs.items():
            if key.startswith(sampler._get_parent_cache_key_prefix()):
                study._storage.set_study_system_attr(study._study_id, key, chosen)
