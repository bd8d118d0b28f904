"""What came becomes events, and what is wrong with it becomes events too.

Rows in order enter as `feeds.assemble` would have put them on a tape, known when they came: on a feed without faults
the bytes are the same. The same row again is a DUPLICATE, the same stamp with other numbers REVISED (what was decided
was decided on the first), one older than the newest LATE, one that cannot be UNSOUND: all dropped and said. A hole
makes a GAP beside the bar after it; bars that come late but in order are taken as BACKFILL and DEGRADED: they teach,
and the venue matches what worked then. What is due and does not come is STALE. There is no clock in here: the caller
says when it is, and what a clock that nobody can set shows, where it has one.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np

from confidence_engine.domain import event as ev
from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.instrument import Instrument, calendars_of
from confidence_engine.domain.units import format_interval
from confidence_engine.feeds import health, timing
from confidence_engine.feeds.assemble import Piece
from confidence_engine.feeds.delivery import BARS, CORPORATE, DOCUMENTS, FUNDING, KINDS, SCORES, SESSIONS, Delivery
from confidence_engine.feeds.due import NEVER, Hours
from confidence_engine.feeds.streams import Bars, Clock, News, Row, Rows, Sessions

__all__ = ["FEED_STREAM", "Ingress"]

FEED_STREAM: Final = "feed:ingress"
"""The stream of every FEED event; which feed is meant its asset and kind say."""

_STAMP: Final = {BARS: 1, FUNDING: 0, SCORES: 0, SESSIONS: 0}
"""Place of the number before which a row cannot be known."""

_FIRST: Final = (SESSIONS, CORPORATE)
"""What has to be known of a moment before its prices are."""

_Taken = dict[str, list[tuple[int, int, Row]]]
"""Stream -> (asset or calendar, marks or time, row)."""


class Ingress:
    """The one door for what feeds deliver about the instruments of a run, one moment after the other."""

    def __init__(
        self, instruments: Sequence[Instrument], interval_ns: int, clock: timing.Params, params: health.Params,
        adjusted: Collection[str] = (),
    ) -> None:  # fmt: skip
        """`instruments` in the order of their ids; `adjusted` keys whose prices are adjusted."""
        self._instruments, self._interval = tuple(instruments), format_interval(interval_ns)
        self._marks = [ev.ADJUSTED if one.key in adjusted else 0 for one in instruments]
        self._number = {one.key: k for k, one in enumerate(instruments)}
        self._calendars = {name: Sessions(k) for k, name in enumerate(calendars_of(instruments), 1)}
        grace_ns = clock.bar_latency_ns + round(params.patience * interval_ns) if params.patience > 0.0 else NEVER
        self._bars, self._funding, self._scores = [], [], []
        for k, one in enumerate(instruments):
            kept = self._calendars[one.calendar].hours if one.calendar else None
            hours = Hours(interval_ns, kept, bool(one.calendar) or one.klass == "crypto")
            self._bars.append(Bars(k, hours, grace_ns, params))
            self._funding.append(Rows(k, ev.FUNDING, health.funding_fault, 1))
            self._scores.append(Rows(k, ev.SCORE, health.score_fault, 2))
        self._actions: list[list[Row]] = [[] for _ in instruments]  # every corporate action heard of, few
        self._waiting: list[tuple[int, Row]] = []  # those whose session has not begun
        self._news = News(params.news_silence_ns)
        self._clock = Clock(params.clock_step_ns, params.clock_settle_ns)
        self._step_ns = params.clock_step_ns
        self._due: list[tuple[int, int]] = []  # (when a bar stream becomes stale, its asset), a heap
        self._said: list[np.ndarray] = []
        self._now_ns = 0

    def take(self, deliveries: Sequence[Delivery], known_ns: int, steady_ns: int | None = None) -> list[Piece]:
        """Events of what came at one moment, known then, a piece a stream; the order of assets does not matter.

        `known_ns` is max(ingress clock, last known); `steady_ns` a clock that nobody can set, any origin. What is over
        up to `clock_step` after `known_ns` lifts the moment to its end: take the largest ts_known for the last known.
        Raises DataRefused for an instrument, calendar or kind that is not of this run.
        """
        rows = self._rows(deliveries)
        self._now_ns = self._lifted(rows, known_ns)
        at_ns = deliveries[-1].at_ns if deliveries else self._now_ns
        self._look(at_ns, steady_ns)
        taken: _Taken = {}
        first = sum(kind in _FIRST for kind, _, _ in rows)
        for kind, number, row in rows[:first]:
            self._enter(kind, number, row, taken)
        self._ripen(taken)
        for kind, number, row in rows[first:]:
            self._enter(kind, number, row, taken)
        if any(one.kind == DOCUMENTS for one in deliveries):
            self._news.hear(self._now_ns, self._say)
        return [*(self._piece(stream, taken[stream]) for stream in sorted(taken)), *self._told()]

    def watch(self, known_ns: int, at_ns: int | None = None, steady_ns: int | None = None) -> list[Piece]:
        """What is wrong at a moment at which nothing came: a piece of FEED events, or none; `at_ns` = ingress clock."""
        self._now_ns = known_ns
        self._look(at_ns, steady_ns)
        taken: _Taken = {}
        self._ripen(taken)
        return [*(self._piece(stream, taken[stream]) for stream in sorted(taken)), *self._told()]

    def due(self) -> int | None:
        """The earliest known time at which `watch` finds something stale if nothing comes; None for never."""
        at = min(self._soonest(), self._news.due_ns)
        return None if at == NEVER else at + 1

    def prime(self, key: str, rows: np.ndarray) -> None:
        """Remember bars (BAR_ROW [n], ascending) that the run knows from elsewhere, as its warm-up; no events."""
        bars = self._bars[self._of(self._number, key)]
        bars.remember(rows[-64:].tolist())
        self._expects(bars)

    def well(self, key: str) -> bool:
        """Whether nothing is wrong with the bars of an asset."""
        bars = self._bars[self._of(self._number, key)]
        return bars.since_ns == 0 and bars.odd == 0.0

    def state(self) -> dict[str, Any]:
        """The whole memory as plain JSON: `restored` of it goes on with the same events."""
        keys = [one.key for one in self._instruments]
        return {
            "bars": {key: one.state() for key, one in zip(keys, self._bars, strict=True)},
            "funding": {key: one.state() for key, one in zip(keys, self._funding, strict=True)},
            "scores": {key: one.state() for key, one in zip(keys, self._scores, strict=True)},
            "actions": {key: [list(row) for row in one] for key, one in zip(keys, self._actions, strict=True) if one},
            "waiting": [[keys[number], list(row)] for number, row in self._waiting],
            "sessions": {name: one.state() for name, one in self._calendars.items()},
            "news": self._news.state(), "clock": self._clock.state(), "now_ns": self._now_ns,
        }  # fmt: skip

    def restore(self, told: dict[str, Any]) -> None:
        """Put the memory of `state` in place of this one's; what is of instruments that are not here is left out."""
        for name, one in self._calendars.items():
            one.restore(told["sessions"].get(name, []))
        for key, number in self._number.items():
            for what, place in (("bars", self._bars), ("funding", self._funding), ("scores", self._scores)):
                if key in told[what]:
                    place[number].restore(told[what][key])  # type: ignore[attr-defined]
            self._actions[number] = [tuple(row) for row in told["actions"].get(key, [])]
        self._waiting = [(self._number[key], tuple(row)) for key, row in told["waiting"] if key in self._number]
        self._news.restore(told["news"])
        self._clock.restore(told["clock"])
        self._now_ns = told["now_ns"]
        self._due = []
        for bars in self._bars:
            self._expects(bars)

    def _expects(self, bars: Bars) -> None:
        """A bar stream may have become due at another time."""
        if bars.due_ns != NEVER:
            heapq.heappush(self._due, (bars.due_ns, bars.asset))

    def _soonest(self) -> int:
        """When the first bar stream becomes stale; what is no longer so is taken off."""
        due = self._due
        while due and self._bars[due[0][1]].due_ns != due[0][0]:
            heapq.heappop(due)
        return due[0][0] if due else NEVER

    def _rows(self, deliveries: Sequence[Delivery]) -> list[tuple[str, int, Row]]:
        """(kind, asset or calendar, row): sessions first, each kind by asset and stamp, and then as they came."""
        rows: list[tuple[int, int, Any, str, Row]] = []
        for one in deliveries:
            if one.kind not in KINDS:
                raise DataRefused(f"a feed delivered {one.kind!r}; known: {', '.join(KINDS)}")
            if one.rows is None:
                continue
            if one.kind == SESSIONS:
                calendar = one.key if one.key in self._calendars else ""
                number = self._calendars[calendar].number if calendar else self._of({}, one.key)
            else:
                number = self._of(self._number, one.key)
            rank = _FIRST.index(one.kind) if one.kind in _FIRST else len(KINDS) + KINDS.index(one.kind)
            rows += [(rank, number, row[0], one.kind, row) for row in one.rows.tolist()]
        if len(rows) > 1:
            rows.sort(key=lambda row: row[:3])
        return [(kind, number, row) for _, number, _, kind, row in rows]

    @staticmethod
    def _of(numbers: dict[str, int], key: str) -> int:
        if key not in numbers:
            raise DataRefused(f"a feed delivered {key!r}, which is not of this run")
        return numbers[key]

    def _lifted(self, rows: list[tuple[str, int, Row]], known_ns: int) -> int:
        """The moment itself, or the end of what is over a little later by a clock that may be out a little."""
        now_ns = known_ns
        for kind, _, row in rows:
            place = _STAMP.get(kind)
            if place is not None and now_ns < row[place] <= known_ns + self._step_ns:
                now_ns = row[place]
        return now_ns

    def _say(self, what: int, at_ns: int, asset: int, of: int, value: float) -> None:
        self._said.append(ev.feed_event(at_ns, self._now_ns, what, asset, 0, value, of))

    def _told(self) -> list[Piece]:
        """What was said since the last time, as a piece."""
        said, self._said = self._said, []
        return [Piece(FEED_STREAM, np.concatenate(said))] if said else []

    def _look(self, at_ns: int | None, steady_ns: int | None) -> None:
        """The clock, silence, and bars that are overdue."""
        now_ns = self._now_ns
        if at_ns is not None:
            self._clock.look(at_ns, steady_ns, now_ns, self._say)
        self._news.look(now_ns, self._say)
        if now_ns > self._soonest():
            for one in self._bars:
                one.look(now_ns, self._say)  # what is overdue is stale now, and due no more

    def _enter(self, kind: str, number: int, row: Row, taken: _Taken) -> None:
        """One row, taken into `taken` or dropped and said."""
        now_ns = self._now_ns
        if kind == SESSIONS:
            name = list(self._calendars)[number - 1]
            if self._calendars[name].take(row, now_ns, self._say):
                taken.setdefault(f"sessions:{name}", []).append((number, 0, row))
                self._expect(name)
            return
        venue = self._instruments[number].venue
        if kind == BARS:
            marks = self._bars[number].take(row, now_ns, self._say)
            if marks is not None:
                stream = f"bars:{venue}:{self._interval}"
                taken.setdefault(stream, []).append((number, marks | self._marks[number], row))
                self._expects(self._bars[number])
        elif kind == FUNDING:
            if self._funding[number].take(row, now_ns, self._say):
                taken.setdefault(f"funding:{venue}", []).append((number, 0, row))
        elif kind == SCORES:
            if self._scores[number].take(row, now_ns, self._say):
                taken.setdefault(f"scores:{venue or 'any'}", []).append((number, 0, row))
        elif kind == CORPORATE:
            self._hear_of(number, row)

    def _expect(self, calendar: str) -> None:
        """A session has begun: bars of its calendar are due."""
        for one, bars in zip(self._instruments, self._bars, strict=True):
            if one.calendar == calendar:
                bars.expect()
                self._expects(bars)

    def _hear_of(self, number: int, row: Row) -> None:
        """A corporate action, told as early as it may be; of one kind and ex-date the first counts."""
        if fault := health.corporate_fault(row):
            self._say(ev.FEED_UNSOUND, self._now_ns, number, ev.CORPORATE, float(fault))
            return
        for old in self._actions[number]:
            if old[:2] == row[:2]:
                what = ev.FEED_DUPLICATE if old == row else ev.FEED_REVISED
                self._say(what, self._now_ns, number, ev.CORPORATE, (row[2] - old[2]) / old[2])
                return
        self._actions[number].append(row)
        self._waiting.append((number, row))

    def _ripen(self, taken: _Taken) -> None:
        """Corporate actions at the open of the first session of or after their ex-date; too late once it was traded."""
        left = []
        for number, row in self._waiting:
            one = self._instruments[number]
            opened = self._calendars[one.calendar].first_after(row[0]) if one.calendar else int(row[0])
            if opened is None or opened > self._now_ns:
                left.append((number, row))
            elif self._bars[number].traded_before(opened):
                taken.setdefault(f"corporate:{one.venue}", []).append((number, opened, row))
                if row[1] == ev.SPLIT:
                    self._bars[number].split(row[2])
            else:
                self._say(ev.FEED_LATE, opened, number, ev.CORPORATE, float(self._now_ns - opened))
        self._waiting = left

    def _piece(self, stream: str, taken: list[tuple[int, int, Row]]) -> Piece:
        """Events of one stream as the writers of `domain.event` make them, known now."""
        kind = stream.partition(":")[0]
        if kind == BARS:
            bars = [(row[1], number, marks, row[2:]) for number, marks, row in taken]
            return Piece(stream, ev.few_bars(self._now_ns, bars))
        numbers = np.array([number for number, _, _ in taken], np.uint16)
        second = np.array([one for _, one, _ in taken], np.int64)
        columns = [np.array(column) for column in zip(*(row for _, _, row in taken), strict=True)]
        known = np.full(len(taken), self._now_ns, np.int64)
        if kind == FUNDING:
            events = ev.funding_events(columns[0], known, 0, 0, columns[1])
        elif kind == SCORES:
            _, horizon, mean, std = columns
            events = ev.score_events(columns[0], numbers, 0, mean, std, horizon.astype(np.float64))
        elif kind == SESSIONS:
            opened, closed, offset, span = columns
            events = ev.session_events(opened, closed, offset, span, 0)
        else:
            events = ev.corporate_events(second, 0, 0, columns[1], columns[2])
        events["asset"], events["ts_known"] = numbers, known
        return Piece(stream, events)
