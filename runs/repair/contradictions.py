"""Whether a trial's record and its learning curve can both be true. Arithmetic only.

What one row alone cannot be, the schema forbids: see `runs.tables`.
"""

from __future__ import annotations

from collections.abc import Sequence

from runs.record import EpochRecord, State, TrialRecord
from space.cost import cost
from space.costs import COSTS


def contradictions(
    trial: TrialRecord, curve: Sequence[EpochRecord], asked: int | None = None
) -> list[str]:
    """What cannot be, in words; nothing of a trial as a search writes it.

    Args:
        trial: as it is recorded.
        curve: in the order of its epochs.
        asked: how many epochs the study trains its trials; None where it does not say.
    """
    found = []
    expected = cost(trial.config)
    if (trial.params, trial.macs) != (expected.params, expected.macs):
        found.append("its parameters or MACs are not those of its configuration")
    for name, value in trial.costs.items():
        known = COSTS.get(name)
        if known and known.of and value != known(trial.config):
            found.append(f"its {known.label} are not those of its configuration")
    if asked is not None and trial.epochs != asked:
        found.append(f"it asks for {trial.epochs} epochs and its study for {asked}")
    trained = steady(curve, trial.epochs if asked is None else asked)
    if len(trained) < len(curve):
        found.append(f"of {len(curve)} epochs of its curve the first {len(trained)} are sound")
    if trial.state is State.REFUSED and curve:
        found.append("it was refused and has a curve")
    if trial.state in {State.COMPLETE, State.PRUNED}:
        wanted = trial.epochs if trial.state is State.COMPLETE else trial.rung
        if len(trained) != wanted:
            found.append(f"it is {trial.state.value} and has {len(trained)} of {wanted} epochs")
        ends = [(epoch.validation_accuracy, epoch.validation_loss) for epoch in trained[-1:]]
        if ends != [(trial.accuracy, trial.loss)]:
            found.append("its accuracy or loss is not that of its last epoch")
    return found


def steady(curve: Sequence[EpochRecord], epochs: int) -> list[EpochRecord]:
    """The epochs from the first up to where one is missing or was not asked for."""
    numbered = zip(curve, range(1, epochs + 1), strict=False)
    found = []
    for epoch, number in numbered:
        if epoch.epoch != number:
            break
        found.append(epoch)
    return found
