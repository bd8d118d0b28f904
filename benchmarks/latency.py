"""Event in to order out through the journal, in one process: how long, how many a second, and where the time goes.

    python benchmarks/latency.py                    # some five minutes
    python benchmarks/latency.py --seconds 600      # what is sustained, for ten minutes each
    python benchmarks/latency.py --only latency     # or: disk, sustained, stages, restart; may be given again

A simulated world feeds an agent one delivery at a time (benchmarks/live/feeding.py). Timed is from the moment at which
a delivery is there to the return of `Agent.take`: it is stepped, committed, and its orders may leave. Idle: the next
comes when the last is done. Paced: 1,000 a second on a schedule that waits for nobody, so what queues is counted.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.journal import bare_disk  # noqa: E402
from benchmarks.live.feeding import days_for, feeding, warm  # noqa: E402
from benchmarks.live.restart import restart  # noqa: E402
from benchmarks.live.stages import STAGES, staged  # noqa: E402

from confidence_engine.drivers.agent import Agent  # noqa: E402
from confidence_engine.drivers.stretch import Stretch  # noqa: E402
from confidence_engine.feeds.delivery import Moment  # noqa: E402
from confidence_engine.journal import kinds  # noqa: E402
from confidence_engine.journal.reader import place_of  # noqa: E402
from confidence_engine.journal.wal import copied_beside  # noqa: E402

ASSETS: Final = (1, 50, 128)
PARTS: Final = ("disk", "latency", "sustained", "stages", "restart")
SUSTAINED: Final = {
    "one by one": (False, False, 15_000), "a close at once": (False, True, 60_000),
    "trading all the time": (True, False, 14_000),
}  # fmt: skip
BATCH: Final = 64
"""Moments that one commit may hold: the default of [live] batch."""


class Took(NamedTuple):
    """Seconds that each moment took, whether an order came of its batch, and CPU seconds of each batch."""

    seconds: list[float]
    ordered: list[bool]
    cpu: list[float]


def orders(made: list[Stretch]) -> int:
    """Orders that came of a batch."""
    return sum(row.kind == kinds.INTENT for one in made for row in one.rows)


def idle(agent: Agent, coming: Iterator[Moment], count: int) -> Took:
    """One moment at a time, the next when the last is done."""
    took = Took([], [], [])
    for moment in itertools.islice(coming, count):
        began, cpu = time.perf_counter(), time.thread_time()
        made = agent.take([moment])
        took.seconds.append(time.perf_counter() - began)
        took.cpu.append(time.thread_time() - cpu)
        took.ordered.append(orders(made) > 0)
    return took


def paced(agent: Agent, coming: Iterator[Moment], count: int, rate: float) -> Took:
    """Moments at their times on the wall, `rate` a second; together where more than one has come."""
    waiting, took = list(itertools.islice(coming, count)), Took([], [], [])
    began, at = time.perf_counter() + 0.01, 0
    while at < len(waiting):
        now = time.perf_counter()
        if (wait := began + at / rate - now) > 0:
            if wait > 3e-4:
                time.sleep(wait - 2e-4)  # the rest is spun: how well the system sleeps is not the question
            continue
        end = min(at + BATCH, len(waiting), int((now - began) * rate) + 1)
        cpu = time.thread_time()
        made = agent.take(waiting[at:end])
        done = time.perf_counter()
        took.cpu.append(time.thread_time() - cpu)
        took.seconds.extend(done - began - k / rate for k in range(at, end))
        took.ordered.extend([orders(made) > 0] * (end - at))
        at = end
    return took


def spread(seconds: np.ndarray) -> str:
    """p50, p99, p99.9 and the worst, in us."""
    if not len(seconds):
        return "        -" * 4
    return "".join(f" {1e6 * one:>8,.0f}" for one in np.quantile(seconds, (0.5, 0.99, 0.999, 1.0)))


def latency(folder: Path, count: int) -> None:
    """The table of latencies."""
    heads = "".join(f" {one:>8}" for one in ("p50", "p99", "p99.9", "worst"))
    print(f"{'event in to order out, us':<34}{heads} {'CPU p50':>8} {'p99':>6}   {'with orders p50':>15} {'p99':>8} "
          f"{'moments':>8}")  # fmt: skip
    for full, assets in itertools.product((False, True), ASSETS):
        fed = feeding(folder / f"world{assets}", assets, days_for(assets, 2 * count))
        agent, coming = warm(fed, place_of(folder / f"l{full:d}{assets}", "bench"), full)
        for name in ("idle", "1,000 a second"):
            with copied_beside(agent.journal.place):  # as a live run has it
                took = idle(agent, coming, count) if name == "idle" else paced(agent, coming, count, 1000.0)
            seconds, ordered = np.array(took.seconds), np.array(took.ordered, bool)
            label = f"{'FULL' if full else 'NORMAL'}, {assets} assets, {name}"
            mine = seconds[ordered]
            said = [f"{1e6 * one:,.0f}" for one in np.quantile(mine, (0.5, 0.99))] if len(mine) else ["-", "-"]
            cpu = [f"{1e6 * one:,.0f}" for one in np.quantile(took.cpu, (0.5, 0.99))]
            print(f"{label:<34}{spread(seconds)} {cpu[0]:>8} {cpu[1]:>6}   {said[0]:>15} {said[1]:>8} {len(mine):>8}",
                  flush=True)  # fmt: skip
        agent.journal.abandon()


def resident() -> float:
    """MiB of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / 1024**2


