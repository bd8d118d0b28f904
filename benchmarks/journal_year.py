"""A year of sixty assets, really stepped, and what its journal costs: to write, open, verify, project and retire.

    python benchmarks/journal_year.py             # seven days, two of them warm-up
    python benchmarks/journal_year.py --days 60
    python benchmarks/journal_year.py --year      # 365 days, 30 of them warm-up; PostgreSQL 45: some twenty minutes

Made-up perpetuals on five-minute bars, funding every eight hours, seven documents an asset and day. Kernel and venue
step them under the config of a simulated world, and `drivers.scribe` keeps every event and row as an agent would: one
commit a five-minute step, a state sealed at the end of each day. The writer is abandoned a day after the last seal, and
another process, its files out of the page cache, has to reach the very same bytes of state from the journal alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the server is the tests' own

from benchmarks.journal import bare_disk, spread  # noqa: E402
from benchmarks.year.market import ASSETS, BEGIN, COINS, Market  # noqa: E402
from tests.journal.postgres import NoServer, serve  # noqa: E402

from confidence_engine.config import Config, load  # noqa: E402
from confidence_engine.config.simulated import write_simulated  # noqa: E402
from confidence_engine.domain import event as ev  # noqa: E402
from confidence_engine.domain.params import params_record  # noqa: E402
from confidence_engine.domain.units import DAY_NS  # noqa: E402
from confidence_engine.drivers.loop import run  # noqa: E402
from confidence_engine.drivers.replay import initial, window_of  # noqa: E402
from confidence_engine.drivers.scribe import Scribe, begin  # noqa: E402
from confidence_engine.drivers.snapshot import restore, snapshot  # noqa: E402
from confidence_engine.journal import kinds  # noqa: E402
from confidence_engine.journal.database import engine_of, is_postgres, sqlite_url  # noqa: E402
from confidence_engine.journal.log import Journal, reopen  # noqa: E402
from confidence_engine.journal.projector import project, rebuild  # noqa: E402
from confidence_engine.journal.reader import Place, Reader, place_of  # noqa: E402
from confidence_engine.journal.retire import last_sealed, retire, seal  # noqa: E402
from confidence_engine.journal.retired import snapshots_of  # noqa: E402
from confidence_engine.journal.schema import JOURNAL, RECORD  # noqa: E402
from confidence_engine.journal.tables import TABLES, TABLES_FILE  # noqa: E402
from confidence_engine.journal.verify import verify  # noqa: E402
from confidence_engine.kernel.out import clear, new_out  # noqa: E402

NAME: Final = "simulated"
SAID: Final = (ev.FILL, ev.REJECT, ev.CANCELLED, ev.LIQUIDATION)
"""Kinds that the simulated venue makes: stepping what came from outside makes them again."""


class Clock:
    """Wall and CPU seconds of this process since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __str__(self) -> str:
        return f"{time.perf_counter() - self.wall:.1f} s, {time.process_time() - self.cpu:.1f} CPU s"


class Writer:
    """The agent that steps and keeps; seconds of each commit and seal."""

    def __init__(self, config: Config, market: Market, place: Place, days: int) -> None:
        self.config, self.market, self.place = config, market, place
        window = window_of(config, market.start_ns, BEGIN + days * DAY_NS)
        given = config, config.instruments(), market.streams, window, "agent", True
        self.journal: Journal = begin(place, *given, reserve=0)
        self.state, self.venue = initial(config, config.instruments())
        self.out = new_out(ASSETS)
        self.records = params_record(config.kernel), params_record(config.sim)
        run(self.state, self.venue, np.zeros(0, ev.EVENT), 0, *self.records, self.out)  # machine code is loaded first
        self.kept: list[float] = []
        self.sealed: list[float] = []
        self.keep_cpu = self.step_s = 0.0

    def day(self, number: int) -> None:
        """Step a day, a commit at each timer of the grid."""
        events, readings = self.market.day(number)
        scribe = Scribe(self.journal, self.config, self.market.sources, readings)
        grid = (events["kind"] == ev.TIMER) & (events["x0"] == 1.0)
        at = 0
        for end in (np.flatnonzero(grid) + 1).tolist():
            first, began = int(self.state.head[0].steps), time.perf_counter()
            done = int(run(self.state, self.venue, events[:end], at, *self.records, self.out))
            if self.out.head[0].status or done != end:
                raise SystemExit(f"status {self.out.head[0].status} at event {done} of {end}, day {number}")
            stepped, cpu = time.perf_counter(), time.process_time()
            scribe.keep(first, events[at:end], self.out)
            self.kept.append(time.perf_counter() - stepped)
            self.keep_cpu += time.process_time() - cpu
            self.step_s += stepped - began
            clear(self.out)
            at = end
        if at != len(events):
            raise SystemExit(f"{len(events) - at} events behind the last timer of day {number}")

    def seal(self) -> None:
        """The state of this moment, sealed."""
        began = time.perf_counter()
        seal(self.journal, snapshot(self.state, self.venue), {"equity": float(self.state.head[0].equity)})
        self.sealed.append(time.perf_counter() - began)


