"""What befell the deliveries of a run on their way: what the store says would have come, against what came.

Things are matched by what they are (a bar by its instrument and close, a document by its id), never by when they came.
All that came of one thing, or did not, has one cause. A bar that is late alone is late; bars of one stream that failed
together, two or more in a row that never came or came at one time, are a feed that was silent. What came at another
time than the store assumes, but before the timer that judges it, is latency.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.command import Command
from confidence_engine.domain.document import Document
from confidence_engine.feeds import health
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

__all__ = [
    "CAUSES", "CLOCK", "CODE", "COMMANDED", "HOLE", "PARAMS", "TIMER", "UNEXPLAINED", "Edit", "Item", "Name", "Part",
    "clock_edits", "edits_between", "items_of", "moments_of",
]  # fmt: skip

PARAMS, HOLE, COMMANDED, CLOCK, TIMER = "params", "silent feed", "command of the operator", "clock", "restart, timer"
CODE, UNEXPLAINED = "code", "unexplained"
COMMANDS: Final = "command"

_NOUNS: Final = {
    BARS: "bar", FUNDING: "funding", SCORES: "score", SESSIONS: "session", CORPORATE: "corporate action",
    DOCUMENTS: "document",
}  # fmt: skip
_FATES: Final = (
    "latency", "missing {}", "late {}", "{} out of order", HOLE, "duplicate {}", "unsound {}", "revised {}",
    "{} that nobody stored",
)  # fmt: skip
CAUSES: Final = (
    PARAMS, HOLE, *dict.fromkeys(fate.format(noun) for noun in _NOUNS.values() for fate in _FATES if fate != HOLE),
    COMMANDED, CLOCK, TIMER, CODE, UNEXPLAINED,
)  # fmt: skip
"""Every cause, in the order in which they are applied one after another."""

_STAMPS: Final = {BARS: "close_ns", FUNDING: "ts_ns", SCORES: "known_ns", SESSIONS: "open_ns", CORPORATE: "ex_ns"}
_MORE: Final = {SCORES: "horizon_ns", CORPORATE: "what"}
_FOREVER: Final = 1 << 62
_AHEAD: Final = 4
"""How many bars that follow are looked at for one that overtook it."""

Name = tuple[str, str, int, str]
"""Kind of delivery, key, stamp in ns, and what else tells it from others of that stamp (the id of a document)."""


class Item(NamedTuple):
    """One thing that was handed over: when, in which place, what it is, and a row [1], a Document or a Command."""

    at_ns: int
    place: int
    name: Name
    said: Any


class Edit(NamedTuple):
    """One thing that came otherwise: `was` as the store would have it, `now` as it came; from `at_ns` on it counts.

    `epoch` is that of the run in which it made a difference, from 1; 0 where that was not asked.
    """

    cause: str
    at_ns: int
    name: Name
    was: tuple[Item, ...] = ()
    now: tuple[Item, ...] = ()
    value: float = 0.0
    epoch: int = 0


class Part(NamedTuple):
    """A part of a run's life: what was due after a time in ns, and what came in the places from `first` to `last`."""

    after_ns: int = -_FOREVER
    first: int = 0
    last: int = _FOREVER

    def due(self, items: Iterable[Item]) -> tuple[Item, ...]:
        """Those of the store's that were due in it."""
        return tuple(one for one in items if one.at_ns > self.after_ns)

    def heard(self, items: Iterable[Item]) -> tuple[Item, ...]:
        """Those of the run's that came in it."""
        return tuple(one for one in items if self.first <= one.place < self.last)


def items_of(moments: Iterable[Moment], first: int = 0) -> list[Item]:
    """Everything that the moments hand over, in order, in places from `first` on."""
    found: list[Item] = []
    for moment in moments:
        for one in moment.said:
            for name, said in _named(one):
                found.append(Item(moment.at_ns, first + len(found), name, said))
        for command in moment.commands:
            found.append(Item(moment.at_ns, first + len(found), (COMMANDS, "", 0, command.id), command))
    return found


def _named(one: Delivery) -> Iterator[tuple[Name, Any]]:
    for document in one.documents:
        yield (DOCUMENTS, "", 0, document.id), document
    if one.rows is None:
        return
    more = _MORE.get(one.kind)
    stamps = one.rows[_STAMPS[one.kind]].tolist()
    rest = [""] * len(stamps) if more is None else [str(value) for value in one.rows[more].tolist()]
    for k, (stamp, what) in enumerate(zip(stamps, rest, strict=True)):
        yield (one.kind, one.key, stamp, what), one.rows[k : k + 1]


def moments_of(items: Iterable[Item], end_ns: int) -> list[Moment]:
    """Items laid in order of time, and the last moment, at which nothing more is said."""
    grouped: dict[int, list[Item]] = defaultdict(list)
    for one in items:
        grouped[one.at_ns].append(one)
    found: list[Moment] = []
    for at in sorted(grouped):
        told = sorted(grouped[at], key=lambda one: one.place)
        commands = tuple(one.said for one in told if isinstance(one.said, Command))
        found.append(Moment(at, tuple(_said(told, at)), commands))
    return [*found, Moment(end_ns - 1)]


def _said(items: Sequence[Item], at_ns: int) -> Iterator[Delivery]:
    documents = tuple(one.said for one in items if isinstance(one.said, Document))
    for one in items:
        if isinstance(one.said, np.ndarray):
            yield Delivery(at_ns, one.name[0], one.name[1], one.said)
    if documents:
        yield Delivery(at_ns, DOCUMENTS, "", None, documents)


