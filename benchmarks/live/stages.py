"""Where the time of a moment goes: the functions of each stage timed from outside, each without those inside it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from confidence_engine.drivers import agent, intake, stretch
from confidence_engine.feeds.ingress import Ingress
from confidence_engine.feeds.ticker import Ticker
from confidence_engine.journal import log
from confidence_engine.journal.disk import Disk
from confidence_engine.text.reading import Listener

__all__ = ["STAGES", "staged"]

STAGES: Final[tuple[tuple[str, tuple[tuple[Any, str], ...]], ...]] = (
    ("ingress", ((Ingress, "take"), (Ingress, "watch"), (Ingress, "due"))),
    ("text", ((Listener, "hear"), (agent, "told_of"))),
    ("timers", ((Ticker, "until"), (Ticker, "hear"))),
    ("merge", ((intake, "merge"),)),
    ("intake, the rest", ((intake.Intake, "take"),)),
    ("step: kernel and venue", ((stretch, "run"),)),
    ("rows out", ((stretch, "stretch_of"), (stretch, "clear"))),
    ("put", ((agent.Agent, "_write"), (agent, "packed"))),
    ("cut and hash", ((log, "cut"),)),
    ("rows into the database", ((log.Journal, "_write"),)),
    ("segment write", ((Disk, "write"),)),
    ("segment fsync", ((Disk, "sync"),)),
    ("commit, the rest", ((log.Journal, "commit"),)),
    ("take, the rest", ((agent.Agent, "take"),)),
)
"""Stage, and the functions that are its own."""


@contextlib.contextmanager
def staged() -> Iterator[dict[str, float]]:
    """Seconds by stage, filled while the block runs; a call inside another's counts for its own stage alone."""
    spent = {name: 0.0 for name, _ in STAGES}
    inside = [0.0]

    def timed(name: str, what: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(what)
        def call(*given: Any, **named: Any) -> Any:
            inside.append(0.0)
            began = time.perf_counter()
            try:
                return what(*given, **named)
            finally:
                took = time.perf_counter() - began
                spent[name] += took - inside.pop()
                inside[-1] += took

        return call

    with contextlib.ExitStack() as stack:
        for name, functions in STAGES:
            for owner, attribute in functions:
                was = getattr(owner, attribute)
                stack.callback(setattr, owner, attribute, was)
                setattr(owner, attribute, timed(name, was))
        yield spent