def home_of(folder: Path, warmup: int) -> tuple[Config, Path]:
    """A home's config of a simulated world of sixty coins."""
    ticks = {f"{one.name}/USDT": 0.01 for one in COINS}
    return load(write_simulated(folder / "config", COINS, ticks, warmup)), folder


def restarted(home: Path, url: str | None) -> dict[str, Any]:
    """What a start after a kill does: seconds of each part, and the hash of the state it ends in."""
    config = load(home / "config" / f"{NAME}.toml")
    place = place_of(home / "agents" / NAME, NAME, url)
    state, venue = initial(config, config.instruments())
    out, records = new_out(ASSETS), (params_record(config.kernel), params_record(config.sim))
    clock, told = time.perf_counter(), {}

    def part(name: str) -> None:
        nonlocal clock
        told[name], clock = time.perf_counter() - clock, time.perf_counter()

    run(state, venue, np.zeros(0, ev.EVENT), 0, *records, out)
    part("machine code loaded")
    journal = reopen(place, reserve=0)
    part("journal opened")
    reader = Reader(place)
    found = last_sealed(reader)
    if found is None:
        raise SystemExit("nothing was sealed")
    restore(found[1], state, venue)
    part("state restored")
    tail = np.concatenate(list(reader.events(found[0].event)))
    part("tail read")
    said = np.isin(tail["kind"], SAID)
    stored, heard, at = tail[~said], [], 0
    while at < len(stored):
        at = int(run(state, venue, stored, at, *records, out))
        if out.head[0].status:
            raise SystemExit(f"status {out.head[0].status} at event {out.head[0].where} of the tail")
        heard.append(out.heard[: out.head[0].heard].copy())
        clear(out)
    part("tail stepped")
    journal.abandon()
    same = np.concatenate(heard).tobytes() == tail[said].tobytes()
    digest = hashlib.sha256(snapshot(state, venue)).hexdigest()
    return {"seconds": told, "events": len(tail), "said": int(said.sum()), "same": same, "state": digest}


def restart(writer: Writer, home: Path, url: str | None) -> None:
    """A process of its own starts again from the seal and the tail; it must reach the writer's bytes."""
    beside = engine_of(writer.place.database)
    with beside.connect() as c:  # somebody who reads, so that SQLite's log is left as a kill leaves it
        c.execute(sa.select(sa.func.count()).select_from(JOURNAL)).scalar_one()
        writer.journal.abandon()
        _begun_again(writer, home, url)
    beside.dispose()


def _begun_again(writer: Writer, home: Path, url: str | None) -> None:
    """Start that process and compare."""
    for file in [*writer.place.folder.rglob("*"), *snapshots_of(writer.place).glob("*")]:
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)  # the restart finds nothing in the page cache
            os.close(handle)
    command = [sys.executable, __file__, "--restart", str(home), *(["--database", url] if url else [])]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"the restart failed: {done.stderr}")
    told = json.loads(done.stdout.splitlines()[-1])
    ours = hashlib.sha256(snapshot(writer.state, writer.venue)).hexdigest()
    if told["state"] != ours or not told["same"]:
        raise SystemExit(f"the restart ends in state {told['state'][:12]}, the writer in {ours[:12]}: {told}")
    parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in told["seconds"].items())
    print(f"   restart: {parts}: {sum(told['seconds'].values()):.2f} s; the whole process {wall:.1f} s")
    print(f"      a tail of {told['events']:,} events, {told['said']} said by the venue; same state, byte for byte")


class Sizes(NamedTuple):
    """Bytes on the disk."""

    segments: int
    rows: int
    snapshots: int

    def told(self, before: Sizes, days: int) -> str:
        """What a day took."""
        parts = [(new - old) / days / 1e6 for new, old in zip(self, before, strict=True)]
        each = ", ".join(f"{name} {size:.2f}" for name, size in zip(self._fields, parts, strict=True))
        return f"{sum(parts):.2f} MB a day ({each})"


def sizes(place: Place) -> Sizes:
    """Bytes of a journal; of rows with their indexes and SQLite's log, less the pages that are free in its file."""
    held = [sum(one.stat().st_size for one in files) for files in (
        place.segments.glob("*"), place.folder.glob("journal.db*"), snapshots_of(place).glob("*")
    )]  # fmt: skip
    if is_postgres(place.database):
        names = ("record", "block", "journal")
        held[1] = sum(_asked(place.database, f"SELECT pg_total_relation_size('{one}')") for one in names)
    else:
        free, page = (_asked(place.database, f"PRAGMA {what}") for what in ("freelist_count", "page_size"))
        held[1] -= free * page
    return Sizes(*held)


def _asked(url: str, query: Any) -> int:
    """One number from a database."""
    engine = engine_of(url)
    with engine.connect() as c:
        found = c.execute(sa.text(query) if isinstance(query, str) else query).scalar_one()
    engine.dispose()
    return int(found or 0)


