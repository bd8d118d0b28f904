"""A stamp is placed on the one time line or not at all: no zone is ever guessed.

A time of day needs its zone, in the value or said by the person. A bare number is an epoch whose
unit follows from its size, since s, ms, us and ns of the years 1975 to 2100 do not overlap. A stamp
with an offset is placed by its own, so a column may change with daylight saving. A column that mixes
stamps with and without a zone, units or shapes is refused; a single stamp that cannot be read is left
unplaced with its reason.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from confidence_engine.domain.errors import DataRefused, UsageError
from confidence_engine.domain.units import DAY_NS, MILLI_NS, SECOND_NS

__all__ = ["Placed", "place", "zone_named"]

_LAST_NS: Final = 7_258_118_400 * SECOND_NS  # 2200-01-01
_UNITS: Final = (("s", SECOND_NS), ("ms", MILLI_NS), ("us", 1_000), ("ns", 1))
_EPOCH_S: Final = (157_766_400, 4_102_444_800)  # 1975 .. 2100
_FARTHEST_MIN: Final = 14 * 60  # no zone is farther from UTC
_TICKS: Final = {"ms": MILLI_NS, "us": 1_000, "ns": 1}

_DAY: Final = r"(?:19[7-9]\d|20\d\d|21\d\d)-\d\d-\d\d"
_CLOCK: Final = r"[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
_ZONE: Final = r"(?:Z| ?UTC| ?GMT| ?[+-]\d\d(?::?\d\d)?)"

UNREADABLE: Final = "stamp missing or unreadable"
OUTSIDE: Final = "stamp outside 1970 to 2200"
NO_SUCH_TIME: Final = "stamp does not exist, or exists twice, in its zone"


class Placed(NamedTuple):
    """One a row: ns UTC (null where unplaced); bare date or not; whether its own clock read midnight; why unplaced."""

    ns: pl.Series
    bare: pl.Series
    midnight: pl.Series
    why: pl.Series


def zone_named(name: str) -> str:
    """The name itself when it is an IANA zone. Raises UsageError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(f"{name!r} is not a time zone; write UTC or a name such as America/New_York") from error
    return name


def place(column: pl.Series, zone: str | None, dates: bool = False) -> Placed:
    """Stamps of one column in ns UTC; `dates` reads naive midnights as bare dates (daily bars).

    Raises DataRefused where no honest reading of the whole column exists.
    """
    kind = column.dtype
    if kind == pl.Date:
        return _sealed(_scaled(column.to_physical().cast(pl.Int64), DAY_NS), bare=column.is_not_null())
    if isinstance(kind, pl.Datetime):
        return _datetimes(column, zone, dates)
    if kind.is_numeric():
        return _sealed(_epochs(column))
    if kind == pl.String:
        return _texts(column, zone, dates)
    if kind == pl.Null:
        return _sealed(column.cast(pl.Int64))
    raise DataRefused(f"column {column.name!r} of type {kind} cannot be a time")


def _sealed(
    ns: pl.Series, bare: pl.Series | None = None, why: pl.Series | None = None, wall: pl.Series | None = None
) -> Placed:
    none = pl.Series("why", [None], dtype=pl.String).new_from_index(0, len(ns))
    frame = pl.DataFrame({"ns": ns.cast(pl.Int64), "why": none if why is None else why})
    outside = (pl.col("ns") < 0) | (pl.col("ns") >= _LAST_NS)
    frame = frame.with_columns(
        why=pl.coalesce(
            "why",
            pl.when(pl.col("ns").is_null()).then(pl.lit(UNREADABLE)),
            pl.when(outside).then(pl.lit(OUTSIDE)),
        ),
        ns=pl.when(~outside).then(pl.col("ns")),
    )
    flags = pl.Series("bare", [False]).new_from_index(0, len(ns)) if bare is None else bare
    midnight = ((frame["ns"] if wall is None else wall) % DAY_NS == 0).fill_null(False)
    return Placed(frame["ns"], flags, midnight, frame["why"])


