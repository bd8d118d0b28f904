"""How an agent runs that is fed as time passes; none of it changes what it decides."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS, SECOND_NS

__all__ = ["ON_STOP", "Params"]

ON_STOP = ("cancel", "leave")


class Params(NamedTuple):
    """What becomes of working entries at a clean stop (protective stops stay), and how often a start is made short."""

    on_stop: Annotated[str, Bound("name", choices=ON_STOP)] = "cancel"
    checkpoint_ns: Annotated[int, Bound("duration", SECOND_NS, HOUR_NS)] = 10 * SECOND_NS  # of the wall's clock
    seal_ns: Annotated[int, Bound("duration", MINUTE_NS, 24 * HOUR_NS)] = HOUR_NS  # of the wall's clock
    batch: Annotated[int, Bound("count", 1, 4096)] = 64  # moments that one commit may hold
