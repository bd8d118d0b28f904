"""Kernel and venue throughput: events a CPU second with 1, 50 and 128 assets, and the memory of 10 million bars.

    python benchmarks/throughput.py            # both, medians of five, after a warm-up
    python benchmarks/throughput.py --memory   # the memory figure alone (a process of its own)

Bars are random walks with Student-t shocks; stories arrive at the rate of the recorded news (about seven a day
and asset) or, for the dense case, every 200 minutes. Timed is `drivers.loop.run` in CPU seconds, artefacts left out.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import numpy as np

from confidence_engine.domain import event as ev
from confidence_engine.domain.instrument import CLASSES, Instrument, Tier, instrument_rows
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, SECOND_NS
from confidence_engine.drivers.loop import run
from confidence_engine.feeds.merge import merge
from confidence_engine.kernel.out import clear, new_out
from confidence_engine.kernel.params import Params
from confidence_engine.kernel.state import new_state
from confidence_engine.venues import sim

BAR = 5 * MINUTE_NS
BEGIN = 20_000 * DAY_NS


def coin(k: int) -> Instrument:
    """A perpetual of a made-up coin."""
    return Instrument(
        symbol=f"C{k}/USDT", venue="bench", underlying=f"C{k}", klass="crypto", quote="USDT", tick=0.01, lot=0.001,
        min_notional=5.0, taker=5e-4, maker=2e-4, half_spread=1e-4, max_leverage=25.0, can_short=True,
        liquidation_fee=0.0125, tiers=(Tier(50e3, 0.004), Tier(250e3, 0.005), Tier(1e6, 0.01)),
    )  # fmt: skip


def bars(rng: np.random.Generator, asset: int, count: int) -> np.ndarray:
    """BAR events of one random walk."""
    close_ns = BEGIN + BAR * np.arange(1, count + 1, dtype=np.int64)
    close = np.round(100.0 * np.exp(np.cumsum(rng.standard_t(4, count) * 0.0008)), 2)
    opened = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opened, close) * (1.0 + np.abs(rng.normal(0.0, 4e-4, count)))
    low = np.minimum(opened, close) * (1.0 - np.abs(rng.normal(0.0, 4e-4, count)))
    ohlcv = (opened, high, low, close, rng.lognormal(8.0, 0.5, count))
    return ev.bar_events(close_ns, close_ns + SECOND_NS, asset, 1, ohlcv)


def told(rng: np.random.Generator, asset: int, count: int, bars_a_story: int) -> np.ndarray:
    """SIGNAL events, each a story of its own."""
    n = max(count // bars_a_story, 1)
    at = np.sort(rng.integers(BEGIN, BEGIN + count * BAR, n))
    reading = (rng.uniform(-1, 1, n), rng.uniform(0.3, 0.9, n), np.ones(n), np.ones(n), asset * 1e6 + np.arange(n))
    return ev.signal_events(at, at + SECOND_NS, np.full(n, asset), np.full(n, 2), reading)


def tape(assets: int, count: int, bars_a_story: int) -> np.ndarray:
    """Bars, stories and the timer grid."""
    rng = np.random.default_rng(5)
    parts = [bars(rng, k, count) for k in range(assets)]
    parts += [told(rng, k, count, bars_a_story) for k in range(assets)]
    grid = BEGIN + BAR * np.arange(1, count + 1, dtype=np.int64) + 2 * SECOND_NS
    return merge([*parts, ev.timer_events(grid, grid=True)])


def seconds(assets: int, events: np.ndarray) -> float:
    """CPU seconds of one pass from a fresh state."""
    rows, tiers = instrument_rows([coin(k) for k in range(assets)], [f"C{k}" for k in range(assets)], BAR)
    priors = np.tile([0.8, 0.5, 365 * 86400.0], (len(CLASSES), 1))
    state = new_state(rows, tiers, [0] * assets, priors, 1e5)
    venue, out = sim.new_venue(len(state.asset), 1e5), new_out(assets)
    records = params_record(Params()), params_record(sim.Params())
    for rows in out:
        rows.fill(0)  # the system clears fresh pages when they are first written; a long replay pays that once
    at, began = 0, time.process_time()
    while at < len(events):
        at = run(state, venue, events, at, *records, out)
        if out.head[0].status:
            raise SystemExit(f"status {out.head[0].status} at event {out.head[0].where}")
        clear(out)
    return time.process_time() - began


def speed() -> None:
    """The table of throughput."""
    seconds(1, tape(1, 500, 40))
    print(f"{'assets':>6} {'stories':>22} {'events':>9} {'M events / CPU s':>17}   min .. max of 5")
    for assets, count in ((1, 200_000), (50, 8_000), (128, 3_000)):
        for bars_a_story, name in ((41, "seven a day and asset"), (10**9, "none")):
            events = tape(assets, count, bars_a_story)
            rates = [len(events) / seconds(assets, events) / 1e6 for _ in range(5)]
            middle = statistics.median(rates)
            print(f"{assets:>6} {name:>22} {len(events):>9} {middle:>17.2f}   {min(rates):.2f} .. {max(rates):.2f}")


def memory() -> None:
    """Peak memory of a process that lays 10 million bars of 50 assets on a tape and runs it."""
    events = tape(50, 200_000, 41)
    cpu = seconds(50, events)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"10,000,000 bars, {len(events):,} events: peak {peak:.2f} GiB, {len(events) / cpu / 1e6:.2f} M events / CPU s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", action="store_true")
    if parser.parse_args().memory:
        memory()
    else:
        speed()
