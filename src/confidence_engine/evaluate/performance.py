"""What a run earned, measured so that it can be believed: marked to market, by the day, with n and an interval.

Equity is resampled to UTC days (last known value); the Sharpe ratio is mean / sd of daily returns times
sqrt(365) for what trades every day, sqrt(252) for stocks, with the interval of Mertens (2002), which Lo (2002)
gives for the normal case: Var(SR) = (1 - g3 SR + (g4 - 1)/4 SR^2) / (n - 1), per day. Fewer than 20 days or no
variance is "insufficient": no value. Drawdown is on the marked curve, not on closed trades. A trade is a round
trip from flat to flat at average prices; a fill that crosses zero ends one trade and begins the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.event import ADL, CORPORATE, FILL, FUNDING, LIQUIDATION
from confidence_engine.domain.units import DAY_NS

__all__ = [
    "DAYS_A_YEAR", "ENTRY_COLUMNS", "MIN_DAYS", "TRADE", "Drawdown", "Estimate", "Exposure", "Performance",
    "daily_equity", "drawdown", "exposure", "hold_curve", "measure", "minimum_track_days", "payoff_ratio",
    "session_equity", "sharpe", "trades_from_fills", "wilson", "win_rate",
]  # fmt: skip

DAYS_A_YEAR: Final = {"crypto": 365.0, "equity": 252.0, "fx": 252.0, "commodity": 252.0, "index": 252.0}
MIN_DAYS: Final = 20
_MOVES: Final = (FILL, LIQUIDATION, ADL)
_Z95: Final = 1.959963984540054

ENTRY_COLUMNS: Final = np.dtype(
    [
        ("seq", "i8"), ("ts_event", "i8"), ("ts_known", "i8"), ("kind", "i8"), ("asset", "i8"), ("order_id", "i8"),
        ("ticks", "i8"), ("lots", "i8"), ("price", "f8"), ("fee_usd", "f8"), ("rate", "f8"), ("amount_usd", "f8"),
        ("why", "i8"), ("decision", "i8"),
    ]
)  # fmt: skip
"""A line of the ledger: fills (signed lots, price, fee) and funding (amount_usd, + received), in order of `seq`."""

TRADE: Final = np.dtype(
    [
        ("asset", "i8"), ("side", "i8"), ("entry_ns", "i8"), ("exit_ns", "i8"), ("entry_price", "f8"),
        ("exit_price", "f8"), ("lots", "i8"), ("qty", "f8"), ("notional_usd", "f8"), ("fees_usd", "f8"),
        ("funding_usd", "f8"), ("pnl_usd", "f8"), ("why", "i8"), ("decision", "i8"),
    ]
)  # fmt: skip
"""A closed round trip: lots and qty (base) entered in all, at average prices; pnl after fees and funding; `why` it
was left (domain.order) and the decision that opened it."""


class Estimate(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval and the number of observations; value None where n cannot carry one."""

    value: float | None
    ci95: tuple[float, float] | None
    n: int


class Drawdown(msgspec.Struct, frozen=True):
    """Deepest fall below a former peak as a fraction of that peak, and when (ns UTC)."""

    fraction: float
    peak_ns: int
    trough_ns: int


class Exposure(msgspec.Struct, frozen=True):
    """Share of the time with any position, and the time-mean of gross cost basis over equity."""

    time_share: float
    mean_gross: float


class Performance(msgspec.Struct, frozen=True):
    """The figures of one run; amounts in USD, win_rate and max_drawdown as fractions."""

    days: int
    trades: int
    net_pnl_usd: float
    fees_usd: float
    funding_usd: float
    turnover_usd: float
    max_drawdown: Drawdown
    exposure: Exposure
    sharpe: Estimate
    win_rate: Estimate
    payoff_ratio: float | None


class _Open(NamedTuple):
    """Running sums of one open round trip; `sign` is its side, lots are counted positive."""

    sign: int
    entry_ns: int
    decision: int
    lots_in: int
    lots_out: int
    cash_in: float
    cash_out: float
    fees: float
    funding: float


def trades_from_fills(fills: np.ndarray, base_per_lot: Mapping[int, float] | Sequence[float]) -> np.ndarray:
    """TRADE[k] of the round trips that are closed, in order of their exit.

    fills: any array with the fields of ENTRY_COLUMNS; base_per_lot: asset -> base quantity of one lot, multiplier
    included. Raises DataRefused for a fill of no lots, and for funding booked where there is no position.
    """
    running: dict[int, _Open] = {}
    done: list[tuple[Any, ...]] = []
    for row in fills[np.argsort(fills["seq"], kind="stable")]:
        asset, kind = int(row["asset"]), int(row["kind"])
        if kind == FUNDING:
            _fund(running, asset, row)
        elif kind == CORPORATE:
            _adjust(running, done, asset, row, float(base_per_lot[asset]))
        elif kind in _MOVES:
            _fill(running, done, asset, row, float(base_per_lot[asset]))
    return np.array(done, TRADE)


