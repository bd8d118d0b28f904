"""One check on a world so small that it runs uncompiled in a second: what a planted leak is caught with, or is not.

Every check has the smallest scene that shows what it is about: a few days of half-hour bars of two coins under eager
parameters, cut to the events that matter. The same scenes without a leak raise no alarm. A probe that had no bar or no
decision before it has seen nothing, and its silence is no verdict: that is an error.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import numpy as np

from confidence_engine.domain.errors import RunError
from confidence_engine.domain.event import BAR
from confidence_engine.domain.units import SECOND_NS
from confidence_engine.evaluate.leaks.fills import FILLS, fills
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.evaluate.leaks.lanes import KERNEL_FUTURE, kernel_future
from confidence_engine.evaluate.leaks.outcomes import outcomes
from confidence_engine.evaluate.leaks.raw import slice_of
from confidence_engine.evaluate.leaks.rebuilt import FUTURE, TRUNCATION, Rebuilt, future, known_symbols, rebuild
from confidence_engine.evaluate.leaks.scene import Scene, bundled, resting
from confidence_engine.evaluate.leaks.stamps import STAMPS, stamps
from confidence_engine.evaluate.leaks.whole import new_checks
from confidence_engine.evaluate.leaks.yardsticks import FRAMES, OWN_READING, frames, own_reading
from confidence_engine.feeds.assemble import Window
from confidence_engine.text.cues import CueReader

__all__ = ["EVENTS", "PROBED", "answer", "probe"]

DAYS: Final = {FUTURE: 9, TRUNCATION: 9, STAMPS: 12}
"""Length of a scene; three days where it is not said. Hours of the week must come back."""
EVENTS: Final = 400
"""Most events that a check of the kernel steps; the regimes, slow where nothing is compiled, have 160."""
STEPPED: Final = 60
"""Events on either side of t that are stepped where everything was made again."""
PROBED: Final = (FUTURE, TRUNCATION, STAMPS, KERNEL_FUTURE, FRAMES, OWN_READING, FILLS, "outcomes")


def probe(name: str, seed: int = 5) -> Check:
    """The check of that name on its scene. Raises RunError where it saw nothing, and what the code under it raises."""
    check, rng = new_checks()[name], np.random.default_rng(seed)
    scene = bundled(seed=seed, days=DAYS.get(name, 3), share=name == STAMPS)
    if name in (FUTURE, TRUNCATION):
        _from_raw(scene, check, rng)
        _saw(check, "bars", check.seen["bars"])
        if not check.leaks:  # who has seen events that differ does not ask what was decided on them
            _saw(check, "decisions", check.seen["decisions"])
        return check
    with TemporaryDirectory(prefix="probe-") as folder:
        window = Window(scene.begin_ns, scene.begin_ns, scene.end_ns)
        symbols = known_symbols(scene.tables, scene.end_ns)
        run = rebuild(scene.tables, scene.config, window, CueReader, Path(folder) / "home", symbols)
    _saw(check, "bars", int((run.tape.events["kind"] == BAR).sum()))
    if name == STAMPS:
        stamps(scene.tables, run, check)
    else:
        _kernel(run, name, check, rng)
    _saw(check, "cases", check.n)
    return check


def _saw(check: Check, what: str, count: int) -> None:
    if not count:
        raise RunError(f"the probe of {check.name} saw no {what}")


def _from_raw(scene: Scene, check: Check, rng: np.random.Generator) -> None:
    """Three moments a second before a headline could be known; the rows after them are the future."""
    span = scene.end_ns - scene.begin_ns
    known = next(table.knowable for table in scene.tables if table.kind == "news")
    known = known[(known > scene.end_ns - span // 4) & (known < scene.end_ns - span // 20)]
    for t in (rng.choice(known, 3, replace=False) - SECOND_NS).tolist():
        window = Window(scene.begin_ns, t - span // 8, scene.end_ns)
        tables, one = slice_of(scene.tables, 0, scene.end_ns), {check.name: check}
        future(tables, scene.config, window, CueReader, t, rng, one, stepped=STEPPED)
        if check.leaks:
            return


def _kernel(run: Rebuilt, name: str, check: Check, rng: np.random.Generator) -> None:
    """The checks that begin at the tape, on its first events."""
    events, config, instruments = run.tape.events, run.config, run.sources.instruments
    if name == KERNEL_FUTURE:
        events = events[:160]
        kernel = config.kernel._replace(regime=config.kernel.regime._replace(follow=True))
        config = msgspec.structs.replace(config, kernel=kernel)
        kernel_future(config, instruments, events, np.arange(8, len(events), 8), rng, check)
        _saw(check, "decisions", check.seen["decisions"])
    elif name == FRAMES:
        frames(config, instruments, events[: EVENTS // 2], 4, rng, check)
    elif name == OWN_READING:
        own_reading(config, instruments, events[: EVENTS // 2], 5, rng, check)
    else:
        short = run._replace(tape=run.tape._replace(events=events[:EVENTS]))
        if name == FILLS:
            fills(short, short.play(), check)
            rested = run._replace(config=resting(config))
            fills(rested, rested.play(events[: EVENTS // 2]), check)
        else:
            outcomes(short, short.play(), check)


def answer(name: str, file: Path) -> None:
    """Write what `probe` found as JSON."""
    found: dict[str, Any] = probe(name).told()
    file.write_text(json.dumps(found), encoding="utf-8")
