"""What can be wrong with a journal, and where: the words in which a check of one answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = [
    "CHANGED", "FOREIGN", "MISSING", "MOST", "REORDERED", "REWRITTEN", "TRUNCATED", "UNREADABLE", "Fault", "Findings",
]  # fmt: skip

CHANGED, MISSING, REORDERED, TRUNCATED = "changed", "missing", "reordered", "truncated"
REWRITTEN, FOREIGN, UNREADABLE = "rewritten", "foreign", "unreadable"
MOST: Final = 1000
"""Faults that are told one by one; further ones are counted."""


class Fault(NamedTuple):
    """One thing that is not as it was committed; numbers are None where they say nothing."""

    what: str
    where: str
    block: int | None = None
    record: int | None = None
    segment: str | None = None
    byte: int | None = None
    event: int | None = None


@dataclass
class Findings:
    """What a check of one journal found: faults, notes that are none, and how much was read."""

    name: str
    folder: str
    uuid: str = ""
    blocks: int = 0
    events: int = 0
    records: int = 0
    read: int = 0  # bytes of events and records
    seconds: float = 0.0
    head: str = ""
    anchored: int = 0  # blocks that the anchor has seen, 0 without one
    faults: list[Fault] = field(default_factory=list)
    more: int = 0  # faults beyond the first MOST
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def add(self, what: str, where: str, **at: int | str | None) -> None:
        """One more fault; `at` are fields of Fault."""
        if len(self.faults) >= MOST:
            self.more += 1
            return
        self.faults.append(Fault(what, where, **at))  # type: ignore[arg-type]
