"""How long a warm-up must be: a world whose decisions settle, and what is said where none was long enough."""

from __future__ import annotations

from pathlib import Path

from tests.evaluate.leaks.scenes import scene

from confidence_engine.domain.units import DAY_NS
from confidence_engine.evaluate.leaks.raw import import_into
from confidence_engine.evaluate.leaks.rebuilt import known_symbols
from confidence_engine.evaluate.leaks.startup import startup
from confidence_engine.text.cues import CueReader


def test_decisions_come_nearer_to_those_of_the_longest_warm_up(tmp_path: Path) -> None:
    made, said = scene(), []
    store = import_into(tmp_path / "home", made.tables)
    symbols = known_symbols(made.tables, made.end_ns)
    start = made.end_ns - DAY_NS
    found = startup(made.config, store, symbols, made.begin_ns, start, made.end_ns, CueReader(), said.append)
    rows = found["lengths"]
    assert [row["warmup"] for row in rows] == ["0 s", "1 d", "3 d"]
    assert len(said) == 3
    assert rows[0]["share"] > rows[1]["share"] > rows[2]["share"] == 0.0
    assert rows[2]["sizes_differ"] == 0
    assert rows[0]["decisions"] > 50
    assert found["enough"] is None  # only the longest equals itself
    assert found["configured"] == "2 d"
