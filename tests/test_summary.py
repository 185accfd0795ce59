"""What a study prints at its end fits a terminal of 80 characters."""

from __future__ import annotations

import io
from typing import Any

import pytest
from followed import Followed
from records import epoch, mixer, running, seeds, study, trial, vit
from rich.console import Console

from runs.convergence import Unconverged
from runs.next_steps import next_commands
from runs.noise import Noise
from runs.record import Failure, Origin, State, TrialRecord
from search.report.lines import print_line
from search.report.summary import (
    accuracy_lines,
    counts_line,
    failures_line,
    flat_line,
    front_table,
    idle_line,
    nothing_line,
    retried_line,
    stopping_line,
)


def status(
    *, vits: bool, accuracies: tuple[float, ...] = (0.5, 0.25), min_accuracy: float | None = None
) -> Followed:
    trials = [trial(number, accuracy=accuracy) for number, accuracy in enumerate(accuracies)]
    if vits:
        trials.append(trial(2, config=vit(), origin=Origin.BASELINE, accuracy=0.375))
    trials.append(running(3, state=State.REFUSED, error="tried before"))
    about = study(spec={"min_accuracy": min_accuracy})
    return Followed(about, trials, goal=4, baselines=1, images_per_epoch=100)


UNKNOWN = Noise(num_images=None)


def printed(*, vits: bool) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(front_table(status(vits=vits), UNKNOWN))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_front_stands_above_the_baselines_uncut() -> None:
    text = printed(vits=True)
    assert "…" not in text
    assert "p2 C8 L2 T8 D20" in text
    assert "50.0 %" in text
    assert "p2 C12 L2 D20 H3" in text
    assert "37.5 % baseline" in text
    assert "25.0 %" not in text, "it is dominated"


def test_the_name_of_a_study_is_text_in_the_title() -> None:
    named = Followed(
        study("[red]x [b]y :smile: \x1b[31m"),
        [trial(0, accuracy=0.5)],
        goal=4,
        baselines=0,
        images_per_epoch=100,
    )
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    console.print(front_table(named, UNKNOWN))
    assert isinstance(console.file, io.StringIO)
    assert "Front of [red]x [b]y :smile: \\x1b[31m, accuracy" in console.file.getvalue()


def test_a_line_is_printed_as_it_is() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    print_line(console, "folder:cat: [b]8[/b] images")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "folder:cat: [b]8[/b] images\n"


def test_without_baselines_the_front_stands_alone() -> None:
    text = printed(vits=False)
    assert "p2 C8 L2 T8 D20" in text
    assert "baseline" not in text


def test_an_accuracy_has_its_half_width_and_what_is_to_be_said_of_its_trial() -> None:
    console = Console(file=io.StringIO(), width=80)
    now = status(vits=True, accuracies=(0.5, 0.52))
    console.print(front_table(now, Noise(num_images=144), {2: Unconverged.LEARNING}))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert rows[2].endswith("50.0 ± 8.1 %"), "none is cheaper: its place is sure"
    assert rows[3].endswith("52.0 ± 8.1 % undecided")
    assert rows[4].endswith("37.5 ± 8.1 % baseline, still learning")
    assert max(map(len, text.splitlines())) <= 80


def test_the_counts_leave_out_what_did_not_happen() -> None:
    assert counts_line(status(vits=True)).startswith(
        "2 trials complete, 1 refused, 1 baseline; hypervolume"
    )
    one = status(vits=False, accuracies=(0.5,))
    assert counts_line(one).startswith("1 trial complete, 1 refused, 0 baselines; hypervolume")


def test_a_baseline_that_failed_is_none_of_those_there_are_to_compare_with() -> None:
    now = status(vits=False)
    now.start(running(5, config=vit(), origin=Origin.BASELINE))
    now.end(failed(5, Failure.DIVERGED, config=vit(), origin=Origin.BASELINE))
    assert "1 refused, 0 baselines (1 failed); hypervolume" in counts_line(now)
    again = Followed(now.study, now.trials, goal=4, baselines=1, images_per_epoch=100)
    assert counts_line(again) == counts_line(now)


def failed(number: int, failure: Failure | None, **changes: Any) -> TrialRecord:
    return running(number, state=State.FAILED, error="why", failure=failure, **changes)


LIMIT = {"timeout_seconds": 5.0}


