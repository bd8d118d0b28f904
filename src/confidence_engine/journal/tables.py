"""The tables people and reports read: the roadmap's ten, agents, orders, fills, and how far each journal is in them.

All are a projection: every row follows from records of a journal and can be made again. A time is TEXT,
'YYYY-MM-DD HH:MM:SS.ffffff' in UTC, because SQLite compares it with `datetime('now', '-24 hours')` as text: a T or a Z
in it would let rows pass that are up to two days old. `timestamp` is when it was known, `event_timestamp` when it
happened. Quantities are exact: `lots` counts, `quantity` is lots x lot x multiplier as a decimal in TEXT; `price` and
money are doubles as the journal holds them. Amounts are USD. What has no value is NULL, never zero.
"""

from __future__ import annotations

from typing import Any, Final

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
    UniqueConstraint,
)

from confidence_engine.domain.units import DAY_NS

__all__ = ["PROJECTION", "RETAINED", "RETENTION_NS", "TABLES", "TABLES_FILE", "TEN", "stamp_check"]

TABLES_FILE: Final = "enhanced_trading.db"
PROJECTION: Final = 3
"""Version of what the rows say: an agent projected by an older one is projected anew at the next start."""

RETENTION_NS: Final = 30 * DAY_NS
"""How far back from an agent's last event RETAINED tables reach, and what a journal's retirement leaves alone."""

TEN: Final = (
    "enhanced_trades", "signal_logs", "performance_metrics", "heartbeat_logs", "notification_logs", "trade_limits",
    "risk_events", "positions", "trades", "performance",
)  # fmt: skip
RETAINED: Final = ("signal_logs", "heartbeat_logs", "notification_logs")
"""Tables that keep the last 30 days of an agent's own time; the journal keeps what they drop."""

TABLES = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite's own row id is of type INTEGER and of no other


def stamp_check(column: str) -> str:
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


def _table(name: str, *parts: Any, stamps: tuple[str, ...] = ()) -> Table:
    """A table of the projection: whose row it is, when it was known, under which parameters; then `parts`."""
    head: list[Any] = [
        Column("id", Id, primary_key=True, autoincrement=False),
        _text("timestamp", needed=True),
        Column("agent_type", Text, ForeignKey("agents.name"), nullable=False),
        _text("run_id", needed=True), _text("params_hash", needed=True),
        Column("synthetic", Integer, CheckConstraint("synthetic IN (0, 1)", name=f"{name}_synthetic"), nullable=False),
    ]  # fmt: skip
    checks = [CheckConstraint(stamp_check(one), name=f"{name}_{one}_utc") for one in ("timestamp", *stamps)]
    return Table(name, TABLES, *head, *parts, *checks, Index(f"{name}_agent_time", "agent_type", "timestamp"))


Table(
    "agents", TABLES,
    Column("number", Integer, primary_key=True, autoincrement=False),  # by the creation of its journal
    Column("name", Text, nullable=False, unique=True),
    Column("journal", Text, nullable=False, unique=True),
    _text("created", needed=True), _text("run", needed=True), _text("code_revision", needed=True),
    _text("home"),  # whose journal it is, where several homes share a server; NULL for rows of older rules
    CheckConstraint(stamp_check("created"), name="agents_created_utc"),
    _words("agents", "run", "agent", "replay"),
)  # fmt: skip

Table(
    "cursors", TABLES,
    Column("agent_type", Text, ForeignKey("agents.name"), primary_key=True),
    _count("next_record"),  # first record that is not in the tables yet
    _count("block"), _text("block_hash", needed=True),  # block of the record before it, to see a journal cut back
    Column("projection", Integer, nullable=False),
    _text("carry", needed=True),  # what the next record needs to know of all before it, as JSON
)  # fmt: skip

_table(
    "enhanced_trades",  # from flat to flat; open ones have no exit yet
    _text("event_timestamp", needed=True), _text("symbol", needed=True), _text("action", needed=True),
    _text("status", needed=True), *_real("entry_price"), _text("quantity", needed=True), _count("lots"),
    *_real("leverage", "signal_quality", "conviction_score", "confidence"), _text("regime_state"),
    _text("platform", needed=True), _text("order_id"), _text("decision_id"), *_real("exit_price"),
    _text("exit_timestamp"), _text("exit_event_timestamp"), _text("exit_order_id"),
    *_real("gross_pnl", "fees", "funding", "pnl"), _text("win_loss"), *_real("hold_duration_minutes"),
    _text("entry_reason"), _text("exit_reason"),
    _words("enhanced_trades", "action", "buy", "sell"), _words("enhanced_trades", "status", "open", "closed"),
    _words("enhanced_trades", "win_loss", "win", "loss", "even"),
    CheckConstraint("(status = 'open') = (exit_timestamp IS NULL)", name="enhanced_trades_over"),
    stamps=("event_timestamp", "exit_timestamp", "exit_event_timestamp"),
)  # fmt: skip

