"""Rows that can be placed honestly, and a count of the others by reason.

A price is a finite number above zero, high and low hold open and close, a stamp lies on the grid of its
interval. What fails is dropped and counted, never mended. A stamp that occurs twice keeps its first row.
A file whose bars mostly lie at another distance than the interval it is said to have is refused whole.
A bar is over at open + interval; a daily bar at its session's close where that is said, else at the
midnight (UTC) that ends its day, which is late and so safe for every exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from confidence_engine.domain.errors import DataRefused, UsageError
from confidence_engine.domain.event import DIVIDEND, SPLIT
from confidence_engine.domain.units import DAY_NS, SECOND_NS, format_interval, parse_duration
from confidence_engine.feeds.columns import canonical_symbol
from confidence_engine.feeds.stamps import place

__all__ = [
    "BAR_ROW", "CORPORATE_ROW", "FUNDING_ROW", "SCORE_ROW", "Clean", "Session", "bars", "corporate", "funding",
    "scores",
]  # fmt: skip

BAR_ROW: Final = np.dtype([("open_ns", "i8"), ("close_ns", "i8")] + [(name, "f8") for name in "ohlcv"])
"""One bar: when it opened and when it was over, ns; prices in quote per base; volume in base, NaN where unknown."""
FUNDING_ROW: Final = np.dtype([("ts_ns", "i8"), ("rate", "f8")])
"""One payment: its stamp in ns and the fraction of notional that longs paid."""
CORPORATE_ROW: Final = np.dtype([("ex_ns", "i8"), ("what", "i8"), ("value", "f8")])
"""One action: midnight (UTC) of its ex-date, SPLIT or DIVIDEND, new shares for one old or quote a share."""
SCORE_ROW: Final = np.dtype([("known_ns", "i8"), ("horizon_ns", "i8"), ("mean", "f8"), ("std", "f8")])
"""One score: when it was known, its horizon in ns, expected log return and standard deviation."""

DUPLICATE: Final = "same row again"
CONFLICT: Final = "same stamp again with other values (first kept)"
SECOND_HORIZON: Final = "a second horizon at one time"
_UNKNOWN: Final = "?"


class Session(NamedTuple):
    """Local time and zone (IANA) at which a daily bar is over."""

    at: time
    zone: str


class Clean(NamedTuple):
    """Rows by symbol, sorted by time; counts by symbol and reason; stamps that came out of order by symbol."""

    rows: dict[str, np.ndarray]
    dropped: dict[str, dict[str, int]]
    out_of_order: dict[str, int]


def bars(
    raw: pl.DataFrame,
    mapping: dict[str, str],
    interval_ns: int,
    symbol: str | None = None,
    quote: str | None = None,
    zone: str | None = None,
    session: Session | None = None,
) -> Clean:
    """BAR_ROW arrays from a raw table. Raises DataRefused, UsageError."""
    if interval_ns < SECOND_NS or interval_ns > DAY_NS or DAY_NS % interval_ns:
        raise UsageError("an interval divides a day and is at least a second, as in 1m, 5m, 1h, 1d")
    if session is not None and interval_ns != DAY_NS:
        raise UsageError("a closing time belongs to daily bars (--interval 1d)")
    daily = interval_ns == DAY_NS
    frame = _symbols(raw, mapping, symbol, quote)
    frame = frame.with_columns(**_bar_stamps(raw, mapping, interval_ns, zone))
    _believe(frame, interval_ns)
    frame = frame.with_columns(**{name: _number(raw, mapping[name]) for name in ("open", "high", "low", "close")})
    volume = _number(raw, mapping["volume"]) if "volume" in mapping else pl.lit(float("nan"))
    frame = frame.with_columns(volume=volume)
    prices = ("open", "high", "low", "close")
    broken = (pl.col("high") < pl.max_horizontal(prices)) | (pl.col("low") > pl.min_horizontal(prices))
    reasons = [
        (pl.any_horizontal(~_finite(p) for p in prices), "price missing or not a number"),
        (pl.any_horizontal(pl.col(p) <= 0 for p in prices), "price not above zero"),
        (broken, "high and low do not hold open and close"),
    ]
    if "volume" in mapping:
        reasons += [(~_finite("volume"), "volume missing or not a number"), (pl.col("volume") < 0, "volume below zero")]
    if not daily:
        reasons.insert(0, (pl.col("bare"), "date without a time of day"))
    reasons.append((pl.col("at") % interval_ns != 0, "open stamp off the grid of its interval"))
    over = frame["at"] + interval_ns if session is None else _session_close(frame["at"], session)
    frame = frame.with_columns(pl.col("volume") + 0.0, over=over)  # + 0.0 makes one zero of two
    reasons.append((pl.col("over").is_null(), "its session's close does not exist"))
    frame = _judged(frame, reasons)
    return _settled(frame, ("at", "over", *prices, "volume"), BAR_ROW, keys=("at",))


def _believe(frame: pl.DataFrame, interval_ns: int) -> None:
    """Refuse bars whose most common step, of a symbol with three stamps or more, is not the declared interval."""
    stamps = frame.select("symbol", "at").drop_nulls().unique().sort("symbol", "at")
    steps = stamps.with_columns(step=pl.col("at").diff().over("symbol")).drop_nulls("step")
    counts = steps.group_by("symbol", "step").len().sort("symbol", "len", "step", descending=[False, True, False])
    for (symbol,), found in counts.group_by("symbol", maintain_order=True):
        top = found.filter(pl.col("len") == pl.col("len").max())["step"].to_list()
        if found["len"].sum() >= 2 and interval_ns not in top:
            raise DataRefused(
                f"the bars of {symbol} are {format_interval(top[0])} apart, not {format_interval(interval_ns)} "
                "as --interval says; with the wrong length a bar would count as over at the wrong time"
            )


def _bar_stamps(raw: pl.DataFrame, mapping: dict[str, str], interval_ns: int, zone: str | None) -> dict[str, pl.Series]:
    """Open stamps; from close stamps where those are all there is, and checked against them where both are."""
    daily = interval_ns == DAY_NS
    ends = place(raw[mapping["close_time"]], zone, dates=daily) if "close_time" in mapping else None
    if ends is not None:
        # Venues write the close as 11:59:59.999: the last instant inside. Read it as the edge.
        edge = -(-ends.ns // SECOND_NS) * SECOND_NS
        if "time" not in mapping:
            return {"at": edge - interval_ns, "bare": ends.bare, "why": ends.why}
    opens = place(raw[mapping["time"]], zone, dates=daily)
    why = opens.why
    if ends is not None:
        off = ((edge - opens.ns) != interval_ns).fill_null(True) & why.is_null()
        why = pl.select(pl.when(off).then(pl.lit("close stamp is not open + interval")).otherwise(why)).to_series()
    return {"at": opens.ns, "bare": opens.bare, "why": why}


def _session_close(opens: pl.Series, session: Session) -> pl.Series:
    days = (opens // DAY_NS).cast(pl.Int32).cast(pl.Date)
    local = days.cast(pl.Datetime("us")) + pl.duration(hours=session.at.hour, minutes=session.at.minute)
    zoned = local.dt.replace_time_zone(session.zone, ambiguous="latest", non_existent="null")
    return pl.select(zoned.dt.epoch("us") * 1_000).to_series()


def funding(
    raw: pl.DataFrame,
    mapping: dict[str, str],
    symbol: str | None = None,
    quote: str | None = None,
    zone: str | None = None,
) -> Clean:
    """FUNDING_ROW arrays from a raw table; a rate of more than half the notional is no rate."""
    stamps = place(raw[mapping["time"]], zone)
    frame = _symbols(raw, mapping, symbol, quote)
    frame = frame.with_columns(at=stamps.ns, bare=stamps.bare, why=stamps.why, rate=_number(raw, mapping["rate"]))
    reasons = [
        (pl.col("bare"), "date without a time of day"),
        (~_finite("rate"), "rate missing or not a number"),
        (pl.col("rate").abs() > 0.5, "rate above 50 %"),
    ]
    return _settled(_judged(frame, reasons), ("at", "rate"), FUNDING_ROW, keys=("at",))


def corporate(
    raw: pl.DataFrame, mapping: dict[str, str], symbol: str | None = None, quote: str | None = None,
    zone: str | None = None,
) -> Clean:  # fmt: skip
    """CORPORATE_ROW arrays from a raw table of ex-dates with a split ratio, a dividend, or both in a row.

    A split of 1 and a dividend of 0 say that there was none. Raises DataRefused, UsageError.
    """
    stamps = place(raw[mapping["time"]], zone, dates=True)
    named = _symbols(raw, mapping, symbol, quote)
    parts = []
    for what, column, none in ((SPLIT, "split", 1.0), (DIVIDEND, "dividend", 0.0)):
        if column in mapping:
            value = _number(raw, mapping[column]).fill_null(none)
            part = named.with_columns(at=stamps.ns, why=stamps.why, value=value, what=pl.lit(what, pl.Int64))
            parts.append(part.filter(pl.col("value") != none))
    if not parts:
        raise DataRefused("no column for split or dividend; name one with --map FIELD=COLUMN")
    reasons = [
        (pl.col("at") % DAY_NS != 0, "an ex-date is a date, without a time of day"),
        (~_finite("value") | (pl.col("value") <= 0), "value missing or not above zero"),
        ((pl.col("what") == SPLIT) & ~pl.col("value").is_between(0.001, 1000.0), "split beyond 1,000 to one"),
    ]
    frame = _judged(pl.concat(parts), reasons)
    return _settled(frame, ("at", "what", "value"), CORPORATE_ROW, keys=("at", "what"))


def scores(
    raw: pl.DataFrame,
    mapping: dict[str, str],
    symbol: str | None = None,
    quote: str | None = None,
    zone: str | None = None,
) -> Clean:
    """SCORE_ROW arrays from a raw table; a horizon is a duration with its unit or a number of seconds.

    There is one score a symbol and moment: of several horizons the first in the file stands.
    """
    stamps = place(raw[mapping["known"]], zone)
    frame = _symbols(raw, mapping, symbol, quote)
    frame = frame.with_columns(
        at=stamps.ns,
        bare=stamps.bare,
        why=stamps.why,
        horizon=_per_value(raw[mapping["horizon"]], _horizon, pl.Int64),
        mean=_number(raw, mapping["mean"]),
        std=_number(raw, mapping["std"]),
    )
    reasons = [
        (pl.col("bare"), "date without a time of day"),
        (pl.col("horizon").is_null(), "horizon missing or unreadable"),
        (~_finite("mean"), "mean missing or not a number"),
        (~_finite("std") | (pl.col("std") <= 0), "std missing, not a number or not above zero"),
    ]
    frame = _judged(frame, reasons)
    standing = pl.when(pl.col("why").is_null()).then("horizon").drop_nulls().first().over("symbol", "at")
    other = pl.when(pl.col("horizon") != standing).then(pl.lit(SECOND_HORIZON))
    frame = frame.with_columns(why=pl.coalesce("why", other))
    return _settled(frame, ("at", "horizon", "mean", "std"), SCORE_ROW, keys=("at",))


def _horizon(value: object) -> int | None:
    text = str(value).strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            ns = parse_duration(text)
        except UsageError:
            return None
    else:
        ns = round(seconds * SECOND_NS) if 0 < seconds < 1e9 else 0
    return ns if 0 < ns < 2**62 else None


def _per_value(column: pl.Series, function: Callable[[object], object], kind: type[pl.DataType]) -> pl.Series:
    """The column with `function` applied once to each distinct value; null stays null."""
    values = column.drop_nulls().unique().to_list()
    table = {value: function(value) for value in values}
    return column.replace_strict(list(table), list(table.values()), default=None, return_dtype=kind)


def _symbols(raw: pl.DataFrame, mapping: dict[str, str], symbol: str | None, quote: str | None) -> pl.DataFrame:
    """A frame of canonical symbols; what is said on the command line goes before the column."""
    if symbol is not None:
        return pl.DataFrame({"symbol": pl.Series([canonical_symbol(symbol, quote)]).new_from_index(0, raw.height)})
    if "symbol" not in mapping:
        raise UsageError("the file has no symbol column: say --symbol BASE/QUOTE")
    column = raw[mapping["symbol"]].cast(pl.String)

    def read(value: object) -> str | None:
        try:
            return canonical_symbol(str(value), quote)
        except UsageError:
            return None

    found = _per_value(column, read, pl.String)
    if found.null_count() == len(found):
        some = column.drop_nulls().head(1).to_list()
        canonical_symbol(some[0] if some else "", quote)  # raises, saying what is wrong with it
    return pl.DataFrame({"symbol": found})


def _number(raw: pl.DataFrame, column: str) -> pl.Series:
    values = raw[column]
    if values.dtype == pl.String:
        return values.str.strip_chars().cast(pl.Float64, strict=False)
    if values.dtype.is_numeric() or values.dtype == pl.Null:
        return values.cast(pl.Float64)
    raise DataRefused(f"column {column!r} of type {values.dtype} holds no numbers")


def _finite(column: str) -> pl.Expr:
    return pl.col(column).is_finite().fill_null(False)


def _judged(frame: pl.DataFrame, reasons: list[tuple[pl.Expr, str]]) -> pl.DataFrame:
    """The frame with `why`: null for a row that stands, else the first reason it does not."""
    first = pl.when(pl.col("symbol").is_null()).then(pl.lit("symbol missing or unreadable"))
    found = [pl.when(test.fill_null(False)).then(pl.lit(text)) for test, text in reasons]
    return frame.with_columns(why=pl.coalesce(first, "why", *found), symbol=pl.col("symbol").fill_null(_UNKNOWN))


def _settled(frame: pl.DataFrame, columns: tuple[str, ...], row: np.dtype, keys: tuple[str, ...]) -> Clean:
    """Take the standing rows apart by symbol, first of a key kept, in order of time."""
    good = frame.filter(pl.col("why").is_null())
    late = good.group_by("symbol").agg((pl.col("at") < pl.col("at").cum_max().shift(1)).sum().alias("n"))
    first = pl.struct("symbol", *keys).is_first_distinct()
    same = ~pl.struct("symbol", *columns).is_first_distinct()
    good = good.with_columns(
        why=pl.when(~first).then(pl.when(same).then(pl.lit(DUPLICATE)).otherwise(pl.lit(CONFLICT)))
    )
    lost = pl.concat([frame.select("symbol", "why"), good.select("symbol", "why")]).drop_nulls("why")
    dropped: dict[str, dict[str, int]] = {}
    for symbol, why, n in lost.group_by("symbol", "why").len().sort("symbol", "why").iter_rows():
        dropped.setdefault(symbol, {})[why] = n
    kept = good.filter(pl.col("why").is_null()).sort("symbol", *keys)
    rows: dict[str, np.ndarray] = {}
    for (symbol,), part in kept.group_by("symbol", maintain_order=True):
        out = np.empty(part.height, row)
        for name, column in zip(row.names or (), columns, strict=True):
            out[name] = part[column].to_numpy()
        rows[str(symbol)] = out
    return Clean(rows, dropped, {symbol: n for symbol, n in late.iter_rows() if n})
