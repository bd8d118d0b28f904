"""What `confidence demo` says in the end: one dictionary, drawn for people as a page of text and as one of HTML."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, Protocol

from confidence_engine.cli.show import grid

if TYPE_CHECKING:
    from confidence_engine.drivers.simulation import Simulation
    from confidence_engine.journal.reader import Place
    from confidence_engine.report.record import Record

__all__ = ["REPORT", "SHOWN", "Stage", "gathered", "told_to_people", "write_page"]

REPORT: Final = "report.html"
_NUMBERS: Final = ("gap", "trigger", "strength", "confidence", "quality", "conviction", "size_r")
_HEADLINES: Final = 3
SHOWN: Final = "futures"
"""The agent that is drawn, killed and set beside the truth."""


class Stage(Protocol):
    """What is needed of where the demonstration plays."""

    @property
    def folder(self) -> Path: ...
    @property
    def world(self) -> Path: ...
    @property
    def seed(self) -> int: ...
    @property
    def server(self) -> str | None: ...
    def config(self, name: str) -> Path: ...
    def place(self, name: str) -> Place: ...


def gathered(
    stage: Stage, own: Simulation, answers: dict[str, Any], found: dict[str, Any], leak: dict[str, Any],
    kill: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Everything that is said, JSON-able."""
    from confidence_engine.domain.units import format_duration, format_time

    records = {name: _record(stage, name, own) for name in answers}
    agents = {name: _agent(answers[name], records[name]) for name in answers}
    truth, null = found["truth"], found["without_information"]
    replay = _replayed(truth, agents[SHOWN]["shadow"], own)
    kill = kill | {"told": _resumed(stage, kill)}
    shape = own.file.shape
    told: dict[str, Any] = {
        "simulated": True, "seed": stage.seed, "home": str(stage.folder), "report": str(stage.folder / REPORT),
        "world": {
            "file": str(stage.world), "assets": shape.assets, "days": shape.days,
            "warmup": format_duration(shape.warmup_ns), "documents": len(own.world.documents),
            "end": format_time(own.window.end_ns),
        },
        "agents": agents, "decisions": _decisions(stage, records), "kill": kill, "leak": leak, "replay": replay,
        "truth": _truth(truth), "without_information": _truth(null),
    }  # fmt: skip
    told["failed"] = [name for name, one in agents.items() if not one["shadow"]["equal"]]
    told["failed"] += ["replay"] if replay["equal"] is False else []
    told["failed"] += ["leak"] if leak["caught"] is False else []
    told["next"] = _next(stage, told["decisions"])
    return told


def _record(stage: Stage, name: str, own: Simulation) -> Record:
    """The run of an agent; hybrid trades the spot of what futures trades."""
    from confidence_engine.report.record import record_of_run

    traded = own.sources.instruments
    if name != SHOWN:
        spot = {one.symbol: one for one in own.config.universe.instruments if not one.can_short}
        traded = tuple(spot[one.symbol] for one in traded)
    return record_of_run(stage.place(name), traded)


def _agent(answer: dict[str, Any], record: Record) -> dict[str, Any]:
    return {
        "equity": answer["equity"], "net_usd": answer["equity"] - answer["begun"],
        "fees_usd": record.fees_usd, "entries": record.entries, "decisions": len(record.decisions),
        "events": answer["events"], "ended": answer["ended"], "synthetic": answer["synthetic"],
        "trades": record.trades, "shadow": answer["shadow"],
    }  # fmt: skip


def _replayed(truth: Any, shadow: dict[str, Any], own: Simulation) -> dict[str, Any]:
    """Whether a replay of the world makes the very decisions of the paper run; a feed that misbehaves tells another."""
    told: dict[str, Any] = {"what": SHOWN, "entries": truth.entries, "net_usd": truth.net_usd}
    if own.file.faults is not None:
        what = f"a replay of {SHOWN}, without the feed's faults"
        said = f"{what[0].upper()}{what[1:]}, decides on another feed than the agent had: not compared."
        return told | {"what": what, "equal": None, "told": said}
    equal = truth.decisions_hash == shadow["decisions_hash"]
    words = "the very decisions" if equal else "OTHER decisions than those"
    mine = truth.decisions_hash[:16]
    said = f"A plain replay of the same world in another process made {words} of the {SHOWN} agent: {mine}."
    return told | {"equal": equal, "decisions_hash": truth.decisions_hash, "told": said}


