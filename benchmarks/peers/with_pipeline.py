"""Our whole pipeline on recorded data: stored bars, funding and headlines of the futures config, 2023-01 to 2024-02.

    with_pipeline.py BARS HOME CONFIG

Everything stored is gathered, headlines that were never read are read, the tape is laid and replayed with every stage
as the config has it. BARS are not used. No peer does this work.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from work import Found, argument, serve

from confidence_engine.cli.readers import reader_for
from confidence_engine.config import Config, load
from confidence_engine.domain.units import parse_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import gather_covered
from confidence_engine.feeds.store import Store

PERIOD = ("2023-01-01", "2024-03-01")


def run(config: Config, home: Path) -> Found:
    """Gather, read, tape and replay, each with its share of the time."""
    marks = [time.process_time()]
    store = Store(home)
    sources, start_ns, end_ns = gather_covered(config, store, *(parse_time(at) for at in PERIOD))
    marks.append(time.process_time())
    reader = reader_for(config.text.backend, config.text.model, store.folder)
    readings = replay.read(config, sources, reader)
    marks.append(time.process_time())
    tape = replay.compose(config, sources, readings, replay.window_of(config, start_ns, end_ns))
    marks.append(time.process_time())
    result = replay.play(config, sources.instruments, tape.events)
    marks.append(time.process_time())
    steps = dict(zip(("gather", "read", "tape", "replay"), np.diff(marks).tolist(), strict=True))
    counts = {"events": len(tape.events), "documents": len(sources.documents)}
    entries = int((result.decisions["gates"] == 0).sum())
    return Found(entries, float(result.equities["equity"][-1]), steps | counts)


if __name__ == "__main__":
    home, config = Path(argument(0)), load(Path(argument(1)))
    serve(lambda _: config, lambda config: run(config, home))
