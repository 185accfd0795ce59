"""What is said of the classes where some have many more images than others."""

from __future__ import annotations

import numpy as np
import pytest

from search.data.balance import shares_line

NAMES = ("cat", "dog", "a [red] fox")


def line(train: list[int], validation: list[int]) -> str | None:
    """The line for so many images of each class."""
    return shares_line(*(np.repeat(np.arange(3), counts) for counts in (train, validation)), NAMES)


@pytest.mark.parametrize("train", [[100, 100, 100], [100, 80, 120], [100, 50, 100], [1, 1, 1]])
def test_nothing_is_said_of_classes_of_about_a_size(train: list[int]) -> None:
    assert line(train, [1, 1, 1]) is None


def test_the_most_and_the_least_frequent_class_are_named() -> None:
    assert line([300, 600, 100], [30, 60, 10]) == (
        "60 % of the training images are of class 'dog', 10 % of class 'a [red] fox': "
        "a network that always answers 'dog' has 0.60"
    )


def test_from_80_percent_on_it_is_a_warning() -> None:
    assert line([960, 40, 0], [96, 4, 0]) == (
        "warning: 96 % of the training images are of class 'cat': "
        "a network that always answers 'cat' has 0.96"
    )
    assert str(line([80, 10, 10], [8, 1, 1])).startswith("warning: 80 % of")
    assert not str(line([799, 101, 100], [8, 1, 1])).startswith("warning")


def test_what_such_a_network_has_is_what_validation_would_say() -> None:
    assert str(line([90, 10, 0], [7, 3, 0])).endswith("always answers 'cat' has 0.70")


def test_small_shares_are_not_rounded_away() -> None:
    assert "0.06 % of class 'dog'" in str(line([6000, 6, 3994], [1, 1, 1]))
    assert "0 % of class 'dog'" in str(line([600, 0, 400], [1, 1, 1]))
