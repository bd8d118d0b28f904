"""One decision in words and numbers: what was read, what the price did since, and why nothing (or something) follows.

The record is the source: every figure comes from the decision row, the kernel's stories and the
verdicts of the text stage. Evidence lines carry no digits, because they go to chat, where a
number looks like a promise; the numbers stand beside them.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.decision import GATE_NO_EVIDENCE, GATE_WORDS, gate_names
from confidence_engine.domain.document import known_at
from confidence_engine.domain.event import SYNTHETIC
from confidence_engine.domain.finding import FINDING_WORDS, finding_names
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.trading import trading_time, wall_time
from confidence_engine.domain.units import DAY_NS, format_duration, format_time
from confidence_engine.feeds.calendar import sessions
from confidence_engine.kernel import algos, narrative, regime
from confidence_engine.kernel.state import State
from confidence_engine.text.reading import Readings

__all__ = ["action", "evidence_lines", "explain", "headlines", "stories"]

SHOWN_HALF_LIVES: Final = 14.0
"""Half-lives after which a headline is no longer shown: nothing is left of its weight."""


def explain(
    config: Config, one: Instrument, state: State, readings: Readings, decision: np.record, at_ns: int
) -> dict[str, Any]:
    """Everything about one decision, JSON-able; numbers that do not exist are null."""
    names = gate_names(int(decision.gates))
    told = stories(config, state, int(decision.underlying), at_ns)
    alive = {story["cluster"] for story in told if story["alive"]}
    items = [item | {"alive": item.get("cluster") in alive} for item in headlines(config, one, readings, at_ns)]
    newest = max((item for item in items if item["accepted"]), key=lambda item: item["known_ns"], default=None)
    return {
        "symbol": one.symbol,
        "venue": one.venue,
        "at": format_time(at_ns),
        "action": action(decision, names),
        "side": int(decision.side),
        "synthetic": bool(decision.marks & SYNTHETIC),
        "narrative": _narrative(decision),
        "stories": told,
        "market": _market(config, one, state, decision, at_ns),
        "horizons": _horizons(config, decision),
        "crowd": {
            "factor": _number(decision.crowd),
            "findings": [{"name": name, "why": FINDING_WORDS[name]} for name in finding_names(int(decision.findings))],
        },
        "price": {
            "last": _number(decision.price),
            "last_at": format_time(int(decision.price_ns)) if decision.price_ns else None,
            "sigma_per_bar": _number(decision.sigma),
            "atr": _number(decision.atr),
            "volume_z": _number(decision.volume_z),
            "warmth": _number(decision.warmth),
        },
        "regime": regime.words(int(decision.regime)),
        "score": _score(decision),
        "reaction_sigma": _number(decision.reaction),
        "gap": _number(decision.gap) if decision.side else None,
        "trigger": _number(decision.trigger),
        "strength": _number(decision.strength),
        "confidence": _number(decision.confidence) if decision.side else None,
        "calibrated": bool(decision.calibrated),
        "quality": _number(decision.quality),
        "conviction": _number(decision.conviction),
        "gates": [{"name": name, "why": GATE_WORDS[name]} for name in names],
        "size": _size(one, decision),
        "plan": _plan(config, one, state, decision),
        "evidence": evidence_lines(decision),
        "newest": _newest(newest, at_ns),
        "headlines": [{k: v for k, v in item.items() if not k.endswith("_ns")} for item in items],
        "account": "a fresh account: no position, no earlier trade",
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def action(decision: np.record, names: list[str]) -> str:
    """What a decision comes to, in a word or two; `names` are the gates that refused."""
    if not names:
        return "buy" if decision.side > 0 else "sell"
    return "abstain" if decision.gates & (1 << GATE_NO_EVIDENCE) else "stand aside"


def _narrative(decision: np.record) -> dict[str, Any] | None:
    """The reading, or null: no live story is no reading, which is not a neutral one."""
    if not decision.stories:
        return None
    return {
        "stories": int(decision.stories),
        "reading": _number(decision.story),
        "unusual": _number(decision.z_story),
        "weight": _number(decision.weight),
        "since": format_time(int(decision.since_ns)),
    }


def _horizons(config: Config, decision: np.record) -> dict[str, Any]:
    """The gap over each horizon, shortest first, and the move before the story was known; null where not known."""
    p = config.kernel.horizons
    gaps = zip(
        (p.short_ns, p.mid_ns, p.long_ns), (decision.gap_short, decision.gap_mid, decision.gap_long), strict=True
    )
    return {
        "gaps": [{"horizon": format_duration(horizon), "gap": _number(gap)} for horizon, gap in gaps],
        "anticipation_sigma": _number(decision.anticipation),
    }


def _market(
    config: Config, one: Instrument, state: State, decision: np.record, at_ns: int
) -> dict[str, Any] | None:  # fmt: skip
    """What is told of the whole class and how much of it this asset shares; null where the universe has no market."""
    asset = state.inst[int(decision.asset)]
    u = int(state.klass[asset.klass].market)
    if u < 0:
        return None
    told = state.told[u]
    return {
        "name": next(each.name for each in config.universe.underlyings if each.market and each.klass == one.klass),
        "reading": _number(told.story),
        "unusual": _number(told.z_story),
        "weight": _number(told.weight) if told.live else None,
        "beta": _number(state.beta[int(decision.asset)].beta),
        "frames": int(state.beta[int(decision.asset)]["count"]),
        "lean": _number(decision.market),
        "share": config.kernel.divergence.market_share,
        "stories": [story for story in stories(config, state, u, at_ns) if story["alive"]],
    }


def _size(one: Instrument, decision: np.record) -> dict[str, Any]:
    """What would be bought (+) or sold (-): R-units at risk, lots, base quantity and notional; zero where refused."""
    lots = int(decision.target_lots - decision.held_lots)
    quantity = round(lots * one.lot, 12)
    return {
        "r_units": _number(decision.size_r),
        "lots": lots,
        "quantity": quantity,
        "notional_usd": _number(abs(quantity) * one.multiplier * decision.price) if lots else 0.0,
    }


def _score(decision: np.record) -> dict[str, Any] | None:
    """The model's own score in standard deviations and how much of it is left, or null where none lives."""
    if not math.isfinite(decision.score_z):
        return None
    return {"standardised": _number(decision.score_z), "weight": _number(decision.score_weight)}