def _fund(running: dict[int, _Open], asset: int, row: np.void) -> None:
    amount = float(row["amount_usd"])
    if asset in running:
        running[asset] = running[asset]._replace(funding=running[asset].funding + amount)
    elif amount != 0.0:
        raise DataRefused(f"ledger line {row['seq']}: funding of {amount} USD on asset {asset}, which has no position")


def _adjust(running: dict[int, _Open], done: list[tuple[Any, ...]], asset: int, row: np.void, base: float) -> None:
    """A split changes the count of shares and not the money; a dividend and a broken lot are money of the position."""
    held = running[asset]
    ratio = float(row["rate"])
    left = held.lots_in - held.lots_out + held.sign * int(row["lots"])
    if math.isfinite(ratio):
        broken = (held.lots_in - held.lots_out) * ratio - left  # paid out; its gain is the amount of the row
        cost = broken * held.cash_in / (held.lots_in * ratio)
        bought = max(round(held.lots_in * ratio - broken), left)
        held = held._replace(lots_in=bought, lots_out=bought - left, cash_in=held.cash_in - cost)
    held = held._replace(funding=held.funding + float(row["amount_usd"]))
    running[asset] = held
    if left == 0:  # a reverse split paid all of it out
        done.append(_close(asset, held, row, base))
        del running[asset]


def _fill(running: dict[int, _Open], done: list[tuple[Any, ...]], asset: int, row: np.void, base: float) -> None:
    signed, price, fee = int(row["lots"]), float(row["price"]), float(row["fee_usd"])
    if signed == 0:
        raise DataRefused(f"ledger line {row['seq']}: a fill of no lots")
    left, sign = abs(signed), (1 if signed > 0 else -1)
    held = running.get(asset)
    if held is not None and held.sign != sign:
        closing = min(left, held.lots_in - held.lots_out)
        held = held._replace(
            lots_out=held.lots_out + closing,
            cash_out=held.cash_out + closing * price,
            fees=held.fees + fee * closing / abs(signed),
        )
        left -= closing
        if held.lots_out == held.lots_in:
            done.append(_close(asset, held, row, base))
            del running[asset]
            held = None
        else:
            running[asset] = held
    if left:
        if held is None:
            held = _Open(sign, int(row["ts_event"]), int(row["decision"]), 0, 0, 0.0, 0.0, 0.0, 0.0)
        running[asset] = held._replace(
            lots_in=held.lots_in + left,
            cash_in=held.cash_in + left * price,
            fees=held.fees + fee * left / abs(signed),
        )


def _close(asset: int, held: _Open, row: np.void, base: float) -> tuple[Any, ...]:
    pnl = held.sign * (held.cash_out - held.cash_in) * base - held.fees + held.funding
    sold = held.lots_in > 0
    mean_in, mean_out = (held.cash_in / held.lots_in, held.cash_out / held.lots_in) if sold else (math.nan, math.nan)
    return (
        asset, held.sign, held.entry_ns, int(row["ts_event"]), mean_in, mean_out, held.lots_in, held.lots_in * base,
        held.cash_in * base, held.fees, held.funding, pnl, int(row["why"]), held.decision,
    )  # fmt: skip


def daily_equity(ts_ns: np.ndarray, equity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ends i8[n+1], values f8[n+1]): the value at the start and at the end of each of n UTC days, last known.

    A point at midnight belongs to the day it ends. Days without a point carry the last value on. A first or last
    day of which less than half lies in the record is joined to its neighbour, so that no profit is left out.
    Raises DataRefused for an empty, unsorted or non-finite curve.
    """
    if len(ts_ns) == 0 or len(ts_ns) != len(equity):
        raise DataRefused(f"an equity curve of {len(ts_ns)} times and {len(equity)} values")
    if np.any(np.diff(ts_ns) < 0) or not np.all(np.isfinite(equity)):
        raise DataRefused("an equity curve out of order or with missing values")
    start, end = int(ts_ns[0]), int(ts_ns[-1])
    first = (start + DAY_NS // 2 - 1) // DAY_NS + 1
    last = (end + DAY_NS // 2) // DAY_NS
    ends = np.arange(first, last + 1, dtype=np.int64) * DAY_NS
    if len(ends) == 0:
        return np.array([start], np.int64), np.array([equity[0]], np.float64)
    at = np.searchsorted(ts_ns, ends, side="right") - 1
    at[-1] = len(ts_ns) - 1
    return np.concatenate([[start], ends]), np.concatenate([[equity[0]], equity[at]])


def session_equity(ts_ns: np.ndarray, equity: np.ndarray, closes_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ends i8[n+1], values f8[n+1]) as `daily_equity`, a day being a session: days without one are no days of record.

    The value of a session is the last one known before the next session's close, as its bar is known after its own.
    """
    ends = closes_ns[(closes_ns > ts_ns[0]) & (closes_ns <= ts_ns[-1])]
    if len(ends) == 0:
        return ts_ns[:1].astype(np.int64), equity[:1].astype(np.float64)
    at = np.searchsorted(ts_ns, np.append(ends[1:], ts_ns[-1] + 1), side="left") - 1
    return np.concatenate([ts_ns[:1], ends]), np.concatenate([equity[:1], equity[at]])


