"""A small simulated world replayed by hand: sources, readings, tape, kernel, figures. python examples/01_replay.py"""

import tempfile
from pathlib import Path

from confidence_engine.config import load
from confidence_engine.config.simulated import write_simulated
from confidence_engine.domain.units import DAY_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.summary import figures
from confidence_engine.feeds.world import generate
from confidence_engine.text.cues import CueReader

begin = parse_time("2025-01-01")
world = generate(seed=1, start_ns=begin, days=45)  # SIMULATED: prices and headlines are made up
config = load(write_simulated(Path(tempfile.mkdtemp()), world.underlyings, world.ticks, warmup_days=15))

instruments = tuple(sorted(config.instruments(), key=lambda one: one.key))
bars = {one.key: world.bars[one.symbol] for one in instruments}
funding = {one.key: world.funding[one.symbol] for one in instruments}
sources = Sources(instruments, bars, funding, {}, world.documents, (), synthetic=True, data_hash="seed 1")

readings = replay.read(config, sources, CueReader())
window = replay.window_of(config, begin + 15 * DAY_NS, begin + 45 * DAY_NS)
tape = replay.compose(config, sources, readings, window)
result = replay.play(config, instruments, tape.events)

made = figures(config, sources, result)
entered = result.decisions[result.decisions["gates"] == 0]
print(f"SIMULATED: {len(tape.events):,} events, {len(readings.rows)} readings, {readings.clusters} stories")
print(f"{len(entered)} entries, {len(made.trades)} trades, net {made.performance.net_pnl_usd:,.2f} USD")
print(f"first entry: gap {entered[0]['gap']:+.2f} against trigger {entered[0]['trigger']:.2f}")
