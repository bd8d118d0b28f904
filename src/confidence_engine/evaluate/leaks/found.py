"""What a check says: how much it looked at, how often it saw a leak, and the first few of them in words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["SHOWN", "Check"]

SHOWN: Final = 5
"""Leaks of one check that are told in words; all are counted."""


@dataclass
class Check:
    """One check: its name, what it holds to be true, what it compared (n) and where that did not hold."""

    name: str
    what: str
    n: int = 0
    leaks: int = 0
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0
    seen: dict[str, Any] = field(default_factory=dict)

    def leak(self, told: str, times: int = 1) -> None:
        """One leak more, or `times` of one kind."""
        self.leaks += times
        if len(self.examples) < SHOWN:
            self.examples.append(told)

    def count(self, **numbers: int) -> None:
        """Add to what was looked at besides n."""
        for name, number in numbers.items():
            self.seen[name] = self.seen.get(name, 0) + number

    @contextmanager
    def timed(self) -> Iterator[None]:
        """The time of what is done inside counts as this check's, wall seconds."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began

    def told(self) -> dict[str, Any]:
        """The row of the report."""
        row = {"name": self.name, "what": self.what, "n": self.n, "leaks": self.leaks}
        return row | {"examples": self.examples, "seconds": round(self.seconds, 2)} | self.seen
