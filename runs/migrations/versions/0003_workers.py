"""How many workers a study had when a trial ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("num_workers", sa.Integer(), server_default="1", nullable=False)
    op.add_column("run_trial", column)
