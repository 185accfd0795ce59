"""Why a trial failed, and the time limit it ran into."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_trial", sa.Column("failure", sa.String(length=16), nullable=True))
    op.add_column("run_trial", sa.Column("timeout_seconds", sa.Double(), nullable=True))
    trial = sa.table("run_trial", *map(sa.column, ("state", "error", "failure")))
    known = sa.case(  # what programs of the schemas before wrote as the reason, and nobody else
        (trial.c.error.startswith("diverged: "), "diverged"),
        (trial.c.error.endswith("(--trial-timeout)"), "timeout"),
        (trial.c.error.startswith("its worker died twice (its process ran"), "out_of_memory"),
        (trial.c.error.startswith("its worker died twice ("), "lost_worker"),
        (trial.c.error.startswith("out of memory: "), "out_of_memory"),
        (trial.c.error.startswith("does not fit: "), "does_not_fit"),
    )
    op.execute(trial.update().where(trial.c.state == "failed").values(failure=known))
