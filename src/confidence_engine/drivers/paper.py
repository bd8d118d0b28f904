"""A paper run: an agent, a feed that the store or a simulated world makes, and the simulated venue.

Called again it goes on where it was, however it ended: with the same feed from the next thing it has to say. What the
feed is stands in the journal, so nobody goes on in another world by mistake.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from confidence_engine.config import Config, recorded
from confidence_engine.config.agent import ASIDE
from confidence_engine.domain.errors import DataMissing, UsageError
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.ports import Reader as TextReader
from confidence_engine.domain.units import format_interval, format_time
from confidence_engine.drivers.agent import Agent, Cast, go_on, start
from confidence_engine.drivers.epochs import Epoch, last_epoch, last_writer
from confidence_engine.drivers.feed import PacedFeed, deliveries
from confidence_engine.drivers.inbox import Inbox
from confidence_engine.drivers.live import Live, Watcher
from confidence_engine.drivers.renewal import instruments_of, refuse_changed, renewed
from confidence_engine.drivers.scribe import program
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.delivery import Moment
from confidence_engine.feeds.faults import Params as Faults
from confidence_engine.feeds.faults import spoil
from confidence_engine.journal.epoch import Program
from confidence_engine.journal.reader import Place, Reader

__all__ = ["Heard", "agent_of", "feed_of", "held_epoch", "run"]


class Heard(NamedTuple):
    """What feeds a run: rows, how their feed misbehaves, and how this is told in the journal."""

    sources: Sources
    window: Window
    told: Mapping[str, Any]
    faults: Faults | None = None
    seed: int = 0


def held_epoch(place: Place) -> Epoch | None:
    """The epoch that an agent's journal stands in, None where it has none yet."""
    found = _held(place)
    return None if found is None else found[0]


def _held(place: Place) -> tuple[Epoch, Program] | None:
    """The last epoch, and the program that wrote last."""
    try:
        reader = Reader(place)
    except DataMissing:
        return None
    try:
        return last_epoch(reader), last_writer(reader)
    finally:
        reader.close()


def agent_of(place: Place, config: Config, heard: Heard, reader: TextReader) -> Agent:
    """The agent of a place: a new one, as its journal left it, or in a new epoch where anything about it has changed.

    Raises UsageError for one that hears another feed or other bars, or holds what is measured otherwise now;
    JournalDamaged where what it wrote last does not come again.
    """
    full, reserve = config.journal.full, config.journal.reserve_mb << 20
    options: dict[str, Any] = {"clock": time.time_ns, "full": full, "reserve": reserve}
    found = _held(place)
    if found is None:
        return start(place, _cast(config, heard, reader, heard.sources.instruments), feed=heard.told, **options)
    held, last = found
    mine = held.program == program()
    before = recorded(held.params["config"], held.params["hash"] if mine else None, place.folder)
    _refuse(place, held, before, config, heard)
    before = msgspec.structs.replace(before, **{name: getattr(config, name) for name in ASIDE})
    wanted = instruments_of(held.instruments, heard.sources.instruments)
    old = _cast(before, heard, reader, held.instruments)._replace(window=held.window)
    wrote = "" if mine else held.program.code_revision
    agent = go_on(place, old, wrote=wrote, agreed=lambda one: refuse_changed(one, wanted), **options)
    if held.params["hash"] == config.hash and wanted == held.instruments and mine and last == held.program:
        return agent
    now = agent.now_ns
    window = Window(now - config.agent.warmup_ns, now, heard.window.end_ns)
    cast = _cast(config, heard, reader, wanted)._replace(window=window)
    try:
        return renewed(agent, cast, heard.sources, heard.told)
    except BaseException:
        agent.journal.abandon()
        raise


def _refuse(place: Place, held: Epoch, before: Config, config: Config, heard: Heard) -> None:
    """Raise UsageError where what is heard now cannot follow on what was heard before."""
    if held.feed != dict(heard.told):
        raise UsageError(f"{place.folder} heard another feed: {_words(held.feed, heard.told)}; "
                         "use another --home, or the feed that it had")  # fmt: skip
    lasted = [format_interval(one.agent.interval_ns) for one in (before, config)]
    if lasted[0] != lasted[1]:
        what = f"{config.path}: the agent {config.agent.name} heard bars of {lasted[0]}, and this config wants"
        raise UsageError(f"{what} {lasted[1]}; give it another [agent] name, or use another --home")


def _cast(config: Config, heard: Heard, reader: TextReader, instruments: tuple[Instrument, ...]) -> Cast:
    return Cast(config, instruments, reader, heard.window, heard.sources.sessions, heard.sources.synthetic)


def _words(had: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What of a feed is another now, key by key: that it had, and that it has."""
    if had.get("feed") != now.get("feed"):
        return f"{had.get('feed', 'none that is known')}, and this is {now.get('feed')}"
    one, two = dict(_leaves(had)), dict(_leaves(now))
    keys = [key for key in sorted({*one, *two}) if one.get(key) != two.get(key)]
    return ", ".join(f"{key} was {one.get(key, 'not said')} and is {two.get(key, 'not said')}" for key in keys)


def _leaves(feed: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, value) of all that is told of a feed; a time in ns as a time."""
    for name, value in feed.items():
        key = f"{above}.{name}" if above else name
        if isinstance(value, Mapping):
            yield from _leaves(value, key)
        else:
            yield key.removesuffix("_ns"), format_time(value) if name.endswith("_ns") else str(value)


def feed_of(config: Config, heard: Heard, after_ns: int) -> Iterator[Moment]:
    """What the feed says after a time."""
    source = deliveries(heard.sources, config.timing, heard.window)
    if heard.faults is not None:
        source, _ = spoil(source, heard.faults, heard.seed)
    return (one for one in source if one.at_ns > after_ns)


def run(
    agent: Agent, source: Iterator[Moment], speed: float, watchers: Sequence[Watcher] = (),
    beside: Callable[[], Awaitable[None]] | None = None,
) -> str:  # fmt: skip
    """Until the feed ends, or SIGINT or SIGTERM comes; returns why. The agent is closed when it returns.

    What became known before the first decision is taken as fast as it can be, the rest at `speed` times the clock.
    """
    begin_ns = max(agent.cast.window.start_ns, agent.now_ns)

    async def loop() -> str:
        feed = PacedFeed(source, begin_ns, speed)
        live = Live(agent, feed, Inbox(agent.journal.place), watchers, beside)
        running = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            running.add_signal_handler(one, live.stop, one.name)
        try:
            return await live.run()
        finally:
            for one in (signal.SIGINT, signal.SIGTERM):
                running.remove_signal_handler(one)

    return asyncio.run(loop())