@pytest.mark.parametrize(
    ("trials", "says"),
    [
        ([], None),
        ([failed(4, Failure.DIVERGED)], "1 failed: 1 diverged"),
        (
            [failed(4, Failure.TIMEOUT, **LIMIT), failed(5, Failure.DIVERGED)],
            "2 failed: 1 ran into --trial-timeout 5s, 1 diverged; try 1 again with --retry-failed, "
            "or with a longer --trial-timeout",
        ),
        (
            [failed(4, Failure.TIMEOUT, **LIMIT)],
            "1 failed: 1 ran into --trial-timeout 5s; try it again with --retry-failed, or with a "
            "longer --trial-timeout",
        ),
        (
            [failed(4, Failure.LOST_WORKER), failed(5, Failure.LOST_WORKER)],
            "2 failed: 2 lost a worker twice; try them again with --retry-failed",
        ),
        (
            [failed(4, Failure.TIMEOUT, **LIMIT), failed(5, Failure.OUT_OF_MEMORY)],
            "2 failed: 1 ran into --trial-timeout 5s, 1 ran out of memory; try them again with "
            "--retry-failed, or 1 of these with a longer --trial-timeout",
        ),
    ],
)
def test_failures_are_summed_up_with_what_to_do(
    trials: list[TrialRecord], says: str | None
) -> None:
    now = Followed(study(), trials, goal=4, baselines=0, images_per_epoch=100)
    assert failures_line(now) == says


def test_a_trial_that_is_tried_again_is_counted_once() -> None:
    before = [*status(vits=False).trials, failed(5, Failure.TIMEOUT, **LIMIT)]
    now = Followed(study(), before, goal=4, baselines=0, images_per_epoch=100)
    assert (now.finished, now.counts[State.FAILED]) == (3, 1)
    assert retried_line(now) is None
    now.start(running(5))
    assert (now.finished, now.counts[State.FAILED], now.seconds_left) == (2, 0, None)
    now.end(trial(5, accuracy=0.75))
    assert (now.finished, now.counts[State.COMPLETE], now.counts[State.FAILED]) == (3, 3, 0)
    assert now.front[-1].number == 5
    assert now.seconds_left is not None
    assert retried_line(now) == "1 tried again: 1 complete"


def test_that_there_was_nothing_to_train_is_said_with_what_to_do() -> None:
    ended = [trial(0), trial(1)]
    now = Followed(study(), ended, goal=2, baselines=0, images_per_epoch=100)
    assert idle_line(now, asked=2) == (
        "nothing was left to train: the 2 trials asked for have ended; ask for more with --trials"
    )
    assert "has tried all there is within its budget" in (idle_line(now, asked=3) or "")
    late = Followed(study(), ended, goal=3, baselines=0, images_per_epoch=100)
    assert idle_line(late, asked=3) is None, "the same command goes on"
    now.start(running(2, config=vit(), origin=Origin.BASELINE))
    assert idle_line(now, asked=2) is None


def test_the_counts_of_several_seeds_say_of_what() -> None:
    now = Followed(
        study(spec={"seeds": 2}),
        [trial(number, config=mixer(hidden_dim=8), seed=number) for number in range(2)],
        goal=1,
        baselines=0,
        images_per_epoch=100,
    )
    assert counts_line(now).startswith("2 trials complete (2 a configuration), 0 baselines;")


def test_a_study_that_found_nothing_says_why_and_recommends_no_export() -> None:
    now = status(vits=True, accuracies=())
    assert nothing_line(now) == ("there is nothing to choose from yet; the same command goes on")
    for number, step in enumerate((3, 4, 4), start=5):
        now.end(running(number, state=State.FAILED, error=f"diverged at step {step}"))
    now.end(running(8, config=vit(), origin=Origin.BASELINE, state=State.FAILED, error="other"))
    assert nothing_line(now) == (
        "there is nothing to choose from: 3 trials failed, 2 of them with: diverged at step 4"
    )
    assert next_commands("s", None, found=False) == ["python -m dashboard"]
    now.end(trial(9))
    assert nothing_line(now) is None


def test_trials_that_are_all_useless_are_not_nothing_at_all() -> None:
    now = status(vits=True, accuracies=(0.5, 0.25), min_accuracy=0.7)
    assert nothing_line(now) == (
        "no trial is as accurate as min_accuracy asks; the best has 50.0 %"
    )


def test_a_trial_that_lost_its_worker_goes_on_from_an_epoch_that_was_shown() -> None:
    now = status(vits=False)
    now.start(running(4))
    for number in (1, 2, 3, 3, 4, 2):  # the checkpoint was of the third, then of the second
        now.add_epoch(epoch(number, 4, elapsed_seconds=10.0 * number))
        (shown,) = now.running
        assert shown.last_epoch is not None
        assert shown.last_epoch.epoch == number
        assert shown.images_per_second == 10


