"""The tape of a run: stored rows become events, timers are set among them, all in the one order.

Judging happens at timers only: on a grid, a settle delay after it, and once a coalescing delay after evidence
(what arrives before that timer fires shares it). Markets with sessions are judged in them; where a bar is a whole
session, after its close. Timers look back, never forward. Stream ids are given
in the order in which streams are first heard, so what comes later renumbers nothing that came before.
Events known before the decided period bear the mark BACKFILL: they teach, and nothing is decided on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from confidence_engine.domain import event as ev
from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.units import format_interval
from confidence_engine.feeds import timing
from confidence_engine.feeds.merge import merge, validate

__all__ = [
    "Piece", "Streams", "Tape", "Window", "assemble", "bar_piece", "corporate_piece", "cut", "funding_piece",
    "opened_at", "score_piece", "session_piece", "timers",
]  # fmt: skip

_MAX_STREAMS = 65_535


class Window(NamedTuple):
    """ns, UTC: events are loaded from `load`, decided from `start`, and end before `end`."""

    load_ns: int
    start_ns: int
    end_ns: int


class Piece(NamedTuple):
    """Events of one stream, their source still to be numbered; `stream` is its name for ever."""

    stream: str
    events: np.ndarray


class Streams(NamedTuple):
    """The registry: the position of a name is the stream's id."""

    names: tuple[str, ...]

    def id_of(self, name: str) -> int:
        """Id of a stream. Raises DataRefused for one that was never heard."""
        if name not in self.names:
            raise DataRefused(f"stream {name!r} is not among the {len(self.names)} of this run")
        return self.names.index(name)


class Tape(NamedTuple):
    """EVENT [n] in the total order, the streams behind the ids, and how many repeated records were dropped."""

    events: np.ndarray
    streams: Streams
    repeated: int


def bar_piece(
    rows: np.ndarray, asset: int, venue: str, interval_ns: int, latency_ns: int, window: Window, marks: int = 0
) -> Piece:
    """BAR events of the window from BAR_ROW rows; a bar is known at its close + latency."""
    rows = cut(rows, "close_ns", latency_ns, window)
    ohlcv = tuple(rows[name] for name in "ohlcv")
    close = rows["close_ns"]
    events = ev.bar_events(close, close + latency_ns, asset, 0, ohlcv, marks)
    return Piece(f"bars:{venue}:{format_interval(interval_ns)}", events)


def funding_piece(rows: np.ndarray, asset: int, venue: str, latency_ns: int, window: Window, marks: int = 0) -> Piece:
    """FUNDING events of the window from FUNDING_ROW rows; known at the stamp + latency."""
    rows = cut(rows, "ts_ns", latency_ns, window)
    at = rows["ts_ns"]
    return Piece(f"funding:{venue}", ev.funding_events(at, at + latency_ns, asset, 0, rows["rate"], marks))


def score_piece(rows: np.ndarray, asset: int, venue: str, window: Window, marks: int = 0) -> Piece:
    """SCORE events of the window from SCORE_ROW rows; known when their maker says so."""
    rows = cut(rows, "known_ns", 0, window)
    assets = np.full(len(rows), asset, np.uint16)
    horizon = rows["horizon_ns"].astype(np.float64)
    events = ev.score_events(rows["known_ns"], assets, 0, rows["mean"], rows["std"], horizon, marks)
    return Piece(f"scores:{venue or 'any'}", events)


def session_piece(rows: np.ndarray, name: str, number: int, window: Window) -> Piece:
    """SESSION events of calendar `name` from SESSION_ROW rows, that of the session that runs at the load with them."""
    rows = rows[(rows["close_ns"] > window.load_ns) & (rows["open_ns"] < window.end_ns)]
    events = ev.session_events(rows["open_ns"], rows["close_ns"], rows["offset_ns"], rows["span_ns"], number)
    return Piece(f"sessions:{name}", events)


def corporate_piece(rows: np.ndarray, asset: int, venue: str, sessions: np.ndarray, window: Window) -> Piece:
    """CORPORATE events from CORPORATE_ROW rows, at the open of the first session of or after the ex-date."""
    rows, opened = opened_at(rows, sessions)
    inside = (opened >= window.load_ns) & (opened < window.end_ns)
    events = ev.corporate_events(opened[inside], asset, 0, rows["what"][inside], rows["value"][inside])
    return Piece(f"corporate:{venue}", events)


