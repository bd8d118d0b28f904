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

from confidence_engine.domain.decision import GATES
from confidence_engine.domain.instrument import CLASSES, INSTRUMENT_ROW, MAX_TIERS, TIER_ROW
from confidence_engine.domain.order import EXIT_NAMES
from confidence_engine.domain.record import record_of

__all__ = [
    "ASSET", "BETA", "BOOK", "CALENDAR", "CLASS", "CROWD", "DAY", "DAYS", "HEAD", "ITEM", "ITEMS", "LEVELS", "PACE",
    "PENDING", "PENDINGS", "REGIME", "REGIME_FRAMES", "RING", "RING_BARS", "SESSION", "SESSIONS", "SLOT", "SLOTS",
    "SOURCES", "STATE_SCHEMA", "State", "TALLIES", "TALLY", "TALLY_ALL", "TALLY_EXIT", "TALLY_GATE", "TALLY_LONG",
    "TALLY_PASSED", "TALLY_SHORT", "TALLY_TAKEN", "TREND", "UNDERLYING", "capacity", "new_state",
    "state_hash",
]  # fmt: skip

STATE_SCHEMA: Final = 4
RING_BARS: Final = 512
ITEMS: Final = 64
DAYS: Final = 64
SLOTS: Final = 1 + 24 + 168
SESSIONS: Final = 128
REGIME_FRAMES: Final = 3
LEVELS: Final = 48
PENDINGS: Final = 16
SOURCES: Final = 64
CAPACITIES: Final = (64, 128, 256)


def _row(*fields: str) -> np.dtype:
    """Record of 8-byte fields as `domain.record` has them; ":l" is a row of levels, ":t" of times."""
    return record_of(*fields, l=f"({LEVELS},)f8", t=f"({ITEMS},)i8")


# The account and the clock, one row.
HEAD: Final = _row(
    "now_ns:i", "steps:i", "n_assets:i", "n_underlyings:i", "decision_seq:i", "order_seq:i", "entry_seq:i",
    "clusters_full:i", "start_equity", "balance", "equity", "peak_equity", "gross", "net_usd", "used_margin",
    "realised", "fees", "funding", "turnover", "open_positions:i", "day:i", "day_equity", "day_trades:i", "week:i",
    "week_trades:i", "halted:i", "gross_limit", "last_equity_ns:i", "unranked:i", "ranked_hour:i", "talk_hour:i",
    "market_frame:i", "feeds:i",
)  # fmt: skip

# What the price says, a row an asset.
ASSET: Final = _row(
    "active:i", "due:i", "n_bars:i", "bar_ns:i", "close_ns:i", "known_ns:i", "open", "high", "low", "price",
    "decay", "variance", "variance_weight", "sigma", "warmth", "first_warm_ns:i", "volume_z", "silent", "volume_n:i",
    "frame:i", "frame_high", "frame_low", "frame_close", "frame_prior", "atr", "atr_n:i", "funding_ns:i",
    "seen_marks:i", "score_mean", "score_std", "score_ns:i", "score_horizon_ns:i",
    "pending:i", "dropped:i", "watched_ns:i", "stir_hour:i", "stir_sum", "stir_n:i", "feed:i",
)  # fmt: skip

# The last RING_BARS bars: what the price was when a story was known, and how much it was expected to move.
RING: Final = _row("close_ns:i", "price", "sigma", "volume")

# Log volume: slot 0 of all hours, 1..24 of the hour of the day, 25..192 of the hour of the week.
SLOT: Final = _row("centre", "deviation", "count:i")

# How wild the market is, a row an asset and timeframe. Over levels of volatility: the posterior by weight of the
# tails, the smoothed count of jumps, where it jumps to, and where it was seen.
REGIME: Final = _row(
    "n_bars:i", "frame:i", "first_ns:i", "last_ns:i", "last", "price_ns:i", "price", "level", "switch", "rank",
    "warmth", "volatility:i", "down", "calm", "up", "trend:i", "w_fat", "w_middle", "w_thin", "back", "fat:l",
    "middle:l", "thin:l", "jumps:l", "home:l", "seen:l",
)  # fmt: skip

# What is being told about an underlying.
UNDERLYING: Final = _row(
    "klass:i", "calendar:i", "due:i", "awake:u", "unsettled:i", "oldest_ns:i", "centre", "spread2", "readings:i",
    "measured_ns:i", "live:i", "amount", "weight", "story", "z_story", "since_ns:i", "lead:i", "lead_slot:i",
    "newest_ns:i", "agreement", "rising:u", "falling:u", "begun:t",
)  # fmt: skip

# One story, however often retold.
ITEM: Final = _row(
    "cluster:i", "since_ns:i", "polarity", "certainty", "relevance", "novelty", "publishers:u", "traded:u",
    "n_publishers:i", "n_documents:i", "asleep:i", "reading", "read_ns:i", "weight", "unsaid", "judged:u",
)  # fmt: skip

# Priors an asset class gives to assets that have no history yet; its market; the level of its trigger, the factor that
# this gives, and what its stories lose on average.
CLASS: Final = _row(
    "annual_variance", "prior_spread2", "year_s", "centre", "spread2", "readings:i", "market:i", "frame:i",
    "level", "factor", "loss", "outcomes:i",
)  # fmt: skip

# How much is said about an underlying: documents lately, those of this hour, and what is usual for the time.
CROWD: Final = _row("hour:i", "told:i", "heard", "heard_ns:i", "expected", "expected_ns:i")

# A mean by the hour: slots as in SLOT. Documents an hour, or how far a bar moves in units of its volatility.
PACE: Final = _row("centre", "count:i")

# How an asset moves with the market of its class, over closed frames.
BETA: Final = _row("price", "frame:i", "count:i", "mean_own", "mean_market", "spread2", "joint", "beta")

