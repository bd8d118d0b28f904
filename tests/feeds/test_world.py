"""feeds.world: a seed is a world, the null world says nothing, the informative one says what it was told to say."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from scipy.stats import kurtosis

from confidence_engine.domain.document import known_at
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.feeds.world import PUBLISHERS, WORLD_ASSETS, Params, Stories, World, generate, symbol_of
from confidence_engine.feeds.world.plain import EMPTY, FALLING, KINDS, RISING
from confidence_engine.feeds.world.wording import sentence

START = parse_time("2025-01-06")


@pytest.fixture(scope="module")
def world() -> World:
    return generate(1, start_ns=START)


def said_and_done(world: World, horizon_ns: int = 3 * HOUR_NS) -> tuple[np.ndarray, np.ndarray]:
    """Polarity of each story when first told, and the log return from the next open over the horizon."""
    first = world.tellings[(world.tellings["event"] >= 0) & (world.tellings["echo"] == 0)]
    said, done = [], []
    for row in first:
        bars = world.bars[symbol_of(world.underlyings[row["asset"]])]
        begin, end = np.searchsorted(bars["open_ns"], [row["known_ns"], row["known_ns"] + horizon_ns])
        if end < len(bars):
            said.append(row["told"])
            done.append(math.log(bars["o"][end] / bars["o"][begin]))
    return np.array(said), np.array(done)


def correlation(information: float, seeds: range) -> tuple[float, float, float, int]:
    """Correlation of words and later returns over several worlds with its 95 % interval (Fisher) and n."""
    pairs = [said_and_done(generate(s, start_ns=START, days=30, information=information)) for s in seeds]
    said, done = (np.concatenate(column) for column in zip(*pairs, strict=True))
    r, half = float(np.corrcoef(said, done)[0, 1]), 1.96 / math.sqrt(len(said) - 3)
    return r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), len(said)


def test_a_seed_is_a_world(world: World) -> None:
    again, other = generate(1, start_ns=START), generate(2, start_ns=START)
    assert again.documents == world.documents
    assert again.truth.tobytes() == world.truth.tobytes()
    assert again.tellings.tobytes() == world.tellings.tobytes()
    for symbol in world.bars:
        assert again.bars[symbol].tobytes() == world.bars[symbol].tobytes()
        assert again.funding[symbol].tobytes() == world.funding[symbol].tobytes()
        assert other.bars[symbol].tobytes() != world.bars[symbol].tobytes()
    assert other.documents != world.documents


def test_information_changes_the_words_and_not_the_prices(world: World) -> None:
    null = generate(1, start_ns=START, information=0.0)
    assert all(null.bars[s].tobytes() == world.bars[s].tobytes() for s in world.bars)
    assert np.array_equal(null.truth["impact"], world.truth["impact"])
    assert np.array_equal(null.tellings["known_ns"], world.tellings["known_ns"])
    assert not np.array_equal(null.truth["told"], world.truth["told"])


def test_in_the_null_world_the_words_say_nothing() -> None:
    r, low, high, n = correlation(0.0, range(100, 108))
    assert n > 1000
    assert low <= 0.0 <= high, (r, n)


def test_in_the_informative_world_they_do() -> None:
    r, low, high, n = correlation(1.0, range(100, 104))
    assert n > 500
    assert low > 0.15, (r, n)
    assert high < 0.7, (r, n)
    half, *_ = correlation(0.5, range(100, 104))
    assert 0.0 < half < r


def test_told_agrees_with_the_event_as_often_as_set() -> None:
    truth = np.concatenate([generate(s, start_ns=START, days=60).truth for s in range(8)])
    real = truth[truth["impact"] != 0]
    right = float(np.mean(np.sign(real["impact"]) == real["told"]))
    assert abs(right - 0.9) < 4 * math.sqrt(0.9 * 0.1 / len(real))
    rumours = truth[truth["impact"] == 0]
    assert abs(rumours["told"].mean()) < 4 / math.sqrt(len(rumours))


def test_bars_are_bars(world: World) -> None:
    assert len(world.bars) == 4
    for symbol, bars in world.bars.items():
        in_ticks = bars["h"] / world.ticks[symbol]
        assert np.allclose(in_ticks, np.rint(in_ticks), atol=1e-6)
        assert len(bars) == 45 * 288
        assert bars["open_ns"][0] == START
        assert np.all(np.diff(bars["open_ns"]) == 5 * MINUTE_NS)
        assert np.array_equal(bars["close_ns"], bars["open_ns"] + 5 * MINUTE_NS)
        assert np.all(bars["h"] >= np.maximum(bars["o"], bars["c"]))
        assert np.all(bars["l"] <= np.minimum(bars["o"], bars["c"]))
        assert np.all(bars["l"] > 0)
        assert np.all(bars["v"] > 0)
        assert np.array_equal(bars["o"][1:], bars["c"][:-1])


def test_returns_look_like_returns(world: World) -> None:
    """Fat tails, volatility that clusters, a range that fits the close-to-close variance, a common part."""
    series = {s: np.diff(np.log(b["c"])) for s, b in world.bars.items()}
    for symbol, r in series.items():
        assert kurtosis(r, fisher=False) > 3.5
        hourly = np.log(np.abs(r[: len(r) // 12 * 12]).reshape(-1, 12).mean(axis=1))
        assert np.corrcoef(hourly[1:], hourly[:-1])[0, 1] > 0.3
        bars = world.bars[symbol]
        parkinson = math.sqrt(np.mean(np.log(bars["h"] / bars["l"]) ** 2) / (4 * math.log(2)))
        assert 0.8 < parkinson / np.std(r) < 1.3
        assert 0.015 < np.std(r) * math.sqrt(288) < 0.08
    pair = np.corrcoef(*list(series.values())[:2])[0, 1]
    assert 0.3 < pair < 0.7


def test_volume_knows_the_hour_and_funding_is_paid_every_eight(world: World) -> None:
    for symbol, bars in world.bars.items():
        hour = bars["open_ns"] % DAY_NS // HOUR_NS
        by_hour = np.array([bars["v"][hour == k].mean() for k in range(24)])
        assert by_hour.max() > 2 * by_hour.min()
        paid = world.funding[symbol]
        assert len(paid) == 45 * 3
        assert np.all(np.diff(paid["ts_ns"]) == 8 * HOUR_NS)
        assert np.all(np.abs(paid["rate"]) <= 1e-3)


def test_documents_come_after_their_event_and_in_order(world: World) -> None:
    known = np.array([known_at(d, 0) for d in world.documents])
    assert np.all(np.diff(known) >= 0)
    assert np.array_equal(known, world.tellings["known_ns"])
    assert known[-1] < START + 45 * DAY_NS
    told = world.tellings[world.tellings["event"] >= 0]
    assert np.all(told["known_ns"] > world.truth["at_ns"][told["event"]])
    assert {d.source for d in world.documents} == {"world"}
    assert len({d.id for d in world.documents}) == len(world.documents)
    assert {d.publisher for d in world.documents} == {p.name for p in PUBLISHERS}
    for document, row in zip(world.documents, world.tellings, strict=True):
        assert world.underlyings[row["asset"]].names[0] in document.title


def test_echoes_reword_and_agree(world: World) -> None:
    stories = world.tellings[world.tellings["event"] >= 0]
    assert 0.45 < stories["echo"].mean() < 0.7
    assert np.sum(stories["echo"] == 0) == len(np.unique(stories["event"]))
    for event in np.unique(stories["event"]):
        rows = stories[stories["event"] == event]
        titles = [world.documents[i].title for i in rows["document"]]
        assert len(set(titles)) == len(titles)
        assert len(set(rows["publisher"].tolist())) == len(rows)
        assert len(set(rows["told"].tolist())) == 1
    assert 0.1 < np.mean(world.tellings["event"] == -1) < 0.5


def test_every_family_has_a_wording_for_every_publisher() -> None:
    for kind, name in enumerate(KINDS):
        for direction, family in ((1, RISING[name]), (-1, FALLING[name])):
            told = {sentence(kind, direction, k, "Veltra", 7) for k in range(len(PUBLISHERS))}
            assert len(told) == len(PUBLISHERS) == len(family)
            assert all("Veltra" in t and "7" in t for t in told)
    assert all("Veltra" in sentence(0, 0, k, "Veltra", 7) for k in range(len(EMPTY)))


def test_other_assets_other_bars_and_what_is_refused() -> None:
    one = (Underlying("ZRN", "crypto", "layer1", ("Zorin Chain",), ("ZRN",)),)
    small = generate(3, one, START, 3, 15 * MINUTE_NS, 0.5, Params(stories=Stories(empty_a_day=0.0)))
    assert list(small.bars) == ["ZRN/USDT"]
    assert len(small.bars["ZRN/USDT"]) == 3 * 96
    assert all("Zorin Chain" in d.title for d in small.documents)
    assert not np.any(small.tellings["event"] == -1)
    for bad in ({"information": 1.1}, {"days": 0}, {"interval_ns": 7 * MINUTE_NS}, {"assets": ()}):
        with pytest.raises(UsageError):
            generate(1, **bad)
    with pytest.raises(UsageError, match="name"):
        generate(1, (Underlying("X", "crypto", "none"),))
    assert len(WORLD_ASSETS) == 4


CLEAR = Params(stories=Stories(corroboration=1.0))


def test_without_corroboration_the_world_is_the_demos() -> None:
    """Clarity and haste are drawn from a stream of their own: the demo's worlds are what they were before."""
    w, digest = generate(7, days=30), hashlib.sha256()
    for symbol in w.bars:
        digest.update(w.bars[symbol].tobytes() + w.funding[symbol].tobytes())
    digest.update(w.tellings.tobytes() + repr([(d.id, d.title) for d in w.documents]).encode())
    for name in ("event", "at_ns", "kind", "impact", "told"):
        digest.update(w.truth[name].tobytes())
    assert digest.hexdigest()[:16] == "491445e999339c5c"


