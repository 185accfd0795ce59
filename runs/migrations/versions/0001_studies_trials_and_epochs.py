"""studies, trials and epochs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("num_classes", sa.Integer(), nullable=False),
        sa.Column("data_digest", sa.String(length=64), nullable=False),
        sa.Column("flops_ceiling", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_study")),
        sa.UniqueConstraint("name", name=op.f("uq_run_study_name")),
    )
    op.create_table(
        "run_trial",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("config_digest", sa.String(length=64), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("macs", sa.BigInteger(), nullable=False),
        sa.Column(
            "flops", sa.BigInteger(), sa.Computed("2 * macs", persisted=True), nullable=False
        ),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.Column("compile_seconds", sa.Double(), nullable=True),
        sa.Column("train_seconds", sa.Double(), nullable=True),
        sa.Column("eval_seconds", sa.Double(), nullable=True),
        sa.Column("images_per_second", sa.Double(), nullable=True),
        sa.Column("device_kind", sa.String(length=200), nullable=True),
        sa.Column("versions", sa.JSON(), nullable=True),
        sa.Column("git_revision", sa.String(length=64), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sampler_attrs", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("origin IN ('search', 'baseline')", name=op.f("ck_run_trial_origin")),
        sa.CheckConstraint(
            "state <> 'complete' OR accuracy IS NOT NULL", name=op.f("ck_run_trial_complete")
        ),
        sa.CheckConstraint(
            "state IN ('running', 'complete', 'pruned', 'failed', 'refused')",
            name=op.f("ck_run_trial_state"),
        ),
        sa.CheckConstraint("accuracy >= 0 AND accuracy <= 1", name=op.f("ck_run_trial_accuracy")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["run_study.id"], name=op.f("fk_run_trial_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_trial")),
        sa.UniqueConstraint("study_id", "number", name=op.f("uq_run_trial_study_id_number")),
    )
    op.create_index(
        "uq_run_trial_tried",
        "run_trial",
        ["study_id", "config_digest", "seed"],
        unique=True,
        sqlite_where=sa.text("state <> 'refused'"),
        postgresql_where=sa.text("state <> 'refused'"),
    )

    op.create_table(
        "run_epoch",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("train_loss", sa.Double(), nullable=False),
        sa.Column("train_accuracy", sa.Double(), nullable=False),
        sa.Column("validation_loss", sa.Double(), nullable=False),
        sa.Column("validation_accuracy", sa.Double(), nullable=False),
        sa.Column("learning_rate", sa.Double(), nullable=False),
        sa.Column("elapsed_seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["run_trial.id"], name=op.f("fk_run_epoch_trial_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "epoch", name=op.f("pk_run_epoch")),
    )
