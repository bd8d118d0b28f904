"""Replay: recorded rows in, decisions and simulated trades out, in one pass of the compiled loop.

`read` turns documents into readings, `compose` lays everything on one tape, `play` runs it. The
three are apart so that a test, an audit or `decide` can change one and keep the others. Nothing
here decides anything: that is the kernel's alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.decision import GATE_NAMES
from confidence_engine.domain.document import known_at
from confidence_engine.domain.errors import DataRefused, KernelHalted
from confidence_engine.domain.event import ADJUSTED, EVENT, SYNTHETIC, signal_events
from confidence_engine.domain.instrument import CLASSES, Instrument, Underlying, calendars_of, instrument_rows
from confidence_engine.domain.params import params_record
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.record import EQUITY, MARKED
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.loop import run
from confidence_engine.drivers.sources import Sources
from confidence_engine.drivers.stretch import Row, halted
from confidence_engine.feeds.assemble import (
    Piece,
    Tape,
    Window,
    assemble,
    bar_piece,
    corporate_piece,
    cut,
    funding_piece,
    opened_at,
    score_piece,
    session_piece,
)
from confidence_engine.feeds.clean import CORPORATE_ROW
from confidence_engine.feeds.holes import Stored, bars_heard, news_heard
from confidence_engine.feeds.ingress import FEED_STREAM
from confidence_engine.journal import kinds
from confidence_engine.kernel.out import Out, clear, new_out
from confidence_engine.kernel.params import Params
from confidence_engine.kernel.state import State, new_state
from confidence_engine.text.reading import Readings, read_documents
from confidence_engine.venues.sim import Venue, new_venue

__all__ = ["Result", "compose", "initial", "last_rows", "play", "read", "signals", "told_about", "window_of"]

Progress = Callable[[int, int], None]
Keep = Callable[[int, np.ndarray, Out], None]
"""(sequence of the first event stepped, the stored events of the stretch, what came out of it)."""


class Result(NamedTuple):
    """Everything a run said, and the state it ended in."""

    decisions: np.ndarray  # DECISION
    intents: np.ndarray  # INTENT
    entries: np.ndarray  # ENTRY: fills, liquidations, funding
    equities: np.ndarray  # EQUITY, hourly
    marks: np.ndarray  # MARKED, hourly
    lessons: np.ndarray  # LESSON: what came of it, and what changed
    refusals: dict[str, int]
    judged: int
    degraded: int
    events: int
    cpu_s: float
    state: State
    venue: Venue


def window_of(config: Config, start_ns: int, end_ns: int) -> Window:
    """Loaded from `warmup` before the start; decided in [start, end)."""
    return Window(start_ns - config.agent.warmup_ns, start_ns, end_ns)


def told_about(instruments: tuple[Instrument, ...], underlyings: Sequence[Underlying] = ()) -> list[str]:
    """Names of the underlyings of these instruments, then the markets of their classes; the position is the id a SIGNAL
    carries.
    """
    classes = {one.klass for one in instruments}
    markets = sorted(one.name for one in underlyings if one.market and one.klass in classes)
    return [*sorted({one.underlying for one in instruments}), *markets]


def read(config: Config, sources: Sources, reader: Reader) -> Readings:
    """Every document read against the whole universe, so that a title about many coins is told from one about one."""
    symbols = {one.symbol: one.underlying for one in config.universe.instruments}
    return read_documents(
        sources.documents, config.universe.underlyings, reader, config.text,
        config.timing.news_lag_ns, symbols,
    )  # fmt: skip


def signals(config: Config, sources: Sources, readings: Readings) -> np.ndarray:
    """SIGNAL events about the underlyings that are traded; `source` is still an index into the publishers."""
    ids = {name: k for k, name in enumerate(told_about(sources.instruments, config.universe.underlyings))}
    number = np.array([ids.get(one.name, -1) for one in config.universe.underlyings], np.int64)
    columns: Any = readings.signal_columns()
    happened, known, underlying, publisher, reading = columns
    events = signal_events(happened, known, np.zeros(len(known), np.uint16), publisher, reading)
    traded = number[underlying] if len(known) else np.zeros(0, np.int64)
    events["asset"] = np.maximum(traded, 0)
    return events[traded >= 0]


def compose(config: Config, sources: Sources, readings: Readings, window: Window) -> Tape:
    """Sessions, bars, corporate actions, funding, scores, readings, what is wrong with the feeds, and timers in the
    total order: what a run is told that lives through it.

    Raises DataRefused where a simulated world is put before an agent that may spend real money.
    """
    if sources.synthetic and config.agent.real_money:
        raise DataRefused(f"the agent {config.agent.name} trades real money; simulated data is no reason to")
    clock = config.timing
    pieces: list[Piece] = []
    for i, one in enumerate(sources.instruments):
        marks = ADJUSTED if one.key in sources.adjusted else 0
        interval, (rows, faults) = config.agent.interval_ns, _heard(config, sources, window, i)
        pieces.append(bar_piece(rows, i, one.venue, interval, clock.bar_latency_ns, window, marks))
        pieces.append(Piece(FEED_STREAM, faults))
        if one.key in sources.corporate:
            actions, opens = sources.corporate[one.key], sources.sessions[one.calendar]
            pieces.append(corporate_piece(actions, i, one.venue, opens, window))
        if one.key in sources.funding:
            pieces.append(funding_piece(sources.funding[one.key], i, one.venue, clock.funding_latency_ns, window))
        if one.key in sources.scores:
            pieces.append(score_piece(sources.scores[one.key], i, one.venue, window))
    names = calendars_of(sources.instruments)
    pieces += [session_piece(sources.sessions[name], name, k, window) for k, name in enumerate(names, 1)]
    pieces.append(Piece(FEED_STREAM, _unheard(config, sources, window, pieces)))
    all_day = any(not one.calendar for one in sources.instruments)
    told = told_about(sources.instruments, config.universe.underlyings)
    return assemble(
        pieces, signals(config, sources, readings), readings.publishers, window, clock,
        len(sources.instruments), len(told), SYNTHETIC if sources.synthetic else 0,
        () if all_day else tuple(sources.sessions[name] for name in names), config.agent.interval_ns >= DAY_NS,
    )  # fmt: skip


def _heard(config: Config, sources: Sources, window: Window, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Bars of an instrument that a run would take, and the FEED events that it would be told beside them."""
    one, clock = sources.instruments[number], config.timing
    rows = cut(sources.bars[one.key], "close_ns", clock.bar_latency_ns, window)
    hours = sources.sessions[one.calendar] if one.calendar else None
    actions, opened = sources.corporate.get(one.key, np.zeros(0, CORPORATE_ROW)), np.zeros(0, np.int64)
    if hours is not None:
        actions, opened = opened_at(actions, hours)
    stored = Stored(one, rows, hours, actions, opened)
    taken, faults = bars_heard(stored, number, config.agent.interval_ns, clock, config.health, window.end_ns)
    return (rows if taken.all() else rows[taken]), faults


