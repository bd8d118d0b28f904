"""From how much history on decisions are the same: a measurement, not a leak.

The same days are decided again and again, each time with a longer warm-up before them. What differs from the longest
is counted: a decision that is not there in both, or whose gates or side are others (`acts`), or whose size is another
(`sizes`). Sums that fade never become equal to the last bit, so gates and sides are what settles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.document import Reading
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS, format_duration, format_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import gather
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.store import Store

__all__ = ["LENGTHS", "startup"]

LENGTHS: Final = (0, 1, 3, 7, 14, 30, 60, 120, 240, 480)
"""Warm-ups that are tried, days, as far as the history reaches."""


class _Memo:
    """Port `Reader` that asks another once a text: the same days are read many times."""

    def __init__(self, reader: Reader) -> None:
        self.name, self.version, self._reader = reader.name, reader.version, reader
        self._said: dict[str, Reading] = {}

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading a text, in order."""
        new = list(dict.fromkeys(text for text in texts if text not in self._said))
        self._said |= zip(new, self._reader.read(new), strict=True)
        return [self._said[text] for text in texts]


class _Judged(NamedTuple):
    acts: dict[tuple[int, int], tuple[int, int]]
    sizes: dict[tuple[int, int], int]
    entries: int


def startup(
    config: Config, store: Store, symbols: Sequence[str], first_ns: int, start_ns: int, end_ns: int, reader: Reader,
    say: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """The decisions of [start, end) after warm-ups of several lengths, the history beginning at first_ns."""
    lengths = [days * DAY_NS for days in LENGTHS if start_ns - days * DAY_NS >= first_ns]
    memo, runs = _Memo(reader), []
    for length in lengths:
        say(f"start-up: {format_duration(length)} of warm-up")
        window = Window(start_ns - length, start_ns, end_ns)
        sources = gather(config, store, start_ns, end_ns, symbols, window.load_ns)
        tape = replay.compose(config, sources, replay.read(config, sources, memo), window)
        runs.append(_judged(replay.play(config, sources.instruments, tape.events).decisions))
    rows = [_row(length, one, runs[-1]) for length, one in zip(lengths, runs, strict=True)]
    same = [row["acts_differ"] == 0 for row in rows]
    settled = next((k for k in range(len(rows)) if all(same[k:])), len(rows) - 1)
    enough = None if settled == len(rows) - 1 else rows[settled]["warmup"]
    return {
        "decided": f"{format_time(start_ns)} to {format_time(end_ns)}", "lengths": rows, "enough": enough,
        "configured": format_duration(config.agent.warmup_ns),
        "reached": start_ns - config.agent.warmup_ns >= first_ns,
    }  # fmt: skip


def _judged(decisions: np.ndarray) -> _Judged:
    keys = list(zip(decisions["ts_ns"].tolist(), decisions["asset"].tolist(), strict=True))
    acts = zip(decisions["gates"].tolist(), decisions["side"].tolist(), strict=True)
    sizes = dict(zip(keys, decisions["target_lots"].tolist(), strict=True))
    return _Judged(dict(zip(keys, acts, strict=True)), sizes, int((decisions["gates"] == 0).sum()))


def _row(length: int, one: _Judged, longest: _Judged) -> dict[str, Any]:
    """How far the decisions after one warm-up are from those after the longest."""
    keys = one.acts.keys() | longest.acts.keys()
    acts = sum(one.acts.get(key) != longest.acts.get(key) for key in keys)
    sizes = sum(one.sizes.get(key) != longest.sizes.get(key) for key in keys)
    share = acts / len(keys) if keys else 0.0
    return {
        "warmup": format_duration(length), "decisions": len(keys), "acts_differ": acts, "share": round(share, 6),
        "sizes_differ": sizes, "entries": one.entries,
    }  # fmt: skip
