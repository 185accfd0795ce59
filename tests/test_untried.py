"""What a study has not tried yet: against brute force over all members."""

from __future__ import annotations

import time

from records import DIGITS, WIDE_SPACE, mixers, vit

from search.schedule.untried import Untried
from space.config import MixerConfig
from space.cost import cost

CEILING = 200_000
UNDER = [config for config in WIDE_SPACE.members(DIGITS) if cost(config).flops <= CEILING]


def fresh(*tried: MixerConfig) -> Untried:
    return Untried(WIDE_SPACE, DIGITS, max_flops=CEILING, seed=0, tried=tried)


def drawn(untried: Untried) -> list[MixerConfig]:
    found = []
    while config := untried.draw():
        untried.remove(config)
        found.append(config)
    return found


def test_everything_under_the_ceiling_is_drawn_once_and_nothing_else() -> None:
    untried = fresh()
    found = drawn(untried)
    assert untried.count == len(UNDER) == len(found)
    assert set(found) == set(UNDER)
    assert untried.none_left


def test_the_same_is_drawn_whatever_came_before_the_history() -> None:
    through = drawn(fresh())
    assert drawn(fresh(*through[:40])) == through[40:]


def test_a_network_that_is_no_member_leaves_as_many_as_before() -> None:
    untried = fresh()
    other = UNDER[0].model_copy(update={"num_classes": 7})
    for config in (vit(), other):
        untried.remove(config)
        assert config not in untried
    assert len(drawn(untried)) == len(UNDER)


def test_a_space_of_43560_members_is_listed_in_well_under_a_second() -> None:
    large = mixers(
        patch_size=(1, 2, 4),
        hidden_dim=tuple(range(8, 8 * 23, 8)),
        tokens_mlp_dim=tuple(range(8, 8 * 12, 8)),
        channels_mlp_dim=tuple(range(16, 16 * 11, 16)),
        num_blocks=(1, 2, 3, 4, 6, 12),
    )
    began = time.process_time()
    untried = Untried(large, DIGITS, max_flops=10**12, seed=0)
    assert untried.count == 43_560
    assert time.process_time() - began < 0.8
