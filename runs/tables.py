"""The SQL tables. Every name begins with `run_`, so they can share a database with others'."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware datetime, kept as UTC: SQLite forgets time zones."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can address it."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  read by SQLAlchemy as declared
        dict[str, Any]: sa.JSON(none_as_null=True),
        datetime: UtcDateTime,
    }


class StudyRow(Base):
    """One search: its name and its full specification."""

    __tablename__ = "run_study"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200), unique=True)
    spec: Mapped[dict[str, Any]]
    num_classes: Mapped[int]
    data_digest: Mapped[str] = mapped_column(sa.String(64))
    flops_ceiling: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime]


class TrialRow(Base):
    """One configuration evaluated once in a study."""

    __tablename__ = "run_trial"
    __table_args__ = (
        sa.UniqueConstraint("study_id", "number"),
        # A configuration is tried once a seed; asking for it again is refused, and may be recorded.
        sa.Index(
            "uq_run_trial_tried",
            "study_id",
            "config_digest",
            "seed",
            unique=True,
            sqlite_where=sa.text("state <> 'refused'"),
            postgresql_where=sa.text("state <> 'refused'"),
        ),
        # The few that have a parent: each trial that is deleted asks whose parent it is
        sa.Index(
            "ix_run_trial_parent",
            "study_id",
            "parent",
            sqlite_where=sa.text("parent IS NOT NULL"),
            postgresql_where=sa.text("parent IS NOT NULL"),
        ),
        sa.CheckConstraint(
            "state IN ('running', 'complete', 'pruned', 'failed', 'refused')", name="state"
        ),
        sa.CheckConstraint(
            "origin IN ('search', 'baseline', 'confirmation', 'finetune')", name="origin"
        ),
        sa.CheckConstraint(
            "(parent IS NULL OR origin IN ('confirmation', 'finetune')) "
            "AND (parent IS NOT NULL OR origin <> 'confirmation')",
            name="parent",
        ),
        sa.CheckConstraint(
            "initial_weights IS NULL OR origin = 'finetune'", name="initial_weights"
        ),
        sa.CheckConstraint("params > 0 AND macs > 0 AND epochs > 0", name="counts"),
        sa.CheckConstraint("accuracy >= 0 AND accuracy <= 1", name="accuracy"),
        sa.CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="end"),
        sa.CheckConstraint(
            "(state IN ('complete', 'pruned')) = (accuracy IS NOT NULL) "
            "AND (accuracy IS NULL) = (loss IS NULL)",
            name="result",
        ),
        sa.CheckConstraint(
            "(rung IS NULL OR rung BETWEEN 1 AND epochs) "
            "AND (rung IS NOT NULL OR state <> 'pruned')",
            name="rung",
        ),
        sa.CheckConstraint("error IS NOT NULL OR state IN ('running', 'complete')", name="reason"),
        sa.CheckConstraint(
            "state = 'failed' OR (failure IS NULL AND timeout_seconds IS NULL)", name="failure"
        ),
        sa.ForeignKeyConstraint(["study_id", "parent"], ["run_trial.study_id", "run_trial.number"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("run_study.id", ondelete="CASCADE"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String(16))
    origin: Mapped[str] = mapped_column(sa.String(16))
    config: Mapped[dict[str, Any]]
    config_digest: Mapped[str] = mapped_column(sa.String(64))
    params: Mapped[int] = mapped_column(sa.BigInteger)
    macs: Mapped[int] = mapped_column(sa.BigInteger)
    flops: Mapped[int] = mapped_column(sa.BigInteger, sa.Computed("2 * macs", persisted=True))
    seed: Mapped[int]
    epochs: Mapped[int]
    accuracy: Mapped[float | None] = mapped_column(sa.Double)
    loss: Mapped[float | None] = mapped_column(sa.Double)
    compile_seconds: Mapped[float | None] = mapped_column(sa.Double)
    train_seconds: Mapped[float | None] = mapped_column(sa.Double)
    eval_seconds: Mapped[float | None] = mapped_column(sa.Double)
    images_per_second: Mapped[float | None] = mapped_column(sa.Double)
    device_kind: Mapped[str | None] = mapped_column(sa.String(200))
    versions: Mapped[dict[str, Any] | None]
    git_revision: Mapped[str | None] = mapped_column(sa.String(64))
    error: Mapped[str | None] = mapped_column(sa.Text)
    sampler_attrs: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    # Columns of later migrations, which come last in a table however old it is
    trace_seconds: Mapped[float | None] = mapped_column(sa.Double)
    cache_hit: Mapped[bool | None]
    device_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    wall_seconds: Mapped[float | None] = mapped_column(sa.Double)
    num_workers: Mapped[int] = mapped_column(server_default="1")
    rung: Mapped[int | None]
    failure: Mapped[str | None] = mapped_column(sa.String(16))
    timeout_seconds: Mapped[float | None] = mapped_column(sa.Double)
    family: Mapped[str] = mapped_column(sa.String(32))
    """The configuration's, so that SQL can select by it."""
    parent: Mapped[int | None]
    """Number of the trial of this study that it repeats or goes on from."""
    initial_weights: Mapped[str | None] = mapped_column(sa.String(64))
    """SHA-256 of the weights its training began with, whichever study, trial or file they are of;
    None where they were drawn."""


