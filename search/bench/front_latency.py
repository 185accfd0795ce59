"""The latency of a study's front, measured one configuration after another and kept as a cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runs import winners
from runs.leased_reader import WAIT
from runs.reader import open_reader
from runs.record import Origin, StudyRecord, TrialRecord
from runs.seeds import by_configuration, over_seeds
from runs.writer import open_writer
from search.bench.latency import Latency, LatencyError, measure, runtimes_for
from space.config import Config
from space.costs import LATENCIES
from space.init import initial_params


@dataclass(frozen=True)
class Measured:
    """One configuration."""

    trial: TrialRecord
    """The first of its seeds, with their mean accuracy."""
    latencies: list[Latency]


def measure_front(
    name: str,
    storage: str | None,
    runtimes: Sequence[str] | None = None,
    device: str = "auto",
    say: Callable[[str], None] = lambda sentence: None,
) -> list[Measured]:
    """Measures the front of a study and that of its baselines, one image a call.

    What is steady is kept with all seeds of a configuration, in place of all that was measured of
    the study before in the same runtime: values of one axis are of one machine and one command.

    Args:
        name: of the study, which nothing else may run meanwhile.
        storage: database URL; None for the default.
        runtimes: of `search.bench.latency.RUNTIMES`; None for those that can run them here.
        device: JAX's.
        say: told what is measured next.

    Raises:
        StorageError: there is no such database or study, or another process runs it.
        LatencyError: nothing of it has finished; and what `measure` raises.
    """
    with open_reader(storage) as reader:  # a writer would make the database that is not there
        reader.study(name)
    with open_writer(storage, say) as store, store.hold(name, advice=WAIT):
        trials = store.trials(name)
        shown = _front(store.study(name), trials)
        found = []
        for number, trial in enumerate(shown, start=1):
            say(f"[{number}/{len(shown)}] {trial.label}")
            config = trial.config
            chosen = runtimes_for(config) if runtimes is None else runtimes
            found.append(Measured(trial, measure_untrained(config, (1,), chosen, device)))
        store.put_costs(name, _costs(found, trials))
    return found


def measure_untrained(
    config: Config,
    batches: Sequence[int],
    runtimes: Sequence[str] | None,
    device: str,
    say: Callable[[str], None] = lambda sentence: None,
) -> list[Latency]:
    """Of a configuration, with initial weights, which take as long as trained ones."""
    channels = config.image_channels
    mean, std = [127.5] * channels, [63.75] * channels
    return measure(
        config,
        initial_params(config, 0),
        mean,
        std,
        batches=batches,
        runtimes=runtimes,
        device=device,
        say=say,
    )


def _front(study: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Of the search, then of the baselines, each cheapest first."""
    given = over_seeds([t for t in trials if t.origin is Origin.BASELINE])
    searched = winners.front(winners.candidates(trials), study.min_accuracy, study.cost)
    found = [*searched, *winners.front(given, cost=study.cost)]
    if not found:
        raise LatencyError(
            f"study {study.name!r} has no finished trial to measure; run the search first, or "
            "longer"
        )
    return found


def _costs(found: Sequence[Measured], trials: Sequence[TrialRecord]) -> dict[str, dict[int, float]]:
    """Milliseconds by the number of the trial, by the name of the cost; without noisy ones."""
    seeds = by_configuration(trials)
    costs: dict[str, dict[int, float]] = {}
    for one in found:
        numbers = [trial.number for trial in seeds[one.trial.config, one.trial.origin]]
        for latency in one.latencies:
            if latency.median_ms is not None:
                values = costs.setdefault(LATENCIES[latency.runtime].name, {})
                values |= dict.fromkeys(numbers, latency.median_ms)
    return costs
