"""Notes on studies and trials, and an index without which deleting a study takes a minute."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("length(text) > 0", name=op.f("ck_run_note_text")),
        sa.ForeignKeyConstraint(
            ["study_id"],
            ["run_study.id"],
            name=op.f("fk_run_note_study_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["study_id", "trial"],
            ["run_trial.study_id", "run_trial.number"],
            name=op.f("fk_run_note_study_id_trial"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_note")),
    )
    op.create_index(
        "ix_run_trial_parent",
        "run_trial",
        ["study_id", "parent"],
        sqlite_where=sa.text("parent IS NOT NULL"),
        postgresql_where=sa.text("parent IS NOT NULL"),
    )
