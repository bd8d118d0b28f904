"""An independent ledger in Decimal: it reads what happened to the money and works out equity for itself.

It shares no code and no number with the kernel's: prices are ticks times the tick as it is written, quantities lots
times the lot, and realised profit, balance and equity follow from executions, fees and funding alone. What the
engine says it earned (`amount_usd`) is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext
from typing import Any

__all__ = ["Reference", "curve"]

FUNDING = 11  # the stored number of the kind; every other entry is an execution


class Reference:
    """Average cost, kept as the total cost of what is held; steps: {asset: (tick, quantity of one lot)}."""

    def __init__(self, start: float, steps: Mapping[int, tuple[str, str]]) -> None:
        self.balance = Decimal(repr(start))
        self.steps = {asset: (Decimal(tick), Decimal(one)) for asset, (tick, one) in steps.items()}
        self.lots: dict[int, int] = {}
        self.cost: dict[int, Decimal] = {}
        self.realised = self.fees = self.funding = Decimal(0)

    def take(self, row: Any) -> None:
        """One entry: an execution, or a payment on what is held."""
        asset = int(row["asset"])
        (tick, one), held = self.steps[asset], self.lots.get(asset, 0)
        if int(row["kind"]) == FUNDING:
            paid = -held * one * Decimal(repr(float(row["price"]))) * Decimal(repr(float(row["rate"])))
            self.funding += paid
            self.balance += paid
            return
        lots, price, fee = int(row["lots"]), int(row["ticks"]) * tick, Decimal(repr(float(row["fee_usd"])))
        cost, gain, closing = self.cost.get(asset, Decimal(0)), Decimal(0), 0
        if held * lots < 0:
            closing = lots if abs(lots) <= abs(held) else -held
            share = cost * Decimal(-closing) / Decimal(held)  # the cost of what is closed
            gain = -closing * one * price - share
            cost -= share
        cost += (lots - closing) * one * price
        self.lots[asset], self.cost[asset] = held + lots, cost
        self.realised += gain
        self.fees += fee
        self.balance += gain - fee

    def equity(self, price: Mapping[int, float]) -> Decimal:
        """Balance and what the positions would bring at these prices."""
        open_profit = sum(
            (lots * self.steps[asset][1] * Decimal(repr(float(price[asset]))) - self.cost[asset]
             for asset, lots in self.lots.items() if lots), Decimal(0)
        )  # fmt: skip
        return self.balance + open_profit


def curve(
    start: float,
    steps: Mapping[int, tuple[str, str]],
    entries: Iterable[Any],
    marks: Iterable[Any],
    times: Iterable[int],
) -> list[Decimal]:
    """Equity at each of the ascending times, from entries known by then and the marks written at that time."""
    book, rows, at = Reference(start, steps), list(entries), 0
    prices: dict[int, dict[int, float]] = {}
    for m in marks:
        prices.setdefault(int(m["ts_ns"]), {})[int(m["asset"])] = float(m["price"])
    found = []
    with localcontext(prec=50):
        for time in times:
            while at < len(rows) and int(rows[at]["ts_known"]) <= time:
                book.take(rows[at])
                at += 1
            found.append(book.equity(prices.get(int(time), {})))
    return found
