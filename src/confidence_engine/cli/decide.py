"""`confidence decide`: the decision on one symbol as of a moment, with everything it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from confidence_engine.cli.show import Json, emit, grid, home

__all__ = ["decide"]

_HORIZONS = ("ALIGNED_SHORT", "ALIGNED_MID", "ALIGNED_LONG", "OPPOSED")

_SHOWN = ("age", "polarity", "certainty", "novelty", "relevance", "cluster")


def decide(
    ctx: typer.Context,
    symbol: Annotated[str, typer.Argument(help="As BTC/USDT or BTC; the config's venue decides which one is meant.")],
    at: Annotated[str, typer.Option(help="Moment of the decision, as 2023-03-11T05:00Z.")],
    config: Annotated[Path, typer.Option(help="Config file, as config/futures.toml.")],
    since: Annotated[
        str | None,
        typer.Option(
            help="Learn from this moment on, written alike; default: the config's warm-up before AT. A replay's own "
            "decision at AT is got with the replay's start less the warm-up."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain the decision on one symbol as of a moment."""
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.warm import compile_kernel, told_when_slow
    from confidence_engine.config import load
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.domain.units import parse_time
    from confidence_engine.drivers.sources import meant
    from confidence_engine.feeds.store import Store
    from confidence_engine.report.moment import decide_at

    loaded = load(config)
    meant(loaded, symbol)  # a wrong word is refused before anything that takes its time
    at_ns, load_ns = parse_time(at), None if since is None else parse_time(since)
    if load_ns is not None and load_ns >= at_ns:
        raise UsageError(f"--since {since} is not before --at {at}")
    reader = reader_for(loaded.text.backend, loaded.text.model, Store(home(ctx)).folder)
    compile_kernel()
    with told_when_slow("gathering and reading what was known", "gathering and reading"):
        found = decide_at(loaded, Store(home(ctx)), symbol, at_ns, reader, load_ns)
    emit(as_json, found, lambda: _page(found))


def _page(found: dict[str, Any]) -> Any:
    from rich.console import Group

    title = f"{found['symbol']} at {found['venue']}, {found['at']}" + ("  SYNTHETIC" if found["synthetic"] else "")
    rows: list[tuple[str, object]] = [("action", found["action"])]
    rows += [("", line) for line in found["evidence"]]
    rows += [("because", f"{gate['why']}  ({gate['name']})") for gate in found["gates"]]
    rows += _figures(found)
    if found["newest"]:
        rows.append(("newest item", f"{found['newest']['age']} old: {found['newest']['title'][:90]}"))
    else:
        rows.append(("newest item", "none about it in the period"))
    parts: list[Any] = [grid(("", title), rows)]
    used = [one for one in found["headlines"] if one["accepted"]]
    if used:
        parts.append(
            grid(
                (*_SHOWN[:-1], "story", "counts", "headline"),
                [(*(o[name] for name in _SHOWN), "yes" if o["alive"] else "faded", o["title"][:90]) for o in used],
                title="headlines about it",
            )
        )  # fmt: skip
    left = [one for one in found["headlines"] if not one["accepted"]]
    if left:
        why = [(o["age"], o["why"], o["title"][:90]) for o in left]
        parts.append(grid(("age", "why not", "headline"), why, title="headlines not used"))
    return Group(*parts)


def _around(found: dict[str, Any]) -> list[tuple[str, object]]:
    """The horizons, the crowd and the market's own story, as far as there is any."""
    known = [one for one in found["horizons"]["gaps"] if one["gap"] is not None]
    rows: list[tuple[str, object]] = []
    if known:
        rows.append(("gap by horizon", ", ".join(f"{one['horizon']} {one['gap']:+.2f}" for one in known)))
    if found["horizons"]["anticipation_sigma"] is not None:
        rows.append(("moved before", f"{found['horizons']['anticipation_sigma']:+.2f} sigma"))
    words = [one["why"] for one in found["crowd"]["findings"] if one["name"] not in _HORIZONS]
    rows += [("crowd" if k == 0 else "", line) for k, line in enumerate(words)]
    if words:
        rows.append(("", f"together a factor of {found['crowd']['factor']:.2f} on strength"))
    market = found["market"]
    if market and market["lean"] is not None:
        told = f"{market['name']} {market['unusual']:+.2f} sigma, weight {market['weight']:.2f}"
        use = f"share {market['share']:g} in the gap" if market["share"] else "not in the gap"
        rows.append(("market's story", f"{told}, beta {market['beta']:.2f}: {market['lean']:+.2f}, {use}"))
    return rows


def _figures(found: dict[str, Any]) -> list[tuple[str, object]]:
    """Numbers of the decision, those that exist."""
    told = found["narrative"]
    rows: list[tuple[str, object]] = []
    if told:
        rows += [
            ("narrative", f"reading {told['reading']:+.2f} of {told['stories']} live, since {told['since']}"),
            ("unusual by", f"{told['unusual']:+.2f} sigma, weight {told['weight']:.2f}"),
        ]
    if found["score"]:
        rows.append(("score", f"{found['score']['standardised']:+.2f} sigma, weight {found['score']['weight']:.2f}"))
    if found["reaction_sigma"] is not None:
        rows.append(("reaction since", f"{found['reaction_sigma']:+.2f} sigma"))
    if found["gap"] is not None:
        rows.append(("gap, trigger", f"{found['gap']:+.2f} against {found['trigger']:.2f}"))
    rows += _around(found)
    if found["gap"] is not None:
        sure = "calibrated" if found["calibrated"] else "not calibrated: a rule, not a probability"
        rows.append(("confidence", f"{found['confidence']:.3f} ({sure}), strength {found['strength']:.3f}"))
    if found["quality"] is not None and found["conviction"] is not None:
        rows.append(("quality, conviction", f"{found['quality']:.1f} and {found['conviction']:.1f} of 10"))
    plan = found["plan"]
    if plan:
        size = found["size"]
        rows.append(
            ("size", f"{size['quantity']:+,.10g} = {size['notional_usd']:,.2f} USD, {size['r_units']:.3f} R at risk")
        )
        wrong = "below" if found["side"] > 0 else "above"
        rows.append(("plan", f"{plan['entry']} (last {plan['reference']}), out {wrong} {plan['invalidation']}, "
                             f"target {plan['targets'][0]}, until {plan['until']}"))  # fmt: skip
    rows += [("learnt from", f"{found['learnt_from']} on"), ("account", found["account"])]
    return rows
