"""The small scene of the audit's own tests: made and composed once a process."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from confidence_engine.drivers.replay import Result
from confidence_engine.evaluate.leaks.rebuilt import Rebuilt, known_symbols, rebuild
from confidence_engine.evaluate.leaks.scene import Scene, bundled
from confidence_engine.feeds.assemble import Window
from confidence_engine.text.cues import CueReader

__all__ = ["played", "run", "scene"]


@functools.cache
def scene() -> Scene:
    """Six days of half-hour bars of two coins and a share, under eager parameters."""
    return bundled(days=6)


@functools.cache
def run() -> Rebuilt:
    """The scene imported and composed, decided from its second day on."""
    made = scene()
    window = Window(made.begin_ns, made.begin_ns + (made.end_ns - made.begin_ns) // 6, made.end_ns)
    with tempfile.TemporaryDirectory(prefix="scene-") as folder:
        symbols = known_symbols(made.tables, made.end_ns)
        return rebuild(made.tables, made.config, window, CueReader, Path(folder) / "home", symbols)


@functools.cache
def played() -> Result:
    """What came of it."""
    return run().play()
