"""What a feed hands over: rows or documents as they came, with the time at which they came.

A feed judges nothing. Its bars may be late, revised, repeated or out of order, and its clock may step; whoever takes
a delivery finds that out and says so. A replay reads the same rows from the store in the order in which they would
have been known, so a feed without faults and a replay see the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.document import Document

__all__ = ["BARS", "CORPORATE", "DOCUMENTS", "FUNDING", "KINDS", "SCORES", "SESSIONS", "Delivery", "Moment"]

BARS, FUNDING, SCORES, SESSIONS, CORPORATE, DOCUMENTS = "bars", "funding", "scores", "sessions", "corporate", "news"
KINDS: Final = (BARS, FUNDING, SCORES, SESSIONS, CORPORATE, DOCUMENTS)


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


Moment = tuple[int, list[Delivery]]
"""(when it was by a clock that nobody can set, what came then); without faults that is the receiving clock too."""
