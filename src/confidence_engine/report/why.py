"""Any past decision, from its agent's journal alone: the numbers, the gates, the headlines, the parameters, the code.

Nothing is computed anew and nothing is read from the store: what stands here was written when it was decided. All that
it rests on is proved before it is told, also what is told to be absent (see `report.proof`). What has been retired
since is said to be gone, not left out.
"""

from __future__ import annotations

import functools
import math
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.domain.decision import DECISION, GATE_WORDS, gate_names
from confidence_engine.domain.errors import DataMissing, JournalDamaged, UsageError
from confidence_engine.domain.event import KIND_NAMES, SYNTHETIC
from confidence_engine.domain.finding import FINDING_WORDS, finding_names
from confidence_engine.domain.order import EXIT_NAMES, INTENT, INTENT_NAMES, ORDER_NAMES
from confidence_engine.domain.record import ENTRY
from confidence_engine.domain.units import DAY_NS, format_duration, format_time, parse_duration
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import Record
from confidence_engine.journal.epoch import Epochs
from confidence_engine.journal.reader import Genesis, Place, Reader
from confidence_engine.journal.retired import Retired
from confidence_engine.kernel import regime
from confidence_engine.report.explain import SHOWN_HALF_LIVES, action, evidence_lines
from confidence_engine.report.payloads import Asset, Document, Faded, Heard, Item, Params
from confidence_engine.report.proof import NOT_ANCHORED, Proof

__all__ = ["agents_of", "reconstruct", "split_id"]

WEEKEND: Final = 4 * DAY_NS
"""How much farther back is looked on markets with sessions, where stories do not fade while they are closed."""
_DIGITS: Final = 18
"""Of the longest number a decision can have."""
_KNOWN: Final = {kinds.DECISION: DECISION, kinds.INTENT: INTENT, kinds.ENTRY: ENTRY}
_DATED: Final = (kinds.DOCUMENT, kinds.DECISION, kinds.EQUITY)
"""Kinds whose times rise with their ids: the first of them that is old enough ends the search for headlines."""


class _Source(NamedTuple):
    """A journal, who wrote it, and the proof of what is taken from it."""

    reader: Reader
    proof: Proof
    genesis: Genesis
    epochs: Epochs


def agents_of(home: Path) -> list[str]:
    """Names of the agents of a home that have a journal."""
    return sorted(path.parent.name for path in (home / "agents").glob("*/journal") if path.is_dir())


def split_id(text: str, agents: list[str]) -> tuple[str, int]:
    """("hybrid", 123) of "hybrid:123"; the bare number will do where there is one agent. Raises UsageError."""
    name, _, number = text.rpartition(":")
    if number.isdecimal() and not name and not agents:
        raise DataMissing(
            "no agent here has a journal; --home names another home, the demo's is `demo` in the default one"
        )
    if not number.isdecimal():
        raise UsageError(f"{text!r} is no decision; wanted agent:number, as futures:123")
    if len(number) > _DIGITS:
        raise UsageError(f"{name or 'agent'}:{number[:_DIGITS]}...: no decision has a number that long")
    if not name and len(agents) != 1:
        raise UsageError(f"{text!r}: whose? say {' or '.join(f'{one}:{number}' for one in agents) or 'agent:number'}")
    return name or agents[0], int(number)


def reconstruct(place: Place, seq: int) -> dict[str, Any]:
    """Everything the journal holds about decision `seq`, JSON-able. Raises DataMissing, JournalDamaged."""
    reader = Reader(place)
    proof = Proof(reader)
    try:
        record, told = _told(reader, proof, place, seq)
    except (DataMissing, JournalDamaged):
        proof.settle()  # what was tampered with is told as that, whatever it was taken for
        raise
    except (AttributeError, KeyError, IndexError) as error:  # a row without a field, a code without a name
        proof.settle()
        raise JournalDamaged(f"{place.folder}: the rows of decision {seq} cannot be read: {error!r}") from error
    proof.settle()
    block = proof.of(record)
    told["missing"] += [] if proof.anchored else [NOT_ANCHORED]
    proved = {
        "journal": str(reader.uuid), "record": record.id, "event": record.event, "block": block.number,
        "block_hash": block.hash.hex(), "committed": format_time(block.committed_ns), "blocks": proof.blocks,
        "anchored": proof.anchored, "beyond": proof.beyond if proof.anchored else 0,
    }  # fmt: skip
    return told | {"proof": proved, "retired": _retired(proof)}


