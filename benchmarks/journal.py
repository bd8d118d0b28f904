"""The journal on this machine's disk: what a commit costs, and how fast events are appended.

    python benchmarks/journal.py                 # 300 commits of each kind
    python benchmarks/journal.py --commits 2000

Commits of made-up events and decisions; first and last stands what the disk itself takes for four kilobytes and an
fsync, as a shared disk changes within minutes. Rows on SQLite and, where a server can be started, on PostgreSQL with
its fsync on. A year, really stepped, is in journal_year.py.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the server is the tests' own

from tests.journal.postgres import NoServer, serve  # noqa: E402

from confidence_engine.domain.decision import DECISION  # noqa: E402
from confidence_engine.domain.event import EVENT, EVENT_SCHEMA, timer_events  # noqa: E402
from confidence_engine.domain.units import DAY_NS  # noqa: E402
from confidence_engine.journal import kinds  # noqa: E402
from confidence_engine.journal.log import Journal, create  # noqa: E402
from confidence_engine.journal.reader import Genesis, Place, place_of  # noqa: E402

BEGIN: Final = 20_000 * DAY_NS
BODY: Final = os.urandom(DECISION.itemsize)


def started(place: Place, full: bool) -> Journal:
    """A journal without a reserve, which would be counted as its size."""
    layouts = {"DECISION": [[name, DECISION[name].str] for name in DECISION.names or ()]}
    first = Genesis(str(uuid.uuid4()), place.name, place.name, "replay", "now", EVENT_SCHEMA, 1, "bench", layouts, True)
    return create(place, first, [], full=full, reserve=0)


def spread(took: list[float]) -> str:
    """Median and 99th percentile in ms."""
    low, high = statistics.median(took), float(np.quantile(took, 0.99))
    return f"{1e3 * low:>8.2f} {1e3 * high:>8.2f}"


def timed(count: int, what: Callable[[int], Any]) -> list[float]:
    """Seconds of wall that each call took."""
    took = []
    for k in range(count):
        began = time.perf_counter()
        what(k)
        took.append(time.perf_counter() - began)
    return took


def bare_disk(folder: Path, count: int) -> None:
    """Four kilobytes and an fsync, at the end of a growing file."""
    handle, data = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.urandom(4096)

    def one(k: int) -> None:
        os.pwrite(handle, data, 4096 * k)
        os.fsync(handle)

    print(f"{'the disk: 4 KB and fsync':<44} {spread(timed(count, one))}")
    os.close(handle)


def commits(place: Place, name: str, full: bool, count: int, events: int, records: int) -> None:
    """Commits of so many events and decisions."""
    journal = started(place, full)
    stretch = timer_events(np.arange(events, dtype=np.int64) + BEGIN, True)

    def one(_: int) -> None:
        journal.put_events(stretch)
        for _ in range(records):
            journal.put(kinds.DECISION, journal.next_event - 1, BEGIN, BODY)
        journal.commit()

    took = timed(count, one)
    label = f"{name}, {'full' if full else 'normal'}: {events:,} events, {records} rows"
    rate = count * events / sum(took)
    print(f"{label:<44} {spread(took)} {rate:>12,.0f} {rate * EVENT.itemsize / 1e6:>8.1f}")
    journal.close()


def bench(folder: Path, url: str | None, count: int) -> None:
    """All of it on one database."""
    name = "SQLite" if url is None else "PostgreSQL"
    for full in (False, True):
        for events, records in ((1, 1), (1000, 0), (1000, 60)):
            label = f"c{full:d}{events}x{records}"
            commits(place_of(folder / name / label, label, url), name, full, count, events, records)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commits", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; a temporary one unless told")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="journal-bench-", dir=asked.folder))
    print(f"{'commit, wall':<44} {'p50 ms':>8} {'p99 ms':>8} {'events/s':>12} {'MB/s':>8}")
    try:
        bare_disk(folder, asked.commits)
        bench(folder, None, asked.commits)
        try:
            with serve(sync=True) as url:
                bench(folder, f"{url}/postgres", asked.commits)
        except NoServer as error:
            print(f"PostgreSQL left out: {error}")
        bare_disk(folder, asked.commits)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
