"""What ingress remembers of each stream, so that it can tell new from again, and whole from holed.

The last KEPT rows of a stream are kept whole: among them the same row is a DUPLICATE and another of its stamp
REVISED; what is older than the newest and not among them is LATE. A bar stream is ill from its first STALE or GAP
until `back_bars` whole bars came in time one after another. What is said of a feed goes to `say`.
All memory is plain numbers that JSON holds; a missing number is null there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from confidence_engine.domain.event import (
    BACKFILL,
    BAR,
    DEGRADED,
    FEED_BACK,
    FEED_CLOCK,
    FEED_DUPLICATE,
    FEED_GAP,
    FEED_LATE,
    FEED_REVISED,
    FEED_STALE,
    FEED_UNSOUND,
    NAN,
    NO_ASSET,
    SESSION,
    SIGNAL,
)
from confidence_engine.domain.units import DAY_NS
from confidence_engine.feeds import health
from confidence_engine.feeds.due import KEPT_SESSIONS, NEVER, Hours

__all__ = ["KEPT", "Bars", "Clock", "News", "Row", "Rows", "Say", "Sessions"]

KEPT: Final = 16

Row = tuple[Any, ...]
Say = Callable[[int, int, int, int, float], None]
"""(what, when it happened, asset, kind that the feed brings, value)."""


def _same(one: Row, other: Row) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))


def _again(seen: deque[Row], row: Row, at: int, key: int, number: int) -> tuple[int, int, float]:
    """(what, when, value) of a row that is not newer than the newest: `at` and `number` are its stamp's and its main
    number's places, `key` that of what rows are told apart by.
    """
    behind = float(seen[-1][at] - row[at])
    for old in seen:
        if old[key] == row[key]:
            if _same(old, row):
                return FEED_DUPLICATE, row[at], behind
            change = (row[number] - old[number]) / old[number] if old[number] else NAN
            return FEED_REVISED, row[at], change if math.isfinite(change) else NAN
    return FEED_LATE, row[at], behind


def _told(rows: deque[Row]) -> list[list[Any]]:
    return [[None if x != x else x for x in row] for row in rows]


def _read(rows: Sequence[Sequence[Any]], most: int) -> deque[Row]:
    return deque((tuple(NAN if x is None else x for x in row) for row in rows), most)


class Bars:
    """The bars of one asset."""

    def __init__(self, asset: int, hours: Hours, grace_ns: int, params: health.Params) -> None:
        """`grace_ns` after its close a bar is late; NEVER = no bar ever is."""
        self.asset, self.hours, self.grace_ns, self.params = asset, hours, grace_ns, params
        self.seen: deque[Row] = deque(maxlen=KEPT)
        self.price = self.odd = 0.0  # last close; the close that was too far from it
        self.since_ns, self.stale, self.good = 0, False, 0  # ill since; silent; whole bars in time since
        self.due_ns = NEVER

    @property
    def close_ns(self) -> int:
        """Close of the last bar taken, 0 before the first."""
        return int(self.seen[-1][1]) if self.seen else 0

    def expect(self) -> None:
        """Set when the stream becomes stale: after the grace of the next bar."""
        due = self.hours.next_close(self.close_ns) if self.seen and not self.stale else NEVER
        self.due_ns = NEVER if NEVER in (due, self.grace_ns) else due + self.grace_ns

    def look(self, now_ns: int, say: Say) -> None:
        """STALE where the next bar is overdue."""
        if now_ns > self.due_ns:
            say(FEED_STALE, self.due_ns - self.grace_ns, self.asset, BAR, float(now_ns - self.close_ns))
            self.stale, self.since_ns, self.good = True, self.since_ns or now_ns, 0
            self.expect()

    def take(self, row: Row, now_ns: int, say: Say) -> int | None:
        """Marks of a bar (BAR_ROW as a tuple) that is taken, None for one that is dropped."""
        opened, closed = row[0], row[1]
        fault = health.bar_fault(row, self.hours.interval_ns)
        if not fault and closed > now_ns:
            fault = health.UNFINISHED
        if not fault and self.seen and opened <= self.seen[-1][0]:
            what, at, value = _again(self.seen, row, 1, 0, 5)
            say(what, at, self.asset, BAR, value)
            return None
        if not fault and opened < self.close_ns:
            fault = health.STAMP
        if not fault and self._far(row):
            fault = health.SPIKE
        if fault:
            say(FEED_UNSOUND, now_ns, self.asset, BAR, float(fault))
            return None
        return self._enter(row, now_ns, say)

    def _enter(self, row: Row, now_ns: int, say: Say) -> int:
        """Remember a bar that stands, and whether the stream is well with it."""
        opened, closed = row[0], row[1]
        hole = self.hours.left_out(self.close_ns, opened) if self.seen else 0
        late = now_ns - closed > self.grace_ns
        if hole > self.params.missing:
            say(FEED_GAP, opened, self.asset, BAR, float(hole))
            self.since_ns, self.good = self.since_ns or now_ns, 0
        self.seen.append(row)
        self.price = row[5]
        if self.since_ns:
            self.good = 0 if late else self.good + 1
            if self.good >= self.params.back_bars:
                say(FEED_BACK, closed, self.asset, BAR, float(now_ns - self.since_ns))
                self.since_ns, self.stale, self.good = 0, False, 0
        self.expect()
        return BACKFILL | DEGRADED if late else 0

    def _far(self, row: Row) -> bool:
        """Whether a price is too far from the last close, unless the bar before was refused for being as far."""
        factor, high, low = self.params.spike, row[3], row[4]
        if factor <= 1.0 or self.price == 0.0 or (self.price <= low * factor and high <= self.price * factor):
            self.odd = 0.0
            return False
        near = math.sqrt(factor)
        if self.odd <= low * near and high <= self.odd * near:
            self.odd = 0.0
            return False
        self.odd = row[5]
        return True

    def remember(self, rows: list[Row]) -> None:
        """Bars that are known from elsewhere, ascending."""
        self.seen.extend(rows)
        if rows:
            self.price = rows[-1][5]
        self.expect()

    def traded_before(self, opened_ns: int) -> bool:
        """Whether no bar of the session that opened then, or of a later one, was taken."""
        return self.close_ns <= opened_ns

    def split(self, ratio: float) -> None:
        """From here on a price is one of a new share."""
        self.price, self.odd = self.price / ratio, self.odd / ratio

    def state(self) -> list[Any]:
        return [self.price, self.odd, self.since_ns, self.stale, self.good, _told(self.seen)]

    def restore(self, told: list[Any]) -> None:
        self.price, self.odd, self.since_ns, self.stale, self.good = told[:5]
        self.seen = _read(told[5], KEPT)
        self.expect()


class Rows:
    """Funding or scores of one asset: stamped rows, one at a time."""

    def __init__(self, asset: int, of: int, fault: Callable[[Row], int], number: int) -> None:
        """`of` the kind of their events, `fault` the rule that a row breaks, `number` the place of its main number."""
        self.asset, self.of, self._fault, self._number = asset, of, fault, number
        self.seen: deque[Row] = deque(maxlen=KEPT)

    def take(self, row: Row, now_ns: int, say: Say) -> bool:
        """Whether a row is taken."""
        fault = self._fault(row) or (health.STAMP if row[0] <= 0 else 0)
        if not fault and row[0] > now_ns:
            fault = health.UNFINISHED
        if fault:
            say(FEED_UNSOUND, now_ns, self.asset, self.of, float(fault))
        elif self.seen and row[0] <= self.seen[-1][0]:
            what, at, value = _again(self.seen, row, 0, 0, self._number)
            say(what, at, self.asset, self.of, value)
        else:
            self.seen.append(row)
            return True
        return False

    def state(self) -> list[Any]:
        return _told(self.seen)

    def restore(self, told: list[Any]) -> None:
        self.seen = _read(told, KEPT)


class Sessions:
    """The sessions of one calendar that have begun; `hours` is what bars are measured by."""

    def __init__(self, number: int) -> None:
        """`number` is the calendar's id."""
        self.number = number
        self.rows: deque[Row] = deque(maxlen=KEPT_SESSIONS)
        self.hours: deque[tuple[int, int]] = deque(maxlen=KEPT_SESSIONS)

    def take(self, row: Row, now_ns: int, say: Say) -> bool:
        """Whether a session is taken: a new one, or the last with another end."""
        opened, closed, offset, span = row
        last = self.rows[-1] if self.rows else None
        sound = opened < closed <= opened + 2 * DAY_NS and 0 < span <= 2 * DAY_NS and abs(offset) <= DAY_NS
        sound = sound and not (last is not None and last[0] < opened < last[1])
        if not sound or opened > now_ns:
            say(FEED_UNSOUND, now_ns, NO_ASSET, SESSION, float(health.UNFINISHED if sound else health.SESSION))
            return False
        if last is not None and (opened < last[0] or row == last):
            what = FEED_DUPLICATE if row in self.rows else FEED_LATE
            say(what, opened, NO_ASSET, SESSION, float(last[0] - opened))
            return False
        if last is not None and opened == last[0]:
            self.rows.pop()
            self.hours.pop()
        self.rows.append(row)
        self.hours.append((opened, closed))
        return True

    def first_after(self, ns: int) -> int | None:
        """Open of the first known session that ends after a time."""
        return next((opened for opened, closed in self.hours if closed > ns), None)

    def state(self) -> list[Any]:
        return _told(self.rows)

    def restore(self, told: list[Any]) -> None:
        self.rows = _read(told, KEPT_SESSIONS)
        self.hours.clear()
        self.hours.extend((row[0], row[1]) for row in self.rows)


