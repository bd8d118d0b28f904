"""Orders and every line of the ledger, each under an id of its own.

Rows that stand in the other tables stay until the next projection tells their agents anew.
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Integer,
    Text,
    UniqueConstraint,
)

revision = "0002"
down_revision = "0001"

Id = BigInteger().with_variant(Integer, "sqlite")


def _stamp_check(column: str) -> str:
    """SQL that is true of a time as written above and of nothing else, in SQLite and in PostgreSQL."""
    bare = column
    for digit in "0123456789":
        bare = f"replace({bare}, '{digit}', '')"
    parts = [
        f"length({column}) = 26", f"{column} LIKE '____-__-__ __:__:__.______'", f"{bare} = '-- ::.'",
        f"substr({column}, 6, 2) BETWEEN '01' AND '12'", f"substr({column}, 9, 2) BETWEEN '01' AND '31'",
        f"substr({column}, 12, 2) <= '23'", f"substr({column}, 15, 2) <= '59'", f"substr({column}, 18, 2) <= '59'",
    ]  # fmt: skip
    return " AND ".join(parts)


def _words(table: str, column: str, *allowed: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in allowed)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{table}_{column}")


def _text(name: str, needed: bool = False) -> Column[str]:
    return Column(name, Text, nullable=not needed)


def _real(*names: str) -> list[Column[float]]:
    return [Column(name, Double) for name in names]


def _count(name: str, needed: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=not needed)


def _table(name: str, *parts: Any, stamps: tuple[str, ...] = ()) -> None:
    """Create a table of the projection and its indices."""
    head: list[Any] = [
        Column("id", Id, primary_key=True, autoincrement=False),
        _text("timestamp", needed=True),
        Column("agent_type", Text, ForeignKey("agents.name"), nullable=False),
        _text("run_id", needed=True), _text("params_hash", needed=True),
        Column("synthetic", Integer, CheckConstraint("synthetic IN (0, 1)", name=f"{name}_synthetic"), nullable=False),
    ]  # fmt: skip
    checks = [CheckConstraint(_stamp_check(one), name=f"{name}_{one}_utc") for one in ("timestamp", *stamps)]
    op.create_table(name, *head, *parts, *checks)
    op.create_index(f"{name}_agent_time", name, ["agent_type", "timestamp"])


def upgrade() -> None:
    """Create them, empty: agents told by rules older than these are told anew by the next projection."""
    _table(
        "orders",  # what was asked for; acknowledgements and refusals lie among the journal's events
        Column("client_order_id", Text, nullable=False, unique=True), _count("order_number"),
        _text("symbol", needed=True), _text("side"), _text("order_type", needed=True), _count("lots"),
        _text("quantity", needed=True), *_real("price"),
        Column("reduce_only", Integer, CheckConstraint("reduce_only IN (0, 1)", name="orders_reduce"), nullable=False),
        Column("parent", Id, ForeignKey("orders.id")), *_real("margin"), _text("reason", needed=True),
        _text("decision_id"), _count("filled_lots"), _text("status", needed=True), _text("last_updated", needed=True),
        _words("orders", "side", "buy", "sell"), _words("orders", "order_type", "market", "stop", "target", "limit"),
        _words("orders", "status", "sent", "amended", "cancel sent", "part filled", "filled"),
        UniqueConstraint("agent_type", "order_number", name="orders_one"),
        stamps=("last_updated",),
    )  # fmt: skip

    _table(
        "fills",  # every line of the ledger; `kind` keeps funding, splits, dividends and liquidations apart from fills
        _text("event_timestamp", needed=True), Column("execution_id", Text, nullable=False, unique=True),
        _text("kind", needed=True), _text("symbol", needed=True), Column("order_row", Id, ForeignKey("orders.id")),
        _text("order_id"), Column("trade_id", Id, ForeignKey("enhanced_trades.id")),
        Column("next_trade_id", Id, ForeignKey("enhanced_trades.id")),  # the trade that a fill across zero begins
        _text("side"), _count("lots"), _text("quantity", needed=True), *_real("price", "fee", "rate", "amount"),
        _text("reason", needed=True), _text("decision_id"),
        _words("fills", "kind", "fill", "liquidation", "adl", "funding", "corporate"),
        _words("fills", "side", "buy", "sell"),
        stamps=("event_timestamp",),
    )  # fmt: skip


def downgrade() -> None:
    """Rows follow from the journals: nothing is taken back, it is projected anew."""
    raise NotImplementedError("delete the tables' database and run `confidence journal rebuild`")
