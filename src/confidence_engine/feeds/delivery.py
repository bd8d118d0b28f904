"""What a feed hands over: rows or documents as they came, with the time at which they came.

A feed judges nothing. Its bars may be late, revised, repeated or out of order, and its clock may step; whoever takes
a delivery finds that out and says so. A replay reads the same rows from the store in the order in which they would
have been known, so a feed without faults and a replay see the same.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.domain.command import Command
from confidence_engine.domain.document import Document
from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.trading import SESSION_ROW
from confidence_engine.feeds.clean import BAR_ROW, CORPORATE_ROW, FUNDING_ROW, SCORE_ROW

__all__ = [
    "BARS", "CORPORATE", "DOCUMENTS", "FUNDING", "KINDS", "SCORES", "SESSIONS", "Delivery", "Moment", "Told", "packed",
    "unpacked",
]  # fmt: skip

BARS, FUNDING, SCORES, SESSIONS, CORPORATE, DOCUMENTS = "bars", "funding", "scores", "sessions", "corporate", "news"
KINDS: Final = (BARS, FUNDING, SCORES, SESSIONS, CORPORATE, DOCUMENTS)
_ROWS: Final = {
    BARS: BAR_ROW, FUNDING: FUNDING_ROW, SCORES: SCORE_ROW, SESSIONS: SESSION_ROW, CORPORATE: CORPORATE_ROW,
}  # fmt: skip


class Delivery(NamedTuple):
    """One thing that a feed said.

    `at_ns` is what the receiving clock showed; `kind` one of KINDS; `key` the instrument's key ("BTC/USDT@world"), the
    calendar's name for sessions, "" for documents; `rows` [n] as the store keeps that kind (None for documents).
    """

    at_ns: int
    kind: str
    key: str
    rows: np.ndarray | None = None
    documents: tuple[Document, ...] = ()


class Moment(NamedTuple):
    """All that came at one time; nothing at all where only time passed.

    `at_ns` is what a clock that nobody can set shows; the deliveries say what the receiving one showed.
    """

    at_ns: int
    said: tuple[Delivery, ...] = ()
    commands: tuple[Command, ...] = ()


def packed(moment: Moment) -> bytes:
    """A moment as bytes, without the words of its documents and commands, of which only the number is told."""
    said: dict[str, tuple[list[str], list[int], list[bytes]]] = {}
    documents = 0
    for one in moment.said:
        documents += len(one.documents)
        if one.rows is not None:
            keys, counts, rows = said.setdefault(one.kind, ([], [], []))
            keys.append(one.key)
            counts.append(len(one.rows))
            rows.append(one.rows.tobytes())
    told = [(kind, keys, counts, b"".join(rows)) for kind, (keys, counts, rows) in said.items()]
    shown = moment.said[-1].at_ns if moment.said else moment.at_ns
    return msgspec.msgpack.encode((moment.at_ns, shown, told, documents, len(moment.commands)))


class Told(NamedTuple):
    """A packed moment: the documents and commands that belong to it are kept elsewhere, and so many."""

    at_ns: int
    shown_ns: int  # by the receiving clock
    said: tuple[Delivery, ...]
    documents: int
    commands: int


def unpacked(data: bytes) -> Told:
    """What `packed` made. Raises JournalDamaged for other bytes."""
    form = tuple[int, int, list[tuple[str, list[str], list[int], bytes]], int, int]
    try:
        at_ns, shown_ns, told, documents, commands = msgspec.msgpack.decode(data, type=form)
        said: list[Delivery] = []
        for kind, keys, counts, body in told:
            layout: np.dtype[Any] = _ROWS[kind]
            rows, at = np.frombuffer(body, layout), 0
            for key, count in zip(keys, counts, strict=True):
                said.append(Delivery(shown_ns, kind, key, rows[at : at + count]))
                at += count
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise JournalDamaged(f"a delivery cannot be read: {error}") from error
    return Told(at_ns, shown_ns, tuple(said), documents, commands)
