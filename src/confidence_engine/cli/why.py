"""`confidence why`: any past decision as its journal holds it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from confidence_engine.cli.show import Json, database, emit, grid, home
from confidence_engine.domain.errors import UsageError

__all__ = ["why"]

_SHOWN = ("age", "leads", "publisher", "polarity", "certainty", "novelty", "relevance", "title")


def why(
    ctx: typer.Context,
    decision: Annotated[str, typer.Argument(help="As futures:123, from any table, or 123 where there is one agent.")],
    run: Annotated[
        str | None, typer.Option(help="Of a replay made with --journal, by its name or folder, not of an agent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Reconstruct a past decision from the journal alone."""
    from confidence_engine.journal.reader import place_of
    from confidence_engine.report.artefacts import find_run
    from confidence_engine.report.why import agents_of, reconstruct, split_id

    if run is not None:
        folder, summary = find_run(home(ctx), run)
        agent, seq = split_id(decision, [summary["agent"]])
        if agent != summary["agent"]:
            raise UsageError(f"{decision!r}: that run is of the agent {summary['agent']}")
        place = place_of(folder, summary["agent"])
    else:
        agent, seq = split_id(decision, agents_of(home(ctx)))
        place = place_of(home(ctx) / "agents" / agent, agent, database(ctx))
    found = reconstruct(place, seq)
    emit(as_json, found, lambda: _page(found))


def _page(found: dict[str, Any]) -> Any:
    from rich.console import Group

    numbers, proof = found["numbers"], found["proof"]
    made = "  SYNTHETIC" if found["synthetic"] else ""
    rows: list[tuple[str, object]] = [("action", found["action"])]
    rows += [("", line) for line in found["evidence"]]
    rows += [("because", f"{gate['why']}  ({gate['name']})") for gate in found["gates"]]
    rows += [("crowd", one["why"]) for one in found["findings"]]
    rows.append(("regime", f"volatility {found['regime']['volatility']}, trend {found['regime']['trend']}"))
    rows += [
        ("params", found["params_hash"]),
        ("code", found["code"]),
        ("journal", f"{proof['journal']}, record {proof['record']}, event {proof['event']}"),
        ("block", f"{proof['block']}, committed {proof['committed']}, hash {proof['block_hash'][:16]}"),
        ("proved", f"{proof['blocks']} blocks hashed anew, {_chained(proof)}"),
        *[("retired", line) for line in found["retired"]],
        *[("missing", line) for line in found["missing"]],
    ]
    parts: list[Any] = [grid(("", f"{found['id']}: {found['symbol']} at {found['at']}{made}"), rows)]
    given = [(name, _number(name, value)) for name, value in numbers.items()]
    half = (len(given) + 1) // 2
    pairs = [(*one, *two) for one, two in zip(given[:half], [*given[half:], ("", "")], strict=False)]
    parts.append(grid(("number", "", "number ", " "), pairs, title="every number of it"))
    if found["headlines"]:
        lines = [tuple(_short(one[name]) for name in _SHOWN) for one in found["headlines"]]
        parts.append(grid(_SHOWN, lines, title="headlines it rested on"))
    for name, title in (("orders", "orders"), ("money", "what came of it")):
        if found[name]:
            parts.append(grid(tuple(found[name][0]), [tuple(map(_short, one.values())) for one in found[name]], title))
    return Group(*parts)


def _chained(proof: dict[str, Any]) -> str:
    """How far the chain was followed."""
    if not proof["anchored"]:
        return "its end is not anchored"
    return "chained to the anchor" + (f"; {proof['beyond']} of them are not anchored yet" if proof["beyond"] else "")


def _number(name: str, value: float | None) -> str:
    """A number of the row as people read it: times in UTC, what does not exist as a dash."""
    from confidence_engine.domain.units import format_time

    if value is None or (name.endswith("_ns") and not value):
        return "-"
    return format_time(int(value)) if name.endswith("_ns") else f"{value:.10g}"


def _short(value: object) -> object:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:90]
