"""UTC days and weeks from Monday, as the account's limits count them, and the rows that have one for each.

A row begins with the first record that belongs to its period and is brought up to each that follows.
"""

from __future__ import annotations

from confidence_engine.domain.units import DAY_NS, HOUR_NS, WEEK_NS
from confidence_engine.journal.carry import Carry
from confidence_engine.journal.chain import Record
from confidence_engine.journal.sheet import Sheet, stamp

__all__ = ["closed", "counted", "faulty", "limited", "period", "reviewed"]


def period(name: str, ts_ns: int) -> tuple[int, int]:
    """(number, start in ns) of the UTC "day", or of the "week" from Monday."""
    if name == "day":
        return ts_ns // DAY_NS, ts_ns // DAY_NS * DAY_NS
    week = (ts_ns + 3 * DAY_NS) // WEEK_NS
    return week, week * WEEK_NS - 3 * DAY_NS


def limited(c: Carry, sheet: Sheet, record: Record, ts_ns: int) -> None:
    """Bring the rows of `trade_limits` of this day and week up to now, from what is exposed and allowed."""
    allowed = None if c.limits.gross_max is None or c.equity is None else c.limits.gross_max * c.equity
    for which, name in enumerate(("day", "week")):
        now, start_ns = period(name, ts_ns)
        if name not in c.periods or c.periods[name][0] != now:
            row = sheet.put(
                "trade_limits", record.id, ts_ns, which, period_type=name, period_start=stamp(start_ns), trade_count=0,
                max_trades=c.limits.trades_a_day if name == "day" else c.limits.trades_a_week,
            )  # fmt: skip
            c.periods[name] = [now, row, 0]
        _, row, entries = c.periods[name]
        sheet.change(
            "trade_limits", row, timestamp=stamp(ts_ns), trade_count=entries, total_exposure=c.gross,
            max_exposure=allowed,
        )  # fmt: skip


def counted(c: Carry, sheet: Sheet, record: Record, ts_ns: int) -> None:
    """One entry more in the day and the week of this moment."""
    for name in ("day", "week"):
        if name in c.periods and c.periods[name][0] == period(name, ts_ns)[0]:
            c.periods[name][2] += 1
        else:
            limited(c, sheet, record, ts_ns)
            c.periods[name][2] += 1
    limited(c, sheet, record, ts_ns)


def reviewed(c: Carry, sheet: Sheet, record: Record, ts_ns: int) -> None:
    """Bring the day's row of `performance` up to now."""
    day = ts_ns // DAY_NS
    if day != c.day:
        c.day, c.day_equity, c.day_closed, c.day_faults = day, None, 0, 0
        c.day_row = sheet.put(
            "performance", record.id, ts_ns, period_start=stamp(day * DAY_NS), trades_today=0, error_count=0
        )
    began = ts_ns if c.first_equity is None else c.began_ns
    sheet.change(
        "performance", c.day_row, timestamp=stamp(ts_ns), trades_today=c.day_closed,
        win_rate=c.won / c.closed if c.closed else None,
        total_pnl=None if c.equity is None or c.first_equity is None else c.equity - c.first_equity, fees=c.fees,
        funding=c.funding, uptime_hours=(ts_ns - began) / HOUR_NS, error_count=c.day_faults,
    )  # fmt: skip


def closed(c: Carry, sheet: Sheet, record: Record, ts_ns: int, won: bool) -> None:
    """One trade more that is over."""
    reviewed(c, sheet, record, ts_ns)
    c.closed += 1
    c.day_closed += 1
    c.won += won
    reviewed(c, sheet, record, ts_ns)


def faulty(c: Carry, sheet: Sheet) -> None:
    """One fault more on the day that runs; what happens before the first day is in `risk_events` alone."""
    if c.day >= 0:
        c.day_faults += 1
        sheet.change("performance", c.day_row, error_count=c.day_faults)
