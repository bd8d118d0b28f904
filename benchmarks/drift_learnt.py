"""The second pass over what the kernel learns from stories, hours and outcomes: the other half of `drift.py`.

Every estimator is fed random observations by the kernel's own stage, then computed anew in 80-bit floats: decayed means
as sums with their weights, fading counts as powers of the fade, and the bounded walks (a source's log weight, the level
of a trigger) as the sum of their steps since they last stood at a bound.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from confidence_engine.domain import event as ev
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.kernel import crowd, feedback, market, narrative, sources, thresholds
from confidence_engine.kernel.state import State

REACH = 45.0
"""Time constants that a second pass looks back."""
BEGIN = 20_000 * DAY_NS
Long = np.longdouble
LN2 = math.log(2.0)


def tail_weights(count: int, floor: float, total: int, first: float = 1.0) -> np.ndarray:
    """Weights of the last `count` of `total` observations under the step max(1 / (n - 1 + 1 / first), floor).

    Newest last, 80 bits; `first` is the step of the very first.
    """
    n = np.arange(total - count, total) + 1 / first
    step = np.maximum(1 / n.astype(Long), Long(floor))
    later = np.append(np.cumprod((1 - step)[::-1])[::-1][1:], Long(1.0))
    return step * later


def off(running: float, anew: Any) -> float:
    """Relative error."""
    return float(abs(Long(running) - anew) / abs(anew))


@numba.njit(error_model="numpy")
def learn_all(s, x, y, won, p):
    """Feed each estimator one observation after the other; returns yardstick, and when the walks last met a bound."""
    centre, spread2 = 0.0, 0.0
    fade = math.exp(-LN2 / p[0].feedback.half_life)
    r, c = s.tally[3], s.klass[0]
    r.log_weight, c.level, c.loss = 0.0, 0.5, 0.5
    low, high = math.log(p[0].sources.low), math.log(p[0].sources.high)
    weight_at, weight, level_at, level = -1, 0.0, -1, 0.5
    for k in range(len(x)):
        centre, spread2 = narrative._learn(centre, spread2, k, x[k], p[0].narrative)
        market._observe(s.beta[0], y[k], x[k], p[0].market)
        crowd._step(s.talk[0, 0], y[k], p[0].crowd.memory_weeks * crowd.WEEK_HOURS)
        feedback._count(r, won[k], x[k], 0.5, fade)
        feedback._lose(c, abs(x[k]), fade)
        sources.learn(s, 3, 0.5, abs(x[k]), 0.5, p[0].sources)
        thresholds.learn(s, 0, won[k], p[0].thresholds)
        if r.log_weight == low or r.log_weight == high:
            weight_at, weight = k, r.log_weight
        if c.level == 0.0 or c.level == 1.0:
            level_at, level = k, c.level
    return centre, spread2, weight_at, weight, level_at, level


@numba.njit(error_model="numpy")
def listen(s, tape, p, usual):
    """Documents as they come, hour by hour; `usual` is filled with the rate that each hour was expected to have."""
    c, n = s.crowd[1], 0
    for k in range(len(tape)):
        while 0 < c.hour < tape[k].ts_known // HOUR_NS:
            usual[n] = crowd._usual(s.talk, 1, c.hour, p[0].crowd)
            crowd._roll(s, 1, (c.hour + 1) * HOUR_NS, p[0].crowd)
            n += 1
        crowd.hear(s, tape[k], p[0].crowd)
    return n


def learnt_errors(state: State, params: np.ndarray, count: int) -> dict[str, float]:
    """Relative errors after `count` observations, a twentieth of them documents for what fades by the hour."""
    rng, p = np.random.default_rng(9), params[0]
    x = rng.uniform(-1.0, 1.0, count)
    y = 0.3 * x + rng.normal(0.0, 1.0, count)
    won = rng.random(count) < p.thresholds.target
    centre, spread2, *walks = learn_all(state, x, y, won, params)
    found = _mean_errors(state, p, x, y, (centre, spread2))
    found |= _tally_errors(state, p, x, won) | _walk_errors(state, p, x, won, walks)
    return found | _crowd_errors(state, params, rng, max(count // 20, 2_000))


def _mean_errors(
    state: State, p: Any, x: np.ndarray, y: np.ndarray, yardstick: tuple[float, float]
) -> dict[str, float]:
    """The narrative's yardstick, a beta, the mean of an hour."""
    floor, b = LN2 / p.narrative.readings_half_life, state.beta[0]
    w, near, _ = _tail(x, y, floor)
    mean = (w * near).sum()
    found = {
        "narrative centre": off(yardstick[0], mean),
        "narrative spread": off(yardstick[1], (w * (near - mean) ** 2).sum()),
    }
    w, near, own = _tail(x, y, LN2 / p.market.half_life)
    mean, mean_own = (w * near).sum(), (w * own).sum()
    found["market means"] = max(off(b.mean_market, mean), off(b.mean_own, mean_own))
    found["market spread"] = off(b.spread2, (w * (near - mean) ** 2).sum())
    found["market joint"] = off(b.joint, (w * (near - mean) * (own - mean_own)).sum())
    w, _, own = _tail(x, y, 1.0 / (p.crowd.memory_weeks * crowd.WEEK_HOURS))
    return found | {"hour of the week": off(state.talk[0, 0]["centre"], (w * own).sum())}


