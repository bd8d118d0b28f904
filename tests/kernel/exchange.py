"""A small exchange for the stage tests: sessions as events, and a state whose one asset trades in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.kernel.world import make_state

from confidence_engine.domain.event import corporate_events, session_events
from confidence_engine.domain.trading import SESSION_ROW, spans
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import session as _session
from confidence_engine.kernel.state import State

__all__ = ["LENGTH", "MONDAY", "YEAR_S", "corporate", "events", "new_york", "share"]

MONDAY = 16_076 * DAY_NS + 14 * HOUR_NS + 30 * MINUTE_NS  # 2014-01-06T14:30Z
LENGTH = 390 * MINUTE_NS
YEAR_S = 252 * 6.5 * 3600.0


def new_york(days: int, bar_ns: int = DAY_NS, dst_from: int = 10**6) -> np.ndarray:
    """SESSION_ROW of weekdays from MONDAY on; from day `dst_from` the clock stands an hour earlier in UTC."""
    weekdays = np.array([d for d in range(days * 2) if d % 7 < 5][:days])
    rows = np.zeros(days, SESSION_ROW)
    summer = weekdays >= dst_from
    rows["open_ns"] = MONDAY + weekdays * DAY_NS - summer * HOUR_NS
    rows["close_ns"] = rows["open_ns"] + LENGTH
    rows["offset_ns"] = np.where(summer, -4, -5) * HOUR_NS
    rows["span_ns"] = spans(rows["open_ns"], rows["close_ns"], bar_ns)
    return rows


def events(rows: np.ndarray, calendar: int = 1) -> list[Any]:
    """The rows as SESSION events."""
    return list(session_events(rows["open_ns"], rows["close_ns"], rows["offset_ns"], rows["span_ns"], calendar))


def corporate(i: int, at_ns: int, what: int, value: float) -> Any:
    """CORPORATE: a split or a dividend of asset i."""
    return corporate_events(np.array([at_ns]), i, 3, np.array([float(what)]), np.array([value]))[0]


def share(rows: np.ndarray | None = None, bar_ns: int = DAY_NS, **overrides: Any) -> State:
    """A state of one share on the exchange, the sessions of `rows` begun."""
    known: dict[str, Any] = {"klass": "equity", "calendar": "XNYS", "lot": 1.0, "quote": "USD", "can_short": True}
    state = make_state(1, bar_ns=bar_ns, year_s=YEAR_S, annual_volatility=0.3, **(known | overrides))
    for event in events(rows) if rows is not None else ():
        assert _session.orderly(state, event)
        _session.begin(state, event)
    return state
