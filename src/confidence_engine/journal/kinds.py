"""What the records of a journal are: the numbers are part of the stored format and are never reused.

A record's body is the bytes of one row whose layout stands in the genesis record, its payload is JSON; a kind has one,
the other or both. Market events and what a venue said are no records: they lie in the segments, in the order in which
they were stepped.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "CHECKPOINT", "COMMAND", "DECISION", "DELIVERY", "DOCUMENT", "ENDED", "ENTRY", "EQUITY", "GENESIS", "HEARTBEAT",
    "INCIDENT", "INSTRUMENT", "INTENT", "KIND_NAMES", "LESSON", "MARKED", "PARAMS", "RECOVERED", "RESUMED", "RETIRED",
    "ROWS", "STREAM", "UPGRADE", "VENUE",
]  # fmt: skip

GENESIS, PARAMS, INSTRUMENT, STREAM, UPGRADE = 1, 2, 3, 4, 5
DOCUMENT, DELIVERY = 10, 11
DECISION, INTENT, ENTRY, EQUITY, MARKED, LESSON = 20, 21, 22, 23, 24, 25
COMMAND, VENUE, HEARTBEAT = 30, 31, 32
CHECKPOINT, RETIRED, RECOVERED, ENDED, RESUMED, INCIDENT = 40, 41, 42, 43, 44, 45

KIND_NAMES: Final = {
    GENESIS: "genesis", PARAMS: "params", INSTRUMENT: "instrument", STREAM: "stream", UPGRADE: "upgrade",
    DOCUMENT: "document", DELIVERY: "delivery", DECISION: "decision", INTENT: "intent", ENTRY: "entry",
    EQUITY: "equity", MARKED: "marked", LESSON: "lesson", COMMAND: "command", VENUE: "venue", HEARTBEAT: "heartbeat",
    CHECKPOINT: "checkpoint", RETIRED: "retired", RECOVERED: "recovered", ENDED: "ended",
    RESUMED: "resumed", INCIDENT: "incident",
}  # fmt: skip

ROWS: Final = {
    DECISION: "DECISION", INTENT: "INTENT", ENTRY: "ENTRY", EQUITY: "EQUITY", MARKED: "MARKED", LESSON: "LESSON",
}  # fmt: skip
"""Kinds whose body is a row -> name of its layout in the genesis record's `layouts`."""
