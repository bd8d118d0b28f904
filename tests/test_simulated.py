"""config.simulated: the config of a world is files like any other, read back as what the world is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from confidence_engine.cli import app
from confidence_engine.config import load
from confidence_engine.config.simulated import VENUE, write_simulated
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.feeds.world import generate
from tests.simulated import world


def test_what_is_written_is_what_the_world_is(tmp_path: Path) -> None:
    made = world()
    path = write_simulated(tmp_path / "new" / "config", made.underlyings, made.ticks, 6)
    config = load(path)
    assert (path.name, config.agent.name, config.agent.venue) == ("simulated.toml", "simulated", VENUE)
    assert config.agent.warmup_ns == 6 * DAY_NS
    assert config.timing.news_lag_ns == 0
    assert config.agent.real_money is False
    assert {one.symbol: one.tick for one in config.instruments()} == made.ticks
    assert all(one.funding_ns == 8 * HOUR_NS and one.can_short and one.tiers for one in config.instruments())
    told = {one.name: one for one in config.universe.underlyings}
    for one in made.underlyings:
        assert (told[one.name].names, told[one.name].tickers) == (one.names, one.tickers)


def test_written_again_it_is_the_same_and_days_matter(tmp_path: Path) -> None:
    made = world()
    one = load(write_simulated(tmp_path, made.underlyings, made.ticks, 6)).hash
    assert load(write_simulated(tmp_path, made.underlyings, made.ticks, 6)).hash == one
    assert load(write_simulated(tmp_path / "other", made.underlyings, made.ticks, 7)).hash != one


@pytest.mark.parametrize("name", ["o'hara", 'the "new" coin', "back\\slash", "ümläut", "two words"])
def test_names_with_odd_characters_survive(tmp_path: Path, name: str) -> None:
    coin = Underlying(name="ODD", klass="crypto", sector="meme", names=(name,), tickers=("ODD",))
    made = generate(1, (coin,), days=1)
    config = load(write_simulated(tmp_path, made.underlyings, made.ticks, 1))
    assert msgspec.structs.replace(config.universe.underlyings[0]).names == (name,)


def test_every_symbol_needs_its_tick(tmp_path: Path) -> None:
    made = world()
    with pytest.raises(ValueError, match="argument"):
        write_simulated(tmp_path, made.underlyings, {"KVX/USDT": 0.01}, 6)


def test_it_can_be_shown_like_any_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_simulated(tmp_path, world().underlyings, world().ticks, 6)
    assert app.main(["config", "show", str(path)]) == 0
    assert load(path).hash in capsys.readouterr().out