# What is held, what is working and the frozen plan, a row an asset.
BOOK: Final = _row(
    "lots:i", "entry_price", "margin", "realised", "fees", "funding", "mark_price", "opened_ns:i", "closed_ns:i",
    "deadline_ns:i", "stop_ticks:i", "target_ticks:i", "trail_from", "trail_by", "best", "decision:i", "entry_id:i",
    "entry_leaves:i", "exit_id:i", "exit_leaves:i", "exit_why:i", "cancelled_id:i", "stop_id:i", "target_id:i",
    "trailed:i", "plan_lots:i", "plan_margin", "plan_until_ns:i", "last_gates:i", "rejected:i", "release_ns:i",
    "limit_ticks:i", "cross:i", "plan_price", "net_usd", "notional",
)  # fmt: skip

# How many sessions of a calendar were seen, and the last SESSIONS of them; row 0 is round the clock and stays empty.
CALENDAR: Final = _row("sessions:i")
SESSION: Final = _row("open_ns:i", "close_ns:i", "offset_ns:i", "span_ns:i", "before_ns:i")
# A case that is watched to its end, up to PENDINGS an asset, on its trading clock; `at_ns` 0 is a free place.
PENDING: Final = _row(
    "at_ns:i", "told_ns:i", "decision:i", "cluster:i", "side:i", "gates:i", "passed:i", "publishers:u",
    "entry_price", "span_ns:i", "end_ns:i", "win", "loss", "cost",
)  # fmt: skip

# Fading counts of outcomes and their net returns. The first SOURCES rows are the sources (slot = stream id modulo
# SOURCES) with their weights, the rest what the TALLY_ names say.
TALLY: Final = _row(
    "outcomes:i", "wins", "losses", "won", "lost", "log_weight", "factor", "stream:i", "shared:i", "documents:i",
)  # fmt: skip
TALLY_ALL, TALLY_LONG, TALLY_SHORT, TALLY_PASSED, TALLY_TAKEN, TALLY_GATE = range(SOURCES, SOURCES + 6)
TALLY_EXIT: Final = TALLY_GATE + GATES
TALLIES: Final = TALLY_EXIT + len(EXIT_NAMES)

# The last DAYS closes of a day's frame, as logarithms.
DAY: Final = _row("log_close")

# Momentum and volatility over days, and where they stand in the asset's class, in [-1, 1]; NaN = not ranked.
TREND: Final = _row(
    "ends_ns:i", "closed_ns:i", "close", "frames:i", "momentum", "daily_sigma", "rank_momentum", "rank_calm"
)


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
    calendar: np.ndarray  # CALENDAR [K + 1]
    session: np.ndarray  # SESSION [K + 1, SESSIONS]
    regime: np.ndarray  # REGIME [A, REGIME_FRAMES]
    crowd: np.ndarray  # CROWD [U]
    talk: np.ndarray  # PACE [U, SLOTS]
    stir: np.ndarray  # PACE [A, SLOTS]
    beta: np.ndarray  # BETA [A]
    pending: np.ndarray  # PENDING [A, PENDINGS]
    tally: np.ndarray  # TALLY [TALLIES]
    day: np.ndarray  # DAY [A, DAYS]
    trend: np.ndarray  # TREND [A]


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
    calendars = 1 + int(rows["calendar"].max(initial=0))
    state = State(
        np.zeros(1, HEAD), np.zeros(size, ASSET), np.zeros((size, RING_BARS), RING), np.zeros((size, SLOTS), SLOT),
        np.zeros(size, UNDERLYING), np.zeros((size, ITEMS), ITEM), np.zeros(len(CLASSES), CLASS), np.zeros(size, BOOK),
        np.zeros(size, INSTRUMENT_ROW), np.zeros((size, MAX_TIERS), TIER_ROW),
        np.zeros(calendars, CALENDAR), np.zeros((calendars, SESSIONS), SESSION),
        np.zeros((size, REGIME_FRAMES), REGIME),
        np.zeros(size, CROWD), np.zeros((size, SLOTS), PACE), np.zeros((size, SLOTS), PACE), np.zeros(size, BETA),
        np.zeros((size, PENDINGS), PENDING), np.zeros(TALLIES, TALLY),
        np.zeros((size, DAYS), DAY), np.zeros(size, TREND),
    )  # fmt: skip
    state.inst[: len(rows)] = rows
    state.tier[: len(rows)] = tiers
    state.asset["active"][: len(rows)] = 1
    for name in ("open", "high", "low", "price", "atr", "volume_z", "score_mean", "score_std"):
        state.asset[name] = np.nan
    state.told["klass"][: len(underlying_classes)] = underlying_classes
    for u in range(len(underlying_classes)):  # stories are told on the clock that all instruments of it share
        mine = rows["underlying"] == u
        if u in (markets or {}).values():  # and those of a market on the clock of its class
            mine = rows["klass"] == underlying_classes[u]
        kept = np.unique(rows["calendar"][mine])
        state.told["calendar"][u] = kept[0] if len(kept) == 1 else 0
    for name in ("momentum", "daily_sigma", "rank_momentum", "rank_calm"):
        state.trend[name] = np.nan
    for name in ("story", "z_story"):
        state.told[name] = np.nan
    state.klass["annual_variance"], state.klass["prior_spread2"] = priors[:, 0] ** 2, priors[:, 1] ** 2
    state.klass["year_s"] = priors[:, 2]
    state.klass["market"] = -1
    for klass, u in (markets or {}).items():
        state.klass["market"][klass] = u
    state.beta["price"] = np.nan
    state.beta["beta"] = 1.0
    state.tally["factor"] = state.klass["factor"] = 1.0
    state.klass["level"] = state.klass["loss"] = 0.5
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
