"""An agent that is killed amid its work, and how long another process takes to be where it was.

The first process runs a world of fifty assets, with the rolling checkpoints of a live run, and dies by SIGKILL. The
second goes on from what is on the disk and says when it had what: the program imported, the machine code loaded, the
last checkpoint read, the journal's tail stepped again and compared byte by byte.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from benchmarks.live.feeding import Feeding

ROOT: Final = Path(__file__).resolve().parents[2]
ASSETS: Final = 50
BATCH: Final = 64

__all__ = ["restart"]


def restart(folder: Path, seconds: float) -> None:
    """Print what a restart after so many seconds of work takes."""
    print(f"{'restart after kill -9, s':<34} {'import':>7} {'world':>7} {'code':>7} {'go on':>7} {'first':>7} "
          f"{'process':>8}   events, of them stepped again")  # fmt: skip
    for name, every in (("a checkpoint every ten seconds", 10.0), ("no checkpoint at all", 1e9)):
        mine = folder / f"restart{every:.0f}"
        first = subprocess.Popen([sys.executable, __file__, "work", str(mine), str(seconds), str(every)])
        code = first.wait()
        if code != -signal.SIGKILL:
            raise SystemExit(f"the worker ended with {code}")
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "again", str(mine), str(seconds), "0"], stdout=subprocess.PIPE, check=True
        )
        whole, said = time.perf_counter() - began, json.loads(done.stdout)
        times = " ".join(f"{said[key]:>7.2f}" for key in ("import", "world", "code", "go_on", "first"))
        print(f"{name:<34} {times} {whole - said['world']:>8.2f}   {said['events']:,}, {said['tail']:,}", flush=True)


def _work(folder: Path, seconds: float, every: float) -> None:
    """Run until the time is over, and die."""
    from benchmarks.live.feeding import warm

    from confidence_engine.journal.reader import place_of

    agent, coming = warm(_fed(folder, seconds), place_of(folder / "home", "bench"), False)
    began = kept = time.monotonic()
    while time.monotonic() - began < seconds and (some := list(itertools.islice(coming, BATCH))):
        agent.take(some)
        if time.monotonic() - kept >= every:
            agent.checkpoint()
            kept = time.monotonic()
    os.kill(os.getpid(), signal.SIGKILL)


def _fed(folder: Path, seconds: float) -> Feeding:
    from benchmarks.live.feeding import days_for, feeding

    return feeding(folder / "world", ASSETS, min(days_for(ASSETS, int(seconds * 15_000)), 1000))


def _again(folder: Path, seconds: float) -> None:
    """Go on, hear one thing more, and say how long what took."""
    began = time.perf_counter()
    from confidence_engine.drivers.agent import go_on
    from confidence_engine.drivers.replay import initial
    from confidence_engine.journal import kinds
    from confidence_engine.journal.reader import Reader, place_of

    imported = time.perf_counter()
    fed = _fed(folder, seconds)
    made = time.perf_counter()
    import numpy as np

    from confidence_engine.domain.event import EVENT
    from confidence_engine.domain.params import params_record
    from confidence_engine.drivers.loop import run
    from confidence_engine.kernel.out import new_out

    config, instruments = fed.cast.config, fed.cast.instruments
    records = params_record(config.kernel), params_record(config.sim)
    run(*initial(config, instruments), np.zeros(0, EVENT), 0, *records, new_out(len(instruments)))
    loaded = time.perf_counter()
    place = place_of(folder / "home", "bench")
    agent = go_on(place, fed.cast, clock=time.time_ns, reserve=0)
    gone_on = time.perf_counter()
    reader = Reader(place)
    told = [one.payload for one in reader.records(kinds.RESUMED)][-1]
    reader.close()
    from benchmarks.live.feeding import after

    looked = time.perf_counter()
    coming = after(fed, agent.now_ns)
    moment = next(coming)
    found = time.perf_counter()
    agent.take([moment])
    took = time.perf_counter() - found
    events = agent.journal.next_event
    print(json.dumps({
        "import": imported - began, "world": made - imported + found - looked, "code": loaded - made,
        "go_on": gone_on - loaded, "first": took, "events": events, "tail": events - json.loads(told)["event"],
    }))  # fmt: skip
    agent.journal.abandon()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    what, where, how_long, how_often = sys.argv[1:]
    if what == "work":
        _work(Path(where), float(how_long), float(how_often))
    else:
        _again(Path(where), float(how_long))
