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
from confidence_engine.domain.event import BACKFILL, NAN, SCORE, SIGNAL, SYNTHETIC, command_event, signal_events
from confidence_engine.domain.instrument import Instrument, calendars_of
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS, format_time
from confidence_engine.drivers.replay import told_about
from confidence_engine.feeds.assemble import Piece, Window
from confidence_engine.feeds.delivery import Moment
from confidence_engine.feeds.ingress import Ingress
from confidence_engine.feeds.merge import merge
from confidence_engine.feeds.ticker import Ticker
from confidence_engine.text.reading import Listener, Readings

__all__ = ["Intake", "Taken", "decoded", "encoded"]

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
        self._start_ns = window.start_ns
        self._marks = np.uint16(SYNTHETIC if synthetic else 0)
        ids = {name: k for k, name in enumerate(told_about(instruments, config.universe.underlyings))}
        self._told = np.array([ids.get(one.name, -1) for one in config.universe.underlyings], np.int64)
        symbols = {one.symbol: one.underlying for one in config.universe.instruments}
        text = config.universe.underlyings, reader, config.text, config.timing.news_lag_ns, symbols
        self._listener = Listener(*text)
        interval_ns = config.agent.interval_ns
        self._ingress = Ingress(instruments, interval_ns, config.timing, config.health)
        all_day = any(not one.calendar for one in instruments)
        kept = () if all_day else tuple(sessions[name] for name in calendars_of(instruments))
        self._ticker = Ticker(config.timing, window.load_ns, window.start_ns, kept, interval_ns >= DAY_NS)
        self._streams: dict[str, int] = {}
        self.now_ns = -1
        self.at_ns = -1
        """When the last thing was said, by the clock that nobody can set: a feed goes on behind it."""

    @property
    def due_ns(self) -> int:
        """When something happens without anything being said."""
        silent = self._ingress.due()
        return self._ticker.due_ns if silent is None else min(self._ticker.due_ns, max(silent, self.now_ns))

    @property
    def streams(self) -> list[str]:
        """Names of the streams by their ids."""
        return list(self._streams)

    def take(self, moment: Moment) -> Taken:
        """The events of a moment and of the time that passed before it. The time known never goes back."""
        now = max(moment.said[-1].at_ns if moment.said else moment.at_ns, self.now_ns)
        pieces = self._silences(now)
        if moment.said:
            self.at_ns = max(self.at_ns, moment.at_ns)
            pieces += self._ingress.take(moment.said, now, moment.at_ns)
            now = max(now, *(max(one.events["ts_known"].tolist(), default=now) for one in pieces)) if pieces else now
        documents = [document for one in moment.said for document in one.documents]
        read = self._listener.hear(documents, now) if documents else None
        if read is not None:
            pieces += self._signals(read)
        parts, streams = self._numbered(pieces, now)
        before = self._ticker.until(now - 1)
        if any(_is_evidence(piece) for piece in pieces):
            self._ticker.hear(now)
        told = [command_event(now, COMMAND_CODES[one.command], NAN if one.value is None else one.value) for one in
                moment.commands]  # fmt: skip
        events = merge([before, *parts, *told, self._ticker.until(now)])
        events["marks"] |= self._marks
        self.now_ns = now
        earliest = int(events["ts_known"][0]) if len(events) else now
        if earliest < self._start_ns:
            events["marks"][events["ts_known"] < self._start_ns] |= np.uint16(BACKFILL)
        return Taken(events, int(np.searchsorted(events["ts_known"], now)) if earliest < now else 0, streams, read)

    def numbered(self, piece: Piece) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """The events of a piece with its stream's id; the stream as (id, name) where it is new."""
        parts, streams = self._numbered([piece], self.now_ns)
        return (parts[0] if parts else piece.events), streams

    def prime(self, key: str, rows: np.ndarray) -> None:
        """Bars of an asset that are known from elsewhere."""
        self._ingress.prime(key, rows)

    def memory(self) -> dict[str, Any]:
        """All that later events depend on, as msgspec can say it."""
        return {
            "now_ns": self.now_ns, "at_ns": self.at_ns, "streams": self.streams, "ticker": self._ticker.memory(),
            "listener": self._listener.memory(), "ingress": self._ingress.state(),
        }  # fmt: skip

    def remember(self, memory: dict[str, Any]) -> None:
        """Go on from what another intake of the same agent remembered."""
        self.now_ns, self.at_ns = memory["now_ns"], memory["at_ns"]
        self._streams = {name: k for k, name in enumerate(memory["streams"])}
        self._ticker.remember(memory["ticker"])
        self._listener.remember(memory["listener"])
        self._ingress.restore(memory["ingress"])

    def _silences(self, now_ns: int) -> list[Piece]:
        """What did not come in the time that passed, each told when it was missed."""
        pieces: list[Piece] = []
        at = self.now_ns
        while (due := self._ingress.due()) is not None and due <= now_ns:
            at = max(due, at)
            pieces += self._ingress.watch(at)
        return pieces

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

    def _numbered(self, pieces: list[Piece], now_ns: int) -> tuple[list[np.ndarray], list[tuple[int, str]]]:
        """The events of the pieces with their streams' ids; the streams that are new, in the order of their names."""
        kept = [piece for piece in pieces if len(piece.events)]
        new = sorted({piece.stream for piece in kept} - self._streams.keys())
        if len(self._streams) + len(new) > _MOST_STREAMS:
            raise DataRefused(f"more than {_MOST_STREAMS} streams at {format_time(now_ns)}")
        streams = [(len(self._streams) + k, name) for k, name in enumerate(new)]
        self._streams |= {name: k for k, name in streams}
        for piece in kept:
            piece.events["source"] = self._streams[piece.stream]
        return [piece.events for piece in kept], streams


def _is_evidence(piece: Piece) -> bool:
    return len(piece.events) > 0 and (piece.events["kind"][0] in (SIGNAL, SCORE))


def encoded(memory: dict[str, Any]) -> bytes:
    """A memory as bytes, the same for the same memory."""
    return msgspec.msgpack.encode(memory, order="deterministic")


def decoded(data: bytes) -> dict[str, Any]:
    """The memory that `encoded` made bytes of."""
    found: dict[str, Any] = msgspec.msgpack.decode(data)
    return found
