"""kernel.quality and kernel.conviction: the written formulas, leg by leg, and what must never move them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel import exchange
from tests.kernel.world import BAR_NS, PERP, START, bar, decision, feed, make_params, make_state, new_out, signal, timer

from confidence_engine.domain.decision import GATE_PRICE_STALE, gate_names
from confidence_engine.domain.event import DEGRADED, SYNTHETIC
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.kernel import conviction, gates, narrative, quality, risk, sizing

HALF = 90 * MINUTE_NS
NOW = START + 1000 * HOUR_NS
SHARE = st.floats(0.01, 0.99)
SIDES = st.sampled_from([-1, 1])
NAN = math.nan


def judged(
    *, side: int = 1, agreement: float = 1.0, publishers: int = 1, against: int = 0, age_ns: int = 0,
    bar_age_ns: int = 0, gates: int = 0, **values: float,
) -> float:  # fmt: skip
    """Quality of a case on news: `agreement` signed, `publishers` on its side and `against` on the other."""
    s = make_state()
    told = s.told[0]
    mine, other = (1 << publishers) - 1, ((1 << against) - 1) << 32
    told.agreement = agreement
    told.rising, told.falling = (mine, other) if side > 0 else (other, mine)
    good = {"weight": 0.5, "warmth": 1.0, "score_z": NAN}
    d = decision(**(good | values), side=side, ts_ns=NOW, since_ns=NOW - age_ns, price_ns=NOW - bar_age_ns, gates=gates)
    quality.judge(s, 0, d, HALF, 3.0)
    return float(d.quality)


def convinced(s: Any = None, p: Any = None, **values: float) -> float:
    """Conviction of a case; sigma is of one bar."""
    good = {"side": 1, "gap": 1.2, "trigger": 0.8, "strength": 0.2, "confidence": 0.55, "sigma": 0.001}
    d = decision(**(good | values))
    conviction.judge(make_state() if s is None else s, 0, d, (p or make_params()).conviction)
    return float(d.conviction)


# The written values. They are frozen: a change here is a new formula, and every threshold on it means something else.

QUALITY = [
    ({}, 7.578582832551990),  # (1 * 1/2 * 1 * 1/2 * 1)^(1/5)
    ({"publishers": 4}, 8.325532074018731),  # (4/5 * 1/2)^(1/5)
    ({"publishers": 4, "weight": 0.75, "age_ns": HALF}, 7.860030855966228),  # (1/2 * 4/5 * 3/4)^(1/5)
    ({"agreement": 0.25}, 5.743491774985174),
    ({"warmth": 0.0}, 6.597539553864471),  # just warm is half
    ({"bar_age_ns": 2 * BAR_NS}, 6.597539553864471),  # halfway between one bar and three
    ({"bar_age_ns": 3 * BAR_NS}, 0.0),
    ({"publishers": 0}, 0.0),
    ({"agreement": -1.0}, 0.0),  # the words point the other way
    ({"gates": 1 << GATE_PRICE_STALE}, 0.0),
    ({"marks": DEGRADED | SYNTHETIC}, 0.0),
    ({"marks": SYNTHETIC}, 7.578582832551990),  # simulated is not degraded
    ({"weight": 0.0, "score_weight": 0.5, "score_z": 2.0}, 6.597539553864471),  # a score alone: one witness
    ({"weight": 0.0, "score_weight": 0.5, "score_z": -2.0}, 0.0),
    ({"score_weight": 0.5, "score_z": 1.0}, 8.218759147586129),  # (3/4 * 2/3 * 1 * 3/4)^(1/5)
    # a score against the side is no witness: (13/16 * 1/2 * 1/2 * 13/16)^(1/5)
    ({"weight": 0.75, "score_weight": 0.25, "score_z": -1.0}, 6.974568589722714),
    ({"score_weight": 0.5, "score_z": -1.0}, 0.0),  # news and score cancel: no agreement
]


@pytest.mark.parametrize(("values", "expected"), QUALITY)
@pytest.mark.parametrize("side", [1, -1])
def test_quality_has_the_written_values(values: dict[str, Any], expected: float, side: int) -> None:
    flipped = {k: v * side if k in ("agreement", "score_z") else v for k, v in ({"agreement": 1.0} | values).items()}
    assert judged(side=side, **flipped) == pytest.approx(expected, rel=1e-12, abs=1e-12)


CONVICTION = [
    # cost 0.0024, sigma_H = 0.001 sqrt(72) = 0.00848528: odds = .55 x / (.55 x + .45 (x + .0024))
    ({}, 3.883030584906584),
    ({"strength": 0.0}, 0.0),
    ({"gap": 0.8, "strength": 0.02, "confidence": 0.505}, 1.642333185914770),
    ({"gap": -1.2}, 0.0),  # an overreaction
    ({"gap": 3.2, "strength": 0.9, "confidence": 0.725}, 7.853198224647495),
    ({"sigma": 1e-7}, 0.372805046654269),  # costs are all
    ({"side": -1, "gap": -1.2}, 3.883030584906584),
]


@pytest.mark.parametrize(("values", "expected"), CONVICTION)
def test_conviction_has_the_written_values(values: dict[str, float], expected: float) -> None:
    assert convinced(**values) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_weekend_takes_no_quality_away() -> None:
    """A story of Friday evening, on Friday's last bar, judged then, at Monday's open and an hour into Monday."""
    bar_ns = 30 * MINUTE_NS
    rows = exchange.new_york(6, bar_ns)
    s, close = exchange.share(rows, bar_ns), int(rows["close_ns"][4])
    s.told[0].agreement, s.told[0].rising = 1.0, 1
    found = []
    for at in (close + HOUR_NS, int(rows["open_ns"][5]), int(rows["open_ns"][5]) + HOUR_NS):
        d = decision(side=1, weight=0.5, warmth=1.0, score_z=NAN, ts_ns=at, since_ns=close + HOUR_NS, price_ns=close)
        quality.judge(s, 0, d, HALF, 3.0)
        found.append(float(d.quality))
    assert found[0] == found[1] == pytest.approx(10 * 0.25**0.2)  # at last the bar is halfway between one and three
    assert found[2] == pytest.approx(10 * (0.25 * 2.0 ** (-HOUR_NS / HALF) * 0.5) ** 0.2)


def test_what_is_not_known_is_not_a_number() -> None:
    assert math.isnan(judged(side=0))
    assert math.isnan(judged(weight=0.0, score_weight=0.0))
    assert math.isnan(convinced(gap=NAN))
    assert math.isnan(convinced(side=0))


# Bounds and monotony: every leg helps, none can buy another back.


@given(SIDES, SHARE, st.integers(1, 30), st.integers(0, 20), st.floats(0, 20), st.floats(0, 4), SHARE, SHARE)
def test_quality_lies_between_nought_and_ten(
    side: int, agreement: float, publishers: int, against: int, age: float, bar_age: float, weight: float, warmth: float
) -> None:
    q = judged(
        side=side, agreement=side * agreement, publishers=publishers, against=against, age_ns=int(age * HALF),
        bar_age_ns=int(bar_age * BAR_NS), weight=weight, warmth=warmth,
    )  # fmt: skip
    assert 0.0 <= q < 10.0


LEGS = {
    "agreement": SHARE, "publishers": st.integers(1, 30), "weight": SHARE, "warmth": SHARE,
    "age_ns": st.integers(0, 10 * HALF), "bar_age_ns": st.integers(0, 4 * BAR_NS),
}  # fmt: skip
WORSE_WITH_MORE = ("age_ns", "bar_age_ns")


@pytest.mark.parametrize("name", LEGS)
@given(data=st.data())
def test_quality_never_falls_as_a_leg_grows(name: str, data: st.DataObject) -> None:
    rest = {other: data.draw(of, label=other) for other, of in LEGS.items() if other != name}
    less, more = sorted((data.draw(LEGS[name]), data.draw(LEGS[name])), reverse=name in WORSE_WITH_MORE)
    assert judged(**rest, **{name: less}) <= judged(**rest, **{name: more}) * (1 + 1e-12)


@given(SHARE, st.floats(0.0, 3.0), st.floats(-1.0, 1.0))
def test_a_missing_leg_is_not_bought_back(weak: float, score: float, agreement: float) -> None:
    """All other legs at their best, quality is at most the weak one's fifth root of ten."""
    best = {"publishers": 64 // 2, "weight": 0.999}
    assert judged(**best, agreement=weak) <= 10 * weak**0.2
    assert judged(**best, age_ns=int(-math.log2(weak) * HALF)) <= 10 * weak**0.2 * (1 + 1e-6)


def test_who_contradicts_the_side_adds_no_independence() -> None:
    """The earlier system's mistake: strong words against a purchase raised its quality."""
    alone = judged(publishers=1, against=0, agreement=0.4)
    assert judged(publishers=1, against=9, agreement=0.4) == alone
    assert judged(publishers=9, agreement=0.4) > alone
    assert judged(side=-1, publishers=1, agreement=0.4) == 0.0


GAPS, STRENGTHS, SURE = st.floats(0.01, 8.0), st.floats(0.001, 0.99), st.floats(0.5, 0.75)


@given(GAPS, GAPS, STRENGTHS, STRENGTHS, SURE, SURE, st.floats(1e-5, 0.05), st.floats(1e-5, 0.05), SIDES)
def test_conviction_grows_with_every_leg_and_is_bounded(
    g: float, g2: float, x: float, x2: float, p: float, p2: float, v: float, v2: float, side: int
) -> None:
    (g, g2), (x, x2), (p, p2), (v, v2) = (sorted(z) for z in ((g, g2), (x, x2), (p, p2), (v, v2)))
    less = {"side": side, "gap": side * g, "strength": x, "confidence": p, "sigma": v}
    low = convinced(**less)
    assert 0.0 <= low < 10.0
    for better in ({"gap": side * g2}, {"strength": x2}, {"confidence": p2}, {"sigma": v2}):
        assert convinced(**(less | better)) >= low * (1 - 1e-12)


@given(st.floats(0, 0.01), st.floats(0, 0.01))
def test_conviction_falls_with_costs(cheap: float, dear: float) -> None:
    cheap, dear = sorted((cheap, dear))
    assert convinced(make_state(taker=cheap)) >= convinced(make_state(taker=dear)) * (1 - 1e-12)
    assert convinced(make_state(half_spread=cheap)) >= convinced(make_state(half_spread=dear)) * (1 - 1e-12)


def test_the_odds_are_even_where_the_trade_breaks_even() -> None:
    """p b = (1 - p)(a + cost / sigma_H): the third leg is one half, whatever the barriers."""
    for a, b, horizon in ((1.0, 1.0, 6), (0.5, 2.0, 24)):
        p = make_params(conviction={"loss_sigma": a, "win_sigma": b, "horizon_ns": horizon * HOUR_NS})
        sigma_h = 0.001 * math.sqrt(horizon * 12)
        even = (a + 0.0024 / sigma_h) / (a + b + 0.0024 / sigma_h)
        found = convinced(p=p, gap=0.8, strength=0.4, confidence=even)
        assert found == pytest.approx(10 * (0.5 * 0.4 * 0.5) ** (1 / 3), rel=1e-12)


# Invariance, through the whole step.

EASY: dict[str, dict[str, Any]] = {
    "price": {"min_obs": 5, "full_obs": 40, "atr_frame_ns": BAR_NS}, "divergence": {"trigger": 0.2},
}  # fmt: skip


def scores(seed: int, scale: float = 1.0, sign: float = 1.0, order: tuple[int, ...] = (0, 1)) -> dict[int, Any]:
    """(quality, conviction, side) by coin of the last judgement; `order` is the position of the coins."""
    rng = np.random.default_rng(seed)
    s, p, out = make_state(2, **PERP), make_params(**EASY), new_out(2, 4096)
    s.asset["funding_ns"][:2] = START + 30 * BAR_NS
    close = {c: 100.0 * np.exp(np.cumsum(rng.normal(0, 0.002, 30))) for c in (0, 1)}
    told = [
        (int(rng.integers(0, 2)), float(rng.uniform(-1, 1)), int(k % 5), int(rng.integers(0, 4))) for k in range(12)
    ]
    events = []
    for k in range(30):
        for i, c in enumerate(order):
            v = scale * close[c][k]
            events.append(bar(s, i, START + (k + 1) * BAR_NS, v, v * 1.001, v * 0.999, v, 1.0))
    end = START + 30 * BAR_NS
    for k, (c, polarity, cluster, publisher) in enumerate(told):
        u = order.index(c)
        cluster = 10 * c + cluster
        events.append(signal(u, end + k * SECOND_NS, sign * polarity, 0.9, 0.9, 0.9, cluster, publisher))
    feed(s, [*events, timer(end + 60 * SECOND_NS)], p, out)
    rows = out.decisions[: int(out.head[0].decisions)]
    return {order[int(d.asset)]: (float(d.quality), float(d.conviction), int(d.side)) for d in rows}


def test_the_coins_of_the_invariance_have_scores_at_all() -> None:
    found = [one for seed in (1, 2, 3) for one in scores(seed).values()]
    assert sum(q > 0.0 for q, *_ in found) >= 2
    assert sum(c > 0.0 for _, c, _ in found) >= 1


@settings(max_examples=12)
@given(st.integers(0, 2**31))
def test_prices_times_ten_mirrored_words_and_another_order_of_assets_change_no_score(seed: int) -> None:
    once = scores(seed)
    for other in (scores(seed, scale=10.0), scores(seed, order=(1, 0))):
        assert other.keys() == once.keys()
        for coin, (q, _, side) in once.items():
            assert other[coin][0] == pytest.approx(q, rel=1e-9, nan_ok=True)
            assert other[coin][1] == pytest.approx(once[coin][1], rel=1e-6, nan_ok=True)
            assert other[coin][2] == side
    for coin, (q, _, side) in scores(seed, sign=-1.0).items():
        assert (q, -side) == (pytest.approx(once[coin][0], rel=1e-9, nan_ok=True), once[coin][2])


@settings(max_examples=30)
@given(st.integers(0, 2**31))
def test_the_narrative_counts_who_stands_where(seed: int) -> None:
    """Agreement and the publishers of either side against a second reading of the live stories."""
    rng = np.random.default_rng(seed)
    s, p = make_state(), make_params()
    feed(s, [signal(0, START + k * MINUTE_NS, rng.uniform(-1, 1), *rng.uniform(0.2, 1, 3), int(rng.integers(0, 6)),
                    int(rng.integers(0, 9))) for k in range(15)], p)  # fmt: skip
    now = START + 2 * HOUR_NS
    narrative.measure(s, 0, now, p.narrative)
    told = s.told[0]
    live = [i for i in s.story[0] if i.n_documents and not i.asleep]
    w = [narrative._weight(s, 0, i, now, p.narrative) for i in live]
    if not live:
        assert told.agreement == 0.0
        return
    heard = sum(x * abs(i.polarity) for x, i in zip(w, live, strict=True))
    assert told.agreement == pytest.approx(sum(x * i.polarity for x, i in zip(w, live, strict=True)) / heard, rel=1e-9)
    for side, found in ((1, told.rising), (-1, told.falling)):
        names = {k for i in live if i.polarity * side > 0 for k in range(64) if int(i.publishers) >> k & 1}
        assert {k for k in range(64) if int(found) >> k & 1} == names
        assert quality._count(found) == len(names)


def test_a_story_without_a_direction_stands_on_no_side() -> None:
    s, p = make_state(), make_params()
    feed(s, [signal(0, START, 0.0, cluster=1, publisher=1), signal(0, START, 0.0, cluster=2, publisher=2)], p)
    narrative.measure(s, 0, START + MINUTE_NS, p.narrative)
    told = s.told[0]
    assert (told.live, told.agreement, int(told.rising), int(told.falling)) == (2, 0.0, 0, 0)


# What hangs on them, and that none of it does until asked for.


@pytest.mark.parametrize(
    ("values", "floor", "bits"),
    [
        ({"quality": 3.0, "conviction": 3.0}, {}, []),
        ({"quality": NAN, "conviction": NAN}, {}, []),
        ({"quality": 3.0, "conviction": 3.0}, {"min_quality": 3.0, "min_conviction": 3.0}, []),
        ({"quality": 2.999, "conviction": 9.0}, {"min_quality": 3.0, "min_conviction": 3.0}, ["LOW_QUALITY"]),
        ({"quality": 9.0, "conviction": 2.999}, {"min_quality": 3.0, "min_conviction": 3.0}, ["LOW_CONVICTION"]),
        ({"quality": NAN, "conviction": NAN}, {"min_quality": 1.0, "min_conviction": 1.0},
         ["LOW_QUALITY", "LOW_CONVICTION"]),
    ],
)  # fmt: skip
def test_gates_ask_only_for_what_they_are_told_to(
    values: dict[str, float], floor: dict[str, float], bits: list[str]
) -> None:
    d = decision(side=1, gap=1.2, trigger=0.8, strength=0.3, **values)
    p = make_params(gates=floor).gates
    assert gate_names(int(gates.check(make_state(), 0, NOW, d, True, p))) == bits


TEN = st.floats(0.0, 10.0)


@given(TEN, TEN, TEN, SHARE, SHARE)
def test_the_size_share_is_the_smaller_score_never_more_and_neutral_at_nought(
    q: float, c: float, more: float, dynamic: float, stronger: float
) -> None:
    def share(dynamic: float, q: float, c: float) -> float:
        return float(conviction.share(decision(quality=q, conviction=c), dynamic))

    assert share(0.0, q, c) == share(0.0, NAN, NAN) == 1.0
    assert share(1.0, q, c) == pytest.approx(min(q, c) / 10, abs=1e-12)
    assert share(dynamic, q, c) <= share(dynamic, max(q, more), c) + 1e-12
    assert share(dynamic, q, c) <= share(dynamic, q, max(c, more)) + 1e-12
    low, high = sorted((dynamic, stronger))
    assert share(high, q, c) <= share(low, q, c) + 1e-12 <= 1.0 + 1e-12
    assert share(dynamic, NAN, c) == share(dynamic, q, NAN) == 0.0


def test_sizing_takes_that_share() -> None:
    d = decision(side=1, strength=0.5, warmth=1.0, equity=100_000.0, price=100.0, quality=8.0, conviction=4.0)
    sizes = []
    for dynamic in (0.0, 0.5, 1.0):
        sizing.target(make_state(), 0, d, 2.0, make_params(sizing={"dynamic": dynamic}).sizing)
        sizes.append(float(d.size_r))
    assert sizes == pytest.approx([0.125, 0.125 * 0.7, 0.125 * 0.4], rel=1e-12)


@given(st.floats(0.0, 1e6), st.floats(10.0, 1e5))
def test_one_position_stays_under_the_cap_in_usd(cap: float, price: float) -> None:
    s = make_state()
    s.head[0].equity = s.head[0].day_equity = 1e6
    p = make_params(risk={"single_max": 1.0, "gross_max": 1.0, "net_max": 1.0, "single_max_usd": cap}).risk
    d = decision(side=1, price=price)
    lots = int(risk.limit(s, 0, d, 10**9, p))
    assert lots * 0.001 * price <= cap * (1 + 1e-12)
    assert (lots + 1) * 0.001 * price > min(cap, 1e6) * (1 - 1e-12)
    assert gate_names(int(d.gates)) == ([] if lots else ["EXPOSURE"])