class News:
    """Whether anything was said by the feeds that speak of all."""

    def __init__(self, silence_ns: int) -> None:
        """After `silence_ns` without a word they are stale; 0 = never."""
        self.silence_ns = silence_ns
        self.heard_ns, self.stale = 0, False

    @property
    def due_ns(self) -> int:
        """When silence becomes STALE."""
        return NEVER if self.stale or not self.silence_ns or not self.heard_ns else self.heard_ns + self.silence_ns

    def look(self, now_ns: int, say: Say) -> None:
        """STALE after too long a silence, counted from the first look where nothing was ever said."""
        self.heard_ns = self.heard_ns or now_ns
        if now_ns > self.due_ns:
            say(FEED_STALE, self.due_ns, NO_ASSET, SIGNAL, float(now_ns - self.heard_ns))
            self.stale = True

    def hear(self, now_ns: int, say: Say) -> None:
        """Something was said."""
        if self.stale:
            say(FEED_BACK, now_ns, NO_ASSET, SIGNAL, float(now_ns - self.heard_ns - self.silence_ns))
        self.heard_ns, self.stale = now_ns, False

    def state(self) -> list[Any]:
        return [self.heard_ns, self.stale]

    def restore(self, told: list[Any]) -> None:
        self.heard_ns, self.stale = told


