"""The tape made moment by moment is the tape that a replay makes of the whole store, also across restarts."""

from __future__ import annotations

import numpy as np
from tests.simulated import played

from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.intake import Intake, decoded, encoded
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
