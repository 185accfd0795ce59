"""Recorded learning curves: a table of real trainings, a row an epoch, that a search can replay.

A table is one Parquet file; what all its rows have in common (images, epochs, ceiling, where and
when it was made) lies in the file's metadata, so that the file is enough to replay it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from runs.record import EpochRecord, State, TrialRecord
from space.errors import MixerSearchError

TABLES = Path(__file__).with_name("tables")

PARAMETERS = ("patch_size", "hidden_dim", "tokens_mlp_dim", "channels_mlp_dim", "num_blocks")
COLUMNS = {
    **dict.fromkeys(PARAMETERS, "int16"),
    "macs": "int64",
    "params": "int64",
    "seed": "int16",
    "epoch": "int16",
    "train_loss": "float32",
    "train_accuracy": "float32",
    "validation_loss": "float32",
    "validation_accuracy": "float32",
    "seconds": "float32",
    "compile_seconds": "float32",
}
"""What a table has: `seconds` of training and validation up to this epoch, `compile_seconds` once a
training (tracing and compiling, or reading the result of it from the cache)."""

_KEY = b"mixer_search"


class TableError(MixerSearchError):
    """A table of learning curves that is not there or not one."""


@dataclass(frozen=True)
class LearningCurves:
    """A table and what its rows have in common."""

    rows: pd.DataFrame
    """The columns of `COLUMNS`, ordered by configuration, seed and epoch."""
    about: dict[str, Any]
    """`study` (the specification), `task` (image size, channels, classes), `images_per_epoch`,
    `flops_ceiling`, `failed` (the parameters of what never trained to the end; not in older
    tables), and the receipt: `command`, `date`, `revision`, `device`, `versions`."""

    @property
    def epochs(self) -> int:
        """Of every training."""
        return int(self.about["study"]["recipe"]["epochs"])


def rows_of(trials: list[TrialRecord], epochs: list[EpochRecord]) -> pd.DataFrame:
    """The rows of the trials that trained to the end."""
    complete = {t.number: t for t in trials if t.state is State.COMPLETE}
    rows = []
    for epoch in epochs:
        trial = complete.get(epoch.trial)
        if trial is None or trial.timing is None:
            continue
        timing = trial.timing
        rows.append(
            {name: getattr(trial.config, name) for name in PARAMETERS}
            | {"macs": trial.macs, "params": trial.params, "seed": trial.seed, "epoch": epoch.epoch}
            | {
                "train_loss": epoch.train_loss,
                "train_accuracy": epoch.train_accuracy,
                "validation_loss": epoch.validation_loss,
                "validation_accuracy": epoch.validation_accuracy,
                "seconds": epoch.elapsed_seconds,
                "compile_seconds": (timing.trace_seconds or 0.0) + timing.compile_seconds,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def write_table(curves: LearningCurves, path: Path) -> None:
    """Writes the one file."""
    rows = curves.rows.sort_values([*PARAMETERS, "seed", "epoch"], ignore_index=True)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({_KEY: json.dumps(curves.about).encode()})
    pq.write_table(table, path, compression="zstd")


def read_table(name: str | Path) -> LearningCurves:
    """The table of that name in `benchmarks/tables/`, or in that file.

    Raises:
        TableError: there is no such file, it is not Parquet, a column is missing, or a training
            has not all its epochs.
    """
    path = Path(name) if str(name).endswith(".parquet") else TABLES / f"{name}.parquet"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in TABLES.glob("*.parquet")))
        raise TableError(f"table {name}: there is no {path}; there are {known}")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(
            f"table {path} cannot be read as Parquet ({error}); make it again"
        ) from None
    missing = [column for column in COLUMNS if column not in table.column_names]
    if missing:
        raise TableError(
            f"table {path} has no column {', '.join(missing)}; "
            "make it again with benchmarks/make_table.py"
        )
    about = (table.schema.metadata or {}).get(_KEY)
    if about is None:
        raise TableError(
            f"table {path} does not say how it was made (metadata {_KEY.decode()!r}); "
            "make it again with benchmarks/make_table.py"
        )
    rows = table.select(list(COLUMNS)).to_pandas()
    curves = LearningCurves(rows.sort_values([*PARAMETERS, "seed", "epoch"]), json.loads(about))
    lengths = curves.rows.groupby([*PARAMETERS, "seed"])["epoch"].agg(["count", "max"])
    if (lengths != curves.epochs).to_numpy().any():
        raise TableError(f"table {path} has trainings of other than {curves.epochs} epochs")
    return curves
