"""Whatever is sent and whatever the bars do: the venue's prices are never kind and its books always add up."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.world import BAR_NS, PERP, decision, make_params
from tests.venues.street import Said, Street

from confidence_engine.domain.order import ORDER_LIMIT, ORDER_MARKET, ORDER_STOP, ORDER_TARGET
from confidence_engine.domain.units import HOUR_NS, SECOND_NS
from confidence_engine.kernel import sizing
from confidence_engine.kernel.orders import ticks_of
from confidence_engine.venues import sim

steps = st.lists(
    st.tuples(
        st.sampled_from(["bar", "bar", "bar", "enter", "leave", "cancel", "amend", "fund"]),
        st.floats(-0.08, 0.08),  # the bar's open against the last close
        st.floats(-0.05, 0.05),  # its close against its open
        st.tuples(st.floats(0, 0.05), st.floats(0, 0.05)),  # its reach beyond both
        st.sampled_from([0.0, 0.5, 20.0, 1000.0]),
        st.integers(-400_000, 400_000).filter(bool),
        st.floats(0.5, 100.0),  # leverage
    ),
    min_size=4, max_size=25,
)  # fmt: skip


def bar_of(street: Street, last: float, step: tuple) -> tuple[float, list[Said]]:
    """One random bar; its close and what was said."""
    _, gap, move, (up, down), volume, _, _ = step
    o = max(round(last * (1 + gap), 2), 1.0)
    c = max(round(o * (1 + move), 2), 1.0)
    high, low = max(o, c) * (1 + up), min(o, c) * (1 - down)
    return c, street.bar(o, h=high, l=low, c=c, v=volume)


@given(history=steps, spot=st.booleans())
def test_the_books_add_up_whatever_happens(history: list[tuple], spot: bool) -> None:
    street = Street(equity=1e6, **({} if spot else PERP))
    street.lively(100.0, 0.01)
    last, ordered, position = 100.0, {}, 0
    filled: dict[int, int] = defaultdict(int)
    for step in history:
        what, rate, _, _, _, lots, leverage = step
        said = []
        if what == "bar":
            last, said = bar_of(street, last, step)
        elif what == "enter":
            margin = abs(lots) * 0.001 * last / leverage
            order = street.submit(lots, margin=margin)
            ordered[order] = (lots, 0)
            side = 1 if lots > 0 else -1
            street.submit(0, ORDER_STOP, trigger=int(last * (100 - 3 * side)), reduce=1, parent=order)
            street.submit(0, ORDER_TARGET, trigger=int(last * (100 + 3 * side)), reduce=1, parent=order)
        elif what == "leave":
            ordered[street.submit(lots, reduce=1)] = (lots, 1)
        elif what == "cancel" and ordered:
            street.cancel(max(ordered))
        elif what == "amend" and street.working():
            street.amend(min(street.working()), int(last * 100))
        elif what == "fund" and not spot:
            street.fund(rate / 10)
        for x in said or street.told():
            if x.kind not in ("fill", "liquidation"):
                continue
            before, position = position, position + x.lots
            size, reducing = ordered.get(x.order, (0, 1))
            if x.kind == "liquidation":
                assert position == 0
            elif reducing:
                assert abs(position) < abs(before)
                assert position * before >= 0
            if size:
                filled[x.order] += x.lots
                assert x.lots * size > 0
                assert abs(filled[x.order]) <= abs(size)
                assert x.last == size - filled[x.order]
            assert x.fee >= 0.0
            assert x.ts_event <= x.ts_known
        pos = street.pos()
        assert pos.lots == position
        assert math.isfinite(street.balance)
        assert 0 <= pos.works <= sim.WORKS
        assert pos.works == len(street.working())
        if position == 0:
            assert pos.margin == 0.0
        if spot:
            assert position >= 0
            assert street.balance - pos.margin >= -1e-6


@given(
    side=st.sampled_from([1, -1]), lots=st.integers(60, 400_000), gap=st.floats(-0.05, 0.05),
    move=st.floats(0.0005, 0.05), after=st.integers(0, 20 * SECOND_NS), volume=st.floats(1.0, 5000.0),
)  # fmt: skip
def test_a_market_price_is_the_formula_and_never_better_than_the_open(
    side: int, lots: int, gap: float, move: float, after: int, volume: float
) -> None:
    street = Street(equity=1e8, **PERP)
    street.lively(100.0, move)
    street.submit(side * lots, margin=lots * 0.1, after_ns=after)
    o = round(100.0 * (1 + gap), 2)
    opened = street.now
    said = street.bar(o, v=volume)
    grace, latency = street.assume.grace_ns, street.assume.latency_ns
    if after + latency > grace:
        assert said == []
        return
    room = math.floor(min(0.25 * 1000.0, 0.5 * volume) / 0.001)
    if room == 0:
        assert said == []
        return
    (fill,) = said
    assert abs(fill.lots) == min(lots, room)
    late = max(latency, after + latency)
    cost = 0.5 * move * math.sqrt(late / BAR_NS) + 0.0002 + 0.7 * move * math.sqrt(abs(fill.lots) * 0.001 / 1000.0)
    exact = o * (1 + side * cost) / 0.01
    assert 0.0 <= side * (fill.ticks - exact) + 1e-5 <= 1.0 + 2e-5
    assert side * (fill.ticks * 0.01 - o) >= 0.0
    assert fill.ts_event == opened + late


@given(
    side=st.sampled_from([1, -1]), leverage=st.floats(2.0, 120.0), drop=st.floats(0.0, 0.9), open_share=st.floats(0, 1),
    fee=st.sampled_from([0.0, 0.005, 0.05]),
)  # fmt: skip
def test_a_position_never_loses_more_than_its_margin(
    side: int, leverage: float, drop: float, open_share: float, fee: float
) -> None:
    street = Street(**(PERP | {"liquidation_fee": fee, "taker": 0.0}))
    street.quiet(100.0)
    margin = 100.0 / leverage
    street.submit(side * 1000, margin=margin)
    (bought,) = street.bar(100.0)
    start, posted = 100_000.0, float(street.pos().margin)
    assert posted == pytest.approx(margin)
    worst = 100.0 * (1 - side * drop)
    o = 100.0 + open_share * (worst - 100.0)
    kw = {"l": min(worst, o)} if side > 0 else {"h": max(worst, o)}
    said = street.bar(o, **kw)
    if said:
        (taken,) = said
        assert taken.kind == "liquidation"
        assert street.balance >= start - posted - 1e-6
    else:
        assert street.pos().lots == side * 1000
        rate = 0.004
        lost = side * (bought.ticks * 0.01 - worst)
        assert margin - lost > rate * worst - 0.02 * abs(
            worst
        )  # what is left covers the maintenance, but for the noise


@given(history=steps, factor=st.sampled_from([10.0, 1000.0]))
def test_another_unit_of_money_changes_nothing(history: list[tuple], factor: float) -> None:
    streets = [Street(equity=1e6, **PERP), Street(equity=1e6 * factor, **(PERP | {"tick": 0.01 * factor,
               "min_notional": 5.0 * factor, "tiers": ()}))]  # fmt: skip
    streets[0] = Street(equity=1e6, **(PERP | {"tiers": ()}))
    told = []
    for street, scale in zip(streets, (1.0, factor), strict=True):
        street.lively(100.0 * scale, 0.01)
        last, said = 100.0, []
        for step in history:
            what, _, move, (up, down), volume, lots, leverage = step
            if what == "enter":
                street.submit(lots, margin=abs(lots) * 0.001 * last * scale / leverage)
            elif what == "leave":
                street.submit(lots, reduce=1)
            elif what == "bar":
                o = round(last * (1 + step[1]), 2)
                c = round(o * (1 + move), 2)
                high, low = max(o, c) * (1 + up), min(o, c) * (1 - down)
                said += street.bar(o * scale, h=high * scale, l=low * scale, c=c * scale, v=volume)
                last = c
            said += street.told()
        told.append([(x.kind, x.order, x.ticks, x.lots, x.last) for x in said])
    assert told[0] == told[1]


@given(
    side=st.sampled_from([1, -1]), venue=st.sampled_from([5.0, 25.0, 125.0]),
    leverage=st.sampled_from([1.0, 25.0, 125.0]),
    stop=st.floats(0.003, 0.3), usd=st.floats(10.0, 5e6), rates=st.lists(st.floats(0.0, 0.003), max_size=3),
    path=st.lists(st.floats(0.0, 0.999), max_size=4), resting=st.booleans(),
)  # fmt: skip
def test_what_sizing_affords_is_stopped_and_never_liquidated(
    side: int, venue: float, leverage: float, stop: float, usd: float, rates: list[float], path: list[float],
    resting: bool,
) -> None:  # fmt: skip
    """Any tier and leverage, funding paid at its cap until the stop: as long as no bar gaps the stop comes first."""
    street = Street(equity=1e8, **(PERP | {"max_leverage": venue}))
    street.lively(100.0, stop / 20.0, v=1e9)
    lots = side * max(int(usd / 0.1), 60)
    s, p = street.state, make_params(sizing={"leverage": leverage, "margin_budget": 1.0}).sizing
    d = decision(side=side, price=100.0, equity=1e8)
    s.head[0].equity = s.head[0].balance = 1e8
    got, margin = sizing.afford(s, 0, d, lots, stop * 100.0, 24 * HOUR_NS, p)
    assert got == lots
    trigger = ticks_of(s.inst[0], 100.0 - side * stop * 100.0, -side)
    kind, limit = (ORDER_LIMIT, 10_000) if resting else (ORDER_MARKET, 0)
    entry = street.submit(got, kind, trigger=limit, margin=margin)
    street.submit(0, ORDER_STOP, trigger=trigger, reduce=1, parent=entry)
    opened = street.bar(100.0, c=100.0 - side * 0.01, v=1e9)
    assert [x.kind for x in opened] == ["fill"]
    for share in path:  # nearer and nearer to the stop, never to it
        at = 100.0 - side * share * stop * 100.0 * 0.99
        street.bar(at, v=1e9)
    for rate in rates:
        street.fund(side * rate)
    if street.pos().lots == 0:
        return  # a path to within a hair of the stop, rounded onto it
    worst = trigger * 0.01 - side * 0.01
    (last,) = street.bar(100.0 - side * stop * 50.0, **({"l": worst} if side > 0 else {"h": worst}), v=1e9)
    assert (last.kind, last.order) == ("fill", entry + 1)
    assert street.venue.head[0].liquidations == 0
