"""All that the engine remembers, as a handful of structured arrays.

Capacity is an array length, not a type: 1 asset and 200 assets use one compilation. Ids are
positions, append-only, never reused. Every field is 8 bytes wide, so there is no padding
and the bytes of the arrays are the state: equal state, equal hash.
A missing number is NaN or, for times and ids, 0 where that is said.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.instrument import CLASSES, INSTRUMENT_ROW, MAX_TIERS, TIER_ROW

__all__ = [
    "ASSET", "BETA", "BOOK", "CLASS", "CROWD", "HEAD", "ITEM", "ITEMS", "PACE", "RING", "RING_BARS", "SLOT", "SLOTS",
    "STATE_SCHEMA", "State", "UNDERLYING", "capacity", "record_of", "new_state", "state_hash",
]  # fmt: skip

STATE_SCHEMA: Final = 1
RING_BARS: Final = 512
ITEMS: Final = 64
SLOTS: Final = 1 + 24 + 168
CAPACITIES: Final = (64, 128, 256)


def record_of(*fields: str) -> np.dtype:
    """Record of 8-byte fields: "name" is a float, "name:i" an integer, "name:u" 64 bits."""
    kinds = {"": "f8", "i": "i8", "u": "u8"}
    return np.dtype((np.record, [(f.partition(":")[0], kinds[f.partition(":")[2]]) for f in fields]))


# The account and the clock, one row.
HEAD: Final = record_of(
    "now_ns:i", "n_assets:i", "n_underlyings:i", "decision_seq:i", "order_seq:i", "entry_seq:i", "clusters_full:i",
    "start_equity", "balance", "equity", "peak_equity", "gross", "net_usd", "used_margin", "realised", "fees",
    "funding", "turnover", "open_positions:i", "day:i", "day_equity", "day_trades:i", "week:i", "week_trades:i",
    "halted:i", "gross_limit", "last_equity_ns:i", "talk_hour:i", "market_frame:i",
)  # fmt: skip

# What the price says, a row an asset.
ASSET: Final = record_of(
    "active:i", "due:i", "n_bars:i", "bar_ns:i", "close_ns:i", "known_ns:i", "open", "high", "low", "price",
    "decay", "variance", "variance_weight", "sigma", "warmth", "first_warm_ns:i", "volume_z", "silent", "volume_n:i",
    "frame:i", "frame_high", "frame_low", "frame_close", "frame_prior", "atr", "atr_n:i", "funding_ns:i",
    "seen_marks:i", "score_mean", "score_std", "score_ns:i", "score_horizon_ns:i",
    "stir_hour:i", "stir_sum", "stir_n:i",
)  # fmt: skip

# The last RING_BARS bars: what the price was when a story was known, and how much it was expected to move.
RING: Final = record_of("close_ns:i", "price", "sigma", "volume")

# Log volume: slot 0 of all hours, 1..24 of the hour of the day, 25..192 of the hour of the week.
SLOT: Final = record_of("centre", "deviation", "count:i")

# What is being told about an underlying.
UNDERLYING: Final = record_of(
    "klass:i", "due:i", "awake:i", "unsettled:i", "oldest_ns:i", "centre", "spread2", "readings:i", "measured_ns:i",
    "live:i", "amount", "weight", "story", "z_story", "since_ns:i", "lead:i", "lead_slot:i", "newest_ns:i",
)  # fmt: skip

# One story, however often retold.
ITEM: Final = record_of(
    "cluster:i", "since_ns:i", "polarity", "certainty", "relevance", "novelty", "publishers:u", "traded:u",
    "n_publishers:i", "n_documents:i", "asleep:i", "reading", "read_ns:i", "weight",
)  # fmt: skip

# Priors an asset class gives to assets that have no history yet.
CLASS: Final = record_of(
    "annual_variance", "prior_spread2", "year_s", "centre", "spread2", "readings:i", "market:i", "frame:i",
)  # fmt: skip

# How much is said about an underlying: documents lately, those of this hour, and what is usual for the time.
CROWD: Final = record_of("hour:i", "told:i", "heard", "heard_ns:i", "expected", "expected_ns:i")

# A mean by the hour: slots as in SLOT. Documents an hour, or how far a bar moves in units of its volatility.
PACE: Final = record_of("centre", "count:i")

# How an asset moves with the market of its class, over closed frames.
BETA: Final = record_of("price", "frame:i", "count:i", "mean_own", "mean_market", "spread2", "joint", "beta")

# What is held, what is working and the frozen plan, a row an asset.
BOOK: Final = record_of(
    "lots:i", "entry_price", "margin", "realised", "fees", "funding", "mark_price", "opened_ns:i", "closed_ns:i",
    "deadline_ns:i", "stop_ticks:i", "target_ticks:i", "trail_from", "trail_by", "best", "decision:i", "entry_id:i",
    "entry_leaves:i", "exit_id:i", "exit_leaves:i", "exit_why:i", "cancelled_id:i", "stop_id:i", "target_id:i",
    "trailed:i", "plan_lots:i", "plan_margin", "plan_until_ns:i", "last_gates:i", "rejected:i", "release_ns:i",
)  # fmt: skip


class State(NamedTuple):
    """The whole state; A = capacity in assets, U = in underlyings (equal to A), C = classes."""

    head: np.ndarray  # HEAD [1]
    asset: np.ndarray  # ASSET [A]
    ring: np.ndarray  # RING [A, RING_BARS]
    slot: np.ndarray  # SLOT [A, SLOTS]
    told: np.ndarray  # UNDERLYING [U]
    story: np.ndarray  # ITEM [U, ITEMS]
    klass: np.ndarray  # CLASS [C]
    book: np.ndarray  # BOOK [A]
    inst: np.ndarray  # INSTRUMENT_ROW [A]
    tier: np.ndarray  # TIER_ROW [A, MAX_TIERS]
    crowd: np.ndarray  # CROWD [U]
    talk: np.ndarray  # PACE [U, SLOTS]
    stir: np.ndarray  # PACE [A, SLOTS]
    beta: np.ndarray  # BETA [A]


def capacity(count: int) -> int:
    """Smallest capacity that holds `count` assets; ValueError above the largest."""
    for size in CAPACITIES:
        if count <= size:
            return size
    raise ValueError(f"{count} assets are more than the largest capacity, {CAPACITIES[-1]}")


def new_state(
    rows: np.ndarray, tiers: np.ndarray, underlying_classes: list[int], priors: np.ndarray, equity: float,
    markets: dict[int, int] | None = None,
) -> State:  # fmt: skip
    """State before the first event.

    rows INSTRUMENT_ROW [n], tiers TIER_ROW [n, MAX_TIERS], class id of every underlying,
    priors [C, 3] of (annual volatility, spread of story readings, trading seconds a year), start equity in USD;
    `markets`: class id -> the underlying that is the whole market of the class.
    """
    size = capacity(max(len(rows), len(underlying_classes)))
    state = State(
        np.zeros(1, HEAD), np.zeros(size, ASSET), np.zeros((size, RING_BARS), RING), np.zeros((size, SLOTS), SLOT),
        np.zeros(size, UNDERLYING), np.zeros((size, ITEMS), ITEM), np.zeros(len(CLASSES), CLASS), np.zeros(size, BOOK),
        np.zeros(size, INSTRUMENT_ROW), np.zeros((size, MAX_TIERS), TIER_ROW),
        np.zeros(size, CROWD), np.zeros((size, SLOTS), PACE), np.zeros((size, SLOTS), PACE), np.zeros(size, BETA),
    )  # fmt: skip
    state.inst[: len(rows)] = rows
    state.tier[: len(rows)] = tiers
    state.asset["active"][: len(rows)] = 1
    for name in ("open", "high", "low", "price", "atr", "volume_z", "score_mean", "score_std"):
        state.asset[name] = np.nan
    state.told["klass"][: len(underlying_classes)] = underlying_classes
    for name in ("story", "z_story"):
        state.told[name] = np.nan
    state.klass["annual_variance"], state.klass["prior_spread2"] = priors[:, 0] ** 2, priors[:, 1] ** 2
    state.klass["year_s"] = priors[:, 2]
    state.klass["market"] = -1
    for klass, u in (markets or {}).items():
        state.klass["market"][klass] = u
    state.beta["price"] = np.nan
    state.beta["beta"] = 1.0
    head = state.head[0]
    head.n_assets, head.n_underlyings = len(rows), len(underlying_classes)
    head.start_equity = head.balance = head.equity = head.peak_equity = head.day_equity = equity
    head.day = head.week = -1
    head.gross_limit = np.nan  # until an operator sets one
    return state


def state_hash(state: State) -> str:
    """SHA-256 over schema, shapes and bytes of all arrays, 64 hex digits."""
    digest = hashlib.sha256(f"state {STATE_SCHEMA}".encode())
    for name, array in zip(State._fields, state, strict=True):
        digest.update(f"{name} {array.dtype.descr} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
