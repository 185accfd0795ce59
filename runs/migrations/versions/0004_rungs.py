"""Where a trial was stopped early, or would have been."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_trial", sa.Column("rung", sa.Integer(), nullable=True))