def sustained(folder: Path, seconds: float, only: list[str]) -> None:
    """Events and orders a second, and the memory on the way."""
    heads = "".join(f"{one:>13}" for one in ("events/s", "orders/s", "moments/s", "events/CPU s"))
    print(f"{'sustained, 50 assets, NORMAL':<34}{heads}   resident MiB")
    for name in only:
        busy, together, rate = SUSTAINED[name]  # rate: events a second that the world is made for
        fed = feeding(folder / f"long{busy:d}", 50, min(days_for(50, int(seconds * rate)), 1000), busy)
        agent, coming = warm(fed, place_of(folder / f"s{busy:d}{together:d}", "bench"), False, together)
        gc.collect()
        with copied_beside(agent.journal.place):
            print(f"{name:<34}{told(agent, coming, seconds)}", flush=True)
        agent.journal.abandon()


def told(agent: Agent, coming: Iterator[Moment], seconds: float) -> str:
    """What a stretch of wall time came to: rates, and resident memory at five times of it."""
    began, first, cpu = time.perf_counter(), agent.journal.next_event, time.process_time()
    sent = moments = 0
    memory: list[float] = []
    while (ran := time.perf_counter() - began) < seconds:
        if ran >= seconds * (len(memory) + 1) / 6:
            memory.append(resident())
        if not (some := list(itertools.islice(coming, BATCH))):
            print(f"the world ended after {ran:.1f} s", file=sys.stderr)
            break
        sent += orders(agent.take(some))
        moments += len(some)
    ran = time.perf_counter() - began
    events, cpu = agent.journal.next_event - first, time.process_time() - cpu
    at = " ".join(f"{one:,.0f}" for one in (*memory, resident()))
    rates = events / ran, sent / ran, moments / ran, events / cpu
    return "".join(f"{one:>13,.0f}" for one in rates) + f"   {at}"


def stages(folder: Path, count: int) -> None:
    """us of each stage a moment, one at a time and many a commit."""
    cases = (("NORMAL", False, 1), ("FULL", True, 1), (f"NORMAL, {BATCH} a commit", False, BATCH))
    columns: list[list[float]] = []
    for _, full, batch in cases:
        fed = feeding(folder / "world50", 50, days_for(50, 2 * count))
        agent, coming = warm(fed, place_of(folder / f"g{full:d}{batch}", "bench"), full)
        with staged() as spent:
            for _ in range(count // batch):
                agent.take(list(itertools.islice(coming, batch)))
        agent.journal.abandon()
        columns.append([1e6 * spent[name] / (count // batch * batch) for name, _ in STAGES])
    print(f"{'us a moment, 50 assets':<34}" + "".join(f" {name:>20}" for name, _, _ in cases))
    for k, (name, _) in enumerate(STAGES):
        print(f"{name:<34}" + "".join(f" {one[k]:>20.1f}" for one in columns))
    print(f"{'together':<34}" + "".join(f" {sum(one):>20.1f}" for one in columns), flush=True)


def run(parts: list[str], folder: Path, moments: int, seconds: float, load: list[str] | None) -> None:
    """The parts asked for, with the disk's own figure before and after."""
    if "disk" in parts:
        print(f"{'ms':<44} {'p50':>8} {'p99':>8}")
        bare_disk(folder, 300)
    if "latency" in parts:
        latency(folder, moments)
    if "sustained" in parts:
        sustained(folder, seconds, load or list(SUSTAINED))
    if "stages" in parts:
        stages(folder, moments)
    if "restart" in parts:
        restart(folder, seconds)
    if "disk" in parts:
        bare_disk(folder, 300)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; without it all")
    parser.add_argument("--moments", type=int, default=4000, help="of each line of latency, and of the stages")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each line of what is sustained")
    parser.add_argument("--load", action="append", choices=SUSTAINED, help="of what is sustained; without it all")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; a temporary one unless told")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="latency-", dir=asked.folder))
    try:
        run(asked.only or list(PARTS), folder, asked.moments, asked.seconds, asked.load)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
