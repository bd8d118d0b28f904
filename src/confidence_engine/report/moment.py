"""The decision as of a moment: the same tape and the same kernel as a replay, stopped at that moment.

Everything known by then enters as backfill, then one timer fires. So what is shown is what a fresh account would
have decided, with nothing that came later anywhere in memory. All of the agent's instruments take part, as in a
replay, because what is unusual for one underlying is shrunk to what its class has shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.document import known_at
from confidence_engine.domain.errors import DataMissing
from confidence_engine.domain.event import BACKFILL, SYNTHETIC, TIMER, timer_events
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS, format_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import Sources, gather, meant
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.store import Store
from confidence_engine.report.explain import explain
from confidence_engine.text.reading import Readings

__all__ = ["decide_at"]


def decide_at(
    config: Config, store: Store, text: str, at_ns: int, reader: Reader, load_ns: int | None = None
) -> dict[str, Any]:
    """The explained decision on one symbol at `at_ns`, learnt from `load_ns` on (default: the config's warm-up).

    `learnt_from` in it is that time, or that of the first thing stored where nothing is older. With the load time of a
    replay, gap, trigger and strength are that replay's own. Raises UsageError, DataMissing.
    """
    one = meant(config, text)
    begin = at_ns - config.agent.warmup_ns if load_ns is None else load_ns
    symbols = [each.symbol for each in {*config.instruments(), one}]
    sources = gather(config, store, begin, at_ns, symbols, begin)  # any bar of the warm-up will do
    if one not in sources.instruments:
        raise DataMissing(f"no bars of {one.key} are stored between {format_time(begin)} and {format_time(at_ns)}")
    _recent(config, sources, one, at_ns)
    begin = max(begin, _first(config, sources), 0)  # no event is older than 1970
    readings = replay.read(config, sources, reader)
    result = replay.play(config, sources.instruments, _as_known(config, sources, readings, begin, at_ns))
    decision, state = _of(result, sources.instruments, one), result.state
    return explain(config, one, state, readings, decision, at_ns) | {"learnt_from": format_time(begin)}


def _recent(config: Config, sources: Sources, one: Instrument, at_ns: int) -> None:
    """Raise DataMissing where the last bar is farther back than the warm-up: nothing is said on so old a price."""
    last = int(sources.bars[one.key]["close_ns"][-1])
    if at_ns - last > max(config.agent.warmup_ns, DAY_NS):
        raise DataMissing(
            f"the last stored bar of {one.key} before {format_time(at_ns)} closed at {format_time(last)}; "
            "see `confidence data list`"
        )


def _first(config: Config, sources: Sources) -> int:
    """When the first of all sources begins, ns: before it there is nothing to learn from."""
    found = [int(rows["open_ns"][0]) for rows in sources.bars.values()]
    found += [int(rows["ts_ns"][0]) for rows in sources.funding.values() if len(rows)]
    found += [int(rows["known_ns"][0]) for rows in sources.scores.values() if len(rows)]
    return min(found + [known_at(one, config.timing.news_lag_ns) for one in sources.documents])


def _as_known(config: Config, sources: Sources, readings: Readings, begin_ns: int, at_ns: int) -> np.ndarray:
    """All that was known by `at_ns` as backfill, and one timer."""
    tape = replay.compose(config, sources, readings, Window(begin_ns, at_ns, at_ns + 1))
    past = tape.events[(tape.events["kind"] != TIMER) | (tape.events["ts_known"] < at_ns)]
    past["marks"] |= np.uint16(BACKFILL)
    now = timer_events(np.array([at_ns]), grid=False, marks=SYNTHETIC if sources.synthetic else 0)
    return np.concatenate([past, now])


def _of(result: replay.Result, instruments: tuple[Instrument, ...], one: Instrument) -> np.record:
    """The decision on one instrument; the first judgement of a fresh account is always written."""
    mine = result.decisions[result.decisions["asset"] == instruments.index(one)]
    decision: np.record = mine.view(np.recarray)[-1]
    return decision
