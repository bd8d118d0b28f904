"""When the next bar of a stream is due, and how many were left out before one that came.

Round the clock the next bar is over one interval after the last. In a market with sessions bars stand inside them, and
where a bar is a whole session it is over with it; of a session that has not begun nothing is known, so nothing is due
after the last one that has. What trades at hours that nobody told (no calendar, not crypto) is never due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from confidence_engine.domain.units import DAY_NS

__all__ = ["KEPT_SESSIONS", "NEVER", "Hours"]

NEVER: Final = 2**63 - 1
"""A time that does not come."""

KEPT_SESSIONS: Final = 16


class Hours(NamedTuple):
    """When bars of `interval_ns` are due: `sessions` are (open, close) of the calendar, None round the clock."""

    interval_ns: int
    sessions: deque[tuple[int, int]] | None
    known: bool = True

    def next_close(self, close_ns: int) -> int:
        """When the bar after the one that closed at `close_ns` is over; NEVER where that is not known."""
        if not self.known:
            return NEVER
        if self.sessions is None:
            return close_ns + self.interval_ns
        for opened, closed in self.sessions:
            if self.interval_ns >= DAY_NS:
                if closed > close_ns:
                    return closed
            elif (over := _on_grid(max(opened, close_ns), self.interval_ns) + self.interval_ns) <= closed:
                return over
        return NEVER

    def left_out(self, close_ns: int, open_ns: int) -> int:
        """Bars that should have been over between the close of one bar and the open of a later one."""
        if open_ns <= close_ns or not self.known:
            return 0
        if self.sessions is None:
            return (open_ns - close_ns) // self.interval_ns
        return _between(self.sessions, close_ns, open_ns, self.interval_ns)


def _between(sessions: Sequence[tuple[int, int]], close_ns: int, open_ns: int, interval_ns: int) -> int:
    """Whole bars of the sessions that lie in [close, open]."""
    count = 0
    for opened, closed in sessions:
        first, last = max(opened, close_ns), min(closed, open_ns)
        if interval_ns >= DAY_NS:
            count += first == opened and last == closed
        else:
            count += max(last // interval_ns - _on_grid(first, interval_ns) // interval_ns, 0)
    return count


def _on_grid(ns: int, interval_ns: int) -> int:
    """First multiple of the interval at or after a time."""
    return -(-ns // interval_ns) * interval_ns
