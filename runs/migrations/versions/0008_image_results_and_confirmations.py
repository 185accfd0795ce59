"""Which images trainings predict right, and what confirmations are to train."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_image_result",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.Column("num_images", sa.Integer(), nullable=False),
        sa.Column("right", sa.LargeBinary(), nullable=False),
        sa.Column("classes", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "split IN ('validation', 'test')", name=op.f("ck_run_image_result_split")
        ),
        sa.CheckConstraint("num_images > 0", name=op.f("ck_run_image_result_num_images")),
        sa.CheckConstraint(
            'length("right") = (num_images + 7) / 8', name=op.f("ck_run_image_result_right")
        ),
        sa.CheckConstraint(
            "length(classes) = 2 * num_images", name=op.f("ck_run_image_result_classes")
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["run_trial.id"],
            name=op.f("fk_run_image_result_trial_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("trial_id", "split", name=op.f("pk_run_image_result")),
    )
    op.create_table(
        "run_confirmation",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.CheckConstraint("number >= 0", name=op.f("ck_run_confirmation_number")),
        sa.ForeignKeyConstraint(
            ["study_id"],
            ["run_study.id"],
            name=op.f("fk_run_confirmation_study_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("study_id", "number", name=op.f("pk_run_confirmation")),
    )
