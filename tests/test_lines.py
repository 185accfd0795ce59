"""Lines for a terminal break between words, at 60, 80 and 120 columns; a log keeps them."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from records import mixer, running, study, trial, vit
from rich.console import Console
from test_confirmation_scheduler import World

from runs.convergence import Unconverged
from runs.noise import noise_of
from runs.record import EpochRecord, Origin, State, TrialRecord
from search.report.confirmation import ConfirmationProgress, ConfirmationReporter
from search.report.finetuning import FinetuningReporter
from search.report.lines import print_line
from search.report.progress import LiveReporter, PlainReporter, progress_line
from search.report.status import StudyStatus
from search.report.summary import front_table
from search.study.state import StudyState
from space.costs import FLOPS
from space.families import label_of
from space.wrapped import wrapped

WIDTHS = [60, 80, 120]
SENTENCES = [
    "6 s in all, 2,422 trials an hour; the device trained or validated 9 % of it; 4 of 4 programs "
    "came from the cache",
    "best of at most 84.3 k FLOPs: Mixer 74.3 ± 7.7 % (still learning), ViT 23.6 ± 7.6 % (still "
    "learning): +50.7 points (39.9 to 59.6); one seed, images only",
    "mixer_smoke: digits, 1,294 images to train and 144 to validate on; 24 configurations of at "
    "most 105 k FLOPs",
]
BASELINES = [mixer(), vit()]


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def shown(console: Console) -> str:
    return cast("io.StringIO", console.file).getvalue()


def check_lines(text: str, told: list[str], width: int) -> None:
    """Every line fits, and every word that was told is there whole."""
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    words = [word for line in lines for word in line.split()]
    for line in told:
        assert set(line.split()) <= set(words), line


def status(trials: list[TrialRecord], goal: int = 40) -> StudyStatus:
    return StudyStatus(study(), StudyState(trials), goal=goal, baselines=2, images_per_epoch=100)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_breaks_between_words_and_a_number_keeps_its_unit(
    sentence: str, width: int
) -> None:
    console = terminal(width)
    print_line(console, sentence)
    text = shown(console)
    check_lines(text, [sentence], width)
    assert re.sub(r"\n\s*", " ", text.strip()) == sentence
    assert not re.search(r"\d\n", text)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_in_a_log_a_line_stays_a_line(sentence: str) -> None:
    console = Console(file=io.StringIO(), width=60)
    print_line(console, sentence)
    assert shown(console) == f"{sentence}\n"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_command_that_is_broken_can_be_copied(width: int) -> None:
    command = (
        "python -m search.export --study 'two  words of a study' --pick knee "
        "--storage sqlite:////tmp/results/t.db --out winner --name somewhat-longer"
    )
    said = wrapped(f"next: {command}", width).removeprefix("next: ")
    assert max(map(len, said.splitlines())) <= width
    typed = ["sh", "-c", said.replace("python", "printf '%s\\n'", 1)]
    words = subprocess.run(typed, capture_output=True, text=True, check=True).stdout
    assert words.splitlines() == shlex.split(command)[1:]


def line_of(
    make: Callable[[Console, StudyStatus], PlainReporter], console: Console, ended: TrialRecord
) -> str:
    state = status([])
    state._state.put([ended])
    reporter = make(console, state)
    reporter.ended(ended)
    return shown(console)


BIG = mixer(hidden_dim=1024, tokens_mlp_dim=512, channels_mlp_dim=4096, num_blocks=24)
ENDS = {
    "complete": trial(17, config=BIG),
    "stopped": running(17, config=BIG, state=State.PRUNED, rung=2),
    "failed": running(
        17, config=BIG, state=State.FAILED, error="the loss was not finite at step 3"
    ),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("end", ENDS)
def test_a_trial_that_ended_breaks_no_word(end: str, width: int) -> None:
    text = line_of(PlainReporter, terminal(width), ENDS[end])
    told = ["trial 17", label_of(BIG), "FLOPs"]
    told += [f"accuracy {100 * ENDS[end].accuracy:.1f} %"] if ENDS[end].accuracy else ["failed:"]
    check_lines(text, told, width)


def test_a_trial_that_failed_says_which_seed_it_was() -> None:
    more = ["seed 7", "(2 min left)"]
    line = progress_line(terminal(80), "[1/9]", ENDS["failed"], FLOPS, more)
    assert "  seed 7  (2 min left)  failed: the loss was not finite" in line


def test_an_ordinary_trial_is_one_line_of_80_characters() -> None:
    text = line_of(PlainReporter, terminal(80), trial(3))
    assert text.count("\n") == 1
    assert re.fullmatch(
        r"\[ 1/40\]  trial 3  Mixer p2 C11 L2 T8 D20  .* FLOPs  accuracy 33\.3 %.*\n", text
    )


def test_a_baseline_is_counted_as_one_and_not_as_a_trial_of_the_search() -> None:
    console = Console(file=io.StringIO(), width=200)
    shown_of = status([])
    reporter = PlainReporter(console, shown_of)
    for number, config in enumerate(BASELINES):
        ended = trial(number, config=config, origin=Origin.BASELINE)
        if number:
            ended = running(
                number,
                config=config,
                origin=Origin.BASELINE,
                state=State.FAILED,
                error="out of memory",
            )
        shown_of._state.put([ended])
        reporter.ended(ended)
    shown_of._state.put([trial(2)])
    reporter.ended(trial(2))
    starts = [re.split(r"  trial", line)[0] for line in shown(console).splitlines()]
    assert starts == ["baseline 1 of 2", "baseline 2 of 2", "[ 1/40]"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_panel_of_a_running_study_breaks_no_word(width: int) -> None:
    state = status([trial(0), *ENDS.values(), running(20, config=BIG)])
    state.start(running(20, config=BIG))
    state.add_epoch(replace(EPOCH, trial=20))
    console = terminal(width)
    console.print(LiveReporter(console, state).panel())
    check_lines(shown(console), [label_of(BIG), "hypervolume", "of 40 trials", "images/s"], width)


EPOCH = EpochRecord(
    trial=0,
    epoch=3,
    train_loss=1.0,
    train_accuracy=0.5,
    validation_loss=1.0,
    validation_accuracy=0.5,
    learning_rate=1e-3,
    elapsed_seconds=9.0,
)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_confirmation_and_a_fine_tuning_break_no_word(width: int) -> None:
    console = terminal(width)
    progress = ConfirmationProgress(World(seeds=15).task, FLOPS)
    ConfirmationReporter(console, progress).ended(
        trial(17, config=BIG, origin=Origin.CONFIRMATION, parent=0, seed=4)
    )
    progress.start(running(18, config=BIG))
    console.print(ConfirmationReporter(console, progress).panel())
    FinetuningReporter(console, goal=3, ended=0).ended(trial(17, config=BIG, seed=4))
    check_lines(
        shown(console), [label_of(BIG), f"of {progress.goal} trainings", "accuracy 33.3 %"], width
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_of_the_front_cuts_no_word(width: int) -> None:
    found = [trial(0), trial(1, config=BIG, accuracy=0.9)]
    given = trial(2, config=vit(), origin=Origin.BASELINE)
    record = status([*found, given])
    marks = dict.fromkeys((1, 2), Unconverged.LEARNING)
    console = terminal(width)
    noise = noise_of(record.study, record.trials)
    console.print(front_table(record, noise, marks))
    check_lines(shown(console), [label_of(BIG), "baseline,", "still learning"], width)


def test_an_apostrophe_is_no_quotation_mark() -> None:
    sentence = "the search's one training, the study's trials, and all the other trial's seeds"
    assert max(map(len, wrapped(sentence, 40).splitlines())) <= 40
