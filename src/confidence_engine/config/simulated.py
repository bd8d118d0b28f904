"""The config of a simulated world, written as files so that it can be read, changed and replayed like any other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.units import format_interval

__all__ = ["HALF_SPREAD", "SPOT", "VENUE", "write_agents", "write_demo", "write_simulated", "write_world"]

VENUE: Final = "world"
"""Perpetuals: funding, leverage, both sides."""
SPOT: Final = "world-spot"
"""The same coins to be bought and sold again, never sold short."""
HALF_SPREAD: Final = 1e-4
"""What the instruments of a world cost to cross, where nothing else is said."""

_DEMO: Final = Path(__file__).parent / "worlds" / "demo.toml"

_UNIVERSE: Final = """# Universe of a simulated world; written by the engine.

[class.crypto]
annual_volatility = 0.6
story_spread = 0.5
trading_seconds_per_year = 31_536_000

[venue.{venue}]
lot = 0.001
min_notional = 5
taker = "5bps"
maker = "2bps"
half_spread = {half_spread!r}
max_leverage = 25
can_short = true
liquidation_fee = "1.25%"
funding = "8h"

[venue.{spot}]
lot = 0.001
min_notional = 5
taker = "10bps"
maker = "8bps"
half_spread = {half_spread!r}
"""

_AGENT: Final = """# Agent of a simulated world; written by the engine.

universe = "universe.toml"

[agent]
name = "{name}"
venue = "{venue}"
symbols = {symbols}
warmup = "{warmup_days}d"

[timing]
news_lag = "0s"

[kernel.divergence]
trigger = 0.55   # a few made-up coins tell fewer stories at a time than a market does
kappa = 0.1      # so low that the price alone never reaches the trigger
"""


def write_simulated(
    folder: Path, underlyings: Sequence[Underlying], ticks: Mapping[str, float], warmup_days: int,
    half_spread: float = HALF_SPREAD,
) -> Path:  # fmt: skip
    """Write universe.toml and simulated.toml into `folder` and return the second; ticks: symbol -> price step.

    The universe has the perpetuals and the spot of every coin; the agent trades the perpetuals.
    """
    _write_universe(folder, underlyings, ticks, half_spread)
    return _write_agent(folder, "simulated", VENUE, ticks, warmup_days)


def write_world(
    folder: Path, below: Path, venue: str, symbols: Iterable[str], interval_ns: int, warmup_ns: int
) -> Path:
    """Write world.toml, the agent of `below` put into the world whose universe.toml is in `folder`; returns its path.

    All that `below` says of kernel, text, venue and money holds; universe, venue, symbols, bars and warm-up are the
    world's.
    """
    path = folder / "world.toml"
    path.write_text(
        f"# Agent of {below.name} in a simulated world; written by the engine.\n\n"
        f'inherits = {_one(str(below.resolve()))}\nuniverse = "universe.toml"\n\n'
        f'[agent]\nvenue = "{venue}"\nsymbols = {_quoted(symbols)}\ninterval = "{format_interval(interval_ns)}"\n'
        f'warmup = "{format_interval(warmup_ns)}"\n',
        encoding="utf-8",
    )
    return path


def write_agents(
    folder: Path, underlyings: Sequence[Underlying], ticks: Mapping[str, float], warmup_days: int,
    half_spread: float = HALF_SPREAD,
) -> tuple[Path, Path]:  # fmt: skip
    """Write universe.toml, hybrid.toml and futures.toml into `folder`: the two agents of a simulated world."""
    _write_universe(folder, underlyings, ticks, half_spread)
    return (
        _write_agent(folder, "hybrid", SPOT, ticks, warmup_days),
        _write_agent(folder, "futures", VENUE, ticks, warmup_days),
    )


def write_demo(folder: Path, below: Path | None, days: int | None) -> Path:
    """Write demo.toml, the world file of the demonstration, into `folder`; `below` (default: the package's own) is what
    it inherits, `days` its length where it is told.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, origin = folder / "demo.toml", (below or _DEMO).resolve()
    length = "" if days is None else f"\n[world]\ndays = {days}\n"
    head = "# World of the demonstration; written by the engine. SYNTHETIC."
    path.write_text(f"{head}\n\ninherits = {_one(str(origin))}\n{length}", encoding="utf-8")
    return path


def _write_universe(
    folder: Path, underlyings: Sequence[Underlying], ticks: Mapping[str, float], half_spread: float
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = [_UNIVERSE.format(venue=VENUE, spot=SPOT, half_spread=half_spread)]
    for one in underlyings:
        text.append(
            f'[underlying.{one.name}]\nclass = "crypto"\nsector = "{one.sector}"\n'
            f"names = {_quoted(one.names)}\ntickers = {_quoted(one.tickers)}\n"
        )
    for one, (symbol, tick) in zip(underlyings, ticks.items(), strict=True):
        text.append(
            f'[[instrument]]\nsymbol = "{symbol}"\nvenue = "{VENUE}"\nunderlying = "{one.name}"\ntick = {tick!r}\n'
            'tiers = [[1_000_000, "1%"]]\n'
        )
        text.append(
            f'[[instrument]]\nsymbol = "{symbol}"\nvenue = "{SPOT}"\nunderlying = "{one.name}"\ntick = {tick!r}\n'
        )
    (folder / "universe.toml").write_text("\n".join(text), encoding="utf-8")


def _write_agent(
    folder: Path, name: str, venue: str, ticks: Mapping[str, float], warmup_days: int
) -> Path:  # fmt: skip
    path = folder / f"{name}.toml"
    agent = _AGENT.format(name=name, venue=venue, symbols=_quoted(ticks), warmup_days=warmup_days)
    path.write_text(agent, encoding="utf-8")
    return path


def _quoted(names: Iterable[str]) -> str:
    """A list as TOML writes it; its basic strings are those of JSON."""
    return json.dumps(list(names), ensure_ascii=False)


def _one(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
