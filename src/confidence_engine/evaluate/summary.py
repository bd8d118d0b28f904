"""The figures of a replay, each with what it takes to believe it: n, interval, hashes, what was missing.

`summarise` is the one dictionary that the command line prints, `runs` lists and `diff` compares.
Missing is null, never zero: no trades means no Sharpe ratio and no percentile.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.event import BAR, FILL, LIQUIDATION
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.order import INTENT_SUBMIT
from confidence_engine.domain.outcome import UNRESOLVED, WON, labels
from confidence_engine.domain.trading import SESSION_ROW, trading_time
from confidence_engine.domain.units import DAY_NS, HOUR_NS, format_interval, format_time
from confidence_engine.drivers.replay import Result
from confidence_engine.drivers.revision import code_revision
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.comparable import comparable
from confidence_engine.evaluate.lessons import learnt
from confidence_engine.evaluate.performance import (
    DAYS_A_YEAR,
    Estimate,
    Performance,
    hold_curve,
    measure,
    minimum_track_days,
    trades_from_fills,
)
from confidence_engine.evaluate.randomness import DRAWS, random_entry_percentile
from confidence_engine.evaluate.share import share_of_cases, stretch_ns
from confidence_engine.feeds.assemble import Tape, Window
from confidence_engine.kernel.state import state_hash

__all__ = [
    "LABEL", "ROUND_THE_CLOCK", "SUMMARY_SCHEMA", "Figures", "base_per_lot", "figures", "label_cases", "live_hours",
    "outcomes", "round_trip_cost", "rows_hash", "summarise", "warmup_days",
]  # fmt: skip

ROUND_THE_CLOCK: Final = np.zeros(0, SESSION_ROW)
"""The sessions of what always trades."""
SUMMARY_SCHEMA: Final = 1


class Figures(NamedTuple):
    """What is measured once and used by summary, artefacts and chart."""

    performance: Performance
    trades: np.ndarray
    hold: np.ndarray
    labelled: np.ndarray  # LABEL
    further: dict[int, np.ndarray]  # LABEL by horizon, the config's own among them; empty where it has but one


LABEL: Final = np.dtype([("seq", "i8"), ("ts_ns", "i8"), ("y", "i8"), ("net_return", "f8"), ("resolved_ns", "i8")])


def base_per_lot(instruments: tuple[Instrument, ...]) -> list[float]:
    """Base quantity of one lot by asset id."""
    return [one.lot * one.multiplier for one in instruments]


def round_trip_cost(config: Config, one: Instrument) -> float:
    """Fees and half spreads of an entry and an exit, as a fraction of notional."""
    return 2.0 * (one.taker * config.sim.fee_factor + one.half_spread * config.sim.spread_factor)


def figures(config: Config, sources: Sources, result: Result) -> Figures:
    """Measure a finished run."""
    ts, equity = result.equities["ts_ns"], result.equities["equity"]
    base = base_per_lot(sources.instruments)
    bars = [comparable(sources, one) for one in sources.instruments]
    side = [round_trip_cost(config, one) / 2.0 for one in sources.instruments]
    klass = sources.instruments[0].klass
    return Figures(
        measure(ts, equity, result.entries, base, klass, _closes(sources)),
        trades_from_fills(result.entries, base),
        hold_curve(ts, bars, side, config.agent.initial_equity_usd),
        outcomes(config, sources, result.decisions, config.outcome.horizon_ns),
        {h: outcomes(config, sources, result.decisions, h) for h in _horizons(config)},
    )


def _horizons(config: Config) -> list[int]:
    """All horizons that have figures of their own, rising; none where there is but one."""
    p = config.outcome
    return sorted({p.horizon_ns, *p.also_ns}) if p.also_ns else []


def _closes(sources: Sources) -> np.ndarray | None:
    """Ends of the sessions, where nothing trades round the clock."""
    if any(not one.calendar for one in sources.instruments):
        return None
    return np.unique(np.concatenate([rows["close_ns"] for rows in sources.sessions.values()]))


def outcomes(config: Config, sources: Sources, decisions: np.ndarray, horizon_ns: int | None = None) -> np.ndarray:
    """LABEL [m]: the event Y for the first case of each story, or score, and asset whose gap passed the trigger.

    One label a story, or a stored score where no story spoke, however often it was judged and whether or not the
    account took it: what the account may do says nothing of the story. The horizon
    (default: the config's) is trading time.
    """
    horizon_ns = config.outcome.horizon_ns if horizon_ns is None else horizon_ns
    cases = decisions[(decisions["strength"] > 0.0) & (decisions["gap"] * decisions["side"] > 0.0)]
    found = []
    for i, one in enumerate(sources.instruments):
        mine = _first_cases(cases[cases["asset"] == i], sources.scores.get(one.key))
        if not len(mine):
            continue
        sessions = sources.sessions[one.calendar] if one.calendar else ROUND_THE_CLOCK
        found.append(label_cases(config, one, comparable(sources, one), mine, horizon_ns, sessions))
    return np.sort(np.concatenate(found), order="seq") if found else np.zeros(0, LABEL)


def label_cases(
    config: Config, one: Instrument, bars: np.ndarray, mine: np.ndarray, horizon_ns: int, sessions: np.ndarray
) -> np.ndarray:
    """LABEL [m] of the decisions `mine` on one instrument, by its bars; the horizon counts on its sessions' clock."""
    p = config.outcome
    o, h, low, c = (np.ascontiguousarray(bars[x]) for x in "ohlc")
    opened, closed, at = (
        np.ascontiguousarray(trading_time(sessions, ns)) for ns in (bars["open_ns"], bars["close_ns"], mine["ts_ns"])
    )
    sigma = mine["sigma"] * np.sqrt(horizon_ns / config.agent.interval_ns)
    cost = np.full(len(mine), round_trip_cost(config, one))
    y, net, resolved = labels(
        opened, closed, o, h, low, c, at, np.ascontiguousarray(mine["side"]),
        horizon_ns, sigma, p.loss_sigma, p.win_sigma, cost, config.sim.grace_ns,
    )  # fmt: skip
    rows = np.zeros(len(mine), LABEL)
    rows["seq"], rows["ts_ns"] = mine["seq"], mine["ts_ns"]
    rows["y"], rows["net_return"], rows["resolved_ns"] = y, net, resolved
    if len(sessions):  # the wall time at which the bar was over
        which = np.minimum(np.searchsorted(closed, resolved), len(closed) - 1)
        rows["resolved_ns"] = np.where(resolved > 0, bars["close_ns"][which], resolved)
    return rows


def _first_cases(mine: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
    """Of one asset's cases in order, the first of each leading story, and of each score where only a score spoke."""
    told = np.flatnonzero(mine["stories"] > 0)
    kept = [told[np.unique(mine["lead"][told], return_index=True)[1]]]
    if scores is not None:
        alone = np.flatnonzero(mine["stories"] == 0)
        which = np.searchsorted(scores["known_ns"], mine["ts_ns"][alone], side="right")
        kept.append(alone[np.unique(which, return_index=True)[1]])
    return mine[np.sort(np.concatenate(kept))]


def live_hours(decisions: np.ndarray, sources: Sources | None = None) -> dict[int, np.ndarray]:
    """asset -> UTC hours (i8, since 1970, ascending) in which a story or a score lived for it.

    With `sources`, what lived while a market was closed counts in the hour of its next bar.
    """
    spoke = decisions[(decisions["stories"] > 0) | (decisions["score_weight"] > 0.0)]
    found = {}
    for asset in np.unique(spoke["asset"]).tolist():
        at = spoke["ts_ns"][spoke["asset"] == asset]
        one = None if sources is None else sources.instruments[asset]
        if sources is not None and one is not None and one.calendar:
            opens = sources.bars[one.key]["open_ns"]
            following = np.searchsorted(opens, at)
            at = opens[following[following < len(opens)]]
        found[int(asset)] = np.unique(at // HOUR_NS)
    return found


def warmup_days(config: Config, sources: Sources, start_ns: int) -> dict[str, float]:
    """Days of bars that the config wants before the start, and those found for the symbol that has the fewest."""
    interval = config.agent.interval_ns
    found = []
    for one in sources.instruments:
        rows = sources.bars[one.key]
        before = rows[rows["close_ns"] <= start_ns]
        days = len(before) * interval / DAY_NS
        if one.calendar and len(before):  # days of the calendar, not sessions
            days = (start_ns - int(before["open_ns"][0])) / DAY_NS
        found.append(days)
    return {"wanted": config.agent.warmup_ns / DAY_NS, "found": round(min(found), 3)}


def rows_hash(rows: np.ndarray) -> str:
    """SHA-256 over the bytes of a structured array, 64 hex digits."""
    return hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()


def summarise(
    config: Config, sources: Sources, window: Window, tape: Tape, result: Result, made: Figures,
    reader: str,
) -> dict[str, Any]:  # fmt: skip
    """Every figure of the run, JSON-able. Money in USD, rates as fractions, times ISO 8601 UTC.

    `reader`: name and version of what read the documents.
    """
    return {
        "schema": SUMMARY_SCHEMA,
        "agent": config.agent.name,
        "config": config.path.name,
        "start": format_time(window.start_ns),
        "end": format_time(window.end_ns),
        "symbols": [one.symbol for one in sources.instruments],
        "missing_symbols": list(sources.missing),
        "warmup_days": warmup_days(config, sources, window.start_ns),
        "synthetic": sources.synthetic,
        "adjusted_symbols": [one.symbol for one in sources.instruments if one.key in sources.adjusted],
        "bars_outside_sessions": sum(sources.outside.values()),
        **_counts(sources, tape, result),
        "trades": made.performance.trades,
        **_money(made.performance, sources.instruments[0].klass),
        "hold_pnl_usd": float(made.hold[-1]) - config.agent.initial_equity_usd,
        **_luck(config, sources, window, result, made),
        "outcomes": _labelled(sources, made.labelled, config.outcome.horizon_ns),
        "outcomes_by_horizon": {format_interval(h): _labelled(sources, rows, h) for h, rows in made.further.items()},
        "feedback": learnt(config, sources, result, tape.streams.names),
        "first_warm": _first_warm(sources, result),
        "degraded_share": result.degraded / result.judged if result.judged else None,
        "reader": reader,
        **_identity(config, sources, result),
        "cpu_events_per_s": result.events / result.cpu_s if result.cpu_s > 0 else None,
    }


def _counts(sources: Sources, tape: Tape, result: Result) -> dict[str, Any]:
    """How much came in, was judged, refused and done; warm-up included in events, bars and documents."""
    kinds = result.entries["kind"]
    return {
        "events": result.events,
        "bars": int((tape.events["kind"] == BAR).sum()),
        "documents": len(sources.documents),
        "decisions": len(result.decisions),
        "judged": result.judged,
        "entries": int((result.decisions["gates"] == 0).sum()),
        "refusals": result.refusals,
        "orders": int((result.intents["action"] == INTENT_SUBMIT).sum()),
        "fills": int((kinds == FILL).sum()),
        "liquidations": int((kinds == LIQUIDATION).sum()),
        "orders_refused": int(result.state.book["rejected"].sum()),
        "stories_displaced": int(result.state.head[0].clusters_full),
    }


def _days_needed(one: Estimate, klass: str) -> float | None:
    """Days of record that would show a Sharpe ratio of this size to be above zero; None where it is not above."""
    days = math.inf if one.value is None else minimum_track_days(one.value, 0.0, DAYS_A_YEAR[klass])
    return days if math.isfinite(days) else None


def _money(performance: Performance, klass: str) -> dict[str, Any]:
    """What was earned and at what risk; a figure that a run cannot carry is null."""
    return {
        "net_pnl_usd": performance.net_pnl_usd,
        "fees_usd": performance.fees_usd,
        "funding_usd": performance.funding_usd,
        "turnover_usd": performance.turnover_usd,
        "max_drawdown": performance.max_drawdown.fraction,
        "exposure": msgspec.to_builtins(performance.exposure),
        "sharpe": _estimate(performance.sharpe),
        "sharpe_days_needed": _days_needed(performance.sharpe, klass),
        "win_rate": _estimate(performance.win_rate),
        "payoff_ratio": performance.payoff_ratio,
    }


def _identity(config: Config, sources: Sources, result: Result) -> dict[str, Any]:
    return {
        "state_hash": state_hash(result.state),
        "decisions_hash": rows_hash(result.decisions),
        "fills_hash": rows_hash(result.entries),
        "params_hash": config.hash,
        "data_hash": sources.data_hash,
        "code_revision": code_revision(),
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"value": one.value, "ci95": list(one.ci95) if one.ci95 else None, "n": one.n}


def _luck(config: Config, sources: Sources, window: Window, result: Result, made: Figures) -> dict[str, Any]:
    """Where the result stands among entries at random times that keep sides, sizes, holding times and costs.

    Drawn from the hours with live evidence, in which the agent could have traded; `random_entry_all_hours` draws
    from the whole period, and so also counts which hours had anything to go by.
    """
    slip = {i: one.half_spread * config.sim.spread_factor for i, one in enumerate(sources.instruments)}
    bars = {i: comparable(sources, one) for i, one in enumerate(sources.instruments)}
    given = (made.trades, bars, window.start_ns, window.end_ns, slip, DRAWS)
    luck = random_entry_percentile(*given, live=live_hours(result.decisions, sources))
    return {
        "random_entry_percentile": luck.percentile,
        "random_entry": msgspec.to_builtins(luck),
        "random_entry_all_hours": msgspec.to_builtins(random_entry_percentile(*given)),
    }


def _labelled(sources: Sources, rows: np.ndarray, horizon_ns: int) -> dict[str, Any]:
    """Share of cases whose gap closed as predicted, with its interval; unresolved ones are counted apart."""
    seen = rows[rows["y"] != UNRESOLVED]
    return {
        "closed": msgspec.to_builtins(share_of_cases(seen["y"] == WON, seen["ts_ns"], sources, horizon_ns)),
        "mean_net_return": float(seen["net_return"].mean()) if len(seen) else None,
        "unresolved": len(rows) - len(seen),
        "block": format_interval(stretch_ns(horizon_ns)),
    }


def _first_warm(sources: Sources, result: Result) -> dict[str, str | None]:
    """When each asset had enough bars to be judged; null where it never had."""
    warm = result.state.asset["first_warm_ns"]
    return {one.symbol: format_time(int(warm[i])) if warm[i] else None for i, one in enumerate(sources.instruments)}
