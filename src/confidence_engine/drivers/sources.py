"""What a run is made from: stored bars, funding, scores and documents of one agent and one period.

Nothing is made up here. A configured symbol without bars is named and left out; a perpetual
without funding stays in and the kernel holds it degraded; no news at all is a valid run. Bars of an exchange stand on
its sessions; adjusted prices are good for a replay and refused for anything that sends orders. What is hashed is
what is used: neither other months in the store nor the order of imports change a run's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.document import Document
from confidence_engine.domain.errors import DataMissing, DataRefused, UsageError
from confidence_engine.domain.event import DIVIDEND, SPLIT
from confidence_engine.domain.instrument import Instrument, calendars_of
from confidence_engine.domain.units import DAY_NS, format_interval, format_time, parse_time
from confidence_engine.feeds.cache import rows_hash
from confidence_engine.feeds.calendar import on_sessions, sessions
from confidence_engine.feeds.clean import CORPORATE_ROW
from confidence_engine.feeds.items import documents_hash
from confidence_engine.feeds.store import Store
from confidence_engine.feeds.world import World

__all__ = [
    "LEAST_BARS", "RUNS", "Sources", "covered", "gather", "gather_covered", "meant", "of_world", "used_hash",
]  # fmt: skip

LEAST_BARS: Final = 3
"""Whole bars a replayed period must hold: one to buy at, one to hold and one to sell after."""

RUNS: Final = ("replay", "paper", "live")
"""What a driver may gather for."""

_NEVER_NS: Final = 1 << 62
"""An end this late is no end."""
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class Sources(NamedTuple):
    """Raw rows by instrument key, as stored; `bars` decides which instruments take part."""

    instruments: tuple[Instrument, ...]
    bars: dict[str, np.ndarray]  # BAR_ROW: open_ns, close_ns, o, h, l, c, v
    funding: dict[str, np.ndarray]  # FUNDING_ROW: ts_ns, rate
    scores: dict[str, np.ndarray]  # SCORE_ROW: known_ns, horizon_ns, mean, std
    documents: list[Document]
    missing: tuple[str, ...]
    synthetic: bool
    data_hash: str
    sessions: Mapping[str, np.ndarray] = _NONE  # SESSION_ROW by calendar
    corporate: Mapping[str, np.ndarray] = _NONE  # CORPORATE_ROW
    outside: Mapping[str, int] = _NONE  # bars left out because their exchange was closed
    adjusted: tuple[str, ...] = ()  # keys whose prices are adjusted


def meant(config: Config, text: str) -> Instrument:
    """Instrument at the agent's venue that people mean: by its symbol, an alias, or the base or name of its coin.

    Raises UsageError for nothing, for more than one and for another venue.
    """
    name, _, venue = text.strip().partition("@")
    here = config.agent.venue
    if venue and venue != here:
        raise UsageError(f"{text!r} trades at {venue}; the agent {config.agent.name} trades at {here}")
    mine = [one for one in config.universe.instruments if one.venue == here]
    exact = any(name in (one.symbol, *one.aliases) for one in mine)
    named = [] if exact else [one for one in mine if name.casefold() in _names(config, one)]
    if len(named) == 1:
        return named[0]
    if named:
        raise UsageError(f"{text!r} is ambiguous: say {' or '.join(one.symbol for one in named)}")
    return config.universe.find(name if exact else name.upper(), here)


def _names(config: Config, one: Instrument) -> set[str]:
    coin = config.universe.underlying(one.underlying)
    return {name.casefold() for name in (coin.name, one.symbol.partition("/")[0], *coin.names)}


def gather(
    config: Config, store: Store, start_ns: int, end_ns: int, symbols: Sequence[str] | None = None,
    load_ns: int | None = None, run: str = "replay",
) -> Sources:  # fmt: skip
    """All that `config` needs of the store from `load_ns` (default: `warmup` before the start) to the end.

    Raises DataMissing where not one wanted symbol has a bar in [start, end), UsageError for a symbol that the
    agent's venue does not have, and DataRefused for adjusted prices in a `run` that sends orders (of RUNS).
    """
    wanted = _wanted(config, symbols)
    begin = start_ns - config.agent.warmup_ns if load_ns is None else load_ns
    bars: dict[str, np.ndarray] = {}
    outside: dict[str, int] = {}
    for one in wanted:
        rows, lost = _stored(store, one, config.agent.interval_ns)
        if lost:
            outside[one.key] = lost
        rows = rows[(rows["close_ns"] > begin) & (rows["close_ns"] <= end_ns)]
        if len(rows) and rows["close_ns"][-1] > start_ns:
            bars[one.key] = rows
    if not bars:
        raise DataMissing(_nothing(config, wanted, start_ns, end_ns))
    taken = tuple(one for one in wanted if one.key in bars)
    found = Sources(
        taken, bars,
        {one.key: _funding(store, one, begin, end_ns) for one in taken if one.funding_ns},
        _scores(config, store, taken, begin, end_ns),
        store.documents(begin, end_ns, config.timing.news_lag_ns) if "news" in config.agent.evidence else [],
        tuple(one.symbol for one in wanted if one.key not in bars), store.is_synthetic(), "",
        {name: sessions(name, begin, end_ns, config.agent.interval_ns) for name in calendars_of(taken)},
        {}, outside, _admitted(config, store, taken, run),
    )  # fmt: skip
    found = found._replace(corporate=_corporate(store, found, begin, end_ns))
    return found._replace(data_hash=used_hash(found))


def of_world(config: Config, world: World) -> Sources:
    """A simulated world as it is, without a store; always synthetic."""
    instruments = tuple(sorted(config.instruments(), key=lambda one: one.key))
    bars = {one.key: world.bars[one.symbol] for one in instruments}
    funding = {one.key: world.funding[one.symbol] for one in instruments if one.funding_ns}
    return Sources(instruments, bars, funding, {}, world.documents, (), True, "not stored")


def gather_covered(
    config: Config, store: Store, start_ns: int, end_ns: int, symbols: Sequence[str] | None = None
) -> tuple[Sources, int, int]:
    """(sources, start, end) of the part of the period that lies within the bars.

    Equal parts give equal sources, however much more was asked for. Raises as `gather`, and DataMissing where the
    period holds fewer than LEAST_BARS whole bars.
    """
    found = gather(config, store, start_ns, end_ns, symbols)
    first_ns, last_ns = covered(found, start_ns, end_ns)
    if (first_ns, last_ns) != (start_ns, end_ns):
        found = gather(config, store, first_ns, last_ns, symbols)
    most = max(int((rows["open_ns"] >= first_ns).sum()) for rows in found.bars.values())
    if most < LEAST_BARS:
        interval = format_interval(config.agent.interval_ns)
        raise DataMissing(
            f"between {format_time(first_ns)} and {format_time(last_ns)} there {_are(most)} stored, "
            f"and a replay needs at least {LEAST_BARS} whole {interval} bars"
        )
    return found, first_ns, last_ns


def _are(bars: int) -> str:
    return "is no whole bar" if bars == 0 else "is one whole bar" if bars == 1 else f"are {bars} whole bars"


def used_hash(sources: Sources) -> str:
    """SHA-256 over the rows and items themselves, 64 hex digits; independent of what else is stored and how it came."""
    digest = hashlib.sha256(b"synthetic\n" if sources.synthetic else b"recorded\n")
    for kind, series in (("bars", sources.bars), ("funding", sources.funding), ("scores", sources.scores)):
        for key, rows in sorted(series.items()):
            digest.update(f"{kind} {key} {rows_hash(rows) if len(rows) else 'none'}\n".encode())
    for kind, more in (("sessions", sources.sessions), ("corporate", sources.corporate)):
        for key, rows in sorted(more.items()):
            digest.update(f"{kind} {key} {rows_hash(rows)}\n".encode())
    for key in sources.adjusted:
        digest.update(f"adjusted {key}\n".encode())
    digest.update(f"news {documents_hash(sources.documents)}\n".encode())
    return digest.hexdigest()


def covered(sources: Sources, start_ns: int, end_ns: int) -> tuple[int, int]:
    """The part of [start, end) that lies within the bars: flat days before and after would dilute every figure."""
    first = min(int(rows["open_ns"][0]) for rows in sources.bars.values())
    last = max(int(rows["close_ns"][-1]) for rows in sources.bars.values())
    longest = max(int(rows["close_ns"][-1] - rows["open_ns"][-1]) for rows in sources.bars.values())
    return max(start_ns, first), min(end_ns, last + longest)


def _wanted(config: Config, symbols: Sequence[str] | None) -> list[Instrument]:
    """Instruments by key, each once."""
    if symbols is not None and not symbols:
        raise UsageError("no symbol is named; leave --symbols out for all of the config's")
    chosen = config.instruments() if symbols is None else tuple(meant(config, symbol) for symbol in symbols)
    return sorted(set(chosen), key=lambda one: one.key)


def _admitted(config: Config, store: Store, taken: tuple[Instrument, ...], run: str) -> tuple[str, ...]:
    """Keys of the instruments whose stored prices are adjusted. Raises DataRefused where `run` sends orders."""
    if run not in RUNS:
        raise UsageError(f"a run is one of {', '.join(RUNS)}, not {run!r}")
    found = tuple(o.key for o in taken if store.is_adjusted(o.symbol, o.venue, config.agent.interval_ns))
    if found and run != "replay":
        raise DataRefused(
            f"the stored prices of {', '.join(found[:5])} are adjusted: nobody could have dealt at them. They are good "
            f"for a replay; a {run} run needs prices as they were traded"
        )
    return found


def _stored(store: Store, one: Instrument, interval_ns: int) -> tuple[np.ndarray, int]:
    """Stored bars, on the sessions of the instrument's calendar where it has one, and how many stood outside."""
    try:
        rows = store.bars(one.symbol, one.venue, interval_ns)
    except DataMissing:
        return np.zeros(0, [("close_ns", "i8")]), 0
    return on_sessions(rows, one.calendar, interval_ns) if one.calendar else (rows, 0)


