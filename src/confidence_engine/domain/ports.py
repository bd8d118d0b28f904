"""The protocols at the walls, on one page. Real implementations and fakes pass the same conformance tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from confidence_engine.domain.document import Reading

__all__ = ["Reader"]


class Reader(Protocol):
    """Turns text into numbers. Deterministic: the same text gives the same reading, in any batch."""

    name: str
    version: str

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading a text, in order. Never raises for odd text; empty text is refused by the caller."""
        ...
