"""Nothing that comes after t may change what was decided by t: raw rows replaced or cut, everything rebuilt.

From files, with an empty home: import, clean, read, cluster, merge, kernel, venue all run again. The checks are those
of `confidence audit`; here they run on the recorded data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from confidence_engine.cli.readers import reader_for
from confidence_engine.config import load
from confidence_engine.domain.units import DAY_NS
from confidence_engine.evaluate.leaks import stored
from confidence_engine.evaluate.leaks.raw import slice_of
from confidence_engine.evaluate.leaks.rebuilt import FUTURE, TRUNCATION, future
from confidence_engine.evaluate.leaks.whole import moments_of, new_checks
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.store import Store

from .conftest import ROOT

pytestmark = pytest.mark.realdata

BEFORE, AFTER = 20 * DAY_NS, 5 * DAY_NS


def _check(home: Path, count: int) -> None:
    config = load(ROOT / "config/futures.toml")
    scene, rng, checks = stored(config, Store(home)), np.random.default_rng(20231), new_checks()
    assert scene is not None
    both = {name: checks[name] for name in (FUTURE, TRUNCATION)}
    for t in moments_of(scene, count, BEFORE, AFTER, rng)[0]:
        window = Window(t - BEFORE, t - BEFORE * 3 // 4, t + AFTER)
        tables = slice_of(scene.tables, window.load_ns, window.end_ns)
        future(tables, config, window, lambda: reader_for(config.text.backend, config.text.model), t, rng, both)
    for check in both.values():
        assert check.examples == []
        assert (check.n, check.leaks, check.seen["unchanged"]) == (count, 0, 0)  # or no future had been changed
        assert check.seen["decisions"] > 500 * count


def test_the_future_changes_no_past_decision(recorded: Path) -> None:
    _check(recorded, 3)


@pytest.mark.nightly
def test_the_future_changes_no_past_decision_at_fifty_moments(recorded: Path) -> None:
    _check(recorded, 50)