def _funding(store: Store, one: Instrument, begin: int, end_ns: int) -> np.ndarray:
    """Funding in the period; none stored is an empty array, which the kernel meets as a missing input."""
    try:
        rows = store.funding(one.symbol, one.venue)
    except DataMissing:
        return np.zeros(0, [("ts_ns", "i8"), ("rate", "f8")])
    return rows[(rows["ts_ns"] >= begin) & (rows["ts_ns"] < end_ns)]


def _corporate(store: Store, found: Sources, begin: int, end_ns: int) -> dict[str, np.ndarray]:
    """Splits and dividends of the period of what trades in sessions.

    Adjusted prices hold their splits already, all that are stored; a dividend is then one of the later, smaller share.
    """
    actions: dict[str, np.ndarray] = {}
    for one in found.instruments:
        rows = store.corporate(one.symbol, one.venue) if one.calendar else np.zeros(0, CORPORATE_ROW)
        if one.key in found.adjusted:
            rows = _per_last_share(rows)
        rows = rows[(rows["ex_ns"] + DAY_NS > begin) & (rows["ex_ns"] < end_ns)]
        if len(rows):
            actions[one.key] = rows
    return actions


def _per_last_share(rows: np.ndarray) -> np.ndarray:
    """Dividends of CORPORATE_ROW [n], each a share as it is after every split that came later."""
    paid, splits = rows[rows["what"] == DIVIDEND].copy(), rows[rows["what"] == SPLIT]
    for k, ex_ns in enumerate(paid["ex_ns"]):
        paid["value"][k] /= splits["value"][splits["ex_ns"] > ex_ns].prod()
    return paid


