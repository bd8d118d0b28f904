"""What each stage is worth that no parameter can neutralise (`confidence ablate` does the others): the recorded
replays again with one stage neutralised in a copy of the source.

    python benchmarks/knockout.py HOME [ACCOUNT]  # HOME holds the imported data; half a minute a row

For every row the package is copied, one piece of text is replaced (the script stops if it is not there exactly
once), and the replay runs as a process of its own. `small` is the futures config as it is. `large` is the same with
an account of a thousand million dollars, where volume and impact bind; `bold` takes ten times the risk under tight
limits, `hasty` does so at less than half the gap and without a pause, `tight` enters like it, once a day, and may hold
less than its stops would let it. A stage that changes nothing is no stage.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PERIOD = ("--start", "2023-01-01", "--end", "2024-03-01")


class Knock(NamedTuple):
    """A stage, what is done to it, and the text that does it."""

    stage: str
    what: str
    file: str
    old: str
    new: str
    account: str = "small"


ACCOUNTS = {
    "small": "",
    "large": "[agent]\ninitial_equity_usd = 1_000_000_000\n",
    "bold": '[kernel.sizing]\nrisk_per_trade = "5%"\n[kernel.risk]\nsingle_max = "100%"\ngross_max = "100%"\nnet_max = "100%"\n'
    'max_positions = 1\ndaily_loss = "0.1%"\nmax_drawdown = "0.5%"\n',
    "hasty": '[kernel.divergence]\nkappa = 0.05\ntrigger = 0.3\n[kernel.sizing]\nrisk_per_trade = "5%"\n[kernel.gates]\ncooldown = "0s"\n'
    '[kernel.risk]\nsingle_max = "100%"\n'
    'gross_max = "100%"\nnet_max = "100%"\nmax_drawdown = "50%"\ndaily_loss = "0.1%"\n',
    "tight": '[kernel.divergence]\nkappa = 0.05\ntrigger = 0.3\n[kernel.gates]\ncooldown = "0s"\n[kernel.risk]\nsingle_max = "0.3%"\ntrades_a_day = 1\n',
}

KNOCKS = (
    Knock("nothing", "as it is", "", "", ""),
    Knock("nothing", "as it is", "", "", "", "large"),
    Knock("confidence", "strength is all or nothing", "kernel/confidence.py", "d.strength = weight * min(max((abs(d.gap) - d.trigger) / d.trigger, 0.0), 1.0)", "d.strength = 1.0 if abs(d.gap) >= d.trigger else 0.0"),
    Knock("sizing", "size does not know strength", "kernel/sizing.py", "d.size_r = p.uncalibrated_r * d.strength * d.warmth", "d.size_r = p.uncalibrated_r"),
    Knock("margin", "the venue's least margin", "kernel/margin.py", "return max(wanted, notional / min(leverage, inst.max_leverage))", "return notional / min(leverage, inst.max_leverage)"),
    Knock("nothing", "as it is", "", "", "", "bold"),
    Knock("nothing", "as it is", "", "", "", "hasty"),
    Knock("nothing", "as it is", "", "", "", "tight"),
    Knock("risk", "no exposure limit", "kernel/risk.py", "    if allowed < 1:\n", "    allowed = abs(lots)\n    if allowed < 1:\n", "tight"),
    Knock("risk", "no drawdown halt", "kernel/risk.py", "        h.halted |= HALT_DRAWDOWN\n", "        h.halted |= 0\n", "bold"),
    Knock("risk", "no daily loss limit", "kernel/risk.py", "if h.equity < h.day_equity * (1.0 - p.daily_loss):", "if h.equity < 0.0:", "hasty"),
    Knock("risk", "no trade limit", "kernel/risk.py", "if h.day_trades >= p.trades_a_day or h.week_trades >= p.trades_a_week:", "if h.day_trades < 0:", "tight"),
    Knock("orders", "entries go out without protection", "kernel/algos.py", "        _next(s, i, out, p)\n    orders.protect(s, i, out)\n", "        _next(s, i, out, p)\n"),
    Knock("algos", "all at once", "kernel/algos.py", "if p.style == PARTICIPATION:", "if p.style < 0:", "large"),
    Knock("ledger", "funding is not booked", "kernel/ledger.py", "    h.funding += amount\n    h.balance += amount\n", ""),
    Knock("outcome", "no barriers, only the horizon", "domain/outcome.py", "    opened = side * (o - price) / price\n", "    if o > 0.0:\n        return False, 0.0\n    opened = side * (o - price) / price\n"),
    Knock("venues.sim", "no volume cap", "venues/sim.py", "cap = min(p.volume_share * pos.volume, p.bar_share * bar_volume(event))", "cap = 1e6 * pos.volume", "large"),
)  # fmt: skip


def replay(knock: Knock, home: Path, work: Path) -> dict[str, object]:
    """Summary of one replay with the stage neutralised."""
    shutil.copytree(ROOT / "src", work / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "config", work / "config")
    if knock.file:
        path = work / "src/confidence_engine" / knock.file
        text = path.read_text(encoding="utf-8")
        if text.count(knock.old) != 1:
            raise SystemExit(f"{knock.stage}: {knock.file} holds {knock.old!r} {text.count(knock.old)} times, not once")
        path.write_text(text.replace(knock.old, knock.new), encoding="utf-8")
    config = work / "config/knock.toml"
    config.write_text('inherits = "futures.toml"\n' + ACCOUNTS[knock.account], encoding="utf-8")
    command = [sys.executable, "-m", "confidence_engine", "--home", str(home), "replay", str(config), *PERIOD]
    done = subprocess.run(
        [*command, "--out", str(work / "run"), "--json"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(work / "src")},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{knock.stage}, {knock.what}: {done.stderr[-800:]}")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def row(knock: Knock, one: dict[str, object], base: dict[str, object]) -> str:
    """One line of the table; `changes` names what is not as in the untouched replay."""
    closed = one["outcomes"]["closed"]  # type: ignore[index]
    changes = [name for name in ("decisions_hash", "fills_hash", "state_hash") if one[name] != base[name]]
    if one["outcomes"] != base["outcomes"]:
        changes.append("outcomes")
    said = ", ".join(name.removesuffix("_hash") for name in changes) or "NOTHING"
    rate = "-" if closed["value"] is None else f"{closed['value']:.3f} of {closed['n']}"
    return (
        f"| {knock.stage} | {knock.what} | {knock.account} | {one['entries']} | {one['fills']} | {one['net_pnl_usd']:,.2f} "
        f"| {one['fees_usd']:,.2f} | {one['turnover_usd']:,.0f} | {one['max_drawdown']:.4%} | {rate} | {said} |"
    )


def main(home: Path, account: str | None = None) -> int:
    """Print the table, or the rows of one account; 1 where a knock-out changed nothing."""
    print(
        "| stage | neutralised | account | entries | fills | net USD | fees | turnover | drawdown | gap closed | changed |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    bases: dict[str, dict[str, object]] = {}
    idle = 0
    for knock in (one for one in KNOCKS if account in (None, one.account)):
        with tempfile.TemporaryDirectory() as folder:
            found = replay(knock, home, Path(folder))
        base = bases.setdefault(knock.account, found)
        line = row(knock, found, base)
        idle += knock.stage != "nothing" and line.endswith("NOTHING |")
        print(line, flush=True)
    return 1 if idle else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    raise SystemExit(main(Path(sys.argv[1]), *sys.argv[2:]))
