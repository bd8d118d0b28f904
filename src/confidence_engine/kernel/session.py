"""The clock of a market with sessions: when it is open, and how much trading time lies between two moments.

A SESSION event says that a session has begun, when it will end and how far its local time is from UTC. Nothing is
known of a session before it opens, so an unexpected closure cannot be foreseen by a replay either. Ages, pauses
and deadlines are differences of trading time (`domain.trading`); assets without a calendar keep the wall clock.
"""

from __future__ import annotations

from confidence_engine.domain.event import session_close, session_offset, session_open, session_span
from confidence_engine.domain.jit import stage
from confidence_engine.domain.trading import passed
from confidence_engine.domain.units import DAY_NS
from confidence_engine.kernel.state import SESSIONS

__all__ = ["ago", "begin", "clock", "enterable", "holding", "number", "offset", "opened", "orderly"]


@stage
def orderly(s, event):
    """Whether a SESSION fits behind the last one of its calendar; the same open again only moves its end."""
    c = event.asset
    if c < 1 or c >= len(s.calendar):
        return False
    first, last, span = session_open(event), session_close(event), session_span(event)
    if not (first == event.ts_event and first < last <= first + 2 * DAY_NS and 0 < span <= 2 * DAY_NS):
        return False
    if not abs(session_offset(event)) <= DAY_NS:
        return False
    n = s.calendar[c].sessions
    if n == 0:
        return True
    r = s.session[c, (n - 1) % SESSIONS]
    return first == r.open_ns or first >= r.close_ns


@stage
def begin(s, event):
    """A session has begun; or the one that runs will end at another time."""
    c = event.asset
    k = s.calendar[c]
    opened_ns = int(session_open(event))
    before = opened_ns
    if k.sessions > 0:
        last = s.session[c, (k.sessions - 1) % SESSIONS]
        before = last.before_ns
        if last.open_ns == opened_ns:
            k.sessions -= 1
        else:
            before += last.span_ns
    r = s.session[c, k.sessions % SESSIONS]
    r.open_ns, r.close_ns, r.before_ns = opened_ns, int(session_close(event)), before
    r.offset_ns, r.span_ns = int(session_offset(event)), int(session_span(event))
    k.sessions += 1


@stage
def holding(s, c, ns):
    """Number of the last session of calendar c that opened at or before `ns`; the oldest known, and -1 for none."""
    n = s.calendar[c].sessions
    low = max(0, n - SESSIONS)
    k = n - 1
    while k > low and s.session[c, k % SESSIONS].open_ns > ns:
        k -= 1
    return k


@stage
def clock(s, c, ns):
    """Trading time of calendar c at a wall time up to now; the wall time itself round the clock."""
    if c == 0:
        return ns
    k = holding(s, c, ns)
    if k < 0:
        return ns
    r = s.session[c, k % SESSIONS]
    return r.before_ns + passed(r.open_ns, r.close_ns, r.span_ns, ns)


@stage
def ago(s, i, ns, now_ns):
    """Time that has passed from `ns` to `now_ns` on the clock of asset i."""
    c = s.inst[i].calendar
    return now_ns - ns if c == 0 else clock(s, c, now_ns) - clock(s, c, ns)


@stage
def opened(s, i, close_ns):
    """When the bar of asset i that closed at `close_ns` opened: a whole session's bar at the session's open."""
    inst = s.inst[i]
    start = close_ns - inst.bar_ns
    if inst.calendar > 0:
        k = holding(s, inst.calendar, close_ns - 1)
        if k >= 0:
            start = max(start, s.session[inst.calendar, k % SESSIONS].open_ns)
    return start


@stage
def enterable(s, i, ns):
    """Whether an entry decided now makes sense: in a session, or at any time where a bar is a whole session.

    An order for a whole-session bar waits for the next open however late it was decided, so the market need not be
    open; an intraday entry would wait through a night in which its price becomes another.
    """
    inst = s.inst[i]
    if inst.calendar == 0 or inst.bar_ns >= DAY_NS:
        return True
    k = holding(s, inst.calendar, ns)
    return k >= 0 and ns < s.session[inst.calendar, k % SESSIONS].close_ns


@stage
def offset(s, i, ns):
    """Local time of asset i's exchange less UTC at `ns`; 0 round the clock."""
    c = s.inst[i].calendar
    k = holding(s, c, ns) if c > 0 else -1
    return s.session[c, k % SESSIONS].offset_ns if k >= 0 else 0


@stage
def number(s, c, ns):
    """(number of the session that held the instant before `ns`, its open); (-1, 0) where none is known."""
    k = holding(s, c, ns - 1)
    return (k, s.session[c, k % SESSIONS].open_ns) if k >= 0 else (-1, 0)
