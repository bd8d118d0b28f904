"""Two leaks that no future shows: a frame that counts before it is over, a number that stands in its own yardstick.

frames       bars of a frame that is still open are replaced; the range, the regimes and the betas, which believe closed
             frames only, must not move.
own-reading  a newest number is set to three values. What is standardised by its own past, z = (x - m) / s, is a
             straight line in x where m and s do not contain x: z(x2) must lie on the line through z(x0) and z(x1).
             Tested for the story's reading (x = N) and for the volume's surprise (x = log of the volume).
Markets with sessions are left out of `frames`: their frames begin at opens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.event import BAR, SIGNAL, TIMER
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.units import format_interval, format_time
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.evaluate.leaks.lanes import Lane, lane

__all__ = ["FRAMES", "OWN_READING", "frames", "own_reading"]

FRAMES: Final = "frames"
OWN_READING: Final = "own-reading"
OF_A_FRAME: Final = ("n_bars", "level", "rank", "volatility", "trend", "switch")
"""What a regime's timeframe believes; its running price is no belief."""
VALUES: Final = (0.2, 0.45, 0.9)
"""Polarities that a reading is set to, and factors of a volume less a half."""
CLIP: Final = 3.999
LINE: Final = 1e-9
"""How far a number may lie from its line, relative to the line's length."""

Point = tuple[float, float]


def frames(
    config: Config, instruments: tuple[Instrument, ...], events: np.ndarray, count: int, rng: np.random.Generator,
    check: Check,
) -> None:  # fmt: skip
    """Replace what is in the middle of `count` frames of each length. Raises KernelHalted."""
    all_day = np.array([i for i, one in enumerate(instruments) if not one.calendar], np.int64)
    with check.timed():
        walker, branch = lane(config, instruments), lane(config, instruments)
        at = 0
        for first, k, length in _probes(config, all_day, events, count, rng):
            if first > at:
                walker.step(events[:first], at, first)
                at = first
            beliefs = []
            for rows in (events[at : k + 1], _other_frame(events[at : k + 1], all_day, rng)):
                branch.copy_from(walker)
                branch.step(rows, 0, len(rows))
                beliefs.append(_believed(branch, length, all_day, config))
            check.n += 1
            for name, one in beliefs[0].items():
                if one.tobytes() != beliefs[1][name].tobytes():
                    when = format_time(int(events[k]["ts_known"]))
                    check.leak(f"at {when}: {name} moves with a frame of {format_interval(length)} that is still open")
                    break


def _probes(
    config: Config, all_day: np.ndarray, events: np.ndarray, count: int, rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """(first event of the frame, bar inside it that does not end it, length of the frame), by first event."""
    p, step = config.kernel, config.agent.interval_ns
    lengths = {p.price.atr_frame_ns, p.market.frame_ns}
    if p.regime.follow:
        lengths |= {p.regime.middle_frame_ns, p.regime.long_frame_ns}
    bars = np.flatnonzero((events["kind"] == BAR) & np.isin(events["asset"], all_day))
    probes = []
    for length in sorted(one for one in lengths if one > step):
        closes = events["ts_event"][bars]
        inside = bars[(closes % length != 0) & (closes > closes[:1] + 2 * length)]
        for k in rng.choice(inside, min(count, len(inside)), replace=False).tolist():
            opened = (int(events["ts_event"][k]) - 1) // length * length
            first = int(np.searchsorted(events["ts_event"][bars], opened, side="right"))
            probes.append((int(bars[first]), int(k), length))
    return sorted(probes)


def _other_frame(events: np.ndarray, assets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The events with other prices in all bars of these assets."""
    other = events.copy()
    bar = (other["kind"] == BAR) & np.isin(other["asset"], assets)
    factor = np.exp(rng.normal(0.0, 0.05, int(bar.sum())))
    for name in ("x0", "x1", "x2", "x3"):
        other[name][bar] *= factor
    return other


def _believed(one: Lane, length: int, assets: np.ndarray, config: Config) -> dict[str, np.ndarray]:
    """What is believed of closed frames of this length."""
    s, p = one.state, config.kernel
    told: dict[str, np.ndarray] = {}
    if length == p.price.atr_frame_ns:
        told["the range"] = s.asset["atr"][assets]
    if length == p.market.frame_ns:
        told["a beta"] = s.beta["beta"][assets]
    for f, frame_ns in ((1, p.regime.middle_frame_ns), (2, p.regime.long_frame_ns)):
        if length == frame_ns and p.regime.follow:
            told[f"regime {f}"] = np.stack([s.regime[name][assets, f].astype(float) for name in OF_A_FRAME])
    return told


def own_reading(
    config: Config, instruments: tuple[Instrument, ...], events: np.ndarray, count: int, rng: np.random.Generator,
    check: Check,
) -> None:  # fmt: skip
    """Ask `count` readings and `count` volumes whether they stand in their own yardstick. Raises KernelHalted."""
    timers = np.flatnonzero(events["kind"] == TIMER)
    places: list[int] = []
    for kind in (SIGNAL, BAR):
        some = np.flatnonzero(events["kind"] == kind)
        some = some[some < timers[-1]][len(some) // 2 :]  # a young yardstick is all prior
        places += rng.choice(some, min(count, len(some)), replace=False).tolist()
    with check.timed():
        walker, branch = lane(config, instruments), lane(config, instruments)
        at = 0
        for k in sorted(places):
            if k > at:
                walker.step(events[:k], at, k)
                at = k
            story = events["kind"][k] == SIGNAL
            until = int(timers[np.searchsorted(timers, k)]) if story else k
            bent = _bent([_point(walker, branch, events[k : until + 1], x, config) for x in VALUES])
            if bent is None:
                continue
            check.n += 1
            if bent > LINE:
                what = "a story's reading" if story else "a bar's volume"
                check.leak(f"at {format_time(int(events[k]['ts_known']))}: {what} is part of its own yardstick")


def _point(walker: Lane, branch: Lane, events: np.ndarray, x: float, config: Config) -> Point | None:
    """(x, z) after these events with the first of them set to x; None where z is clipped or there is none."""
    branch.copy_from(walker)
    rows = events.copy()
    if rows["kind"][0] == SIGNAL:
        rows["x0"][0] = x
        branch.step(rows, 0, len(rows))
        told = branch.state.told[int(rows["asset"][0])]
        clip = config.kernel.narrative.z_clip
        return None if told.live == 0 or abs(told.z_story) >= clip else (float(told.story), float(told.z_story))
    rows["x4"][0] *= 0.5 + x
    asset, smooth = branch.state.asset[int(rows["asset"][0])], config.kernel.price.volume_smooth
    before, seen = float(asset.volume_z), int(asset.volume_n)
    branch.step(rows, 0, len(rows))
    score = (float(asset.volume_z) - (1.0 - smooth) * before) / smooth
    if not rows["x4"][0] > 0.0 or seen < 30 or not abs(score) < CLIP:
        return None
    return math.log(rows["x4"][0]), score


def _bent(points: Sequence[Point | None]) -> float | None:
    """How far the third point lies from the line through the first two; None where there is no line."""
    known = [point for point in points if point is not None]
    if len(known) < len(points):
        return None
    (x0, y0), (x1, y1), (x2, y2) = known
    if abs(x1 - x0) < 1e-9 or abs(y2 - y0) < 1e-9:
        return None
    expected = y0 + (y1 - y0) * (x2 - x0) / (x1 - x0)
    return abs(y2 - expected) / max(abs(y2 - y0), abs(y1 - y0))
