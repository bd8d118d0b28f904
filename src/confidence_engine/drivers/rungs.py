"""What a mind says of one version of what came: a replay of the store's tape, or of moments that an intake takes.

Versions of one period number their streams, stories and decisions differently, so what is compared is named by what it
is: a decision by asset and time, its story by the first document of it, a trade by the decision it was entered on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.document import Reading
from confidence_engine.domain.event import ADL, CORPORATE, EVENT, FILL, LIQUIDATION
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.ports import Reader
from confidence_engine.drivers import replay
from confidence_engine.drivers.agent import Cast
from confidence_engine.drivers.intake import decoded
from confidence_engine.drivers.snapshot import restore
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.delivery import Moment
from confidence_engine.kernel.state import State
from confidence_engine.text.reading import Readings
from confidence_engine.venues.sim import Venue

__all__ = [
    "NEEDED", "NOTHING", "Begin", "Judged", "Key", "Once", "Past", "Said", "Trade", "brought", "fed", "opened",
    "replayed", "said_of",
]  # fmt: skip

Key = tuple[int, int, int]
"""Asset, time in ns, and a number where there are several."""

NEEDED: Final = (
    {"seq", "lead", "asset", "ts_ns", "side", "gates", "target_lots", "held_lots"},
    {"kind", "asset", "ts_known", "lots", "price", "amount_usd", "fee_usd", "why", "decision"},
)
"""Fields of decisions and of entries by which they are told apart, whoever wrote them."""
_NAMED_ANEW = ("seq", "lead")
_FILLS = (FILL, LIQUIDATION, ADL)


class Judged(NamedTuple):
    """One decision: what it does (side, gates, side aimed at, side held), its story, and all its numbers."""

    act: tuple[int, int, int, int]
    story: str
    numbers: bytes


class Trade(NamedTuple):
    """From flat to flat. Prices are averages; `exit_ns` -1 while it is open; `why` of the last fill."""

    side: int
    entry_ns: int
    lots: int
    entry_price: float
    exit_ns: int
    exit_price: float | None
    why: int
    net_usd: float


class Said(NamedTuple):
    """All that was decided and traded; `rows` the bytes of decisions, entries and intents as a journal keeps them.

    `about` names the underlyings of each document that was heard.
    """

    decisions: dict[Key, Judged]
    trades: dict[Key, Trade]
    rows: tuple[bytes, bytes, bytes]
    about: dict[str, frozenset[str]]


class Past(NamedTuple):
    """What a run brings into an epoch: the first document of each story, trades that are not over by asset, and the
    time of each decision by its number.
    """

    leads: Mapping[int, str]
    held: Mapping[int, _Open]
    when: Mapping[int, int]


NOTHING: Final = Past({}, {}, {})


class Begin(NamedTuple):
    """A sealed state with which a mind begins, and what the run brings with it."""

    data: bytes
    past: Past


class Once:
    """Port `Reader` round another that is asked once for a text."""

    def __init__(self, reader: Reader) -> None:
        self.name, self.version = reader.name, reader.version
        self._reader = reader
        self._held: dict[str, Reading] = {}

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading a text, in order."""
        new = [text for text in dict.fromkeys(texts) if text not in self._held]
        if new:
            self._held |= zip(new, self._reader.read(new), strict=True)
        return [self._held[text] for text in texts]


def replayed(config: Config, sources: Sources, reader: Reader, window: Window) -> Said:
    """What a replay of the sources says."""
    readings = replay.read(config, sources, reader)
    tape = replay.compose(config, sources, readings, window)
    heard = _Heard(config, {})
    heard.take(readings, 0)
    return _told(replay.play(config, sources.instruments, tape.events), heard, NOTHING)


def opened(config: Config, instruments: tuple[Instrument, ...], data: bytes) -> tuple[State, Venue, dict[str, Any]]:
    """State and venue as they were sealed, and what the intake remembers. Raises JournalDamaged."""
    state, venue = replay.initial(config, instruments)
    memory = decoded(restore(data, state, venue))
    return state, venue, memory["intake"]


def fed(cast: Cast, moments: Iterable[Moment], begin: Begin | None = None) -> Said:
    """What a mind says that takes these moments, a fresh one where it begins with nothing."""
    past = NOTHING if begin is None else begin.past
    intake, heard, parts, count = cast.intake(), _Heard(cast.config, past.leads), [np.zeros(0, EVENT)], 0
    held = None
    if begin is not None:
        state, venue, memory = opened(cast.config, cast.instruments, begin.data)
        intake.remember(memory)
        held = state, venue
        count = int(memory["listener"]["counts"][0])
    for one in moments:
        taken = intake.take(one)
        parts.append(taken.events)
        if taken.read is not None:
            heard.take(taken.read, count)
            count += len(taken.read.documents)
    events = np.concatenate(parts)
    return _told(replay.play(cast.config, cast.instruments, events, begin=held), heard, past)


