"""How an agent is, once a second in a file beside its journal: for whoever asks from outside.

It is no record and nothing is decided by it. A file that is old while the agent's lock is held says that it hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from confidence_engine.domain.units import format_time
from confidence_engine.drivers.agent import Agent
from confidence_engine.drivers.stretch import Stretch
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal.reader import Place
from confidence_engine.kernel.risk import HALT_DRAWDOWN, HALT_FLATTEN, HALT_OPERATOR

__all__ = ["HALTS", "Held", "Pulse", "Status", "read_status", "status_of"]

_FILE: Final = "status.json"
_EVERY_S: Final = 1.0
HALTS: Final = {HALT_OPERATOR: "operator", HALT_DRAWDOWN: "drawdown", HALT_FLATTEN: "flatten"}
"""Bits of a halt -> who or what halted."""


class Held(msgspec.Struct, frozen=True):
    """A position that is open: lots signed, price in quote."""

    symbol: str
    lots: int
    entry_price: float
    mark_price: float
    stop_ticks: int


class Status(msgspec.Struct, frozen=True):
    """One look at an agent; amounts in USD, latency from delivery to commit in ms."""

    agent: str
    journal: str
    pid: int
    written_ns: int
    feed_time: str | None  # None before anything came
    events: int
    equity: float
    balance: float
    halted: list[str]
    degraded: list[str]
    positions: list[Held]
    working_entries: int
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    synthetic: bool


class Pulse:
    """Writes the file of one agent; a watcher of its loop."""

    def __init__(self, agent: Agent) -> None:
        self._agent, self._path = agent, _path(agent.journal.place)
        self._took: deque[float] = deque(maxlen=2000)
        self._next = 0.0
        self.write()

    def saw(self, agent: Agent, moments: Sequence[Moment], made: Sequence[Stretch], took_s: float) -> None:
        """As the port says."""
        del agent, moments, made
        self._took.append(took_s)
        if time.monotonic() >= self._next:
            self.write()

    async def beside(self) -> None:
        """Beats where nothing comes, until it is cancelled: an agent whose feed is quiet does not hang."""
        while True:
            await asyncio.sleep(_EVERY_S)
            if time.monotonic() >= self._next:
                self.write()

    def write(self) -> None:
        """Now; a disk that does not take it costs the look from outside and nothing else."""
        self._next = time.monotonic() + _EVERY_S
        beside = self._path.with_suffix(".part")
        with contextlib.suppress(OSError):
            beside.write_bytes(msgspec.json.encode(status_of(self._agent, list(self._took))))
            beside.replace(self._path)


def status_of(agent: Agent, took_s: list[float]) -> Status:
    """How an agent is."""
    head, book, state = agent.state.head[0], agent.state.book, agent.state
    instruments = agent.cast.instruments
    halted = [name for bit, name in HALTS.items() if int(head.halted) & bit]
    ill = [one.symbol for k, one in enumerate(instruments) if state.asset[k].feed != 0]
    held = [
        Held(one.symbol, int(book[k].lots), float(book[k].entry_price), float(book[k].mark_price),
             int(book[k].stop_ticks))
        for k, one in enumerate(instruments) if book[k].lots != 0
    ]  # fmt: skip
    p50, p99 = (1e3 * np.quantile(took_s, (0.5, 0.99))).tolist() if took_s else (None, None)
    return Status(
        agent.cast.config.agent.name, str(agent.journal.uuid), os.getpid(), time.time_ns(),
        format_time(agent.now_ns) if agent.now_ns > 0 else None, int(head.steps), float(head.equity),
        float(head.balance), halted,
        (["all"] if head.feeds != 0 else []) + ill, held, int((book["entry_id"] != 0).sum()), p50, p99,
        agent.cast.synthetic,
    )  # fmt: skip


def read_status(place: Place) -> Status | None:
    """What the agent last said of itself, None where it never did or the file cannot be read."""
    try:
        return msgspec.json.decode(_path(place).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _path(place: Place) -> Path:
    return place.anchor.parent / _FILE