def _resumed(stage: Stage, kill: dict[str, Any]) -> str:
    """What the killed agent's journal says of how it went on."""
    import msgspec

    from confidence_engine.journal import kinds
    from confidence_engine.journal.reader import Reader

    if not kill["done"]:
        return f"The {SHOWN} agent came to its end before it could be killed."
    reader = Reader(stage.place(SHOWN))
    try:
        record = next(reader.records(kinds.RESUMED, backwards=True, limit=1), None)
        held = ", ".join(kill["held"]) or "nothing"
        told = f"kill -9 of the {SHOWN} agent, process {kill['pid']}, at {kill['at']}, while it held {held}."
        if record is None:
            return told + " It had nothing on record yet and began anew."
        facts = msgspec.json.decode(record.payload or b"{}")
    finally:
        reader.close()
    return (
        f"{told} Process {kill['again']} took up the journal: from {facts['from']} at event {facts['event']:,} it "
        f"stepped {facts['moments']:,} moments again, found every byte as written, and went on."
    )


def _decisions(stage: Stage, records: dict[str, Record]) -> list[dict[str, Any]]:
    """Three worth a look: an entry of each agent and the strongest case that was refused."""
    from confidence_engine.report.record import telling
    from confidence_engine.report.why import reconstruct

    entered = [(name, telling(record.decisions)[0]) for name, record in reversed(records.items())]
    refused = [(name, telling(record.decisions)[1]) for name, record in reversed(records.items())]
    wanted = [one for one in (*entered, *refused) if one[1] is not None][:3]
    return [_explained(reconstruct(stage.place(name), int(seq))) for name, seq in wanted if seq is not None]


def _explained(found: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: _digits(found["numbers"].get(name)) for name in _NUMBERS}
    leading = [one for one in found["headlines"] if one["leads"]] or found["headlines"]
    return {
        "id": found["id"], "at": found["at"], "symbol": found["symbol"], "action": found["action"],
        "evidence": found["evidence"], "refused": [one["why"] for one in found["gates"]],
        "numbers": numbers | {"calibrated": "no" if not found["numbers"].get("calibrated") else "yes"},
        "headlines": [f"{one['age']} before, {one['publisher']}: {one['title']}" for one in leading[:_HEADLINES]],
        "came": [_came(one) for one in found["money"]],
        "proof": found["proof"],
    }  # fmt: skip


def _came(one: dict[str, Any]) -> str:
    at = one["at"][:16].replace("T", " ")
    if one["what"] != "FILL":
        return f"{at} {one['what'].lower()} of {one['amount_usd']:+.2f} USD"
    side = "bought" if one["lots"] > 0 else "sold"
    return f"{at} {side} {abs(one['lots']):,} lots at {_digits(one['price'])} ({one['why']})"


