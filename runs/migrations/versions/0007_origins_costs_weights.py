"""Where trials come from, what else they cost, their weights, readings of test splits.

And what no trial can be is forbidden. A database that holds such a trial is refused.
"""

import sqlalchemy as sa
from alembic import op

from runs.storage import StorageError

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CHECKS = {
    "run_trial": {
        "origin": "origin IN ('search', 'baseline', 'confirmation', 'finetune')",
        "parent": "(parent IS NULL OR origin IN ('confirmation', 'finetune')) "
        "AND (parent IS NOT NULL OR origin <> 'confirmation')",
        "initial_weights": "initial_weights IS NULL OR origin = 'finetune'",
        "counts": "params > 0 AND macs > 0 AND epochs > 0",
        "end": "(state = 'running') = (finished_at IS NULL)",
        "result": "(state IN ('complete', 'pruned')) = (accuracy IS NOT NULL) "
        "AND (accuracy IS NULL) = (loss IS NULL)",
        "rung": "(rung IS NULL OR rung BETWEEN 1 AND epochs) "
        "AND (rung IS NOT NULL OR state <> 'pruned')",
        "reason": "error IS NOT NULL OR state IN ('running', 'complete')",
        "failure": "state = 'failed' OR (failure IS NULL AND timeout_seconds IS NULL)",
    },
    "run_epoch": {
        "epoch": "epoch > 0",
        # What was measured in training is rounded, and may be a little over 1
        "accuracy": "validation_accuracy BETWEEN 0 AND 1",
        "finite": "abs(validation_loss) <= 1.7976931348623157e308",
    },
}


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    # Added and filled first: SQLite copies a table only where its new constraints hold
    for column in (
        sa.Column("family", sa.String(length=32), nullable=True),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("initial_weights", sa.String(length=64), nullable=True),
    ):
        op.add_column("run_trial", column)
    family = "config ->> 'family'"
    if is_sqlite:  # the first SQLite that knows that operator is younger than some in use
        family = "CASE WHEN json_valid(config) THEN json_extract(config, '$.family') END"
    op.execute(f"UPDATE run_trial SET family = {family}")
    _refuse_what_cannot_be()

    with op.batch_alter_table("run_trial") as batch:
        batch.alter_column("family", existing_type=sa.String(length=32), nullable=False)
        batch.drop_constraint(op.f("ck_run_trial_origin"), type_="check")
        batch.drop_constraint(op.f("ck_run_trial_complete"), type_="check")
        if is_sqlite:  # a generated column is not copied, but made anew in its place
            flops = sa.Column(
                "flops", sa.BigInteger(), sa.Computed("2 * macs", persisted=True), nullable=False
            )
            batch.drop_column("flops")
            batch.add_column(flops, insert_after="macs")
        for name, condition in _CHECKS["run_trial"].items():
            batch.create_check_constraint(op.f(f"ck_run_trial_{name}"), condition)
        batch.create_foreign_key(
            op.f("fk_run_trial_study_id_parent"),
            "run_trial",
            ["study_id", "parent"],
            ["study_id", "number"],
        )
    with op.batch_alter_table("run_epoch") as batch:
        for name, condition in _CHECKS["run_epoch"].items():
            batch.create_check_constraint(op.f(f"ck_run_epoch_{name}"), condition)

    op.alter_column("run_lease", "beats", new_column_name="heartbeats")
    op.alter_column("run_lease", "written", new_column_name="fencing_token")
    _create_tables()


def _refuse_what_cannot_be() -> None:
    """Names a trial that the new constraints would refuse.

    Raises:
        StorageError: there is one.
    """
    trials = (
        "SELECT run_study.name, run_trial.number FROM run_trial "
        "JOIN run_study ON run_study.id = run_trial.study_id"
    )
    epochs = f"{trials} JOIN run_epoch ON run_epoch.trial_id = run_trial.id"
    found = [(trials, "run_trial", "family", "family IS NOT NULL")]
    found += [(trials, "run_trial", *check) for check in _CHECKS["run_trial"].items()]
    found += [(epochs, "run_epoch", *check) for check in _CHECKS["run_epoch"].items()]
    for rows, table, name, condition in found:
        row = op.get_bind().execute(sa.text(f"{rows} WHERE NOT ({condition})")).first()
        if row is not None:
            raise StorageError(
                f"the database cannot be brought to schema 0007: trial {row.number} of study "
                f"{row.name!r} cannot be ({table}: {name}: {condition}); put its row right or "
                "restore the database from a copy: nothing was changed"
            )


def _create_tables() -> None:
    op.create_table(
        "run_cost",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.CheckConstraint("value >= 0", name=op.f("ck_run_cost_value")),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["run_trial.id"], name=op.f("fk_run_cost_trial_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "name", name=op.f("pk_run_cost")),
    )
    op.create_table(
        "run_weights",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_run_weights_digest")),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_run_weights_size")),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["run_trial.id"], name=op.f("fk_run_weights_trial_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "digest", name=op.f("pk_run_weights")),
    )
    op.create_table(
        "run_test_reading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("test_digest", sa.String(length=64), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.DateTime(), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.CheckConstraint("length(test_digest) = 64", name=op.f("ck_run_test_reading_digest")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["run_study.id"], name=op.f("fk_run_test_reading_study_id")
        ),
        sa.ForeignKeyConstraint(
            ["study_id", "trial"],
            ["run_trial.study_id", "run_trial.number"],
            name=op.f("fk_run_test_reading_study_id_trial"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_test_reading")),
    )