def test_with_corroboration_clear_events_are_told_by_many_who_agree_and_rightly() -> None:
    worlds = [generate(s, start_ns=START, days=60, params=CLEAR) for s in range(4)]
    voices, dissent, right = [], [], []
    for w in worlds:
        told = w.tellings[w.tellings["event"] >= 0]
        for story in w.truth:
            mine = told[told["event"] == story["event"]]
            if len(mine):
                voices.append((story["clarity"], len(mine)))
            if len(mine) > 1:
                dissent.append((story["clarity"], np.mean(mine["told"][1:] != story["told"])))
            if story["impact"] != 0.0:
                right.append((story["clarity"], np.sign(story["impact"]) == story["told"]))
    for pairs, sign in ((voices, 1), (dissent, -1), (right, 1)):
        clarity, value = np.array(pairs, float).T
        r = np.corrcoef(clarity, value)[0, 1]
        assert sign * r > 4 / math.sqrt(len(pairs))
    clarity, value = np.array(right, float).T
    n = len(clarity)
    assert abs(value.mean() - (1 + clarity.mean()) / 2) < 4 / math.sqrt(4 * n)
    assert all(np.all(w.truth["clarity"][w.truth["impact"] == 0.0] == 0.0) for w in worlds)
    same = generate(0, start_ns=START, days=60)
    assert all(same.bars[s].tobytes() == worlds[0].bars[s].tobytes() for s in same.bars)


def test_haste_is_in_the_delays_and_a_share_is_a_share() -> None:
    quick, usual = (generate(5, days=30, params=Params(stories=Stories(delay_factor=f))) for f in (0.2, 1.0))
    wait = [np.mean(w.tellings["known_ns"] - w.truth["at_ns"][w.tellings["event"]]) for w in (quick, usual)]
    assert wait[0] < 0.4 * wait[1]
    with pytest.raises(UsageError, match="corroboration"):
        generate(1, params=Params(stories=Stories(corroboration=1.5)))
