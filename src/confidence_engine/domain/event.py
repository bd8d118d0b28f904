"""What happened, and when we could know it: the one record everything enters by.

An event is 64 bytes: when it happened, when it could be known, what kind, about which
asset, from which stream, under which marks, and five numbers whose meaning the kind gives.
An index into those five numbers appears here and in `domain.body` and nowhere else: write with the
`*_event` functions, read with the readers named after the kind.

Total order of stored events: (ts_known, rank of the kind, source, asset, ts_event, body).
A missing number is NaN in its canonical bit pattern, never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from confidence_engine.domain.body import (
    bar_close,
    bar_high,
    bar_low,
    bar_open,
    bar_volume,
    command_code,
    command_value,
    corporate_value,
    corporate_what,
    feed_of,
    feed_value,
    feed_what,
    fill_fee,
    fill_leaves,
    fill_lots,
    fill_order,
    fill_ticks,
    funding_mark,
    funding_rate,
    reject_order,
    reject_reason,
    score_horizon,
    score_mean,
    score_std,
    session_close,
    session_offset,
    session_open,
    session_span,
    signal_certainty,
    signal_cluster,
    signal_novelty,
    signal_polarity,
    signal_relevance,
    timer_is_grid,
    timer_missed,
)

__all__ = [
    "ACK", "ADJUSTED", "ADL", "BACKFILL", "BAR", "BOOK", "CANCELLED", "COMMAND", "CORPORATE", "DEGRADED",
    "DIVIDEND", "EVENT", "EVENT_SCHEMA", "FEED", "FEED_BACK", "FEED_CLOCK", "FEED_DUPLICATE", "FEED_GAP",
    "FEED_LATE", "FEED_NAMES", "FEED_REVISED", "FEED_STALE", "FEED_UNSOUND", "FILL", "FUNDING", "INSTRUMENT",
    "KIND_NAMES", "KIND_RANK", "LIQUIDATION", "MARK", "NAN", "NO_ASSET", "PARAMS", "QUOTE", "REJECT", "SCORE",
    "SESSION", "SIGNAL", "SPLIT", "SYNTHETIC", "TIMER", "TRADE", "TRANSFER", "X_NAMES", "bar_close", "bar_events",
    "bar_high", "bar_low", "bar_open", "bar_volume", "command_code", "command_event", "command_value",
    "corporate_events", "corporate_value", "corporate_what", "empty", "feed_event", "feed_of", "feed_value",
    "feed_what", "few_bars", "fill_fee", "fill_leaves", "fill_lots", "fill_order", "fill_ticks", "funding_events",
    "funding_mark", "funding_rate", "joined", "reject_order", "reject_reason", "score_events", "score_horizon",
    "score_mean", "score_std", "session_close", "session_events", "session_offset", "session_open", "session_span",
    "signal_certainty", "signal_cluster", "signal_events", "signal_novelty", "signal_polarity", "signal_relevance",
    "timer_events", "timer_is_grid", "timer_missed",
]  # fmt: skip

# Kinds. The numbers are part of the stored format and are never reused.
ACK, REJECT, CANCELLED, FILL, ADL, LIQUIDATION, TRANSFER = 1, 2, 3, 4, 5, 6, 7
CORPORATE, FUNDING, MARK, BAR, QUOTE, BOOK, TRADE = 10, 11, 12, 13, 14, 15, 16
SIGNAL, SCORE, SESSION = 20, 21, 22
INSTRUMENT, PARAMS, FEED, COMMAND, TIMER = 30, 31, 32, 33, 34

KIND_NAMES: Final = {
    ACK: "ACK", REJECT: "REJECT", CANCELLED: "CANCELLED", FILL: "FILL", ADL: "ADL", LIQUIDATION: "LIQUIDATION",
    TRANSFER: "TRANSFER", CORPORATE: "CORPORATE", FUNDING: "FUNDING", MARK: "MARK", BAR: "BAR", QUOTE: "QUOTE",
    BOOK: "BOOK", TRADE: "TRADE", SIGNAL: "SIGNAL", SCORE: "SCORE", SESSION: "SESSION", INSTRUMENT: "INSTRUMENT",
    PARAMS: "PARAMS", FEED: "FEED", COMMAND: "COMMAND", TIMER: "TIMER",
}  # fmt: skip

# Rank at equal ts_known: what happened to us, then the market, then the words, then the operator, then judging.
_ORDER: Final = (
    INSTRUMENT, PARAMS, ACK, REJECT, CANCELLED, FILL, ADL, LIQUIDATION, TRANSFER, CORPORATE, FUNDING, MARK, BAR,
    QUOTE, BOOK, TRADE, SIGNAL, SCORE, SESSION, FEED, COMMAND, TIMER,
)  # fmt: skip
KIND_RANK: Final = np.full(64, 255, np.uint8)
KIND_RANK[list(_ORDER)] = np.arange(len(_ORDER))

X_NAMES: Final[dict[int, tuple[str, ...]]] = {
    BAR: ("open", "high", "low", "close", "volume"), FUNDING: ("rate", "mark"), CORPORATE: ("what", "value"),
    SIGNAL: ("polarity", "certainty", "novelty", "relevance", "cluster"), SCORE: ("mean", "std", "horizon_ns", "head"),
    SESSION: ("open_ns", "close_ns", "offset_ns", "span_ns"), TIMER: ("is_grid", "missed"), CANCELLED: ("order",),
    FILL: ("order", "ticks", "lots", "fee", "leaves"), LIQUIDATION: ("order", "ticks", "lots", "fee", "leaves"),
    REJECT: ("order", "x1", "x2", "x3", "reason"), COMMAND: ("code", "value"), FEED: ("what", "value", "of"),
}  # fmt: skip
"""Names of the first numbers of an event by kind, for tables that people read; a kind that is not here has x0 to x4."""

# Marks, a bit each. ADJUSTED is a price history made comparable backwards: nobody could have dealt at its prices.
DEGRADED, BACKFILL, SYNTHETIC, ADJUSTED = 1, 2, 4, 8

# What a CORPORATE event says. Part of the stored format.
SPLIT, DIVIDEND = 1, 2

# What a FEED event says of a feed, and what its value is. The codes are part of the stored format.
FEED_STALE, FEED_GAP, FEED_BACK, FEED_DUPLICATE, FEED_LATE, FEED_REVISED, FEED_CLOCK, FEED_UNSOUND = range(1, 9)
FEED_NAMES: Final = {
    FEED_STALE: "STALE",  # nothing came though it was due; value = for how long by then, ns
    FEED_GAP: "GAP",  # a hole before what came now; value = how many bars are missing
    FEED_BACK: "BACK",  # in order again; value = how long it was not, ns
    FEED_DUPLICATE: "DUPLICATE",  # the same again, dropped; value = how much older than the newest, ns
    FEED_LATE: "LATE",  # older than what is known, dropped; value = how much older, ns
    FEED_REVISED: "REVISED",  # known with other numbers, dropped; value = new close or rate less old, over old
    FEED_CLOCK: "CLOCK",  # the ingress clock stepped; value = by how much, ns
    FEED_UNSOUND: "UNSOUND",  # a row that cannot be, dropped; value = which rule it broke
}

NO_ASSET: Final = 65_535
NAN: Final = float("nan")

EVENT: Final = np.dtype(
    (
        np.record,
        [
            ("ts_event", "i8"),
            ("ts_known", "i8"),
            ("kind", "u2"),
            ("asset", "u2"),
            ("source", "u2"),
            ("marks", "u2"),
            *((f"x{k}", "f8") for k in range(5)),
        ],
    )
)
assert EVENT.itemsize == 64

EVENT_SCHEMA: Final = 1
"""Version of the kinds and of what `x` means for each; one more when an old event would read wrong."""


def empty(count: int, kind: int) -> np.ndarray:
    """`count` events of one kind, no asset, all five numbers missing."""
    events = np.zeros(count, EVENT)
    events["kind"] = kind
    events["asset"] = NO_ASSET
    for name in ("x0", "x1", "x2", "x3", "x4"):
        events[name] = np.nan
    return events


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """EVENT [n] of the parts end to end, in memory of its own.

    For many small parts: numpy's own way finds out anew for each part that records of one layout have one layout.
    """
    body = bytearray().join([part.tobytes() for part in parts])
    return np.frombuffer(body, EVENT) if body else np.zeros(0, EVENT)


def few_bars(known_ns: int, bars: Sequence[tuple[int, int, int, tuple[float, ...]]]) -> np.ndarray:
    """BAR events of no stream from (close, asset, marks, (o, h, l, c, volume)), known at one time; fast for a few."""
    return np.array([(at, known_ns, BAR, asset, 0, marks, *ohlcv) for at, asset, marks, ohlcv in bars], EVENT)


def bar_events(
    close_ns: np.ndarray, known_ns: np.ndarray, asset: int, source: int, ohlcv: tuple[np.ndarray, ...], marks: int = 0
) -> np.ndarray:
    """BAR events from columns; ts_event is the bar's close. Prices in quote per base, volume in base."""
    events = empty(len(close_ns), BAR)
    events["ts_event"], events["ts_known"] = close_ns, known_ns
    events["asset"], events["source"], events["marks"] = asset, source, marks
    for name, column in zip(("x0", "x1", "x2", "x3", "x4"), ohlcv, strict=True):
        events[name] = column
    return events


