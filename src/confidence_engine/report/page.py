"""One HTML page about a demonstration: what was simulated, what was traded, why, and what proves it.

The page stands alone: no script, no font, no picture, no address that is loaded; curves are inline SVG. Whatever comes
from data is escaped. It is drawn from the same dictionary that `confidence demo --json` prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np

from confidence_engine.domain.units import format_time

__all__ = ["Curve", "auc_words", "curves_svg", "page"]

Curve = tuple[str, np.ndarray, np.ndarray]
"""(name, times in ns, values)."""

_COLOURS: Final = ("#1f3b63", "#b4571b", "#3a7d44", "#7a3b8f")
_WIDE, _HIGH, _LEFT, _FOOT, _TOP = 760, 280, 98, 30, 16
_POINTS: Final = 600
_SHORT: Final = 26
"""Letters of a cell that is not broken into lines."""

_STYLE: Final = """
:root { color-scheme: light; --ink: #1d2430; --soft: #5a6472; --line: #d9dee5; --warn: #8a1c1c; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 1.2rem 1rem 3rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .4rem; line-height: 1.25; }
h2 { font-size: 1.12rem; margin: 2rem 0 .4rem; border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
p { margin: .3rem 0; }
.warn { background: var(--warn); color: #fff; padding: .5rem .8rem; border-radius: 4px; font-weight: 600; }
.soft { color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .28rem .8rem .28rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: normal; }
.s { white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
td.n, th.n { text-align: right; white-space: nowrap; }
code, pre { font: .85rem/1.5 ui-monospace, monospace; }
pre { background: #f4f6f8; padding: .7rem .8rem; border-radius: 4px; overflow-x: auto; }
ul { margin: .2rem 0; padding-left: 1.2rem; }
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 13px; fill: var(--soft); }
@media (max-width: 40rem) { svg text { font-size: 23px; } }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .35em 0 0; }
"""


def page(told: Mapping[str, Any], curves: Sequence[Curve]) -> str:
    """The whole page; `told` as `confidence demo --json` prints it."""
    parts = [
        _top(told), _agents(told, curves), _decisions(told["decisions"]), _truth(told), _proof(told), _trades(told),
        _next(told["next"]),
    ]  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Confidence Engine: a demonstration, SYNTHETIC</title><style>{_STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _top(told: Mapping[str, Any]) -> str:
    world = told["world"]
    what = (
        f"{world['assets']} made-up coins over {world['days']} days, of which the first {world['warmup']} taught; "
        f"{world['documents']:,} made-up headlines; seed {told['seed']}. It ends {world['end']}."
    )
    return (
        "<h1>Confidence Engine: a demonstration</h1>"
        '<p class="warn">SYNTHETIC: every price, headline and result on this page is made up.</p>'
        f"<p>{escape(what)} Nothing here says anything about a market, and no figure claims an edge.</p>"
    )


def _agents(told: Mapping[str, Any], curves: Sequence[Curve]) -> str:
    rows = [
        (name, f"{one['equity']:,.2f}", f"{one['net_usd']:+,.2f}", f"{one['fees_usd']:,.2f}", one["entries"],
         len(one["trades"]), f"{one['events']:,}")
        for name, one in told["agents"].items()
    ]  # fmt: skip
    header = ("agent", "equity, USD", "net P&L", "fees", "entries", "trades", "events")
    keys = "".join(
        f'<span class="key" style="background:{_COLOURS[k % len(_COLOURS)]}"></span>{escape(name)} &nbsp; '
        for k, (name, _, _) in enumerate(curves)
    )
    return (
        "<h2>Two agents on paper</h2><p>Each in a process of its own with its own journal: hybrid buys and sells "
        "spot, futures trades perpetuals on both sides.</p>"
        f"{_table(header, rows)}{curves_svg(curves)}<p class='soft'>{keys} equity by the hour, USD; time in UTC</p>"
    )


def curves_svg(curves: Sequence[Curve]) -> str:
    """Lines over common axes; a sentence where there is nothing to draw."""
    drawn = [one for one in curves if len(one[1]) > 1]
    if not drawn:
        return "<p>No equity was recorded.</p>"
    first, last = min(int(t[0]) for _, t, _ in drawn), max(int(t[-1]) for _, t, _ in drawn)
    low, high = min(float(v.min()) for _, _, v in drawn), max(float(v.max()) for _, _, v in drawn)
    high = high if high > low else low + 1.0
    parts = [f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="equity of the agents">']
    parts += _axes(first, last, low, high)
    for k, (_, t, v) in enumerate(drawn):
        step = max(1, len(t) // _POINTS)
        keep = np.unique(np.append(np.arange(0, len(t), step), len(t) - 1))
        x, y = _x(t[keep], first, last), _y(v[keep], low, high)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
        parts.append(f'<polyline fill="none" stroke="{_COLOURS[k % len(_COLOURS)]}" stroke-width="1.6" '
                     f'points="{points}"/>')  # fmt: skip
    return "".join([*parts, "</svg>"])


def _x(t: np.ndarray, first: int, last: int) -> np.ndarray:
    found: np.ndarray = _LEFT + (t - first) / max(last - first, 1) * (_WIDE - _LEFT - 8)
    return found


def _y(v: np.ndarray, low: float, high: float) -> np.ndarray:
    found: np.ndarray = _HIGH - _FOOT - (v - low) / (high - low) * (_HIGH - _FOOT - _TOP)
    return found


def _axes(first: int, last: int, low: float, high: float) -> list[str]:
    """Four levels and four days."""
    parts = []
    for level in np.linspace(low, high, 4).tolist():
        y = float(_y(np.array(level), low, high))
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d9dee5"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">'
                     f"{level:,.0f}</text>")  # fmt: skip
    anchors = ("start", "middle", "middle", "end")
    for at, anchor in zip(np.linspace(first, last, 4), anchors, strict=True):
        x = float(_x(np.array(at), first, last))
        parts.append(f'<text x="{x:.1f}" y="{_HIGH - 5}" text-anchor="{anchor}">'
                     f"{format_time(int(at))[5:10]}</text>")  # fmt: skip
    return parts


def _decisions(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return "<h2>Decisions explained</h2><p>Nothing was decided.</p>"
    parts = ["<h2>Decisions explained</h2><p class='soft'>From the journal alone, each proved against its hash "
             "chain.</p>"]  # fmt: skip
    for one in found:
        what = f"{one['id']}: {one['symbol']}, {one['action']}"
        lines = [*one["evidence"], *(f"Refused: {why}." for why in one["refused"])]
        lines += [f"What came of it: {line}" for line in one["came"]]
        numbers = ", ".join(f"{name} {value}" for name, value in one["numbers"].items())
        heads = "".join(f"<li>{escape(line)}</li>" for line in one["headlines"])
        parts.append(
            f"<h3>{escape(what)}</h3><p class='soft'>{escape(one['at'])}</p>"
            + "".join(f"<p>{escape(line)}</p>" for line in lines)
            + (f"<p class='soft'>{escape(numbers)}</p>" if numbers else "")
            + (f"<ul>{heads}</ul>" if heads else "")
        )
    return "".join(parts)


def _truth(told: Mapping[str, Any]) -> str:
    truth, null = told["truth"], told["without_information"]
    rows = [
        (f"{b['low']:g} to {b['high']:g}", b["n"], f"{b['confidence']:.3f}", f"{b['oracle']:.3f}",
         f"{b['realised']:.2f}", f"{b['ci95'][0]:.2f} to {b['ci95'][1]:.2f}")
        for b in truth["table"]
    ]  # fmt: skip
    header = ("confidence", "cases", "claimed, mean", "oracle A, mean", "came true", "95 % interval")
    few = "" if rows else "<p>No case was decided in this world.</p>"
    ranked = [
        ("the engine's confidence", auc_words(truth["confidence"])),
        ("oracle A, who knows which stories are true", auc_words(truth["oracle"])),
        ("the engine's confidence where stories are coins", auc_words(null["confidence"])),
    ]
    money = [
        ("stories that look at events", told["replay"]["entries"], f"{told['replay']['net_usd']:+,.2f}"),
        ("stories that are coins, same prices", null["entries"], f"{null['net_usd']:+,.2f}"),
    ]
    return (
        "<h2>Confidence beside the known truth</h2><p>A case is a story whose gap passed the trigger. It came true "
        "where the price reached the gain before the loss within the horizon. Pooled over "
        f"{_worlds(truth['worlds'])}. The confidence is a documented rule that "
        "is not calibrated; where the interval holds what was claimed, these cases cannot tell them apart.</p>"
        f"{few}{_table(header, rows) if rows else ''}"
        "<h3>Does it rank cases?</h3><p class='soft'>AUC: 0.5 is chance, 1 is perfect.</p>"
        f"{_table(('who ranks', 'AUC, 95 % interval'), ranked, numbers=False)}"
        "<h3>Does it live on the stories?</h3>"
        f"{_table((told['replay']['what'] + ', one draw each', 'entries', 'net P&L, USD'), money)}"
        "<p class='soft'>One draw says little: the difference of two such figures is no result.</p>"
    )


def _worlds(n: int) -> str:
    return "this world alone" if n == 1 else f"{n} worlds: this one, and further ones of other seeds"


def auc_words(one: Mapping[str, Any] | None) -> str:
    """How well cases are ranked, with the 95 % interval and how many they are; "insufficient" is an answer."""
    if one is None or one["auc"]["value"] is None:
        return "insufficient"
    value, ci = one["auc"]["value"], one["auc"]["ci95"]
    spread = "no interval" if ci is None else f"{ci[0]:.2f} to {ci[1]:.2f}"
    return f"{value:.2f} ({spread}), n = {one['n']}"


def _proof(told: Mapping[str, Any]) -> str:
    rows = [
        (name, "equal" if one["shadow"]["equal"] else "DIFFERENT", f"{one['shadow']['events']:,}",
         one["shadow"]["decisions_hash"][:24], one["shadow"]["state_hash"][:24])
        for name, one in told["agents"].items()
    ]  # fmt: skip
    parts = ["<h2>What proves it</h2>", f"<p>{escape(told['kill']['told'])}</p>",
             "<h3>Shadow: the journal stepped again, every byte compared</h3>",
             _table(("agent", "shadow", "events", "decisions, SHA-256", "state, SHA-256"), rows, numbers=False),
             f"<p>{escape(told['replay']['told'])}</p>", "<h3>A planted leak</h3>",
             f"<p>{escape(told['leak']['told'])}</p>"]  # fmt: skip
    return "".join(parts)


def _trades(told: Mapping[str, Any]) -> str:
    parts = ["<h2>Trades</h2>"]
    header = ("symbol", "side", "entered", "left", "at", "at", "P&L, USD", "left by", "decision")
    for name, one in told["agents"].items():
        rows = [
            (t["symbol"], t["side"], t["entered"][:16].replace("T", " "), t["left"][:16].replace("T", " "),
             f"{t['entry_price']:.6g}", f"{t['exit_price']:.6g}", f"{t['pnl_usd']:+,.2f}", t["why"],
             f"{name}:{t['decision']}")
            for t in one["trades"]
        ]  # fmt: skip
        parts.append(f"<h3>{escape(name)}: {len(rows)} closed trades</h3>")
        parts.append(_table(header, rows) if rows else "<p>None.</p>")
    return "".join(parts)


def _next(lines: Sequence[str]) -> str:
    return f"<h2>To try next</h2><pre>{escape(chr(10).join(lines))}</pre>"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]], numbers: bool = True) -> str:
    """A table that scrolls in itself where it is wider than the page; cells that read as numbers stand right."""
    body = [[str(cell) for cell in row] for row in rows]
    right = [numbers and bool(body) and all(_is_number(row[k]) for row in body) for k in range(len(header))]
    short = [all(len(row[k]) <= _SHORT for row in body) for k in range(len(header))]
    kind = [" class=n" if right[k] else " class=s" if short[k] else "" for k in range(len(header))]

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag}{kind[k]}>{escape(cell)}</{tag}>" for k, cell in enumerate(row))

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in body)
    return f'<div class="scroll"><table><tr>{cells("th", list(header))}</tr>{lines}</table></div>'


def _is_number(text: str) -> bool:
    return text.strip("+-").replace(",", "").replace(".", "", 1).isdigit() or text == "-"
