"""What a run and the replay of its period have to say of each other, in words and numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from confidence_engine.domain.command import Command
from confidence_engine.domain.decision import gate_names
from confidence_engine.domain.document import Document
from confidence_engine.domain.event import FEED_NAMES, NO_ASSET
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.order import EXIT_NAMES
from confidence_engine.domain.units import SECOND_NS, format_duration, format_time
from confidence_engine.drivers.differing import DECISION, TRADE, Differing
from confidence_engine.drivers.lived import LeftOut
from confidence_engine.drivers.mishaps import CAUSES, Edit, Item
from confidence_engine.drivers.parity import Parity
from confidence_engine.drivers.rungs import Judged, Trade

__all__ = ["counted", "difference_line", "edit_line", "left_line", "parity_payload"]

_SIDES = {-1: "short", 0: "no side", 1: "long"}


def parity_payload(found: Parity, shown: int) -> dict[str, Any]:
    """What machines are told; `shown` differences at most, 0 for all."""
    differing = _ordered(found)
    told = differing if shown == 0 else differing[:shown]
    return {
        "agent": found.name, "journal": found.journal, "feed": found.feed, "synthetic": found.synthetic,
        "load": format_time(found.window.load_ns), "start": format_time(found.window.start_ns),
        "end": format_time(found.window.end_ns), "decisions": found.decisions, "trades": found.trades,
        "differ": len(found.differing), "unexplained": found.unexplained, "equal": found.equal,
        "decisions_hash": found.run_hash, "replay_decisions_hash": found.replay_hash, "epochs": found.epochs,
        "epochs_compared": found.epochs - len(found.left_out),
        "left_out": [_left(one) for one in found.left_out], "rungs": list(found.rungs), "causes": counted(found),
        "differences": [_told(one, found.instruments) for one in told],
    }  # fmt: skip


def counted(found: Parity) -> list[dict[str, Any]]:
    """For each cause that is there, in the order applied: how much came otherwise, and what differs by it."""
    came = Counter(one.cause for one in {_thing_of(one): one for one in found.edits}.values())
    done = Counter((one.cause, one.what, one.acts) for one in found.differing)
    rows = [
        {
            "cause": cause, "came": came[cause], "decisions": done[cause, DECISION, True],
            "decisions_in_numbers": done[cause, DECISION, False], "trades": done[cause, TRADE, True],
            "trades_in_numbers": done[cause, TRADE, False],
        }
        for cause in dict.fromkeys((*CAUSES, *(one.cause for one in found.differing)))
    ]  # fmt: skip
    return [row for row in rows if any(value for name, value in row.items() if name != "cause")]


def _thing_of(one: Edit) -> tuple[Any, ...]:
    """By what it is counted once, where it makes a difference in two epochs."""
    return one.cause, one.at_ns, one.name, one.value


def _left(one: LeftOut) -> dict[str, Any]:
    return {"epoch": one.number, "start": format_time(one.start_ns), "end": format_time(one.end_ns), "why": one.why}


def left_line(one: LeftOut) -> str:
    """An epoch that could not be compared, in words."""
    return f"not compared: epoch {one.number}, {format_time(one.start_ns)} to {format_time(one.end_ns)}: {one.why}"


def _ordered(found: Parity) -> list[Differing]:
    """The unexplained, then what was done otherwise, then mere numbers; each by time."""
    return sorted(found.differing, key=lambda one: (one.cause != CAUSES[-1], not one.acts, one.ts_ns, one.asset))


def _told(one: Differing, instruments: tuple[Instrument, ...]) -> dict[str, Any]:
    return {
        "epoch": one.epoch, "what": one.what, "at": format_time(one.ts_ns), "symbol": _symbol(one.asset, instruments),
        "replay": _side_of(one.replay), "run": _side_of(one.run), "otherwise": one.acts, "cause": one.cause,
        "nearest": None if one.nearest is None else edit_line(one.nearest, instruments),
        "nearest_at": None if one.nearest is None else format_time(one.nearest.at_ns),
    }  # fmt: skip


def difference_line(one: Differing, instruments: tuple[Instrument, ...]) -> str:
    """One difference in words, its cause and what to look at."""
    near = "" if one.nearest is None else f": {edit_line(one.nearest, instruments)}"
    replay, run = _side_of(one.replay), _side_of(one.run)
    said = f"replay {replay}, run {run}" if replay != run else f"{run}, with other numbers"
    return (
        f"{format_time(one.ts_ns)} {_symbol(one.asset, instruments)} {one.what}: {said}\n    because: {one.cause}{near}"
    )


def _symbol(asset: int, instruments: tuple[Instrument, ...]) -> str:
    return "all" if asset == NO_ASSET else instruments[asset].symbol


def _side_of(one: Judged | Trade | None) -> str:
    """What was decided or traded, in a few words."""
    if one is None:
        return "none"
    if isinstance(one, Trade):
        left = (
            "still open" if one.exit_ns < 0 else f"left {format_time(one.exit_ns)} by {EXIT_NAMES.get(one.why, 'none')}"
        )
        return f"{_SIDES[one.side]} {one.lots:,} lots from {format_time(one.entry_ns)}, {left}, {one.net_usd:+,.2f} USD"
    side, gates, aimed, held = one.act
    done = "entered" if gates == 0 else f"refused ({', '.join(gate_names(gates))})"
    holding = f", holding {_SIDES[held]}" if held else ""
    return f"{_SIDES[side]} {done}{holding}" + (f", aiming {_SIDES[aimed]}" if aimed not in (0, side) else "")


def edit_line(one: Edit, instruments: tuple[Instrument, ...]) -> str:
    """What came otherwise, in words."""
    kind, key, stamp, _ = one.name
    if kind == "clock":
        return f"the receiving clock stepped by {one.value / SECOND_NS:+,.0f} s at {format_time(one.at_ns)}"
    if not one.was and not one.now:
        what = FEED_NAMES.get(int(one.value), "?")
        return f"the feed of {key or 'all'} was told to be {what} at {format_time(one.at_ns)}"
    first = (one.was or one.now)[0]
    return f"{_thing(first, key, stamp)} {_fate(one)}"


def _thing(item: Item, key: str, stamp: int) -> str:
    said = item.said
    if isinstance(said, Document):
        return f"{said.publisher or 'nobody'}: {said.title[:80]!r} of {format_time(said.published_ns)}"
    if isinstance(said, Command):
        return f"{said.command!r} of {said.operator} ({said.reason})"
    return f"{item.name[0]} of {key} at {format_time(stamp)}"


def _fate(one: Edit) -> str:
    if not one.now:
        return "never came"
    came = one.now[0]
    if not one.was:
        return f"came at {format_time(came.at_ns)}"
    parts = []
    if came.at_ns != one.was[0].at_ns:
        later = came.at_ns - one.was[0].at_ns
        parts.append(f"came {format_duration(abs(later)) or '0 s'} {'late' if later > 0 else 'early'}")
    parts += _other(one.was[0].said, came.said)
    if len(one.now) > 1:
        parts.append(f"came {len(one.now)} times")
    return ", ".join(parts) or "came otherwise"


def _other(was: Any, now: Any) -> list[str]:
    """Fields of a row that came with other numbers."""
    if isinstance(was, (Document, Command)):
        return [] if was == now or isinstance(was, Command) else ["with other words"]
    names = [name for name in was.dtype.names if was[name].tobytes() != now[name].tobytes()]
    return [f"with {name} {now[name][0]:.10g}, stored {was[name][0]:.10g}" for name in names[:2]]
