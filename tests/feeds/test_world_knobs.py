"""feeds.world: what each knob does, that a knob moves nothing else, and that a gap closes as it is told to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.feeds.world import (
    PUBLISHERS,
    Events,
    Market,
    Params,
    Stories,
    World,
    assets,
    generate,
    symbol_of,
)
from confidence_engine.feeds.world.events import EVENT_TRUTH, absorbed
from confidence_engine.feeds.world.market import book_of

STEP = 5 * MINUTE_NS
PLAIN = generate(11, days=30)


def turned(**sections: object) -> World:
    return generate(11, days=30, params=Params(**sections))  # type: ignore[arg-type]


def same_bars(a: World, b: World) -> bool:
    return all(a.bars[s].tobytes() == b.bars[s].tobytes() for s in a.bars)


def returns(world: World) -> np.ndarray:
    return np.array([np.log(one["c"] / one["o"]) for one in world.bars.values()])


def one_event(impact: float, p: Events) -> np.ndarray:
    """What an event at 0 has put into the log price at the closes, a bar of five minutes each, over ten days."""
    event = np.zeros(1, EVENT_TRUTH)
    event["impact"] = impact
    return absorbed(event, STEP * np.arange(1, 2881), p)


@given(st.floats(0.0, 3.0), st.floats(0.0, 1.0), st.integers(10, 10 * 60), st.floats(-0.2, 0.2))
def test_the_price_takes_a_part_at_once_and_closes_the_gap_with_its_half_life(
    at_once: float, closing: float, minutes: int, impact: float
) -> None:
    p = Events(at_once=at_once, closing=closing, half_life_ns=minutes * MINUTE_NS)
    taken = one_event(impact, p)
    age = 5.0 * np.arange(1, 2881)
    told = impact * (at_once + (1.0 - at_once) * closing * (1.0 - 0.5 ** (age / minutes)))
    assert taken == pytest.approx(told, abs=1e-12)


def test_an_overreaction_runs_beyond_and_comes_back() -> None:
    taken = one_event(0.02, Events(at_once=1.6))
    assert taken[0] > 0.031
    assert np.all(np.diff(taken) <= 0.0)
    assert taken[-1] == pytest.approx(0.02, rel=1e-6)
    under = one_event(0.02, Events(at_once=0.2))
    assert np.all(np.diff(under) >= 0.0)
    assert one_event(0.02, Events(at_once=0.2, closing=0.0))[-1] == pytest.approx(0.004)


def drift_after_stories(worlds: list[World], hours: int = 3) -> tuple[float, float]:
    """Mean log return in the direction first told, from the next open, and its standard error."""
    found = []
    for world in worlds:
        for row in world.tellings[(world.tellings["event"] >= 0) & (world.tellings["echo"] == 0)]:
            bars = world.bars[symbol_of(world.underlyings[row["asset"]])]
            begin = int(np.searchsorted(bars["open_ns"], row["known_ns"]))
            if begin + 12 * hours < len(bars):
                found.append(row["told"] * math.log(bars["o"][begin + 12 * hours] / bars["o"][begin]))
    return float(np.mean(found)), float(np.std(found) / math.sqrt(len(found)))


def test_the_three_null_worlds_have_nothing_to_follow_and_the_others_have() -> None:
    def drift(**sections: object) -> tuple[float, float]:
        return drift_after_stories([generate(s, days=40, params=Params(**sections)) for s in range(200, 204)])  # type: ignore[arg-type]

    for null in (
        {"stories": Stories(information=0.0)},
        {"events": Events(closing=0.0)},
        {"events": Events(impact=0.0)},
    ):
        mean, error = drift(**null)
        assert abs(mean) < 3.5 * error, null
    mean, error = drift()
    assert mean > 5.0 * error
    mean, error = drift(events=Events(at_once=1.8, impact=0.02))
    assert mean < -5.0 * error


def test_knobs_of_the_words_leave_the_market_alone_and_knobs_of_the_market_the_words() -> None:
    words = [
        Stories(information=0.0), Stories(contradiction=0.5), Stories(copies=1.0), Stories(echo_factor=0.0),
        Stories(empty_a_day=0.0), Stories(wording="apart"), Stories(corroboration=1.0), Stories(delay_factor=3.0),
    ]  # fmt: skip
    for stories in words:
        other = turned(stories=stories)
        assert same_bars(PLAIN, other), stories
        assert other.documents != PLAIN.documents
        assert np.array_equal(other.truth["impact"], PLAIN.truth["impact"])
    for market in (Market(jumps_a_day=2.0), Market(sector_share=0.3), Market(volume_usd=1e6), Market(half_spread=1e-3)):
        other = turned(market=market)
        assert other.documents == PLAIN.documents
        assert other.tellings.tobytes() == PLAIN.tellings.tobytes()
    assert same_bars(PLAIN, turned(market=Market(half_spread=1e-3)))


def test_hype_is_loud_quick_and_about_nothing() -> None:
    world = turned(events=Events(hype_a_day=1.0))
    hype = world.truth[world.truth["hype"] == 1]
    assert 80 < len(hype) < 160
    assert np.all(hype["impact"] == 0.0)
    assert np.all(hype["clarity"] == 0.0)
    told = world.tellings[np.isin(world.tellings["event"], hype["event"])]
    voices = np.bincount(told["event"], minlength=len(world.truth))[hype["event"]]
    late = told["known_ns"] - world.truth["at_ns"][told["event"]]
    usual = world.tellings[(world.tellings["event"] >= 0) & ~np.isin(world.tellings["event"], hype["event"])]
    assert np.mean(voices == len(PUBLISHERS)) > 0.95
    assert np.median(late) < 0.5 * np.median(usual["known_ns"] - world.truth["at_ns"][usual["event"]])
    for event in hype["event"]:
        assert len(set(told["told"][told["event"] == event].tolist())) <= 1
    real = lambda w: np.sort(w.truth["at_ns"][w.truth["hype"] == 0])  # noqa: E731
    assert np.array_equal(real(world), real(PLAIN))
    assert same_bars(world, PLAIN)


def test_contradictions_and_copies_come_as_often_as_set() -> None:
    for share in (0.25, 1.0):
        world = turned(stories=Stories(contradiction=share))
        echoes = world.tellings[(world.tellings["echo"] == 1) & (world.tellings["event"] >= 0)]
        firsts = world.truth["told"][echoes["event"]]
        assert np.mean(echoes["told"] != firsts) == pytest.approx(share, abs=4 * math.sqrt(0.25 / len(echoes)))
    world = turned(stories=Stories(copies=1.0))
    for event in np.unique(world.tellings["event"]):
        rows = world.tellings[world.tellings["event"] == event]
        if event >= 0:
            assert len({world.documents[i].title for i in rows["document"]}) == 1
            assert len({world.documents[i].id for i in rows["document"]}) == len(rows)


def test_jumps_make_tails_and_sectors_make_neighbours() -> None:
    calm = Market(shock_df=1000.0, regimes=(1.0,))
    quiet, jumpy = (
        returns(turned(market=m, events=Events(impact=0.0))) for m in (calm, calm._replace(jumps_a_day=2.0))
    )
    assert (np.abs(jumpy) > 5.0 * quiet.std()).sum() > 20 + 5 * (np.abs(quiet) > 5.0 * quiet.std()).sum()
    many = generate(5, assets(16), days=20, params=Params(market=Market(common_share=0.3, sector_share=0.4)))
    tied = np.corrcoef(returns(many))
    sectors = np.array([one.sector for one in many.underlyings])
    pair = (sectors[:, None] == sectors[None, :]) & ~np.eye(16, dtype=bool)
    assert tied[pair].mean() == pytest.approx(0.7, abs=0.06)
    assert tied[~pair & ~np.eye(16, dtype=bool)].mean() == pytest.approx(0.3, abs=0.06)


def test_spread_and_depth_move_against_each_other_round_their_medians() -> None:
    p = Market(half_spread=3e-4, depth_usd=5e5)
    world = turned(market=p)
    for symbol, book in world.book.items():
        assert len(book) == len(world.bars[symbol])
        assert np.array_equal(book["close_ns"], world.bars[symbol]["close_ns"])
        assert np.median(book["half_spread"]) == pytest.approx(3e-4, rel=1e-9)
        assert np.all(book["half_spread"] > 0.0)
        assert np.corrcoef(np.log(book["half_spread"]), np.log(book["depth_usd"]))[0, 1] < -0.5
        assert np.corrcoef(np.log(book["half_spread"]), np.log(world.sigma))[0, 1] > 0.3
    rng = np.random.default_rng(0)
    bars = next(iter(world.bars.values()))
    assert np.all(book_of(rng, bars, world.sigma, p)["depth_usd"] > 0.0)


def test_the_week_is_in_the_volume_as_set() -> None:
    for weekend in (0.3, 1.5):
        bars = turned(market=Market(weekend=weekend)).bars["KVX/USDT"]
        idle = (bars["open_ns"] // DAY_NS + 4) % 7 % 6 == 0
        dollars = bars["v"] * bars["c"]
        assert dollars[idle].mean() / dollars[~idle].mean() == pytest.approx(weekend, rel=0.12)


def test_128_coins_are_128_coins() -> None:
    many = assets(128)
    assert len(many) == 128
    for column in ([one.name for one in many], [one.names[0] for one in many], [one.tickers[0] for one in many]):
        assert len(set(column)) == 128
    assert len({one.sector for one in many}) == 8
    assert assets(4) == PLAIN.underlyings
    world = generate(1, many, days=2, interval_ns=HOUR_NS)
    assert len(world.bars) == 128
    assert len({bars.tobytes() for bars in world.bars.values()}) == 128
    assert world.underlyings == many
    assert list(world.bars) == [symbol_of(one) for one in many]