def _tail(x: np.ndarray, y: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of the last observations, and these, in 80 bits."""
    use = min(len(x), int(REACH / floor))
    return tail_weights(use, floor, len(x)), x[-use:].astype(Long), y[-use:].astype(Long)


def _tally_errors(state: State, p: Any, x: np.ndarray, won: np.ndarray) -> dict[str, float]:
    """Fading counts and sums of a source, and what stories of the class lose on average."""
    r = state.tally[3]
    use = min(len(x), int(REACH * p.feedback.half_life / LN2))
    w = Long(0.5) * np.exp(-np.log(Long(2.0)) / p.feedback.half_life * np.arange(use - 1, -1, -1))
    near, hit = x[-use:].astype(Long), won[-use:]
    counts = max(off(r.wins, w[hit].sum()), off(r.losses, w[~hit].sum()))
    sums = max(off(r.won, (w * near)[hit].sum()), off(r.lost, (w * near)[~hit].sum()))
    floor = float(1 - np.exp(-np.log(Long(2.0)) / p.feedback.half_life))
    w = tail_weights(use, floor, len(x), 0.5)
    anew = (w * np.abs(near)).sum() + Long(0.5) * (1 - w.sum() if use == len(x) else 0)
    return {"tally counts": counts, "tally sums": sums, "class loss": off(state.klass[0].loss, anew)}


def _walk_errors(state: State, p: Any, x: np.ndarray, won: np.ndarray, walks: list[float]) -> dict[str, float]:
    """Errors of the bounded walks, against their range."""
    weight_at, weight, level_at, level = walks
    steps = -Long(p.sources.rate) * Long(0.5) * (np.abs(x[int(weight_at) + 1 :]).astype(Long) - Long(0.5))
    wide = math.log(p.sources.high / p.sources.low)
    misses = np.where(won[int(level_at) + 1 :], Long(0.0), Long(1.0))
    ups = Long(p.thresholds.rate) * (1 - Long(p.thresholds.target) - misses)
    return {
        "source weight": float(abs(state.tally[3].log_weight - (Long(weight) + steps.sum()))) / wide,
        "trigger level": float(abs(state.klass[0].level - (Long(level) + ups.sum()))),
    }


def _crowd_errors(state: State, params: np.ndarray, rng: np.random.Generator, count: int) -> dict[str, float]:
    """Documents heard lately and those that were expected, at the last one."""
    p = params[0].crowd
    at = BEGIN + np.cumsum(rng.exponential(HOUR_NS, count)).astype(np.int64)
    one = np.ones(count)
    tape = ev.signal_events(at, at, one.astype(np.int64), one.astype(np.int64), (one, one, one, one, at / HOUR_NS))
    usual = np.zeros(int((at[-1] - BEGIN) // HOUR_NS) + 2)
    hours = listen(state, tape, params, usual)
    reach = at > at[-1] - REACH * p.chatter_half_life_ns / LN2
    fades = np.exp(-np.log(Long(2.0)) * (at[-1] - at[reach]).astype(Long) / p.chatter_half_life_ns)
    fade = np.exp(-np.log(Long(2.0)) * HOUR_NS / p.chatter_half_life_ns)
    use = min(hours, int(REACH * p.chatter_half_life_ns / LN2 / HOUR_NS))
    alive = p.chatter_half_life_ns / np.log(Long(2.0)) / HOUR_NS * (1 - fade)
    expected = (alive * usual[hours - use : hours].astype(Long) * fade ** np.arange(use - 1, -1, -1)).sum()
    c = state.crowd[1]
    return {"documents heard": off(c.heard, fades.sum()), "documents expected": off(c.expected, expected)}