def _told(reader: Reader, proof: Proof, place: Place, seq: int) -> tuple[Record, dict[str, Any]]:
    """The record of a decision and all that is told of it, of which nothing is proved yet."""
    for record in reader.records(kinds.GENESIS, kinds.UPGRADE, end=proof.end):
        proof.note(record.id)
    journal = _Source(reader, proof, reader.genesis(), reader.epochs())
    proof.read_retired()
    found, at = _find(journal, seq)
    if found is None:
        raise DataMissing(_absent(journal, place.name, seq, at))
    proof.note(found.id)
    decision = _row(found, journal)
    settings = next(reader.records(kinds.PARAMS, end=found.id, backwards=True, limit=1), None)
    if settings is None:
        raise JournalDamaged(f"{place.folder}: no parameters before record {found.id}")
    asset = _asset(journal, int(decision.asset), found.id)
    headlines = _headlines(journal, settings, asset, decision, found)
    orders, money = (_followed(journal, kind, decision, found) for kind in (kinds.INTENT, kinds.ENTRY))
    params, program = proof.told(settings, Params), journal.epochs.program(found.id)
    return found, {
        "id": f"{place.name}:{seq}",
        "agent": journal.genesis.agent,
        "at": format_time(int(decision.ts_ns)),
        "symbol": asset.symbol,
        "venue": asset.venue,
        **_said(decision, journal.epochs.layout(kinds.DECISION, found.id).names or ()),
        **headlines,
        "orders": [_order(row) for row in orders],
        "money": [_money(row) for row in money],
        "params_hash": params.hash,
        "params": params.config,
        "code": program.code_revision,
        "versions": program.versions,
    }


