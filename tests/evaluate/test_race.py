"""evaluate.race: the chances of a case are those of the world's own law, and of mathematics where it knows them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.outcome import label
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.evaluate.race import Bank, Start, bank_of, chance, entry_of
from confidence_engine.feeds.world import Events, Market, Params

STEP = 5 * MINUTE_NS
GAUSS = Market(shock_df=1000.0, regimes=(1.0,), vol_swing=0.0, daily_vol=0.03)
SD = 0.03 * math.sqrt(1.0 / 288.0)
"""Of one bar."""


def start(bank: Bank, gap: float, win: float, loss: float, bars: int, side: int = 1, tail: int = 0, cost: float = 0.0):  # type: ignore[no-untyped-def]
    n = len(bank.shock)
    return Start(0, bars, tail, side, win, loss, cost, np.full(n, gap), np.ones(n))


def quiet(half_life_ns: int = 3 * HOUR_NS) -> Params:
    return Params(GAUSS, Events(events_a_day=0.0, half_life_ns=half_life_ns, at_once=0.0))


def hitting(drift: float, sd: float, win: float, loss: float) -> float:
    """Chance that a Brownian motion with drift and standard deviation a unit of time reaches win before -loss.

    (1 - e^(2ma/s^2)) / (e^(-2mb/s^2) - e^(2ma/s^2)) to reach b before -a, a / (a + b) without drift (Karlin and Taylor,
    A First Course in Stochastic Processes, 1975, ch. 7.5).
    """
    if drift == 0.0:
        return loss / (win + loss)
    k = 2.0 * drift / (sd * sd)
    return math.expm1(k * loss) / (math.expm1(k * loss) - math.expm1(-k * win))


def test_without_drift_the_race_is_won_by_distances() -> None:
    bank = bank_of(quiet(), STEP, 700, 1, 1024)
    for win, loss in ((3.0, 3.0), (2.0, 4.0), (5.0, 2.0)):
        up, down = math.expm1(win * SD), -math.expm1(-loss * SD)
        told = chance(bank, start(bank, 0.0, up, down, 700))
        assert told == pytest.approx(hitting(0.0, SD, win * SD, loss * SD), abs=4 * math.sqrt(0.25 / 1024))
        assert hitting(0.0, SD, win * SD, loss * SD) == pytest.approx(loss / (win + loss))


@pytest.mark.parametrize("drift", [-0.1, 0.05, 0.2])
def test_with_a_drift_it_is_that_of_a_brownian_motion(drift: float) -> None:
    """A huge gap with a huge half-life is a constant drift a bar, here a share of the bar's standard deviation."""
    half_life = 4000 * DAY_NS
    bank = bank_of(quiet(half_life), STEP, 700, 2, 1024)
    gap = drift * SD / (-math.expm1(-math.log(2.0) * STEP / half_life))
    for win, loss in ((6.0, 6.0), (9.0, 4.0)):
        up, down = math.expm1(win * SD), -math.expm1(-loss * SD)
        told = chance(bank, start(bank, gap, up, down, 700))
        assert told == pytest.approx(hitting(drift * SD, SD, win * SD, loss * SD), abs=0.045)


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.05), st.floats(0.001, 0.05))
def test_the_closed_form_is_a_chance_and_mirrors(drift: float, win: float, loss: float) -> None:
    drift *= 0.01
    p = hitting(drift, 0.01, win, loss)
    assert 0.0 <= p <= 1.0
    assert p == pytest.approx(1.0 - hitting(-drift, 0.01, loss, win), abs=1e-9)
    assert p >= hitting(drift - 0.001, 0.01, win, loss) - 1e-12


def test_at_the_end_the_sign_of_the_net_return_decides() -> None:
    """Barriers out of reach: P(log return > log(1 + cost)) of a normal."""
    bank = bank_of(quiet(), STEP, 80, 3)
    for gap, cost, side in ((0.0, 0.0, 1), (0.01, 0.002, 1), (0.01, 0.002, -1), (-0.02, 0.0, -1)):
        told = chance(bank, start(bank, gap, 0.9, 0.9, 72, side, cost=cost))
        closed = gap * (1.0 - 2.0 ** -(72 * 5 / 180))
        edge = math.log1p(side * cost)
        z = side * (closed - edge) / (SD * math.sqrt(72))
        assert told == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2.0)), abs=0.03)


