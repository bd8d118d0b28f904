"""`confidence status`, `halt`, `resume`, `flatten`, `limit`: an operator asks agents, and tells them.

A command goes into the inbox of every agent of the home, or of the one that is named, and is part of an agent's journal
before it acts. An agent that does not run finds it first thing at its next start, and this says so.
"""

from __future__ import annotations

import getpass
import math
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from confidence_engine.cli.show import Json, database, emit, grid, home, note

if TYPE_CHECKING:
    from confidence_engine.domain.command import Command
    from confidence_engine.drivers.pulse import Status
    from confidence_engine.journal.reader import Place

__all__ = ["flatten", "halt", "limit", "places_of", "resume", "status"]

_WAIT_S: Final = 5.0
_HANGS_S: Final = 10.0

Which = Annotated[str | None, typer.Option("--agent", help="Only this agent; default: every one of the home.")]
Reason = Annotated[str, typer.Option(help="Why: it stands in the journal.")]
Operator = Annotated[str | None, typer.Option(help="Who: default the user's name on this machine.")]


def status(ctx: typer.Context, agent: Which = None, as_json: Json = False) -> None:
    """Show how the agents are: running, halted, what they hold, which feeds are ill."""
    from confidence_engine.drivers.inbox import INBOX, REFUSED
    from confidence_engine.drivers.pulse import read_status

    places = places_of(ctx, agent)
    rows = [_state_of(place) | {"status": read_status(place)} for place in places]
    for place, one in zip(places, rows, strict=True):
        if one["commands_refused"]:
            told = place.anchor.parent / INBOX / REFUSED
            note(f"{place.name}: {one['commands_refused']} files were no commands; they lie in {told}, with the reason")

    def table() -> Any:
        header = ("agent", "state", "feed time", "equity, USD", "open", "halted by", "degraded", "p50 / p99 ms")
        return grid(header, [_row(one) for one in rows]) if rows else "no agents yet; `confidence paper` makes one"

    emit(as_json, {"agents": rows}, table)


def halt(
    ctx: typer.Context, reason: Reason, agent: Which = None, operator: Operator = None, as_json: Json = False
) -> None:  # fmt: skip
    """Stop every order that adds risk; reductions and stops go on. Holds until a resume."""
    _tell(ctx, "halt", agent, operator, reason, None, as_json)


def resume(
    ctx: typer.Context, reason: Reason, agent: Which = None, operator: Operator = None, as_json: Json = False
) -> None:  # fmt: skip
    """Lift every halt; drawdown is measured anew from here."""
    _tell(ctx, "resume", agent, operator, reason, None, as_json)


def flatten(
    ctx: typer.Context, reason: Reason, agent: Which = None, operator: Operator = None, as_json: Json = False
) -> None:  # fmt: skip
    """Halt, and leave every position at market."""
    _tell(ctx, "flatten", agent, operator, reason, None, as_json)