def _said(decision: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    """A decision's row in words, and every number of it."""
    names = gate_names(int(decision.gates))
    return {
        "synthetic": bool(int(decision.marks) & SYNTHETIC),
        "action": action(decision, names),
        "evidence": evidence_lines(decision),
        "gates": [{"name": name, "why": GATE_WORDS[name]} for name in names],
        "regime": regime.words(int(decision.regime)),
        "findings": [{"name": name, "why": FINDING_WORDS[name]} for name in finding_names(int(decision.findings))],
        "numbers": {name: _plain(decision[name]) for name in fields},
    }


def _row(record: Record, journal: _Source) -> Any:
    """The row of a record, laid out as the program that wrote it did. Raises JournalDamaged."""
    layout = journal.epochs.layout(record.kind, record.id)
    if len(record.body) != layout.itemsize:
        raise journal.proof.unreadable(record, f"it is not {layout.itemsize} bytes long")
    if (wrong := _strange(record.kind, layout)) is not None:
        raise journal.proof.unreadable(record, f"its program wrote {wrong} in another way")
    return np.frombuffer(record.body, layout).view(np.recarray)[0]


@functools.cache
def _strange(kind: int, layout: np.dtype[Any]) -> str | None:
    """The first field that is no number, or not of the sort this program knows it as; None where all are."""
    known = _KNOWN[kind]
    for name in layout.names or ():
        sort = layout[name].kind
        if sort not in "biuf" or (name in (known.names or ()) and sort != known[name].kind):
            return name
    return None


def _find(journal: _Source, seq: int) -> tuple[Record | None, int]:
    """The record of a decision and the id at which it stands or would: numbers and ids rise together, so halve."""
    low, high = 0, journal.proof.end
    while low < high:
        middle = (low + high) // 2
        found = next(journal.reader.records(kinds.DECISION, first=middle, end=high, limit=1), None)
        if found is None or (at := int(_row(found, journal).seq)) > seq:
            high = middle
        elif at == seq:
            return found, found.id
        else:
            low = found.id + 1
    return None, low


def _absent(journal: _Source, name: str, seq: int, at: int) -> str:
    """Why a decision is not there; what lies between its neighbours is noted, so that it is not said of a lost one."""
    proof, records = journal.proof, journal.reader.records
    before = next(records(kinds.DECISION, end=at, backwards=True, limit=1), None)
    after = next(records(kinds.DECISION, first=at, end=proof.end, limit=1), None)
    first, last = 0 if before is None else before.id, proof.end - 1 if after is None else after.id
    proof.note(first, last + 1)
    # every decision has a record of its own, so these are the ids it may have had
    least = seq - 1 if before is None else before.id + seq - int(_row(before, journal).seq)
    most = last if after is None else after.id - (int(_row(after, journal).seq) - seq)
    for record, one in proof.retired:
        if seq > 0 and max(least, one.first_record) <= min(most, one.end_record - 1):
            return f"decision {name}:{seq} was retired: {_let_go(one)}, on {format_time(record.ts_ns)}"
    newest = next(records(kinds.DECISION, end=proof.end, backwards=True, limit=1), None)
    if newest is None:
        return f"there is no decision {name}:{seq}; the journal holds none"
    proof.note(newest.id)
    return f"there is no decision {name}:{seq}; the journal goes to {name}:{int(_row(newest, journal).seq)}"


def _plain(value: Any) -> Any:
    plain = value.item()
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _asset(journal: _Source, asset: int, before: int) -> Asset:
    for record in list(journal.reader.records(kinds.INSTRUMENT, end=before, backwards=True)):
        one = journal.proof.told(record, Asset)
        if one.asset == asset:
            return one
    raise JournalDamaged(f"{journal.reader.place.folder}: no instrument {asset} before record {before}")


def _retired(proof: Proof) -> list[str]:
    """What was taken out of the journal, by its own word."""
    return [f"{_let_go(one)}, on {format_time(record.ts_ns)}" for record, one in proof.retired]


def _let_go(one: Retired) -> str:
    return f"events and records ({', '.join(one.kinds)}) up to block {one.through_block}"


def _headlines(
    journal: _Source, settings: Record, asset: Asset, decision: Any, decided: Record
) -> dict[str, list[Any]]:  # fmt: skip
    """Documents about the underlying that were known and had not faded, newest first, and where they are gone."""
    since = decided.ts_ns - _looked_back(journal.proof, settings) - (WEEKEND if asset.calendar else 0)
    shown, first = list[dict[str, Any]](), 0
    with closing(journal.reader.records(*_DATED, end=decided.id, backwards=True)) as records:
        for record in records:
            if record.ts_ns <= since:
                first = record.id
                break
            if record.kind == kinds.DOCUMENT:
                said = journal.proof.told(record, Document)
                if (mine := said.of(asset.underlying)) is not None:
                    shown.append(_headline(record, said.document, mine, decision, decided))
    journal.proof.note(first, decided.id + 1)
    missing = [
        f"headlines may be missing: {_let_go(one)} were retired on {format_time(record.ts_ns)}"
        for record, one in journal.proof.retired
        if one.end_record > first
    ]
    if decision.stories > 0 and decision.lead >= 0 and not missing and not any(one["leads"] for one in shown):
        missing.append(_without_lead(journal, asset, int(decision.lead), first))
    return {"headlines": shown, "missing": missing}


def _looked_back(proof: Proof, settings: Record) -> int:
    """How long a story is looked for, in ns. Raises JournalDamaged where the parameters do not tell."""
    told = proof.told(settings, Faded).config.kernel.narrative.half_life
    try:
        return int(SHOWN_HALF_LIVES * parse_duration(told))
    except UsageError as error:
        raise proof.unreadable(settings, str(error)) from error


def _headline(record: Record, item: Item, mine: Heard, decision: Any, decided: Record) -> dict[str, Any]:
    return {
        "title": item.title, "publisher": item.publisher, "url": item.url, "published": format_time(item.published_ns),
        "known": format_time(record.ts_ns), "age": format_duration(decided.ts_ns - record.ts_ns),
        "leads": mine.cluster == int(decision.lead), "polarity": mine.polarity, "certainty": mine.certainty,
        "novelty": mine.novelty, "relevance": mine.relevance, "cluster": mine.cluster,
    }  # fmt: skip


def _without_lead(journal: _Source, asset: Asset, lead: int, before: int) -> str:
    """What to say where no headline shown leads: where the story was told last, or that it stands nowhere."""
    with closing(journal.reader.records(kinds.DOCUMENT, end=before + 1, backwards=True)) as records:
        for record in records:
            mine = journal.proof.told(record, Document).of(asset.underlying)
            if mine is not None and mine.cluster == lead:
                journal.proof.note(record.id, before + 1)
                known = format_time(record.ts_ns)
                return f"the headline that leads: it was known on {known}, before those that are shown"
    journal.proof.note(0, before + 1)
    return f"the headline that leads: no document of story {lead} stands in this journal"


def _followed(journal: _Source, kind: int, decision: Any, decided: Record) -> list[Any]:
    """Rows of a kind that came of the decision: those that name it, until its asset has another."""
    rows, end = [], journal.proof.end
    with closing(journal.reader.records(kind, first=decided.id, end=end)) as records:
        for record in records:
            row = _row(record, journal)
            if int(row.asset) != int(decision.asset):
                continue
            if int(row.decision) > int(decision.seq):
                end = record.id + 1
                break
            if int(row.decision) == int(decision.seq):
                rows.append(row)
    journal.proof.note(decided.id, end)
    return rows


def _order(row: Any) -> dict[str, Any]:
    return {
        "at": format_time(int(row.ts_ns)), "order": int(row.order_id), "action": INTENT_NAMES[int(row.action)],
        "kind": ORDER_NAMES[int(row.kind)], "lots": int(row.lots), "ticks": int(row.trigger_ticks),
        "why": EXIT_NAMES[int(row.why)],
    }  # fmt: skip


def _money(row: Any) -> dict[str, Any]:
    return {
        "at": format_time(int(row.ts_event)), "what": KIND_NAMES[int(row.kind)], "order": int(row.order_id),
        "lots": int(row.lots), "price": _plain(row.price), "fee_usd": _plain(row.fee_usd),
        "amount_usd": _plain(row.amount_usd), "why": EXIT_NAMES[int(row.why)],
    }  # fmt: skip
