"""A small simulated world as tests of the shell share it: made once, stored once, replayed once a process.

Four coins, five-minute bars over 22 days from 2025-01-01, of which the first six are the warm-up. Nothing here
needs recorded data; whatever writes works on a copy or under a folder of its own.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from confidence_engine.config import Config, load
from confidence_engine.config.simulated import VENUE, write_simulated
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import Sources, gather
from confidence_engine.evaluate.summary import Figures, figures, summarise
from confidence_engine.feeds.assemble import Tape, Window
from confidence_engine.feeds.store import Batch, Store
from confidence_engine.feeds.world import World, generate
from confidence_engine.text.cues import CueReader
from confidence_engine.text.reading import Readings

__all__ = [
    "BEGIN", "DAYS", "END", "START", "WARMUP_DAYS", "Played", "config_file", "fill", "home", "played", "replayed",
    "summary_of", "world",
]  # fmt: skip

DAYS, WARMUP_DAYS = 22, 6
BEGIN = parse_time("2025-01-01")
START, END = "2025-01-07", "2025-01-23"


@functools.cache
def world() -> World:
    """The world of seed 3."""
    return generate(3, start_ns=BEGIN, days=DAYS)


def fill(
    store: Store, synthetic: bool = True, bars: bool = True, funding: bool = True, news: bool = True,
    without: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Put the world, or parts of it, into a store; `without` names symbols that get no bars or no funding."""
    made = world()
    if bars:
        rows = {name: one for name, one in made.bars.items() if name not in without}
        store.add(Batch("bars", "w", "bars", 0, VENUE, 5 * MINUTE_NS, rows=rows, synthetic=synthetic))
    if funding:
        rows = {name: one for name, one in made.funding.items() if name not in without}
        store.add(Batch("funding", "w", "funding", 0, VENUE, rows=rows, synthetic=synthetic))
    if news:
        store.add(Batch("news", "w", "news", 0, documents=made.documents, synthetic=synthetic))


def config_file(folder: Path, **changes: str) -> Path:
    """The world's config in `folder`; a keyword replaces one line's value, as evidence='["score"]'."""
    made = world()
    path = write_simulated(folder, made.underlyings, made.ticks, WARMUP_DAYS)
    text = path.read_text("utf-8") + '\n[text]\nbackend = "cues"\n'  # as `replayed` reads; needs no model
    for key, value in changes.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{key} =")]
        at = lines.index("[agent]")
        text = "\n".join([*lines[: at + 1], f"{key} = {value}", *lines[at + 1 :]]) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


@functools.cache
def home() -> Path:
    """A home with the whole world in its store and its config under config/; not to be written to."""
    folder = Path(tempfile.mkdtemp(prefix="world-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config_file(folder / "config")
    fill(Store(folder))
    return folder


class Played(NamedTuple):
    """One replay taken apart."""

    config: Config
    sources: Sources
    readings: Readings
    window: Window
    tape: Tape
    result: replay.Result
    made: Figures


def replayed(config: Config, store: Store, start: str = START, end: str = END) -> Played:
    """A replay as the command makes it, without writing anything."""
    start_ns, end_ns = parse_time(start), parse_time(end)
    sources = gather(config, store, start_ns, end_ns)
    readings = replay.read(config, sources, CueReader())
    window = replay.window_of(config, start_ns, end_ns)
    tape = replay.compose(config, sources, readings, window)
    result = replay.play(config, sources.instruments, tape.events)
    return Played(config, sources, readings, window, tape, result, figures(config, sources, result))


@functools.cache
def played() -> Played:
    """The replay of the whole period."""
    return replayed(load(home() / "config/simulated.toml"), Store(home()))


def summary_of(p: Played) -> dict[str, Any]:
    """Its summary."""
    return summarise(p.config, p.sources, p.window, p.tape, p.result, p.made, "cues")


assert parse_time(END) == DAYS * DAY_NS + BEGIN