def counted(place: Place, decided: int) -> None:
    """Records by kind, the bytes of their bodies and payloads, and how many decisions a decided day."""
    size = sa.func.sum(sa.func.length(RECORD.c.body) + sa.func.coalesce(sa.func.length(RECORD.c.payload), 0))
    engine = engine_of(place.database)
    with engine.connect() as c:
        rows = c.execute(sa.select(RECORD.c.kind, sa.func.count(), size).group_by(RECORD.c.kind)).all()
    engine.dispose()
    held = {kinds.KIND_NAMES[kind]: (n, int(size) / 1e6) for kind, n, size in sorted(rows)}
    print(f"   records: {', '.join(f'{name} {n:,} ({mb:,.1f} MB)' for name, (n, mb) in held.items() if mb >= 0.05)}")
    print(f"   decisions a decided day: {held['decision'][0] / decided:,.0f}")


def timed(label: str, what: Callable[[], Any]) -> Any:
    """What it returns; printed is what it took."""
    clock = Clock()
    found = what()
    print(f"   {label}: {clock}")
    return found


def written(writer: Writer, days: int) -> None:
    """What writing took."""
    wall, events, commits = sum(writer.kept), writer.journal.next_event, len(writer.kept)
    print(
        f"   {events:,} events, {commits:,} commits, {writer.journal.next_record:,} records; stepped in "
        f"{writer.step_s:.0f} s, kept in {wall:.0f} s ({writer.keep_cpu:.0f} CPU s of this process): "
        f"{events / wall:,.0f} events/s, {commits / wall:,.0f} commits/s\n"
        f"   a commit, p50 p99 ms: {spread(writer.kept)}, worst {1e3 * max(writer.kept):.0f}; "
        f"a seal: {spread(writer.sealed)}, {len(writer.sealed)} of them"
    )


def year(folder: Path, name: str, url: str | None, days: int) -> None:
    """All of it on one database."""
    warmup = min(30, max(days // 3, 1))
    config, home = home_of(folder / name, warmup)
    place = place_of(home / "agents" / NAME, NAME, url)
    writer = Writer(config, Market(config), place, days)
    print(f"{name}: {days} days of {ASSETS} assets, {warmup} of them warm-up")
    before = sizes(place)
    for number in range(days - 1):
        writer.day(number)
        writer.seal()
        if number == warmup - 1:
            before = sizes(place)
    timed("tables projected, all but a day", lambda: project(home, url))
    writer.day(days - 1)
    written(writer, days)
    print(f"   {sizes(place).told(before, days - warmup)} after the warm-up; equity {writer.state.head[0].equity:,.0f}")
    counted(place, days - warmup)
    restart(writer, home, url)
    timed("tables projected, the last day", lambda: project(home, url))
    checked(place)
    told = rows_of(home, url)
    timed("tables rebuilt", lambda: rebuild(home, url))
    if rows_of(home, url) != told:
        raise SystemExit(f"rebuilt otherwise: {told} became {rows_of(home, url)}")
    print(f"   rows: {', '.join(f'{table} {n:,}' for table, n in told.items() if n)}")
    retired(place, days)
    print(f"   peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def checked(place: Place) -> None:
    """The whole journal verified; it must be sound."""
    size, clock = sum(sizes(place)) / 1e6, Clock()
    found = verify(place)
    if not found.sound:
        raise SystemExit(f"not sound: {found.faults[:3]}")
    took = time.perf_counter() - clock.wall
    print(f"   verified, {found.blocks:,} blocks, {size:,.0f} MB: {clock}, {size / took:.0f} MB/s; sound")


def rows_of(home: Path, url: str | None) -> dict[str, int]:
    """Rows of each table."""
    where = url or sqlite_url(home / TABLES_FILE)
    return {one.name: _asked(where, sa.select(sa.func.count()).select_from(one)) for one in TABLES.sorted_tables}


def retired(place: Place, days: int) -> None:
    """Let go of what may go; what it freed, and a start after it."""
    journal, held = reopen(place, reserve=0), sizes(place)
    gone = timed("retired", lambda: retire(journal, BEGIN + days * DAY_NS))
    journal.close()
    if gone is None:
        print("      nothing: the last 30 days always stay")
        return
    now = sizes(place)
    freed = ", ".join(
        f"{name} {round((a - b) / 1e6):,} MB" for name, a, b in zip(Sizes._fields, held, now, strict=True)
    )
    print(f"      {len(gone.segments)} segments, {gone.removed:,} records, {len(gone.snapshots)} snapshots: {freed}")
    print("      (rows inside the database's files, which keep their length)")
    timed("opened again", lambda: reopen(place, reserve=0).close())
    checked(place)


def main() -> None:
    """Prints the figures of each database."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--year", action="store_true")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; a temporary one unless told")
    parser.add_argument("--restart", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.restart is not None:
        print(json.dumps(restarted(asked.restart, asked.database)))
        return
    if asked.days < 2:
        parser.error("--days: a restart needs a sealed day and one after it")
    folder = Path(tempfile.mkdtemp(prefix="journal-year-", dir=asked.folder))
    try:
        bare_disk(folder, 300)
        year(folder, "SQLite", None, 365 if asked.year else asked.days)
        try:
            with serve(sync=True) as url:
                year(folder, "PostgreSQL", f"{url}/postgres", 45 if asked.year else asked.days)
        except NoServer as error:
            print(f"PostgreSQL left out: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
