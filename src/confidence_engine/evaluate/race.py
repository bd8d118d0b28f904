"""The chance that a case comes true in a simulated world, for who knows its parameters and not its future.

Paths of the world's own law (regimes, Student-t shocks, the hour of day, jumps, events still to come) run from the
entry; on each the remaining gap g closes by g (2^(-t/h) - 2^(-(t + dt)/h)) a bar, extremes are those of Brownian
bridges, and Y is that of `domain.outcome`: gain before loss, both in one bar a loss, else the sign of the net return
at t + H. One bank of antithetic paths serves all cases of a world, so differences between cases are not chance.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.units import DAY_NS
from confidence_engine.feeds.world import Events, Params
from confidence_engine.feeds.world.market import busy

__all__ = ["PATHS", "Bank", "Start", "bank_of", "chance", "entry_of"]

PATHS: Final = 2048


class Bank(NamedTuple):
    """Standard paths f8[paths, bars] of one world's law.

    shock: unit shocks; later: factor of the regime after the first change, which is at bar `change` i8[paths]; extra:
    log moves of jumps and of events to come; up, down: -2 ln U of the bridges.
    """

    params: Params
    interval_ns: int
    shock: np.ndarray
    later: np.ndarray
    change: np.ndarray
    extra: np.ndarray
    up: np.ndarray
    down: np.ndarray


class Start(NamedTuple):
    """A case at its entry: the open it enters at, the bars in which barriers are watched and whether one more is held,
    its side, barriers and cost as fractions, the open log gap f8[paths] and the factor of the regime f8[paths]."""

    open_ns: int
    watched: int
    tail: int
    side: int
    win: float
    loss: float
    cost: float
    gap: np.ndarray
    regime: np.ndarray


def bank_of(p: Params, interval_ns: int, bars: int, seed: int, paths: int = PATHS) -> Bank:
    """Paths of the law of a world, antithetic in pairs."""
    rng = np.random.Generator(np.random.PCG64([seed, 77]))
    m, half = p.market, paths // 2
    unit = math.sqrt((m.shock_df - 2.0) / m.shock_df)
    shares = (m.common_share, m.sector_share, max(1.0 - m.common_share - m.sector_share, 0.0))
    shock = np.zeros((half, bars))
    for share in shares:
        shock += math.sqrt(share) * unit * rng.standard_t(m.shock_df, (half, bars))
    extra = _events(rng, p.events, interval_ns, half, bars)
    if m.jumps_a_day > 0.0:
        count = rng.poisson(m.jumps_a_day * interval_ns / DAY_NS, (half, bars))
        extra += m.jump_size * np.sqrt(count) * rng.standard_normal((half, bars))
    levels = np.array(m.regimes)
    switch = rng.random((paths, bars)) < -math.expm1(-interval_ns / m.regime_ns)
    drawn = levels[rng.integers(0, len(levels), (paths, bars))]
    at = np.maximum.accumulate(np.where(switch, np.arange(bars), 0), axis=1)
    later = np.take_along_axis(drawn, at, axis=1)
    change = np.where(switch.any(axis=1), switch.argmax(axis=1), bars)
    up, down = (-2.0 * np.log1p(-rng.random((paths, bars))) for _ in range(2))
    shock, extra = np.concatenate([shock, -shock]), np.concatenate([extra, -extra])
    return Bank(p, interval_ns, shock, later, change, extra, up, down)


def _events(rng: np.random.Generator, p: Events, interval_ns: int, paths: int, bars: int) -> np.ndarray:
    """Log moves f8[paths, bars] of the events that will happen: a part at once, the rest by the half-life."""
    if p.events_a_day == 0.0 or p.impact == 0.0:
        return np.zeros((paths, bars))
    count = rng.poisson(p.events_a_day * interval_ns / DAY_NS, (paths, bars))
    size = p.impact * rng.lognormal(0.0, p.impact_spread, (paths, bars)) * rng.choice([-1.0, 1.0], (paths, bars))
    impact = size * np.sqrt(count)
    edges = np.exp2(-np.maximum(np.arange(bars + 1) - 0.5, 0.0) * interval_ns / p.half_life_ns)
    kernel = (1.0 - p.at_once) * p.closing * -np.diff(edges)
    kernel[0] += p.at_once
    moved = np.zeros((paths, bars))
    for k in range(bars):
        moved[:, k:] += impact[:, : bars - k] * kernel[k]
    return moved


def entry_of(at_ns: int, interval_ns: int, horizon_ns: int, grace_ns: int) -> tuple[int, int, int]:
    """(open that a decision enters at, bars in which barriers are watched, 1 if one more bar is held)."""
    open_ns = -(-(at_ns - grace_ns) // interval_ns) * interval_ns
    end_ns = at_ns + horizon_ns
    watched = max((end_ns - open_ns) // interval_ns, 0)
    return open_ns, watched, int(open_ns + watched * interval_ns + grace_ns < end_ns)


def chance(bank: Bank, case: Start) -> float:
    """P(Y = 1) of one case over the paths of a bank that has bars enough."""
    n = case.watched + case.tail
    dt, p = bank.interval_ns, bank.params
    at = case.open_ns + dt * np.arange(n)
    level = np.where(np.arange(n) < bank.change[:, None], case.regime[:, None], bank.later[:, :n])
    sigma = p.market.daily_vol * math.sqrt(dt / DAY_NS) * busy(at, p.market.vol_swing) * level
    closing = -np.diff(np.exp2(-np.arange(n + 1) * dt / p.events.half_life_ns))
    move = case.side * (sigma * bank.shock[:, :n] + bank.extra[:, :n] + case.gap[:, None] * closing)
    path = np.cumsum(move, axis=1)
    w = slice(0, case.watched)
    before, squared = path[:, w] - move[:, w], move[:, w] * move[:, w]
    spread = sigma[:, w] * sigma[:, w]
    top = before + 0.5 * (move[:, w] + np.sqrt(squared + spread * bank.up[:, w]))
    bottom = before + 0.5 * (move[:, w] - np.sqrt(squared + spread * bank.down[:, w]))
    win, loss = case.side * math.log1p(case.side * case.win), -case.side * math.log1p(-case.side * case.loss)
    won, lost = _first(top >= win), _first(bottom <= -loss)
    final = case.side * np.expm1(case.side * path[:, -1]) - case.cost > 0.0
    undecided = (won == case.watched) & (lost == case.watched)
    return float(np.mean(np.where(undecided, final, won < lost)))


def _first(hit: np.ndarray) -> np.ndarray:
    """First bar of each path that is hit, the number of bars where none is."""
    return np.where(hit.any(axis=1), hit.argmax(axis=1), hit.shape[1])
