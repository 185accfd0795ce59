"""What a study found, for Python and for `--json`: trials, front, winners, presets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs import pareto, winners
from runs.reader import Reader
from runs.record import Origin, State, StudyRecord, TrialRecord
from search.report.status import Ended
from search.winner import Winner
from space import presets
from space.paths import as_path
from space.quantities import parse_amount, parse_count

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyResult:
    """A study as it was when it ended: a reading, which later trials do not change.

    Attributes:
        study: its specification and its reference point.
        trials: all of them, baselines and refused ones too, in the order of their numbers.
        where: the database, a password hidden.
        storage: its URL; None for the default.
        ended: why it trains no further.
    """

    study: StudyRecord
    trials: Sequence[TrialRecord]
    where: str
    ended: Ended
    storage: str | None = None

    @classmethod
    def read(
        cls, store: Reader, study: str, ended: Ended, storage: str | None = None
    ) -> StudyResult:
        """As the database has it now."""
        reading = store.read(study)
        return cls(
            study=reading.study,
            trials=reading.trials,
            where=store.where,
            ended=ended,
            storage=storage,
        )

    def __repr__(self) -> str:
        counts = Counter(trial.state.value for trial in self.trials if trial.in_search)
        states = ", ".join(f"{count} {state}" for state, count in counts.items())
        return f"<StudyResult {self.name!r}: {states}; {len(self.front)} on the front>"

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.name

    @property
    def frame(self) -> pd.DataFrame:
        """The trials, one row each; the columns are those of `runs.frames.trials_frame`."""
        from runs.frames import trials_frame  # pandas, which takes a second

        return trials_frame(self.trials, self.study.min_accuracy, self.study.cost)

    @property
    def front(self) -> list[TrialRecord]:
        """The trials of the search that none dominates, cheapest first; of several seeds the mean.

        Without those below the study's `min_accuracy`.
        """
        return winners.front(
            winners.candidates(self.trials), self.study.min_accuracy, self.study.cost
        )

    @property
    def hypervolume(self) -> float:
        """Of the front, in accuracy x decades of what the study minimises."""
        objectives = winners.objectives(self.front, self.study.cost)
        return pareto.hypervolume(*objectives, winners.reference_of(self.study))

    def best(
        self, max_flops: float | str | None = None, *, max_cost: float | str | None = None
    ) -> TrialRecord:
        """The most accurate trial of the search.

        Args:
            max_flops: only among trials of at most so many, as a number or as `20M`.
            max_cost: the same in what the study minimises.

        Raises:
            NoWinnerError: there is none.
        """
        return self._pick("best", max_flops, max_cost)

    def export(
        self,
        path: str | Path,
        pick: str = "knee",
        *,
        max_flops: float | str | None = None,
        max_cost: float | str | None = None,
        **folder: Any,
    ) -> presets.Preset:
        """Writes a winner in the place of what is there, and returns it.

        Args:
            path: a `.json` file, for the configuration alone; else a folder, with weights and card,
                which takes the place of no other thing than such a folder.
            pick: `knee`, `best`, `cheapest`, or `trial=N`, which may be a baseline.
            max_flops: only among trials of at most so many.
            max_cost: the same in what the study minimises.
            folder: `formats`, `seed`, `data`, `data_dir`, `weights_dir` and others of
                `search.winner_folder.export_winner`.

        Raises:
            NoWinnerError: no finished trial answers.
            MixerSearchError: it cannot be written, or no weights are kept.
        """
        path = as_path(path)
        winner = Winner.of(self.study, self._pick(pick, max_flops, max_cost), self.trials)
        if path.suffix.lower() == ".json":
            preset = winner.preset(path.stem)
            presets.save(preset, path)
            return preset
        from search.winner_folder import export_winner  # takes a second

        return export_winner(winner, path, path.name, storage=self.storage, **folder)

    def facts(self) -> dict[str, Any]:
        """For `--json`; the keys are in `docs/`."""
        searched = Counter(t.state for t in self.trials if t.origin is Origin.SEARCH)
        baselines = [t for t in self.trials if t.origin is Origin.BASELINE]
        return {
            "study": self.name,
            "storage": self.where,
            "dataset": self.study.spec.get("dataset"),
            "ended": self.ended,
            "trials": {state.value: searched[state] for state in State},
            "baselines": [trial_facts(t) for t in baselines],
            "cost": self.study.cost.name,
            "cost_ceiling": self.study.cost_ceiling,
            "hypervolume": self.hypervolume,
            "front": [trial_facts(t) for t in self.front],
        }

    def _pick(
        self, rule: str, max_flops: float | str | None, max_cost: float | str | None
    ) -> TrialRecord:
        return winners.pick(
            self.trials,
            rule,
            max_flops=parse_count(max_flops) if isinstance(max_flops, str) else max_flops,
            max_cost=parse_amount(max_cost) if isinstance(max_cost, str) else max_cost,
            cost=self.study.cost,
            min_accuracy=0.0 if rule.startswith("trial=") else self.study.min_accuracy,
        )


def trial_facts(trial: TrialRecord) -> dict[str, Any]:
    """A trial for `--json`."""
    return {
        "number": trial.number,
        "origin": trial.origin.value,
        "state": trial.state.value,
        "label": trial.label,
        "config": trial.config.model_dump(mode="json"),
        "params": trial.params,
        "macs": trial.macs,
        "flops": trial.flops,
        "costs": trial.costs,
        "seed": trial.seed,
        "epochs": trial.epochs,
        "accuracy": trial.accuracy,
        "loss": trial.loss,
        "error": trial.error,
    }
