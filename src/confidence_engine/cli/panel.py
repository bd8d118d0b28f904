"""The live view as a picture: who runs on what, the account, each asset, the feed, the last decisions in words.

Everything fits into 80 columns and 24 lines; where assets are more than lines, those held and those with a story come
first and the rest is counted. SYNTHETIC stands in the first line of a simulated world and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from confidence_engine.domain.decision import GATE_WORDS, gate_names
from confidence_engine.domain.units import format_duration, format_time
from confidence_engine.drivers.pulse import HALTS
from confidence_engine.report.explain import action, evidence_lines

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from confidence_engine.drivers.agent import Agent

__all__ = ["decision_words", "panel"]

_AROUND: Final = 9
"""Lines beside assets and words: header, account, feed, speed, the table's own two, and what parts them."""
_LEAST_WORDS: Final = 5
_GREEN, _RED = "green", "red"

Said = tuple[int, str, bool]
"""(when in ns, in words, whether something was done)."""


def decision_words(decision: Any, symbols: Sequence[str]) -> str:
    """One judgement in a line: what is done, or which gate refuses, and why."""
    names = gate_names(int(decision.gates))
    what, lines = action(decision, names), evidence_lines(decision)
    head = f"{symbols[int(decision.asset)]} {what}"
    if names:
        return f"{head}: {GATE_WORDS[names[0]]}. {lines[0]}"
    return f"{head}: {' '.join(lines)}"


