"""What the tables refuse, on both databases: a time that is none, a word that is none, an owner that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.journal.agents import Agent, shown

from confidence_engine.journal.database import engine_of, sqlite_url, upgrade
from confidence_engine.journal.projector import project
from confidence_engine.journal.sheet import stamp
from confidence_engine.journal.tables import TABLES, TABLES_FILE, TEN

_AGENT = {"number": 1, "name": "futures", "journal": "j", "created": stamp(0), "run": "agent", "code_revision": "r"}
_HEAD: dict[str, Any] = {
    "id": 1, "timestamp": "2023-03-11 05:00:00.000000", "agent_type": "futures", "run_id": "j", "params_hash": "h",
    "synthetic": 0,
}  # fmt: skip
_SIGNAL = _HEAD | {
    "symbol": "BTC", "decision_id": "futures:1", "regime_trend": "up", "regime_volatility": "low",
    "signal_decision": "buy", "reason": "ENTERED",
}  # fmt: skip
_ORDER = _HEAD | {
    "client_order_id": "a-1", "order_number": 1, "symbol": "BTC", "side": "buy", "order_type": "market", "lots": 1,
    "quantity": "1", "reduce_only": 0, "reason": "entry", "filled_lots": 0, "status": "sent",
    "last_updated": "2023-03-11 05:00:00.000000",
}  # fmt: skip
_FILL = _HEAD | {
    "event_timestamp": "2023-03-11 05:00:00.000000", "execution_id": "a+1", "kind": "fill", "symbol": "BTC", "lots": 1,
    "quantity": "1", "reason": "entry",
}  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path, database: str | None) -> Iterator[sa.Engine]:
    made = engine_of(database or sqlite_url(tmp_path / TABLES_FILE))
    upgrade(made, "tables")
    _put(made, "agents", _AGENT)
    yield made
    made.dispose()


def _put(engine: sa.Engine, table: str, row: dict[str, Any]) -> None:
    with engine.begin() as c:
        c.execute(sa.insert(TABLES.tables[table]), [row])


def test_what_is_right_is_taken(engine: sa.Engine) -> None:
    for table, row in (("signal_logs", _SIGNAL), ("orders", _ORDER), ("fills", _FILL | {"order_row": 1})):
        _put(engine, table, row)


def test_what_is_wrong_is_refused(engine: sa.Engine) -> None:
    _put(engine, "orders", _ORDER)
    times = (
        "2023-03-11T05:00:00.000000", "2023-03-11 05:00:00.00000Z", "2023-03-11 05:00:00", "2023-13-11 05:00:00.000000",
        "2023-03-32 05:00:00.000000", "2023-03-11 24:00:00.000000", "2023-03-11 05:60:00.000000", "",
        "2023-03-11 05:00:0x.000000", "11-03-2023 05:00:00.000000",
    )  # fmt: skip
    wrong = [("signal_logs", {"timestamp": one}) for one in times] + [
        ("signal_logs", {"signal_decision": "hold"}), ("signal_logs", {"regime_volatility": "wild"}),
        ("signal_logs", {"agent_type": "nobody"}), ("signal_logs", {"params_hash": None}),
        ("signal_logs", {"synthetic": 2}), ("signal_logs", {"evidence_timestamp": "yesterday"}),
        ("orders", {"id": 2}), ("orders", {"id": 2, "order_number": 2}), ("orders", {"id": 2, "client_order_id": "b"}),
        ("orders", {"id": 2, "client_order_id": "b", "order_number": 2, "status": "lost"}),
        ("fills", {"order_row": 9}), ("fills", {"trade_id": 9}), ("fills", {"kind": "gift"}),
    ]  # fmt: skip
    whole = {"signal_logs": _SIGNAL, "orders": _ORDER, "fills": _FILL}
    for table, change in wrong:
        with pytest.raises(sa.exc.IntegrityError):
            _put(engine, table, whole[table] | change)
    with engine.connect() as c:
        assert [c.execute(sa.select(sa.func.count()).select_from(TABLES.tables[t])).scalar_one() for t in whole] == [
            0, 1, 0,
        ]  # fmt: skip


def test_every_table_says_whose_row_it_is_and_when() -> None:
    for name in (*TEN, "orders", "fills"):
        table = TABLES.tables[name]
        assert {"id", "timestamp", "agent_type", "run_id", "params_hash", "synthetic"} <= set(table.c.keys())
        checks = {str(one.name) for one in table.constraints if isinstance(one, sa.CheckConstraint)}
        stamps = {c for c in table.c.keys() if c.endswith(("timestamp", "_updated", "_start", "_entry_time", "_at"))}  # noqa: SIM118
        assert {f"{name}_{one}_utc" for one in stamps} <= checks


def test_the_columns_of_the_roadmap_are_there() -> None:
    wanted = {
        "trades": "timestamp run_id symbol action price confidence pnl metadata",
        "performance": "timestamp trades_today win_rate total_pnl uptime_hours error_count",
        "positions": "symbol position_side position_qty position_entry_price last_entry_time order_id pnl_today "
        "pnl_total last_updated",
        "enhanced_trades": "timestamp run_id agent_type symbol action entry_price quantity leverage signal_quality "
        "conviction_score regime_state platform order_id exit_price exit_timestamp pnl win_loss hold_duration_minutes "
        "entry_reason exit_reason",
        "signal_logs": "timestamp agent_type symbol signal_quality conviction_score regime_trend regime_volatility "
        "signal_decision reason sentiment price_momentum volume_z_score rsi",
        "performance_metrics": "timestamp agent_type metric_type metric_value symbol time_period additional_data",
        "heartbeat_logs": "timestamp agent_type run_count active_positions daily_pnl total_trades system_status "
        "market_regime platform",
        "notification_logs": "timestamp notification_type channel agent_type symbol message_content delivery_status",
        "trade_limits": "timestamp agent_type period_type period_start trade_count total_exposure max_trades "
        "max_exposure",
        "risk_events": "timestamp agent_type event_type description severity action_taken resolved_at trade_blocked "
        "current_exposure limit_exceeded",
    }
    assert set(wanted) == set(TEN)
    for name, columns in wanted.items():
        assert set(columns.split()) <= set(TABLES.tables[name].c.keys()), name


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 1)
    one.live(50)
    one.close()
    project(tmp_path)
    said = shown(tmp_path, "signal_logs")
    assert said
    assert {row["conviction_score"] for row in said} == {None}  # NaN in every decision of these agents
    assert {row["rsi"] for row in said} == {None}
    for row in shown(tmp_path, "enhanced_trades"):
        assert (row["pnl"] is None) == (row["status"] == "open") == (row["exit_reason"] is None)
