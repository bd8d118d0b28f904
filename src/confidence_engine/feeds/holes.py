"""What a live run is told of stored bars (holes, silence, jumps), and which of them it would not take.

A replay lays a whole period on one tape, yet it has to be told what a run is told that lives through it, or the two
are not one machine. Where every bar follows the last there is nothing to tell, and that is seen of a whole series at
once. From the last good bar before anything else on, the very door of a live run (`ingress`) takes row after row,
until the stream is well again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from confidence_engine.domain.event import EVENT, NO_ASSET, feed_event
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.units import DAY_NS
from confidence_engine.feeds import health, timing
from confidence_engine.feeds.assemble import Piece
from confidence_engine.feeds.delivery import BARS, CORPORATE, SESSIONS, Delivery
from confidence_engine.feeds.due import KEPT_SESSIONS, NEVER
from confidence_engine.feeds.ingress import FEED_STREAM, Ingress
from confidence_engine.feeds.streams import KEPT, News

__all__ = ["Stored", "bars_heard", "news_heard"]


class Stored(NamedTuple):
    """One instrument as it is stored: BAR_ROW [n] of the window, SESSION_ROW of its calendar (None round the clock),
    CORPORATE_ROW [m], and the open [m] at which each of these is told.
    """

    instrument: Instrument
    bars: np.ndarray
    sessions: np.ndarray | None
    actions: np.ndarray
    opened_ns: np.ndarray


def bars_heard(
    stored: Stored, number: int, interval_ns: int, clock: timing.Params, params: health.Params, end_ns: int
) -> tuple[np.ndarray, np.ndarray]:
    """(bool [n]: the bars that are taken; FEED events about asset `number` until `end_ns`)."""
    count = len(stored.bars)
    taken, odd, told = np.ones(count, bool), _odd(stored, interval_ns, params), [np.zeros(0, EVENT)]
    where, at = np.flatnonzero(odd), 0
    while at < count:  # all bars before `at` are settled, and the stream is well
        k = int(np.searchsorted(where, at))
        good = (int(where[k]) if k < len(where) else count) - 1
        door = _door(stored, taken, good, Ingress([stored.instrument], interval_ns, clock, params), clock)
        at = _live(door, stored, clock, good, odd, taken, told, end_ns)
    events = np.concatenate(told)
    events = events[events["asset"] != NO_ASSET]
    events["asset"] = number
    return taken, events


def news_heard(known_ns: np.ndarray, begin_ns: int, silence_ns: int, end_ns: int) -> np.ndarray:
    """FEED events of news that is silent for `silence_ns`, 0 = never: documents known then, the first moment."""
    told = [np.zeros(0, EVENT)]
    news, now_ns = News(silence_ns), begin_ns

    def say(what: int, at_ns: int, asset: int, of: int, value: float) -> None:
        told.append(feed_event(at_ns, now_ns, what, asset, 0, value, of))

    if silence_ns:
        news.look(begin_ns, say)
        for at in np.unique(known_ns[known_ns < end_ns]).tolist():
            if news.due_ns < at:
                now_ns = news.due_ns + 1
                news.look(now_ns, say)
            now_ns = at
            news.hear(at, say)
        if news.due_ns + 1 < end_ns:
            now_ns = news.due_ns + 1
            news.look(now_ns, say)
    return np.concatenate(told)


def _door(stored: Stored, taken: np.ndarray, good: int, door: Ingress, clock: timing.Params) -> Ingress:
    """The door as it is after bar `good`, with which all was well; fresh for -1."""
    if good < 0:
        return door
    one, now_ns = stored.instrument, _known(stored, good, clock)
    if stored.sessions is not None:
        begun = stored.sessions[: np.searchsorted(stored.sessions["open_ns"], now_ns, side="right")]
        door.take([Delivery(now_ns, SESSIONS, one.calendar, begun[-KEPT_SESSIONS:])], now_ns)
    last = slice(max(good + 1 - KEPT, 0), good + 1)
    door.prime(one.key, stored.bars[last][taken[last]])
    return door


def _live(
    door: Ingress, stored: Stored, clock: timing.Params, good: int, odd: np.ndarray, taken: np.ndarray,
    told: list[np.ndarray], end_ns: int,
) -> int:  # fmt: skip
    """Take what comes after bar `good` until all is well; the number of the next bar, or how many there are."""
    now_ns = 0

    def silent(until_ns: int) -> None:
        nonlocal now_ns
        while (due := door.due()) is not None and due <= until_ns:
            now_ns = max(due, now_ns)
            told.extend(_said(door.watch(now_ns)))

    for at, _, k, said in _coming(stored, clock, good):
        silent(at)
        now_ns = max(at, now_ns)
        pieces = door.take([said], now_ns)
        told.extend(_said(pieces))
        if k >= 0:
            taken[k] = any(piece.stream.startswith(f"{BARS}:") for piece in pieces)
            if taken[k] and k + 1 < len(taken) and not odd[k + 1] and door.well(stored.instrument.key):
                return k + 1
    silent(end_ns - 1)
    return len(taken)


def _said(pieces: list[Piece]) -> list[np.ndarray]:
    return [one.events for one in pieces if one.stream == FEED_STREAM]


def _known(stored: Stored, k: int, clock: timing.Params) -> int:
    return int(stored.bars["close_ns"][k]) + clock.bar_latency_ns


def _coming(stored: Stored, clock: timing.Params, good: int) -> Iterator[tuple[int, int, int, Delivery]]:
    """(known at, rank at one time, number of the bar or -1, what is said) of all behind bar `good`, as it comes."""
    one, since = stored.instrument, _known(stored, good, clock) if good >= 0 else -1

    def sessions(rows: np.ndarray) -> Iterator[tuple[int, int, int, Delivery]]:
        for k in range(int(np.searchsorted(rows["open_ns"], since, side="right")), len(rows)):
            at = int(rows["open_ns"][k])
            yield at, 0, -1, Delivery(at, SESSIONS, one.calendar, rows[k : k + 1])

    def actions() -> Iterator[tuple[int, int, int, Delivery]]:
        for k in np.argsort(stored.opened_ns, kind="stable").tolist():
            if (at := int(stored.opened_ns[k])) > since:
                yield at, 1, -1, Delivery(at, CORPORATE, one.key, stored.actions[k : k + 1])

    def bars() -> Iterator[tuple[int, int, int, Delivery]]:
        for k in range(good + 1, len(stored.bars)):
            at = _known(stored, k, clock)
            yield at, 2, k, Delivery(at, BARS, one.key, stored.bars[k : k + 1])

    begun = iter(()) if stored.sessions is None else sessions(stored.sessions)
    yield from heapq.merge(begun, actions(), bars(), key=lambda said: said[:2])


def _odd(stored: Stored, interval_ns: int, params: health.Params) -> np.ndarray:
    """Bool [n]: whether a bar is anything but the next one that is due, of a sane price, with nothing done between."""
    rows, one = stored.bars, stored.instrument
    opened, closed = rows["open_ns"], rows["close_ns"]
    odd = np.zeros(len(rows), bool)
    if interval_ns < DAY_NS:
        odd |= (closed - opened != interval_ns) | (opened % interval_ns != 0)
    odd[1:] |= opened[1:] < closed[:-1]
    if stored.sessions is not None:
        odd[1:] |= closed[1:] != _next_closes(stored.sessions, closed[:-1], interval_ns)
    elif one.klass == "crypto":
        odd[1:] |= closed[1:] != closed[:-1] + interval_ns
    if params.spike > 1.0:
        price = rows["c"][:-1]
        near = (price <= rows["l"][1:] * params.spike) & (rows["h"][1:] <= price * params.spike)
        odd[1:] |= ~near
    first = np.searchsorted(closed, stored.opened_ns, side="right")
    odd[first[first < len(rows)]] = True
    return odd


def _next_closes(sessions: np.ndarray, closed: np.ndarray, interval_ns: int) -> np.ndarray:
    """When the bar after each is over, as `due.Hours.next_close` says it of all sessions; NEVER where none is left."""
    opens, ends = np.append(sessions["open_ns"], NEVER // 2), np.append(sessions["close_ns"], NEVER // 2)
    j = np.searchsorted(ends[:-1], closed, side="right")
    if interval_ns >= DAY_NS:
        return ends[j]
    over = -(-np.maximum(opens[j], closed) // interval_ns) * interval_ns + interval_ns
    following = np.minimum(j + 1, len(opens) - 1)
    later = -(-opens[following] // interval_ns) * interval_ns + interval_ns
    return np.where(over <= ends[j], over, np.where(later <= ends[following], later, NEVER))