def _plan(config: Config, one: Instrument, state: State, decision: np.record) -> dict[str, Any] | None:
    """How and at which levels, in quote, an entry that was decided is made; null where none was."""
    if decision.gates:
        return None
    resting = int(state.book["limit_ticks"][int(decision.asset)])  # of the order that the kernel has just sent
    limit = round(resting * one.tick, 10) if resting else None
    return {
        "entry": _entry(config.kernel.algos, limit),
        "limit": limit,
        "reference": _number(decision.price),
        "invalidation": round(int(decision.stop_ticks) * one.tick, 10),
        "targets": [round(int(decision.target_ticks) * one.tick, 10)],
        "until": _until(config, one, int(decision.ts_ns)),
        "margin_usd": _number(decision.margin_usd),
    }


def _entry(p: algos.Params, limit: float | None) -> str:
    """What is sent, for how long, and what becomes of what does not come, by the agent's style."""
    patience = format_duration(p.patience_ns)
    if p.style == "participation":
        share = f"{100.0 * p.participation:.10g}%"
        return f"market, from the next open on, at most {share} of what trades a bar, for {patience}"
    if p.style == "limit":
        level = "" if limit is None else f" at {limit:.10g}"
        better = f"{p.limit_atr:g} ATR better than the last price" if p.limit_atr else "at the last price"
        after = "what is left at market, cut to the risk first wanted" if p.cross else "given up"
        return f"post-only limit{level}, {better}, for {patience}, then {after}"
    return "market, at the next open"


def _until(config: Config, one: Instrument, at_ns: int) -> str | None:
    """When the longest holding is over; of a market with sessions by its calendar, null where that ends before."""
    hold, bar_ns = config.kernel.exits.hold_ns, config.agent.interval_ns
    known = sessions(one.calendar, at_ns, at_ns + 3 * hold + 14 * DAY_NS, bar_ns) if one.calendar else np.zeros(0)
    over = wall_time(known, at_ns, hold)
    return None if over is None else format_time(over)


