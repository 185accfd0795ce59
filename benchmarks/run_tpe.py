"""`python -m search.run`, where `--sampler tpe` is TPE as `methods.py` sets it.

With two objectives Optuna's TPE models parameters one by one unless `multivariate` is set.
"""

from __future__ import annotations

import sys

from optuna.samplers import TPESampler

from search import run
from search.schedule.optuna_adapter import SAMPLERS, SamplerSpec


def _multivariate(seed: int, *_: object) -> TPESampler:
    return TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=10)


if __name__ == "__main__":
    SAMPLERS["tpe"] = SamplerSpec(_multivariate, random_trials=10)
    sys.exit(run.main())