def limit(
    ctx: typer.Context,
    reason: Reason,
    gross_usd: Annotated[
        float | None, typer.Argument(min=0.0, help="Most gross exposure of all agents together, in USD.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="No limit any more.")] = False,
    agent: Which = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Cap the gross exposure of the account: each agent gets an equal part, or the one that is named all of it."""
    from confidence_engine.domain.errors import UsageError

    if (gross_usd is None) != lift or (gross_usd is not None and not math.isfinite(gross_usd)):
        raise UsageError("wanted an amount in USD, or --lift")
    _tell(ctx, "limit", agent, operator, reason, gross_usd, as_json)


def _tell(
    ctx: typer.Context, word: str, agent: str | None, operator: str | None, reason: str, value: float | None,
    as_json: bool,
) -> None:  # fmt: skip
    from confidence_engine.domain.command import Command
    from confidence_engine.domain.errors import DataMissing, UsageError
    from confidence_engine.drivers.inbox import put

    if not reason.strip():
        raise UsageError("a command wants a reason")
    places = places_of(ctx, agent)
    if not places:
        raise DataMissing(f"{home(ctx)} has no agents")
    who = operator or getpass.getuser()
    sent = []
    for place in places:
        share = None if value is None else value / len(places)
        command = Command(str(uuid.uuid4()), word, who, reason, time.time_ns(), share)
        sent.append((place, command, put(place, command)))
    until = time.monotonic() + _WAIT_S
    rows = [_outcome(place, command, path, until) for place, command, path in sent]
    said = word if value is None else f"{word} {value / len(places):,.2f} USD"
    told = [(one["agent"], one["outcome"]) for one in rows]
    emit(as_json, {"command": word, "agents": rows}, lambda: grid(("agent", said), told))
    if any(one["outcome"] in ("not heard", "refused") for one in rows):
        raise typer.Exit(1)


def _outcome(place: Place, command: Command, path: Path, until: float) -> dict[str, Any]:
    """Whether it was obeyed in time."""
    from confidence_engine.drivers.inbox import REFUSED
    from confidence_engine.journal.lock import is_locked

    runs = is_locked(place.folder)
    while runs and path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    if (path.parent / REFUSED / path.name).exists():
        outcome = "refused"
        note(f"{place.name}: its program knows no such command; {path.parent / REFUSED} has it with the reason")
    elif not path.exists():
        outcome = "obeyed"
    elif runs and is_locked(place.folder):
        outcome = "not heard"
        note(f"{place.name}: it runs and has not taken the command within {_WAIT_S:g} s; it stays in {path.parent}")
    else:
        outcome = "waits: the agent does not run, and obeys it first thing when it does"
    return {"agent": place.name, "outcome": outcome, "id": command.id, "value": command.value}


def places_of(ctx: typer.Context, agent: str | None) -> list[Place]:
    """The agents of the home. Raises DataMissing for one that is not there."""
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.journal.home import server_of
    from confidence_engine.journal.reader import place_of

    folder, server = home(ctx) / "agents", server_of(home(ctx), database(ctx))
    names = sorted(one.name for one in folder.iterdir() if (one / "journal").is_dir()) if folder.is_dir() else []
    if agent is not None and agent not in names:
        raise DataMissing(f"{folder} has no agent {agent!r}; there are: {', '.join(names) or 'none'}")
    return [place_of(folder / name, name, server) for name in names if agent in (None, name)]


def _state_of(place: Place) -> dict[str, Any]:
    from confidence_engine.drivers.inbox import INBOX, REFUSED
    from confidence_engine.drivers.pulse import read_status
    from confidence_engine.journal.lock import is_locked

    runs, last = is_locked(place.folder), read_status(place)
    old = last is None or time.time_ns() - last.written_ns > _HANGS_S * 1e9
    inbox = place.anchor.parent / INBOX
    waiting, refused = (sum(1 for _ in folder.glob("*.json")) for folder in (inbox, inbox / REFUSED))
    state = "stopped" if not runs else "running, and has said nothing lately" if old else "running"
    return {"agent": place.name, "state": state, "commands_waiting": waiting, "commands_refused": refused}


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    found: Status | None = one["status"]
    waits = f", {one['commands_waiting']} commands wait" if one["commands_waiting"] else ""
    if found is None:
        return (one["agent"], one["state"] + waits, *["-"] * 6)
    made = "  SYNTHETIC" if found.synthetic else ""
    delay = "-" if found.latency_p50_ms is None else f"{found.latency_p50_ms:.2f} / {found.latency_p99_ms:.2f}"
    held = ", ".join(f"{p.symbol} {p.lots:+d}" for p in found.positions) or "-"
    return (one["agent"], one["state"] + waits, (found.feed_time or "-") + made, f"{found.equity:,.2f}", held,
            ", ".join(found.halted) or "-", ", ".join(found.degraded) or "-", delay)  # fmt: skip
