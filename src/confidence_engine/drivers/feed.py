"""The store or a simulated world as a feed: the rows of a replay, handed over in the order in which they were known.

A bar comes at its close + latency, a payment at its stamp + latency, a score when its maker said so, a session and what
is done to a share at their open, a document when it could have been seen. Nothing is handed over before its time, so
whoever takes the moments one by one cannot see further than they go. Nothing is copied: a day is put in order at a
time, and rows are views of the sources. The feed's clock runs as many times as fast as the wall's as it is told to; it
is what a run on such a feed lives by.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from confidence_engine.domain.document import Document, known_at
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds import timing
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.delivery import (
    BARS,
    CORPORATE,
    DOCUMENTS,
    FUNDING,
    SCORES,
    SESSIONS,
    Delivery,
    Moment,
)

__all__ = ["Feed", "PacedFeed", "deliveries"]


class Feed(Protocol):
    """Port: what the world says, in the order in which it comes."""

    async def next(self, due_ns: int) -> Moment | None:
        """The next moment; an empty one at `due_ns` where nothing comes before it; None where the feed has ended.

        A call that is cancelled loses nothing.
        """
        ...

    def ready(self) -> Moment | None:
        """The next moment where it has come already."""
        ...

    def now_ns(self) -> int:
        """What the feed's clock shows."""
        ...


class _Series(NamedTuple):
    """Rows of one stream and when each becomes known, ascending; documents instead of rows for news."""

    kind: str
    key: str
    known_ns: np.ndarray
    rows: np.ndarray | None
    documents: tuple[Document, ...] = ()


