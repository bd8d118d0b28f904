"""The past is the past: everything made again from raw rows of another future, or of none, is the same up to t.

Files are written, imported into an empty store, gathered, read, clustered, merged and stepped, with no cache: what is
shared between the two runs is the rows up to t and nothing else. Compared byte by byte up to t are the events, the
names behind their stream ids, decisions with every feature, orders, fills and funding, equity, marks and what was
learnt. That the future itself came out different is checked too, or the comparison would say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.event import BAR, KIND_NAMES
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import format_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import Sources, gather
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.evaluate.leaks.raw import Table, another_future, cut, import_into
from confidence_engine.feeds.assemble import Tape, Window

__all__ = ["FUTURE", "ROWS", "TRUNCATION", "Rebuilt", "begun", "future", "known_symbols", "rebuild", "rebuilt"]

FUTURE: Final = "future"
TRUNCATION: Final = "truncation"
ROWS: Final = {
    "decisions": "ts_ns", "intents": "ts_ns", "entries": "ts_known", "equities": "ts_ns", "marks": "ts_ns",
    "lessons": "ts_ns",
}  # fmt: skip
"""What a run says, and the time by which each row was said."""

Maker = Callable[[], Reader]
"""Makes a reader that has read nothing yet."""


class Rebuilt(NamedTuple):
    """A run that was made from raw rows."""

    config: Config
    sources: Sources
    tape: Tape
    window: Window

    def play(self, events: np.ndarray | None = None) -> replay.Result:
        """Kernel and venue over the whole tape, or over a stretch of it."""
        told = self.tape.events if events is None else events
        return replay.play(self.config, self.sources.instruments, told)

    def near(self, t: int, count: int | None) -> np.ndarray:
        """Up to `count` events on either side of t; all of them where no number is said."""
        k = int(np.searchsorted(self.tape.events["ts_known"], t, side="right"))
        return self.tape.events if count is None else self.tape.events[max(k - count, 0) : k + count]


def known_symbols(tables: Sequence[Table], t: int, after_ns: int = -1) -> list[str]:
    """Symbols with a bar known after `after_ns` and by t; what is listed later, or was silent so long, has no past."""
    return [
        one.how.symbols[0] for one in tables
        if one.kind == "bars" and ((one.knowable > after_ns) & (one.knowable <= t)).any()
    ]  # fmt: skip


def begun(config: Config, window: Window) -> int:
    """When a bar that closes with the start of a window is known: a run takes symbols that have a later one."""
    return window.start_ns + config.timing.bar_latency_ns


def rebuild(
    tables: Sequence[Table], config: Config, window: Window, maker: Maker, folder: Path, symbols: Sequence[str]
) -> Rebuilt:
    """Import into an empty store under `folder`, gather, read and compose. Raises DataError."""
    store = import_into(folder, tables)
    sources = gather(config, store, window.start_ns, window.end_ns, symbols, window.load_ns)
    readings = replay.read(config, sources, maker())
    return Rebuilt(config, sources, replay.compose(config, sources, readings, window), window)


@contextmanager
def rebuilt(
    tables: Sequence[Table], config: Config, window: Window, maker: Maker, t: int | None = None
) -> Iterator[Rebuilt]:
    """A rebuilt run whose store is gone afterwards; of the symbols known by t, or all."""
    with TemporaryDirectory(prefix="audit-") as folder:
        symbols = known_symbols(tables, window.end_ns if t is None else t)
        yield rebuild(tables, config, window, maker, Path(folder) / "home", symbols)


def future(
    tables: Sequence[Table], config: Config, window: Window, maker: Maker, t: int, rng: np.random.Generator,
    checks: dict[str, Check], stepped: int | None = None,
) -> None:  # fmt: skip
    """Perturb and cut the raw rows after t, once each, for those of `checks` (FUTURE, TRUNCATION) that are there.

    `stepped` says how many events on either side of t the kernel steps; all, where nothing is said.
    """
    with TemporaryDirectory(prefix="audit-") as folder:
        symbols, place = known_symbols(tables, t, begun(config, window)), Path(folder)
        changes = {FUTURE: lambda: another_future(tables, t, window.end_ns, rng), TRUNCATION: lambda: cut(tables, t)}
        one = rebuild(tables, config, window, maker, place / "as-it-was", symbols)
        ran: replay.Result | None = None
        for name, check in checks.items():
            with check.timed():
                other = rebuild(changes[name](), config, window, maker, place / name, symbols)
                check.n += 1
                fault = _events(one.tape, other.tape, t, check)
                if fault is None:
                    ran = ran or one.play(one.near(t, stepped))
                    fault = _rows(ran, other.play(other.near(t, stepped)), t, check)
                if fault is not None:
                    check.leak(f"t = {format_time(t)}: {fault}")
                check.count(unchanged=int(_future_alike(one.tape, other.tape, t)))


def _events(one: Tape, two: Tape, t: int, check: Check) -> str | None:
    """The first event up to t that differs, in words."""
    a, b = (tape.events[: np.searchsorted(tape.events["ts_known"], t, side="right")] for tape in (one, two))
    check.count(events=len(a), bars=int((a["kind"] == BAR).sum()))
    n = min(len(a), len(b))
    raw = a[:n].view("V64") != b[:n].view("V64")
    at = int(raw.argmax()) if raw.any() else n
    if at < n or len(a) != len(b):
        first = (a if at < len(a) else b)[at]
        kind = KIND_NAMES.get(int(first["kind"]), "?")
        return f"event {at} ({kind}, known {format_time(int(first['ts_known']))}) is another"
    used = int(a["source"].max(initial=0)) + 1
    if one.streams.names[:used] != two.streams.names[:used]:
        return "a stream id stands for another stream"
    return None


def _rows(one: replay.Result, two: replay.Result, t: int, check: Check) -> str | None:
    """The first row up to t that differs, in words."""
    for name, column in ROWS.items():
        a, b = (getattr(result, name) for result in (one, two))
        a, b = a[a[column] <= t], b[b[column] <= t]
        check.count(**{name: len(a)})
        if a.tobytes() != b.tobytes():
            return f"{name}: {_difference(a, b)}"
    return None


def _difference(a: np.ndarray, b: np.ndarray) -> str:
    """Which row is the first that differs, and in which fields."""
    for k in range(min(len(a), len(b))):
        if a[k].tobytes() != b[k].tobytes():
            fields = [
                name for name in a.dtype.names or () if a[name][k : k + 1].tobytes() != b[name][k : k + 1].tobytes()
            ]
            return f"row {k} differs in {', '.join(fields[:6])}"
    return f"{len(a)} rows, and {len(b)} with another future"


def _future_alike(one: Tape, two: Tape, t: int) -> bool:
    """Whether nothing came out different after t: then the comparison is empty."""
    a, b = (tape.events[np.searchsorted(tape.events["ts_known"], t, side="right") :] for tape in (one, two))
    return bool(a.tobytes() == b.tobytes())
