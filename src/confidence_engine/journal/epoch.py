"""Which program wrote a record, and how it laid out its rows.

The genesis record names the program that began a journal; an UPGRADE record closes an epoch, and what follows it was
written by the program that it names. So every row can be read as it was meant, whatever code reads it.
"""

from __future__ import annotations

import bisect
from typing import Any

import msgspec
import numpy as np

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.journal.kinds import ROWS

__all__ = ["Epochs", "Program"]


class Program(msgspec.Struct, frozen=True):
    """Payload of an UPGRADE record: the code, its schemas, the fields of its rows as (name, NumPy code) by layout."""

    event_schema: int
    state_schema: int
    code_revision: str
    layouts: dict[str, list[list[str]]]
    versions: dict[str, str] = {}


class Epochs:
    """The stretches of a journal, each written by one program; `begun` pairs the first record's id with it."""

    def __init__(self, begun: list[tuple[int, Program]]) -> None:
        self._firsts, self._programs = [first for first, _ in begun], [program for _, program in begun]
        self._layouts: dict[tuple[int, int], np.dtype[Any]] = {}

    def __len__(self) -> int:
        return len(self._programs)

    def number(self, record: int) -> int:
        """Which epoch a record is of, from 0."""
        return bisect.bisect_right(self._firsts, record) - 1

    def program(self, record: int) -> Program:
        """Who wrote a record."""
        return self._programs[self.number(record)]

    def layout(self, kind: int, record: int) -> np.dtype[Any]:
        """Record type of the body of a record of a kind. Raises JournalDamaged where its epoch tells none."""
        number = self.number(record)
        found = self._layouts.get((number, kind))
        if found is None:
            try:
                told = self._programs[number].layouts[ROWS[kind]]
                found = np.dtype([(name, code) for name, code in told])
            except (KeyError, TypeError, ValueError) as error:
                what = f"the layouts of record {self._firsts[number]} tell nothing of {ROWS.get(kind, kind)}"
                raise JournalDamaged(f"{what}: {error!r}") from error
            self._layouts[number, kind] = found
        return found
