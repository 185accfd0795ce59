"""How long our sampler thinks about a proposal in a study of so many trials."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from statistics import median

from find_table import find_table

from runs.record import Origin, State, TrialRecord
from search.schedule.optuna_adapter import SAMPLERS, OptunaAdapter
from search.study.plan import plan
from space.cost import cost

TABLE = "many"
ASKS = 3


def ask_seconds(trials: int) -> float:
    """Of this process's own time, the median of three proposals in a study of the large space."""
    table = find_table(TABLE)
    planned = plan(table.spec, table.task)
    (space,) = planned.affordable.values()
    step = len(table.members) // trials
    history, curves = [], {}
    for number, config in enumerate(table.members[:: max(1, step)][:trials]):
        curves[number] = list(table.training(config, seed=0).accuracies)
        found = cost(config)
        history.append(
            TrialRecord(
                number=number,
                state=State.COMPLETE,
                origin=Origin.SEARCH,
                config=config,
                params=found.params,
                macs=found.macs,
                seed=0,
                epochs=table.spec.recipe.epochs,
                accuracy=curves[number][-1],
                started_at=datetime.now(UTC),
            )
        )
    adapter = OptunaAdapter(
        space,
        table.task,
        sampler=SAMPLERS["cost_aware"],
        seed=0,
        max_flops=table.flops_ceiling,
        min_accuracy=None,
        history=history,
        curves=curves,
    )
    taken = []
    for _ in range(ASKS):
        begin = time.process_time()
        adapter.ask()
        taken.append(time.process_time() - begin)
    return median(taken)
