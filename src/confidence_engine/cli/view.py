"""What a person sees of an agent that runs: a live view in a terminal, log lines where there is none or with --plain.

The view is drawn after a batch was committed, at most five times a second, and so seldom that drawing takes a
twentieth of the time at most, however slow the terminal is. It reads the agent's state and decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from confidence_engine.cli.show import note
from confidence_engine.domain.decision import DECISION, GATE_ORDER_WORKING, GATE_POSITION_OPEN
from confidence_engine.domain.event import FILL, LIQUIDATION
from confidence_engine.domain.order import EXIT_NAMES
from confidence_engine.domain.record import ENTRY
from confidence_engine.domain.units import DAY_NS, format_time
from confidence_engine.journal import kinds

if TYPE_CHECKING:
    from rich.console import Console

    from confidence_engine.drivers.agent import Agent
    from confidence_engine.drivers.stretch import Stretch
    from confidence_engine.feeds.delivery import Moment

__all__ = ["Lines", "Looker", "View", "watcher"]

LEAST_S: Final = 0.2
"""Seconds between two drawings, and that many at least."""
SHARE: Final = 0.05
"""Of the time may be spent on drawing."""
_OF_COURSE: Final = (1 << GATE_POSITION_OPEN) | (1 << GATE_ORDER_WORKING)
"""Gates that need no words: what is held or ordered stands in the table."""
_IDLE_S: Final = 1.0
_KEPT: Final = 40


class Looker(Protocol):
    """Who looks on, as the loop's port has it, and may want to be woken where nothing comes."""

    def saw(self, agent: Agent, moments: Sequence[Moment], made: Sequence[Stretch], took_s: float) -> None:
        """As the port says."""
        ...

    async def beside(self) -> None:
        """Runs beside the loop until it is cancelled."""
        ...


@contextlib.contextmanager
def watcher(agent: Agent, speed: float, plain: bool) -> Iterator[Looker]:
    """Whoever looks on while the agent runs; a terminal is left as it was, however the run ends."""
    if not plain:
        from rich.console import Console

        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        if console.is_terminal and not console.is_dumb_terminal:
            with View(agent, speed, console) as seen:
                yield seen
            return
    yield Lines(agent)


class Lines:
    """A line for every fill, and one a day for how it stands."""

    def __init__(self, agent: Agent) -> None:
        self._symbols = [one.symbol for one in agent.cast.instruments]
        self._day = agent.now_ns // DAY_NS
        if agent.now_ns < (begin := agent.cast.window.start_ns):
            note(f"{agent.cast.config.agent.name} learns; it decides from {format_time(begin)}")

    def saw(self, agent: Agent, moments: Sequence[Moment], made: Sequence[Stretch], took_s: float) -> None:
        """As the port says."""
        import numpy as np

        del moments, took_s
        for stretch in made:
            for row in stretch.rows:
                if row.kind == kinds.ENTRY:
                    told = _fill_words(np.frombuffer(row.body, ENTRY)[0], self._symbols)
                    if told is not None:
                        note(told)
        if agent.now_ns // DAY_NS != self._day and agent.now_ns >= agent.cast.window.start_ns:
            self._day = agent.now_ns // DAY_NS
            head = agent.state.head[0]
            note(
                f"{format_time(agent.now_ns)} equity={head.equity:,.2f} open={head.open_positions} events={head.steps}"
            )

    async def beside(self) -> None:
        """Nothing to be woken for."""


def _fill_words(entry: Any, symbols: Sequence[str]) -> str | None:
    """A fill in a line; None for what is none."""
    if entry["kind"] not in (FILL, LIQUIDATION):
        return None
    side = "bought" if entry["lots"] > 0 else "sold"
    why = EXIT_NAMES.get(int(entry["why"]), str(entry["why"]))
    return (
        f"{format_time(int(entry['ts_known']))} {symbols[int(entry['asset'])]} {side} at {entry['price']:g} "
        f"({why}) fee={entry['fee_usd']:.2f} decision={entry['decision']}"
    )