class EpochRow(Base):
    """One pass over the training images of one trial, and the validation after it."""

    __tablename__ = "run_epoch"
    __table_args__ = (
        sa.CheckConstraint("epoch > 0", name="epoch"),
        # What was measured in training is rounded, and may be a little over 1
        sa.CheckConstraint("validation_accuracy BETWEEN 0 AND 1", name="accuracy"),
        # The largest double: infinity and NaN are not within it, in SQLite as in PostgreSQL
        sa.CheckConstraint("abs(validation_loss) <= 1.7976931348623157e308", name="finite"),
    )

    trial_id: Mapped[int] = mapped_column(
        sa.ForeignKey("run_trial.id", ondelete="CASCADE"), primary_key=True
    )
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float] = mapped_column(sa.Double)
    train_accuracy: Mapped[float] = mapped_column(sa.Double)
    validation_loss: Mapped[float] = mapped_column(sa.Double)
    validation_accuracy: Mapped[float] = mapped_column(sa.Double)
    learning_rate: Mapped[float] = mapped_column(sa.Double)
    elapsed_seconds: Mapped[float] = mapped_column(sa.Double)


class CostRow(Base):
    """What a trial's configuration costs besides MACs and FLOPs, which `run_trial` has."""

    __tablename__ = "run_cost"
    __table_args__ = (sa.CheckConstraint("value >= 0", name="value"),)

    trial_id: Mapped[int] = mapped_column(
        sa.ForeignKey("run_trial.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """With its unit, such as `latency_ms`."""
    value: Mapped[float] = mapped_column(sa.Double)


class WeightsRow(Base):
    """Weights of a trial that were kept: the same ones may be of several trials."""

    __tablename__ = "run_weights"
    __table_args__ = (
        sa.CheckConstraint("length(digest) = 64", name="digest"),
        sa.CheckConstraint("size_bytes > 0", name="size"),
    )

    trial_id: Mapped[int] = mapped_column(
        sa.ForeignKey("run_trial.id", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """SHA-256 of the file."""
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)


class ImageResultRow(Base):
    """Which images of a split a trial predicts right, packed: see `runs.record.ImageResults`."""

    __tablename__ = "run_image_result"
    __table_args__ = (
        sa.CheckConstraint("split IN ('validation', 'test')", name="split"),
        sa.CheckConstraint("num_images > 0", name="num_images"),
        sa.CheckConstraint('length("right") = (num_images + 7) / 8', name="right"),
        sa.CheckConstraint("length(classes) = 2 * num_images", name="classes"),
    )

    trial_id: Mapped[int] = mapped_column(
        sa.ForeignKey("run_trial.id", ondelete="CASCADE"), primary_key=True
    )
    split: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    num_images: Mapped[int]
    right: Mapped[bytes]
    classes: Mapped[bytes | None]


class ConfirmationRow(Base):
    """A confirmation of a study: what it is to train, fixed before its first training."""

    __tablename__ = "run_confirmation"
    __table_args__ = (sa.CheckConstraint("number >= 0", name="number"),)

    study_id: Mapped[int] = mapped_column(
        sa.ForeignKey("run_study.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    began_at: Mapped[datetime]
    plan: Mapped[dict[str, Any]]


class ReadingRow(Base):
    """A reading of a test split: when, of which trial or study, what for, by which command.

    It outlives its study, then for none: how often a split was read depends on nothing that is
    kept.
    Of a network whose study was never here it has none.
    """

    __tablename__ = "run_test_reading"
    __table_args__ = (
        sa.CheckConstraint("length(test_digest) = 64", name="digest"),
        sa.CheckConstraint("trial IS NULL OR study_id IS NOT NULL", name="trial"),
        sa.ForeignKeyConstraint(["study_id", "trial"], ["run_trial.study_id", "run_trial.number"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    test_digest: Mapped[str] = mapped_column(sa.String(64))
    """SHA-256 of the images and labels of the split."""
    study_id: Mapped[int | None] = mapped_column(sa.ForeignKey("run_study.id"))
    trial: Mapped[int | None]
    """Its number; None where the whole study was tested, or the study is not here."""
    read_at: Mapped[datetime]
    purpose: Mapped[str] = mapped_column(sa.String(200))
    command: Mapped[str] = mapped_column(sa.Text)


class NoteRow(Base):
    """What a person wrote down on a study, or on one of its trials; goes with it."""

    __tablename__ = "run_note"
    __table_args__ = (
        sa.CheckConstraint("length(text) > 0", name="text"),
        sa.ForeignKeyConstraint(
            ["study_id", "trial"],
            ["run_trial.study_id", "run_trial.number"],
            ondelete="CASCADE",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("run_study.id", ondelete="CASCADE"))
    trial: Mapped[int | None]
    """Its number; None where the note is on the whole study."""
    text: Mapped[str] = mapped_column(sa.Text)
    written_at: Mapped[datetime]


class LeaseRow(Base):
    """The process that runs a study now: see `runs.lease`."""

    __tablename__ = "run_lease"

    study: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    holder: Mapped[str] = mapped_column(sa.String(32))
    host: Mapped[str] = mapped_column(sa.String(255))
    machine: Mapped[str] = mapped_column(sa.String(64))
    process: Mapped[int]
    process_started: Mapped[int] = mapped_column(sa.BigInteger)
    since: Mapped[datetime]
    heartbeats: Mapped[int] = mapped_column(sa.BigInteger)
    fencing_token: Mapped[int] = mapped_column(sa.BigInteger)
