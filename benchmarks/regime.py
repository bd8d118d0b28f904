"""The regime filter against the Bayes filter that knows the simulated world it is in.

    python benchmarks/regime.py              # the battery (20 seeds a row) and the cost of an update
    python benchmarks/regime.py --seeds 5    # quicker
    python benchmarks/regime.py --first 0    # the seeds that were looked at while the stage was made
    python benchmarks/regime.py --home HOME  # instead: the classes of the stored BTC perpetual, by timeframe and day

Every world is 90 days of 5-minute bars; its levels, durations, transitions and the error of the class prior are drawn
per seed and the filter is told none of them, only how many states there are. Figures start after the 14 days that
the stage asks for. The states it finds: at every 500 bars the places it jumps to are cut in as many groups as there
are states (natural breaks: least squared distance from the group's mean), a level belongs to the nearest
group, the state is the group with most of the posterior, and a group bears the name of the world's state whose level
is nearest. "levels given" draws the borders between the world's own levels instead: what is lost by finding the groups
is the difference. A detection delay is the bars from a switch to the first right answer (never = infinite), a false
switch a change of the answer to a wrong one.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np

from confidence_engine.domain import event as ev
from confidence_engine.domain.instrument import CLASSES, Instrument, instrument_rows
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, SECOND_NS
from confidence_engine.feeds.store import Store
from confidence_engine.kernel import regime
from confidence_engine.kernel.params import Params
from confidence_engine.kernel.state import LEVELS, new_state

BAR = 5 * MINUTE_NS
BEGIN = 20_000 * DAY_NS
BARS = 90 * 288
WARM = 14 * 288
LOOK = 500
PRIOR = 0.8
SIGMA = PRIOR / math.sqrt(365 * 288)
GAUSS = 1e9


class World(NamedTuple):
    """States, tails, how far apart the volatilities are, how long a state lasts, and its drift in its own sigma."""

    name: str
    states: int
    nu: float
    apart: tuple[float, float]
    bars: tuple[float, float]
    drift: tuple[float, float] = (0.0, 0.0)


BATTERY = (
    World("3 volatilities", 3, GAUSS, (1.7, 2.5), (100, 400)),
    World("3 volatilities", 3, 4.0, (1.7, 2.5), (100, 400)),
    World("4 volatilities", 4, GAUSS, (1.7, 2.5), (100, 400)),
    World("4 volatilities", 4, 4.0, (1.7, 2.5), (100, 400)),
    World("3, close and short", 3, GAUSS, (1.5, 1.8), (50, 200)),
    World("3, close and short", 3, 4.0, (1.5, 1.8), (50, 200)),
    World("4, close and short", 4, GAUSS, (1.5, 1.8), (50, 200)),
    World("4, close and short", 4, 4.0, (1.5, 1.8), (50, 200)),
    World("calm, bull, bear", 3, GAUSS, (1.6, 2.2), (100, 400), (0.05, 0.15)),
    World("calm, bull, bear", 3, 4.0, (1.6, 2.2), (100, 400), (0.05, 0.15)),
    World("trend only", 3, GAUSS, (1.0, 1.0), (50, 200), (0.1, 0.25)),
    World("trend only", 3, 4.0, (1.0, 1.0), (50, 200), (0.1, 0.25)),
)


class History(NamedTuple):
    """Returns, the true states, and what only the oracle knows."""

    moves: np.ndarray
    states: np.ndarray
    levels: np.ndarray
    drifts: np.ndarray
    stays: np.ndarray


def draw(world: World, seed: int) -> History:
    """One path of the world: a Markov chain over states, shocks of unit variance."""
    rng = np.random.default_rng([seed, world.states, int(world.nu)])
    count = world.states
    levels = np.cumprod(np.append(1.0, rng.uniform(*world.apart, count - 1)))
    levels *= SIGMA * math.exp(rng.uniform(-1.0, 1.0)) / levels.mean()  # the class prior is up to e times wrong
    chain = np.zeros((count, count))
    for k, bars in enumerate(rng.uniform(*world.bars, count)):
        chain[k, np.arange(count) != k] = rng.dirichlet(np.full(count - 1, 2.0)) / bars
        chain[k, k] = 1.0 - 1.0 / bars
    size = rng.uniform(*world.drift)
    if world.apart == (1.0, 1.0):
        drifts = size * np.array([-1.0, 0.0, 1.0])  # down, none, up at one volatility
    else:
        drifts = size * np.array([0.0, 1.0, -1.0, 0.0])[:count]  # calm, bull, bear by volatility
    states = np.zeros(BARS, np.int64)
    edges, luck = chain.cumsum(axis=1), rng.random(BARS)
    for t in range(1, BARS):
        states[t] = min(np.searchsorted(edges[states[t - 1]], luck[t]), count - 1)
    if world.nu < GAUSS:
        shocks = rng.standard_t(world.nu, BARS) * math.sqrt((world.nu - 2.0) / world.nu)
    else:
        shocks = rng.standard_normal(BARS)
    return History(levels[states] * (shocks + drifts[states]), states, levels, drifts, chain)


@numba.njit(error_model="numpy")
def oracle(moves, levels, drifts, chain, nu):
    """Most likely state of every bar given the bars so far and all true parameters (Hamilton 1989)."""
    count = len(levels)
    known = np.full(count, 1.0 / count)
    said = np.zeros(len(moves), np.int64)
    for t in range(len(moves)):
        known = chain.T @ known
        for k in range(count):
            z = moves[t] / levels[k] - drifts[k]
            if nu < 1e6:
                known[k] *= (1.0 + z * z / (nu - 2.0)) ** (-(nu + 1.0) / 2.0) / levels[k]
            else:
                known[k] *= math.exp(-0.5 * z * z) / levels[k]
        known /= known.sum()
        said[t] = np.argmax(known)
    return said


@numba.njit(error_model="numpy")
def follow(s, events, params, levels, homes, trends):
    """The stage over all bars of asset 0, its 5-minute posterior after each."""
    p = params[0].regime
    for t in range(len(events)):
        regime.observe(s, 0, events[t], p)
        r = s.regime[0, 0]
        for k in range(LEVELS):
            levels[t, k] = r.fat[k] + r.middle[k] + r.thin[k]
        if t % LOOK == 0:
            homes[t // LOOK, :] = r.home
        trends[t, 0], trends[t, 1], trends[t, 2] = r.down, r.calm, r.up


@numba.njit(error_model="numpy")
def observe_all(s, events, params):
    """The stage over all bars, nothing kept: what is timed."""
    for t in range(len(events)):
        regime.observe(s, 0, events[t], params[0].regime)


def bars(moves: np.ndarray) -> np.ndarray:
    """BAR events of one asset whose log returns are `moves`."""
    close = 100.0 * np.exp(np.cumsum(moves))
    opened = np.append(100.0, close[:-1])
    at = BEGIN + BAR * np.arange(1, len(moves) + 1, dtype=np.int64)
    ohlcv = (opened, np.maximum(opened, close), np.minimum(opened, close), close, np.ones(len(moves)))
    return ev.bar_events(at, at + SECOND_NS, 0, 1, ohlcv)


def fresh() -> tuple:
    """State of one coin and the default parameters."""
    one = Instrument(
        symbol="C/USDT", venue="bench", underlying="C", klass="crypto", quote="USDT", tick=0.01, lot=0.001,
        min_notional=5.0, taker=5e-4, maker=2e-4, half_spread=1e-4,
    )  # fmt: skip
    rows, tiers = instrument_rows([one], ["C"], BAR)
    priors = np.tile([PRIOR, 0.5, 365 * 86400.0], (len(CLASSES), 1))
    return new_state(rows, tiers, [0], priors, 1e5), params_record(Params())


def groups(home: np.ndarray, count: int) -> np.ndarray:
    """Middles of `count` natural groups of levels, lowest first; exact by dynamic programming."""
    at = np.arange(LEVELS, dtype=float)
    sums = [np.append(0.0, np.cumsum(home * at**k)) for k in range(3)]
    low, high = np.meshgrid(np.arange(LEVELS + 1), np.arange(LEVELS + 1), indexing="ij")
    mass, first, second = (total[high] - total[low] for total in sums)
    cost = np.where(high > low, second - first * first / np.maximum(mass, 1e-300), np.inf)
    best = cost[0]
    cuts = []
    for _ in range(count - 1):
        through = best[:, None] + cost
        cuts.append(through.argmin(axis=0))
        best = through.min(axis=0)
    edges = [LEVELS]
    for cut in reversed(cuts):
        edges.append(int(cut[edges[-1]]))
    edges = [0, *reversed(edges)]
    return np.array([np.average(at[a:b], weights=home[a:b]) for a, b in itertools.pairwise(edges)])


def most_likely(levels: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """State with most of the posterior [n, LEVELS], a level belonging to the nearest of the states' middles."""
    near = np.abs(np.arange(LEVELS)[:, None] - middles).argmin(axis=1)
    return np.stack([levels[:, near == k].sum(axis=1) for k in range(len(middles))], axis=1).argmax(axis=1)


