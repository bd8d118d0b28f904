"""An agent that is killed amid its work, and how long another process takes to be where it was.

The first process runs a world of fifty assets, with the rolling checkpoints of a live run, and dies by SIGKILL. The
second goes on from what is on the disk and says when it had what: the program imported, the machine code loaded, the
last checkpoint read and the journal's tail stepped again and compared byte by byte, the first new moment taken. Making
the world anew, which a real feed does not ask for, is left out.
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
CHECKPOINT_S: Final = 10.0
"""As [live] checkpoint has it unless told."""

__all__ = ["restart"]


def restart(folder: Path, seconds: float) -> None:
    """Print what a restart after so many seconds of work takes."""
    heads = "".join(f" {one:>12}" for one in ("import", "code", "go on", "first", "process"))
    print(f"{'kill -9, again; wall, CPU s':<26}{heads}   events, of them stepped again")
    for name, rate in (("200 events a second", 200.0), ("as many as it can take", 0.0)):
        mine = folder / f"restart{rate:.0f}"
        code = subprocess.call([sys.executable, __file__, "work", str(mine), str(seconds), str(rate)])
        if code != -signal.SIGKILL:
            raise SystemExit(f"the worker ended with {code}")
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "again", str(mine), str(seconds), str(rate)], stdout=subprocess.PIPE, check=True
        )
        whole, said = time.perf_counter() - began, json.loads(done.stdout)
        parts = [said[key] for key in ("import", "code", "go_on", "first")]
        rest = whole - sum(wall for wall, _ in parts) - said["world"][0]  # the interpreter's own beginning and end
        parts += [[sum(wall for wall, _ in parts) + rest, sum(cpu for _, cpu in parts)]]
        times = "".join(f" {wall:>6.2f} {cpu:>5.2f}" for wall, cpu in parts)
        print(f"{name:<26}{times}   {said['events']:,}, {said['tail']:,}", flush=True)


def _work(folder: Path, seconds: float, rate: float) -> None:
    """Run until the time is over, `rate` moments a second (0: as fast as they are taken), and die."""
    from benchmarks.live.feeding import warm

    from confidence_engine.drivers.live import TAIL
    from confidence_engine.journal.reader import place_of

    agent, coming = warm(_fed(folder, seconds, rate), place_of(folder / "home", "bench"), False)
    began = kept = time.monotonic()
    taken, covered = 0, agent.journal.next_event
    while (ran := time.monotonic() - began) < seconds:
        due = min(int(ran * rate) - taken, BATCH) if rate else BATCH
        if due < 1:
            time.sleep(0.001)
            continue
        agent.take(list(itertools.islice(coming, due)))
        taken += due
        if time.monotonic() - kept >= CHECKPOINT_S or agent.journal.next_event - covered >= TAIL:
            agent.checkpoint()
            kept, covered = time.monotonic(), agent.journal.next_event
    os.kill(os.getpid(), signal.SIGKILL)


def _fed(folder: Path, seconds: float, rate: float) -> Feeding:
    """What both processes hear."""
    from benchmarks.live.feeding import days_for, feeding

    return feeding(folder / "world", ASSETS, min(days_for(ASSETS, int(seconds * (rate or 15_000))), 1000))


def _again(folder: Path, seconds: float, rate: float) -> None:
    """Go on, hear one thing more, and say how long what took."""
    clock = _Clock()
    from confidence_engine.drivers.agent import go_on
    from confidence_engine.journal import kinds
    from confidence_engine.journal.reader import Reader, place_of

    clock("import")
    fed = _fed(folder, seconds, rate)
    clock("world")
    _load(fed)
    clock("code")
    place = place_of(folder / "home", "bench")
    agent = go_on(place, fed.cast, clock=time.time_ns, reserve=0)
    clock("go_on")
    from benchmarks.live.feeding import after

    reader = Reader(place)
    told = json.loads([one.payload or b"" for one in reader.records(kinds.RESUMED)][-1])
    reader.close()
    moment = next(after(fed, agent.now_ns))
    clock("world")
    agent.take([moment])
    clock("first")
    events = agent.journal.next_event
    print(json.dumps(clock.said | {"events": events, "tail": events - told["event"]}))
    agent.journal.abandon()


def _load(fed: Feeding) -> None:
    """Have the machine code before anything is stepped, to see what it takes."""
    import numpy as np

    from confidence_engine.domain.event import EVENT
    from confidence_engine.domain.params import params_record
    from confidence_engine.drivers.loop import run
    from confidence_engine.drivers.replay import initial
    from confidence_engine.kernel.out import new_out

    config, instruments = fed.cast.config, fed.cast.instruments
    records = params_record(config.kernel), params_record(config.sim)
    run(*initial(config, instruments), np.zeros(0, EVENT), 0, *records, new_out(len(instruments)))


class _Clock:
    """Wall and CPU seconds by what they went to."""

    def __init__(self) -> None:
        self.said: dict[str, list[float]] = {}
        self._at = time.perf_counter(), 0.0  # of the process' CPU all, what came before this file too

    def __call__(self, what: str) -> None:
        now = time.perf_counter(), time.process_time()
        wall, cpu = self.said.get(what, [0.0, 0.0])
        self.said[what] = [wall + now[0] - self._at[0], cpu + now[1] - self._at[1]]
        self._at = now


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    what, where, how_long, how_many = sys.argv[1:]
    (_work if what == "work" else _again)(Path(where), float(how_long), float(how_many))
