"""Words for orders, commands and refusals, shared by kernel, venues and reports.

An order carries integer lots and ticks. Entry orders bring their protection with them: stop
and target are children of the entry and live at the venue from the entry's first fill on.
A limit order is post-only: it rests, or it is refused.
"""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = [
    "CMD_FLATTEN", "CMD_HALT", "CMD_LIMIT", "CMD_RESUME", "CMD_STAND_DOWN", "EXIT_NAMES", "INTENT", "INTENT_NAMES",
    "INTENT_AMEND", "INTENT_CANCEL", "INTENT_SUBMIT", "ORDER_LIMIT", "ORDER_MARKET", "ORDER_NAMES", "ORDER_STOP",
    "ORDER_TARGET", "REJECT_NAMES", "REJ_LOT", "REJ_MARGIN", "REJ_MIN_NOTIONAL", "REJ_NONE", "REJ_REDUCE_ONLY",
    "REJ_SHORT", "REJ_TICK", "REJ_UNKNOWN_ORDER", "REJ_WOULD_TAKE", "WHY_ENTRY", "WHY_FLATTEN", "WHY_LIQUIDATED",
    "WHY_NONE", "WHY_REVERSED", "WHY_STOP", "WHY_TARGET", "WHY_TIME", "WHY_TRAIL", "client_order_id", "execution_id",
]  # fmt: skip

ORDER_MARKET, ORDER_STOP, ORDER_TARGET, ORDER_LIMIT = 1, 2, 3, 4
ORDER_NAMES: Final = {ORDER_MARKET: "market", ORDER_STOP: "stop", ORDER_TARGET: "target", ORDER_LIMIT: "limit"}

INTENT_SUBMIT, INTENT_AMEND, INTENT_CANCEL = 1, 2, 3
INTENT_NAMES: Final = {INTENT_SUBMIT: "submit", INTENT_AMEND: "amend", INTENT_CANCEL: "cancel"}

# Why a position is entered or left.
WHY_NONE, WHY_ENTRY, WHY_STOP, WHY_TARGET, WHY_TRAIL, WHY_TIME, WHY_REVERSED, WHY_FLATTEN, WHY_LIQUIDATED = range(9)
EXIT_NAMES: Final = {
    WHY_NONE: "none", WHY_ENTRY: "entry", WHY_STOP: "stop", WHY_TARGET: "target", WHY_TRAIL: "trailing stop",
    WHY_TIME: "time", WHY_REVERSED: "story reversed", WHY_FLATTEN: "flattened", WHY_LIQUIDATED: "liquidated",
}  # fmt: skip

# Why a venue refuses.
REJ_NONE, REJ_TICK, REJ_LOT, REJ_MIN_NOTIONAL, REJ_MARGIN, REJ_SHORT, REJ_REDUCE_ONLY, REJ_UNKNOWN_ORDER = range(8)
REJ_WOULD_TAKE = 8
REJECT_NAMES: Final = {
    REJ_NONE: "none", REJ_TICK: "price is not a valid tick", REJ_LOT: "quantity is not a valid lot",
    REJ_MIN_NOTIONAL: "below minimum notional", REJ_MARGIN: "insufficient margin", REJ_SHORT: "short not allowed",
    REJ_REDUCE_ONLY: "reduce-only would increase", REJ_UNKNOWN_ORDER: "unknown order",
    REJ_WOULD_TAKE: "post-only would take",
}  # fmt: skip

CMD_HALT, CMD_RESUME, CMD_FLATTEN, CMD_LIMIT, CMD_STAND_DOWN = 1, 2, 3, 4, 5

INTENT: Final = np.dtype(
    (
        np.record,
        [
            ("event", "i8"),  # sequence of the event that it answers
            ("ts_ns", "i8"),  # when it was decided
            ("action", "i8"),  # submit, amend, cancel
            ("order_id", "i8"),  # > 0, unique per agent for ever
            ("asset", "i8"),
            ("kind", "i8"),  # market, stop, target, limit
            ("lots", "i8"),  # signed, + buys; 0 for children until the parent fills
            ("trigger_ticks", "i8"),  # stop, target or limit price; 0 for market
            ("reduce_only", "i8"),
            ("parent_id", "i8"),  # entry this child protects; 0 for none
            ("margin_usd", "f8"),  # isolated margin to post for the whole order; 0 for spot and reductions
            ("why", "i8"),
            ("decision", "i8"),  # sequence of the decision behind it
        ],
    )
)


def client_order_id(journal: str, order_id: int) -> str:
    """Name of an order that no other journal's order bears: 80 bits of the journal's uuid, "-", the order's number.

    At most 36 characters, which is what the shortest venue allows.
    """
    return f"{journal.replace('-', '')[:20]}-{order_id}"


def execution_id(journal: str, seq: int) -> str:
    """Name of a ledger line where the venue gives none, made alike from the line's number."""
    return f"{journal.replace('-', '')[:20]}+{seq}"
