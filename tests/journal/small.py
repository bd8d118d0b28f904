"""A small journal of six days, made without a run: bars, judgings, and records of every kind that a run leaves."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from confidence_engine.domain.decision import DECISION
from confidence_engine.domain.event import EVENT, bar_events, timer_events
from confidence_engine.domain.order import INTENT
from confidence_engine.domain.record import ENTRY, EQUITY, LESSON, MARKED
from confidence_engine.domain.units import DAY_NS, HOUR_NS, format_time, parse_time
from confidence_engine.journal import kinds
from confidence_engine.journal.log import Journal, create
from confidence_engine.journal.reader import Genesis, Place, place_of

UUID = "6f2d1f6e-0b5e-4c0e-9d51-2b1f6f6f0c11"
START = parse_time("2026-03-01")
ROWS = {
    "DECISION": DECISION, "INTENT": INTENT, "ENTRY": ENTRY, "EQUITY": EQUITY, "MARKED": MARKED, "LESSON": LESSON,
}  # fmt: skip


def genesis(name: str = "futures", journal: str = UUID) -> Genesis:
    layouts = {key: [[one, row[one].str] for one in row.names or ()] for key, row in ROWS.items()}
    return Genesis(journal, name, name, "agent", format_time(START), 1, 3, "test", layouts, True)


def begun(place: Place, **options: Any) -> Journal:
    """A journal with its first entries."""
    ticks = itertools.count(START, 1000)
    said = [
        (kinds.PARAMS, {"hash": "abc", "config": {"agent": place.name}}),
        (kinds.INSTRUMENT, {"asset": 0, "symbol": "BTC/USDT"}),
        (kinds.INSTRUMENT, {"asset": 1, "symbol": "ETH/USDT"}),
        (kinds.STREAM, {"id": 0, "name": "bars"}),
    ]
    return create(place, genesis(place.name), said, clock=lambda: next(ticks), reserve=0, **options)


def day(journal: Journal, at_ns: int, rng: np.random.Generator, hours: int = 24) -> None:
    """Put and commit `hours` hours from `at_ns` on, six at a time."""
    for first in range(0, hours, 6):
        put(journal, at_ns + first * HOUR_NS, rng)
        journal.commit()


def put(journal: Journal, at_ns: int, rng: np.random.Generator) -> None:
    """Six hours: two bars and a judging each, and what came of it."""
    times = at_ns + HOUR_NS * np.arange(6)
    events = np.zeros(18, EVENT)
    for asset in (0, 1):
        prices = tuple(rng.normal(100.0, 1.0, 6) for _ in range(5))
        events[asset::3] = bar_events(times, times + 1, asset, 0, prices)
    events[2::3] = timer_events(times + 2, True)
    first = journal.put_events(events)
    for k in range(6):
        event, ts = first + 3 * k + 2, int(times[k]) + 2
        if k % 2:
            told = {"document": {"title": f"story {event}", "value": float(rng.random())}, "heard": []}
            journal.put(kinds.DOCUMENT, event, ts, payload=told)
        for asset in (0, 1):
            gates = 0 if rng.random() < 0.2 else int(rng.integers(1, 100))
            one = row("DECISION", seq=event, ts_ns=ts, asset=asset, gates=gates, gap=rng.normal())
            journal.put(kinds.DECISION, event, ts, one)
        journal.put(kinds.EQUITY, event, ts, row("EQUITY", event=event, ts_ns=ts, equity=rng.normal(1e4, 10)))
        journal.put(kinds.MARKED, event, ts, row("MARKED", event=event, ts_ns=ts, price=rng.normal(100, 1)))
        if k == 3:
            journal.put(kinds.ENTRY, event, ts, row("ENTRY", event=event, ts_known=ts, amount_usd=rng.normal()))
            journal.put(kinds.LESSON, event, ts, row("LESSON", event=event, ts_ns=ts, net_usd=rng.normal()))


def row(name: str, **values: Any) -> bytes:
    """The bytes of one row."""
    one = np.zeros(1, ROWS[name])
    for key, value in values.items():
        one[key] = value
    return one.tobytes()


def filled(place: Place, days: int, hours: int = 24) -> Journal:
    """A journal of so many days, open."""
    journal = begun(place)
    rng = np.random.default_rng(7)
    for k in range(days):
        day(journal, START + k * DAY_NS, rng, hours)
    return journal


def made(home: Path, days: int = 6, name: str = "futures") -> Place:
    """A closed journal of so many days in `home`."""
    place = place_of(home, name)
    filled(place, days).close()
    return place