def test_what_is_left_counts_trials_and_baselines_to_come() -> None:
    now = status(vits=False)
    assert now.seconds_left is None
    assert (now.finished, now.finished_baselines) == (2, 0)
    now.start(running(4))
    now.end(trial(4, accuracy=0.75))
    assert now.finished == 3
    assert now.running == ()
    assert now.seconds_left is not None


def test_every_configuration_that_trains_is_shown_with_its_own_speed() -> None:
    now = status(vits=False)
    for number in (4, 5):
        now.start(running(number, config=mixer(num_blocks=number)))
    now.start(running(6, config=mixer(num_blocks=5), seed=1))  # trains with 5, as another seed
    now.add_epoch(epoch(1, trial=5, elapsed_seconds=2.0))
    now.add_epoch(epoch(2, trial=5, elapsed_seconds=3.0))
    first, second = now.running
    assert (first.trial.number, first.last_epoch) == (4, None)
    assert second.trial.number == 5
    assert second.last_epoch == epoch(2, trial=5, elapsed_seconds=3.0)
    assert second.images_per_second == 100.0


def test_the_next_commands_name_study_and_storage_as_a_shell_takes_them() -> None:
    assert next_commands("my study", "sqlite:///a b.db") == [
        "python -m dashboard --storage 'sqlite:///a b.db'",
        "python -m search.confirm --study 'my study' --storage 'sqlite:///a b.db'",
        "python -m search.export --study 'my study' --pick knee --storage 'sqlite:///a b.db'",
    ]


def test_the_next_commands_do_not_print_a_password() -> None:
    command, *_ = next_commands("s", "postgresql+psycopg://me:secret@host/runs")
    assert "secret" not in command
    assert "me:***@host/runs" in command


def test_an_exempt_trial_that_is_useless_is_no_regret() -> None:
    exempt = [trial(0, accuracy=0.3, rung=4), trial(1, accuracy=0.9, rung=4)]
    asked = study(spec={"min_accuracy": 0.95})
    now = Followed(asked, exempt, goal=2, baselines=0, images_per_epoch=100)
    assert (stopping_line(now) or "").endswith(", 0 of them on the front")


def test_early_stopping_is_summed_up_in_a_line() -> None:
    assert stopping_line(status(vits=False)) is None
    now = status(vits=False)
    for number in (10, 11, 12):
        state = State.COMPLETE if number == 12 else State.PRUNED
        now.end(trial(number, state=state, rung=4, accuracy=0.2, epochs=12))
    line = stopping_line(now)
    assert line is not None
    assert line.startswith("early stopping: 2 stopped, ")
    assert "; 1 more trained on to see whether that is right, 0 of them on the front; how" in line


def test_a_study_that_ends_because_its_front_is_flat_says_so() -> None:
    flat = status(vits=False, accuracies=(0.9, 0.3, 0.2))
    assert flat.ended(2) == "flat"
    assert flat.ended(3) == flat.ended(None) == "timeout"
    assert flat_line(flat, 3) is None
    line = flat_line(flat, 2)
    assert line
    assert "has not grown over the last 2 trials (--stop-when-flat 2)" in line
    assert line.endswith("the same command goes on to 4")
    done = Followed(study(), [trial(0)], goal=1, baselines=0, images_per_epoch=1)
    assert done.ended(1) == "complete"


def test_of_what_was_given_every_seed_is_named_beside_their_mean() -> None:
    trials = seeds(0, 0.5, 0.6, origin=Origin.BASELINE)
    given = Followed(study(), trials, goal=0, baselines=1, images_per_epoch=1)
    (line,) = accuracy_lines(given, UNKNOWN)
    assert "12 epochs: accuracy 55.0 %, standard deviation 7.1 points (seed 0 50.0" in line
    alone = Followed(study(), trials[:1], goal=0, baselines=1, images_per_epoch=1)
    (line,) = accuracy_lines(alone, UNKNOWN)
    assert line.endswith("accuracy 50.0 % on the validation split")
    (line,) = accuracy_lines(alone, Noise(num_images=144))
    assert line.endswith("accuracy 50.0 ± 8.1 % on the validation split")
    failed = Followed(study(), [running(0)], goal=0, baselines=1, images_per_epoch=1)
    assert accuracy_lines(failed, UNKNOWN) == []
