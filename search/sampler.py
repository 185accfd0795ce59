"""The sampler, for Optuna studies of your own."""

from search.schedule.sampler import CostAwareSampler

__all__ = ["CostAwareSampler"]