def _scaled(ticks: pl.Series, scale: int) -> pl.Series:
    # Clip before the product, or a date in the year 9999 wraps round into range.
    return ticks.clip(-1, _LAST_NS // scale + 1) * scale


def _datetimes(column: pl.Series, zone: str | None, dates: bool) -> Placed:
    kind = column.dtype
    assert isinstance(kind, pl.Datetime)
    if kind.time_zone is None:
        return _naive(column, zone, dates)
    wall = column.dt.replace_time_zone(None).to_physical()
    scale = _TICKS[kind.time_unit]
    return _sealed(_scaled(column.to_physical(), scale), wall=_scaled(wall, scale))


def _naive(column: pl.Series, zone: str | None, dates: bool) -> Placed:
    kind = column.dtype
    assert isinstance(kind, pl.Datetime)
    ns = _scaled(column.to_physical(), _TICKS[kind.time_unit])
    if dates and bool((ns % DAY_NS == 0).all()):
        return _sealed(ns, bare=ns.is_not_null())
    if zone is None:
        raise DataRefused(f"column {column.name!r} has times of day without a zone; say --timezone UTC if that is it")
    real = column.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    lost = pl.DataFrame({"was": column, "now": real}).select(
        pl.when(pl.col("was").is_not_null() & pl.col("now").is_null()).then(pl.lit(NO_SUCH_TIME)).alias("why")
    )["why"]
    return _sealed(_scaled(real.to_physical(), _TICKS[kind.time_unit]), why=lost, wall=ns)


def _epochs(column: pl.Series) -> pl.Series:
    """Nanoseconds of numbers since 1970, the unit taken from their size; null where no unit fits."""
    number = column.cast(pl.Float64) if column.dtype.is_float() or column.dtype.is_decimal() else column
    low, high = _EPOCH_S
    fits: list[tuple[int, pl.Series]] = []
    for _, scale in _UNITS:
        per = SECOND_NS // scale
        fit = ((number >= low * per) & (number < high * per)).fill_null(False)
        if fit.any():
            fits.append((scale, fit))
    if len(fits) != 1:
        known = "no unit of s, ms, us, ns gives years 1975 to 2100" if not fits else "its numbers are of several units"
        raise DataRefused(f"column {column.name!r} cannot be read as time since 1970: {known}")
    scale, fit = fits[0]
    kept = pl.DataFrame({"n": number, "fit": fit}).select(pl.when("fit").then("n"))["n"]
    if number.dtype == pl.Float64:
        # A float of seconds holds microseconds at best: keep no digits it does not have.
        return (kept * (scale / 1_000)).round().cast(pl.Int64, strict=False) * 1_000
    return kept.cast(pl.Int64, strict=False) * scale


def _texts(column: pl.Series, zone: str | None, dates: bool) -> Placed:
    text = column.str.strip_chars()
    if text.str.contains(r"^\d{9,20}(?:\.\d+)?$").fill_null(False).any():
        return _digits(column.name, text)
    shapes = {
        "bare": text.str.contains(f"^{_DAY}$").fill_null(False),
        "naive": text.str.contains(f"^{_DAY}{_CLOCK}$").fill_null(False),
        "zoned": text.str.contains(f"^{_DAY}{_CLOCK}{_ZONE}$").fill_null(False),
    }
    if not any(shape.any() for shape in shapes.values()):
        example = text.drop_nulls().head(1).to_list()
        raise DataRefused(
            f"column {column.name!r} holds no ISO 8601 time or epoch" + (f", as {example[0]!r:.60}" if example else "")
        )
    if shapes["naive"].any() and shapes["zoned"].any():
        raise DataRefused(f"column {column.name!r} mixes times with a zone and times without one")
    bare = shapes["bare"]
    if shapes["zoned"].any():
        wall = _parsed(text)
        ns = pl.select(pl.when(bare).then(wall).otherwise(wall - _offsets(text))).to_series()
        return _sealed(ns, bare=bare, wall=wall)
    if shapes["naive"].any():
        placed = _naive(_parsed(text).cast(pl.Datetime("ns")).alias(column.name), zone, dates)
        return placed if dates else placed._replace(bare=bare)
    return _sealed(_parsed(text), bare=bare)


def _digits(name: str, text: pl.Series) -> Placed:
    whole = text.cast(pl.Int64, strict=False)
    number = whole if whole.null_count() == text.str.contains(r"^\d+$").not_().sum() else None
    if text.str.contains(r"-\d\d").fill_null(False).any():
        raise DataRefused(f"column {name!r} mixes epochs and dates")
    return _sealed(_epochs((number if number is not None else text.cast(pl.Float64, strict=False)).alias(name)))


def _parsed(text: pl.Series) -> pl.Series:
    """Clock reading in ns as if it were UTC; null where it is no date of the calendar."""
    day = text.str.extract(f"^({_DAY})(?:{_CLOCK}{_ZONE}?)?$")
    clock = text.str.extract(f"^{_DAY}[T ](\\d\\d:\\d\\d(?::\\d\\d)?)").fill_null("00:00")
    short = clock.str.len_chars() == 5
    full = pl.select(pl.when(short).then(clock + ":00").otherwise(clock)).to_series()
    parts = day + "T" + full
    seconds = parts.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False).dt.epoch("s")
    fraction = text.str.extract(f"^{_DAY}[T ]\\d\\d:\\d\\d:\\d\\d\\.(\\d{{1,9}})").fill_null("0")
    return seconds * SECOND_NS + fraction.str.pad_end(9, "0").cast(pl.Int64)


def _offsets(text: pl.Series) -> pl.Series:
    """Each zoned stamp's own offset from UTC in ns; null where there is none or none that exists (14 h at most)."""
    written = text.str.extract(f"{_CLOCK}({_ZONE})$").str.strip_chars()
    plain = written.str.replace_all(":", "").str.replace("^(?:Z|UTC|GMT)$", "+0000")
    hours = plain.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = plain.str.slice(3, 2).replace("", "00").cast(pl.Int64, strict=False)
    total = hours * 60 + minutes
    sign = pl.when(plain.str.starts_with("-")).then(-1).otherwise(1)
    known = (minutes < 60) & (total <= _FARTHEST_MIN)
    return pl.select(pl.when(known).then(sign * total * 60 * SECOND_NS)).to_series()
