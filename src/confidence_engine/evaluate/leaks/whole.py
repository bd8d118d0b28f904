"""All checks over one scene, and what none of them can see.

A leak is anything by which a decision knew more than could be known when it was made. The checks come at it from
several sides, because no single one sees all: raw rows are changed or cut and everything made again (`rebuilt`), every
event is traced to its row (`stamps`), the kernel is stepped without and with another future (`lanes`), open frames and
own yardsticks are probed (`yardsticks`), fills and outcomes are done again from the bars (`fills`, `outcomes`), and
what was learnt from data is held against the time of the decisions it served (`trained`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS, SECOND_NS, format_time
from confidence_engine.drivers.replay import Result
from confidence_engine.evaluate.leaks.fills import FILLS, fills
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.evaluate.leaks.lanes import KERNEL_FUTURE, cuts_of, kernel_future
from confidence_engine.evaluate.leaks.outcomes import OUTCOMES, outcomes
from confidence_engine.evaluate.leaks.raw import slice_of
from confidence_engine.evaluate.leaks.rebuilt import (
    FUTURE,
    TRUNCATION,
    Rebuilt,
    begun,
    future,
    known_symbols,
    rebuild,
)
from confidence_engine.evaluate.leaks.scene import Scene
from confidence_engine.evaluate.leaks.stamps import STAMPS, stamps
from confidence_engine.evaluate.leaks.startup import startup
from confidence_engine.evaluate.leaks.trained import TRAINED, trained
from confidence_engine.evaluate.leaks.yardsticks import FRAMES, OWN_READING, frames, own_reading
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.store import Store

__all__ = ["BLIND_SPOTS", "CHECKS", "Scope", "audit", "moments_of", "new_checks"]

CHECKS: Final = {
    FUTURE: "raw rows after t replaced, everything made again: nothing up to t is another",
    TRUNCATION: "raw rows after t cut, everything made again: nothing up to t is another",
    STAMPS: "no event is known before the raw row behind it could be",
    KERNEL_FUTURE: "events after a cut replaced: no state and no word up to the cut is another",
    FRAMES: "a frame of several bars is believed when it is over and not before",
    OWN_READING: "no number is part of the yardstick it is measured by",
    FILLS: "no fill that the bar and the orders that had arrived could not have brought",
    OUTCOMES: "nothing is learnt from an outcome before the bar that decided it",
    TRAINED: "nothing that was fitted on data served a decision older than that data",
}
"""What each check holds to be true."""

BLIND_SPOTS: Final = (
    "vendor's stamps that are wrong: a row is taken to be as old as its file says, plus the configured lag",
    "revised history: the store keeps one value a bar and item, and nobody recorded what it was when it was new",
    "survivorship: the assets are those somebody chose to record, knowing which were still there",
    "today's tick tables, lots, fees, margin tiers and symbols, used in the past",
    "choices made after seeing results: which rule, which default, which period to show",
    "what a language model knew before it was fine-tuned, and what its labellers knew when they labelled",
    "words and rules written by hand (lexicon, relevance, gates) by people who knew what came later",
    "a leak that is the same in both of two runs: a constant copied from the future into the code",
    "an order of events inside one bar that the bar does not tell; fills are held to the worst order, not to the true",
)
"""What no check here can see."""

BEFORE_NS, AFTER_NS = 20 * DAY_NS, 5 * DAY_NS
TRIES: Final = 50
"""Moments that are drawn at most for each that is wanted."""


class Scope(NamedTuple):
    """How much is looked at: moments t from raw rows, cuts of the kernel alone, probes of frames and yardsticks."""

    moments: int = 50
    cuts: int = 10_000
    probes: int = 40
    seed: int = 1


def new_checks() -> dict[str, Check]:
    """A row for every check, nothing looked at yet."""
    return {name: Check(name, what) for name, what in CHECKS.items()}


def audit(scene: Scene, maker: Callable[[], Reader], scope: Scope, say: Callable[[str], None]) -> dict[str, Any]:
    """Every check over `scene`; `maker` makes a reader that has read nothing. Raises DataError, KernelHalted."""
    checks, rng = new_checks(), np.random.default_rng(scope.seed)
    with TemporaryDirectory(prefix="audit-") as folder:
        say("importing the raw rows and composing the whole period")
        run = _whole(scene, maker, Path(folder) / "home")
        store = Store(Path(folder) / "home")
        say(f"{STAMPS}: {len(run.tape.events):,} events against their rows")
        stamps(scene.tables, run, checks[STAMPS])
        result = _kernel(run, scope, rng, checks, say)
        rows = trained(scene.config, result.decisions["ts_ns"], scene.synthetic, checks[TRAINED])
        settled = _startup(scene, run, store, maker, say)
    skipped = _from_raw(scene, maker, scope, rng, checks, say)
    return {
        "start": format_time(run.window.start_ns), "end": format_time(run.window.end_ns),
        "leaks": sum(check.leaks for check in checks.values()), "checks": [check.told() for check in checks.values()],
        "moments_without_bars": skipped, "learnt": rows, "startup": settled, "blind_spots": list(BLIND_SPOTS),
    }  # fmt: skip


def _whole(scene: Scene, maker: Callable[[], Reader], folder: Path) -> Rebuilt:
    """The run over all rows; decided after the warm-up, or a quarter of the period where that is shorter."""
    span = scene.end_ns - scene.begin_ns
    warm = min(scene.config.agent.warmup_ns, span // 4)
    window = Window(scene.begin_ns, scene.begin_ns + warm, scene.end_ns)
    return rebuild(scene.tables, scene.config, window, maker, folder, known_symbols(scene.tables, scene.end_ns))


def _kernel(
    run: Rebuilt, scope: Scope, rng: np.random.Generator, checks: dict[str, Check], say: Callable[[str], None]
) -> Result:
    """The checks that begin at the tape."""
    config, instruments, events = run.config, run.sources.instruments, run.tape.events
    cuts = cuts_of(events, scope.cuts, rng)
    say(f"{KERNEL_FUTURE}: {len(cuts):,} cuts of {len(events):,} events")
    kernel_future(config, instruments, events, cuts, rng, checks[KERNEL_FUTURE])
    say(f"{FRAMES}, {OWN_READING}, {FILLS}, {OUTCOMES}")
    frames(config, instruments, events, scope.probes, rng, checks[FRAMES])
    own_reading(config, instruments, events, scope.probes, rng, checks[OWN_READING])
    result = run.play()
    fills(run, result, checks[FILLS])
    outcomes(run, result, checks[OUTCOMES])
    return result


def _startup(
    scene: Scene, run: Rebuilt, store: Store, maker: Callable[[], Reader], say: Callable[[str], None]
) -> dict[str, Any]:
    """The last week in which something is told, or thirty bars where they are longer, after several warm-ups."""
    decided = min(max(7 * DAY_NS, 30 * scene.config.agent.interval_ns), (scene.told_ns - scene.begin_ns) // 4)
    symbols = [one.symbol for one in run.sources.instruments]
    last = scene.told_ns - decided
    return startup(scene.config, store, symbols, scene.begin_ns, last, scene.told_ns, maker(), say)


def _from_raw(
    scene: Scene, maker: Callable[[], Reader], scope: Scope, rng: np.random.Generator, checks: dict[str, Check],
    say: Callable[[str], None],
) -> int:  # fmt: skip
    """Everything made again from the rows round each moment; how many moments were passed over for want of bars."""
    span, step = scene.told_ns - scene.begin_ns, scene.config.agent.interval_ns
    before = min(max(BEFORE_NS, 3 * scene.config.kernel.price.min_obs * step // 2), span * 3 // 5)
    after = min(max(AFTER_NS, 20 * step), span // 5)
    both = {name: checks[name] for name in (FUTURE, TRUNCATION)}
    moments, skipped = moments_of(scene, scope.moments, before, after, rng)
    for number, t in enumerate(moments, 1):
        say(f"{FUTURE}, {TRUNCATION}: {number} of {len(moments)}, t = {format_time(t)}")
        window = _round(t, before, after)
        tables = slice_of(scene.tables, window.load_ns, window.end_ns)
        future(tables, scene.config, window, maker, t, rng, both)
    return skipped


def _round(t: int, before_ns: int, after_ns: int) -> Window:
    return Window(t - before_ns, t - before_ns * 3 // 4, t + after_ns)


def moments_of(
    scene: Scene, count: int, before_ns: int, after_ns: int, rng: np.random.Generator
) -> tuple[list[int], int]:
    """(`count` times in order, how many others were drawn round which no symbol has a bar that was decided on).

    Half by chance and half just before some row could be known, where a leak would be new; all by chance where nothing
    but bars is stored. Fewer where bars are so rare that chance finds none.
    """
    first, last = scene.begin_ns + before_ns, scene.told_ns - after_ns
    known = np.concatenate(
        [table.knowable for table in scene.tables if table.kind != "bars"] or [np.zeros(0, np.int64)]
    )
    known = known[(known > first) & (known < last)]
    near = count // 2 if len(known) else 0
    found: list[int] = []
    tries = 0
    while len(found) < count and tries < TRIES * count:
        tries += 1
        if len(found) < count - near or 2 * tries > TRIES * count:
            t = int(rng.integers(first, max(last, first + 1)))
        else:
            t = int(rng.choice(known)) - 1 - int(rng.integers(0, 60)) * SECOND_NS
        if known_symbols(scene.tables, t, begun(scene.config, _round(t, before_ns, after_ns))):
            found.append(t)
    return sorted(found), tries - len(found)
