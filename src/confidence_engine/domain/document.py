"""A document is one published item with all its times; it never enters the kernel.

`published_at` is what the publisher says, `first_seen_at` what we saw. Only the second may
decide when something was known. A historical archive has only the first, so such an item
counts as known at published_at + lag; a stamp that is a bare date counts at the end of that day.
A first sight that an archive tells and that reads exactly midnight is a bare date too.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from confidence_engine.domain.units import DAY_NS

__all__ = ["UNKNOWN_PUBLISHER", "Document", "Reading", "body_hash", "known_at"]

UNKNOWN_PUBLISHER: Final = "unknown"


class Document(msgspec.Struct, frozen=True):
    """One item of news. Times in ns UTC; `first_seen_ns` and `fetched_ns` are None in an archive."""

    id: str
    source: str
    publisher: str
    title: str
    published_ns: int
    text: str = ""
    url: str = ""
    symbols: tuple[str, ...] = ()
    date_only: bool = False
    first_seen_ns: int | None = None
    fetched_ns: int | None = None


class Reading(msgspec.Struct, frozen=True):
    """What a Reader makes of one text: probabilities of negative, neutral, positive (they sum to 1)."""

    p_negative: float
    p_neutral: float
    p_positive: float

    @property
    def polarity(self) -> float:
        """p_positive - p_negative, in [-1, 1]."""
        return self.p_positive - self.p_negative

    @property
    def certainty(self) -> float:
        """Probability that the text has a direction, p_negative + p_positive, in [0, 1]."""
        return min(1.0, self.p_negative + self.p_positive)


def body_hash(title: str, text: str, publisher: str, published_ns: int) -> str:
    """Content address of an item: 32 hex digits of SHA-256 over its words, publisher and stamp."""
    body = "\0".join((title.strip(), text.strip(), publisher, str(published_ns)))
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def known_at(document: Document, lag_ns: int) -> int:
    """Earliest time in ns at which a decision may use the item; `lag_ns` goes on stamps that are not a first sight."""
    seen = document.first_seen_ns
    if seen is not None:
        # What we fetched ourselves was seen by a clock; an archive's midnight is a date.
        dated = document.fetched_ns is None and seen % DAY_NS == 0
        return seen + DAY_NS + lag_ns if dated else seen
    if document.date_only:
        return document.published_ns // DAY_NS * DAY_NS + DAY_NS + lag_ns
    return document.published_ns + lag_ns
