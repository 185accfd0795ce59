"""Families compared at equal cost."""

from __future__ import annotations

from typing import Any

import pytest
from records import at, mixer, seeds, study, vit

from runs.convergence import Unconverged
from runs.equal_cost import at_equal_cost, compared_families
from runs.noise import Noise, noise_of
from runs.record import Origin, TrialRecord
from runs.seeds import over_seeds
from space.costs import FLOPS

NOISE = Noise(num_images=5_000)


def vit_at(flops: int, accuracy: float, number: int, **changes: Any) -> TrialRecord:
    return at(flops, accuracy, number, config=vit(hidden_dim=12 + 3 * number), **changes)


def test_each_family_is_stood_for_by_its_best_within_the_budget() -> None:
    mixers = [at(1_000_000, 0.6, 0), at(9_000_000, 0.8, 1), at(10_000_000, 0.7, 2)]
    vits = [vit_at(500_000, 0.4, 3), vit_at(4_000_000, 0.75, 4), vit_at(100_000_000, 0.9, 5)]
    found = at_equal_cost(mixers, vits, NOISE, FLOPS)
    assert all(1_000_000 <= one.budget <= 10_000_000 for one in found), "both have a member"
    assert [(one.one.number, one.other.number) for one in found] == [(0, 3), (0, 4)]
    assert [one.points for one in found] == pytest.approx([20.0, -15.0])


def test_what_would_be_said_twice_is_said_once() -> None:
    assert len(at_equal_cost([at(1_000, 0.6, 0)], [vit_at(1_000, 0.5, 1)], NOISE, FLOPS)) == 1
    far = at_equal_cost([at(1_000, 0.6, 0)], [vit_at(9_000, 0.5, 1)], NOISE, FLOPS)
    assert [one.budget for one in far] == [9_000]
    assert at_equal_cost([at(1_000, 0.6, 0)], [], NOISE, FLOPS) == []


def test_with_one_seed_nobody_is_better_however_far_ahead() -> None:
    (found,) = at_equal_cost([at(1_000, 0.99, 0)], [vit_at(1_000, 0.1, 1)], NOISE, FLOPS)
    assert found.difference is not None
    assert found.difference.excludes_zero
    assert found.verdict() == "one seed, images only"


@pytest.mark.parametrize(
    ("ahead", "verdict"), [(0.10, "ViT is better"), (0.005, "within noise"), (-0.10, "Mixer")]
)
def test_with_several_seeds_somebody_is_better_beyond_the_noise_alone(
    ahead: float, verdict: str
) -> None:
    scatter = (0.004, 0.0, -0.004)
    trials = [
        *seeds(0, *(0.8 + s for s in scatter), macs=500),
        *seeds(3, *(0.8 + ahead + s for s in scatter), macs=500, config=vit()),
    ]
    noise = noise_of(study(spec={"num_validation": 5_000}), trials)
    one, other = over_seeds(trials)
    (found,) = at_equal_cost([one], [other], noise, FLOPS)
    assert found.num_seeds == (3, 3)
    assert found.verdict().startswith(verdict)
    assert found.verdict({0: Unconverged.LEARNING}) == "not converged"


def test_several_comparisons_hold_together() -> None:
    mixers = [at(1_000, 0.6, 0), at(10_000, 0.7, 1), at(100_000, 0.8, 2)]
    vits = [vit_at(1_000, 0.5, 3), vit_at(100_000, 0.75, 4)]
    many = at_equal_cost(mixers, vits, NOISE, FLOPS)
    alone = NOISE.difference(many[0].one, many[0].other)
    assert len(many) > 1
    assert alone is not None
    assert many[0].difference is not None
    assert many[0].difference.low < alone.low


def test_what_is_searched_stands_for_its_family_and_baselines_for_theirs() -> None:
    found = [at(1_000, 0.6, 0), vit_at(1_000, 0.5, 1)]
    given = [
        vit_at(2_000, 0.9, 2, origin=Origin.BASELINE),
        at(2_000, 0.9, 3, config=mixer(hidden_dim=16), origin=Origin.BASELINE),
    ]
    both = study(spec={"families": ["mixer", "vit"]})
    assert compared_families(both, found, given) == [([found[0]], [found[1]])]
    assert compared_families(study(spec={}), found[:1], given) == [([found[0]], [given[0]])]
    assert compared_families(both, found[:1], given) == [], "no ViT has finished"
