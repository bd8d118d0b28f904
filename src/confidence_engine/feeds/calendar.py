"""When an exchange trades: sessions of a period, holidays and half days and daylight saving included.

The days and hours come from the library exchange_calendars, by the exchange's MIC ("XNYS"). A date in a file of
daily bars is a session date; its bar opened and was over when that session did. What stands on a day without a
session was not traded on that exchange and is left out and counted. Closures nobody could foresee are in the
library's past; that is why a session becomes known to the engine at its open and not before.
"""

from __future__ import annotations

import difflib
import functools
import warnings
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.trading import SESSION_ROW, spans
from confidence_engine.domain.units import DAY_NS, SECOND_NS

__all__ = ["Placed", "on_sessions", "sessions"]

_FIRST: Final = 20 * 365 * DAY_NS  # the library knows most exchanges from about 1990 on


class Placed(NamedTuple):
    """Bars that stand in a session, and how many did not."""

    rows: np.ndarray
    outside: int


def sessions(name: str, start_ns: int, end_ns: int, bar_ns: int) -> np.ndarray:
    """SESSION_ROW [n] of the sessions of calendar `name` that touch [start, end). Raises UsageError.

    `bar_ns` says what a session is worth in trading time: see `domain.trading.spans`.
    """
    dates, table = _years(name, max(start_ns, _FIRST) // DAY_NS // 365, end_ns // DAY_NS // 365 + 2)
    del dates
    kept = table[(table["close_ns"] > start_ns) & (table["open_ns"] < end_ns)].copy()
    kept["span_ns"] = spans(kept["open_ns"], kept["close_ns"], bar_ns)
    return kept


def on_sessions(rows: np.ndarray, name: str, bar_ns: int) -> Placed:
    """BAR_ROW [n] of an exchange: daily bars take open and close of their date's session, others stand inside one."""
    if not len(rows):
        return Placed(rows, 0)
    first, last = int(rows["open_ns"][0]), int(rows["close_ns"][-1])
    dates, table = _years(name, (first - DAY_NS) // DAY_NS // 365, last // DAY_NS // 365 + 2)
    placed = rows.copy()
    if bar_ns >= DAY_NS:
        at = np.minimum(np.searchsorted(dates, rows["open_ns"] // DAY_NS), len(dates) - 1)
        inside = dates[at] == rows["open_ns"] // DAY_NS
        placed["open_ns"], placed["close_ns"] = table["open_ns"][at], table["close_ns"][at]
    else:
        at = np.maximum(np.searchsorted(table["open_ns"], rows["open_ns"], side="right") - 1, 0)
        inside = (rows["open_ns"] >= table["open_ns"][at]) & (rows["close_ns"] <= table["close_ns"][at])
    return Placed(placed[inside], int((~inside).sum()))


@functools.cache
def _years(name: str, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """(session dates in days since 1970, SESSION_ROW) of the years [first, last), counted in 365 days from 1970."""
    import exchange_calendars
    import pandas as pd
    from exchange_calendars.errors import CalendarError

    begin, end = pd.Timestamp(first * 365 * DAY_NS), pd.Timestamp(last * 365 * DAY_NS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the library's own, about the next pandas
            kind = type(exchange_calendars.get_calendar(name))
            least, most = kind.bound_min(), kind.bound_max()
            begin = begin if least is None else max(begin, least)
            calendar = kind(start=begin, end=end if most is None else min(end, most))
    except CalendarError as error:
        near = difflib.get_close_matches(name, exchange_calendars.get_calendar_names(), n=3)
        raise UsageError(f"calendar {name!r}: {error}" + (f"; nearest: {', '.join(near)}" if near else "")) from error
    schedule, zone = calendar.schedule, ZoneInfo(str(calendar.tz))
    table = np.zeros(len(schedule), SESSION_ROW)
    opened = schedule["open"].dt.as_unit("ns")
    table["open_ns"] = opened.astype("int64")
    table["close_ns"] = schedule["close"].dt.as_unit("ns").astype("int64")
    local = opened.dt.tz_convert(zone).dt.tz_localize(None).astype("int64")
    table["offset_ns"] = local.to_numpy() - table["open_ns"]
    assert not (table["open_ns"] % SECOND_NS).any()
    dates = schedule.index.as_unit("ns").asi8 // DAY_NS
    return dates, table
