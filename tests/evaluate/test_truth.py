"""evaluate.truth: what a confidence claimed in simulated runs, beside what oracle A knew and what came true."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.simulation import Simulation, simulate
from confidence_engine.evaluate.planted import played_in
from confidence_engine.evaluate.truth import beside_truth, muted
from confidence_engine.feeds.world import assets, generate
from confidence_engine.kernel.state import state_hash
from confidence_engine.text.cues import CueReader

WORLD = """[world]
assets = 4
days = 20
warmup = "4d"
[events]
events_a_day = 2.0
rumours_a_day = 0.8
impact = "2%"
[stories]
wording = "plain"
corroboration = 1.0
delay_factor = 0.3
"""


def simulations(folder: Path, *seeds: int) -> list[Simulation]:
    file = folder / "small.toml"
    file.write_text(WORLD, encoding="utf-8")
    return [simulate(file, seed, folder / str(seed)) for seed in seeds]


def test_confidence_stands_beside_the_truth(tmp_path: Path) -> None:
    runs = simulations(tmp_path, 3, 4)
    told = beside_truth(runs, CueReader())
    rows = told.table
    assert told.worlds == 2
    assert sum(one.n for one in rows) > 40
    assert [one.low for one in rows] == sorted(one.low for one in rows)
    for one in rows:
        assert 0.5 <= one.low <= one.confidence <= one.high <= 0.75
        assert 0.0 < one.oracle < 1.0
        assert one.ci95[0] <= one.realised <= one.ci95[1]
    assert told.oracle is not None
    assert told.oracle.auc.value > told.confidence.auc.value
    first = runs[0]
    result = played_in(first.world, first.config, first.sources, first.window, CueReader()).result
    assert told.state_hash == state_hash(result.state)
    assert told.entries == int((result.decisions["gates"] == 0).sum()) > 0


def test_a_muted_world_has_the_same_prices_and_words_that_know_nothing(tmp_path: Path) -> None:
    (own,) = simulations(tmp_path, 3)
    null, shape = muted(own), own.file.shape
    same = generate(3, assets(shape.assets), own.file.start_ns, shape.days, shape.interval_ns, 0.0, own.file.params)
    for symbol, rows in own.world.bars.items():
        assert np.array_equal(null.world.bars[symbol], rows)
    assert null.world.documents == same.documents != own.world.documents
    assert null.sources.documents == same.documents
    assert null.window == own.window
    assert null.window.end_ns - null.window.start_ns == 16 * DAY_NS
    truth = null.world.truth
    happened = truth["impact"] != 0.0
    assert abs(float(np.mean(np.sign(truth["impact"][happened]) * truth["told"][happened]))) < 0.3