def test_it_grows_with_the_gap_and_falls_with_what_it_costs() -> None:
    bank = bank_of(Params(), STEP, 80, 4)
    by_gap = [chance(bank, start(bank, g, 0.012, 0.01, 72, cost=0.002)) for g in np.linspace(-0.03, 0.03, 9)]
    assert np.all(np.diff(by_gap) > 0.0)
    assert by_gap[0] < 0.2 < 0.8 < by_gap[-1]
    by_cost = [chance(bank, start(bank, 0.0, 0.01 + c, 0.01, 72, cost=c)) for c in (0.0, 0.001, 0.004)]
    assert np.all(np.diff(by_cost) < 0.0)
    even = chance(bank, start(bank, 0.0, 0.01, -math.expm1(-math.log1p(0.01)), 72))
    assert even == pytest.approx(0.5, abs=0.03)  # a loss in the bar of a win counts as a loss


@pytest.mark.parametrize("offset_s", [2, 65, 150, 299])
def test_entry_and_end_are_those_of_the_label(offset_s: int) -> None:
    """On bars whose closes climb, the first moment of truth and the last are where `label` sees them."""
    horizon, grace = 6 * HOUR_NS, 3 * SECOND_NS
    opens = STEP * np.arange(400, dtype=np.int64)
    price = 100.0 + 0.01 * np.arange(401)
    at = 50 * STEP + offset_s * SECOND_NS
    open_ns, watched, tail = entry_of(at, STEP, horizon, grace)
    o, c = price[:-1].copy(), price[1:].copy()
    _, net, _ = label(opens, opens + STEP, o, c, o, c, at, 1, horizon, 0.5, 1.0, 1.0, 0.0, grace)
    first, last = open_ns // STEP, open_ns // STEP + watched + tail
    assert net == pytest.approx(price[last] / price[first] - 1.0, rel=1e-12)


def test_a_bank_has_the_spread_of_its_world() -> None:
    p = Params(Market(jumps_a_day=1.0, jump_size=0.02, common_share=0.3, sector_share=0.3), Events(events_a_day=2.0))
    bank = bank_of(p, STEP, 150, 5, paths=4096)
    assert bank.shock.mean() == pytest.approx(0.0, abs=1e-12)
    assert bank.shock.std() == pytest.approx(1.0, abs=0.15)
    assert set(np.unique(bank.later)) <= set(p.market.regimes)
    assert np.mean(bank.change < 150) == pytest.approx(1.0 - math.exp(-150 * 5 / (30 * 60)), abs=0.04)
    jumps = bank_of(p._replace(events=Events(events_a_day=0.0)), STEP, 150, 5, paths=4096).extra
    assert jumps.std() == pytest.approx(0.02 * math.sqrt(1.0 / 288.0), rel=0.1)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("offset_s", [2, 150])
def test_path_by_path_it_is_the_label(side: int, offset_s: int) -> None:
    """The same paths as bars, labelled by `domain.outcome`: every one comes out alike."""
    bank = bank_of(Params(Market(regimes=(1.0,), vol_swing=0.0)), STEP, 80, 6, paths=400)
    at, horizon, grace, cost, sd = offset_s * SECOND_NS, 6 * HOUR_NS, 3 * SECOND_NS, 0.002, SD * math.sqrt(72)
    open_ns, watched, tail = entry_of(at, STEP, horizon, grace)
    one = start(bank, 0.01, sd + cost, sd, watched, side, tail, cost)._replace(open_ns=open_ns)
    n = watched + tail
    closing = -np.diff(np.exp2(-np.arange(n + 1) / 36.0))
    move = SD * bank.shock[:, :n] + bank.extra[:, :n] + 0.01 * closing
    y = []
    for k in range(len(move)):
        c = np.cumsum(move[k])
        o = np.concatenate([[0.0], c[:-1]])
        up, down = (bank.up, bank.down) if side > 0 else (bank.down, bank.up)
        h = o + 0.5 * (move[k] + np.sqrt(move[k] ** 2 + SD * SD * up[k, :n]))
        low = o + 0.5 * (move[k] - np.sqrt(move[k] ** 2 + SD * SD * down[k, :n]))
        opens = open_ns + STEP * np.arange(n + 1, dtype=np.int64)
        prices = [np.append(100.0 * np.exp(x), 100.0 * math.exp(c[-1])) for x in (o, h, low, c)]
        y.append(label(opens, opens + STEP, *prices, at, side, horizon, sd, 1.0, 1.0, cost, grace)[0])
    assert set(y) == {0, 1}
    assert chance(bank, one) == pytest.approx(np.mean(y), abs=1e-12)