def clock_edits(moments: Iterable[Moment]) -> list[Edit]:
    """An edit for each time at which the receiving clock began to be out by another amount; value = ns of the step."""
    found: list[Edit] = []
    out = 0
    for one in moments:
        if one.said and (now := one.said[-1].at_ns - one.at_ns) != out:
            found.append(Edit(CLOCK, one.at_ns, (CLOCK, "", one.at_ns, ""), value=float(now - out)))
            out = now
    return found


def edits_between(was: Sequence[Item], now: Sequence[Item], config: Config, part: Part) -> list[Edit]:
    """All that came otherwise in a part of a life than it would have, each thing once, by when it counts.

    What was due in one part and came in another has one cause in both.
    """
    before, after = _by_name(was), _by_name(now)
    streams: dict[tuple[str, str], list[Name]] = defaultdict(list)
    for name in sorted(before.keys() | after.keys()):
        streams[name[:2]].append(name)
    found: list[Edit] = []
    for names in streams.values():
        edits: list[tuple[int, Edit]] = []
        for k, name in enumerate(names):
            one, other = before.get(name, ()), after.get(name, ())
            if not _unchanged(one, other):
                next_ns = [after[n][0].at_ns for n in names[k + 1 : k + _AHEAD] if n in after]
                cause = _cause(one, other, next_ns, config)
                edits.append((k, Edit(cause, min(o.at_ns for o in (*one, *other)), name, one, other)))
        found += _silences(edits)
    found = [one for one in found if not _unchanged(part.due(one.was), part.heard(one.now))]
    return sorted(found, key=lambda one: (one.at_ns, one.name))


def _by_name(items: Iterable[Item]) -> dict[Name, tuple[Item, ...]]:
    found: dict[Name, list[Item]] = defaultdict(list)
    for one in items:
        found[one.name].append(one)
    return {name: tuple(some) for name, some in found.items()}


def _unchanged(was: tuple[Item, ...], now: tuple[Item, ...]) -> bool:
    return len(was) == len(now) and all(
        a.at_ns == b.at_ns and _same(a.said, b.said) for a, b in zip(was, now, strict=True)
    )


def _same(a: Any, b: Any) -> bool:
    """Whether two things say the same; when they were first seen is no part of what they say."""
    if isinstance(a, Document):
        return _words(a) == _words(b)
    return bool(a == b) if isinstance(a, Command) else a.tobytes() == b.tobytes()


def _words(one: Document) -> tuple[Any, ...]:
    return one.title, one.text, one.publisher, one.published_ns, one.symbols


def _cause(was: tuple[Item, ...], now: tuple[Item, ...], next_ns: list[int], config: Config) -> str:
    """The one cause of all that came of one thing; `next_ns` when those behind it in its stream came."""
    name = (was or now)[0].name
    if name[0] == COMMANDS:
        return COMMANDED
    fate = _fate(was, now, next_ns, config)
    return fate.format(_NOUNS[name[0]])


def _fate(was: tuple[Item, ...], now: tuple[Item, ...], next_ns: list[int], config: Config) -> str:
    if not now:
        return "missing {}"
    if not was:
        return "{} that nobody stored"
    first, one = now[0], was[0]
    if not _same(first.said, one.said):
        return "unsound {}" if _unsound(first, one, config) else "revised {}"
    if first.at_ns == one.at_ns:
        return "duplicate {}" if all(_same(other.said, one.said) for other in now) else "revised {}"
    clock = config.timing
    if any(at <= first.at_ns <= at + clock.settle_ns for at in next_ns):
        return "{} out of order"
    known = {BARS: clock.bar_latency_ns, FUNDING: clock.funding_latency_ns}.get(one.name[0], clock.settle_ns)
    return "late {}" if first.at_ns - one.at_ns > max(clock.settle_ns - known, 0) else "latency"


def _unsound(came: Item, stored: Item, config: Config) -> bool:
    """Whether what came could not be, by itself or against what is stored."""
    kind = came.name[0]
    if kind == DOCUMENTS:
        return False
    row = came.said[0].tolist()
    if kind == BARS:
        if health.bar_fault(row, config.agent.interval_ns):
            return True
        factor, close = config.health.spike, float(stored.said["c"][0])
        return factor > 1.0 and not close / factor <= row[5] <= close * factor
    rules = {FUNDING: health.funding_fault, SCORES: health.score_fault, CORPORATE: health.corporate_fault}
    return kind in rules and bool(rules[kind](row))


def _silences(edits: list[tuple[int, Edit]]) -> list[Edit]:
    """Bars of one stream that failed together are the silence of their feed."""
    found: list[Edit] = []
    together: list[Edit] = []
    last: tuple[int, int | None] | None = None
    for k, one in edits:
        mark = _failed(one)
        if mark is None or last != (k - 1, mark):
            found += _settled(together)
            together = []
        together.append(one)
        last = None if mark is None else (k, mark)
    return [*found, *_settled(together)]


def _failed(one: Edit) -> int | None:
    """When a bar came that came late, -1 for never; None for what did not fail."""
    if one.name[0] != BARS or not one.was:
        return None
    if not one.now:
        return -1
    return one.now[0].at_ns if one.now[0].at_ns > one.was[0].at_ns else None


def _settled(together: list[Edit]) -> list[Edit]:
    return [one._replace(cause=HOLE) for one in together] if len(together) > 1 else together
