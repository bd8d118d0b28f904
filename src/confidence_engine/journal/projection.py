"""A journal told as rows, record by record: what is known of all before, the next record, what it adds.

Nothing here looks anything up but the order a fill belongs to, so the rows follow from the records alone.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.journal import kinds
from confidence_engine.journal.carry import Carry, Limits, Traded
from confidence_engine.journal.chain import Record
from confidence_engine.journal.epoch import Epochs
from confidence_engine.journal.reader import Genesis
from confidence_engine.journal.sheet import Sheet
from confidence_engine.journal.signals import decided, said
from confidence_engine.journal.standing import stopped, valued
from confidence_engine.journal.trips import entered, intended

__all__ = ["TOLD", "Projection"]

_ROWS: Final[dict[int, Callable[[Carry, Sheet, Record, Any], None]]] = {
    kinds.DECISION: decided, kinds.INTENT: intended, kinds.ENTRY: entered, kinds.EQUITY: valued,
}  # fmt: skip
TOLD: Final = (
    *_ROWS, kinds.PARAMS, kinds.INSTRUMENT, kinds.COMMAND, kinds.RECOVERED, kinds.INCIDENT, kinds.ENDED,
)  # fmt: skip
"""Kinds of records that make rows or change what later ones say."""


class Projection:
    """The journal of one agent on its way into a sheet; goes on from any carry."""

    def __init__(self, genesis: Genesis, epochs: Epochs, carry: Carry, sheet: Sheet) -> None:
        self.carry, self.sheet, self._epochs = carry, sheet, epochs
        carry.run_id, carry.synthetic = genesis.journal, genesis.synthetic
        self._read: dict[tuple[int, int], Callable[[bytes], Any]] = {}
        self._head()

    def take(self, record: Record) -> None:
        """Add what one record says. Raises JournalDamaged for one that cannot be read."""
        try:
            if record.kind in _ROWS:
                _ROWS[record.kind](self.carry, self.sheet, record, self._row(record))
            elif record.kind in (kinds.PARAMS, kinds.INSTRUMENT):
                self._learn(record.kind, msgspec.json.decode(record.payload or b""))
            elif record.kind == kinds.ENDED:
                stopped(self.carry, self.sheet, record)
            else:
                said(self.carry, self.sheet, record)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, msgspec.DecodeError) as error:
            what = kinds.KIND_NAMES.get(record.kind, str(record.kind))
            raise JournalDamaged(f"{self.sheet.name}: {what} record {record.id} cannot be read: {error!r}") from error

    def _row(self, record: Record) -> Any:
        """The row of a record, laid out as the program that wrote it did."""
        key = self._epochs.number(record.id), record.kind
        read = self._read.get(key)
        if read is None:
            read = self._read[key] = _reading(self._epochs.layout(record.kind, record.id))
        return read(record.body)

    def _learn(self, kind: int, told: dict[str, Any]) -> None:
        c = self.carry
        if kind == kinds.INSTRUMENT:
            of = {name: told[name] for name in ("symbol", "venue", "tick", "lot", "multiplier", "max_leverage")}
            c.instruments[int(told["asset"])] = msgspec.convert(of, Traded)
            return
        c.params_hash = str(told["hash"])
        c.venue = str(told["config"]["agent"]["venue"])
        risk = told["config"].get("kernel", {}).get("risk", {})
        c.limits = Limits(**{name: risk.get(name) for name in Limits.__struct_fields__})
        self._head()

    def _head(self) -> None:
        c = self.carry
        self.sheet.head = {"run_id": c.run_id, "params_hash": c.params_hash, "synthetic": int(c.synthetic)}


def _reading(layout: np.dtype[Any]) -> Callable[[bytes], Any]:
    """Bytes of a row to plain numbers by name; faster by far than fields of an array of one."""
    row = namedtuple("row", layout.names or (), rename=False)  # type: ignore[misc]

    def read(body: bytes) -> Any:
        return row._make(np.frombuffer(body, layout)[0].item())

    return read