def _scores(
    config: Config, store: Store, taken: tuple[Instrument, ...], begin: int, end_ns: int
) -> dict[str, np.ndarray]:
    """Scores of the instruments; one stored without a venue counts for any, its own venue's comes first."""
    if "score" not in config.agent.evidence:
        return {}
    stored = store.scores()
    found: dict[str, np.ndarray] = {}
    for one in taken:
        rows = stored.get((one.symbol, one.venue), stored.get((one.symbol, "")))
        if rows is not None:
            found[one.key] = rows[(rows["known_ns"] >= begin) & (rows["known_ns"] < end_ns)]
    return found


def _nothing(config: Config, wanted: Sequence[Instrument], start_ns: int, end_ns: int) -> str:
    symbols, interval = ", ".join(one.symbol for one in wanted), format_interval(config.agent.interval_ns)
    if end_ns - start_ns < config.agent.interval_ns:
        where = f"{_within(start_ns, end_ns)} there is".lstrip()
        return f"{where} no whole bar: the period is shorter than one {interval} bar"
    return (
        f"no {interval} bars of {symbols} at {config.agent.venue} are stored{_within(start_ns, end_ns)}; "
        "see `confidence data list`, and `confidence import bars`"
    )


def _within(start_ns: int, end_ns: int) -> str:
    """The period in words; an end that nobody asked for is not named."""
    since = format_time(max(start_ns, parse_time("0001-01-01"))) if start_ns != 0 else ""
    until = format_time(end_ns) if end_ns < _NEVER_NS else ""
    if since and until:
        return f" between {since} and {until}"
    return f" after {since}" if since else f" before {until}" if until else ""
