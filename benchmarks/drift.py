"""Do the running estimators still hold what a fresh computation from the whole history gives?

    python -m benchmarks.drift                 # 20 million bars, a little over a minute on one core
    python -m benchmarks.drift --bars 500000   # quicker

What the kernel learns from bars is fed bar by bar (1 % of the bars are missing, 2 % have no trade), what it learns from
stories and outcomes by as many of those (`drift_learnt.py`), then all is computed anew in a second pass: sums over the
history with the weights written out, in 80-bit floats. Only the end of the history is summed: what lies before the 45
last time constants weighs less than 3e-20 (where the regime's year has not passed so often, its sums begin from the
state in the middle). The filter of the regime has no closed form; the last 20,000 bars of the shortest timeframe are
done again in 80-bit floats with a full transition matrix. Printed are relative errors.
"""

from __future__ import annotations

import argparse
import math
from typing import Any, NamedTuple

import numba
import numpy as np
from benchmarks.drift_learnt import REACH, Long, learnt_errors, off, tail_weights

from confidence_engine.domain import event as ev
from confidence_engine.domain.instrument import CLASSES, Instrument, instrument_rows
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.kernel import price, regime
from confidence_engine.kernel.params import Params
from confidence_engine.kernel.state import LEVELS, REGIME_FRAMES, State, new_state

BAR = 5 * MINUTE_NS
BEGIN = 20_000 * DAY_NS
CHUNK = 500_000
"""Most bars that are made at once."""
PRIOR = 0.8
YEAR_S = 365 * 86_400.0
AGAIN = 20_000
"""Most bars of the filter that are done again."""


class Piece(NamedTuple):
    """Bars numbered from `first` on: time of the close, open, high, low, close, volume."""

    close_ns: np.ndarray
    rows: np.ndarray