def sharpe(returns: np.ndarray, days_a_year: float) -> Estimate:
    """Annual Sharpe ratio of daily returns f8[n] with its 95 % interval; no value below 20 days or at no variance."""
    n = len(returns)
    spread = float(np.std(returns, ddof=1)) if n > 1 else 0.0
    if n < MIN_DAYS or not spread > 1e-12 * float(np.max(np.abs(returns))):
        return Estimate(None, None, n)
    daily = float(np.mean(returns)) / spread
    centred = returns - np.mean(returns)
    moment = float(np.mean(centred**2))
    skew = float(np.mean(centred**3)) / moment**1.5
    kurtosis = float(np.mean(centred**4)) / moment**2
    error = math.sqrt(max(_variance_factor(daily, skew, kurtosis), 0.0) / (n - 1))
    year = math.sqrt(days_a_year)
    return Estimate(daily * year, ((daily - _Z95 * error) * year, (daily + _Z95 * error) * year), n)


def _variance_factor(daily: float, skew: float, kurtosis: float) -> float:
    return 1.0 - skew * daily + (kurtosis - 1.0) / 4.0 * daily**2


def minimum_track_days(
    annual: float, benchmark: float, days_a_year: float, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Days of record needed to say at 95 % (one-sided) that a Sharpe ratio beats the benchmark; inf if it does not.

    Source: Bailey and Lopez de Prado, The Sharpe Ratio Efficient Frontier (2012), minimum track record length.
    """
    if annual <= benchmark:
        return math.inf
    daily, gap = annual / math.sqrt(days_a_year), (annual - benchmark) / math.sqrt(days_a_year)
    return 1.0 + _variance_factor(daily, skew, kurtosis) * (1.6448536269514722 / gap) ** 2


def drawdown(ts_ns: np.ndarray, equity: np.ndarray) -> Drawdown:
    """Deepest fall of the marked curve; fraction 0 at its start where it never fell."""
    peaks = np.maximum.accumulate(equity)
    if not peaks[0] > 0.0:
        raise DataRefused("an equity curve that does not begin above zero")
    falls = 1.0 - equity / peaks
    trough = int(np.argmax(falls))
    peak = int(np.argmax(equity[: trough + 1]))
    return Drawdown(float(falls[trough]), int(ts_ns[peak]), int(ts_ns[trough]))


def exposure(
    ts_ns: np.ndarray,
    equity: np.ndarray,
    fills: np.ndarray,
    base_per_lot: Mapping[int, float] | Sequence[float],
) -> Exposure:
    """Exposure over [ts_ns[0], ts_ns[-1]], from the fills; positions count at their average cost, not at the mark."""
    start, end = int(ts_ns[0]), int(ts_ns[-1])
    if end <= start:
        return Exposure(0.0, 0.0)
    held: dict[int, tuple[int, float]] = {}
    splits = (fills["kind"] == CORPORATE) & (fills["lots"] != 0)
    moves = fills[np.isin(fills["kind"], _MOVES) | splits]
    times, gross = [start], [0.0]
    for row in moves[np.lexsort((moves["seq"], moves["ts_event"]))]:
        asset, lots, price = int(row["asset"]), int(row["lots"]), float(row["price"])
        had, cost = held.get(asset, (0, 0.0))
        now = had + lots
        if now == 0:
            cost = 0.0
        elif row["kind"] == CORPORATE:
            cost /= float(row["rate"])
        elif had * lots >= 0:
            cost = (cost * abs(had) + price * abs(lots)) / abs(now)
        elif had * now < 0:
            cost = price
        held[asset] = (now, cost)
        times.append(min(max(int(row["ts_event"]), start), end))
        gross.append(sum(abs(n) * p * float(base_per_lot[k]) for k, (n, p) in held.items()))
    return _time_mean(np.array(times, np.int64), np.array(gross), ts_ns, equity)


def _time_mean(times: np.ndarray, gross: np.ndarray, ts_ns: np.ndarray, equity: np.ndarray) -> Exposure:
    """Integrate two step functions over the union of their steps."""
    edges = np.unique(np.concatenate([times, ts_ns]))
    width = np.diff(edges).astype(np.float64)
    level = gross[np.searchsorted(times, edges[:-1], side="right") - 1]
    value = equity[np.searchsorted(ts_ns, edges[:-1], side="right") - 1]
    share = np.divide(level, value, out=np.full(len(level), np.nan), where=value > 0.0)
    span = width.sum()
    solvent = width[np.isfinite(share)].sum()
    mean = float(np.nansum(share * width) / solvent) if solvent > 0.0 else math.nan
    return Exposure(float(width[level > 0.0].sum() / span), mean)


def win_rate(pnl_usd: np.ndarray) -> Estimate:
    """Share of trades with a profit after costs, with the interval of Wilson (1927)."""
    n = len(pnl_usd)
    if n == 0:
        return Estimate(None, None, 0)
    p = float(np.mean(pnl_usd > 0.0))
    return Estimate(p, wilson(p, n), n)


def wilson(p: float, n: float) -> tuple[float, float]:
    """95 % interval of a share p of n independent cases, n > 0 and not necessarily whole. Source: Wilson (1927)."""
    z2 = _Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def payoff_ratio(pnl_usd: np.ndarray) -> float | None:
    """Mean profit of the winning trades over mean loss of the losing; None where one of the two is missing."""
    wins, losses = pnl_usd[pnl_usd > 0.0], pnl_usd[pnl_usd < 0.0]
    if len(wins) == 0 or len(losses) == 0:
        return None
    return float(np.mean(wins) / -np.mean(losses))


def hold_curve(
    ts_ns: np.ndarray, bars: Sequence[np.ndarray], side_cost: Sequence[float], initial_usd: float
) -> np.ndarray:
    """Equity f8[n] of buying each symbol with an equal share of the start at its first open, and waiting.

    bars: per symbol an array with open_ns, close_ns, o, c, ascending, of which those in [ts_ns[0], ts_ns[-1]] are
    used; side_cost: fraction of the notional paid a side. Marks are last closes; the last point is sold, cost
    paid, so that hold_pnl_usd = curve[-1] - initial_usd. A late listing is cash until its first open. No leverage
    and no funding: a holder buys the coin, not the perpetual.
    Raises DataRefused where no symbol has a bar in the period.
    """
    start, end = int(ts_ns[0]), int(ts_ns[-1])
    inside = [b[(b["open_ns"] >= start) & (b["close_ns"] <= end)] for b in bars]
    held = [(b, cost) for b, cost in zip(inside, side_cost, strict=True) if len(b)]
    if not held:
        raise DataRefused("nothing to hold: no symbol has a bar in the period")
    curve = np.zeros(len(ts_ns))
    for b, cost in held:
        money = initial_usd / len(held)
        units = money / (float(b["o"][0]) * (1.0 + cost))
        at = np.searchsorted(b["close_ns"], ts_ns, side="right") - 1
        marked = np.where(at >= 0, units * b["c"][np.maximum(at, 0)], money)
        marked[-1] = units * float(b["c"][-1]) * (1.0 - cost)
        curve += marked
    return curve


def measure(
    ts_ns: np.ndarray,
    equity: np.ndarray,
    fills: np.ndarray,
    base_per_lot: Mapping[int, float] | Sequence[float],
    klass: str = "crypto",
    closes_ns: np.ndarray | None = None,
) -> Performance:
    """All figures of one run. ts_ns i8[n], equity f8[n] marked at least hourly; fills with ENTRY_COLUMNS.

    Fees, funding and turnover are sums over all ledger lines, open positions included; win rate and payoff over
    closed trades. `klass` chooses the days of a year; with `closes_ns`, ends of sessions, a day is a session.
    """
    ends, values = daily_equity(ts_ns, equity)
    if closes_ns is not None:
        ends, values = session_equity(ts_ns, equity, closes_ns)
    solvent = bool(np.all(values > 0.0))
    returns = np.diff(values) / values[:-1] if solvent else np.zeros(0)
    trades = trades_from_fills(fills, base_per_lot)
    moved = fills[np.isin(fills["kind"], _MOVES)]
    base = np.array([float(base_per_lot[int(k)]) for k in moved["asset"]])
    return Performance(
        days=len(ends) - 1,
        trades=len(trades),
        net_pnl_usd=float(equity[-1] - equity[0]),
        fees_usd=float(moved["fee_usd"].sum()),
        funding_usd=float(fills["amount_usd"][fills["kind"] == FUNDING].sum()),
        turnover_usd=float((np.abs(moved["lots"]) * base * moved["price"]).sum()),
        max_drawdown=drawdown(ts_ns, equity),
        exposure=exposure(ts_ns, equity, fills, base_per_lot),
        sharpe=sharpe(returns, DAYS_A_YEAR[klass]),
        win_rate=win_rate(trades["pnl_usd"]),
        payoff_ratio=payoff_ratio(trades["pnl_usd"]),
    )
