"""The tape made moment by moment is the tape that a replay makes of the whole store, also across restarts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.drivers import test_stocks as stocks
from tests.simulated import played

from confidence_engine.config import Config, load
from confidence_engine.domain.event import ADJUSTED, SIGNAL, TIMER
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.intake import Intake, decoded, encoded
from confidence_engine.drivers.sources import Sources, gather
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.store import Store
from confidence_engine.text.cues import CueReader


def intake() -> Intake:
    p = played()
    return Intake(p.config, p.sources.instruments, CueReader(), p.window, p.sources.sessions, p.sources.synthetic)


def test_moment_by_moment_makes_the_tape_of_the_replay() -> None:
    p, taken, parts = played(), intake(), []
    for moment in deliveries(p.sources, p.config.timing, p.window):
        parts.append(taken.take(moment).events)
    events = np.concatenate(parts)
    assert events.tobytes() == p.tape.events.tobytes()
    assert tuple(taken.streams) == p.tape.streams.names


def test_another_process_goes_on_where_one_stopped() -> None:
    p, taken = played(), intake()
    rng, parts = np.random.default_rng(1), []
    for moment in deliveries(p.sources, p.config.timing, p.window):
        if rng.random() < 0.002:
            kept = encoded(taken.memory())
            taken = intake()
            taken.remember(decoded(kept))
            assert encoded(taken.memory()) == kept
        parts.append(taken.take(moment).events)
    assert np.concatenate(parts).tobytes() == p.tape.events.tobytes()


def shares(project_root: Path, store: Store, end_ns: int) -> tuple[Config, Sources, Window]:
    config = load(project_root / "config" / "stocks.toml")
    sources = gather(config, store, stocks.START, end_ns, stocks.SYMBOLS)
    return config, sources, replay.window_of(config, stocks.START, end_ns)


def test_in_sessions_too_and_when_more_of_them_are_known_later(project_root: Path, tmp_path: Path) -> None:
    """A run that ended with its feed goes on with a longer one as if it had been given it at once."""
    store, parts = stocks.filled(tmp_path), []
    memory, at_ns = None, -1
    for end_ns in (stocks.START + 40 * DAY_NS, stocks.START + 45 * DAY_NS, stocks.END):
        config, sources, window = shares(project_root, store, end_ns)
        taken = Intake(config, sources.instruments, CueReader(), window, sources.sessions, False)
        if memory is not None:
            taken.remember(decoded(memory))
        coming = (one for one in deliveries(sources, config.timing, window) if one.at_ns > at_ns)
        parts += [taken.take(one).events for one in coming]
        memory, at_ns = encoded(taken.memory()), taken.at_ns
    tape = replay.compose(config, sources, replay.read(config, sources, CueReader()), window)
    mine, whole = np.concatenate(parts), tape.events.copy()
    whole["marks"] &= ~np.uint16(ADJUSTED)  # a run does not take adjusted prices, so its intake knows no such mark
    assert {TIMER, SIGNAL} <= set(mine["kind"].tolist())
    assert mine.tobytes() == whole.tobytes()