def _unheard(config: Config, sources: Sources, window: Window, pieces: Sequence[Piece]) -> np.ndarray:
    """FEED events of news that was silent too long."""
    if not config.health.news_silence_ns:
        return np.zeros(0, EVENT)
    lag_ns = config.timing.news_lag_ns
    known = np.array([known_at(one, lag_ns) for one in sources.documents], np.int64)
    first = [int(one.events["ts_known"].min()) for one in pieces if len(one.events)]
    begin_ns = min([*first, *known.tolist()], default=window.load_ns)
    return news_heard(known, begin_ns, config.health.news_silence_ns, window.end_ns)


def initial(config: Config, instruments: tuple[Instrument, ...]) -> tuple[State, Venue]:
    """Kernel and venue before the first event."""
    told = told_about(instruments, config.universe.underlyings)
    rows, tiers = instrument_rows(list(instruments), told, config.agent.interval_ns)
    klass = {one.name: CLASSES.index(one.klass) for one in config.universe.underlyings}
    priors = np.ones((len(CLASSES), 3))
    for one in config.universe.classes:
        priors[CLASSES.index(one.name)] = one.annual_volatility, one.story_spread, one.trading_seconds_per_year
    equity = config.agent.initial_equity_usd
    markets = {
        klass[one.name]: told.index(one.name) for one in config.universe.underlyings if one.market and one.name in told
    }
    state = new_state(rows, tiers, [klass[name] for name in told], priors, equity, markets)
    return state, new_venue(len(state.asset), equity)


