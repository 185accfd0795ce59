"""The sampler, for Optuna studies of your own: see `search.schedule.sampler` for an example."""

from search.schedule.candidate_space import CandidateSpace
from search.schedule.sampler import CostAwareSampler
from search.schedule.warm_start import RankPrior

__all__ = ["CandidateSpace", "CostAwareSampler", "RankPrior"]