def panel(
    agent: Agent, speed: float, last: Mapping[int, Any], said: Sequence[Said],
    pace: tuple[float, float, float], width: int, height: int,
) -> Any:  # fmt: skip
    """Everything, at most `height` - 1 lines of `width` columns."""
    from rich.console import Group

    n = len(agent.cast.instruments)
    room = max(height - 1 - _AROUND, 2)
    shown = min(n, max(room - min(_LEAST_WORDS, room // 2) - (n > room // 2), 1))
    rest = room - shown - (n > shown)
    parts: list[Any] = [_header(agent, speed), _account(agent), _assets(agent, last, shown, width)]
    if n > shown:
        parts.append(_text(f"and {n - shown} more", "dim"))
    parts += [_text(""), _feed(agent), _pace_line(agent, pace), *_words(said, rest, width)]
    return Group(*parts)


def _text(words: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(words, style, no_wrap=True, overflow="ellipsis")


def _header(agent: Agent, speed: float) -> Text:
    line = _text("")
    if agent.cast.synthetic:
        line.append(" SYNTHETIC ", "bold white on red")
        line.append(" ")
    at = format_time(agent.now_ns)[:16].replace("T", " ") if agent.now_ns > 0 else "-"
    line.append(f"{agent.cast.config.agent.name}", "bold")
    if agent.now_ns < (begin := agent.cast.window.start_ns):
        line.append(f"  {at} UTC  learning; decides from {format_time(begin)[:16].replace('T', ' ')}")
        return line
    line.append(f"  {at} UTC  paper, {f'{speed:,.0f} x the clock' if speed > 0 else 'as fast as can be'}")
    return line


def _account(agent: Agent) -> Text:
    head = agent.state.head[0]
    gain = float(head.equity - head.start_equity)
    halted = [name for bit, name in HALTS.items() if int(head.halted) & bit]
    line = _text("")
    if halted:  # first, so that a narrow terminal does not cut it
        line.append(f"HALTED by {', '.join(halted)}  ", "bold red")
    line.append(f"equity {head.equity:,.2f} USD  P&L ")
    line.append(f"{gain:+,.2f}", _GREEN if gain > 0 else _RED if gain < 0 else "")
    line.append(f"  open {int(head.open_positions)}  gross {head.gross:,.0f}  fees {head.fees:,.2f}")
    return line


def _assets(agent: Agent, last: Mapping[int, Any], shown: int, width: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), width=width, show_edge=False)
    for name in ("asset", "price", "story", "gap", "sure", "held", "P&L"):
        table.add_column(name, justify="left" if name == "asset" else "right", no_wrap=True)
    table.add_column("not entered because", no_wrap=True, overflow="ellipsis", ratio=1)
    for k in _order(agent)[:shown]:
        table.add_row(*_row(agent, k, last.get(k)))
    return table


def _order(agent: Agent) -> list[int]:
    """Assets, those held first, then those told about, then as they are numbered; as they are where all fit."""
    state = agent.state

    def place(k: int) -> tuple[bool, bool, int]:
        return (state.book[k].lots == 0, state.told[int(state.inst[k].underlying)].live == 0, k)

    return sorted(range(len(agent.cast.instruments)), key=place)


def _row(agent: Agent, k: int, last: Any | None) -> list[Any]:
    state, one = agent.state, agent.cast.instruments[k]
    told, asset, book = state.told[int(state.inst[k].underlying)], state.asset[k], state.book[k]
    story = _signed(float(told.z_story)) if told.live else "-"
    gap = sure = "-"
    gates = ""
    if last is not None:
        decision: Any = last[0]
        if decision.side:
            gap, sure = _signed(float(decision.gap)), _number(float(decision.confidence), ".2f")
        gates = ", ".join(name.lower().replace("_", " ") for name in gate_names(int(decision.gates)))
    gain = float(book.lots * one.lot * one.multiplier * (book.mark_price - book.entry_price)) if book.lots else 0.0
    held = f"{'long' if book.lots > 0 else 'short'} {abs(book.lots) * one.lot:,.4g}" if book.lots else "-"
    result = _text(f"{gain:+,.2f}", _GREEN if gain > 0 else _RED if gain < 0 else "") if book.lots else "-"
    ill = _text(f"{one.symbol} !", "bold red") if asset.feed != 0 else one.symbol
    return [ill, _number(float(asset.price), ",.6g"), story, gap, sure, held, result, _text(gates, "dim")]


def _signed(value: float) -> str:
    return _number(value, "+.2f")


def _number(value: float, form: str) -> str:
    return f"{value:{form}}" if math.isfinite(value) else "-"


def _feed(agent: Agent) -> Text:
    """Which feeds may not be believed, and how old the newest bar is by the feed's clock."""
    state, instruments = agent.state, agent.cast.instruments
    ill = ["all"] if state.head[0].feeds != 0 else []
    ill += [one.symbol for k, one in enumerate(instruments) if state.asset[k].feed != 0]
    newest = max((int(state.asset[k].close_ns) for k in range(len(instruments))), default=0)
    age = f", newest bar {format_duration(max(agent.now_ns - newest, 0))} old" if newest else ", no bar yet"
    if ill:
        return _text(f"feed: DEGRADED, no entries on {', '.join(ill)}{age}", "bold red")
    return _text(f"feed: well{age}, {int(state.head[0].steps):,} events")


def _pace_line(agent: Agent, pace: tuple[float, float, float]) -> Text:
    p50, p99, rate = pace
    working = int((agent.state.book["entry_id"] != 0).sum())
    return _text(
        f"latency: batch to commit p50 {_number(p50, '.2f')} ms, p99 {_number(p99, '.2f')} ms; "
        f"{_number(rate, ',.0f')} events/s; {working} entries working"
    )


def _words(said: Sequence[Said], room: int, width: int) -> list[Text]:
    """The last that was said, newest last; what was done may take two lines."""
    lines: list[Text] = []
    for at_ns, words, done in reversed(said):
        told = _text(f"{format_time(at_ns)[5:16].replace('T', ' ')} {words}", "" if done else "dim")
        need = 2 if done and len(told.plain) > width else 1
        if len(lines) + need > room - 1:
            break
        if need == 2:
            cut = told.plain.rfind(" ", 0, width)
            parts = [told.plain[:cut], "            " + told.plain[cut + 1 :]] if cut > 0 else [told.plain]
            lines = [*(_text(part) for part in parts), *lines]
        else:
            lines = [told, *lines]
    return [_text("last decisions and fills:", "bold"), *lines] if room > 1 else []
