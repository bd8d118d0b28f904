"""Two oracles of a simulated world, and what they say of the engine's own decisions.

Oracle A knows the world's parameters, its regime now and every event that has happened: which stories are true, their
sign and size. It does not know future shocks, regimes and events. Oracle B knows the parameters too, but hears only
what the engine hears: the numeric readings and the prices (`listener`). Each gives P(Y = 1) of a decision, with the
entry, barriers, horizon and costs of `domain.outcome` (`race`), so that any stage can be measured against what could
have been known. Nobody can rank cases better than A but by luck, nor, but for the filter's approximations (a story
the text stage parts in two counts twice, untold events are noise), better than B with what the engine hears.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS
from confidence_engine.evaluate.listener import HEARD, Hearing, Listener, Tape, regime_filter, tape_of
from confidence_engine.evaluate.planted import CASE, Planted, Played, cases_of, clarity_of, play_planted
from confidence_engine.evaluate.race import Bank, Start, bank_of, chance, entry_of
from confidence_engine.evaluate.summary import round_trip_cost
from confidence_engine.feeds.world import PUBLISHERS, World
from confidence_engine.feeds.world.market import busy

__all__ = [
    "CONFIDENCE_EDGES",
    "JUDGED",
    "Verdict",
    "consult",
    "hearing_of",
    "heard_of",
    "judged",
    "oracle_cases",
    "replayed_cases",
    "truth_gap",
]

JUDGED: Final = np.dtype([*CASE.descr, ("a", "f8"), ("b", "f8"), ("words", "f8"), ("first", "i8")])
"""A case, what each oracle gives it, and B where it weighs words alone; the sign of the first telling of its leading
story, times its side."""

CONFIDENCE_EDGES: Final = (0.5, 0.525, 0.55, 0.6, 0.65, 0.75)
"""Ends of the buckets that an uncalibrated confidence is shown in."""


class Verdict(NamedTuple):
    """JUDGED cases of one world, and what its replay earned, USD net of costs."""

    cases: np.ndarray
    net_usd: float
    trades: int


def oracle_cases(seed: int, reader: Reader, p: Planted = Planted()) -> Verdict:  # noqa: B008 (immutable)
    """The planted cases of a seed's world with both oracles' chances."""
    played = play_planted(seed, reader, p)
    found = _of(played, p)
    return found._replace(cases=consult(played, found.cases, seed))


def replayed_cases(seed: int, reader: Reader, p: Planted = Planted()) -> Verdict:  # noqa: B008 (immutable)
    """The planted cases of a seed's world, no oracle asked."""
    return _of(play_planted(seed, reader, p), p)


def _of(played: Played, p: Planted) -> Verdict:
    decisions = played.result.decisions
    cases = cases_of(played.config, played.sources, decisions, p.age_ns, clarity_of(played.made, played.readings))
    equity = played.result.equities["equity"]
    net = float(equity[-1]) - played.config.agent.initial_equity_usd if len(equity) else 0.0
    return Verdict(judged(cases), net, int((decisions["gates"] == 0).sum()))


def judged(cases: np.ndarray) -> np.ndarray:
    """JUDGED rows of CASE rows, the oracles still to be asked."""
    rows = np.zeros(len(cases), JUDGED)
    for name in ("a", "b", "words"):
        rows[name] = np.nan
    for name in CASE.names or ():
        rows[name] = cases[name]
    return rows