def funding_events(
    ts_event: np.ndarray, known_ns: np.ndarray, asset: int, source: int, rate: np.ndarray, marks: int = 0
) -> np.ndarray:
    """FUNDING events: rate as a fraction of notional that longs pay shorts; mark price missing (NaN)."""
    events = empty(len(ts_event), FUNDING)
    events["ts_event"], events["ts_known"] = ts_event, known_ns
    events["asset"], events["source"], events["marks"] = asset, source, marks
    events["x0"] = rate
    return events


def signal_events(
    ts_event: np.ndarray,
    known_ns: np.ndarray,
    underlying: np.ndarray,
    publisher: np.ndarray,
    reading: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    marks: int = 0,
) -> np.ndarray:
    """SIGNAL events; `asset` holds the *underlying* (spot and perpetual of one coin share a narrative).

    `reading` is (polarity [-1,1], certainty [0,1], novelty [0,1], relevance [0,1], cluster id).
    """
    events = empty(len(ts_event), SIGNAL)
    events["ts_event"], events["ts_known"] = ts_event, known_ns
    events["asset"], events["source"], events["marks"] = underlying, publisher, marks
    for name, column in zip(("x0", "x1", "x2", "x3", "x4"), reading, strict=True):
        events[name] = column
    return events


def score_events(
    known_ns: np.ndarray,
    asset: np.ndarray,
    source: int,
    mean: np.ndarray,
    std: np.ndarray,
    horizon_ns: np.ndarray,
    marks: int = 0,
) -> np.ndarray:
    """SCORE events: expected log return over the horizon, its standard deviation, the horizon in ns; head 0."""
    events = empty(len(known_ns), SCORE)
    events["ts_event"], events["ts_known"] = known_ns, known_ns
    events["asset"], events["source"], events["marks"] = asset, source, marks
    events["x0"], events["x1"], events["x2"], events["x3"] = mean, std, horizon_ns, 0.0
    return events