class View:
    """The live view of one agent on a terminal; as a context it draws there and gives the terminal back."""

    def __init__(self, agent: Agent, speed: float, console: Console) -> None:
        from rich.live import Live

        self._agent, self._speed, self._console = agent, speed, console
        self._symbols = [one.symbol for one in agent.cast.instruments]
        self._last: dict[int, Any] = {}
        self._told: dict[int, str] = {}
        self._said: deque[tuple[int, str, bool]] = deque(maxlen=_KEPT)
        self._took: deque[float] = deque(maxlen=2000)
        self._steps, self._since, self._rate = int(agent.state.head[0].steps), time.monotonic(), float("nan")
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._next, self._size, self._gone = 0.0, console.size, False
        self.drawn, self.spent_s = 0, 0.0

    def __enter__(self) -> View:
        self._live.start()
        self._draw()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone needs nothing back
            if not self._gone:
                self._draw()
            self._live.stop()

    def saw(self, agent: Agent, moments: Sequence[Moment], made: Sequence[Stretch], took_s: float) -> None:
        """As the port says."""
        import numpy as np

        del agent, moments
        self._took.append(took_s)
        for stretch in made:
            for row in stretch.rows:
                if row.kind == kinds.DECISION:
                    self._decided(np.frombuffer(row.body, DECISION))
                elif row.kind == kinds.ENTRY:
                    told = _fill_words(np.frombuffer(row.body, ENTRY)[0], self._symbols)
                    if told is not None:
                        self._said.append((row.ts_ns, told.partition(" ")[2].partition(" fee=")[0], True))
        if time.monotonic() >= self._next:
            self._draw()

    async def beside(self) -> None:
        """Draws where nothing comes, so that a silent feed is seen to be silent."""
        while True:
            await asyncio.sleep(_IDLE_S)
            if time.monotonic() >= self._next:
                self._draw()

    def picture(self, width: int, height: int) -> Any:
        """What is drawn on a terminal of that size."""
        from confidence_engine.cli.panel import panel

        return panel(self._agent, self._speed, self._last, list(self._said), self._pace(), width, height)

    def _decided(self, row: Any) -> None:
        import numpy as np

        self._last[int(row["asset"][0])] = row
        if row["side"][0] != 0 and row["strength"][0] > 0.0 and not int(row["gates"][0]) & _OF_COURSE:
            from confidence_engine.cli.panel import decision_words

            one = row.view(np.recarray)[0]
            told = decision_words(one, self._symbols)
            if told != self._told.get(int(one.asset)):  # an asset is not said to be the same again
                self._told[int(one.asset)] = told
                self._said.append((int(one.ts_ns), told, int(one.gates) == 0))

    def _pace(self) -> tuple[float, float, float]:
        """(median and 99th percentile of a batch, ms; events a second), NaN where there is none yet."""
        import numpy as np

        now, steps = time.monotonic(), int(self._agent.state.head[0].steps)
        if now - self._since >= _IDLE_S:
            self._rate = (steps - self._steps) / (now - self._since)
            self._steps, self._since = steps, now
        if not self._took:
            return float("nan"), float("nan"), self._rate
        p50, p99 = (1e3 * np.quantile(self._took, (0.5, 0.99))).tolist()
        return p50, p99, self._rate

    def _draw(self) -> None:
        if self._gone:
            return
        began = time.monotonic()
        try:
            if self._console.size != self._size:  # what a narrower terminal broke into pieces is wiped
                self._size = self._console.size
                self._console.clear()
            self._live.update(self.picture(self._size.width, self._size.height), refresh=True)
        except OSError:  # nobody looks any more; the agent goes on
            self._gone = True
        took = time.monotonic() - began
        self.drawn, self.spent_s = self.drawn + 1, self.spent_s + took
        self._next = began + took + max(LEAST_S, took / SHARE)
