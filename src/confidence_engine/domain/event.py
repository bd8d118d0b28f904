"""What happened, and when we could know it: the one record everything enters by.

An event is 64 bytes: when it happened, when it could be known, what kind, about which
asset, from which stream, under which marks, and five numbers whose meaning the kind gives.
An index into those five numbers appears in this file and nowhere else: write with the
`*_event` functions, read with the readers named after the kind.

Total order of stored events: (ts_known, rank of the kind, source, asset, ts_event, body).
A missing number is NaN in its canonical bit pattern, never zero.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from confidence_engine.domain.jit import stage

__all__ = [
    "ACK", "ADJUSTED", "ADL", "BACKFILL", "BAR", "BOOK", "CANCELLED", "COMMAND", "CORPORATE", "DEGRADED", "DIVIDEND",
    "EVENT", "EVENT_SCHEMA", "FEED", "FILL", "FUNDING", "INSTRUMENT", "KIND_NAMES", "KIND_RANK", "LIQUIDATION",
    "MARK", "NAN", "NO_ASSET", "PARAMS", "QUOTE", "REJECT", "SCORE", "SESSION", "SIGNAL", "SPLIT", "SYNTHETIC",
    "TIMER", "TRADE", "TRANSFER", "X_NAMES", "bar_close", "bar_events", "bar_high", "bar_low", "bar_open",
    "bar_volume", "command_code", "command_event", "command_value", "corporate_events", "corporate_value",
    "corporate_what", "empty", "fill_fee", "fill_leaves", "fill_lots", "fill_order", "fill_ticks", "funding_events",
    "funding_mark", "funding_rate", "reject_order", "reject_reason", "score_events", "score_horizon", "score_mean",
    "score_std", "session_close", "session_events", "session_offset", "session_open", "session_span",
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
    REJECT: ("order", "x1", "x2", "x3", "reason"), COMMAND: ("code", "value"),
}  # fmt: skip
"""Names of the first numbers of an event by kind, for tables that people read; a kind that is not here has x0 to x4."""

# Marks, a bit each. ADJUSTED is a price history made comparable backwards: nobody could have dealt at its prices.
DEGRADED, BACKFILL, SYNTHETIC, ADJUSTED = 1, 2, 4, 8

# What a CORPORATE event says. Part of the stored format.
SPLIT, DIVIDEND = 1, 2

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


# Readers. One line each; this block and the writers above are the whole layout of `x`.


@stage
def bar_open(event):  # type: ignore[no-untyped-def]
    """First traded price of the bar."""
    return event.x0


@stage
def bar_high(event):  # type: ignore[no-untyped-def]
    """Highest price of the bar."""
    return event.x1


@stage
def bar_low(event):  # type: ignore[no-untyped-def]
    """Lowest price of the bar."""
    return event.x2


@stage
def bar_close(event):  # type: ignore[no-untyped-def]
    """Last price of the bar."""
    return event.x3


@stage
def bar_volume(event):  # type: ignore[no-untyped-def]
    """Volume of the bar, in base."""
    return event.x4


@stage
def funding_rate(event):  # type: ignore[no-untyped-def]
    """Fraction of notional that longs pay shorts."""
    return event.x0


@stage
def funding_mark(event):  # type: ignore[no-untyped-def]
    """Mark price of the payment, NaN where the venue gave none."""
    return event.x1


@stage
def signal_polarity(event):  # type: ignore[no-untyped-def]
    """Direction of the story, [-1, 1]."""
    return event.x0


@stage
def signal_certainty(event):  # type: ignore[no-untyped-def]
    """How sure the reader is, [0, 1]."""
    return event.x1


@stage
def signal_novelty(event):  # type: ignore[no-untyped-def]
    """1 - similarity to what was known, [0, 1]."""
    return event.x2


@stage
def signal_relevance(event):  # type: ignore[no-untyped-def]
    """How much the story is about this underlying, [0, 1]."""
    return event.x3


@stage
def signal_cluster(event):  # type: ignore[no-untyped-def]
    """Id of the story, however often retold."""
    return event.x4


@stage
def score_mean(event):  # type: ignore[no-untyped-def]
    """Expected log return over the horizon."""
    return event.x0


@stage
def score_std(event):  # type: ignore[no-untyped-def]
    """Standard deviation of that return."""
    return event.x1


@stage
def score_horizon(event):  # type: ignore[no-untyped-def]
    """Horizon in ns."""
    return event.x2


@stage
def fill_order(event):  # type: ignore[no-untyped-def]
    """Order id."""
    return event.x0


@stage
def fill_ticks(event):  # type: ignore[no-untyped-def]
    """Price in integer ticks."""
    return event.x1


@stage
def fill_lots(event):  # type: ignore[no-untyped-def]
    """Signed integer lots, + bought."""
    return event.x2


@stage
def fill_fee(event):  # type: ignore[no-untyped-def]
    """Fee in quote, + paid."""
    return event.x3


@stage
def fill_leaves(event):  # type: ignore[no-untyped-def]
    """Signed lots of the order still open."""
    return event.x4


@stage
def reject_order(event):  # type: ignore[no-untyped-def]
    """Order id."""
    return event.x0


@stage
def reject_reason(event):  # type: ignore[no-untyped-def]
    """Reason code, see `domain.order`."""
    return event.x4


@stage
def session_open(event):  # type: ignore[no-untyped-def]
    """When the session opens, ns."""
    return event.x0


@stage
def session_close(event):  # type: ignore[no-untyped-def]
    """When it closes, ns."""
    return event.x1


@stage
def session_offset(event):  # type: ignore[no-untyped-def]
    """Local time less UTC, ns."""
    return event.x2


@stage
def session_span(event):  # type: ignore[no-untyped-def]
    """Trading time that the session is worth, ns."""
    return event.x3


@stage
def corporate_what(event):  # type: ignore[no-untyped-def]
    """SPLIT or DIVIDEND."""
    return event.x0


@stage
def corporate_value(event):  # type: ignore[no-untyped-def]
    """New shares for one old, or quote a share."""
    return event.x1


@stage
def command_code(event):  # type: ignore[no-untyped-def]
    """Command code, see `domain.order`."""
    return event.x0


@stage
def command_value(event):  # type: ignore[no-untyped-def]
    """Argument of the command, NaN where it has none."""
    return event.x1


@stage
def timer_is_grid(event):  # type: ignore[no-untyped-def]
    """1 on the decision grid, 0 after evidence."""
    return event.x0


@stage
def timer_missed(event):  # type: ignore[no-untyped-def]
    """Grid ticks missed before this one."""
    return event.x1