def deliveries(sources: Sources, clock: timing.Params, window: Window) -> Iterator[Moment]:
    """What is delivered, in order of time, until `window.end_ns`; at last its end, so that time passes until then.

    Rows are those of the window; a session that runs when it begins and documents from before it come first, each at
    its own time. Of one moment sessions and corporate actions come first, then assets as they are numbered.
    """
    series = [one for one in _series(sources, clock, window) if len(one.known_ns)]
    at = min((int(one.known_ns[0]) for one in series), default=window.end_ns)
    places = [0] * len(series)
    while at < window.end_ns:
        until = min((at // DAY_NS + 1) * DAY_NS, window.end_ns)
        ends = [int(np.searchsorted(one.known_ns, until)) for one in series]
        known = [one.known_ns[a:b] for one, a, b in zip(series, places, ends, strict=True)]
        if any(map(len, known)):
            yield from _day(series, places, known)
        places, at = ends, until
    yield Moment(window.end_ns - 1)


def _day(series: list[_Series], places: list[int], known: list[np.ndarray]) -> Iterator[Moment]:
    """The moments of the rows from `places` on that become known at `known`."""
    times = np.concatenate(known)
    owner = np.repeat(np.arange(len(series)), [len(one) for one in known])
    row = np.concatenate([np.arange(a, a + len(one)) for a, one in zip(places, known, strict=True)])
    order = np.argsort(times, kind="stable")
    moment: list[Delivery] = []
    last = -1
    for at, k, n in zip(times[order].tolist(), owner[order].tolist(), row[order].tolist(), strict=True):
        if at != last and moment:
            yield Moment(last, tuple(moment))
            moment = []
        last = at
        one = series[k]
        if one.rows is not None:
            moment.append(Delivery(at, one.kind, one.key, one.rows[n : n + 1]))
        elif moment and moment[-1].kind == DOCUMENTS:
            moment[-1] = moment[-1]._replace(documents=(*moment[-1].documents, one.documents[n]))
        else:
            moment.append(Delivery(at, DOCUMENTS, "", None, (one.documents[n],)))
    yield Moment(last, tuple(moment))


def _series(sources: Sources, clock: timing.Params, window: Window) -> Iterator[_Series]:
    """Every stream of the sources, in the order in which those of one moment are handed over."""
    for name, rows in sorted(sources.sessions.items()):
        inside = rows[(rows["close_ns"] > window.load_ns) & (rows["open_ns"] < window.end_ns)]
        yield _Series(SESSIONS, name, inside["open_ns"], inside)
    for one in sources.instruments:
        if one.key in sources.corporate:
            actions, hours = sources.corporate[one.key], sources.sessions[one.calendar]
            at = np.searchsorted(hours["close_ns"], actions["ex_ns"], side="right")
            actions, opened = actions[at < len(hours)], hours["open_ns"][at[at < len(hours)]]
            yield _cut(CORPORATE, one.key, opened, actions, window)
    for one in sources.instruments:
        if one.key in sources.funding:
            rows = sources.funding[one.key]
            yield _cut(FUNDING, one.key, rows["ts_ns"] + clock.funding_latency_ns, rows, window)
    for one in sources.instruments:
        rows = sources.bars[one.key]
        yield _cut(BARS, one.key, rows["close_ns"] + clock.bar_latency_ns, rows, window)
    for one in sources.instruments:
        if one.key in sources.scores:
            yield _cut(SCORES, one.key, sources.scores[one.key]["known_ns"], sources.scores[one.key], window)
    yield _news(sources.documents, clock.news_lag_ns)


def _cut(kind: str, key: str, known_ns: np.ndarray, rows: np.ndarray, window: Window) -> _Series:
    """The rows that become known inside the window."""
    first, last = np.searchsorted(known_ns, (window.load_ns, window.end_ns))
    return _Series(kind, key, known_ns[first:last], rows[first:last])


def _news(documents: list[Document], lag_ns: int) -> _Series:
    known = np.array([known_at(one, lag_ns) for one in documents], np.int64)
    order = np.argsort(known, kind="stable")
    return _Series(DOCUMENTS, "", known[order], None, tuple(documents[k] for k in order))


class PacedFeed:
    """Port `Feed` over moments that are there already, handed over at `speed` times the pace of the wall's clock.

    What is from before `begin_ns` is handed over as fast as it is taken, and all of it with `speed` 0; the clock starts
    when the first of the rest is due.
    """

    def __init__(
        self, source: Iterator[Moment], begin_ns: int, speed: float, wall: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._source, self._speed, self._wall = source, speed, wall
        self._begin_ns, self._began = begin_ns, math.nan
        self._last_ns = -1
        self._next = next(source, None)

    def now_ns(self) -> int:
        """What the feed's clock shows: never more than the next thing it has to say, never less than the last."""
        if not self._paced():
            return self._last_ns
        ran = self._ran_ns()
        return max(self._last_ns, ran if self._next is None else min(ran, self._next.at_ns))

    async def next(self, due_ns: int) -> Moment | None:
        """As the port says."""
        if self._next is None:
            return None
        at_ns = min(self._next.at_ns, due_ns)
        if self._paced():
            wait = self._began + (at_ns - self._begin_ns) / (self._speed * 1e9) - self._wall()
            if wait > 0:
                await asyncio.sleep(wait)
        if due_ns < self._next.at_ns:
            self._last_ns = max(self._last_ns, at_ns)
            return Moment(due_ns)
        return self._hand()

    def ready(self) -> Moment | None:
        """As the port says."""
        if self._next is None or (self._paced() and self._ran_ns() < self._next.at_ns):
            return None
        return self._hand()

    def _paced(self) -> bool:
        """Whether the clock says when the next thing is handed over."""
        if self._speed <= 0 or (self._next is not None and self._next.at_ns < self._begin_ns):
            return False
        if math.isnan(self._began):
            self._began = self._wall()
        return True

    def _hand(self) -> Moment | None:
        taken, self._next = self._next, next(self._source, None)
        if taken is not None:
            self._last_ns = max(self._last_ns, taken.at_ns)
        return taken

    def _ran_ns(self) -> int:
        return self._begin_ns + int((self._wall() - self._began) * self._speed * 1e9)
