"""The journal on this machine's disk: what a commit costs, how fast it is appended and walked, how big a year is.

    python benchmarks/journal.py             # 300 commits of each kind, seven synthetic days
    python benchmarks/journal.py --days 30
    python benchmarks/journal.py --year      # 365 days: a quarter of an hour and some gigabytes under --folder

Sixty assets on five-minute bars: each step commits sixty BAR events, a timer and a decision an asset, and seven
documents an asset and day. Real runs store fewer decisions. Beside each commit stands what the disk itself takes for
four kilobytes and an fsync. Rows on SQLite and, where a server can be started, on PostgreSQL with its fsync on.
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
from confidence_engine.domain.event import EVENT, EVENT_SCHEMA, bar_events, timer_events  # noqa: E402
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, SECOND_NS  # noqa: E402
from confidence_engine.journal import kinds  # noqa: E402
from confidence_engine.journal.chain import block_hash, events_hash, records_hash  # noqa: E402
from confidence_engine.journal.database import engine_of, is_postgres  # noqa: E402
from confidence_engine.journal.log import Journal, create, reopen  # noqa: E402
from confidence_engine.journal.reader import Genesis, Place, Reader, place_of  # noqa: E402

ASSETS: Final = 60
STEP: Final = 5 * MINUTE_NS
STEPS_A_DAY: Final = DAY_NS // STEP
DOCUMENTS_A_DAY: Final = 7 * ASSETS
BEGIN: Final = 20_000 * DAY_NS
BODY: Final = os.urandom(DECISION.itemsize)
DOCUMENT: Final = {"document": {"title": "A made-up headline of the usual length about a coin", "body": "word " * 120}}


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
    handle, data = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT), os.urandom(4096)

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


def walked(place: Place) -> tuple[float, float]:
    """CPU seconds and megabytes of reading all and recomputing every hash."""
    reader, began, size = Reader(place), time.process_time(), 0
    records = reader.records()
    for block in reader.blocks():
        data, mine = reader.read(block), [next(records) for _ in range(block.records)]
        size += len(data) + sum(len(one.body) + len(one.payload or b"") for one in mine)
        good = events_hash(data) == block.events_hash and records_hash(mine) == block.records_hash
        if not good or block_hash(reader.uuid, block) != block.hash:
            raise SystemExit(f"block {block.number} does not verify")
    records.close()
    reader.close()
    return time.process_time() - began, size / 1e6


def size_of(place: Place) -> int:
    """Bytes of segments and of rows with their indexes; those of a server hold the other journals too."""
    files = sum(file.stat().st_size for file in place.folder.rglob("*") if file.is_file())
    if not is_postgres(place.database):
        return files
    engine = engine_of(place.database)
    with engine.connect() as c:
        tables = [f"SELECT pg_total_relation_size('{name}')" for name in ("record", "block")]
        files += sum(c.exec_driver_sql(one).scalar_one() for one in tables)
    engine.dispose()
    return files


def one_step(journal: Journal, rng: np.random.Generator, step: int) -> None:
    """Sixty bars, the timer, sixty decisions, and what was told."""
    close = np.array([BEGIN + (step + 1) * STEP])
    bars = [bar_events(close, close + SECOND_NS, k, 1, tuple(rng.uniform(1, 9, (5, 1)))) for k in range(ASSETS)]
    journal.put_events(np.concatenate([*bars, timer_events(close + 2 * SECOND_NS, True)]))
    at, now = journal.next_event - 1, int(close[0])
    told = DOCUMENTS_A_DAY * (step + 1) // STEPS_A_DAY - DOCUMENTS_A_DAY * step // STEPS_A_DAY
    for _ in range(told):
        journal.put(kinds.DOCUMENT, at, now, payload=DOCUMENT)
    for _ in range(ASSETS):
        journal.put(kinds.DECISION, at, now, BODY)
    journal.commit()


def year(place: Place, name: str, days: int) -> None:
    """The synthetic days: size, appending, reopening after an anchor and after a day without one, the walk."""
    journal, rng, began = started(place, False), np.random.default_rng(1), time.process_time()
    before = size_of(place)
    for step in range(days * STEPS_A_DAY):
        if step == (days - 1) * STEPS_A_DAY:
            journal.anchor()
        one_step(journal, rng, step)
    cpu = time.process_time() - began
    journal.abandon()
    killed = timed(1, lambda _: reopen(place, reserve=0).close())[0]
    closed = timed(1, lambda _: reopen(place, reserve=0).close())[0]
    told = f"{(size_of(place) - before) / 1e6 / days:.1f} MB a day"
    cpu_walk, size = walked(place)
    print(
        f"{name}, {days} days of {ASSETS} assets: {told}; written in {cpu:.0f} CPU s of this process\n"
        f"   opened in {closed:.2f} s, in {killed:.2f} s where the last day was not anchored\n"
        f"   walked in {cpu_walk:.1f} CPU s of this process, {size / cpu_walk:.0f} MB a CPU s"
    )


def bench(folder: Path, url: str | None, count: int, days: int) -> None:
    """All of it on one database."""
    name = "SQLite" if url is None else "PostgreSQL"
    for full in (False, True):
        for events, records in ((1, 1), (1000, 0), (1000, 60)):
            label = f"c{full:d}{events}x{records}"
            commits(place_of(folder / name / label, label, url), name, full, count, events, records)
    year(place_of(folder / name / "year", "year", url), name, days)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--year", action="store_true")
    parser.add_argument("--commits", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; a temporary one unless told")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="journal-bench-", dir=asked.folder))
    days = 365 if asked.year else asked.days
    print(f"{'commit, wall':<44} {'p50 ms':>8} {'p99 ms':>8} {'events/s':>12} {'MB/s':>8}")
    try:
        bare_disk(folder, asked.commits)
        bench(folder, None, asked.commits, days)
        try:
            with serve(sync=True) as url:
                bench(folder, f"{url}/postgres", asked.commits, days)
        except NoServer as error:
            print(f"PostgreSQL left out: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