def session_events(
    open_ns: np.ndarray, close_ns: np.ndarray, offset_ns: np.ndarray, span_ns: np.ndarray, calendar: int
) -> np.ndarray:
    """SESSION events, known when the session opens; `asset` holds the *calendar* (position + 1 among the run's).

    Open and close are whole seconds (a float64 holds those exactly); offset = local time - UTC; span = how much
    trading time the session is worth.
    """
    events = empty(len(open_ns), SESSION)
    events["ts_event"], events["ts_known"] = open_ns, open_ns
    events["asset"] = calendar
    events["x0"], events["x1"], events["x2"], events["x3"] = open_ns, close_ns, offset_ns, span_ns
    return events


def corporate_events(
    at_ns: np.ndarray, asset: int, source: int, what: np.ndarray, value: np.ndarray, marks: int = 0
) -> np.ndarray:
    """CORPORATE events at the open of the ex-date: SPLIT (new shares for one old) or DIVIDEND (quote a share)."""
    events = empty(len(at_ns), CORPORATE)
    events["ts_event"], events["ts_known"] = at_ns, at_ns
    events["asset"], events["source"], events["marks"] = asset, source, marks
    events["x0"], events["x1"] = what, value
    return events


def feed_event(
    at_ns: int, known_ns: int, what: int, asset: int = NO_ASSET, source: int = 0, value: float = NAN, of: int = 0
) -> np.ndarray:
    """One FEED event: what a feed did (FEED_NAMES); `of` = the kind that the feed brings, 0 for the ingress clock.

    `asset` NO_ASSET is a feed that speaks of all: news, or the clock.
    """
    events = empty(1, FEED)
    events["ts_event"], events["ts_known"] = at_ns, known_ns
    events["asset"], events["source"] = asset, source
    events["x0"], events["x1"], events["x2"] = float(what), value, float(of)
    return events


def timer_events(at_ns: np.ndarray, grid: bool, marks: int = 0, missed: int = 0) -> np.ndarray:
    """TIMER events, the only ones at which anything is judged; `missed` grid ticks after a pause."""
    events = empty(len(at_ns), TIMER)
    events["ts_event"], events["ts_known"] = at_ns, at_ns
    events["marks"] = marks
    events["x0"], events["x1"] = float(grid), float(missed)
    return events


def command_event(at_ns: int, code: int, value: float = NAN, asset: int = NO_ASSET) -> np.ndarray:
    """One COMMAND event (codes in `domain.order`)."""
    events = empty(1, COMMAND)
    events["ts_event"] = events["ts_known"] = at_ns
    events["asset"], events["x0"], events["x1"] = asset, float(code), value
    return events
