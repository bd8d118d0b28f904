"""What goes wrong with feeds, done on purpose, from a seed, with the truth kept.

Streams fall silent and come back with all they missed, or without; the whole feed dies and returns; bars come late,
twice, after the next one, first wrong and then right, or broken; a publisher says the opposite shortly after; the
receiving clock jumps and is set right. Everything is a delay or a change of what was delivered, so nothing is known
before it was; a later delivery never changes what an earlier one became. SYNTHETIC: it is made for tests and for
worlds (`[faults]` of a world's file), and every rate 0 leaves the deliveries as they are.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.domain.document import Document
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.feeds.delivery import BARS, CORPORATE, DOCUMENTS, SESSIONS, Delivery, Moment

__all__ = ["JUMPS_NS", "NAMES", "Fault", "Params", "opposite", "spoil"]

NAMES: Final = (
    "silent", "lost", "died", "lost in death", "late", "revised", "duplicate", "out of order", "broken",
    "contradiction", "clock",
)  # fmt: skip
"""Kinds of faults, as the truth names them."""

JUMPS_NS: Final = (5 * SECOND_NS, -5 * SECOND_NS, HOUR_NS, -HOUR_NS)


class Params(NamedTuple):
    """Rates a day (of a stream; of the feed for deaths and clocks), shares of rows, durations; all 0 = no fault."""

    silent_a_day: Annotated[float, Bound("ratio", 0.0, 1000.0)] = 0.0
    silent_ns: Annotated[int, Bound("duration", 0, 7 * DAY_NS)] = 40 * MINUTE_NS
    deaths_a_day: Annotated[float, Bound("ratio", 0.0, 1000.0)] = 0.0
    death_ns: Annotated[int, Bound("duration", 0, 7 * DAY_NS)] = HOUR_NS
    lost_share: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.5
    late_share: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.0
    late_by_ns: Annotated[int, Bound("duration", 0, DAY_NS)] = 4 * MINUTE_NS
    revised_share: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.0
    revised_by: Annotated[float, Bound("fraction", 0.0, 0.5)] = 0.002
    revised_after_ns: Annotated[int, Bound("duration", 0, DAY_NS)] = 2 * MINUTE_NS
    duplicate_share: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.0
    out_of_order_share: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.0
    broken_share: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.0
    contradiction_share: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.0
    contradiction_after_ns: Annotated[int, Bound("duration", 0, DAY_NS)] = 10 * MINUTE_NS
    clock_jumps_a_day: Annotated[float, Bound("ratio", 0.0, 1000.0)] = 0.0
    clock_ns: Annotated[int, Bound("duration", 0, 7 * DAY_NS)] = 30 * MINUTE_NS


class Fault(NamedTuple):
    """One thing done, of NAMES: to what, its stamp, when it was to be known and when it came (-1 never).

    `value` is the relative change of a close, how a bar is broken, or the ns of a clock's jump.
    """

    name: str
    kind: str
    key: str
    ts_event: int
    known_ns: int
    came_ns: int
    value: float = 0.0


class _Spell:
    """Stretches of time that come at a rate a day and last about as long as said."""

    def __init__(self, chance: random.Random, a_day: float, mean_ns: int) -> None:
        self._chance, self._a_day, self._mean_ns = chance, a_day, mean_ns
        self.begin_ns = self.end_ns = -1
        self.drawn = 0.0  # uniform in [0, 1), one a stretch

    def holds(self, at_ns: int) -> bool:
        """Whether a time lies in a stretch; times may not fall."""
        if self._a_day <= 0.0:
            return False
        if self.end_ns < 0:
            self._draw(at_ns)
        while at_ns >= self.end_ns:
            self._draw(self.end_ns)
        return at_ns >= self.begin_ns

    def _draw(self, from_ns: int) -> None:
        self.begin_ns = from_ns + 1 + int(self._chance.expovariate(self._a_day / DAY_NS))
        self.end_ns = self.begin_ns + 1 + int(self._mean_ns * (0.5 + self._chance.random()))
        self.drawn = self._chance.random()


def spoil(deliveries: Iterable[Moment], params: Params, seed: int) -> tuple[Iterator[Moment], list[Fault]]:
    """(deliveries with faults, in order of time; the truth about them, filled as they are drawn).

    A moment's own time is what a clock that nobody can set shows; `at_ns` of its deliveries is the receiving clock.
    Equal deliveries, parameters and seeds give equal faults; a stream's do not hang on what other streams deliver.
    """
    truth: list[Fault] = []
    p = params
    rates = (
        p.silent_a_day,
        p.deaths_a_day,
        p.late_share,
        p.revised_share,
        p.duplicate_share,
        p.out_of_order_share,
        p.broken_share,
    )
    if not any((*rates, p.contradiction_share, p.clock_jumps_a_day)):
        return iter(deliveries), truth
    return _Spoiler(params, seed, truth).run(deliveries), truth


class _Spoiler:
    def __init__(self, params: Params, seed: int, truth: list[Fault]) -> None:
        self._p, self._seed, self._truth = params, seed, truth
        self._heap: list[tuple[int, int, Delivery]] = []
        self._pushed = 0
        self._chances: dict[tuple[str, str], random.Random] = {}
        self._silences: dict[tuple[str, str], _Spell] = {}
        self._held: dict[str, list[tuple[int, Delivery]]] = {}
        self._death = _Spell(random.Random(f"{seed} death"), params.deaths_a_day, params.death_ns)
        self._jump = _Spell(random.Random(f"{seed} clock"), params.clock_jumps_a_day, params.clock_ns)
        self._noted = -1  # end of the last jump told

    def run(self, deliveries: Iterable[Moment]) -> Iterator[Moment]:
        for moment in deliveries:
            yield from self._until(moment.at_ns)
            for one in moment.said:
                self._take(moment.at_ns, one)
            if not moment.said:
                yield moment
        yield from self._until(None)
        for held in self._held.values():  # nothing came that they could come after
            for was_ns, one in held:
                self._say("out of order", one, _stamp(one), was_ns, -1)

    def _until(self, end_ns: int | None) -> Iterator[Moment]:
        """The moments before a time, as they stand by then."""
        while self._heap and (end_ns is None or self._heap[0][0] < end_ns):
            at = self._heap[0][0]
            moment: list[Delivery] = []
            while self._heap and self._heap[0][0] == at:
                moment.append(heapq.heappop(self._heap)[2])
            shown = at + self._off(at)
            yield Moment(at, tuple(one._replace(at_ns=shown) for one in moment))

    def _push(self, at_ns: int, one: Delivery) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (at_ns, self._pushed, one))

    def _off(self, at_ns: int) -> int:
        """How far the receiving clock is out."""
        if not self._jump.holds(at_ns):
            return 0
        off = JUMPS_NS[int(self._jump.drawn * len(JUMPS_NS))]
        if self._noted != self._jump.end_ns:
            self._noted = self._jump.end_ns
            self._say("clock", Delivery(at_ns, "", ""), self._jump.begin_ns, at_ns, self._jump.end_ns, float(off))
        return off

    def _chance(self, one: Delivery) -> random.Random:
        """The chance of one stream; its silences are drawn apart."""
        name = (one.kind, one.key)
        if name not in self._chances:
            self._chances[name] = random.Random(f"{self._seed} {one.kind} {one.key}")
            again = random.Random(f"{self._seed} {one.kind} {one.key} silence")
            self._silences[name] = _Spell(again, self._p.silent_a_day, self._p.silent_ns)
        return self._chances[name]

    def _say(self, name: str, one: Delivery, ts_event: int, known_ns: int, came_ns: int, value: float = 0.0) -> None:
        self._truth.append(Fault(name, one.kind, one.key, ts_event, known_ns, came_ns, value))

    def _take(self, known_ns: int, one: Delivery) -> None:
        """One delivery: held or lost with its stream or with the feed, or spoiled by itself."""
        if one.kind in (SESSIONS, CORPORATE):
            self._push(known_ns, one)  # a table of dates, not a feed
            return
        chance, silence = self._chance(one), self._silences[one.kind, one.key]
        for spell, held, lost in ((self._death, "died", "lost in death"), (silence, "silent", "lost")):
            if spell.holds(known_ns):
                keeps = spell.drawn >= self._p.lost_share
                self._say(held if keeps else lost, one, _stamp(one), known_ns, spell.end_ns if keeps else -1)
                if keeps:
                    self._push(spell.end_ns, one)
                return
        if one.kind == DOCUMENTS:
            self._document(known_ns, one, chance)
        elif one.rows is not None:
            for k in range(len(one.rows)):
                self._row(known_ns, one._replace(rows=one.rows[k : k + 1]), chance)

    def _document(self, known_ns: int, one: Delivery, chance: random.Random) -> None:
        """News, and sometimes its opposite from the same publisher under a new id."""
        self._push(known_ns, one)
        for document in one.documents:
            if chance.random() < self._p.contradiction_share:
                at = known_ns + 1 + int(chance.random() * self._p.contradiction_after_ns)
                said = opposite(document, at - known_ns)
                self._push(at, Delivery(at, DOCUMENTS, one.key, None, (said,)))
                self._say("contradiction", one, document.published_ns, known_ns, at)

    def _row(self, known_ns: int, one: Delivery, chance: random.Random) -> None:
        """One row, with at most one fault."""
        p, u, v = self._p, chance.random(), chance.random()
        shares = [("late", p.late_share), ("duplicate", p.duplicate_share)]
        if one.kind == BARS:
            shares += [("revised", p.revised_share), ("out of order", p.out_of_order_share), ("broken", p.broken_share)]
        name = ""
        for named, share in shares:
            if u < share:
                name = named
                break
            u -= share
        before = self._held.pop(one.key, []) if one.kind == BARS else []
        if name == "out of order":
            self._held[one.key] = [*before, (known_ns, one)]
            return
        at, value = known_ns, 0.0
        if name == "late":
            at = known_ns + 1 + int(v * p.late_by_ns)
        elif name == "duplicate":
            self._push(known_ns + 1 + int(v * MINUTE_NS), one)
        elif name == "revised":
            self._push(known_ns + 1 + p.revised_after_ns, one)
            value = p.revised_by if v < 0.5 else -p.revised_by
            one = one._replace(rows=_other(one, value))
        elif name == "broken":
            value = float(int(v * 4))
            one = one._replace(rows=_broken(one, int(value)))
        self._push(at, one)
        if name:
            self._say(name, one, _stamp(one), known_ns, at, value)
        for k, (was_ns, held) in enumerate(before, 1):
            self._push(at + k * SECOND_NS, held)
            self._say("out of order", held, _stamp(held), was_ns, at + k * SECOND_NS)


def _stamp(one: Delivery) -> int:
    """When what is delivered happened."""
    if one.rows is None or not len(one.rows):
        return one.documents[0].published_ns if one.documents else one.at_ns
    return int(one.rows["close_ns"][0] if one.kind == BARS else one.rows[0][0])


def _other(one: Delivery, by: float) -> np.ndarray:
    """The bar with another close."""
    assert one.rows is not None
    rows = one.rows.copy()
    rows["c"] *= 1.0 + by
    rows["h"], rows["l"] = np.maximum(rows["h"], rows["c"]), np.minimum(rows["l"], rows["c"])
    return rows


def _broken(one: Delivery, how: int) -> np.ndarray:
    """A bar that cannot be: no close, a price of zero, ten times the price, or high and low crossed."""
    assert one.rows is not None
    rows = one.rows.copy()
    if how == 0:
        rows["c"] = np.nan
    elif how == 1:
        rows["l"] = 0.0
    elif how == 2:
        for name in "ohlc":
            rows[name] *= 10.0
    else:
        rows["h"], rows["l"] = rows["l"] * 0.99, rows["h"] * 1.01
    return rows


_TURNED: Final = (
    ("rises", "falls"), ("rise", "fall"), ("gains", "loses"), ("jumps", "drops"), ("surges", "plunges"),
    ("soars", "sinks"), ("climbs", "slides"), ("rallies", "tumbles"), ("wins", "loses"), ("approves", "rejects"),
    ("approval", "rejection"), ("beats", "misses"), ("profit", "loss"), ("record", "fraud"), ("upgrade", "downgrade"),
    ("strong", "weak"), ("bullish", "bearish"), ("up", "down"), ("higher", "lower"), ("growth", "decline"),
)  # fmt: skip
_OPPOSITE: Final = {a: b for one, two in _TURNED for a, b in ((one, two), (two, one))}


def opposite(document: Document, later_ns: int) -> Document:
    """What the same publisher says `later_ns` after: each word of direction turned, else a plain denial."""
    words = document.title.split(" ")
    turned = [_OPPOSITE.get(word.lower(), word) for word in words]
    title = " ".join(turned) if turned != words else f"Not true: {document.title}"
    seen = document.first_seen_ns
    return msgspec.structs.replace(
        document, id=f"{document.id}-contradiction", title=title, text="",
        published_ns=document.published_ns + later_ns, first_seen_ns=None if seen is None else seen + later_ns,
    )  # fmt: skip
