"""Replay side by side with other engines: the same bars, an EMA cross with a stop, CPU seconds, all in one run.

    python benchmarks/peers.py [HOME] [--work DIR] [--passes 5] [--only NAME,NAME] [--no-install]

With a HOME the bars are the stored BTC/USDT 5 minute perpetual's, and the recorded futures replay is timed as well;
without one they are a seeded, simulated series. The work and how turns are taken stand in peers/work.py, one script a
peer beside it. Every peer gets an environment of its own under DIR (default: the user's cache folder), made once and
kept: some gigabytes and minutes. What cannot be made is a row with the reason. Rows are processes: one is started with
empty compile caches and stopped (cold), a second is started (warm start) and takes `--passes` turns, all rows in turn,
so that what the machine does meanwhile befalls all. CPU seconds of the process, its threads included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np

__all__ = ["PEERS", "Peer", "Skipped", "bars_of", "environment", "interpreters", "main", "table"]

ROOT: Final = Path(__file__).resolve().parents[1]
SCRIPTS: Final = ROOT / "benchmarks" / "peers"
LIMIT_S: Final = 1_200
"""Wall seconds a turn may take."""

Version = tuple[int, int]


class Skipped(Exception):
    """Why a row has no figures."""


class Peer(NamedTuple):
    """One row. No requirements: it is ours and runs in this interpreter on a copy of the sources."""

    name: str
    script: str
    words: tuple[str, ...]
    requirements: tuple[str, ...]
    least: Version
    most: Version
    kind: str
    said: str


EVENTS, CANDLES, ARRAYS = "event by event", "candle loop", "whole arrays"

PEERS: Final = (
    Peer("Confidence Engine, a score at a cross", "with_ours.py", ("{work}", "cross", "{tick}", "{origin}"), (),
         (3, 11), (3, 99), EVENTS,
         "averages by polars, scores written, imported and laid on the tape are all counted; every stage of the kernel "
         "runs, also those whose effect is set to nothing; orders, stop and fees at the simulated venue, next open"),
    Peer("Confidence Engine, a score at every bar", "with_ours.py", ("{work}", "every", "{tick}", "{origin}"), (),
         (3, 11), (3, 99), EVENTS,
         "the same with a score, mostly nought, at each bar: each bar is judged and its decision written in full"),
    Peer("hftbacktest", "with_hftbacktest.py", ("{tick}",), ("hftbacktest==2.4.4",), (3, 11), (3, 13), EVENTS,
         "a tick engine given four prices a bar as bid and ask, eight records where others have one; strategy compiled "
         "by Numba; no stop order, so a stop is sold at the first of the four prices below it, which is the low and "
         "costs it equity; laying out makes the ticks"),
    Peer("NautilusTrader", "with_nautilus.py", ("{tick}",), ("nautilus_trader==1.231.0", "pandas<3"), (3, 12), (3, 13),
         EVENTS,
         "its live objects and message bus, own indicators; market orders fill at the close of the bar that made them, "
         "others at the next open; laying out makes its bar objects"),
    Peer("backtrader", "with_backtrader.py", (), ("backtrader==1.9.78.123", "numpy", "pandas"), (3, 11), (3, 13),
         EVENTS,
         "own indicators over the whole series first, then Python at every bar"),
    Peer("backtesting.py", "with_backtesting.py", (), ("backtesting==0.6.6",), (3, 11), (3, 13), EVENTS,
         "averages are arrays by pandas; Python at every bar; its statistics are always made and counted"),
    Peer("freqtrade", "with_freqtrade.py", ("{work}", "{tick}"), ("freqtrade==2026.9",), (3, 11), (3, 13), CANDLES,
         "signals are arrays by pandas, then Python at every candle; its market list is put in by hand because a "
         "backtest asks the exchange for it; the stop is 1 % below the fill instead of the close; no report is made"),
    Peer("vectorbt, Numba", "with_vectorbt.py", ("numba",), ("vectorbt[rust]==1.2.0",), (3, 11), (3, 13), ARRAYS,
         "signals and portfolio over whole arrays: no order is judged, no account refuses; at most one order a bar, "
         "and where an exit at the open and the stop fall into one bar it takes the stop"),
    Peer("vectorbt, Rust", "with_vectorbt.py", ("rust",), ("vectorbt[rust]==1.2.0",), (3, 11), (3, 13), ARRAYS,
         "the same with its compiled extension forced"),
)  # fmt: skip

PIPELINE: Final = Peer("futures replay", "with_pipeline.py", ("{home}", "{config}"), (), (3, 11), (3, 99), EVENTS, "")


class Row(NamedTuple):
    """What a peer came to: seconds of all passes, or why there are none."""

    peer: Peer
    python: str
    cold: float
    start: float
    turns: list[dict[str, Any]]
    skipped: str


def interpreters() -> dict[Version, Path]:
    """Python versions found on this machine that answer, each with its interpreter; this one first."""
    names = [Path(sys.executable)]
    names += [Path(found) for k in range(11, 16) if (found := shutil.which(f"python3.{k}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    names += sorted(pyenv.glob("versions/3.*/bin/python3"))
    found: dict[Version, Path] = {}
    for name in names:
        ask = [str(name), "-c", "import sys; print(*sys.version_info[:2])"]
        try:
            said = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout.split()
        except (OSError, subprocess.SubprocessError):
            continue
        if (version := (int(said[0]), int(said[1]))) >= (3, 11):
            found.setdefault(version, name)
    return found


def environment(peer: Peer, folder: Path, known: Mapping[Version, Path], install: bool = True) -> tuple[Path, str]:
    """(interpreter, version) of the peer's environment, made where it is not there. Raises Skipped with the reason."""
    fits = [version for version in known if peer.least <= version <= peer.most]
    if not fits:
        wanted = f"Python {peer.least[0]}.{peer.least[1]} to {peer.most[0]}.{peer.most[1]}"
        raise Skipped(f"needs {wanted}; found {', '.join(f'{a}.{b}' for a, b in sorted(known)) or 'none'}")
    version = max(fits)
    shown = f"{version[0]}.{version[1]}"
    if not peer.requirements:
        return Path(sys.executable), f"{sys.version_info[0]}.{sys.version_info[1]}"
    label = "_".join(peer.requirements).translate(str.maketrans("[]=<>", "-----"))
    home = folder / f"{label}-py{shown}"
    python = home / "bin" / "python"
    if (home / "ready").exists():
        return python, shown
    if not install:
        raise Skipped(f"not installed under {folder}, and --no-install was said")
    shutil.rmtree(home, ignore_errors=True)
    print(f"installing {', '.join(peer.requirements)} for Python {shown} ...", file=sys.stderr, flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    for command in ([str(known[version]), "-m", "venv", str(home)], [*pip, "--timeout", "20", *peer.requirements]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(home, ignore_errors=True)
            said = done.stderr or done.stdout
            offline = "the package index did not answer; " if "connection" in said.casefold() else ""
            raise Skipped(f"could not be installed: {offline}{_last(said)}")
    (home / "ready").touch()
    return python, shown


def _last(text: str) -> str:
    """The last line that says something, an error's if there is one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1][:200]


class Worker:
    """A running script, which takes a turn when told."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.said: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed with the worker)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True, env=dict(env)
        )

    def hear(self) -> dict[str, Any]:
        """What the turn under way came to. Raises Skipped where it failed or takes too long."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], LIMIT_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            why = f"no answer in {LIMIT_S} s"
            if ready:
                self.said.seek(0)
                why = f"failed: {_last(self.said.read())}"
            raise Skipped(why)
        told: dict[str, Any] = json.loads(line)
        return told

    def turn(self) -> dict[str, Any]:
        """One more turn. Raises Skipped."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("again\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Skipped(f"ended by itself ({error})") from error
        return self.hear()

    def stop(self) -> None:
        """End the script and free what it holds."""
        self.process.kill()
        self.process.communicate()
        self.said.close()


@contextmanager
def _stopped(workers: dict[str, Worker]) -> Iterator[None]:
    try:
        yield
    finally:
        for worker in workers.values():
            worker.stop()


def bars_of(home: Path | None) -> tuple[np.ndarray, float, str]:
    """(bars with open_ns, close_ns, o, h, l, c, v; price step; recorded or synthetic)."""
    from confidence_engine.domain.units import MINUTE_NS, parse_time
    from confidence_engine.feeds.store import Store
    from confidence_engine.feeds.world import generate, symbol_of

    if home is not None:
        return np.array(Store(home).bars("BTC/USDT", "binance-perp", 5 * MINUTE_NS)), 0.1, "recorded"
    world = generate(7, start_ns=parse_time("2023-01-01"), days=500)
    symbol = symbol_of(world.underlyings[0])
    return np.array(world.bars[symbol]), world.ticks[symbol], "synthetic"


def _command(peer: Peer, python: Path, told: Mapping[str, str]) -> list[str]:
    return [str(python), str(SCRIPTS / peer.script), told["bars"], *(word.format(**told) for word in peer.words)]


def _cold_places(peer: Peer, folder: Path) -> dict[str, str]:
    """Environment variables with empty compile caches; ours lie beside its package, so that is copied without them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {"NUMBA_CACHE_DIR": str(folder / "numba"), "PYTHONNOUSERSITE": "1"}
    if not peer.requirements:
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("kernel-*"))
        env["PYTHONPATH"] = str(folder / "src")
    return env


def measure(peers: Sequence[Peer], told: dict[str, str], work: Path, passes: int, install: bool) -> list[Row]:
    """Rows in the order of `peers`: each cold, each started again, then all in turn."""
    known = interpreters()
    rows: dict[str, Row] = {}
    workers: dict[str, Worker] = {}
    with _stopped(workers):
        for k, peer in enumerate(peers):
            try:
                python, shown = environment(peer, work / "envs", known, install)
                print(f"{peer.name}: cold ...", file=sys.stderr, flush=True)
                env = _cold_places(peer, work / f"cold-{k}")
                command = _command(peer, python, told | {"work": str(work / f"turn-{k}")})
                first = Worker(command, env)
                with _stopped({"": first}):
                    cold = first.hear()["all"]
                workers[peer.name] = Worker(command, env)
                rows[peer.name] = Row(peer, shown, cold, workers[peer.name].hear()["all"], [], "")
            except Skipped as why:
                rows[peer.name] = Row(peer, "", 0.0, 0.0, [], str(why))
        for at in range(passes):
            print(f"pass {at + 1} of {passes} ...", file=sys.stderr, flush=True)
            for name, row in rows.items():
                if not row.skipped:
                    try:
                        row.turns.append(workers[name].turn())
                    except Skipped as why:
                        rows[name] = row._replace(skipped=str(why))
    return list(rows.values())


def _median(turns: Sequence[dict[str, Any]], name: str) -> float:
    return statistics.median(turn[name] for turn in turns)


def table(rows: Sequence[Row], bars: int) -> str:
    """Markdown: one line a peer, then in words what each does and does not do."""
    lines = [
        "| engine | version, Python | works | run, CPU s (range) | k bars / CPU s | run / ours | lay out | cold "
        "| warm start | entries | equity, USD |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    ours = next((_median(row.turns, "run") for row in rows if not row.peer.requirements and not row.skipped), None)
    for row in rows:
        version = next((one.split("==")[1] for one in row.peer.requirements), "this one")
        if row.skipped:
            lines.append(f"| {row.peer.name} | {version} | {row.peer.kind} | SKIPPED: {row.skipped} |" + " |" * 7)
            continue
        runs = [turn["run"] for turn in row.turns]
        run, last = statistics.median(runs), row.turns[-1]
        ratio = f"{run / ours:.3g}" if ours else "-"
        spread = f"{run:.3f} ({min(runs):.3f} .. {max(runs):.3f})"
        lines.append(
            f"| {row.peer.name} | {version}, {row.python} | {row.peer.kind} | {spread} "
            f"| {bars / run / 1e3:,.0f} | {ratio} | {_median(row.turns, 'lay'):.3f} | {row.cold:.1f} | {row.start:.1f} "
            f"| {last['entries']} | {last['equity']:,.2f} |"
        )
    return "\n".join([*lines, "", *(f"- {row.peer.name}: {row.peer.said}." for row in rows if row.peer.said)])


def shares(rows: Sequence[Row]) -> list[str]:
    """Where our own time goes, and how far it is from memory bandwidth."""
    lines = []
    for row in rows:
        if row.skipped or row.peer.requirements:
            continue
        more = [turn["more"] for turn in row.turns]
        steps = [name for name in more[0] if name not in ("events", "documents", "pass")]
        spent = ", ".join(f"{name} {_median(more, name):.3f}" for name in steps)
        events, replay = more[0]["events"], _median(more, "replay")
        lines.append(
            f"{row.peer.name}: {_median(row.turns, 'run'):.3f} CPU s, of which {spent}; {events:,} events, "
            f"{events / replay / 1e6:.2f} M events / CPU s in the replay, {64 * events / replay / 1e9:.3f} GB/s of them"
        )
        if "pass" in more[0]:
            rate = 64 * events / _median(more, "pass") / 1e9
            plain = f"a plain NumPy sum over the same {64 * events / 1e6:.0f} MB"
            lines.append(f"  {plain}: {rate:.1f} GB/s (they may lie in a cache); over 1 GB: {_bandwidth():.1f} GB/s")
    return lines


def _bandwidth() -> float:
    """GB a second of a sum over 1 GB, fastest of five."""
    words = np.ones(2**27, np.uint64)
    times = []
    for _ in range(5):
        began = time.process_time()
        words.sum()
        times.append(time.process_time() - began)
    return words.nbytes / min(times) / 1e9


def machine() -> str:
    """What this runs on, in a line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{model}, {os.cpu_count()} CPUs, {platform.system()}, load {load} before"


def main(arguments: Sequence[str]) -> int:
    """Run and print; 0 also where peers were skipped."""
    from platformdirs import user_cache_path

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", nargs="?", type=Path)
    parser.add_argument("--work", type=Path, default=user_cache_path("confidence-engine") / "peers")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--only", default="", help="parts of names, with commas between them")
    parser.add_argument("--no-install", action="store_true")
    said = parser.parse_args(arguments)
    work = said.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    bars, tick, origin = bars_of(said.home)
    np.save(work / "bars.npy", bars)
    told = {"bars": str(work / "bars.npy"), "tick": repr(tick), "origin": origin}
    wanted = [part.casefold() for part in said.only.split(",") if part]
    peers = [one for one in PEERS if not wanted or any(part in one.name.casefold() for part in wanted)]
    if said.home is not None and not wanted:
        told |= {"home": str(said.home.resolve()), "config": str(ROOT / "config" / "futures.toml")}
        peers.append(PIPELINE)
    print(f"{machine()}; {len(bars):,} {origin} bars of five minutes, medians of {said.passes} passes\n")
    rows = measure(peers, told, work, said.passes, not said.no_install)
    print(table([row for row in rows if row.peer is not PIPELINE], len(bars)), end="\n\n")
    print("\n".join(shares(rows)))
    skipped = [row for row in rows if row.peer is PIPELINE and row.skipped]
    print("".join(f"futures replay SKIPPED: {row.skipped}\n" for row in skipped), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