def opened_at(rows: np.ndarray, sessions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CORPORATE_ROW whose session is known, and its open: the first of or after the ex-date."""
    at = np.searchsorted(sessions["close_ns"], rows["ex_ns"], side="right")
    known = at < len(sessions)
    return rows[known], sessions["open_ns"][at[known]]


def cut(rows: np.ndarray, column: str, latency_ns: int, window: Window) -> np.ndarray:
    """The rows of the window, by a column of times and how much later each is known."""
    first, last = np.searchsorted(rows[column], (window.load_ns - latency_ns, window.end_ns - latency_ns))
    return rows[first:last]


def timers(
    events: np.ndarray,
    start_ns: int,
    end_ns: int,
    grid_ns: int,
    settle_ns: int,
    coalesce_ns: int,
    backfill_before_ns: int,
    sessions: Sequence[np.ndarray] = (),
    whole: bool = False,
) -> np.ndarray:
    """TIMER events in [start, end) by time: the grid at k * grid + settle, and one after each burst of evidence.

    `sessions` (SESSION_ROW, one a calendar, where no asset trades round the clock) keep the grid to their hours. Where
    a bar is a `whole` session the grid is the closes, and evidence that comes while all are open waits for them.
    """
    if grid_ns <= 0:
        raise DataRefused("the decision grid needs an interval above zero")
    first = -((settle_ns - start_ns) // grid_ns)
    grid = np.arange(first * grid_ns + settle_ns, end_ns, grid_ns, dtype=np.int64)
    evidence = np.sort(events["ts_known"][np.isin(events["kind"], (ev.SIGNAL, ev.SCORE))])
    if sessions and whole:
        grid = np.unique(np.concatenate([one["close_ns"] for one in sessions])) + settle_ns
        grid = grid[(grid >= start_ns) & (grid < end_ns)]
        evidence = evidence[~np.logical_and.reduce([_within(one, evidence, 0) for one in sessions])]
    elif sessions:
        grid = grid[np.logical_or.reduce([_within(one, grid - settle_ns, 1) for one in sessions])]
    after = _coalesced(evidence, coalesce_ns)
    after = np.setdiff1d(after[(after >= start_ns) & (after < end_ns)], grid)
    both = np.concatenate([ev.timer_events(grid, True), ev.timer_events(after, False)])
    both = both[np.argsort(both["ts_known"], kind="stable")]
    both["marks"][both["ts_known"] < backfill_before_ns] |= ev.BACKFILL
    return both


def _within(sessions: np.ndarray, at_ns: np.ndarray, after: int) -> np.ndarray:
    """Whether each time lies in [open + after, close + after), ns."""
    k = np.searchsorted(sessions["open_ns"], at_ns - after, side="right") - 1
    inside: np.ndarray = (k >= 0) & (at_ns - after < sessions["close_ns"][np.maximum(k, 0)])
    return inside


def _coalesced(evidence: np.ndarray, coalesce_ns: int) -> np.ndarray:
    """Firing times: the first evidence after the last firing, plus the delay. What comes at the very time shares it."""
    following = np.searchsorted(evidence, evidence + coalesce_ns, side="right").tolist()
    fired = []
    at = 0
    while at < len(following):
        fired.append(at)
        at = following[at]
    return evidence[fired] + coalesce_ns if fired else np.zeros(0, np.int64)


def assemble(
    pieces: Sequence[Piece],
    signals: np.ndarray,
    publishers: Sequence[str],
    window: Window,
    clock: timing.Params,
    assets: int = ev.NO_ASSET,
    underlyings: int = ev.NO_ASSET,
    marks: int = 0,
    sessions: Sequence[np.ndarray] = (),
    whole: bool = False,
) -> Tape:
    """The validated tape of a window; `sessions` and `whole` as in `timers`.

    `signals` are SIGNAL events whose source is an index into `publishers`; `marks` (SYNTHETIC) go on every
    event; the pieces' own arrays get their source numbers written in. Raises DataRefused.
    """
    heard = signals[(signals["ts_known"] >= window.load_ns) & (signals["ts_known"] < window.end_ns)]
    told = [Piece(f"news:{publishers[i]}", heard[heard["source"] == i]) for i in np.unique(heard["source"]).tolist()]
    everything = [piece for piece in (*pieces, *told) if len(piece.events)]
    streams = _registry(everything)
    parts = []
    for piece in everything:
        part = piece.events.copy() if not piece.events.flags.owndata else piece.events
        part["source"] = streams.id_of(piece.stream)
        parts.append(part)
    evidence = [part for part in parts if part["kind"][0] in (ev.SIGNAL, ev.SCORE)]
    ticks = timers(
        np.concatenate(evidence) if evidence else np.zeros(0, ev.EVENT),
        window.load_ns, window.end_ns, clock.grid_ns, clock.settle_ns, clock.coalesce_ns, window.start_ns,
        sessions, whole,
    )  # fmt: skip
    total = sum(map(len, parts)) + len(ticks)
    events = merge([*parts, ticks])
    events["marks"] |= np.uint16(marks)
    events["marks"][: np.searchsorted(events["ts_known"], window.start_ns)] |= np.uint16(ev.BACKFILL)
    validate(events, assets, underlyings)
    return Tape(events, streams, total - len(events))


def _registry(pieces: Sequence[Piece]) -> Streams:
    """Streams by the time they are first heard, then by name."""
    first: dict[str, int] = {}
    for piece in pieces:
        at = int(piece.events["ts_known"].min())
        first[piece.stream] = min(at, first.get(piece.stream, at))
    if len(first) > _MAX_STREAMS:
        raise DataRefused(f"{len(first)} streams; there is room for {_MAX_STREAMS}")
    return Streams(tuple(sorted(first, key=lambda name: (first[name], name))))