def _digits(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _truth(one: Any) -> dict[str, Any]:
    import msgspec

    told = one._asdict()
    told["table"] = [row._asdict() for row in one.table]
    for name in ("confidence", "oracle"):
        told[name] = None if told[name] is None else msgspec.to_builtins(told[name])
    return dict(told)


def _next(stage: Stage, decisions: list[dict[str, Any]]) -> list[str]:
    """What to try now: on this record, then on real data."""
    from confidence_engine.journal.database import bare_url
    from confidence_engine.wire import COMMANDS

    program = _program()
    at = f"{program} --home {quote(str(stage.folder))}"
    question = "SELECT agent_type, AVG(signal_quality), COUNT(*) FROM signal_logs GROUP BY agent_type;"
    tables = quote(f"{stage.folder}/enhanced_trading.db")
    ask = f"psql {quote(bare_url(stage.server))} -c" if stage.server else f"sqlite3 {tables}"
    lines = ["# this record, to be asked and proved"]
    lines += [f"{at} why {decisions[0]['id']}"] if decisions else []
    lines += [f"{at} journal verify", f"{at} shadow --deep", f"{at} status", f'{ask} "{question}"']
    if "parity" in COMMANDS:
        lines.append(f"{at} parity {SHOWN}")
    return [
        *lines,
        "# real data of yours",
        f"{program} import bars BTCUSDT-5m.parquet --symbol BTC/USDT --venue binance-perp --interval 5m",
        f"{program} import news headlines.csv",
        f"{program} paper config/futures.toml --feed store --speed 600",
    ]


def _program() -> str:
    """What a shell starts this very program by: its name where that finds it, else the path it was started by."""
    begun = Path(sys.argv[0])
    if begun.stem != "confidence":  # as python -m confidence_engine
        return f"{quote(sys.executable)} -m confidence_engine"
    found = shutil.which("confidence")
    same = found is not None and Path(found).resolve() == begun.resolve()
    return "confidence" if same else quote(sys.argv[0])


def write_page(stage: Stage, told: dict[str, Any]) -> None:
    """The page of HTML, put in place whole. Raises OSError."""
    from confidence_engine.feeds.manifest import replace_file
    from confidence_engine.report.page import page
    from confidence_engine.report.record import equity_of

    curves = [(name, *equity_of(stage.place(name))) for name in told["agents"]]
    text = page(told, curves).encode()
    replace_file(stage.folder / REPORT, lambda file: file.write(text))


def told_to_people(told: dict[str, Any]) -> Any:
    """The page of text."""
    from rich.console import Group
    from rich.text import Text

    agents = [
        (name, f"{one['equity']:,.2f}", f"{one['net_usd']:+,.2f}", f"{one['fees_usd']:,.2f}", one["entries"],
         len(one["trades"]))
        for name, one in told["agents"].items()
    ]  # fmt: skip
    header = ("agent", "equity, USD", "net P&L", "fees", "entries", "trades")
    parts: list[Any] = ["SIMULATED world: every figure below is about made-up prices and headlines",
                        grid(header, agents, title="two agents on paper")]  # fmt: skip
    parts += [_decision(one) for one in told["decisions"]] or ["Nothing was decided.", ""]
    parts += [_calibration(told), *_ranks(told), ""]
    shadows = [
        (name, "equal" if one["shadow"]["equal"] else "DIFFERENT", f"{one['shadow']['events']:,}",
         one["shadow"]["decisions_hash"][:16], one["shadow"]["state_hash"][:16])
        for name, one in told["agents"].items()
    ]  # fmt: skip
    parts.append(grid(("shadow of", "", "events", "decisions", "state"), shadows, title="proved by hash"))
    parts += ["killed: " + told["kill"]["told"], "replay: " + told["replay"]["told"], "leak: " + told["leak"]["told"]]
    whole = ["", f"the page: {told['report']}", "", *told["next"]]  # a path or command broken into lines is none
    return Group(*parts, *(Text(line, no_wrap=True, overflow="ignore") for line in whole))


def _decision(one: dict[str, Any]) -> Any:
    rows: list[tuple[str, object]] = [("action", one["action"])]
    rows += [("", line) for line in one["evidence"]]
    rows += [("because", line) for line in one["refused"]]
    rows += [("numbers", ", ".join(f"{name} {value}" for name, value in one["numbers"].items()))]
    rows += [("headline", line) for line in one["headlines"][:2]]
    rows += [("came of it", line) for line in one["came"]]
    return grid(("", f"{one['id']}: {one['symbol']} at {one['at']}"), rows)


def _calibration(told: dict[str, Any]) -> Any:
    rows = [
        (f"{b['low']:g} to {b['high']:g}", b["n"], f"{b['confidence']:.3f}", f"{b['oracle']:.3f}",
         f"{b['realised']:.2f}", f"{b['ci95'][0]:.2f} to {b['ci95'][1]:.2f}")
        for b in told["truth"]["table"]
    ]  # fmt: skip
    header = ("confidence", "cases", "claimed", "oracle A", "came true", "95 % interval")
    title = f"confidence beside the known truth, {told['truth']['worlds']} such worlds"
    return grid(header, rows, title=title) if rows else "no case was decided, so confidence stands beside nothing"


def _ranks(told: dict[str, Any]) -> list[str]:
    from confidence_engine.report.page import auc_words

    truth, null, replay = told["truth"], told["without_information"], told["replay"]
    return [
        f"ranking of cases (AUC, 0.5 is chance): confidence {auc_words(truth['confidence'])}; oracle A, who knows "
        f"which stories are true, {auc_words(truth['oracle'])}; confidence where stories are coins "
        f"{auc_words(null['confidence'])}",
        f"net P&L of {replay['what']}: {replay['net_usd']:+,.2f} USD; same prices, stories that are coins: "
        f"{null['net_usd']:+,.2f} USD. One draw each says little; neither is an edge.",
    ]