def play(
    config: Config, instruments: tuple[Instrument, ...], events: np.ndarray, progress: Progress | None = None,
    params: Params | None = None, keep: Keep | None = None, begin: tuple[State, Venue] | None = None,
) -> Result:  # fmt: skip
    """Run events through kernel and simulated venue; `keep` is handed every stretch of it.

    `begin` is what it begins with and goes on in, a fresh state where none is given. Raises KernelHalted.
    """
    state, venue = begin or initial(config, instruments)
    out = new_out(len(instruments))
    records = params_record(params or config.kernel), params_record(config.sim)
    drained: dict[str, list[np.ndarray]] = {name: [] for name in _ROWS}
    run(state, venue, events[:0], 0, *records, out)  # machine code is loaded before the clock starts
    at, began = 0, time.process_time()
    while True:
        stop, first = min(at + 65_536, len(events)), int(state.head[0].steps)
        done = run(state, venue, events[:stop], at, *records, out)
        if out.head[0].status:
            raise KernelHalted(halted(out.head[0], events))
        if keep is not None:
            kept = time.process_time()
            keep(first, events[at:done], out)
            began += time.process_time() - kept  # what is written down is not what the kernel costs
        _drain(out, drained)
        if progress is not None:
            progress(int(done), len(events))
        at = done
        if at >= len(events):
            break
    last = _last_equity(state)
    drained["equities"].append(last)
    drained["marks"].append(_last_marks(state) if len(last) else np.zeros(0, MARKED))
    rows = {name: np.concatenate(parts) for name, parts in drained.items()}
    return Result(
        **rows, refusals=dict(zip(GATE_NAMES, out.refusals.tolist(), strict=True)), judged=int(out.head[0].judged),
        degraded=int(out.head[0].degraded), events=len(events), cpu_s=time.process_time() - began, state=state,
        venue=venue,
    )  # fmt: skip


_ROWS = ("decisions", "intents", "entries", "equities", "marks", "lessons")


def _drain(out: Any, drained: dict[str, list[np.ndarray]]) -> None:
    head = out.head[0]
    for name in _ROWS:
        drained[name].append(getattr(out, name)[: getattr(head, name)].copy())
    clear(out)


def last_rows(state: State) -> list[Row]:
    """What a run writes at its end without an event that made it: the last equity and the price of all that is held."""
    last = _last_equity(state)
    marks = _last_marks(state) if len(last) else np.zeros(0, MARKED)
    return [
        Row(int(row["event"]), kind, int(row["ts_ns"]), row.tobytes())
        for kind, rows in ((kinds.EQUITY, last), (kinds.MARKED, marks))
        for row in rows
    ]


def _last_equity(state: State) -> np.ndarray:
    """The equity row of the end, at the last known prices; none where the period held no decided timer."""
    head, book, n = state.head[0], state.book, int(state.head[0].n_assets)
    row = np.zeros(1 if head.last_equity_ns else 0, EQUITY)
    if not len(row) or head.now_ns == head.last_equity_ns:
        return row[:0]
    one = state.inst["lot"][:n] * state.inst["multiplier"][:n]
    lots, mark = book["lots"][:n], book["mark_price"][:n]
    gain = lots * one * (mark - book["entry_price"][:n])
    row["event"] = head.steps - 1
    row["ts_ns"], row["balance"], row["equity"] = head.now_ns, head.balance, head.balance + gain.sum()
    row["gross"], row["net_usd"] = (abs(lots) * one * mark).sum(), (lots * one * mark).sum()
    row["used_margin"], row["open_positions"] = book["margin"][:n].sum(), (lots != 0).sum()
    return row


def _last_marks(state: State) -> np.ndarray:
    """The price of everything held at the end, so that the last equity row can be reproduced like the others."""
    book = state.book
    held = np.flatnonzero(book["lots"])
    rows = np.zeros(len(held), MARKED)
    rows["event"], rows["ts_ns"], rows["asset"] = state.head[0].steps - 1, state.head[0].now_ns, held
    rows["lots"], rows["price"] = book["lots"][held], book["mark_price"][held]
    return rows
