"""The store or a simulated world as a feed: the rows of a replay, handed over in the order in which they were known.

Nothing is handed over before its time, so whoever takes the moments one by one cannot see further than they go. The
feed's clock runs as many times as fast as the wall's as it is told to; it is what a run on such a feed lives by.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.document import Document, known_at
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.delivery import BARS, CORPORATE, DOCUMENTS, FUNDING, SCORES, SESSIONS, Delivery, Moment

__all__ = ["Feed", "PacedFeed", "moments"]


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


def moments(config: Config, sources: Sources, window: Window) -> Iterator[Moment]:
    """What became known in [load, end) of the window, a moment for each time at which something did; last its end."""
    parts = list(_parts(config, sources, window))
    known = np.concatenate([at for at, _, _, _ in parts])
    part = np.repeat(np.arange(len(parts)), [len(at) for at, _, _, _ in parts])
    row = np.concatenate([np.arange(len(at)) for at, _, _, _ in parts])
    order = np.argsort(known, kind="stable")
    known, part, row = known[order], part[order], row[order]
    edges = np.flatnonzero(np.diff(known)) + 1
    first = 0
    for last in [*edges.tolist(), len(known)]:
        at_ns = int(known[first])
        said = [
            _said(at_ns, parts[p], r) for p, r in zip(part[first:last].tolist(), row[first:last].tolist(), strict=True)
        ]
        yield Moment(at_ns, tuple(said))
        first = last
    yield Moment(window.end_ns - 1)


_Part = tuple[np.ndarray, str, str, np.ndarray | list[Document]]


def _said(at_ns: int, part: _Part, row: int) -> Delivery:
    _, kind, key, rows = part
    if isinstance(rows, list):
        return Delivery(at_ns, kind, key, None, (rows[row],))
    return Delivery(at_ns, kind, key, rows[row : row + 1])


def _parts(config: Config, sources: Sources, window: Window) -> Iterator[_Part]:
    """(known, kind, key, rows) of everything, each in the order in which it became known."""
    clock = config.timing
    for one in sources.instruments:
        key = one.key
        yield _cut(sources.bars[key]["close_ns"] + clock.bar_latency_ns, BARS, key, sources.bars[key], window)
        if key in sources.corporate:
            actions = sources.corporate[key]
            sessions = sources.sessions[one.calendar]
            at = np.searchsorted(sessions["close_ns"], actions["ex_ns"], side="right")
            there = at < len(sessions)
            yield _cut(sessions["open_ns"][at[there]], CORPORATE, key, actions[there], window)
        if key in sources.funding:
            rows = sources.funding[key]
            yield _cut(rows["ts_ns"] + clock.funding_latency_ns, FUNDING, key, rows, window)
        if key in sources.scores:
            yield _cut(sources.scores[key]["known_ns"], SCORES, key, sources.scores[key], window)
    for name, rows in sources.sessions.items():
        mine = rows[(rows["close_ns"] > window.load_ns) & (rows["open_ns"] < window.end_ns)]
        yield mine["open_ns"].copy(), SESSIONS, name, mine
    documents = sorted(sources.documents, key=lambda one: known_at(one, clock.news_lag_ns))
    at = np.array([known_at(one, clock.news_lag_ns) for one in documents], np.int64)
    yield at, DOCUMENTS, "", documents


def _cut(known: np.ndarray, kind: str, key: str, rows: np.ndarray, window: Window) -> _Part:
    first, last = np.searchsorted(known, (window.load_ns, window.end_ns))
    return known[first:last], kind, key, rows[first:last]


class PacedFeed:
    """Port `Feed` over moments that are there already, handed over at `speed` times the pace of the wall's clock.

    `speed` 0 hands over as fast as they are taken.
    """

    def __init__(
        self, source: Iterator[Moment], begin_ns: int, speed: float, wall: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._source, self._speed, self._wall = source, speed, wall
        self._begin_ns, self._began = begin_ns, wall()
        self._last_ns = begin_ns
        self._next = next(source, None)

    def now_ns(self) -> int:
        """What the feed's clock shows: never more than the next thing it has to say, never less than the last."""
        if self._speed <= 0:
            return self._last_ns
        ran = self._ran_ns()
        return max(self._last_ns, ran if self._next is None else min(ran, self._next.at_ns))

    async def next(self, due_ns: int) -> Moment | None:
        """As the port says."""
        if self._next is None:
            return None
        at_ns = min(self._next.at_ns, due_ns)
        if self._speed > 0:
            wait = self._began + (at_ns - self._begin_ns) / (self._speed * 1e9) - self._wall()
            if wait > 0:
                await asyncio.sleep(wait)
        if due_ns < self._next.at_ns:
            self._last_ns = max(self._last_ns, at_ns)
            return Moment(due_ns)
        return self._hand()

    def ready(self) -> Moment | None:
        """As the port says."""
        if self._next is None or (self._speed > 0 and self._ran_ns() < self._next.at_ns):
            return None
        return self._hand()

    def _hand(self) -> Moment | None:
        taken, self._next = self._next, next(self._source, None)
        if taken is not None:
            self._last_ns = max(self._last_ns, taken.at_ns)
        return taken

    def _ran_ns(self) -> int:
        return self._begin_ns + int((self._wall() - self._began) * self._speed * 1e9)
