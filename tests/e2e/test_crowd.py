"""The crowd on recorded data: every finding fires, none always, each one matters, and none knows bull from bear."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from confidence_engine.domain.finding import BROAD, FINDING_NAMES, HYPE, IGNORED, NARROW, SPENT
from confidence_engine.drivers import replay
from confidence_engine.drivers.replay import Result
from confidence_engine.feeds.assemble import Tape

from .conftest import Case

pytestmark = pytest.mark.realdata

CROWD = (BROAD, NARROW, HYPE, SPENT, IGNORED)
FIRES = {"futures": (HYPE, SPENT, IGNORED), "eager_spot": CROWD}  # one publisher alone is neither broad nor narrow


def tape_of(case: Case) -> Tape:
    """Events and streams; the factors of the crowd have no part in them."""
    return replay.compose(case.config, case.sources, case.readings, case.window)


def played(case: Case, tape: Tape, **factors: float) -> Result:
    """The replay with some factors of the crowd set."""
    params = case.config.kernel._replace(crowd=case.config.kernel.crowd._replace(**factors))
    return replay.play(case.config, case.sources.instruments, tape.events, params=params)


def by_moment(result: Result, name: str) -> dict[tuple[int, int], float]:
    """Value of decisions with a live story, by asset and time."""
    told = result.decisions[result.decisions["stories"] > 0]
    return dict(zip(zip(told["asset"].tolist(), told["ts_ns"].tolist(), strict=True), told[name].tolist(), strict=True))


@pytest.mark.parametrize("agent", ["futures", "eager_spot"])
def test_every_finding_fires_at_a_sane_rate_and_matters(agent: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(agent)
    tape = tape_of(case)
    full = played(case, tape)
    told = full.decisions[full.decisions["stories"] > 0]
    strength = by_moment(full, "strength")
    for finding in CROWD:
        rate = float((told["findings"] >> finding & 1).mean())
        if finding not in FIRES[agent]:
            assert rate == 0.0
            continue
        assert 0.002 < rate < 0.3, FINDING_NAMES[finding]
        without = by_moment(played(case, tape, **{FINDING_NAMES[finding].lower(): 1.0}), "strength")
        assert sum(without[key] != strength[key] for key in without.keys() & strength.keys()) >= 10


@pytest.mark.parametrize("agent", ["futures", "eager_spot"])
def test_flipped_polarities_flip_sides_and_change_no_factor(agent: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(agent)
    rows = case.readings.rows.copy()
    rows["polarity"] *= -1.0
    kernel = case.config.kernel  # without what is learnt from outcomes, which are others when all sides are
    blank = kernel._replace(sources=kernel.sources._replace(rate=0.0), thresholds=kernel.thresholds._replace(rate=0.0))
    case = case._replace(config=msgspec.structs.replace(case.config, kernel=blank))
    one, two = case.play(), case.play(readings=case.readings._replace(rows=rows))
    for name, sign in (("crowd", 1.0), ("side", -1.0), ("market", -1.0)):
        before, after = by_moment(one, name), by_moment(two, name)
        both = sorted(before.keys() & after.keys())
        assert len(both) > 10_000
        values = np.array([(before[key], after[key]) for key in both])
        np.testing.assert_array_equal(values[:, 0], sign * values[:, 1], err_msg=name)


@pytest.mark.parametrize("agent", ["futures", "eager_spot"])
def test_the_market_is_told_of_and_every_asset_has_its_beta(agent: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(agent)
    result = case.play()
    told = result.decisions[result.decisions["stories"] > 0]
    assert 0.05 < float(np.isfinite(told["market"]).mean()) < 0.9
    beta = result.state.beta["beta"][: len(case.sources.instruments)]
    assert np.all((beta > 0.4) & (beta < 1.8))
    assert abs(beta.mean() - 1.0) < 0.01
    names = [one.underlying for one in case.sources.instruments]
    assert beta[names.index("BTC")] == beta.min()
