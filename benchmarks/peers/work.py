"""The work every peer is given, and how a script takes its turns. Imported by the scripts beside it; NumPy alone.

Long only. A fast and a slow exponential average of the closes, e_t = e_{t-1} + (c_t - e_{t-1}) 2 / (n + 1), e_0 = c_0.
A cross upward, seen at a close, buys for NOTIONAL at the next open, with a stop STOP below that close; a cross downward
sells at the next open. The first FIRST bars only warm the averages. FEE is paid on both sides; no spread, no slippage,
no funding. Every peer uses its own averages where it has such.

A script is a process of its own. It does the work once and says what that cost from the start of the interpreter
(imports, compilation, laying out and work), then again at every line it reads, in CPU seconds of the process, threads
included. What the library prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

__all__ = ["CASH", "FAST", "FEE", "FIRST", "NOTIONAL", "SLOW", "STOP", "Found", "argument", "serve"]

FAST: Final = 48
SLOW: Final = 288
STOP: Final = 0.01
NOTIONAL: Final = 5_000.0
CASH: Final = 100_000.0
FEE: Final = 5e-4
FIRST: Final = 4_032
"""Bars before the first cross that counts: two weeks of five minutes."""


class Found(NamedTuple):
    """What a pass came to: entries made, equity at the end in USD, and anything else worth a column."""

    entries: int
    equity: float
    more: dict[str, Any] = {}  # noqa: RUF012 (never written to)


def argument(place: int, default: str = "") -> str:
    """Word of the command line after the file of bars."""
    return sys.argv[place + 2] if len(sys.argv) > place + 2 else default


def serve(
    lay: Callable[[np.ndarray], Any],
    run: Callable[[Any], Found],
    look: Callable[[Found], dict[str, Any]] = lambda found: found.more,
) -> None:
    """Take turns until stdin ends: `lay` brings the bars into the peer's own form, `run` does the work.

    `look` makes what is told besides from what was found, and its time is not counted.
    """
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    bars = np.load(Path(sys.argv[1]))
    for first in _turns():
        began = 0.0 if first else time.process_time()
        laid = lay(bars)
        middle = time.process_time()
        found = run(laid)
        ended = time.process_time()
        told = {"lay": middle - began, "run": ended - middle, "all": ended - began}
        if first:
            told |= {"lay": 0.0, "run": 0.0}
        said.write(json.dumps(told | {"entries": found.entries, "equity": found.equity, "more": look(found)}) + "\n")
        said.flush()


def _turns() -> Iterator[bool]:
    yield True
    for _ in sys.stdin:
        yield False