def _newest(item: dict[str, Any] | None, at_ns: int) -> dict[str, Any] | None:
    if item is None:
        return None
    age = at_ns - item["published_ns"]  # the stamp is good for an age, never for availability
    return {"title": item["title"], "published": item["published"], "known": item["known"],
            "age": format_duration(age), "age_s": age // 1_000_000_000}  # fmt: skip


def stories(config: Config, state: State, underlying: int, at_ns: int) -> list[dict[str, Any]]:
    """Stories the kernel remembers about an underlying, heaviest first; `alive` ones are evidence.

    A story weighs what `kernel.narrative` says: what its publishers have earned was fixed when they told it.
    """
    p = config.kernel.narrative
    told = []
    now = _clock(state, underlying, at_ns)
    for item in state.story[underlying]:
        if not item.n_documents:
            continue
        age = (now - _clock(state, underlying, int(item.since_ns))) / p.half_life_ns
        weight = item.certainty * item.relevance * item.novelty * (1.0 - item.unsaid) * math.exp(-narrative.LN2 * age)
        told.append(
            {
                "cluster": int(item.cluster),
                "since": format_time(int(item.since_ns)),
                "polarity": float(item.polarity),
                "weight": float(weight),
                "alive": bool(weight >= p.w_min and not item.asleep),
                "publishers": int(item.n_publishers),
                "documents": int(item.n_documents),
            }
        )
    return sorted(told, key=lambda one: -one["weight"])


def _clock(state: State, underlying: int, ns: int) -> int:
    """Trading time of an underlying, on the sessions that the kernel remembers."""
    c = int(state.told["calendar"][underlying])
    rows = state.session[c]
    rows = np.sort(rows[rows["open_ns"] > 0], order="open_ns") if c else rows[:0]
    return int(trading_time(rows, np.array([ns]))[0])


def headlines(config: Config, one: Instrument, readings: Readings, at_ns: int) -> list[dict[str, Any]]:
    """Documents known in the last half-lives, newest first: evidence about this underlying, or why not."""
    universe = [each.name for each in config.universe.underlyings]
    mine = universe.index(one.underlying)
    since = at_ns - int(SHOWN_HALF_LIVES * config.kernel.narrative.half_life_ns)
    since -= 4 * DAY_NS if one.calendar else 0  # stories do not fade over a long weekend
    rows = {int(row["document"]): row for row in readings.rows if row["underlying"] == mine}
    found = []
    for k, (document, verdict) in enumerate(zip(readings.documents, readings.verdicts, strict=True)):
        known = known_at(document, config.timing.news_lag_ns)
        if not since < known <= at_ns:
            continue
        row = rows.get(k)
        reason = verdict.reason
        if row is None and verdict.accepted:
            reason = f"is about {', '.join(universe[m.underlying] for m in verdict.mentions)}"
        found.append(
            {
                "known_ns": known,
                "published_ns": document.published_ns,
                "title": document.title,
                "publisher": document.publisher,
                "published": format_time(document.published_ns) + (" (date only)" if document.date_only else ""),
                "known": format_time(known),
                "age": format_duration(at_ns - document.published_ns),
                "accepted": row is not None,
                "why": None if row is not None else reason,
                **({} if row is None else _read(row)),
            }
        )
    return sorted(found, key=lambda item: (-item["known_ns"], item["title"]))


def _read(row: np.void) -> dict[str, Any]:
    names = ("polarity", "certainty", "novelty", "relevance")
    return {name: round(float(row[name]), 4) for name in names} | {"cluster": int(row["cluster"])}


def evidence_lines(decision: np.record) -> list[str]:
    """Two to four sentences without a digit."""
    if not decision.side:
        return ["There is no live story to act on.", f"{_activity(decision)}{_wildness(decision)}."]
    lines = []
    if decision.stories:
        lines += [f"The story is {_lean(decision.z_story)} compared with earlier ones.", _since(decision)]
    if math.isfinite(decision.score_z):
        lines.append(f"The score is {_lean(decision.score_z)} by its own measure.")
    return [*lines, f"{_case(decision)}; {_activity(decision).lower()}{_wildness(decision)}."]


def _lean(z: float) -> str:
    way = "bullish" if z > 0.0 else "bearish" if z < 0.0 else "neutral"
    return f"{way}, {_grade(abs(z), (2.0, 1.0, 0.4))}"


def _case(decision: np.record) -> str:
    if not math.isfinite(decision.gap):
        return "How far the price lags behind cannot be measured yet"
    if decision.strength <= 0.0:
        return "The gap is too small to act on"
    if decision.gap * decision.side < 0.0:
        return "The price has run beyond that"
    return f"The case is {_grade(decision.strength, (0.3, 0.12, 0.04))}{_standing(decision.quality)}"


def _standing(quality: float) -> str:
    """How good the evidence under a case is, where that is known."""
    if not math.isfinite(quality):
        return ""
    for least, word in ((8.0, "well founded"), (6.5, "fairly founded"), (4.0, "thinly founded")):
        if quality >= least:
            return f" and {word}"
    return " and hardly founded"


def _grade(value: float, steps: tuple[float, float, float]) -> str:
    for step, word in zip(steps, ("very strong", "strong", "mild"), strict=True):
        if value >= step:
            return word
    return "faint"


def _since(decision: np.record) -> str:
    """What the price did with the story."""
    if not math.isfinite(decision.reaction):
        return "What the price made of it is not known."
    moved = decision.reaction * decision.side
    if moved > 2.0:
        return "The price has run with it already."
    if moved > 0.5:
        return "The price has begun to follow."
    return "The price has gone against it since." if moved < -0.5 else "The price has hardly moved since."


def _activity(decision: np.record) -> str:
    if not math.isfinite(decision.volume_z):
        return "How many take part is not known"
    if decision.volume_z > 0.5:
        return "The market is busier than usual"
    return "The market is quieter than usual" if decision.volume_z < -0.5 else "Activity is normal"


def _wildness(decision: np.record) -> str:
    """How far prices swing, where that is out of the ordinary for this asset."""
    words = {regime.LOW: "swing little", regime.HIGH: "swing widely", regime.EXTREME: "swing wildly"}
    word = words.get(int(decision.regime) & 7)
    return f" and prices {word}" if word else ""
