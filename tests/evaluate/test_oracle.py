"""evaluate.oracle: who knows more ranks better, and what an oracle gives is what comes true.

A small run of benchmarks/oracles.py (nightly: a larger one). The engine's own share is not asserted here but printed
there: it is what it is.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.evaluate.listener import HEARD, Hearing, Listener, regime_filter, tape_of
from confidence_engine.evaluate.oracle import (
    consult,
    heard_of,
    hearing_of,
    oracle_cases,
    replayed_cases,
    truth_gap,
)
from confidence_engine.evaluate.planted import WORLD, Planted, Played, cases_of, clarity_of, play_planted
from confidence_engine.evaluate.skill import auc, skill
from confidence_engine.feeds.world import Events, Market, Params, Stories, assets, generate, symbol_of
from confidence_engine.text.cues import CueReader

STEP = 5 * MINUTE_NS
SMALL = Planted(days=60)


@functools.cache
def pooled(planted: Planted, seeds: range) -> np.ndarray:
    return np.concatenate([oracle_cases(seed, CueReader(), planted).cases for seed in seeds])


def reliable(chance: np.ndarray, y: np.ndarray, parts: int, width: float) -> list[tuple[float, float]]:
    """(claimed, came true) of parts of equal size; fails where they lie further apart than chance and `width` allow."""
    found = []
    for part in np.array_split(np.argsort(chance), parts):
        claimed, true = float(chance[part].mean()), float(y[part].mean())
        noise = math.sqrt(max(claimed * (1.0 - claimed), 0.01) / len(part))
        assert abs(claimed - true) < width * noise, (claimed, true, len(part))
        found.append((claimed, true))
    return found


def test_who_knows_more_ranks_better_and_a_is_calibrated() -> None:
    cases = pooled(SMALL, range(4000, 4002))
    y = cases["y"]
    assert len(cases) > 80
    a, b, engine, naive = (auc(cases[name], y) for name in ("a", "b", "confidence", "first"))
    assert a > b - 0.03
    assert b > max(engine, naive) + 0.05
    assert a > 0.62
    for chance in (cases["a"], cases["b"]):
        assert np.all((chance >= 0.0) & (chance <= 1.0))
    reliable(cases["a"], y, 3, 3.5)


@pytest.mark.nightly
def test_over_many_worlds_the_order_is_plain_and_every_chance_true() -> None:
    cases = pooled(Planted(days=200), range(4100, 4108))
    y = cases["y"]
    a, b, words, engine, naive = (auc(cases[name], y) for name in ("a", "b", "words", "confidence", "first"))
    assert a > b > words > naive
    assert b > engine > 0.5
    reliable(cases["a"], y, 6, 3.5)
    reliable(cases["b"], y, 6, 4.0)


def test_where_the_words_are_coins_and_the_gap_stays_open_there_is_nothing_to_know() -> None:
    law = WORLD._replace(events=WORLD.events._replace(closing=0.0), stories=Stories(information=0.0))
    cases = oracle_cases(4000, CueReader(), Planted(days=40, world=law)).cases
    assert np.ptp(cases["b"]) < 0.15  # regime and hour of day alone
    assert abs(cases["a"].mean() - cases["y"].mean()) < 4 * math.sqrt(0.25 / len(cases))
    found = skill(cases["confidence"], cases["y"], cases["ts_ns"] // DAY_NS).auc
    assert found.ci95 is not None
    assert found.ci95[0] <= 0.5 <= found.ci95[1]


@pytest.mark.nightly
def test_nothing_is_found_in_twenty_null_worlds() -> None:
    """The acceptance of null worlds: the pooled interval holds 0.5, at most 2 of 20 single ones miss it, no profit."""
    worlds = [replayed_cases(4200 + k, CueReader(), Planted(days=150, information=0.0)) for k in range(20)]
    cases = np.concatenate([one.cases for one in worlds])
    world = np.repeat(np.arange(20), [len(one.cases) for one in worlds])
    whole = skill(cases["confidence"], cases["y"], world).auc.ci95
    assert whole is not None
    assert whole[0] <= 0.5 <= whole[1]
    missed = 0
    for one in worlds:
        alone = skill(one.cases["confidence"], one.cases["y"], one.cases["ts_ns"] // DAY_NS).auc.ci95
        missed += alone is not None and not alone[0] <= 0.5 <= alone[1]
    assert missed <= 2
    net = np.array([one.net_usd for one in worlds])
    assert net.mean() < 1.73 * net.std(ddof=1) / math.sqrt(20)


def test_the_open_gap_is_what_the_price_still_does() -> None:
    still = Market(daily_vol=0.0005, regimes=(0.05,), common_share=0.0)
    law = Params(still, Events(events_a_day=3.0, impact=0.03))
    made = generate(3, assets(1), days=6, params=law)
    bars = made.bars[symbol_of(made.underlyings[0])]
    rng = np.random.default_rng(1)
    for bar in rng.integers(288, 1000, 20).tolist():
        at = int(bars["open_ns"][bar])
        later = bar + 288
        end = int(bars["open_ns"][later])
        fresh = made.truth[(made.truth["at_ns"] > at) & (made.truth["at_ns"] <= end) & (made.truth["impact"] != 0.0)]
        if len(fresh):
            continue
        moved = math.log(bars["o"][later] / bars["o"][bar])
        assert moved == pytest.approx(truth_gap(made, 0, at, at) - truth_gap(made, 0, end, end), abs=8e-4)


def one_story(said: int, jump: float, voices: int = 1) -> tuple[Listener, int]:
    """A listener to one story at noon of the second day, with a move of the price just before it."""
    law = Params(Market(regimes=(1.0,), vol_swing=0.0), WORLD.events, WORLD.stories)
    opens = STEP * np.arange(2 * 288, dtype=np.int64)
    moves = np.random.default_rng(0).normal(0.0, 0.5 * 0.03 / math.sqrt(288), (1, len(opens)))
    at = 288 + 144
    moves *= said
    moves[0, at - 1] += jump
    mix = np.ones((1, 1))
    believed = regime_filter(moves, opens, STEP, mix, law)
    listener = Listener(law, tape_of(0, moves, opens, STEP, mix, believed, law), Hearing(), 1)
    now = int(opens[at])
    heard = np.zeros(voices, HEARD)
    heard["known_ns"], heard["house"], heard["said"] = now + np.arange(voices) * 30_000_000_000, range(voices), said
    for row in heard:
        listener.hear(row)
    return listener, now + 2 * MINUTE_NS


def mean_gap(said: int, jump: float, voices: int = 1) -> float:
    listener, now = one_story(said, jump, voices)
    return float(listener.gap(now, now, 4000).mean())


def test_b_believes_a_story_more_that_the_price_or_another_house_bears_out() -> None:
    alone, backed, denied, chorus = mean_gap(1, 0.0), mean_gap(1, 0.006), mean_gap(1, -0.006), mean_gap(1, 0.0, 3)
    assert backed > alone + 0.002
    assert denied < alone - 0.002
    assert chorus > alone
    assert mean_gap(-1, -0.006) == pytest.approx(-backed, abs=1e-4)


def test_the_filter_over_regimes_finds_them() -> None:
    still = Market(regimes=(0.5, 2.0), regime_ns=48 * HOUR_NS, shock_df=8.0, vol_swing=0.0)
    law = Params(still, Events(events_a_day=0.0))
    made = generate(8, assets(4), days=30, params=law)
    returns = np.array([np.log(one["c"] / one["o"]) for one in made.bars.values()])
    opens = next(iter(made.bars.values()))["open_ns"]
    mix = np.where(np.eye(4) > 0, 1.0, 0.5)
    believed = regime_filter(returns, opens, STEP, mix, law)
    assert believed.sum(axis=1) == pytest.approx(1.0)
    high = made.sigma > made.sigma.mean()
    assert auc(believed[:, 1], high.astype(int)) > 0.9


@functools.cache
def asked() -> tuple[Played, np.ndarray, np.ndarray]:
    """A world, the cases of two of its assets, and what the oracles say of them."""
    p = Planted(days=40)
    played = play_planted(4001, CueReader(), p)
    clear = clarity_of(played.made, played.readings)
    cases = cases_of(played.config, played.sources, played.result.decisions, p.age_ns, clear)
    cases = cases[cases["asset"] < 2]
    return played, cases, consult(played, cases, 4001)


def test_what_an_oracle_says_does_not_hang_on_what_comes_later() -> None:
    played, cases, was = asked()
    made, rng = played.made, np.random.default_rng(7)
    opens = next(iter(made.bars.values()))["open_ns"]
    later = opens >= int(np.quantile(cases["ts_ns"], 0.5)) // DAY_NS * DAY_NS
    day_ns = int(opens[later][0])
    bars = {symbol: rows.copy() for symbol, rows in made.bars.items()}
    for rows in bars.values():
        rows["o"][later] *= np.exp(rng.normal(0.0, 0.02, int(later.sum())))
        rows["c"][later] *= np.exp(rng.normal(0.0, 0.02, int(later.sum())))
    sigma, truth = made.sigma.copy(), made.truth.copy()
    sigma[later] *= 3.0
    truth["impact"][truth["at_ns"] >= day_ns] *= -5.0
    now = consult(played._replace(made=made._replace(bars=bars, sigma=sigma, truth=truth)), cases, 4001)
    before = cases["ts_ns"] < day_ns
    assert min(before.sum(), (~before).sum()) > 5
    for name in ("a", "b", "words"):
        assert np.array_equal(was[name][before], now[name][before])
    for name in ("a", "b"):
        assert np.mean(was[name][~before] != now[name][~before]) > 0.9


def test_b_knows_no_truth() -> None:
    played, cases, was = asked()
    truth = played.made.truth.copy()
    truth["impact"] *= -1.0
    truth["clarity"], truth["told"] = 1.0 - truth["clarity"], -truth["told"]
    now = consult(played._replace(made=played.made._replace(truth=truth)), cases, 4001)
    assert np.array_equal(was["b"], now["b"])
    assert np.array_equal(was["words"], now["words"])
    assert np.mean(was["a"] != now["a"]) > 0.5


def test_what_b_hears_is_what_the_engine_hears() -> None:
    played = play_planted(4001, CueReader(), Planted(days=30))
    hearing = hearing_of(played)
    assert 0.9 < hearing.voiced <= 1.0
    assert hearing.right > 0.95
    assert hearing.false_a_day < 0.2
    rows = sum(len(heard_of(played, one.name)) for one in played.made.underlyings)
    assert rows == len(played.readings.rows)
    heard = heard_of(played, "VLT")
    assert np.all(np.diff(heard["known_ns"]) >= 0)
    assert set(np.unique(heard["said"])) <= {-1, 1}
