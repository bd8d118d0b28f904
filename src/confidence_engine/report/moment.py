"""The decision as of a moment: the same tape and the same kernel as a replay, stopped at that moment.

Everything known by then enters as backfill, then one timer fires. So what is shown is what a
fresh account would have decided, with nothing that came later anywhere in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.errors import DataMissing, UsageError
from confidence_engine.domain.event import BACKFILL, SYNTHETIC, TIMER, timer_events
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import format_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import gather
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.store import Store
from confidence_engine.report.explain import explain

__all__ = ["decide_at", "meant"]


def meant(config: Config, text: str) -> str:
    """Symbol that `text` means at the config's venue: a symbol, an alias, or the name or base of one coin.

    Raises UsageError for nothing or more than one.
    """
    mine = [one for one in config.universe.instruments if one.venue == config.agent.venue]
    named = [one.symbol for one in mine if text.upper() in (one.underlying, one.symbol.partition("/")[0])]
    if len(set(named)) == 1:
        return named[0]
    if named:
        raise UsageError(f"{text!r} is ambiguous: say {' or '.join(sorted(set(named)))}")
    return config.universe.find(text.upper(), config.agent.venue).symbol


def decide_at(config: Config, store: Store, text: str, at_ns: int, reader: Reader) -> dict[str, Any]:
    """The explained decision on one symbol at `at_ns`. Raises UsageError, DataMissing."""
    symbol = meant(config, text)
    window = Window(at_ns - config.agent.warmup_ns, at_ns, at_ns)
    sources = gather(config, store, window.load_ns, at_ns, [symbol])  # any bar of the warm-up will do
    readings = replay.read(config, sources, reader)
    tape = replay.compose(config, sources, readings, window._replace(end_ns=at_ns + 1))
    past = tape.events[(tape.events["kind"] != TIMER) | (tape.events["ts_known"] < at_ns)]
    past["marks"] |= np.uint16(BACKFILL)
    now = timer_events(np.array([at_ns]), grid=False, marks=SYNTHETIC if sources.synthetic else 0)
    result = replay.play(config, sources.instruments, np.concatenate([past, now]))
    if not len(result.decisions):
        raise DataMissing(f"nothing is known about {symbol} at {format_time(at_ns)}")
    return explain(
        config, sources.instruments[0], result.state, readings, result.decisions[-1].view(np.recarray), at_ns
    )
