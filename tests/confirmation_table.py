"""The rates of `benchmarks/confirmation_rates.py`, and the mark of tests that need its table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import confirmation_rates as rates
from confirmation_world import TABLE

__all__ = ["needs_table", "rates"]

needs_table = pytest.mark.skipif(
    not TABLE.exists(),
    reason=f"{TABLE.name} is not there: make it with benchmarks/make_confirmation_table.py",
)