_table(
    "trades",  # the archive: trades that are over, at the time they ended
    _text("event_timestamp", needed=True), _text("symbol", needed=True), _text("action", needed=True),
    *_real("price"), _text("quantity", needed=True), _count("lots"), *_real("confidence"),
    *_real("gross_pnl", "fees", "funding", "pnl"), _text("decision_id"), _text("metadata", needed=True),
    Column("trade_id", Id, ForeignKey("enhanced_trades.id"), nullable=False, unique=True),
    _words("trades", "action", "buy", "sell"),
    stamps=("event_timestamp",),
)  # fmt: skip

_table(
    "positions",  # one row for every symbol and side ever held; quantity 0 is flat
    _text("symbol", needed=True), _text("position_side", needed=True), _text("position_qty", needed=True),
    _count("lots"), *_real("position_entry_price"), _text("last_entry_time", needed=True), _text("order_id"),
    *_real("pnl_today", "pnl_total"), _text("last_updated", needed=True),
    _words("positions", "position_side", "long", "short"),
    UniqueConstraint("agent_type", "symbol", "position_side", name="positions_one"),
    stamps=("last_entry_time", "last_updated"),
)  # fmt: skip

_table(
    "signal_logs",  # every decision that was written; rsi is a column of the roadmap that nothing here computes
    _text("symbol", needed=True), _text("decision_id", needed=True),
    *_real("signal_quality", "conviction_score"), _text("regime_trend", needed=True),
    _text("regime_volatility", needed=True), _text("signal_decision", needed=True), _text("reason", needed=True),
    *_real("sentiment", "price_momentum", "volume_z_score", "rsi", "gap", "gap_trigger", "strength", "confidence"),
    *_real("price"), _text("price_timestamp"), _text("evidence_timestamp"),
    _words("signal_logs", "signal_decision", "buy", "sell", "stand aside", "abstain"),
    _words("signal_logs", "regime_trend", "unknown", "down", "sideways", "up"),
    _words("signal_logs", "regime_volatility", "unknown", "low", "medium", "high", "extreme"),
    Index("signal_logs_time", "timestamp"),
    stamps=("price_timestamp", "evidence_timestamp"),
)  # fmt: skip

_table(
    "performance_metrics",
    _text("metric_type", needed=True), *_real("metric_value"), _text("symbol"), _text("time_period", needed=True),
    _text("additional_data"),
    _words("performance_metrics", "metric_type", "equity", "balance", "gross", "net", "used_margin", "drawdown"),
    _words("performance_metrics", "time_period", "hour"),
)  # fmt: skip

_table(
    "heartbeat_logs",
    _count("run_count"), _count("active_positions"), *_real("daily_pnl"), _count("total_trades"),
    _text("system_status", needed=True), _text("market_regime"), _text("platform", needed=True),
    *_real("last_quality", "last_conviction"),
    _words("heartbeat_logs", "system_status", "running", "degraded", "halted", "stopped"),
)  # fmt: skip

_table(
    "notification_logs",  # nothing sends messages yet: this table is empty
    _text("notification_type", needed=True), _text("channel", needed=True), _text("symbol"),
    _text("message_content", needed=True), _text("delivery_status", needed=True), _count("retry_count"),
    _words("notification_logs", "delivery_status", "pending", "sent", "failed"),
)  # fmt: skip

_table(
    "trade_limits",  # a row for each UTC day and each week from Monday
    _text("period_type", needed=True), _text("period_start", needed=True), _count("trade_count"),
    *_real("total_exposure"), _count("max_trades", needed=False), *_real("max_exposure"),
    _words("trade_limits", "period_type", "day", "week"),
    UniqueConstraint("agent_type", "period_type", "period_start", name="trade_limits_one"),
    stamps=("period_start",),
)  # fmt: skip

_table(
    "risk_events",  # from the first judgement that a limit refused to the first that it did not
    _text("event_type", needed=True), _text("symbol"), _text("description", needed=True),
    _text("severity", needed=True), _text("action_taken", needed=True), _text("resolved_at"),
    Column("trade_blocked", Integer, CheckConstraint("trade_blocked IN (0, 1)", name="risk_events_blocked")),
    _count("blocked_decisions"), *_real("current_exposure", "limit_exceeded"), _text("decision_id"),
    _words("risk_events", "severity", "info", "warning", "critical"),
    stamps=("resolved_at",),
)  # fmt: skip

_table(
    "performance",  # a row for each UTC day, as of its last hour
    _text("period_start", needed=True), _count("trades_today"), *_real("win_rate", "total_pnl", "fees", "funding"),
    *_real("uptime_hours"), _count("error_count"),
    UniqueConstraint("agent_type", "period_start", name="performance_one"),
    stamps=("period_start",),
)  # fmt: skip

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
