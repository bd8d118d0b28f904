"""Times are int64 nanoseconds UTC; durations int64 nanoseconds; rates fractions.

One place to read what people write ("5m", "90min", "0.5%", "2023-03-11T05:00Z")
and to write it back. Nothing here reads a clock and nothing here knows local time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from confidence_engine.domain.errors import UsageError

__all__ = [
    "DAY_NS",
    "HOUR_NS",
    "MILLI_NS",
    "MINUTE_NS",
    "SECOND_NS",
    "WEEK_NS",
    "format_duration",
    "format_interval",
    "format_time",
    "parse_duration",
    "parse_fraction",
    "parse_time",
]

MILLI_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS
WEEK_NS: Final = 7 * DAY_NS

_UNITS: Final = {
    "ns": 1,
    "ms": MILLI_NS,
    "s": SECOND_NS,
    "m": MINUTE_NS,
    "min": MINUTE_NS,
    "h": HOUR_NS,
    "d": DAY_NS,
    "w": WEEK_NS,
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ns|ms|min|s|m|h|d|w)\s*")
_FRACTION = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(%|bps)\s*")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration with its unit, "5m", "90 min", "30d".

    Raises UsageError where the unit is missing or unknown.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise UsageError(f"{text!r} is not a duration; write a number and one of {', '.join(_UNITS)}, as in '5m'")
    number, unit = found.groups()
    scale = _UNITS[unit]
    return int(number) * scale if number.isdigit() else round(float(number) * scale)


def parse_fraction(text: str) -> float:
    """Fraction written as "0.5%" or "50bps". Raises UsageError without one of the two units."""
    found = _FRACTION.fullmatch(text)
    if not found:
        raise UsageError(f"{text!r} is not a rate; write it with % or bps, as in '0.5%' or '50bps'")
    return float(found.group(1)) / (100.0 if found.group(2) == "%" else 10_000.0)


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 UTC of an ISO 8601 time; a bare date is its midnight.

    A time of day needs its zone ("Z" or an offset): a naive one is refused with
    UsageError, because guessing a zone is how a backtest starts to look ahead.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{text!r} is not an ISO 8601 time, as in '2023-03-11T05:00Z': {error}") from error
    if at.tzinfo is None:
        if at.time() != datetime.min.time() or len(text.strip()) > len("2023-03-11"):
            raise UsageError(f"{text!r} has no time zone; write '...Z' for UTC")
        at = at.replace(tzinfo=UTC)
    return (at - _EPOCH) // _MICRO * 1000


def format_time(ns: int) -> str:
    """ISO 8601 in UTC with a Z, to the second where that is exact, else to the microsecond."""
    at = _EPOCH + timedelta(microseconds=ns // 1000)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ" if not at.microsecond else "%Y-%m-%dT%H:%M:%S.%fZ")


def format_duration(ns: int) -> str:
    """A duration for people, its two largest units: "5 h 41 min"."""
    sign, rest = ("-" if ns < 0 else ""), abs(ns)
    parts: list[str] = []
    for name, scale in (("d", DAY_NS), ("h", HOUR_NS), ("min", MINUTE_NS), ("s", SECOND_NS)):
        if rest >= scale:
            parts.append(f"{rest // scale} {name}")
            rest %= scale
    return sign + (" ".join(parts[:2]) if parts else "0 s")


def format_interval(ns: int) -> str:
    """A bar interval in its largest whole unit: "5m", "1h", "1d". The inverse of parse_duration."""
    for name, scale in (("d", DAY_NS), ("h", HOUR_NS), ("m", MINUTE_NS), ("s", SECOND_NS), ("ms", MILLI_NS)):
        if ns >= scale and ns % scale == 0:
            return f"{ns // scale}{name}"
    return f"{ns}ns"
