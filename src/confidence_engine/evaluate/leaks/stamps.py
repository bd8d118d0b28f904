"""No event is known before its raw row could be: each is traced to the row that says it, and their times compared.

The row is found by what it says, not by its stamp, so an event whose stamp was moved finds no row that says this at
that time and is a leak like one that comes too early. Events that no file brings are held to what they are about: a
session is known at its open, and timers are about nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from confidence_engine.domain.event import (
    BAR,
    CORPORATE,
    DIVIDEND,
    FUNDING,
    KIND_NAMES,
    SCORE,
    SESSION,
    SIGNAL,
    SPLIT,
    bar_close,
    bar_high,
    bar_low,
    bar_open,
    corporate_what,
    funding_rate,
    score_horizon,
    score_mean,
    score_std,
    session_open,
)
from confidence_engine.domain.units import SECOND_NS, format_time
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.evaluate.leaks.raw import Table
from confidence_engine.evaluate.leaks.rebuilt import Rebuilt

__all__ = ["STAMPS", "stamps"]

STAMPS: Final = "stamps"

Key = tuple[object, ...]


def stamps(tables: Sequence[Table], run: Rebuilt, check: Check) -> None:
    """Every event of the tape of `run`, which was made from `tables`."""
    with check.timed():
        earliest = _earliest(tables, run)
        for kind in (BAR, FUNDING, SCORE, CORPORATE, SIGNAL, SESSION):
            events = run.tape.events[run.tape.events["kind"] == kind]
            opens = _read(session_open)(events.view(np.recarray)).tolist() if kind == SESSION else []
            for k, (key, known) in enumerate(zip(_keys(events, kind, run), events["ts_known"].tolist(), strict=True)):
                check.n += 1
                allowed = int(opens[k]) if kind == SESSION else earliest.get(key)
                if allowed is not None and known >= allowed:
                    continue
                told = f"{KIND_NAMES[kind]} known {format_time(known)}"
                if allowed is None:
                    check.leak(f"{told}: no raw row says this of that time")
                else:
                    check.leak(f"{told}: it could not be known before {format_time(allowed)}")


def _read(reader: Any) -> Any:
    """A reader of `domain.event` as a plain function of a whole array."""
    return getattr(reader, "py_func", reader)


_SAYS: Final = {
    BAR: (bar_open, bar_high, bar_low, bar_close), FUNDING: (funding_rate,),
    SCORE: (score_mean, score_std, score_horizon), CORPORATE: (corporate_what,), SIGNAL: (), SESSION: (),
}  # fmt: skip


def _keys(events: np.ndarray, kind: int, run: Rebuilt) -> Iterator[Key]:
    """What each event of one kind says, as `_said` has it of rows."""
    symbols = [one.symbol for one in run.sources.instruments]
    at = events["ts_known" if kind == CORPORATE else "ts_event"].tolist()
    said = [_read(reader)(events.view(np.recarray)).tolist() for reader in _SAYS[kind]]
    whose = [""] * len(at) if kind in (SIGNAL, SESSION) else [symbols[i] for i in events["asset"].tolist()]
    return zip([kind] * len(at), whose, at, *said, strict=True)


def _earliest(tables: Sequence[Table], run: Rebuilt) -> dict[Key, int]:
    """The earliest that anything could be known, by what is said."""
    found: dict[Key, int] = {}
    for table in tables:
        for key, knowable in zip(_said(table, run), table.knowable.tolist(), strict=True):
            found[key] = min(knowable, found.get(key, knowable))
    return found


def _said(table: Table, run: Rebuilt) -> Iterator[Key]:
    """The keys of a table's rows, in their order."""
    clock, frame = run.config.timing, table.frame
    symbol = table.how.symbols[0] if table.how.symbols else ""
    if table.kind == "bars":
        prices = (frame[name].to_list() for name in ("open", "high", "low", "close"))
        for over, *ohlc in zip((table.knowable - clock.bar_latency_ns).tolist(), *prices, strict=True):
            yield BAR, symbol, over, *ohlc
    elif table.kind == "funding":
        for at, rate in zip((table.knowable - clock.funding_latency_ns).tolist(), frame["rate"].to_list(), strict=True):
            yield FUNDING, symbol, at, rate
    elif table.kind == "scores":
        columns = [frame[name].to_list() for name in ("symbol", "mean", "std", "horizon")]
        for at, name, mean, std, horizon in zip(table.knowable.tolist(), *columns, strict=True):
            yield SCORE, name, at, mean, std, float(round(horizon * SECOND_NS))
    elif table.kind == "corporate":
        for split, at in zip(frame["split"].to_list(), table.knowable.tolist(), strict=True):
            yield CORPORATE, symbol, at, float(SPLIT if split != 1.0 else DIVIDEND)
    else:
        published = frame["published_at"].dt.epoch("ns").to_list()
        yield from ((SIGNAL, "", at) for at in published)
