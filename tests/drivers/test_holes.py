"""A replay is told of holes, silence and jumps in what is stored, as a run is told that lives through it."""

from __future__ import annotations

import functools

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confidence_engine.config import Config
from confidence_engine.domain.event import FEED, FEED_GAP, FEED_STALE, FEED_UNSOUND, NO_ASSET, SIGNAL
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.intake import Intake
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.leaks.rebuilt import rebuilt
from confidence_engine.evaluate.leaks.scene import bundled
from confidence_engine.feeds.assemble import Tape, Window
from confidence_engine.text.cues import CueReader

SCENES = ("half hours", "days")


@functools.cache
def scene(name: str) -> tuple[Config, Sources, Window]:
    """Two coins and a share with a split and a dividend, in bars of half an hour or of a day."""
    one = bundled()
    if name == "days":
        step = one.config.agent._replace(interval_ns=DAY_NS)
        one = bundled(msgspec.structs.replace(one.config, agent=step))
    warmup = (one.end_ns - one.begin_ns) // 4
    config = msgspec.structs.replace(one.config, agent=one.config.agent._replace(warmup_ns=warmup))
    window = replay.window_of(config, one.begin_ns + warmup, one.end_ns)
    with rebuilt(one.tables, config, window, CueReader) as made:
        return config, made.sources._replace(documents=made.sources.documents[::8]), window


def spoilt(said: Sources, seed: int) -> Sources:
    """Stretches of bars are gone, and some prices stand a long way off, for one bar or for good."""
    rng, bars = np.random.default_rng(seed), {}
    for key, rows in said.bars.items():
        kept, prices = np.ones(len(rows), bool), np.ones(len(rows))
        for _ in range(rng.integers(0, 5)):
            at = int(rng.integers(0, len(rows)))
            if rng.random() < 0.6:
                kept[at : at + int(rng.integers(1, 20))] = False
            else:
                prices[at : at + int(rng.choice([1, 2, len(rows)]))] *= float(rng.choice([6.0, 0.1, 3.0]))
        rows = rows.copy()
        for name in "ohlc":
            rows[name] *= prices
        bars[key] = rows[kept]
    return said._replace(bars=bars)


def lived(config: Config, said: Sources, window: Window) -> tuple[bytes, tuple[str, ...]]:
    """The events of a run that takes moment after moment, and its streams."""
    intake = Intake(config, said.instruments, CueReader(), window, said.sessions, said.synthetic)
    events = [intake.take(one).events.tobytes() for one in deliveries(said, config.timing, window)]
    return b"".join(events), tuple(intake.streams)


def composed(config: Config, said: Sources, window: Window) -> Tape:
    return replay.compose(config, said, replay.read(config, said, CueReader()), window)


@pytest.mark.parametrize("name", SCENES)
@settings(max_examples=max(settings.default.max_examples // 8, 8))
@given(seed=st.integers(0, 10_000), silence=st.sampled_from([0, 6 * HOUR_NS]))
def test_the_tape_of_a_replay_is_what_a_run_hears(name: str, seed: int, silence: int) -> None:
    config, said, window = scene(name)
    config = msgspec.structs.replace(config, health=config.health._replace(news_silence_ns=silence))
    said = spoilt(said, seed)
    tape = composed(config, said, window)
    events, streams = lived(config, said, window)
    assert tape.events.tobytes() == events
    assert tape.streams.names == streams


@pytest.mark.parametrize("name", SCENES)
def test_what_is_wrong_is_told(name: str) -> None:
    config, said, window = scene(name)
    told = {(int(one["x0"]), int(one["asset"]))
            for seed in range(12) for one in feeds(composed(config, spoilt(said, seed), window))}  # fmt: skip
    for number in range(3):
        assert {FEED_GAP, FEED_STALE, FEED_UNSOUND} <= {what for what, asset in told if asset == number}


def test_where_nothing_is_wrong_nothing_is_told() -> None:
    config, said, window = scene("half hours")
    assert len(feeds(composed(config, said, window))) == 0


def test_news_that_falls_silent_is_told() -> None:
    config, said, window = scene("half hours")
    config = msgspec.structs.replace(config, health=config.health._replace(news_silence_ns=6 * HOUR_NS))
    told = feeds(composed(config, said, window))
    assert len(told) > 2
    assert set(told["asset"].tolist()) == {NO_ASSET}
    assert set(told["x2"].tolist()) == {float(SIGNAL)}


def feeds(tape: Tape) -> np.ndarray:
    return tape.events[tape.events["kind"] == FEED]
