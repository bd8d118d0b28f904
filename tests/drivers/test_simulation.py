"""drivers.simulation: a file and a seed are a run; a user's agent brings its judgement and no money."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_world_file import files

from confidence_engine.config import load
from confidence_engine.config.simulated import HALF_SPREAD, SPOT, VENUE
from confidence_engine.domain.errors import ConfigError, DataRefused
from confidence_engine.domain.event import SYNTHETIC
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.simulation import folder_of, simulate
from confidence_engine.drivers.sources import used_hash
from confidence_engine.evaluate.summary import figures, summarise
from confidence_engine.text.cues import CueReader

ROOT = Path(__file__).resolve().parents[2]
SMALL = """
[world]
assets = 6
days = 8
interval = "15m"
warmup = "3d"
[market]
half_spread = "4bps"
[stories]
empty_a_day = 0.5
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_the_worlds_own_agent_trades_all_of_it(file: Path, tmp_path: Path) -> None:
    found = simulate(file, 3, tmp_path / "w")
    config, sources = found.config, found.sources
    assert sources.synthetic
    assert len(sources.instruments) == len(sources.bars) == len(sources.funding) == 6
    assert {one.venue for one in sources.instruments} == {VENUE}
    assert {one.half_spread for one in sources.instruments} == {4e-4}
    assert config.agent.interval_ns == 15 * MINUTE_NS
    assert config.agent.warmup_ns == 3 * DAY_NS
    start = parse_time("2025-01-01")
    assert tuple(found.window) == (start, start + 3 * DAY_NS, start + 8 * DAY_NS)
    assert sources.data_hash == used_hash(sources)
    assert load(tmp_path / "w" / "world.toml").hash == config.hash
    assert HALF_SPREAD == 1e-4


def test_a_seed_is_a_run_and_another_is_another(file: Path, tmp_path: Path) -> None:
    one, same, other = (simulate(file, seed, tmp_path / f"w{k}") for k, seed in enumerate((3, 3, 4)))
    assert one.sources.data_hash == same.sources.data_hash != other.sources.data_hash
    assert one.config.hash == same.config.hash == other.config.hash
    later = simulate(file, 3, tmp_path / "later", start_ns=parse_time("2026-02-01"))
    assert later.window.load_ns == parse_time("2026-02-01")
    assert folder_of(tmp_path, file, 3) == tmp_path / "worlds" / "small-3"


@pytest.mark.parametrize(("name", "venue"), [("futures", VENUE), ("spot", SPOT)])
def test_a_users_agent_keeps_its_judgement_and_gets_the_worlds_coins(
    file: Path, tmp_path: Path, name: str, venue: str
) -> None:
    theirs = ROOT / "config" / f"{name}.toml"
    given, found = load(theirs), simulate(file, 3, tmp_path / "w", theirs)
    mine = found.config
    assert (mine.kernel, mine.text, mine.sim, mine.outcome) == (given.kernel, given.text, given.sim, given.outcome)
    assert mine.agent.name == given.agent.name
    assert mine.agent.initial_equity_usd == given.agent.initial_equity_usd
    assert {one.venue for one in found.sources.instruments} == {venue}
    assert len(found.sources.instruments) == 6
    assert bool(found.sources.funding) == (venue == VENUE)


def test_every_event_of_it_is_marked_synthetic(file: Path, tmp_path: Path) -> None:
    found = simulate(file, 3, tmp_path / "w")
    readings = replay.read(found.config, found.sources, CueReader())
    tape = replay.compose(found.config, found.sources, readings, found.window)
    assert len(tape.events) > 1000
    assert np.all(tape.events["marks"] & SYNTHETIC)


def test_real_money_is_refused_before_a_world_and_before_a_tape(file: Path, tmp_path: Path) -> None:
    rich = tmp_path / "rich.toml"
    below = ROOT / "config" / "futures.toml"
    rich.write_text(f'inherits = "{below}"\n[agent]\nreal_money = true\n', encoding="utf-8")
    with pytest.raises(DataRefused, match="real money"):
        simulate(file, 3, tmp_path / "w", rich)
    found = simulate(file, 3, tmp_path / "w")
    readings = replay.read(found.config, found.sources, CueReader())
    with pytest.raises(DataRefused, match="real money"):
        replay.compose(load(rich), found.sources, readings, found.window)


def test_an_agent_without_news_hears_none(file: Path, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf.toml"
    below = ROOT / "config" / "futures.toml"
    deaf.write_text(f'inherits = "{below}"\n[agent]\nevidence = ["score"]\n', encoding="utf-8")
    assert simulate(file, 3, tmp_path / "w", deaf).sources.documents == []


def test_what_is_wrong_with_either_file_is_said_where_it_stands(file: Path, tmp_path: Path) -> None:
    file.write_text(SMALL + "loudness = 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"small\.toml:\d+: unknown key \[stories\] loudness"):
        simulate(file, 3, tmp_path / "w")
    file.write_text(SMALL, encoding="utf-8")
    bad = tmp_path / "bad.toml"
    bad.write_text(f'inherits = "{ROOT / "config" / "futures.toml"}"\n[kernel.gates]\nnone = 1\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.toml:3"):
        simulate(file, 3, tmp_path / "w", bad)


@pytest.mark.nightly
@given(files(), st.integers(0, 99), st.sampled_from([None, "spot", "futures", "limit"]))
@settings(max_examples=60)
def test_whatever_a_file_makes_runs(
    tmp_path_factory: pytest.TempPathFactory, text: str, seed: int, agent: str | None
) -> None:
    """Two weeks of any world that a file may ask for, through any agent: no halt, no number that is none."""
    for key, value in (("days", "15"), ("interval", '"15m"'), ("warmup", '"3d"')):
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
    folder = tmp_path_factory.mktemp("any")
    path = folder / "any.toml"
    path.write_text(text, encoding="utf-8")
    refused = ""
    try:
        found = simulate(path, seed, folder / "w", ROOT / "config" / f"{agent}.toml" if agent else None)
    except ConfigError as error:
        refused = str(error)
    if refused:
        assert "any.toml" in refused
        return
    readings = replay.read(found.config, found.sources, CueReader())
    tape = replay.compose(found.config, found.sources, readings, found.window)
    result = replay.play(found.config, found.sources.instruments, tape.events)
    made = figures(found.config, found.sources, result)
    summary = summarise(found.config, found.sources, found.window, tape, result, made, "cues")
    assert summary["synthetic"] is True
    assert math.isfinite(summary["net_pnl_usd"])
