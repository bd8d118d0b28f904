"""Recorded or simulated sources as a feed that makes no mistake: every row handed over when it becomes known.

It is the store read as if it were live: a bar at its close + latency, a payment at its stamp + latency, a score when
its maker said so, a session and what is done to a share at their open, a document when it could have been seen. So
ingress of these deliveries gives the tape that `replay.compose` makes of the same rows. Nothing is copied: a day is
put in order at a time, and rows are views of the sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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

__all__ = ["deliveries"]


class _Series(NamedTuple):
    """Rows of one stream and when each becomes known, ascending; documents instead of rows for news."""

    kind: str
    key: str
    known_ns: np.ndarray
    rows: np.ndarray | None
    documents: tuple[Document, ...] = ()


def deliveries(sources: Sources, clock: timing.Params, window: Window) -> Iterator[Moment]:
    """(known_ns, what is delivered then) in order of time, until `window.end_ns`.

    Rows are those of the window; a session that runs when it begins and documents from before it come first, each at
    its own time. Of one moment sessions and corporate actions come first, then assets as they are numbered.
    """
    series = [one for one in _series(sources, clock, window) if len(one.known_ns)]
    if not series:
        return
    at = min(int(one.known_ns[0]) for one in series)
    places = [0] * len(series)
    while at < window.end_ns:
        until = min((at // DAY_NS + 1) * DAY_NS, window.end_ns)
        ends = [int(np.searchsorted(one.known_ns, until)) for one in series]
        known = [one.known_ns[a:b] for one, a, b in zip(series, places, ends, strict=True)]
        if any(map(len, known)):
            yield from _day(series, places, known)
        places, at = ends, until


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
            yield last, moment
            moment = []
        last = at
        one = series[k]
        if one.rows is not None:
            moment.append(Delivery(at, one.kind, one.key, one.rows[n : n + 1]))
        elif moment and moment[-1].kind == DOCUMENTS:
            moment[-1] = moment[-1]._replace(documents=(*moment[-1].documents, one.documents[n]))
        else:
            moment.append(Delivery(at, DOCUMENTS, "", None, (one.documents[n],)))
    yield last, moment


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
