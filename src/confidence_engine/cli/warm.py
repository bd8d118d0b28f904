"""`confidence warm`: compile the kernel once, so that the first run does not seem to hang.

Whether code must be compiled is known only when it is asked for: a copied folder looks cached and is not. So a clock
runs beside whatever may be slow, and speaks only where it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from confidence_engine.cli.show import Json, emit, note

__all__ = ["compile_kernel", "told_when_slow", "warm"]

PATIENCE_S: Final = 2.0
_EVERY_S: Final = 5.0


def warm(as_json: Json = False) -> None:
    """Compile the kernel once, ahead of the first run."""
    seconds, cached = compile_kernel()
    said = "machine code was there already" if cached else f"compiled in {seconds:.1f} s"
    emit(as_json, {"seconds": seconds, "cached": cached}, lambda: said)


def compile_kernel() -> tuple[float, bool]:
    """Seconds it took, and whether nothing had to be compiled, by Numba's own count; it says so where it takes long."""
    began = time.monotonic()
    with told_when_slow("compiling the kernel (once for this version of the code; about a minute)", "compiling"):
        before = _compiled()
        _touch_every_entry()
        fresh = _compiled() - before
    return time.monotonic() - began, fresh == 0


@contextmanager
def told_when_slow(first: str, then: str) -> Iterator[None]:
    """Say `first` on stderr after two seconds, and `then` with the time every few seconds, until the work is done."""
    done = threading.Event()
    threading.Thread(target=_tell, args=(time.monotonic(), done, first, then), daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _tell(began: float, done: threading.Event, first: str, then: str) -> None:
    if done.wait(PATIENCE_S):
        return
    note(first)
    while not done.wait(_EVERY_S):
        note(f"  {then}, {time.monotonic() - began:.0f} s")


def _entries() -> tuple[Any, ...]:
    from confidence_engine.domain.outcome import label, labels
    from confidence_engine.drivers.loop import run

    return run, labels, label


def _compiled() -> int:
    """How often the entries were compiled in this process for want of machine code on disk."""
    from confidence_engine.domain.jit import jit_enabled

    return sum(sum(one.stats.cache_misses.values()) for one in _entries()) if jit_enabled() else 0


def _touch_every_entry() -> None:
    """Call each compiled entry once on nothing."""
    import numpy as np

    from confidence_engine.domain.event import EVENT
    from confidence_engine.domain.instrument import CLASSES, INSTRUMENT_ROW, MAX_TIERS, TIER_ROW
    from confidence_engine.domain.params import params_record
    from confidence_engine.kernel.out import new_out
    from confidence_engine.kernel.params import Params
    from confidence_engine.kernel.state import new_state
    from confidence_engine.venues import sim

    run, labels, _ = _entries()
    state = new_state(
        np.zeros(1, INSTRUMENT_ROW), np.zeros((1, MAX_TIERS), TIER_ROW), [0], np.ones((len(CLASSES), 3)), 1.0
    )
    venue = sim.new_venue(len(state.asset), 1.0)
    run(state, venue, np.zeros(0, EVENT), 0, params_record(Params()), params_record(sim.Params()), new_out(1, 128))
    at, price = np.zeros(0, np.int64), np.zeros(0, np.float64)
    labels(at, at, price, price, price, price, at, at, 1, price, 1.0, 1.0, price, 0)
