"""Whose journal an agent's rows are, and a last heartbeat that says that a run has ended.

Rows that stand in the tables stay until the next projection tells their agents anew.
"""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

revision = "0003"
down_revision = "0002"

_WORDS: Final = "heartbeat_logs_system_status"
Id = BigInteger().with_variant(Integer, "sqlite")


def _stamp_check(column: str) -> str:
    """SQL that is true of a time 'YYYY-MM-DD HH:MM:SS.ffffff' and of nothing else, in SQLite and in PostgreSQL."""
    bare = column
    for digit in "0123456789":
        bare = f"replace({bare}, '{digit}', '')"
    parts = [
        f"length({column}) = 26", f"{column} LIKE '____-__-__ __:__:__.______'", f"{bare} = '-- ::.'",
        f"substr({column}, 6, 2) BETWEEN '01' AND '12'", f"substr({column}, 9, 2) BETWEEN '01' AND '31'",
        f"substr({column}, 12, 2) <= '23'", f"substr({column}, 15, 2) <= '59'", f"substr({column}, 18, 2) <= '59'",
    ]  # fmt: skip
    return " AND ".join(parts)


def _held() -> Table:
    """The table as it stands: SQLite changes a check only by copying the whole, and reads none of them back."""
    return Table(
        "heartbeat_logs", MetaData(),
        Column("id", Id, primary_key=True, autoincrement=False),
        Column("timestamp", Text, nullable=False),
        Column("agent_type", Text, ForeignKey("agents.name"), nullable=False),
        Column("run_id", Text, nullable=False), Column("params_hash", Text, nullable=False),
        Column("synthetic", Integer, nullable=False),
        Column("run_count", BigInteger, nullable=False), Column("active_positions", BigInteger, nullable=False),
        Column("daily_pnl", Double), Column("total_trades", BigInteger, nullable=False),
        Column("system_status", Text, nullable=False), Column("market_regime", Text),
        Column("platform", Text, nullable=False), Column("last_quality", Double), Column("last_conviction", Double),
        CheckConstraint("synthetic IN (0, 1)", name="heartbeat_logs_synthetic"),
        CheckConstraint("system_status IN ('running', 'degraded', 'halted')", name=_WORDS),
        CheckConstraint(_stamp_check("timestamp"), name="heartbeat_logs_timestamp_utc"),
        Index("heartbeat_logs_agent_time", "agent_type", "timestamp"),
    )  # fmt: skip


def upgrade() -> None:
    """Add the column and the word."""
    op.add_column("agents", Column("home", Text))
    with op.batch_alter_table("heartbeat_logs", copy_from=_held()) as table:
        table.drop_constraint(_WORDS, type_="check")
        table.create_check_constraint(_WORDS, "system_status IN ('running', 'degraded', 'halted', 'stopped')")


def downgrade() -> None:
    """Rows follow from the journals: nothing is taken back, it is projected anew."""
    raise NotImplementedError("delete the tables' database and run `confidence journal rebuild`")
