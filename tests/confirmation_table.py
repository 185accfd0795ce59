"""The rates of `benchmarks/confirmation_rates.py`, for tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import confirmation_rates as rates

__all__ = ["rates"]
