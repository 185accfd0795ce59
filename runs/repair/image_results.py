"""Whether which images trials predict right, and which trials they repeat, can be true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runs.reader import Reader
from runs.record import ImageResults, Origin, State, TrialRecord


def image_problems(store: Reader, study: str, trials: Sequence[TrialRecord]) -> list[str]:
    """What is wrong with a study's confirmations and their results, a line each."""
    kept = store.kept_results(study)
    by_number = {trial.number: trial for trial in trials}  # without rows that cannot be read
    found = []
    for trial in trials:
        parent = None if trial.parent is None else by_number.get(trial.parent)
        if trial.origin is Origin.CONFIRMATION and parent and parent.config != trial.config:
            found.append(
                f"study {study!r}, trial {trial.number}: it repeats trial {parent.number} and has "
                "another configuration"
            )
    for results in kept.image_results:
        of = by_number.get(results.trial)
        if of is not None:
            found += [f"study {study!r}, trial {of.number}: {p}" for p in _problems(of, results)]
    if not kept.readings and any(results.split == "test" for results in kept.image_results):
        found.append(f"study {study!r}: it has results on test images, and no reading is counted")
    return found


def _problems(trial: TrialRecord, results: ImageResults) -> Iterator[str]:
    """What cannot be of a trial's results."""
    if trial.state is not State.COMPLETE:
        yield f"it has results on {results.split} images and is not complete"
    elif results.split == "validation":
        right = int.from_bytes(results.right).bit_count()
        if round((trial.accuracy or 0) * results.num_images) != right:
            yield "its accuracy is not the share of validation images it predicts right"
