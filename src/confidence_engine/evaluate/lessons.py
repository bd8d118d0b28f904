"""What the engine learnt in a run: what became of the cases it took and of those it refused, by reason.

A refusal is only as good as what it spared: for every gate bit stands what the refused cases would have made at the
barriers of `domain.outcome`, costs inside. Counted from the LESSON rows of the decided period, every case once at its
first judgement; the figures of a source are its fading counts, as the engine itself sees them. A case may bear several
bits, so gates overlap. Shares bear the interval of `evaluate.share`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.decision import GATE_NAMES
from confidence_engine.domain.instrument import CLASSES
from confidence_engine.domain.order import EXIT_NAMES
from confidence_engine.domain.outcome import UNRESOLVED, WON
from confidence_engine.domain.record import LESSON_EXIT, LESSON_OUTCOME, LESSON_SOURCE, LESSON_TRIGGER
from confidence_engine.domain.units import format_interval
from confidence_engine.drivers.replay import Result
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.share import share_of_cases, stretch_ns
from confidence_engine.kernel.feedback import UNDECIDED

__all__ = ["learnt", "tally"]


def learnt(config: Config, sources: Sources, result: Result, streams: Sequence[str]) -> dict[str, Any]:
    """The tallies of a run, JSON-able; `streams` names the stream ids. Returns are net fractions of notional."""
    horizon_ns = config.outcome.horizon_ns
    rows = result.lessons
    cases = rows[(rows["kind"] == LESSON_OUTCOME) & (rows["gates"] != UNDECIDED)]
    seen, exits = cases[cases["y"] != UNRESOLVED], rows[rows["kind"] == LESSON_EXIT]
    watched = result.state.asset
    return {
        "cases": {name: tally(seen[chosen(seen)], sources, horizon_ns) for name, chosen in _KINDS.items()},
        "warmup_cases": int(((rows["kind"] == LESSON_OUTCOME) & (rows["gates"] == UNDECIDED)).sum()),
        "unresolved": len(cases) - len(seen),
        "dropped": int(watched["dropped"].sum()),
        "open": int(watched["pending"].sum()),
        "refused": {name: tally(mine, sources, horizon_ns) for name, mine in _by_gate(seen) if len(mine)},
        "block": format_interval(stretch_ns(horizon_ns)),
        "exits": {EXIT_NAMES[why]: _exit(exits[exits["why"] == why]) for why in np.unique(exits["why"]).tolist()},
        "sources": _sources(result.state.tally, streams),
        "triggers": {CLASSES[k]: float(one.factor) for k, one in enumerate(result.state.klass) if one.outcomes},
        "changes": {
            "source": int((rows["kind"] == LESSON_SOURCE).sum()),
            "trigger": int((rows["kind"] == LESSON_TRIGGER).sum()),
        },
    }


_KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "all": lambda rows: np.ones(len(rows), bool),
    "long": lambda rows: rows["side"] > 0,
    "short": lambda rows: rows["side"] < 0,
    "beyond_trigger": lambda rows: rows["passed"] == 1,
    "entered": lambda rows: rows["gates"] == 0,
}


def tally(rows: np.ndarray, sources: Sources, horizon_ns: int) -> dict[str, Any]:
    """Share that came true with its interval, mean net return, mean win and mean loss of cases of one horizon."""
    net, won = rows["net_return"], rows["y"] == WON
    return {
        "won": msgspec.to_builtins(share_of_cases(won, rows["at_ns"], sources, horizon_ns)),
        "mean_net_return": _mean(net),
        "mean_win": _mean(net[won]),
        "mean_loss": _mean(net[~won]),
    }


def _by_gate(rows: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [(name, rows[(rows["gates"] >> g) & 1 == 1]) for g, name in enumerate(GATE_NAMES)]


def _exit(rows: np.ndarray) -> dict[str, Any]:
    """Trades that were left for one reason: what they made after fees and funding."""
    net = rows["net_return"]
    return {
        "n": len(rows),
        "wins": int((net > 0.0).sum()),
        "net_usd": float(rows["net_usd"].sum()),
        "mean_net_return": _mean(net),
        "mean_win": _mean(net[net > 0.0]),
        "mean_loss": _mean(net[net <= 0.0]),
    }


def _sources(rows: np.ndarray, streams: Sequence[str]) -> dict[str, Any]:
    """Every source heard, by the name of its stream; those that share a slot stand under the first of them."""
    found = {}
    for one in rows[rows["documents"] > 0]:
        n = float(one["wins"] + one["losses"])
        found[streams[int(one["stream"])]] = {
            "stream": int(one["stream"]),
            "readings": int(one["documents"]),
            "outcomes": int(one["outcomes"]),
            "recent": {
                "n": n,
                "won": float(one["wins"]) / n if n else None,
                "mean_net_return": float(one["won"] + one["lost"]) / n if n else None,
                "mean_win": float(one["won"] / one["wins"]) if one["wins"] else None,
                "mean_loss": float(one["lost"] / one["losses"]) if one["losses"] else None,
            },
            "weight": float(one["factor"]),
            "shared": bool(one["shared"]),
        }
    return found


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
