"""kernel.ranking: the edge is comparable across assets, the ranks are those of a plain sort, and ids do not matter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.world import BAR_NS, PERP, START, decision, make_params, make_state, new_out

from confidence_engine.domain.decision import gate_names
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.kernel import ranking
from confidence_engine.kernel.state import DAYS

HOLD = 6 * HOUR_NS
SHARE = st.floats(0.0, 1.0)
WAITING = 1 << 62


def case(**values: float) -> Any:
    """A case with a story, a gap and a price that moves."""
    good = {"side": 1, "gap": 1.0, "trigger": 0.8, "strength": 0.5, "confidence": 0.625, "sigma": 0.002}
    return decision(**(good | values))


def edge(s: Any, d: Any, i: int = 0, maker: bool = False, **ranks: Any) -> float:
    return float(ranking.edge(s, i, d, maker, HOLD, make_params(ranking=ranks).ranking))


# The edge.


def test_the_edge_is_the_mean_win_of_the_event_less_the_round_trip_in_the_same_unit() -> None:
    s = make_state()
    sigma_h = 0.002 * math.sqrt(72)
    cost = 2 * (0.001 + 0.0002)
    assert edge(s, case()) == pytest.approx(0.25 - cost / sigma_h, rel=1e-12)
    resting = 0.001 + 0.001 + 0.0002
    assert edge(s, case(), maker=True) == pytest.approx(0.25 - resting / sigma_h, rel=1e-12)


@given(SHARE, SHARE, st.floats(1e-5, 0.05), st.floats(1e-5, 0.05), st.floats(0, 0.01), st.floats(0, 0.01))
def test_more_confidence_more_movement_and_less_cost_never_rank_lower(
    a: float, b: float, quiet: float, lively: float, cheap: float, dear: float
) -> None:
    (a, b), (quiet, lively), (cheap, dear) = sorted((a, b)), sorted((quiet, lively)), sorted((cheap, dear))
    low, high = make_state(taker=cheap), make_state(taker=dear)
    least = edge(high, case(confidence=0.5 + a / 4, sigma=quiet))
    assert edge(high, case(confidence=0.5 + b / 4, sigma=quiet)) >= least
    assert edge(high, case(confidence=0.5 + a / 4, sigma=lively)) >= least
    assert edge(low, case(confidence=0.5 + a / 4, sigma=quiet)) >= least


def test_an_asset_whose_costs_eat_its_move_is_below_zero() -> None:
    assert edge(make_state(), case(confidence=0.75, sigma=0.0002)) < 0.0 < edge(make_state(), case(confidence=0.75))


def test_a_holding_shorter_than_a_bar_has_the_bar_s_move() -> None:
    cost = 2 * (0.001 + 0.0002)
    assert edge(make_state(bar_ns=DAY_NS), case()) == pytest.approx(0.25 - cost / 0.002, rel=1e-12)


def test_no_side_no_gap_no_movement_no_edge() -> None:
    for nothing in ({"side": 0}, {"gap": math.nan}, {"sigma": 0.0}):
        assert math.isnan(edge(make_state(), case(**nothing)))


def test_the_unit_of_money_and_of_a_lot_does_not_matter() -> None:
    one, other = make_state(), make_state(tick=0.01 * 250, lot=0.001 / 250, min_notional=5.0 * 250)
    assert edge(one, case(price=100.0)) == edge(other, case(price=25_000.0))


@given(SHARE, st.sampled_from([-1, 1]), st.floats(-1, 1), st.floats(-1, 1), SHARE)
def test_rotation_tilts_what_a_case_wins_by_side_and_never_turns_it(
    strength: float, side: int, momentum: float, calm: float, rotation: float
) -> None:
    s = make_state()
    d = case(side=side, confidence=0.5 + strength / 4)
    plain = edge(s, d, cost_factor=0.0)
    s.trend[0].rank_momentum, s.trend[0].rank_calm = momentum, calm
    tilted = edge(s, d, rotation=rotation, cost_factor=0.0)
    assert tilted == pytest.approx(plain * (1.0 + rotation * side * (momentum + calm) / 2.0), abs=1e-12)
    assert tilted >= -1e-12
    assert edge(s, d, rotation=0.0, cost_factor=0.0) == plain
    s.trend[0].rank_calm = math.nan  # half a rank is none
    assert edge(s, d, rotation=rotation, cost_factor=0.0) == plain


# The days.


def lived(days: np.ndarray, seed: int = 0, **row: Any) -> Any:
    """A state that has seen `days` [assets, d] of closes, three bars a day."""
    s, p = make_state(len(days), **row), make_params().ranking
    rng = np.random.default_rng(seed)
    for d in range(days.shape[1]):
        for k in (8, 16, 24):
            for i in range(len(days)):
                close = days[i, d] if k == 24 else float(rng.uniform(1.0, 1000.0))  # only the day's last counts
                ranking.observe(s, i, START + d * DAY_NS + k * HOUR_NS, close, p)
    s.head[0].now_ns = START + days.shape[1] * DAY_NS
    return s


def reference(days: np.ndarray, lookback: int = 60, skip: int = 5) -> tuple[float, float]:
    """Momentum and daily volatility from all the closes; the last day is still open."""
    closed = np.log(days[:-1][-DAYS:])
    moves = np.diff(closed)[-lookback:]
    skip = min(skip, len(moves) // 2)
    sigma = math.sqrt((moves**2).mean())
    return float((closed[-1 - skip] - closed[-1 - len(moves)]) / (sigma * math.sqrt(len(moves) - skip))), sigma


def walks(assets: int, days: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, (assets, days)) * rng.uniform(0.3, 2.0, (assets, 1)), axis=1))


@pytest.mark.parametrize("days", [12, 13, 30, 61, 62, 64, 65, 66, 150])
def test_momentum_and_volatility_are_those_of_the_whole_history(days: int) -> None:
    closes = walks(1, days, days)
    t = lived(closes).trend[0]
    momentum, sigma = reference(closes[0])
    assert (t.momentum, t.daily_sigma) == (pytest.approx(momentum, rel=1e-9), pytest.approx(sigma, rel=1e-9))


def test_ten_returns_are_needed() -> None:
    assert math.isnan(lived(walks(1, 11, 1)).trend[0].momentum)
    assert not math.isnan(lived(walks(1, 12, 1)).trend[0].momentum)


def test_half_of_a_short_history_is_skipped_at_most() -> None:
    closes = walks(1, 12, 4)
    s = lived(closes)
    ranking._measure(s, 0, make_params(ranking={"skip": 30}).ranking)
    assert s.trend[0].momentum == pytest.approx(reference(closes[0], skip=30)[0], rel=1e-9)


def test_the_last_days_do_not_count_for_momentum() -> None:
    closes = walks(1, 40, 3)
    jumped = closes.copy()
    jumped[0, -4:] *= 1.0001 ** np.arange(1, 5)
    one, other = lived(closes).trend[0], lived(jumped).trend[0]
    assert one.momentum * one.daily_sigma == pytest.approx(other.momentum * other.daily_sigma, rel=1e-9)
    assert one.daily_sigma != other.daily_sigma


def test_a_price_that_never_moves_is_not_ranked() -> None:
    s = lived(np.vstack([np.full(40, 7.0), walks(2, 40, 1)]))
    ranking.refresh(s)
    assert math.isnan(s.trend[0].rank_momentum)
    assert sorted(float(s.trend[i].rank_momentum) for i in (1, 2)) == [-1.0, 1.0]


def test_a_price_that_no_longer_moves_loses_its_momentum() -> None:
    closes = walks(1, 40, 1)
    t = lived(np.hstack([closes, np.full((1, 70), closes[0, -1])])).trend[0]
    assert t.daily_sigma == 0.0
    assert math.isnan(t.momentum)


def test_a_bar_that_ends_at_midnight_belongs_to_the_day_before() -> None:
    assert ranking.frame_end(START) == ranking.frame_end(START - DAY_NS + 1) == START
    assert ranking.frame_end(START + 1) == START + DAY_NS


@pytest.mark.parametrize("days", [20, 100])
def test_a_split_is_no_return(days: int) -> None:
    closes = walks(1, days + 14, 5)
    plain = lived(closes).trend[0]
    s, p = lived(closes[:, :days]), make_params().ranking
    ranking.rescale(s, 0, 1.0 / 7.0)
    for d in range(days, days + 14):
        ranking.observe(s, 0, START + (d + 1) * DAY_NS, closes[0, d] / 7.0, p)
    split = s.trend[0]
    assert split.frames == plain.frames
    assert split.momentum == pytest.approx(plain.momentum, rel=1e-9)
    assert split.daily_sigma == pytest.approx(plain.daily_sigma, rel=1e-9)


# The ranks.


@given(seed=st.integers(0, 10_000), assets=st.integers(2, 6), order=st.randoms())
def test_ranks_are_those_of_a_plain_sort_whatever_the_ids(seed: int, assets: int, order: Any) -> None:
    closes = walks(assets, 14, seed)
    places = list(range(assets))
    order.shuffle(places)
    s, other = lived(closes), lived(closes[places])
    ranking.refresh(s)
    ranking.refresh(other)
    momentum = [reference(one)[0] for one in closes]
    sigma = [reference(one)[1] for one in closes]
    for i in range(assets):
        place = 2.0 * sorted(momentum).index(momentum[i]) / (assets - 1) - 1.0
        calm = 1.0 - 2.0 * sorted(sigma).index(sigma[i]) / (assets - 1)
        assert s.trend[i].rank_momentum == pytest.approx(place, abs=1e-12)
        assert s.trend[i].rank_calm == pytest.approx(calm, abs=1e-12)
        turned = other.trend[places.index(i)]
        assert (turned.rank_momentum, turned.rank_calm) == (s.trend[i].rank_momentum, s.trend[i].rank_calm)


def test_equals_share_a_rank_and_one_alone_has_none() -> None:
    s = lived(np.repeat(walks(1, 20, 1), 3, axis=0))
    ranking.refresh(s)
    assert [float(s.trend[i].rank_momentum) for i in range(3)] == [0.0, 0.0, 0.0]
    s = lived(walks(1, 20, 1))
    ranking.refresh(s)
    assert math.isnan(s.trend[0].rank_momentum)


def test_other_classes_sleepers_and_the_inactive_are_not_compared() -> None:
    s = lived(walks(4, 20, 1))
    s.inst[1].klass = 1
    s.asset[2].active = 0
    ranking.refresh(s)
    ranked = [not math.isnan(s.trend[i].rank_momentum) for i in range(4)]
    assert ranked == [True, False, False, True]
    s.trend[3].closed_ns -= 8 * DAY_NS
    s.head[0].unranked, s.head[0].now_ns = 1, s.head[0].now_ns + HOUR_NS
    ranking.refresh(s)
    assert all(math.isnan(s.trend[i].rank_momentum) for i in range(4))


def test_ranks_move_when_a_day_closed_and_at_most_once_an_hour() -> None:
    s = lived(walks(3, 20, 1))
    ranking.refresh(s)
    first = s.trend["rank_momentum"][:3].tolist()
    s.trend["momentum"][:3] = s.trend["momentum"][:3][::-1].copy()
    ranking.refresh(s)
    assert s.trend["rank_momentum"][:3].tolist() == first
    s.head[0].unranked = 1
    ranking.refresh(s)
    assert s.trend["rank_momentum"][:3].tolist() == first  # the same hour
    s.head[0].now_ns += HOUR_NS
    ranking.refresh(s)
    assert s.trend["rank_momentum"][:3].tolist() == first[::-1]


# The order.


@given(
    rows=st.lists(
        st.tuples(st.sampled_from([math.nan, -0.5, 0.2]), st.sampled_from([0.1, 0.5]), st.sampled_from([-2.0, 1.0])),
        min_size=1, max_size=6,
    ),
    order=st.randoms(),
)  # fmt: skip
def test_the_best_is_the_same_case_in_any_order(rows: list[tuple[float, float, float]], order: Any) -> None:
    def key(row: tuple[float, float, float]) -> tuple[float, float, float]:
        return (-math.inf if math.isnan(row[0]) else row[0], row[1], abs(row[2]))

    shuffled = list(rows)
    order.shuffle(shuffled)
    for given_rows in (rows, shuffled):
        out, went = new_out(1, 64), []
        for d, (e, strength, gap) in zip(out.decisions, given_rows, strict=False):
            d.edge, d.strength, d.gap, d.trigger, d.gates = e, strength, gap, 0.8, WAITING
        while (best := ranking.pick(out, 0, len(given_rows), WAITING)) >= 0:
            went.append(key(given_rows[best]))
            out.decisions[best].gates = 0
        assert went == sorted((key(row) for row in rows), reverse=True)


def test_gaps_are_compared_in_triggers() -> None:
    out = new_out(1, 64)
    for d, (gap, trigger) in zip(out.decisions, ((1.0, 1.0), (-0.9, 0.6), (1.2, 0.9)), strict=False):
        d.edge, d.strength, d.gap, d.trigger, d.gates = math.nan, 0.5, gap, trigger, WAITING
    assert ranking.pick(out, 0, 3, WAITING) == 1


def test_an_exact_tie_leaves_the_first_ahead() -> None:
    out = new_out(1, 64)
    for d in out.decisions[:3]:
        d.edge, d.strength, d.gap, d.trigger, d.gates = 0.1, 0.5, 1.0, 0.8, WAITING
    assert ranking.pick(out, 0, 3, WAITING) == 0


def test_what_still_waits_is_refused_by_name() -> None:
    out = new_out(1, 64)
    for d, gates in zip(out.decisions, (0, WAITING, 2, WAITING), strict=False):
        d.gates = gates
    ranking.refuse(out, 0, 4, WAITING)
    assert [gate_names(int(d.gates)) for d in out.decisions[:4]] == [[], ["NOT_RANKED"], ["PRICE_COLD"], ["NOT_RANKED"]]


def test_a_perpetual_is_cheaper_than_spot_and_ranks_higher_for_the_same_story() -> None:
    spot, perp = make_state(), make_state(**(PERP | {"taker": 0.0005}))
    assert edge(perp, case()) > edge(spot, case())
    assert perp.inst[0].bar_ns == spot.inst[0].bar_ns == BAR_NS