class _Heard:
    """The documents behind stories, and what they are about."""

    def __init__(self, config: Config, leads: Mapping[int, str]) -> None:
        self._names = [one.name for one in config.universe.underlyings]
        self.leads = dict(leads)
        self.about: dict[str, set[str]] = {}

    def take(self, read: Readings, first: int) -> None:
        """What was read, `first` documents having been heard before."""
        of, about, cluster = (read.rows[name].tolist() for name in ("document", "underlying", "cluster"))
        for document, underlying, story in zip(of, about, cluster, strict=True):
            name = read.documents[document - first].id
            self.leads.setdefault(story, name)
            self.about.setdefault(name, set()).add(self._names[underlying])


def _told(found: replay.Result, heard: _Heard, past: Past) -> Said:
    told = said_of(found.decisions, found.entries, found.intents, past._replace(leads=heard.leads))
    about = {name: frozenset(some) for name, some in heard.about.items()}
    return told._replace(about=about)


def said_of(decisions: np.ndarray, entries: np.ndarray, intents: np.ndarray, past: Past) -> Said:
    """Rows as they were written, by what they are; of the past the first document of every story by then."""
    bare = decisions.copy()
    for name in _NAMED_ANEW:
        bare[name] = 0
    sides = (np.sign(decisions[name]).tolist() for name in ("target_lots", "held_lots"))
    acts = zip(decisions["side"].tolist(), decisions["gates"].tolist(), *sides, strict=True)
    keys = _keys(decisions["asset"].tolist(), decisions["ts_ns"].tolist())
    rows = zip(keys, acts, decisions["lead"].tolist(), bare, strict=True)
    judged = {key: Judged(act, past.leads.get(lead, ""), body.tobytes()) for key, act, lead, body in rows}
    begun, _ = _traded(entries, _when(decisions, past), past.held)
    keys = _keys([asset for asset, _ in begun], [trade.began_ns for _, trade in begun])
    trades = {key: trade.told() for key, (_, trade) in zip(keys, begun, strict=True)}
    return Said(judged, trades, (decisions.tobytes(), entries.tobytes(), intents.tobytes()), {})


def brought(decisions: np.ndarray, entries: np.ndarray, past: Past) -> Past:
    """The past of the epoch behind one with these rows."""
    when = _when(decisions, past)
    return past._replace(held=_traded(entries, when, past.held)[1], when=when)


def _when(decisions: np.ndarray, past: Past) -> dict[int, int]:
    return {**past.when, **dict(zip(decisions["seq"].tolist(), decisions["ts_ns"].tolist(), strict=True))}


def _keys(assets: Iterable[int], times: Iterable[int]) -> list[Key]:
    seen: dict[tuple[int, int], int] = {}
    found: list[Key] = []
    for one in zip(assets, times, strict=True):
        seen[one] = seen.get(one, -1) + 1
        found.append((*one, seen[one]))
    return found


class _Open:
    """A trade while it lasts."""

    def __init__(self, entry: Any, began_ns: int) -> None:
        self.began_ns, self.side = began_ns, 1 if entry["lots"] > 0 else -1
        self.entry_ns, self.left, self.lots, self.out = int(entry["ts_known"]), 0, 0, 0
        self.cash_in = self.cash_out = self.net = 0.0
        self.last_ns, self.why = -1, 0

    def take(self, lots: int, entry: Any) -> None:
        """Lots (above zero) of a fill on either side."""
        if (entry["lots"] > 0) == (self.side > 0):
            self.left, self.lots = self.left + lots, self.lots + lots
            self.cash_in += lots * float(entry["price"])
        else:
            self.left, self.out = self.left - lots, self.out + lots
            self.cash_out += lots * float(entry["price"])
            self.last_ns, self.why = int(entry["ts_known"]), int(entry["why"])

    def told(self) -> Trade:
        flat = self.left == 0
        return Trade(
            self.side, self.entry_ns, self.lots, self.cash_in / max(self.lots, 1), self.last_ns if flat else -1,
            self.cash_out / self.out if self.out else None, self.why if flat else -1, self.net,
        )  # fmt: skip


def _traded(
    entries: np.ndarray, when: Mapping[int, int], before: Mapping[int, _Open]
) -> tuple[list[tuple[int, _Open]], dict[int, _Open]]:
    """Trades with their assets as they began, first those from `before`; and which of them are not over, by asset."""
    held = {asset: copy.copy(one) for asset, one in before.items()}
    begun = list(held.items())
    for one in entries:
        asset = int(one["asset"])
        trade = held.get(asset)
        if trade is not None:
            trade.net += float(one["amount_usd"] - one["fee_usd"])
        if one["kind"] == CORPORATE and trade is not None:
            trade.left += trade.side * int(one["lots"])
        if one["kind"] not in _FILLS:
            continue
        lots = abs(int(one["lots"]))
        if trade is not None:
            part = lots if (one["lots"] > 0) == (trade.side > 0) else min(lots, trade.left)
            trade.take(part, one)
            lots -= part
            if trade.left == 0:
                del held[asset]
        if lots:
            trade = held[asset] = _Open(one, when.get(int(one["decision"]), int(one["ts_known"])))
            trade.take(lots, one)
            trade.net = -float(one["fee_usd"])
            begun.append((asset, trade))
    return begun, held
