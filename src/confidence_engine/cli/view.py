"""What a person sees of an agent that runs: log lines where the output is no terminal, else a live view."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from confidence_engine.cli.show import note
from confidence_engine.domain.event import FILL, LIQUIDATION
from confidence_engine.domain.order import EXIT_NAMES
from confidence_engine.domain.record import ENTRY
from confidence_engine.domain.units import DAY_NS, format_time
from confidence_engine.journal import kinds

if TYPE_CHECKING:
    from confidence_engine.config import Config
    from confidence_engine.drivers.agent import Agent
    from confidence_engine.drivers.live import Watcher
    from confidence_engine.drivers.paper import Heard
    from confidence_engine.drivers.stretch import Stretch
    from confidence_engine.feeds.delivery import Moment

__all__ = ["Lines", "watcher"]


@contextlib.contextmanager
def watcher(config: Config, heard: Heard, agent: Agent, speed: float, plain: bool) -> Iterator[Watcher]:
    """Whoever looks on while the agent runs."""
    del config, heard, speed, plain
    yield Lines(agent)


class Lines:
    """A line for every fill, and one a day for how it stands."""

    def __init__(self, agent: Agent) -> None:
        self._symbols = [one.symbol for one in agent.cast.instruments]
        self._day = agent.now_ns // DAY_NS

    def saw(self, agent: Agent, moments: Sequence[Moment], made: Sequence[Stretch], took_s: float) -> None:
        """As the port says."""
        del moments, took_s
        for stretch in made:
            for row in stretch.rows:
                if row.kind == kinds.ENTRY:
                    self._fill(np.frombuffer(row.body, ENTRY)[0])
        if agent.now_ns // DAY_NS != self._day:
            self._day = agent.now_ns // DAY_NS
            head = agent.state.head[0]
            note(
                f"{format_time(agent.now_ns)} equity={head.equity:,.2f} open={head.open_positions} events={head.steps}"
            )

    def _fill(self, entry: np.void) -> None:
        if entry["kind"] not in (FILL, LIQUIDATION):
            return
        side = "bought" if entry["lots"] > 0 else "sold"
        why = EXIT_NAMES.get(int(entry["why"]), str(entry["why"]))
        note(
            f"{format_time(int(entry['ts_known']))} {self._symbols[int(entry['asset'])]} {side} at {entry['price']:g} "
            f"({why}) fee={entry['fee_usd']:.2f} decision={entry['decision']}"
        )
