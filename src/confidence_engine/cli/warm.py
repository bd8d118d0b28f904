"""`confidence warm`: compile the kernel once, so that the first run does not seem to hang."""

from __future__ import annotations

import threading
import time

from confidence_engine.cli.show import Json, emit, note

__all__ = ["compile_kernel", "warm"]


def warm(as_json: Json = False) -> None:
    """Compile the kernel once, ahead of the first run."""
    seconds, cached = compile_kernel()
    said = "machine code was there already" if cached else f"compiled in {seconds:.1f} s"
    emit(as_json, {"seconds": seconds, "cached": cached}, lambda: said)


def compile_kernel() -> tuple[float, bool]:
    """Seconds it took and whether it came from the cache; a line on stderr every few seconds while it compiles."""
    from confidence_engine.domain.jit import is_cached

    cached = is_cached()
    began = time.monotonic()
    done = threading.Event()
    if not cached:
        note("compiling the kernel (once for this version of the code; about half a minute)")
        threading.Thread(target=_tell, args=(began, done), daemon=True).start()
    try:
        _touch_every_entry()
    finally:
        done.set()
    return time.monotonic() - began, cached


def _tell(began: float, done: threading.Event) -> None:
    while not done.wait(5.0):
        note(f"  compiling, {time.monotonic() - began:.0f} s")


def _touch_every_entry() -> None:
    """Call each compiled entry once on nothing."""
    import numpy as np

    from confidence_engine.domain.event import EVENT
    from confidence_engine.domain.instrument import CLASSES, INSTRUMENT_ROW, MAX_TIERS, TIER_ROW
    from confidence_engine.domain.outcome import labels
    from confidence_engine.domain.params import params_record
    from confidence_engine.drivers.loop import run
    from confidence_engine.kernel.out import new_out
    from confidence_engine.kernel.params import Params
    from confidence_engine.kernel.state import new_state
    from confidence_engine.venues import sim

    state = new_state(
        np.zeros(1, INSTRUMENT_ROW), np.zeros((1, MAX_TIERS), TIER_ROW), [0], np.ones((len(CLASSES), 3)), 1.0
    )
    venue = sim.new_venue(len(state.asset), 1.0)
    run(state, venue, np.zeros(0, EVENT), 0, params_record(Params()), params_record(sim.Params()), new_out(1, 128))
    at, price = np.zeros(0, np.int64), np.zeros(0, np.float64)
    labels(at, at, price, price, price, price, at, at, 1, price, 1.0, 1.0, price, 0)
