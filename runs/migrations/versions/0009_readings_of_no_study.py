"""A test split may be read for a network whose study is not in the database."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("run_test_reading") as batch:
        batch.alter_column("study_id", existing_type=sa.Integer(), nullable=True)
        batch.create_check_constraint(
            op.f("ck_run_test_reading_trial"), "trial IS NULL OR study_id IS NOT NULL"
        )
