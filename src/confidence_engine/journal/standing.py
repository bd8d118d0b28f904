"""How an agent stands, from its equity rows: heartbeats, figures of the hour, the day's performance, room under limits.

A day is a UTC day and counts from its first equity row; total profit counts from the first of all. Drawdown is the
fall from the highest equity so far, as a fraction of it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from confidence_engine.domain.regime import TREND_WORDS, VOLATILITY_WORDS
from confidence_engine.journal.carry import Carry
from confidence_engine.journal.chain import Record
from confidence_engine.journal.periods import limited, reviewed
from confidence_engine.journal.sheet import Sheet, number

__all__ = ["stopped", "valued"]

_FIGURES: Final = (("equity", "equity"), ("balance", "balance"), ("gross", "gross"), ("net", "net_usd"),
                   ("used_margin", "used_margin"))  # fmt: skip


def valued(c: Carry, sheet: Sheet, record: Record, e: Any) -> None:
    """One EQUITY."""
    if c.first_equity is None:
        c.first_equity, c.began_ns, c.peak = e.equity, e.ts_ns, e.equity
    c.peak = max(c.peak, e.equity)
    c.gross, c.equity = number(e.gross), e.equity
    limited(c, sheet, record, e.ts_ns)
    reviewed(c, sheet, record, e.ts_ns)
    if c.day_equity is None:
        c.day_equity = e.equity
    c.heartbeats += 1
    if sheet.keeps("heartbeat_logs", e.ts_ns):
        _heartbeat(c, sheet, record, e)
    for which, (name, field) in enumerate(_FIGURES):
        _figure(sheet, record, e, which, name, number(getattr(e, field)))
    _figure(sheet, record, e, len(_FIGURES), "drawdown", 1.0 - e.equity / c.peak if c.peak > 0.0 else None)


def _figure(sheet: Sheet, record: Record, e: Any, which: int, name: str, value: float | None) -> None:
    sheet.put(
        "performance_metrics", record.id, e.ts_ns, which, metric_type=name, metric_value=value, time_period="hour"
    )


def stopped(c: Carry, sheet: Sheet, record: Record) -> None:
    """The end of a run: the last heartbeat says that no other follows."""
    made = None if c.equity is None else c.equity - (c.equity if c.day_equity is None else c.day_equity)
    _beat(c, sheet, record, record.ts_ns, "stopped", len(c.trips), made)


def _heartbeat(c: Carry, sheet: Sheet, record: Record, e: Any) -> None:
    gates = {key.partition(":")[2] for key in c.refused}
    status = "halted" if gates & {"HALTED", "DRAWDOWN"} else "degraded" if "DEGRADED" in gates else "running"
    _beat(c, sheet, record, e.ts_ns, status, e.open_positions, e.equity - float(c.day_equity or 0.0))


def _beat(
    c: Carry, sheet: Sheet, record: Record, ts_ns: int, status: str, positions: int, made: float | None
) -> None:  # fmt: skip
    sheet.put(
        "heartbeat_logs", record.id, ts_ns, run_count=c.heartbeats, active_positions=positions, daily_pnl=made,
        total_trades=c.closed, system_status=status, market_regime=_market(c), platform=c.venue,
        last_quality=c.quality, last_conviction=c.conviction,
    )  # fmt: skip


def _market(c: Carry) -> str | None:
    """The regime that most assets were in when last judged; of equals the calmer and lower one."""
    if not c.regimes:
        return None
    counted = Counter((bits & 7, bits >> 3 & 3) for bits in c.regimes.values())
    volatility, trend = min(counted, key=lambda one: (-counted[one], one))
    return f"{VOLATILITY_WORDS[volatility]}/{TREND_WORDS[trend]}"
