"""Where the truth about a confirmation is known: the table of many seeds, and a simulated world.

The seeds and the images of a world are taken for all there are: trainings and images are drawn from
them with replacement, so that draws are independent and the truth is the mean over the whole world,
known without error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
from scipy.special import ndtri

from runs.confirmation.image_results import Bools, Floats, Ints, unpacked

TABLE = Path(__file__).with_name("tables") / "digits_confirmation.parquet"
FAMILIES = ("mixer", "vit")


@dataclass(frozen=True)
class World:
    """m configurations, S seeds of each, judged on the same images."""

    validation: Bools
    """(m, S, images)"""
    test: Bools
    """(m, S, images)"""
    cost: Floats
    """(m,) FLOPs"""
    family: npt.NDArray[np.str_]
    """(m,)"""

    @property
    def both(self) -> Bools:
        """Validation and test images together."""
        return np.concatenate([self.validation, self.test], axis=2)

    def of(self, family: str) -> World:
        """One family of it."""
        here = self.family == family
        return World(self.validation[here], self.test[here], self.cost[here], self.family[here])


@cache
def world() -> World:
    """The table."""
    about = json.loads(pq.read_schema(TABLE).metadata[b"mixer_search"])
    rows = pd.read_parquet(TABLE).sort_values(["family", "macs", "label", "seed"])
    groups = [group for _, group in rows.groupby(["family", "macs", "label"])]

    def bits(split: str) -> Bools:
        count = about[f"num_{split}"]
        packed = [group[f"{split}_right"] for group in groups]
        return np.stack([[unpacked(b, count) for b in of_config] for of_config in packed])

    return World(
        validation=bits("validation"),
        test=bits("test"),
        cost=np.array([2.0 * group["macs"].iloc[0] for group in groups]),
        family=np.array([group["family"].iloc[0] for group in groups]),
    )


def crowded() -> World:
    """A simulated one with the sizes of the table, in which every family has 20 close candidates.

    A training is right on an image where a normal score exceeds a threshold: the images differ,
    trainings are better or worse as a whole, and each training and image has its own chance.
    """
    rng = np.random.default_rng(11)
    m, num_seeds, num_images = 40, 40, 144 + 359
    log_cost = np.linspace(0, 1.7, 20).repeat(2)
    aim = np.minimum(0.80 + 0.10 * log_cost + 0.02 * rng.standard_normal(m), 0.975)
    images = rng.standard_normal(num_images) + 0.4 * rng.standard_normal((m, 1, num_images))
    skill = 0.15 * rng.standard_normal((m, num_seeds, 1))
    chance = rng.standard_normal((m, num_seeds, num_images))
    bits = images + skill + chance > -np.sqrt(2.18) * ndtri(aim)[:, None, None]
    family = np.array(FAMILIES * 20)
    return World(bits[..., :144], bits[..., 144:], np.round(4e4 * 10**log_cost), family)


def seeds(bits: Bools, num_seeds: int, rng: np.random.Generator) -> Ints:
    """(m, seeds) which trainings of each configuration."""
    return rng.integers(bits.shape[1], size=(len(bits), num_seeds))


def some(bits: Bools, rng: np.random.Generator) -> Ints:
    """(images,) which images, as many as there are."""
    return rng.integers(bits.shape[2], size=bits.shape[2])


def taken(bits: Bools, trainings: Ints, images: Ints | slice) -> list[Bools]:
    """Of the bits, these trainings and these images."""
    return [of[s][:, images] for of, s in zip(bits, trainings, strict=True)]