def found(world: World, path: History) -> tuple[np.ndarray, np.ndarray]:
    """States that the stage finds by its own groups, and with the world's levels as their middles.

    By drift where all levels are one.
    """
    state, params = fresh()
    levels, homes, trends = np.empty((BARS, LEVELS)), np.empty((BARS // LOOK + 1, LEVELS)), np.empty((BARS, 3))
    follow(state, bars(path.moves), params, levels, homes, trends)
    if world.apart == (1.0, 1.0):
        return trends.argmax(axis=1), trends.argmax(axis=1)
    true = regime.ANCHOR + np.log(path.levels / SIGMA) / regime.STEP
    own = []
    for k, begin in enumerate(range(0, BARS, LOOK)):
        middles = groups(homes[max(k - 1, 0)], world.states)
        names = np.abs(middles[:, None] - true).argmin(axis=1)
        own.append(names[most_likely(levels[begin : begin + LOOK], middles)])
    return np.concatenate(own), most_likely(levels, true)


def delays(states: np.ndarray, said: np.ndarray) -> list[float]:
    """Bars from every switch to the first right answer; infinite where it never came."""
    switches = [t for t in np.flatnonzero(np.diff(states)) + 1 if t >= WARM]
    late = []
    for begin, end in zip(switches, [*switches[1:], len(states)], strict=True):
        right = np.flatnonzero(said[begin:end] == states[begin])
        late.append(float(right[0]) if len(right) else math.inf)
    return late


def false_switches(states: np.ndarray, said: np.ndarray) -> float:
    """Changes of the answer to a wrong one, per 1,000 bars."""
    changed = np.flatnonzero(np.diff(said)) + 1
    changed = changed[changed >= WARM]
    return float((said[changed] != states[changed]).sum()) / (len(states) - WARM) * 1e3


def row(world: World, seeds: range) -> str:
    """One line: means over seeds, delays pooled over all switches."""
    right, named, best, late, soonest, false, least = [], [], [], [], [], [], []
    for seed in seeds:
        path = draw(world, seed)
        (said, told), ideal = found(world, path), oracle(path.moves, path.levels, path.drifts, path.stays, world.nu)
        right.append((said[WARM:] == path.states[WARM:]).mean())
        named.append((told[WARM:] == path.states[WARM:]).mean())
        best.append((ideal[WARM:] == path.states[WARM:]).mean())
        late += delays(path.states, said)
        soonest += delays(path.states, ideal)
        false.append(false_switches(path.states, said))
        least.append(false_switches(path.states, ideal))
    ratio, given = np.array(right) / np.array(best), np.array(named) / np.array(best)
    tails = "Gauss" if world.nu >= GAUSS else f"t{world.nu:.0f}"
    return (
        f"| {world.name} | {tails} | {np.mean(best):.3f} | {np.mean(right):.3f} "
        f"| {ratio.mean():.4f} ({ratio.min():.3f}) | {given.mean():.4f} ({given.min():.3f}) "
        f"| {np.median(soonest):.0f} -> {np.median(late):.0f} | {np.median(late) / np.median(soonest):.2f} "
        f"| {np.mean(least):.2f} -> {np.mean(false):.2f} | {np.mean(false) / np.mean(least):.2f} |"
    )


def cost() -> str:
    """Microseconds a bar for all three timeframes together, median of five."""
    rng = np.random.default_rng(1)
    events = bars(SIGMA * rng.standard_t(4, 200_000))
    spent = []
    for _ in range(6):
        state, params = fresh()
        began = time.process_time()
        observe_all(state, events, params)
        spent.append((time.process_time() - began) / len(events) * 1e6)
    state, _ = fresh()
    return f"{np.median(spent[1:]):.2f} us a bar for three timeframes; {state.regime[0].nbytes / 1024:.1f} KiB an asset"


@numba.njit(error_model="numpy")
def classify(s, events, params, said):
    """The packed regime after every bar."""
    for t in range(len(events)):
        regime.observe(s, 0, events[t], params[0].regime)
        said[t] = regime.packed(s, 0)


def recorded(home: Path) -> None:
    """Shares of the classes, their changes, what the next hour moves after each, and a month of days."""
    rows = Store(home).bars("BTC/USDT", "binance-perp", BAR)
    columns = tuple(np.array(rows[name]) for name in "ohlcv")
    events = ev.bar_events(np.array(rows["close_ns"]), np.array(rows["close_ns"]) + SECOND_NS, 0, 1, columns)
    said, (state, params) = np.zeros(len(events), np.int64), fresh()
    classify(state, events, params, said)
    for name, shift, mask in (("confirmed", 0, 7), ("5 min", 5, 7), ("1 h", 10, 7), ("4 h", 15, 7), ("trend", 3, 3)):
        one = said >> shift & mask
        shares = " ".join(f"{share:6.1%}" for share in np.bincount(one, minlength=5) / len(one))
        print(f"{name:<10} {shares}   {(np.diff(one) != 0).sum() / len(one) * 288:.1f} changes a day")
    squares = np.append(np.diff(np.log(columns[3])) ** 2, np.zeros(12))
    ahead = np.sqrt(np.convolve(squares, np.ones(12), "valid"))[: len(said) - 13]
    for k, word in enumerate(regime.VOLATILITY_WORDS):
        print(f"{word:<10} next hour {np.median(ahead[said[: len(ahead)] & 7 == k]):.2%}")
    days = rows["close_ns"].astype("datetime64[ns]").astype("datetime64[D]")
    for day in np.arange(np.datetime64("2023-03-05"), np.datetime64("2023-04-05")):
        shares = np.bincount(said[days == day] & 7, minlength=5) / max((days == day).sum(), 1)
        told = zip(regime.VOLATILITY_WORDS, shares, strict=True)
        print(day, " ".join(f"{word} {share:4.0%}" for word, share in told))


def main(seeds: range) -> None:
    """Print the table."""
    heads = ("world", "shocks", "oracle", "found", "ratio (worst seed)", "levels given")
    heads += ("median delay", "ratio", "false / 1,000", "ratio")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for world in BATTERY:
        print(row(world, seeds), flush=True)
    print(cost())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    if given.home:
        recorded(given.home)
    else:
        main(range(given.first, given.first + given.seeds))
