"""What the shape alone costs: the real types with every stage a stub, beside the real kernel; compile and event cost.

    python benchmarks/spike.py

Each number comes from a process of its own with an empty cache. The stubs touch one field of each record, so the
difference between the two rows is what the beliefs cost and not what state, parameters and dispatch cost.
"""

from __future__ import annotations

import subprocess
import sys
import time

STUB = "stub"


def stubbed() -> None:
    """The loop over the real types with stages that do next to nothing."""
    from benchmarks.throughput import coin, tape
    from numba import njit

    from confidence_engine.domain.event import BAR, SIGNAL, TIMER, bar_close, signal_polarity
    from confidence_engine.domain.jit import stage

    @stage
    def observe(s, event, p):  # type: ignore[no-untyped-def]
        s.asset[event.asset].price = bar_close(event) * p.vol_prior_obs

    @stage
    def hear(s, event, p):  # type: ignore[no-untyped-def]
        s.told[event.asset].amount += signal_polarity(event) * p.publisher_weight

    @stage
    def judge(s, i, d, p):  # type: ignore[no-untyped-def]
        d.gap = s.told[s.inst[i].underlying].amount - p.kappa * s.asset[i].price

    @stage
    def release(s, v, i, d, out, p):  # type: ignore[no-untyped-def]
        s.book[i].margin, v.pos[i].margin = d.gap, p.latency_ns
        out.head[0].judged += 1

    @njit(error_model="numpy")
    def run(s, v, events, params, assumptions, out):  # type: ignore[no-untyped-def]
        p, q = params[0], assumptions[0]
        for k in range(len(events)):
            event = events[k]
            s.head[0].now_ns = event.ts_known
            if event.kind == BAR:
                observe(s, event, p.price)
            elif event.kind == SIGNAL:
                hear(s, event, p.narrative)
            elif event.kind == TIMER:
                for i in range(s.head[0].n_assets):
                    d = out.decisions[i]
                    judge(s, i, d, p.divergence)
                    release(s, v, i, d, out, q)

    _time(run, coin, tape)


def _time(run, coin, tape) -> None:  # type: ignore[no-untyped-def]
    import numpy as np

    from confidence_engine.domain.instrument import CLASSES, instrument_rows
    from confidence_engine.domain.params import params_record
    from confidence_engine.kernel.out import new_out
    from confidence_engine.kernel.params import Params
    from confidence_engine.kernel.state import new_state
    from confidence_engine.venues import sim

    rows, tiers = instrument_rows([coin(0)], ["C0"], 300 * 10**9)
    state = new_state(rows, tiers, [0], np.tile([0.8, 0.5, 365 * 86400.0], (len(CLASSES), 1)), 1e5)
    venue, out = sim.new_venue(len(state.asset), 1e5), new_out(1)
    records = params_record(Params()), params_record(sim.Params())
    began = time.process_time()
    run(state, venue, tape(1, 10, 5), *records, out)
    compiled = time.process_time() - began
    events = tape(1, 200_000, 41)
    began = time.process_time()
    run(state, venue, events, *records, out)
    each = 1e9 * (time.process_time() - began) / len(events)
    print(f"stages stubbed: compile {compiled:.1f} CPU s, {each:.0f} ns an event")


def real() -> None:
    """The kernel as it is, its cache switched off."""
    import tempfile
    from pathlib import Path

    from confidence_engine.domain import jit

    jit.cache_folder.__globals__["cache_folder"] = lambda *_: Path(tempfile.mkdtemp())
    from benchmarks.throughput import seconds, tape

    began = time.process_time()
    seconds(1, tape(1, 10, 5))
    compiled = time.process_time() - began
    events = tape(1, 200_000, 41)
    print(f"stages real:    compile {compiled:.1f} CPU s, {1e9 * seconds(1, events) / len(events):.0f} ns an event")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        stubbed() if sys.argv[1] == STUB else real()
    else:
        for which in (STUB, "real"):
            subprocess.run([sys.executable, "-m", "benchmarks.spike", which], check=True)
