"""Small worlds for the stage tests: a state, a parameter record, events one at a time.

Stages are compiled without a Python wrapper, so these tests run them as plain Python on NumPy
records (NUMBA_DISABLE_JIT=1); `conftest.py` says so where that was forgotten.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from confidence_engine.domain.decision import DECISION
from confidence_engine.domain.event import (
    NO_ASSET,
    bar_events,
    command_event,
    feed_event,
    funding_events,
    signal_events,
    timer_events,
)
from confidence_engine.domain.instrument import Instrument, Tier, instrument_rows
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import DAY_NS, MINUTE_NS
from confidence_engine.kernel import step as _step
from confidence_engine.kernel.out import Out, new_out
from confidence_engine.kernel.params import Params
from confidence_engine.kernel.state import State, new_state

__all__ = [
    "BAR_NS", "PERP", "START", "TIERS", "YEAR_S", "bar", "command", "decision", "faulted", "feed", "funding",
    "make_params", "make_state", "new_out", "signal", "timer", "walk",
]  # fmt: skip

BAR_NS = 5 * MINUTE_NS
START = 19_358 * DAY_NS  # 2023-01-01T00:00Z
YEAR_S = 365.0 * 86_400.0
TIERS = (Tier(50_000.0, 0.004), Tier(250_000.0, 0.005), Tier(3_000_000.0, 0.01), Tier(15_000_000.0, 0.025))
PERP: dict[str, Any] = {
    "can_short": True, "max_leverage": 125.0, "tiers": TIERS, "liquidation_fee": 0.0125, "funding_ns": DAY_NS // 3,
}  # fmt: skip
"""Overrides that turn the spot instrument of `make_state` into a perpetual."""


def make_state(
    n_assets: int = 1,
    *,
    bar_ns: int = BAR_NS,
    equity: float = 100_000.0,
    annual_volatility: float = 0.8,
    prior_spread: float = 0.5,
    year_s: float = YEAR_S,
    **overrides: Any,
) -> State:
    """A state before its first event: spot unless `**PERP`; an underlying for every asset unless one is named."""
    spot: dict[str, Any] = {
        "venue": "test", "klass": "crypto", "quote": "USDT", "tick": 0.01, "lot": 0.001, "min_notional": 5.0,
        "taker": 0.001, "maker": 0.001, "half_spread": 0.0002,
    }  # fmt: skip
    instruments = [
        Instrument(**{"symbol": f"C{i}/USDT", "underlying": f"C{i}"} | spot | overrides) for i in range(n_assets)
    ]
    underlyings = list(dict.fromkeys(one.underlying for one in instruments))
    rows, tiers = instrument_rows(instruments, underlyings, bar_ns)
    priors = np.tile(np.array([annual_volatility, prior_spread, year_s]), (5, 1))
    return new_state(rows, tiers, [int(rows[0].klass)] * len(underlyings), priors, equity)


def make_params(**stages: dict[str, Any]) -> Any:
    """The record a step reads, `make_params(price={"min_obs": 20})` with defaults elsewhere.

    The regime is not followed unless asked for: uncompiled its 48 levels cost as much as all other stages together.
    """
    tree = Params(regime=Params().regime._replace(follow=False))
    return params_record(tree._replace(**{k: getattr(tree, k)._replace(**v) for k, v in stages.items()}))[0]


def bar(state: State, i: int, close_ns: int, o: float, h: float, l: float, c: float, v: float, **more: int) -> Any:  # noqa: E741
    """BAR of asset i, known at its close unless `known_ns`; `marks`."""
    assert 0 <= i < state.head[0].n_assets
    known = np.array([more.get("known_ns", close_ns)])
    columns = tuple(np.array([x], float) for x in (o, h, l, c, v))
    return bar_events(np.array([close_ns]), known, i, 1, columns, more.get("marks", 0))[0]


def signal(
    u: int, known_ns: int, polarity: float = 1.0, certainty: float = 1.0, novelty: float = 1.0, relevance: float = 1.0,
    cluster: int = 1, publisher: int = 1,
) -> Any:  # fmt: skip
    """SIGNAL: one document about underlying u, a retelling where `cluster` is known already."""
    reading = tuple(np.array([float(x)]) for x in (polarity, certainty, novelty, relevance, cluster))
    return signal_events(np.array([known_ns]), np.array([known_ns]), np.array([u]), np.array([publisher]), reading)[0]


def timer(at_ns: int, grid: bool = True, marks: int = 0, missed: int = 0) -> Any:
    """TIMER: something is judged."""
    return timer_events(np.array([at_ns]), grid, marks, missed)[0]


def funding(i: int, at_ns: int, rate: float) -> Any:
    """FUNDING that longs of asset i pay."""
    return funding_events(np.array([at_ns]), np.array([at_ns]), i, 2, np.array([rate]))[0]


def command(at_ns: int, code: int, value: float = float("nan")) -> Any:
    """COMMAND of the operator."""
    return command_event(at_ns, code, value)[0]


def faulted(at_ns: int, what: int, asset: int = NO_ASSET, of: int = 0, value: float = float("nan")) -> Any:
    """FEED: what a feed of kind `of` did."""
    return feed_event(at_ns, at_ns, what, asset, 7, value, of)[0]


def decision(**values: float) -> Any:
    """A decision record, zero but for `values`."""
    d = np.zeros(1, DECISION)[0]
    for name, value in values.items():
        d[name] = value
    return d


def feed(state: State, events: list[Any], params: Any, out: Out | None = None) -> Out:
    """Step through events in the order given; the output holds everything since it was made."""
    out = new_out(int(state.head[0].n_assets), 4096) if out is None else out
    for event in events:
        _step.step(state, event, params, out)
    return out


def walk(rng: np.random.Generator, n: int, price: float = 20_000.0, sigma: float = 0.002) -> np.ndarray:
    """Random bars [n, 5] open, high, low, close, volume: high and low always hold open and close."""
    close = price * np.exp(np.cumsum(rng.normal(0.0, sigma, n)))
    begin = np.concatenate([[price], close[:-1]]) * np.exp(rng.normal(0.0, sigma / 10, n))
    reach = np.abs(rng.normal(0.0, sigma / 2, (2, n)))
    high, low = np.maximum(begin, close) * np.exp(reach[0]), np.minimum(begin, close) * np.exp(-reach[1])
    return np.column_stack([begin, high, low, close, rng.lognormal(3.0, 1.0, n)])