def consult(played: Played, cases: np.ndarray, seed: int, listen: bool = True) -> np.ndarray:
    """JUDGED [n]: the cases of a replayed world with what the oracles say of them; B only where it is to `listen`."""
    config, made = played.config, played.made
    horizon, step = config.outcome.horizon_ns, config.agent.interval_ns
    bank = bank_of(made.params, step, horizon // step + 2, seed)
    rows, symbols = judged(cases), list(made.bars)
    for i, one in enumerate(played.sources.instruments):
        k, mine = symbols.index(one.symbol), np.flatnonzero(rows["asset"] == i)
        firsts = _first_signs(heard_of(played, made.underlyings[k].name))
        rows["first"][mine] = [firsts.get(int(r["lead"]), 0) * int(r["side"]) for r in rows[mine]]
        _ask_a(rows, mine, bank, config, made, k, round_trip_cost(config, one))
    if listen:
        _listen(rows, played, bank, seed)
    return rows


def _listen(rows: np.ndarray, played: Played, bank: Bank, seed: int) -> None:
    """Oracle B on all rows, with prices and without."""
    config, made, step = played.config, played.made, bank.interval_ns
    returns, mix = _returns(made), _mix(made)
    opens = next(iter(made.bars.values()))["open_ns"]
    believed = regime_filter(returns, opens, step, mix, made.params)
    hearing, symbols = hearing_of(played), list(made.bars)
    for i, one in enumerate(played.sources.instruments):
        k, mine = symbols.index(one.symbol), np.flatnonzero(rows["asset"] == i)
        heard, cost = heard_of(played, made.underlyings[k].name), round_trip_cost(config, one)
        tape = tape_of(k, returns, opens, step, mix, believed, made.params)
        for name, prices in (("b", True), ("words", False)):
            listener = Listener(made.params, tape, hearing, seed, prices)
            rows[name][mine] = _ask_b(rows[mine], bank, config, listener, heard, believed, tape, cost)


def _start(row: np.void, config: Config, cost: float, gap: np.ndarray, regime: np.ndarray) -> Start:
    p = config.outcome
    entry = entry_of(int(row["ts_ns"]), config.agent.interval_ns, p.horizon_ns, config.sim.grace_ns)
    sd = float(row["sigma"]) * float(np.sqrt(p.horizon_ns / config.agent.interval_ns))
    return Start(*entry, int(row["side"]), p.win_sigma * sd + cost, p.loss_sigma * sd, cost, gap, regime)


def _ask_a(
    rows: np.ndarray, mine: np.ndarray, bank: Bank, config: Config, made: World, asset: int, cost: float
) -> None:
    """Oracle A on the cases `mine` of one asset."""
    paths, opens = len(bank.shock), next(iter(made.bars.values()))["open_ns"]
    for j in mine.tolist():
        at = int(rows[j]["ts_ns"])
        entry, _, _ = entry_of(at, bank.interval_ns, config.outcome.horizon_ns, config.sim.grace_ns)
        now = int(np.searchsorted(opens, at, side="right")) - 1
        level = _level(made, opens, now, bank.interval_ns)
        gap = np.full(paths, truth_gap(made, asset, at, entry))
        rows["a"][j] = chance(bank, _start(rows[j], config, cost, gap, np.full(paths, level)))


def _ask_b(
    rows: np.ndarray, bank: Bank, config: Config, listener: Listener, heard: np.ndarray, believed: np.ndarray,
    tape: Tape, cost: float,
) -> np.ndarray:  # fmt: skip
    """Oracle B's chances f8[n] of one asset's cases in order of time; it hears everything up to each of them."""
    levels, paths, at, found = np.array(bank.params.market.regimes), len(bank.shock), 0, np.zeros(len(rows))
    grades = (np.arange(paths) + 0.5) / paths
    for j, row in enumerate(rows):
        now = int(row["ts_ns"])
        while at < len(heard) and heard[at]["known_ns"] <= now:
            listener.hear(heard[at])
            at += 1
        entry, _, _ = entry_of(now, bank.interval_ns, config.outcome.horizon_ns, config.sim.grace_ns)
        last = max(int(np.searchsorted(tape.close_ns, now, side="right")) - 1, 0)
        which = np.searchsorted(np.cumsum(believed[last]), grades)
        regime = levels[np.minimum(which, len(levels) - 1)]
        found[j] = chance(bank, _start(row, config, cost, listener.gap(now, entry, paths), regime))
    return found


def truth_gap(made: World, asset: int, at_ns: int, entry_ns: int) -> float:
    """The part of all events of one asset up to at_ns that the price will still take from entry_ns on, log."""
    p, mine = made.params.events, made.truth
    mine = mine[(mine["asset"] == asset) & (mine["at_ns"] <= at_ns) & (mine["impact"] != 0.0)]
    open_now = mine["impact"] * (1.0 - p.at_once) * p.closing * np.exp2(-(entry_ns - mine["at_ns"]) / p.half_life_ns)
    return float(open_now.sum())


def _level(made: World, opens: np.ndarray, bar: int, interval_ns: int) -> float:
    """The regime's factor in one bar."""
    m = made.params.market
    usual = m.daily_vol * np.sqrt(interval_ns / DAY_NS) * busy(opens[bar : bar + 1], m.vol_swing)
    return float(made.sigma[bar] / usual[0])


def heard_of(played: Played, underlying: str) -> np.ndarray:
    """HEARD rows of one underlying in order of time."""
    houses = {house.name: k for k, house in enumerate(PUBLISHERS)}
    names = [one.name for one in played.config.universe.underlyings]
    rows = played.readings.rows
    rows = rows[rows["underlying"] == names.index(underlying)]
    heard = np.zeros(len(rows), HEARD)
    heard["known_ns"], heard["cluster"] = rows["known_ns"], rows["cluster"]
    heard["said"] = np.where(rows["polarity"] >= 0.0, 1, -1)
    heard["house"] = [houses[played.readings.publishers[int(k)]] for k in rows["publisher"]]
    return heard


def _first_signs(heard: np.ndarray) -> dict[int, int]:
    signs: dict[int, int] = {}
    for row in heard:
        signs.setdefault(int(row["cluster"]), int(row["said"]))
    return signs


def hearing_of(played: Played) -> Hearing:
    """How well the reader read this world's documents."""
    made, rows = played.made, played.readings.rows
    told = {made.documents[int(t["document"])].id: t for t in made.tellings}
    seen = [(told[played.readings.documents[int(r["document"])].id], r) for r in rows]
    stories = [(t, r) for t, r in seen if t["event"] >= 0]
    printed = int((made.tellings["event"] >= 0).sum())
    right = sum(int(t["told"]) * r["polarity"] > 0.0 for t, r in stories)
    days = len(made.sigma) * played.config.agent.interval_ns / DAY_NS
    return Hearing(
        (len(stories) + 1.0) / (printed + 2.0),
        min((right + 1.0) / (len(stories) + 2.0), 0.999),
        (len(seen) - len(stories)) / (days * len(made.underlyings)),
    )


def _returns(made: World) -> np.ndarray:
    """Log returns f8[assets, n] from open to close, in the world's order of assets."""
    return np.array([np.log(one["c"] / one["o"]) for one in made.bars.values()])


def _mix(made: World) -> np.ndarray:
    """Correlation of the shocks of all assets."""
    m = made.params.market
    sectors = np.array([one.sector for one in made.underlyings])
    mix: np.ndarray = m.common_share + m.sector_share * (sectors[:, None] == sectors[None, :])
    np.fill_diagonal(mix, 1.0)
    return mix