class Clock:
    """The ingress clock beside one that nobody can set; without that only steps back are seen."""

    def __init__(self, step_ns: int, settle_ns: int) -> None:
        """A step of more than `step_ns` is a fault (0 = never) until `settle_ns` without another."""
        self.step_ns, self.settle_ns = step_ns, settle_ns
        self.at_ns: int | None = None
        self.steady_ns: int | None = None
        self.since_ns = self.calm_ns = self.last_ns = 0  # ill since, calm since (steady), last step known

    def look(self, at_ns: int, steady_ns: int | None, now_ns: int, say: Say) -> None:
        """CLOCK where it stepped, BACK where it has been calm and is no longer behind what is known."""
        step, before, sure = 0, self.at_ns, self.steady_ns
        if before is not None and steady_ns is not None and sure is not None and steady_ns >= sure:
            step = (at_ns - before) - (steady_ns - sure)
        elif before is not None:
            step = min(at_ns - before, 0)
        self.at_ns, self.steady_ns = at_ns, steady_ns
        passing = now_ns if steady_ns is None else steady_ns
        self.calm_ns = min(self.calm_ns, passing)  # a steady clock starts anew with its machine
        if 0 < self.step_ns < abs(step):
            say(FEED_CLOCK, now_ns, NO_ASSET, 0, float(step))
            self.since_ns, self.calm_ns, self.last_ns = self.since_ns or now_ns, passing, now_ns
            return
        calm = passing - self.calm_ns > self.settle_ns and at_ns + self.step_ns >= now_ns
        if self.since_ns and calm and now_ns > self.last_ns:  # at one time known BACK would stand before CLOCK
            say(FEED_BACK, now_ns, NO_ASSET, 0, float(now_ns - self.since_ns))
            self.since_ns = 0

    def state(self) -> list[Any]:
        return [self.at_ns, self.steady_ns, self.since_ns, self.calm_ns, self.last_ns]

    def restore(self, told: list[Any]) -> None:
        self.at_ns, self.steady_ns, self.since_ns, self.calm_ns, self.last_ns = told
