"""A street of one or two assets before the simulated venue: bars go in, orders go in, what the venue said comes out.

Bars follow each other without a gap, five minutes each, known at their close. `quiet` bars give the venue a history
without any movement, so that sigma is zero and a price is nothing but spread; `lively` ones give it one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from tests.kernel.world import BAR_NS, START, bar, make_state

from confidence_engine.domain.event import CANCELLED, FILL, LIQUIDATION, REJECT, funding_events
from confidence_engine.domain.order import INTENT, INTENT_AMEND, INTENT_CANCEL, INTENT_SUBMIT, ORDER_MARKET
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import SECOND_NS
from confidence_engine.venues import sim

__all__ = ["KINDS", "Said", "Street"]

KINDS = {FILL: "fill", CANCELLED: "cancelled", REJECT: "reject", LIQUIDATION: "liquidation"}


class Said(NamedTuple):
    """One thing the venue said, in words; `last` is what is left of the order, or the reason of a refusal."""

    kind: str
    order: int
    ticks: int
    lots: int
    fee: float
    last: int
    ts_event: int
    ts_known: int
    asset: int


class Street:
    """One venue, its instruments and a clock that stands at the end of the last bar."""

    def __init__(self, assets: int = 1, *, equity: float = 100_000.0, assume: dict[str, Any] | None = None, **row: Any):
        self.state = make_state(assets, equity=equity, **row)
        self.venue = sim.new_venue(len(self.state.asset), equity)
        self.assume = sim.Params()._replace(**(assume or {}))
        self.params = params_record(self.assume)[0]
        self.now = START
        self.ids = 0

    @property
    def balance(self) -> float:
        """Cash at the venue, posted margin included."""
        return float(self.venue.head[0].balance)

    def pos(self, asset: int = 0) -> Any:
        """The venue's position row."""
        return self.venue.pos[asset]

    def working(self, asset: int = 0) -> set[int]:
        """Ids of the orders that work."""
        return {int(x) for x in self.venue.work["order_id"][asset] if x}

    def bar(self, o: float, h: float | None = None, l: float | None = None, c: float | None = None,  # noqa: E741
            v: float = 1000.0, asset: int = 0, advance: bool = True) -> list[Said]:  # fmt: skip
        """The next bar; what the venue says because of it. Missing prices follow from the others."""
        c = o if c is None else c
        high, low = max(o, c) if h is None else h, min(o, c) if l is None else l
        event = bar(self.state, asset, self.now + BAR_NS, o, high, low, c, v)
        sim.match(self.venue, self.state, event, self.params)
        if advance:
            self.now += BAR_NS
        return self.told()

    def quiet(self, price: float, count: int = 12, v: float = 1000.0, asset: int = 0) -> None:
        """Bars in which nothing moves."""
        for _ in range(count):
            self.bar(price, v=v, asset=asset)

    def lively(self, price: float, move: float = 0.01, count: int = 13, v: float = 1000.0) -> None:
        """Bars that close up and down by `move` in turn (sigma is then `move`), ending at `price`."""
        for k in range(count):
            self.bar(price, c=price if (count - 1 - k) % 2 == 0 else price * float(np.exp(move)), v=v)

    def submit(self, lots: int, kind: int = ORDER_MARKET, *, trigger: int = 0, reduce: int = 0, parent: int = 0,
               margin: float = 0.0, after_ns: int = 2 * SECOND_NS, asset: int = 0) -> int:  # fmt: skip
        """An order sent `after_ns` after the last bar's end; its id."""
        self.ids += 1
        return self._send(INTENT_SUBMIT, self.ids, asset, kind=kind, lots=lots, trigger_ticks=trigger,
                          reduce_only=reduce, parent_id=parent, margin_usd=margin, after_ns=after_ns)  # fmt: skip

    def amend(self, order: int, trigger: int, after_ns: int = 2 * SECOND_NS, asset: int = 0) -> int:
        """Move a trigger."""
        return self._send(INTENT_AMEND, order, asset, trigger_ticks=trigger, after_ns=after_ns)

    def cancel(self, order: int, after_ns: int = 2 * SECOND_NS, asset: int = 0) -> int:
        """Take an order back."""
        return self._send(INTENT_CANCEL, order, asset, after_ns=after_ns)

    def fund(self, rate: float, asset: int = 0) -> None:
        """A funding payment now."""
        at = np.array([self.now])
        sim.fund(self.venue, self.state, funding_events(at, at, asset, 2, np.array([rate]))[0])

    def told(self) -> list[Said]:
        """What the venue has said since the last time, in its order; the queue is empty afterwards."""
        head = self.venue.head[0]
        said = [
            Said(KINDS[int(e.kind)], int(e.x0), int(e.x1), int(e.x2), float(e.x3), int(e.x4), int(e.ts_event),
                 int(e.ts_known), int(e.asset))
            for e in self.venue.queue[: int(head.queued)]
        ]  # fmt: skip
        head.queued = 0
        return said

    def _send(self, action: int, order: int, asset: int, after_ns: int, **fields: Any) -> int:
        row = np.zeros(1, INTENT)[0]
        row.ts_ns, row.action, row.order_id, row.asset = self.now + after_ns, action, order, asset
        for name, value in fields.items():
            row[name] = value
        sim.accept(self.venue, self.state, row, self.params)
        return order