def piece(number: int, begin: int, count: int) -> Piece:
    """One chunk of the history, the same whenever it is asked for: volatility in spells, gaps, bars without a trade."""
    rng = np.random.default_rng([7, number])
    spells = np.repeat(np.exp(rng.normal(0.0, 0.6, count // 250 + 1)), 250)[:count]
    moves = 0.0025 * spells * rng.standard_t(4, count) / math.sqrt(2.0)
    close = 100.0 * np.exp(np.cumsum(moves - moves.mean()))  # every chunk begins and ends at 100
    opened = np.append(100.0, close[:-1])
    reach = np.abs(rng.normal(0.0, 0.001, (2, count)))
    high, low = np.maximum(opened, close) * (1.0 + reach[0]), np.minimum(opened, close) * (1.0 - reach[1])
    volume = np.where(rng.random(count) < 0.02, 0.0, rng.lognormal(3.0, 1.0, count))
    at = BEGIN + BAR * (begin + np.arange(1, count + 1, dtype=np.int64))
    kept = rng.random(count) > 0.01
    return Piece(at[kept], np.column_stack([opened, high, low, close, volume])[kept])


def events(one: Piece) -> np.ndarray:
    """BAR events of a chunk."""
    return ev.bar_events(one.close_ns, one.close_ns + SECOND_NS, 0, 1, tuple(one.rows.T))


def pieces(bars: int, last: int | None = None) -> Any:
    """The history in chunks, or the chunks that hold its `last` bars."""
    chunk = min(CHUNK, bars // 4)
    first = 0 if last is None else max(0, (bars - last) // chunk)
    return (piece(k, begin, min(chunk, bars - begin)) for k, begin in enumerate(range(0, bars, chunk)) if k >= first)


def fresh() -> tuple[State, np.ndarray]:
    """State of one coin and the default parameters."""
    one = Instrument(
        symbol="C/USDT", venue="bench", underlying="C", klass="crypto", quote="USDT", tick=0.01, lot=0.001,
        min_notional=5.0, taker=5e-4, maker=2e-4, half_spread=1e-4,
    )  # fmt: skip
    rows, tiers = instrument_rows([one], ["C"], BAR)
    return new_state(rows, tiers, [0], np.tile([PRIOR, 0.5, YEAR_S], (len(CLASSES), 1)), 1e5), params_record(Params())


@numba.njit(error_model="numpy")
def observe_all(s, tape, params):
    """Price and regime over a chunk."""
    for k in range(len(tape)):
        price.observe(s, 0, tape[k], params[0].price)
        regime.observe(s, 0, tape[k], params[0].regime)


@numba.njit(error_model="numpy")
def weigh(s, tape, params, ends, steps, home, seen):
    """Add what a chunk's frames weigh at the end to the compensated sums [frame, 2, LEVELS].

    `ends` [frame] is how many closed frames there will be in the end, `steps` [frame, 2] of home and of seen.
    """
    p = params[0]
    for k in range(len(tape)):
        price.observe(s, 0, tape[k], p.price)
        before = s.regime[0, 0].n_bars, s.regime[0, 1].n_bars, s.regime[0, 2].n_bars
        regime.observe(s, 0, tape[k], p.regime)
        for f in range(REGIME_FRAMES):
            r = s.regime[0, f]
            if r.n_bars == before[f]:
                continue
            w = steps[f, 0] * math.exp((ends[f] - r.n_bars) * math.log1p(-steps[f, 0]))
            for j in range(LEVELS):
                _add(home[f], j, w * (r.fat[j] + r.middle[j] + r.thin[j]))
            w = steps[f, 1] * math.exp((ends[f] - r.n_bars) * math.log1p(-steps[f, 1]))
            _add(seen[f], math.floor(r.level + 0.5), w)


@numba.njit(error_model="numpy")
def _add(total, j, x):
    """Neumaier's sum: what rounding takes is kept in the second row."""
    both = total[0, j] + x
    total[1, j] += (total[0, j] - both) + x if abs(total[0, j]) >= abs(x) else (x - both) + total[0, j]
    total[0, j] = both


def price_errors(state: State, params: np.ndarray, bars: int) -> dict[str, float]:
    """Variance, range, silence and the 193 slots of volume."""
    a, p = state.asset[0], params[0].price
    span = max(int(REACH * 1.5 * p.vol_half_life_ns / BAR), int(REACH * p.atr_obs * 12))
    near = list(pieces(bars, span))
    ns, rows = np.concatenate([one.close_ns for one in near]), np.concatenate([one.rows for one in near])
    count = np.maximum(np.round(np.diff(ns) / BAR), 1.0).astype(Long)
    squares = np.diff(np.log(rows[:, 3].astype(Long))) ** 2 / count
    decay = np.exp(-np.log(Long(2.0)) * BAR / p.vol_half_life_ns)
    variance = ((1 - decay) * decay ** np.arange(len(squares) - 1, -1, -1).astype(Long) * squares).sum()
    found = {"price variance": off(a.variance, variance), "price ATR": off(a.atr, _range(ns, rows, a, p))}
    volumes, hours = _volumes(bars, int(REACH * p.volume_obs) * 2 * 190)
    silent = tail_weights(min(len(volumes), int(REACH * p.volume_obs)), 1.0 / p.volume_obs, int(a.volume_n))
    found["price silence"] = off(a.silent, (silent * (volumes[-len(silent) :] == 0.0)).sum())
    return found | _slot_errors(state, p, np.log(volumes[volumes > 0.0]), hours[volumes > 0.0])


def _range(ns: np.ndarray, rows: np.ndarray, a: Any, p: Any) -> Any:
    """Wilder's mean of the true ranges of closed frames; a frame's range reaches to the close before it."""
    frames = (ns - 1) // p.atr_frame_ns
    begins = np.append(0, np.flatnonzero(np.diff(frames)) + 1)
    high, low = np.maximum.reduceat(rows[:, 1], begins), np.minimum.reduceat(rows[:, 2], begins)
    before = rows[begins[1:] - 1, 3]
    reach = (np.maximum(high[1:], before) - np.minimum(low[1:], before)).astype(Long)[:-1]  # the last is still open
    use = min(len(reach), int(REACH * p.atr_obs))
    return (tail_weights(use, 1.0 / p.atr_obs, int(a.atr_n)) * reach[-use:]).sum()


def _volumes(bars: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Volumes of the last bars and their hours since 1970."""
    near = list(pieces(bars, last))
    return (
        np.concatenate([one.rows[:, 4] for one in near]),
        np.concatenate([(one.close_ns - 1) // HOUR_NS for one in near]),
    )


def _slot_errors(state: State, p: Any, x: np.ndarray, hours: np.ndarray) -> dict[str, float]:
    """Worst error over centres and over deviations of the slots."""
    worst = {"volume centres": 0.0, "volume deviations": 0.0}
    use = int(35 * p.volume_obs)  # 1e-15
    for k, slot in enumerate(state.slot[0]):
        mine = x if k == 0 else x[hours % 24 == k - 1] if k <= 24 else x[hours % 168 == k - 25]
        total = int(slot["count"])
        if len(mine) < min(2 * use + 1, total):
            raise SystemExit(f"slot {k}: {len(mine)} observations are too few for a second pass")
        mine = mine[-2 * use - 1 :].astype(Long)
        weights = tail_weights(min(use, len(mine)), 1.0 / p.volume_obs, total)
        worst["volume centres"] = max(
            worst["volume centres"], off(slot["centre"], (weights * mine[-len(weights) :]).sum())
        )
        if len(mine) == 2 * use + 1:
            kernel = weights[::-1].astype(float)  # newest first: what a centre was made of
            size = len(mine) + len(kernel)
            both = np.fft.irfft(np.fft.rfft(mine.astype(float), size) * np.fft.rfft(kernel, size), size)
            centres = both[len(kernel) - 1 : len(mine) - 1]  # before each of the last observations
            apart = np.abs(mine[-len(centres) :] - centres)[-use:]
            anew = (weights[-len(apart) :] * apart).sum()
            worst["volume deviations"] = max(worst["volume deviations"], off(slot["deviation"], anew))
    return worst


def regime_errors(before: State, after: State, params: np.ndarray, tapes: list[np.ndarray]) -> dict[str, float]:
    """Where each timeframe jumps to and where it was seen, as weighted sums over the bars of `tapes`."""
    p = params[0].regime
    years = YEAR_S * SECOND_NS / np.array([BAR, p.middle_frame_ns, p.long_frame_ns])
    steps = np.column_stack([2.0 / years, 2.0 * 365 * DAY_NS / (p.full_age_ns * years)])
    home, seen = np.zeros((2, REGIME_FRAMES, 2, LEVELS))
    old = before.regime[0].copy()
    for tape in tapes:
        weigh(before, tape, params, after.regime["n_bars"][0], steps, home, seen)
    if not np.array_equal(before.regime, after.regime):
        raise SystemExit("the second pass is not the first: nothing was compared")
    found: dict[str, float] = {}
    for f, name in enumerate(("", " middle", " long")):
        new, left = after.regime[0, f], int(after.regime[0, f].n_bars - old[f].n_bars)
        for word, sums, step in (("home", home[f], steps[f, 0]), ("seen", seen[f], steps[f, 1])):
            kept = old[f][word].astype(Long) * np.exp(left * np.log1p(-Long(step)))
            anew = kept + sums[0].astype(Long) + sums[1]
            there = anew > 0.0
            found[f"regime{name} {word}"] = float(np.max(np.abs(new[word] - anew)[there] / anew[there]))
        sums_to = (new.fat.sum() + new.middle.sum() + new.thin.sum(), new.w_fat + new.w_middle + new.w_thin)
        sums_to += (new.home.sum(), new.seen.sum(), new.down + new.calm + new.up)
        found[f"regime{name} sums to one"] = max(abs(float(total) - 1.0) for total in sums_to)
    return found


def filter_errors(before: State, after: State, params: np.ndarray, one: Piece) -> dict[str, float]:
    """The filter over the bars of `one` once more, in 80 bits and with the transitions written out as a matrix."""
    old, new, p = before.regime[0, 0], after.regime[0, 0], params[0].regime
    tails = np.stack([old.fat, old.middle, old.thin]).astype(Long)
    jumps, home, switch = old.jumps.astype(Long), old.home.astype(Long), Long(old.switch)
    last, last_ns, year = Long(old.last), int(old.last_ns), YEAR_S * SECOND_NS / BAR
    for close_ns, close in zip(one.close_ns.tolist(), one.rows[:, 3].astype(Long), strict=True):
        passed = max(1, round((close_ns - last_ns) / BAR))
        x = np.log(close / last) / np.sqrt(passed * Long(PRIOR) ** 2 / year)
        tails, jumps, home, switch = again(x, (1 - switch) ** passed, tails, jumps, home, Long(2.0 / year), p)
        last, last_ns = close, close_ns
    level = (tails.sum(axis=0) * np.arange(LEVELS)).sum()
    seen = tails.sum(axis=0) > 1e-12
    mine = new.fat + new.middle + new.thin
    return {
        "regime posterior": float(np.max(np.abs(mine - tails.sum(axis=0))[seen] / tails.sum(axis=0)[seen])),
        "regime level": off(new.level, level),
        "regime switch": off(new.switch, switch),
    }


def again(x: Any, stay: Any, tails: np.ndarray, jumps: np.ndarray, home: np.ndarray, step: Any, p: Any) -> tuple:
    """One Bayes step: tails [3, LEVELS], smoothed jumps a level, where it jumps to."""
    here = tails.sum(axis=0)
    target = (1 - regime.REACH) * home + Long(regime.REACH) / LEVELS
    came = (1 - stay) * target / (stay * here + (1 - stay) * target)
    origin = np.diag(1 - came) + np.outer(here, came)  # where a level was a bar ago, given where it is
    jumps = (1 - step) * (jumps @ origin) + step * came
    mixed = (1 - regime.TURN) * np.eye(3, dtype=Long) + Long(regime.TURN) / 3
    stays, jumped = mixed @ tails, np.outer(mixed @ tails.sum(axis=1), target)
    width = np.exp(Long(regime.STEP) * (np.arange(LEVELS) - regime.ANCHOR))
    ahead = stay * stays + (1 - stay) * jumped
    for row, nu in zip(ahead, (regime.FAT, regime.MIDDLE, regime.THIN), strict=True):
        row *= regime._scale(nu) / width * (1 + (x / width) ** 2 / (nu - 2)) ** (-(nu + 1) / 2)
    tails = ahead / ahead.sum()
    here = tails.sum(axis=0)
    rate = np.clip((here * jumps).sum(), regime.LEAST_SWITCH, regime.MOST_SWITCH)
    return tails, jumps, home + step * (here - home), rate


def errors(bars: int) -> dict[str, float]:
    """Relative error of every estimator after `bars` bars."""
    state, params = fresh()
    year = YEAR_S * SECOND_NS / BAR
    look = min(int(REACH * year / 2), bars // 2)
    chunk = min(CHUNK, bars // 4)
    again_bars = min(AGAIN, bars // 200)
    turn, last = (bars - look) // chunk, -(-bars // chunk) - 1
    tapes = []
    for k, one in enumerate(pieces(bars)):
        if k == turn:
            before = State(*(array.copy() for array in state))
        tape = events(one)
        if k >= turn:
            tapes.append(tape)
        if k == last:
            observe_all(state, tape[:-again_bars], params)
            late = State(*(array.copy() for array in state))
            tape = tape[-again_bars:]
        observe_all(state, tape, params)
    found = price_errors(state, params, bars)
    found |= filter_errors(late, state, params, Piece(one.close_ns[-again_bars:], one.rows[-again_bars:]))
    found |= regime_errors(before, state, params, tapes)
    return found | learnt_errors(fresh()[0], params, bars)


def main(bars: int) -> int:
    """Print the table; 1 where an error is above 1e-9."""
    found = errors(bars)
    print(f"| estimator | relative error after {bars:,} bars |\n|---|---|")
    for name, error in found.items():
        print(f"| {name} | {error:.1e} |")
    return int(max(found.values()) > 1e-9)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", type=int, default=20_000_000)
    raise SystemExit(main(parser.parse_args().bars))
