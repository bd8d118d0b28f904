"""Trading time: the clock that runs only while a market trades.

A Friday evening's story is as fresh on Monday's open as it was told: what fades, waits or expires does so in the
time in which anybody could act. A session adds its `span` to the clock, evenly from open to close:
T(t) = sum of the spans of the sessions before + span (t - open) / (close - open). The span is the session's own
length; where one bar is a whole session it is one day, so that "3d" is three sessions, half days too. Round the
clock T(t) = t. Kernel and evaluation use the same arithmetic, so they agree to the nanosecond. The idea of a
market clock: Clark, Econometrica 41 (1973), p. 135; that it counts whole sessions in daily bars is our own rule.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from confidence_engine.domain.jit import stage
from confidence_engine.domain.units import DAY_NS

__all__ = ["SESSION_ROW", "passed", "spans", "trading_time", "wall_time"]

SESSION_ROW: Final = np.dtype([("open_ns", "i8"), ("close_ns", "i8"), ("offset_ns", "i8"), ("span_ns", "i8")])
"""One session: open, close (ns UTC, whole seconds), local time less UTC, and the trading time it is worth."""


@stage
def passed(open_ns, close_ns, span_ns, ns):  # type: ignore[no-untyped-def]
    """Trading time that a session has run at `ns`, from 0 to its span."""
    if ns <= open_ns:
        return 0
    if ns >= close_ns:
        return span_ns
    if span_ns == close_ns - open_ns:
        return ns - open_ns
    return int(float(ns - open_ns) / float(close_ns - open_ns) * float(span_ns))


def spans(open_ns: np.ndarray, close_ns: np.ndarray, bar_ns: int) -> np.ndarray:
    """What sessions are worth for bars of `bar_ns`: their length, or one day where a bar is a whole session."""
    return np.full(len(open_ns), bar_ns, np.int64) if bar_ns >= DAY_NS else close_ns - open_ns


def trading_time(sessions: np.ndarray, ns: np.ndarray) -> np.ndarray:
    """Trading time i8 of wall times i8 on SESSION_ROW [n] ascending; without sessions the wall times themselves."""
    if not len(sessions):
        return np.asarray(ns, np.int64)
    opened, closed, span = (sessions[name] for name in ("open_ns", "close_ns", "span_ns"))
    before = int(opened[0]) + np.concatenate([[0], np.cumsum(span)[:-1]])
    k = np.maximum(np.searchsorted(opened, ns, side="right") - 1, 0)
    inside = np.clip(ns, opened[k], closed[k]) - opened[k]
    length = closed[k] - opened[k]
    part = (inside / length * span[k]).astype(np.int64)
    part = np.where(span[k] == length, inside, np.where(inside == length, span[k], part))
    return before[k] + part


def wall_time(sessions: np.ndarray, from_ns: int, later_ns: int) -> int | None:
    """First wall time at which `later_ns` of trading time has passed since `from_ns`; None beyond the sessions."""
    if not len(sessions):
        return from_ns + later_ns
    due = int(trading_time(sessions, np.array([from_ns]))[0]) + later_ns
    ends = int(sessions["open_ns"][0]) + np.cumsum(sessions["span_ns"])
    k = int(np.searchsorted(ends, due, side="left"))
    if k == len(sessions):
        return None
    one: Any = sessions[k]
    left = 1.0 - (int(ends[k]) - due) / int(one["span_ns"])
    return int(one["open_ns"]) + round(left * int(one["close_ns"] - one["open_ns"]))
