"""From what a feed hands over to the events a step takes: one moment after another, nothing looked at before its time.

Of a feed without faults it makes the very tape that `replay.compose` makes of the store. What it remembers can be
kept and taken up by another process, so that a restart goes on with the same stories, streams and timers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.command import COMMAND_CODES
from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.event import BACKFILL, EVENT, NAN, SCORE, SYNTHETIC, command_event, signal_events
from confidence_engine.domain.instrument import Instrument, calendars_of
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.replay import told_about
from confidence_engine.feeds.assemble import (
    Piece,
    Window,
    bar_piece,
    corporate_piece,
    funding_piece,
    score_piece,
    session_piece,
)
from confidence_engine.feeds.delivery import BARS, CORPORATE, FUNDING, SCORES, Delivery, Moment
from confidence_engine.feeds.merge import merge
from confidence_engine.feeds.ticker import Ticker
from confidence_engine.text.reading import Listener, Readings

__all__ = ["Intake", "Taken"]

_EVER: Final = Window(-(1 << 62), 0, 1 << 62)
_MOST_STREAMS: Final = 65_535


class Taken(NamedTuple):
    """What a moment came to: EVENT [n] in order, the first of them that is of the moment itself and not a timer that
    fired before, streams that were never heard before as (id, name), and what was read.
    """

    events: np.ndarray
    first: int
    streams: list[tuple[int, str]]
    read: Readings | None


class Intake:
    """Turns moments into events for one agent. `window.load_ns` begins, `window.start_ns` is when decisions begin."""

    def __init__(
        self, config: Config, instruments: tuple[Instrument, ...], reader: Reader, window: Window,
        sessions: Mapping[str, np.ndarray], synthetic: bool,
    ) -> None:  # fmt: skip
        self._config, self._instruments, self._start_ns = config, instruments, window.start_ns
        self._number = {one.key: k for k, one in enumerate(instruments)}
        self._calendar = {name: k for k, name in enumerate(calendars_of(instruments), 1)}
        self._sessions = sessions
        self._marks = np.uint16(SYNTHETIC if synthetic else 0)
        ids = {name: k for k, name in enumerate(told_about(instruments, config.universe.underlyings))}
        self._told = np.array([ids.get(one.name, -1) for one in config.universe.underlyings], np.int64)
        symbols = {one.symbol: one.underlying for one in config.universe.instruments}
        text = config.universe.underlyings, reader, config.text, config.timing.news_lag_ns, symbols
        self._listener = Listener(*text)
        all_day = any(not one.calendar for one in instruments)
        kept = () if all_day else tuple(sessions[name] for name in self._calendar)
        self._ticker = Ticker(
            config.timing, window.load_ns, window.start_ns, kept, config.agent.interval_ns >= DAY_NS
        )  # fmt: skip
        self._streams: dict[str, int] = {}
        self.now_ns = -1

    @property
    def due_ns(self) -> int:
        """When something happens without anything being said."""
        return self._ticker.due_ns

    @property
    def streams(self) -> list[str]:
        """Names of the streams by their ids."""
        return list(self._streams)

    def take(self, moment: Moment) -> Taken:
        """The events of a moment and of the time that passed before it. The clock never goes back."""
        now = max(moment.at_ns, self.now_ns)
        before = self._ticker.until(now - 1)
        pieces = [self._piece(one, now) for one in moment.said if one.rows is not None]
        documents = [document for one in moment.said for document in one.documents]
        read = self._listener.hear(documents, now) if documents else None
        if read is not None:
            pieces += self._signals(read)
        here, streams = self._numbered(pieces, now)
        if any(_is_evidence(piece) for piece in pieces):
            self._ticker.hear(now)
        told = [command_event(now, COMMAND_CODES[one.command], NAN if one.value is None else one.value) for one in
                moment.commands]  # fmt: skip
        events = np.concatenate([before, here, *told, self._ticker.until(now)])
        events["marks"] |= self._marks
        events["marks"][events["ts_known"] < self._start_ns] |= np.uint16(BACKFILL)
        self.now_ns = now
        return Taken(events, len(before), streams, read)

    def memory(self) -> dict[str, Any]:
        """All that later events depend on, as msgspec can say it."""
        return {
            "now_ns": self.now_ns, "streams": self.streams, "ticker": self._ticker.memory(),
            "listener": self._listener.memory(),
        }  # fmt: skip

    def remember(self, memory: dict[str, Any]) -> None:
        """Go on from what another intake of the same agent remembered."""
        self.now_ns = memory["now_ns"]
        self._streams = {name: k for k, name in enumerate(memory["streams"])}
        self._ticker.remember(memory["ticker"])
        self._listener.remember(memory["listener"])

    def _piece(self, one: Delivery, now_ns: int) -> Piece:
        """Events of one delivery, known now."""
        rows, config = one.rows, self._config
        assert rows is not None
        if one.kind not in (BARS, FUNDING, SCORES, CORPORATE):
            return session_piece(rows, one.key, self._calendar[one.key], _EVER)
        k = self._number[one.key]
        venue = self._instruments[k].venue
        if one.kind == BARS:
            piece = bar_piece(rows, k, venue, config.agent.interval_ns, config.timing.bar_latency_ns, _EVER)
        elif one.kind == FUNDING:
            piece = funding_piece(rows, k, venue, config.timing.funding_latency_ns, _EVER)
        elif one.kind == SCORES:
            piece = score_piece(rows, k, venue, _EVER)
        else:
            piece = corporate_piece(rows, k, venue, self._sessions[self._instruments[k].calendar], _EVER)
        piece.events["ts_known"] = now_ns
        return piece

    def _signals(self, read: Readings) -> Iterator[Piece]:
        """SIGNAL events about what is traded, a piece for each publisher."""
        columns: Any = read.signal_columns()
        happened, known, underlying, publisher, reading = columns
        events = signal_events(happened, known, np.zeros(len(known), np.uint16), publisher, reading)
        traded = self._told[underlying] if len(known) else np.zeros(0, np.int64)
        events["asset"] = np.maximum(traded, 0)
        events = events[traded >= 0]
        for k in np.unique(events["source"]).tolist():
            yield Piece(f"news:{read.publishers[k]}", events[events["source"] == k])

    def _numbered(self, pieces: list[Piece], now_ns: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """The events of the pieces in the one order, with their streams' ids; the streams that are new."""
        heard = {piece.stream for piece in pieces if len(piece.events)}
        new = sorted(heard - self._streams.keys())
        if len(self._streams) + len(new) > _MOST_STREAMS:
            raise DataRefused(f"more than {_MOST_STREAMS} streams at {now_ns}")
        streams = [(len(self._streams) + k, name) for k, name in enumerate(new)]
        self._streams |= {name: k for k, name in streams}
        for piece in pieces:
            if len(piece.events):
                piece.events["source"] = self._streams[piece.stream]
        parts = [piece.events for piece in pieces if len(piece.events)]
        return (merge(parts) if parts else np.zeros(0, EVENT)), streams


def _is_evidence(piece: Piece) -> bool:
    return len(piece.events) > 0 and (piece.stream.startswith("news:") or piece.events["kind"][0] == SCORE)


def encoded(memory: dict[str, Any]) -> bytes:
    """A memory as bytes, the same for the same memory."""
    return msgspec.msgpack.encode(memory, order="deterministic")


def decoded(data: bytes) -> dict[str, Any]:
    """The memory that `encoded` made bytes of."""
    found: dict[str, Any] = msgspec.msgpack.decode(data)
    return found
