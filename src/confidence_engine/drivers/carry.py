"""From one epoch to the next: what is held is a fact and is carried over, what is believed is learnt anew.

Facts are money, positions, working orders with their plans, limits, halts, the counts that give ids, which stories
were traded, and all of the simulated venue. Ids of assets never change, so a row of the book stands where it stood.
Deadlines are on a market's own clock, which begins anew with what is learnt anew, so they are moved by the difference.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.trading import passed
from confidence_engine.drivers.snapshot import Fact
from confidence_engine.kernel.state import State
from confidence_engine.venues.sim import Venue

__all__ = ["ACCOUNT", "FACTS", "carry", "ledger", "occupied"]

ACCOUNT: Final = (
    "decision_seq", "order_seq", "entry_seq", "start_equity", "balance", "equity", "peak_equity", "gross", "net_usd",
    "used_margin", "realised", "fees", "funding", "turnover", "open_positions", "day", "day_equity", "day_trades",
    "week", "week_trades", "halted", "gross_limit", "last_equity_ns",
)  # fmt: skip
"""Fields of the state's head that are facts of the account."""

FACTS: Final = {
    "state.head": Fact(("now_ns", *ACCOUNT), alone=True),
    "state.book": Fact((
        "lots", "entry_price", "margin", "realised", "fees", "funding", "mark_price", "opened_ns", "deadline_ns",
        "stop_ticks", "target_ticks", "entry_id", "entry_leaves", "exit_id", "exit_leaves", "exit_why", "stop_id",
        "target_id", "plan_lots", "net_usd", "notional",
    )),
    "state.session": Fact(("open_ns", "close_ns", "span_ns", "before_ns"), alone=True, newest="open_ns"),
    "state.story": Fact(("cluster", "traded"), alone=True, newest="traded"),
    "venue.head": Fact(("balance",)),
    "venue.pos": Fact(("lots", "entry_price", "margin", "works")),
    "venue.past": Fact(()),
    "venue.work": Fact(("order_id", "kind", "lots", "trigger", "reduce_only", "parent")),
    "venue.queue": Fact(()),
}  # fmt: skip
"""What `carry` takes of a state. What a later layout adds is not named here: an earlier one holds none of it."""

_WORKS: Final = ("lots", "entry_id", "exit_id", "stop_id", "target_id", "plan_lots")
_ON_THE_CLOCK: Final = ("deadline_ns", "plan_until_ns")


def carry(old: State, old_venue: Venue, new: State, new_venue: Venue, stories: dict[int, int], steps: int) -> None:
    """Put the facts of an epoch's end into a state that has learnt anew; `stories`: old underlying -> new.

    `steps` is how many events the journal holds. Raises JournalDamaged where there is less room than there was.
    """
    count = int(old.head[0].n_assets)
    if count > int(new.head[0].n_assets):
        raise JournalDamaged(f"{count} instruments are carried over, and the new epoch has {new.head[0].n_assets}")
    for name in ACCOUNT:
        new.head[name] = old.head[name]
    new.head["steps"] = steps
    new.head["now_ns"] = np.maximum(new.head["now_ns"], old.head["now_ns"])
    marks = new.book["mark_price"].copy()
    new.book[:count] = old.book[:count]
    fresh = marks[:count] > 0.0
    new.book["mark_price"][:count] = np.where(fresh, marks[:count], old.book["mark_price"][:count])
    _move_clocks(old, new, count)
    _mark_traded(old, new, stories)
    for mine, theirs in zip(new_venue, old_venue, strict=True):
        if mine.shape[:1] == theirs.shape[:1]:
            mine[:] = theirs
        else:
            mine[: len(theirs)] = theirs[: len(mine)]
    new_venue.pos["price"][count:] = new.asset["price"][count : len(new_venue.pos)]


def ledger(state: State, venue: Venue) -> dict[str, Any]:
    """The facts as plain values, by which two states can be compared: what must be equal across an epoch."""
    head, count = state.head[0], int(state.head[0].n_assets)
    book = {
        k: {name: state.book[name][k].item() for name in state.book.dtype.names or () if name not in _ON_THE_CLOCK}
        for k in range(count)
    }
    works = [row.tobytes() for row in venue.work[:count].reshape(-1) if row["order_id"] != 0]
    account = {name: getattr(head, name).item() for name in ACCOUNT}
    return {"account": account, "book": book, "works": works, "venue": venue.head[0].tobytes()}


def occupied(state: State, venue: Venue, asset: int) -> bool:
    """Whether anything in lots or ticks of an asset is held, planned, works, or is still to be told by the venue."""
    book = any(state.book[name][asset] != 0 for name in _WORKS)
    waiting = venue.queue[: int(venue.head[0].queued)]
    works = (venue.work["order_id"][asset] != 0).any() or venue.pos["lots"][asset] != 0
    return bool(book or works or (waiting["asset"] == asset).any())


def _move_clocks(old: State, new: State, count: int) -> None:
    now_ns = int(old.head[0].now_ns)
    for k in range(count):
        calendar = int(old.inst["calendar"][k])
        if calendar == 0:
            continue
        moved = _clock(new, int(new.inst["calendar"][k]), now_ns) - _clock(old, calendar, now_ns)
        for name in _ON_THE_CLOCK:
            if new.book[name][k] > 0:
                new.book[name][k] += moved


def _clock(state: State, calendar: int, ns: int) -> int:
    """Trading time of a calendar, as `kernel.session.clock` tells it."""
    rows = state.session[calendar]
    begun = rows[(rows["open_ns"] > 0) & (rows["open_ns"] <= ns)]
    if not len(begun):
        return ns
    last = begun[int(np.argmax(begun["open_ns"]))]
    through = getattr(passed, "py_func", passed)
    return int(last["before_ns"]) + int(through(last["open_ns"], last["close_ns"], last["span_ns"], ns))


def _mark_traded(old: State, new: State, stories: dict[int, int]) -> None:
    """A story that was traded stays traded, wherever it stands now."""
    for u, v in stories.items():
        traded = {int(one["cluster"]): one["traded"] for one in old.story[u] if one["traded"] != 0}
        for one in new.story[v]:
            if one["since_ns"] > 0 and int(one["cluster"]) in traded:
                one["traded"] |= traded[int(one["cluster"])]
