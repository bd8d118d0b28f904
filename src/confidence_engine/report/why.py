"""Any past decision, from its agent's journal alone: the numbers, the gates, the headlines, the parameters, the code.

Nothing is computed anew and nothing is read from the store: what stands here was written when it was decided. Every
block that something was taken from is hashed anew, and the decision's is named. What has been retired since is said to
be gone, not left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from confidence_engine.domain.decision import GATE_WORDS, gate_names
from confidence_engine.domain.errors import DataMissing, JournalDamaged, UsageError
from confidence_engine.domain.event import KIND_NAMES, SYNTHETIC
from confidence_engine.domain.finding import FINDING_WORDS, finding_names
from confidence_engine.domain.order import EXIT_NAMES, INTENT_NAMES, ORDER_NAMES
from confidence_engine.domain.units import DAY_NS, format_duration, format_time, parse_duration
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import Block, Record, block_hash, records_hash
from confidence_engine.journal.epoch import Epochs
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retired import retirements
from confidence_engine.kernel import regime
from confidence_engine.report.explain import SHOWN_HALF_LIVES, action, evidence_lines

__all__ = ["agents_of", "reconstruct", "split_id"]

WEEKEND: Final = 4 * DAY_NS
"""How much farther back is looked on markets with sessions, where stories do not fade while they are closed."""


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
    if not name and len(agents) != 1:
        raise UsageError(f"{text!r}: whose? say {' or '.join(f'{one}:{number}' for one in agents) or 'agent:number'}")
    return name or agents[0], int(number)


def reconstruct(place: Place, seq: int) -> dict[str, Any]:
    """Everything the journal holds about decision `seq`, JSON-able. Raises DataMissing, JournalDamaged."""
    reader = Reader(place)
    proof = _Proof(reader)
    for first in reader.records(kinds.GENESIS, limit=1):
        proof.of(first)
    genesis, epochs = reader.genesis(), reader.epochs()
    retired = _retired(reader, proof)
    record = _find(reader, epochs, seq)
    if record is None:
        raise DataMissing(_absent(reader, epochs, place, seq, retired))
    block = proof.of(record)
    decision = _row(record, epochs)
    params = _last(reader, proof, kinds.PARAMS, record.id)
    if params is None:
        raise JournalDamaged(f"{place.folder}: no parameters before record {record.id}")
    asset = _asset(reader, proof, int(decision.asset), record.id)
    _last(reader, proof, kinds.UPGRADE, record.id)  # proves the epoch
    program = epochs.program(record.id)
    names = gate_names(int(decision.gates))
    followed = [list(_followed(reader, proof, epochs, kind, decision, record)) for kind in (kinds.INTENT, kinds.ENTRY)]
    return {
        "id": f"{place.name}:{seq}",
        "agent": genesis.agent,
        "at": format_time(int(decision.ts_ns)),
        "symbol": asset["symbol"],
        "venue": asset["venue"],
        "synthetic": bool(int(decision.marks) & SYNTHETIC),
        "action": action(decision, names),
        "evidence": evidence_lines(decision),
        "gates": [{"name": name, "why": GATE_WORDS[name]} for name in names],
        "regime": regime.words(int(decision.regime)),
        "findings": [{"name": name, "why": FINDING_WORDS[name]} for name in finding_names(int(decision.findings))],
        "numbers": {name: _plain(decision[name]) for name in epochs.layout(kinds.DECISION, record.id).names or ()},
        **_headlines(reader, proof, params, asset, decision, record, retired),
        "orders": [_order(row) for row in followed[0]],
        "money": [_money(row) for row in followed[1]],
        "params_hash": params["hash"],
        "params": params["config"],
        "code": program.code_revision,
        "versions": program.versions,
        "proof": {
            "journal": str(reader.uuid),
            "record": record.id,
            "event": record.event,
            "block": block.number,
            "block_hash": block.hash.hex(),
            "committed": format_time(block.committed_ns),
            "blocks": proof.blocks,
        },
        "retired": [f"{one['what']}, on {one['at']}" for one in retired],
    }


class _Proof:
    """Hashes every block anew that a record is taken from, once."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._sound = reader, dict[int, Block]()
        self._kept = {kept.block: kept.hash for one in retirements(reader) for kept in one.kept}

    @property
    def blocks(self) -> int:
        """How many were."""
        return len(self._sound)

    def of(self, record: Record) -> Block:
        """The block of a record. Raises JournalDamaged where it is not what was committed."""
        near = (one for one in self._sound.values() if one.first_record <= record.id < one.end_record)
        block = next(near, None)
        if block is None:
            block = self._reader.block_of(record.id)
            held = records_hash(self._reader.records(first=block.first_record, end=block.end_record))
            thinned = self._kept.get(block.number) == held.hex()
            if block_hash(self._reader.uuid, block) != block.hash or not (thinned or held == block.records_hash):
                raise JournalDamaged(
                    f"{self._reader.place.folder}: block {block.number}, which holds record {record.id}, is not what "
                    "was committed; see `confidence journal verify`"
                )
            self._sound[block.number] = block
        return block

    def told(self, record: Record) -> dict[str, Any]:
        """The payload of a record, its block hashed anew. Raises JournalDamaged."""
        self.of(record)
        try:
            return msgspec.json.decode(record.payload or b"", type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            where = f"{self._reader.place.folder}: {kinds.KIND_NAMES.get(record.kind)} record {record.id}"
            raise JournalDamaged(f"{where} cannot be read: {error}") from error


def _row(record: Record, epochs: Epochs) -> Any:
    """The row of a record, laid out as the program that wrote it did. Raises JournalDamaged."""
    layout = epochs.layout(record.kind, record.id)
    if len(record.body) != layout.itemsize:
        name = kinds.KIND_NAMES[record.kind]
        raise JournalDamaged(f"{name} record {record.id} is not {layout.itemsize} bytes long")
    return np.frombuffer(record.body, layout).view(np.recarray)[0]


def _find(reader: Reader, epochs: Epochs, seq: int) -> Record | None:
    """The record of a decision: numbers and ids rise together, so halving finds it."""
    low, high = 0, reader.last().end_record
    while low < high:
        middle = (low + high) // 2
        found = next(reader.records(kinds.DECISION, first=middle, end=high, limit=1), None)
        if found is None or (at := int(_row(found, epochs).seq)) > seq:
            high = middle
        elif at == seq:
            return found
        else:
            low = found.id + 1
    return None


def _plain(value: Any) -> Any:
    plain = value.item()
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _last(reader: Reader, proof: _Proof, kind: int, before: int) -> dict[str, Any] | None:
    """Payload of the last record of a kind before an id; None where there is none."""
    found = next(reader.records(kind, end=before, backwards=True, limit=1), None)
    return None if found is None else proof.told(found)


def _asset(reader: Reader, proof: _Proof, asset: int, before: int) -> dict[str, Any]:
    for record in reader.records(kinds.INSTRUMENT, end=before, backwards=True):
        one = proof.told(record)
        if one.get("asset") == asset:
            return one
    raise JournalDamaged(f"{reader.place.folder}: no instrument {asset} before record {before}")


def _retired(reader: Reader, proof: _Proof) -> list[dict[str, Any]]:
    """What was taken out of the journal, by its own word: the block it reaches to, the kinds, when and why."""
    found = []
    for record in reader.records(kinds.RETIRED):
        said = proof.told(record)
        names = ", ".join(said.get("kinds", ()))
        what = f"events and records ({names}) up to block {said.get('through_block')}"
        found.append({"what": what, "at": format_time(record.ts_ns), "block": said.get("through_block")})
    return found


def _absent(reader: Reader, epochs: Epochs, place: Place, seq: int, retired: list[dict[str, Any]]) -> str:
    last = next(reader.records(kinds.DECISION, backwards=True, limit=1), None)
    newest = 0 if last is None else int(_row(last, epochs).seq)
    if retired and 0 < seq <= newest:
        return f"decision {place.name}:{seq} was retired: {retired[-1]['what']}, on {retired[-1]['at']}"
    return f"there is no decision {place.name}:{seq}; the journal goes to {place.name}:{newest}"


def _headlines(
    reader: Reader, proof: _Proof, params: dict[str, Any], asset: dict[str, Any], decision: Any, decided: Record,
    retired: list[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """Documents about the underlying that were known and had not faded, newest first, and where they are gone."""
    half_life, at_ns = parse_duration(params["config"]["kernel"]["narrative"]["half_life"]), decided.ts_ns
    since = at_ns - int(SHOWN_HALF_LIVES * half_life) - (WEEKEND if asset.get("calendar") else 0)
    shown, missing = [], []
    for record in reader.records(kinds.DOCUMENT, end=decided.id, backwards=True):
        if record.ts_ns <= since:
            break
        said = proof.told(record)
        mine = next((one for one in said["heard"] if one["underlying"] == asset["underlying"]), None)
        if mine is None:
            continue
        document = said["document"]
        told = {
            "title": document["title"], "publisher": document["publisher"], "url": document.get("url", ""),
            "published": format_time(document["published_ns"]), "known": format_time(record.ts_ns),
            "age": format_duration(at_ns - record.ts_ns), "leads": mine["cluster"] == int(decision.lead),
        }  # fmt: skip
        shown.append(told | {k: v for k, v in mine.items() if k != "underlying"})
    for one in retired:
        gone = next(iter(reader.blocks(one["block"])), None)
        if gone is None or decided.id < gone.end_record or _reaches(reader, gone, since):
            missing.append(f"headlines may be missing: {one['what']} were retired on {one['at']}")
    return {"headlines": shown, "missing": missing}


def _reaches(reader: Reader, gone: Block, since: int) -> bool:
    """Whether what was retired reaches into the time that is looked at: the first record kept is younger than it."""
    after = next(reader.records(kinds.DOCUMENT, kinds.EQUITY, kinds.DECISION, first=gone.end_record, limit=1), None)
    return after is None or after.ts_ns > since


def _followed(
    reader: Reader, proof: _Proof, epochs: Epochs, kind: int, decision: Any, decided: Record
) -> Iterator[np.record]:  # fmt: skip
    """Rows of a kind that came of the decision: those that name it, until its asset has another."""
    for record in reader.records(kind, first=decided.id):
        row = _row(record, epochs)
        if int(row.asset) != int(decision.asset):
            continue
        if int(row.decision) > int(decision.seq):
            return
        if int(row.decision) == int(decision.seq):
            proof.of(record)
            yield row


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
