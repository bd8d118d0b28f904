"""What must follow from what on real data: change the input in a known way and look at the decisions."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from confidence_engine.domain.document import body_hash
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.drivers.replay import Result
from confidence_engine.drivers.sources import gather
from confidence_engine.evaluate.performance import trades_from_fills
from confidence_engine.evaluate.randomness import random_entry_percentile
from confidence_engine.evaluate.summary import base_per_lot
from confidence_engine.feeds.store import Store

from .conftest import Case, entered

pytestmark = pytest.mark.realdata


def test_each_agent_enters_between_a_fifth_and_eight_times_a_bitcoin_week(
    futures: Case, futures_run: Result, spot: Case
) -> None:
    for case, result in ((futures, futures_run), (spot, spot.play())):
        bitcoin = [one.underlying for one in case.sources.instruments].index("BTC")
        weeks = (case.window.end_ns - case.window.start_ns) / (7 * DAY_NS)
        rate = (entered(result)["asset"] == bitcoin).sum() / weeks
        assert 0.2 <= rate <= 8.0


@pytest.mark.parametrize("agent", ["futures", "eager_spot"])
def test_without_news_nothing_is_entered(agent: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(agent)
    silent = case.sources._replace(documents=[])
    result = case.play(silent, case.read(silent))
    assert result.judged > 10_000
    assert len(entered(result)) == 0
    assert len(result.entries) == 0
    assert result.refusals["NO_EVIDENCE"] == result.judged


@pytest.mark.parametrize("agent", ["futures", "eager_spot"])
def test_flipped_polarity_changes_the_side_or_ends_the_entry(agent: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(agent)
    rows = case.readings.rows.copy()
    rows["polarity"] *= -1.0
    before, after = entered(case.play()), entered(case.play(readings=case.readings._replace(rows=rows)))
    assert len(before) >= 10
    sides = {(d["asset"], d["ts_ns"]): d["side"] for d in after}
    kept = sum(sides.get((d["asset"], d["ts_ns"])) == d["side"] for d in before)
    assert kept <= 0.05 * len(before)


@pytest.mark.nightly  # a world whose words are coins is in every run: tests/evaluate/test_oracle.py
def test_news_of_another_year_is_no_better_than_chance(futures: Case, recorded: object) -> None:
    store = Store(recorded)  # type: ignore[arg-type]
    year = 365 * DAY_NS
    window = futures.window
    old = gather(futures.config, store, window.start_ns, window.end_ns)
    documents = [
        msgspec.structs.replace(d, published_ns=d.published_ns + year)
        for d in store.documents(window.load_ns - year, window.end_ns - year)
    ]
    shifted = old._replace(documents=documents)
    result = futures.play(shifted, futures.read(shifted))
    trades = trades_from_fills(result.entries, base_per_lot(shifted.instruments))
    assert len(trades) >= 30
    bars = {i: shifted.bars[one.key] for i, one in enumerate(shifted.instruments)}
    slip = {i: one.half_spread for i, one in enumerate(shifted.instruments)}
    luck = random_entry_percentile(trades, bars, window.start_ns, window.end_ns, slip)
    assert luck.p_value is not None
    assert luck.p_value > 0.025


FIELDS = ("gates", "side", "stories", "story", "z_story", "weight", "reaction", "gap", "trigger", "strength")
FIELDS += ("findings", "crowd", "gap_short", "gap_mid", "gap_long", "anticipation", "market")


def test_prices_times_ten_change_no_decision(futures: Case, futures_run: Result) -> None:
    instruments = tuple(
        msgspec.structs.replace(one, tick=one.tick * 10, lot=one.lot / 10) for one in futures.sources.instruments
    )
    bars = {}
    for key, rows in futures.sources.bars.items():
        bars[key] = rows.copy()
        for name in "ohlc":
            bars[key][name] *= 10.0
        bars[key]["v"] /= 10.0
    result = futures.play(futures.sources._replace(instruments=instruments, bars=bars))
    _same_decisions(futures_run.decisions, result.decisions)
    assert np.array_equal(futures_run.entries["lots"], result.entries["lots"])


def test_the_order_of_assets_changes_no_decision(futures: Case, futures_run: Result) -> None:
    turned = futures.sources._replace(instruments=futures.sources.instruments[::-1])
    decisions = futures.play(turned).decisions.copy()
    decisions["asset"] = len(turned.instruments) - 1 - decisions["asset"]
    order = np.lexsort((decisions["asset"], decisions["ts_ns"]))
    _same_decisions(futures_run.decisions, decisions[order])


def _same_decisions(one: np.ndarray, two: np.ndarray) -> None:
    one = one[np.lexsort((one["asset"], one["ts_ns"]))]
    assert len(one) == len(two)
    assert np.array_equal(one["ts_ns"], two["ts_ns"])
    for name in FIELDS:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-9, err_msg=name)


def test_the_same_publisher_saying_it_five_times_does_not_raise_confidence(futures: Case, futures_run: Result) -> None:
    again = list(futures.sources.documents)  # as they are: items of one stamp stand in the order of their ids
    for one in futures.sources.documents:
        for k in range(1, 5):
            at = one.published_ns + k * 7 * MINUTE_NS
            again.append(
                msgspec.structs.replace(one, id=body_hash(one.title, str(k), one.publisher, at), published_ns=at)
            )
    echoed = futures.sources._replace(documents=again)
    result = futures.play(echoed, futures.read(echoed))
    before = {(d["asset"], d["ts_ns"]): d["confidence"] for d in futures_run.decisions}
    both = [(d["confidence"], before[key]) for d in result.decisions if (key := (d["asset"], d["ts_ns"])) in before]
    assert len(both) > 10_000
    louder = sum(now > then + 1e-12 for now, then in both)
    assert louder == 0


def test_random_polarity_is_no_contrarian_price_signal_in_disguise(futures: Case) -> None:
    rows = futures.readings.rows.copy()
    rows["polarity"] = np.random.default_rng(11).uniform(-1.0, 1.0, len(rows))
    decisions = futures.play(readings=futures.readings._replace(rows=rows)).decisions
    compared = 0
    for i, one in enumerate(futures.sources.instruments):
        bars = futures.sources.bars[one.key]
        mine = decisions[(decisions["asset"] == i) & (decisions["side"] != 0) & np.isfinite(decisions["gap"])]
        if len(mine) < 1000:
            continue
        now = np.searchsorted(bars["close_ns"], mine["price_ns"])
        then = np.searchsorted(bars["close_ns"], mine["price_ns"] - 6 * HOUR_NS)
        past = np.log(bars["c"][now] / bars["c"][then])
        assert abs(np.corrcoef(mine["gap"], -past)[0, 1]) < 0.2
        compared += 1
    assert compared >= 1
