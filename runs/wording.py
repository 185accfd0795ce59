"""Numbers, states and ends of trials as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runs.record import State, TrialRecord
from space.families import find_family
from space.quantities import format_count


def letters_explained(families: Iterable[str]) -> list[str]:
    """What the short names of configurations say, a line a family: `Mixer: p patch_size (pixels a
    side of a patch), ...`."""
    lines = []
    for family in map(find_family, families):
        said = [f"{one.letter} {one.field} ({one.meaning})" for one in family.letters]
        lines.append(f"{family.label}: {', '.join(said)}")
    return lines


def percent(accuracy: float | None) -> str:
    """An accuracy in [0, 1] as `91.24 %`; a dash where there is none."""
    return "–" if accuracy is None else f"{100 * accuracy:.2f} %"


def with_arm(accuracy: float | None, arm: float | None) -> str:
    """The same with half of its interval, `91.24 ± 0.78 %`, where that is known."""
    if accuracy is None or arm is None:
        return percent(accuracy)
    return f"{100 * accuracy:.2f} ± {100 * arm:.2f} %"


def luckiest(accuracy: float, number: int) -> str:
    """The highest of several accuracies, called what it is: `97.22 %, best of 9 and partly luck`.

    Args:
        accuracy: of one training, or the mean of a configuration's seeds; in [0, 1].
        number: of the configurations among which it was chosen for it.
    """
    if number < 2:
        return percent(accuracy)
    return f"{percent(accuracy)}, best of {number:,} and partly luck"


def state_word(state: State, *, is_run: bool = True) -> str:
    """A state as every page calls it; what is under way in a study that nobody runs, is not."""
    if state is State.RUNNING and not is_run:
        return "interrupted"
    return "stopped early" if state is State.PRUNED else state.value


def stopping_sentence(trial: TrialRecord) -> str | None:
    """That a trial was stopped early, or exempt; None of all others."""
    if trial.rung is None:
        return None
    where = f"after epoch {trial.rung} of {trial.epochs}"
    if trial.state is State.PRUNED:
        return f"Stopped early, {where}. Accuracy and loss are those after that epoch."
    if trial.state is State.COMPLETE:
        return (
            f"It would have been stopped {where}, and was trained on to see whether stopping it "
            "would have been right."
        )
    return None


def mean_of_seeds(accuracies: Sequence[float]) -> str:
    """`mean of 3 seeds, 96.10 to 97.40 %`."""
    low, high = 100 * min(accuracies), 100 * max(accuracies)
    return f"mean of {len(accuracies)} seeds, {low:.2f} to {high:.2f} %"


def flop_per_second(speed: float) -> str:
    """`1.20 TFLOP/s`."""
    number, _, unit = format_count(speed).partition(" ")
    return f"{number} {unit}FLOP/s"


def memory(size: int) -> str:
    """Bytes as `412 MiB` or `1.50 GiB`."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
