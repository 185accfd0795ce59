"""Where the time went: tracing, the compilation cache, device memory, the study's wall clock."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in a batch: that copies the table, and SQLite cannot copy a generated column
    for name, kind in (
        ("trace_seconds", sa.Double()),
        ("cache_hit", sa.Boolean()),
        ("device_bytes", sa.BigInteger()),
        ("wall_seconds", sa.Double()),
    ):
        op.add_column("run_trial", sa.Column(name, kind, nullable=True))
