"""Config files: what stands in them is what the engine gets, and what does not belong is refused where it stands."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.config import Config, load, secret, secrets_shown
from confidence_engine.config.agent import DERIVED, REPEATED, SECTIONS
from confidence_engine.config.source import Leaf, flatten, key_lines
from confidence_engine.config.values import build, plain
from confidence_engine.domain.decision import GATE_WEAK_STRENGTH, gate_names
from confidence_engine.domain.errors import ConfigError, UsageError
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.kernel.gates import OF_CASE
from confidence_engine.kernel.gates import Params as GateParams

UNIVERSE = """
[class.crypto]
annual_volatility = 0.8
story_spread = 0.5
trading_seconds_per_year = 31_536_000

[underlying.BTC]
class = "crypto"
sector = "money"
names = ["bitcoin"]
tickers = ["BTC"]

[venue.spot]
taker = "10bps"
maker = "0.1%"
half_spread = "2bps"
min_notional = 5

[[instrument]]
symbol = "BTC/USDT"
venue = "spot"
underlying = "BTC"
tick = 0.01
lot = 0.00001

[[instrument]]
symbol = "BTC/USDT"
venue = "perp"
underlying = "BTC"
tick = 0.1
lot = 0.001
taker = "5bps"
maker = "2bps"
half_spread = "1bps"
min_notional = 100
max_leverage = 125
can_short = true
liquidation_fee = "1.25%"
funding = "8h"
tiers = [[50_000, "0.4%"], [250_000, "0.5%"]]
aliases = ["BTCUSDT"]
"""

AGENT = """universe = "universe.toml"
[agent]
name = "hybrid"
venue = "spot"
symbols = ["BTC/USDT"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "universe.toml").write_text(UNIVERSE)
    (tmp_path / "spot.toml").write_text(AGENT)
    return tmp_path


def loaded(folder: Path, text: str, name: str = "mine.toml") -> Config:
    (folder / name).write_text(text)
    return load(folder / name)


def refused(folder: Path, text: str, name: str = "mine.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, name)
    message = str(caught.value)
    assert "\n" not in message
    return message


# What is read.


def test_values_reach_the_tree_in_their_units(folder: Path) -> None:
    config = loaded(
        folder,
        AGENT
        + 'interval = "1h"\ninitial_equity_usd = 5_000\nwarmup = "2w"\n[timing]\ngrid = "90m"\nsettle = "250ms"\n',
    )
    assert config.agent.interval_ns == HOUR_NS
    assert config.agent.initial_equity_usd == 5000.0
    assert isinstance(config.agent.initial_equity_usd, float)
    assert config.agent.warmup_ns == 14 * DAY_NS
    assert (config.timing.grid_ns, config.timing.settle_ns) == (90 * MINUTE_NS, SECOND_NS // 4)
    assert config.tree()["timing"]["grid"] == "90m"
    assert config.tree()["agent"]["warmup"] == "14d"


def test_defaults_are_the_documented_ones(folder: Path) -> None:
    config = loaded(folder, AGENT)
    assert config.agent.evidence == ("news",)
    assert config.agent.real_money is False
    assert plain(config.timing) == {
        "bar_latency": "1s", "news_lag": "5m", "funding_latency": "2s", "grid": "5m", "settle": "2s", "coalesce": "1s",
    }  # fmt: skip
    assert plain(type(config.kernel)())["exits"] == config.tree()["kernel"]["exits"]


def test_a_fraction_is_the_same_however_it_is_written(folder: Path) -> None:
    sizes = [
        loaded(folder, f"{AGENT}[kernel.sizing]\nrisk_per_trade = {value}\n").kernel.sizing.risk_per_trade
        for value in ('"0.4%"', '"40bps"', "0.004")
    ]
    assert sizes == pytest.approx([0.004] * 3, rel=1e-15)


def test_a_child_inherits_key_by_key(folder: Path) -> None:
    (folder / "spot.toml").write_text(AGENT + '[timing]\ngrid = "1h"\nsettle = "9s"\n')
    config = loaded(folder, 'inherits = "spot.toml"\n[timing]\ngrid = "15m"\n')
    assert config.agent.name == "hybrid"
    assert (config.timing.grid_ns, config.timing.settle_ns) == (15 * MINUTE_NS, 9 * SECOND_NS)


def test_no_gate_is_waived_with_real_money(folder: Path) -> None:
    waived = '[kernel.gates]\nwaived = ["WEAK_STRENGTH"]\n'
    assert loaded(folder, AGENT + waived).kernel.gates.waived == 1 << GATE_WEAK_STRENGTH
    message = refused(folder, AGENT + "real_money = true\n" + waived)
    assert "never with real money" in message


@given(st.sets(st.sampled_from(gate_names(OF_CASE))))
def test_gates_of_a_case_are_waived_by_name_and_shown_so(names: set[str]) -> None:
    leaf = Leaf(sorted(names), Path("mine.toml"), 1)
    built = build(GateParams, {("kernel", "gates", "waived"): leaf}, ("kernel", "gates"))
    assert set(gate_names(built.waived)) == names
    assert set(plain(built)["waived"]) == names


@pytest.mark.parametrize(
    "given_as", ["64", '["NO_SHORT"]', '["LOUD"]', '[""]', '"COOLDOWN"', "[64]", "true", '["COOLDOWN", "COOLDOWN"]']
)
def test_what_is_no_gate_of_a_case_is_refused_with_the_names_of_those_that_are(folder: Path, given_as: str) -> None:
    message = refused(folder, AGENT + f"[kernel.gates]\nwaived = {given_as}\n")
    assert message.startswith(f"{folder / 'mine.toml'}:7: ")
    assert ", ".join(gate_names(OF_CASE)) in message
    assert given_as.strip('[]"').split('"')[0] in message


def test_the_agents_keys_decide_the_kernels_switches(folder: Path) -> None:
    config = loaded(folder, AGENT + 'evidence = ["score"]\nreal_money = true\n')
    for stage, key, _, rule in DERIVED:
        assert getattr(getattr(config.kernel, stage), key) == rule(config.agent)
        message = refused(folder, f"{AGENT}[kernel.{stage}]\n{key} = true\n")
        assert "mine.toml:7: " in message
        assert "[agent]" in message
    assert config.kernel.sizing.real_money is True
    assert (config.kernel.divergence.use_news, config.kernel.divergence.use_score) == (False, True)


def test_what_is_learnt_from_is_what_is_evaluated(folder: Path) -> None:
    """Keys of the feedback that other sections decide: taken from there, and refused where they stand twice."""
    changed = '[outcome]\nhorizon = "2h"\nwin_sigma = 1.5\n[sim]\ngrace = "1s"\nspread_factor = 2.0\n'
    config = loaded(folder, AGENT + changed)
    assert (config.kernel.feedback.horizon_ns, config.kernel.feedback.win_sigma) == (2 * HOUR_NS, 1.5)
    for stage, key, section in REPEATED:
        assert getattr(getattr(config.kernel, stage), key) == getattr(getattr(config, section), key)
        message = refused(folder, f"{AGENT}[kernel.{stage}]\n{key.removesuffix('_ns')} = 1.0\n")
        assert "mine.toml:7: " in message
        assert f"[{section}]" in message
    assert config.kernel.feedback.half_life == 200.0


def test_a_decision_cannot_enter_at_a_bar_that_it_already_knows(folder: Path) -> None:
    assert "shorter than a bar" in refused(folder, AGENT + '[sim]\ngrace = "5m"\n')
    assert loaded(folder, AGENT + '[sim]\ngrace = "4m"\n').sim.grace_ns == 4 * MINUTE_NS


# The hash.


def test_the_hash_is_over_values_not_over_layout(folder: Path) -> None:
    one = loaded(folder, AGENT + '[timing]\ngrid = "1h"\nsettle = "2s"\n')
    other = loaded(
        folder,
        '# a comment\ninherits = "spot.toml"\ntiming.grid = "60m"\n',
        "other.toml",
    )
    assert one.hash == other.hash
    assert re.fullmatch(r"[0-9a-f]{16}", one.hash)


@pytest.mark.parametrize(
    "change",
    [
        '[timing]\ngrid = "1h"\n',
        "[kernel.sizing]\nrisk_per_trade = 0.001\n",
        'warmup = "1d"\n',
        'evidence = ["news", "score"]\n',
    ],
)
def test_any_value_changes_the_hash(folder: Path, change: str) -> None:
    assert loaded(folder, AGENT + change).hash != loaded(folder, AGENT).hash


def test_where_the_record_is_kept_is_not_in_the_hash(folder: Path) -> None:
    change = '[journal]\ndatabase = "postgresql://me@host/x"\nfull = true\n'
    there = loaded(folder, AGENT + change)
    assert (there.journal.database, there.journal.full) == ("postgresql://me@host/x", True)
    assert there.hash == loaded(folder, AGENT).hash


def test_the_universe_is_in_the_hash(folder: Path) -> None:
    before = loaded(folder, AGENT).hash
    (folder / "universe.toml").write_text(UNIVERSE.replace('taker = "10bps"', 'taker = "9bps"'))
    assert loaded(folder, AGENT).hash != before


# What is refused, and where.


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[timing]\ngrib = "1h"\n', 7, ["unknown key [timing] grib", "nearest: grid"]),
        ("[timings]\ngrid = 1\n", 7, ["unknown section [timings]", "timing"]),
        ("[kernel.exitz]\nstop_atr = 1\n", 7, ["unknown section [kernel.exitz]", "exits"]),
        ("[kernel.exits]\nstop_art = 1\n", 7, ["unknown key [kernel.exits] stop_art", "stop_atr"]),
        ("[zzz]\n", 6, ["unknown section [zzz]", "valid here: agent, health, journal, kernel"]),
        ("[timing]\ngrid = 300\n", 7, ["[timing] grid = 300", "duration with its unit", "from 1s to 1d"]),
        ('[timing]\ngrid = "300"\n', 7, ["not a duration"]),
        ('[timing]\ngrid = "2d"\n', 7, ["'2d'", "from 1s to 1d"]),
        ('[timing]\ngrid = "7m"\n', 7, ["divide a day"]),
        ('[kernel.sizing]\nrisk_per_trade = "5m"\n', 7, ["'5m'", "fraction", '"0.5%"', "from 0% to 5%"]),
        ('[kernel.sizing]\nrisk_per_trade = "6%"\n', 7, ["from 0% to 5%"]),
        ("[kernel.sizing]\nrisk_per_trade = nan\n", 7, ["nan", "from 0% to 5%"]),
        ("[kernel.sizing]\nrisk_per_trade = true\n", 7, ["true", "fraction"]),
        ('[kernel.exits]\nstop_atr = "2.5"\n', 7, ["'2.5'", "a bare number"]),
        ("[kernel.exits]\nstop_atr = inf\n", 7, ["inf"]),
        ("[kernel.risk]\nmax_positions = 2.5\n", 7, ["2.5", "a whole number"]),
        ("[kernel]\nexits = 3\n", 7, ["kernel.exits is a section", "[kernel.exits]"]),
        ("[[timing]]\ngrid = 1\n", 7, ["unknown section [timing.0]"]),
        ('initial_equity_usd = "5000"\n', 6, ["'5000'", "USD"]),
        ("real_money = 1\n", 6, ["true or false"]),
        ('evidence = ["tweets"]\n', 6, ["tweets", "news, score"]),
        ("evidence = []\n", 6, ["at least one"]),
        ('evidence = ["news", "news"]\n', 6, ["twice"]),
        ('evidence = "news"\n', 6, ["a list of names"]),
        ('[journal]\ndatabase = "postgresql://me:secret@host/x"\n', 7, ["a password does not stand in a config"]),
        ('[journal]\ndatabase = "mysql://host/x"\n', 7, ["postgresql://user@host/name"]),
        ("[journal]\nreserve_mb = 0\n", 7, ["from 1 to 1048576"]),
    ],
)
def test_a_wrong_key_is_refused_where_it_stands(folder: Path, text: str, line: int, words: list[str]) -> None:
    message = refused(folder, AGENT + text)
    assert message.startswith(f"{folder / 'mine.toml'}:{line}: "), message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"BTC/USDT"', '"BTC/USD"', 5, ["BTC/USD", "BTC/USDT"]),
        ('"BTC/USDT"', "", 5, ["at least one symbol"]),
        ('"BTC/USDT"', '"BTC/USDT@perp"', 5, ["one venue"]),
        ('"BTC/USDT"', '"BTC/USDT", "BTC/USDT@spot"', 5, ["one instrument"]),
        ('"spot"', '"moon"', 4, ["moon", "spot, perp"]),
        ('"hybrid"', '"../../etc"', 3, ["folder name"]),
        ('name = "hybrid"\n', "", 3, ["[agent] name is missing"]),
    ],
)
def test_keys_that_do_not_agree_are_refused(folder: Path, old: str, new: str, line: int, words: list[str]) -> None:
    message = refused(folder, AGENT.replace(old, new))
    assert message.startswith(f"{folder / 'mine.toml'}:{line}: "), message
    for word in words:
        assert word in message, message


def test_an_inherited_fault_is_reported_with_the_file_it_stands_in(folder: Path) -> None:
    (folder / "spot.toml").write_text(AGENT + '[timing]\ngrid = "1 fortnight"\n')
    message = refused(folder, 'inherits = "spot.toml"\n\n[timing]\nsettle = "1s"\n')
    assert message.startswith(f"{folder / 'spot.toml'}:7: ")


def test_an_unknown_keys_value_is_not_repeated(folder: Path) -> None:
    assert "hunter2" not in refused(folder, AGENT + 'api_key = "hunter2"\n')


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[agent\n", 1, "not valid TOML"),
        ('a = 1\nb = "x\n', 2, "not valid TOML"),
        ("a = 1\na = 2\n", 2, "not valid TOML"),
        ("a = 1\nb = [1,\n", 3, "not valid TOML"),
    ],
)
def test_toml_faults_carry_their_line(folder: Path, text: str, line: int, words: str) -> None:
    message = refused(folder, text)
    assert message.startswith(f"{folder / 'mine.toml'}:{line}: {words}"), message


def test_files_that_are_not_there_or_go_in_circles_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no such config file"):
        load(folder / "none.toml")
    with pytest.raises(ConfigError, match="no such config file"):
        load(folder)
    assert "mine.toml:2: " in refused(folder, '# x\ninherits = "none.toml"\n')
    assert "mine.toml:1: " in refused(folder, AGENT.replace("universe.toml", "none.toml"))
    assert "universe is missing" in refused(folder, AGENT.split("\n", 1)[1])
    (folder / "a.toml").write_text('inherits = "mine.toml"\n')
    assert "inherits from itself" in refused(folder, 'inherits = "a.toml"\n')
    (folder / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(folder / "bytes.toml")


# Lines.

TOML = '''# comment = 1
top = 1
text = """
fake = 2
[fake.table]
"""
list = [
  "]", # ]
  1,
] # end
[a]
key = 'it''s'.split
'''


def test_lines_are_found_past_everything_that_looks_like_a_key() -> None:
    text = TOML.replace("'it''s'.split", "'x # y = z'") + (
        'a."b.c".d = 1\n"quoted key" = 2\n[ b . c ]  # comment\nkey = { in = 1, other = [2] }\n'
        "last = '''\nkey = 3\n'''\nescaped = \"\\\"[\"\nafter = 1\n"
        "[[many]]\nkey = 1\n[many.sub]\ndeep = 1\n[[many]]\nkey = 2\n"
    )
    lines = key_lines(text)
    rows = text.split("\n")

    def line_with(part: str, nth: int = 0) -> int:
        return [n for n, row in enumerate(rows, 1) if row.startswith(part)][nth]

    assert lines["top",] == line_with("top")
    assert lines["text",] == line_with("text")
    assert lines["list",] == line_with("list")
    assert lines["a", "key"] == line_with("key")
    assert lines["a", "a", "b.c", "d"] == line_with('a."b.c"')
    assert lines["a", "quoted key"] == line_with('"quoted')
    assert lines["b", "c", "key"] == line_with("key = {")
    assert lines["b", "c", "after"] == line_with("after")
    assert lines["many", 0, "key"] == line_with("key = 1")
    assert lines["many", 0, "sub", "deep"] == line_with("deep")
    assert lines["many", 1, "key"] == line_with("key = 2")
    assert not [spot for spot in lines if "fake" in spot or "comment" in spot]


def test_a_key_of_an_inline_table_stands_on_its_tables_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("\n\n[kernel]\nexits = { stop_atr = 3, hold = 1 }\n")
    leaves = flatten(tmp_path / "a.toml")
    assert {spot: leaf.line for spot, leaf in leaves.items()} == {
        ("kernel", "exits", "stop_atr"): 4,
        ("kernel", "exits", "hold"): 4,
    }


names = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
values = st.sampled_from(
    ["1", '"a = 1"', "'#'", '"""\nx = 1\n[y]\n"""', "[\n1,\n2 # ]\n]", "{ q = 1 }", "true # z = 1"]
)


@given(st.dictionaries(names, st.dictionaries(names, values, min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_key_is_found_on_the_line_that_wrote_it(tables: dict[str, dict[str, str]]) -> None:
    text, wanted = "", {}
    for table, keys in tables.items():
        text += f"[{table}]\n"
        for key, value in keys.items():
            wanted[table, key] = text.count("\n") + 1
            text += f"{key} = {value}\n"
    lines = key_lines(text)
    assert {spot: lines[spot] for spot in wanted} == wanted
    assert set(lines) == set(wanted) | {(table,) for table in tables}


# The universe.


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('class = "crypto"', 'class = "coin"', ["universe.toml:8: ", "crypto, equity"]),
        ('class = "crypto"', 'class = "fx"', ["universe.toml:8: ", "[class.fx]"]),
        (
            'underlying = "BTC"\ntick = 0.01',
            'underlying = "BTX"\ntick = 0.01',
            ["universe.toml:22: ", "[underlying.BTX]"],
        ),
        ("tick = 0.01", "tick = 0", ["universe.toml:23: ", "tick = 0"]),
        ("tick = 0.01\n", "", ["universe.toml:20: ", "tick is missing"]),
        ("lot = 0.00001", "lott = 0.00001", ["universe.toml:24: ", "nearest: lot"]),
        ('taker = "5bps"', 'taker = "5"', ["universe.toml:32: ", "fraction"]),
        ('"0.5%"]]', '"0.3%"]]', ["universe.toml:40: ", "rising"]),
        ('tiers = [[50_000, "0.4%"], [250_000, "0.5%"]]', "tiers = [1]", ["universe.toml:40: ", "pairs"]),
        ('tiers = [[50_000, "0.4%"], [250_000, "0.5%"]]', "", ["leverage but no maintenance tiers"]),
        (
            'symbol = "BTC/USDT"\nvenue = "perp"',
            'symbol = "BTCUSDT"\nvenue = "perp"',
            ["universe.toml:27: ", "BASE/QUOTE"],
        ),
        ('venue = "perp"', 'venue = "spot"', ["universe.toml:27: ", "stands twice"]),
    ],
)
def test_a_universe_that_does_not_hold_together_is_refused(folder: Path, old: str, new: str, words: list[str]) -> None:
    assert old in UNIVERSE
    (folder / "universe.toml").write_text(UNIVERSE.replace(old, new, 1))
    message = refused(folder, AGENT)
    for word in words:
        assert word in message, message


def test_a_class_has_one_market(folder: Path) -> None:
    market = '[underlying.ALL]\nclass = "crypto"\nsector = "market"\nmarket = true\n'
    (folder / "universe.toml").write_text(UNIVERSE + market)
    assert [one.name for one in loaded(folder, AGENT).universe.underlyings if one.market] == ["ALL"]
    (folder / "universe.toml").write_text(UNIVERSE + market + market.replace("ALL", "WHOLE"))
    assert "ALL is the market of class crypto already" in refused(folder, AGENT)


def test_instruments_take_from_their_venue_and_keep_their_own(folder: Path) -> None:
    universe = loaded(folder, AGENT).universe
    spot, perp = universe.find("BTC/USDT", "spot"), universe.find("BTC/USDT", "perp")
    assert (spot.taker, spot.maker, spot.min_notional, spot.can_short, spot.tiers) == (0.001, 0.001, 5.0, False, ())
    assert (perp.taker, perp.min_notional, perp.funding_ns, perp.liquidation_fee) == (5e-4, 100.0, 8 * HOUR_NS, 0.0125)
    assert [(t.cap_usd, t.rate) for t in perp.tiers] == [(50_000.0, 0.004), (250_000.0, 0.005)]
    assert (spot.klass, spot.quote, perp.underlying) == ("crypto", "USDT", "BTC")
    assert universe.asset_class("crypto").annual_volatility == 0.8


def test_a_bare_symbol_at_two_venues_is_ambiguous(folder: Path) -> None:
    universe = loaded(folder, AGENT).universe
    with pytest.raises(UsageError, match="BTC/USDT@spot or BTC/USDT@perp"):
        universe.find("BTC/USDT")
    assert universe.find("BTC/USDT@perp").venue == "perp"
    assert universe.find("BTC/USDT@perp", "spot").venue == "perp"
    assert universe.find("BTCUSDT").venue == "perp"
    for symbol, venue in (("BTC/USDT", "moon"), ("DOGE/USDT", None), ("DOGE/USDT", "spot")):
        with pytest.raises(UsageError, match="unknown"):
            universe.find(symbol, venue)


# Secrets.


def test_secrets_are_shown_as_set_or_unset_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, project_root: Path
) -> None:
    monkeypatch.setenv("BINANCE_API_KEY", "hunter2")
    monkeypatch.delenv("BINANCE_API_SECRET", raising=False)
    config = load(project_root / "config" / "spot.toml")
    assert secrets_shown(config) == {"BINANCE_API_KEY": "set", "BINANCE_API_SECRET": "unset"}
    assert "hunter2" not in repr(config) + str(config.tree())
    assert secret("BINANCE_API_KEY") == "hunter2"
    with pytest.raises(ConfigError, match="BINANCE_API_SECRET is not set"):
        secret("BINANCE_API_SECRET")
    assert os.environ["BINANCE_API_KEY"] == "hunter2"


# The files that ship.


@pytest.mark.parametrize(
    ("file", "name", "venue"), [("spot", "hybrid", "binance-spot"), ("futures", "futures", "binance-perp")]
)
def test_the_shipped_configs_load(project_root: Path, file: str, name: str, venue: str) -> None:
    config = load(project_root / "config" / f"{file}.toml")
    assert (config.agent.name, config.agent.venue, config.agent.real_money) == (name, venue, False)
    assert config.agent.interval_ns == 5 * MINUTE_NS
    assert all(one.venue == venue for one in config.instruments())


def test_only_the_perpetuals_can_be_short_or_levered(project_root: Path) -> None:
    universe = load(project_root / "config" / "spot.toml").universe
    for one in universe.instruments:
        perpetual = one.venue == "binance-perp"
        assert (one.can_short, one.max_leverage > 1, bool(one.tiers), one.funding_ns > 0) == (perpetual,) * 4
        # At the highest leverage the posted margin has to cover the first tier's maintenance.
        assert not perpetual or 1 / one.max_leverage > one.tiers[0].rate
    named = {u.name for u in universe.underlyings if not u.market}
    assert named == {one.underlying for one in universe.instruments if one.venue == "binance-spot"}
    assert named == {one.underlying for one in universe.instruments if one.venue == "binance-perp"}


def test_every_shipped_key_is_explained(project_root: Path) -> None:
    for name in ("spot", "futures"):
        for line in (project_root / "config" / f"{name}.toml").read_text().splitlines():
            key = "=" in line and not line.startswith("#")
            assert not key or "  # " in line, line


def test_every_section_is_a_field_of_config_and_declares_its_bounds(project_root: Path) -> None:
    config = load(project_root / "config" / "spot.toml")
    assert set(SECTIONS) == set(config.__struct_fields__) - {"path", "universe"}
    assert set(config.tree()) == set(SECTIONS) | {"universe"}


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("crypto_perp_5m/BTCUSDT_2023-01_2024-05", "BTC/USDT@binance-perp"),
        ("crypto_perp_5m/ETHUSDT_2023-01_2024-05", "ETH/USDT@binance-perp"),
        ("crypto_perp_5m/LTCUSDT_2023-01_2024-05", "LTC/USDT@binance-perp"),
        ("crypto_perp_5m/SUIUSDT_2023-01_2024-05", "SUI/USDT@binance-perp"),
        ("crypto_perp_5m/1000PEPEUSDT_2023-01_2024-05", "1000PEPE/USDT@binance-perp"),
        ("crypto_spot_5m/BTCUSDT_2022-01_2022-04", "BTC/USDT@binance-spot"),
        ("crypto_spot_5m/ETHUSDT_2022-01_2022-04", "ETH/USDT@binance-spot"),
        ("crypto_spot_5m/SOLUSDT_2022-01_2022-04", "SOL/USDT@binance-spot"),
        ("crypto_spot_5m/ADAUSDT_2022-01_2022-04", "ADA/USDT@binance-spot"),
        ("crypto_spot_5m/XRPUSDT_2022-01_2022-04", "XRP/USDT@binance-spot"),
        ("crypto_spot_5m/AVAXUSDT_2022-01_2022-04", "AVAX/USDT@binance-spot"),
    ],
)
def test_recorded_prices_lie_on_the_declared_ticks(project_root: Path, shared_data: Path, path: str, key: str) -> None:
    tick = load(project_root / "config" / "spot.toml").universe.find(key).tick
    prices: Any = pl.read_parquet(shared_data / "market" / f"{path}.parquet")["close"]
    steps = (prices / tick).to_numpy()
    assert abs(steps - steps.round()).max() < 1e-3


def test_a_bound_without_limits_says_only_its_unit() -> None:
    from confidence_engine.config.values import wanted

    assert wanted(Bound("ratio")) == "a bare number"
    assert wanted(Bound("usd", 1.0)) == "an amount in USD, a bare number, of at least 1"
    assert wanted(Bound("ratio", high=2.0)) == "a bare number of at most 2"
    assert wanted(Bound("name", choices=("a", "b"))) == "one of a, b"


def test_a_trigger_that_the_price_alone_could_reach_is_refused(folder: Path) -> None:
    (folder / "low.toml").write_text('inherits = "spot.toml"\n\n[kernel.divergence]\ntrigger = 0.5\n')
    with pytest.raises(ConfigError, match=r"low\.toml:4: \[kernel\.divergence\] trigger: 0\.5 must stay above 0\.75"):
        load(folder / "low.toml")
    (folder / "calm.toml").write_text('inherits = "spot.toml"\n\n[kernel.divergence]\ntrigger = 0.5\nkappa = 0.05\n')
    assert load(folder / "calm.toml").kernel.divergence.trigger == 0.5


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[timing]\nfunding_latency = "1s"\n', r"\[timing\] funding_latency: must be longer than bar_latency"),
        ('[kernel.narrative]\nmemory = "1d"\n', r"\[kernel\.narrative\] memory: shorter than \[text\] cluster_window"),
    ],
)
def test_what_two_sections_must_agree_on(folder: Path, text: str, why: str) -> None:
    (folder / "odd.toml").write_text(f'inherits = "spot.toml"\n\n{text}')
    with pytest.raises(ConfigError, match=why):
        load(folder / "odd.toml")


# Phase 1C.

OLD_NAMES = {
    "TB_MIN_SIGNAL_QUALITY=1.0", "TB_MIN_CONVICTION_SCORE=2.0", "TB_MAX_TRADES_PER_AGENT_DAILY=8",
    "TB_HYBRID_MAX_TRADE_SIZE=1000.0", "TB_FUTURES_MAX_TRADE_SIZE=100.0", "TB_USE_DYNAMIC_POSITION_SIZING=1",
    "TB_ENHANCED_AUTOCOMMIT=1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "below", "cap_usd"), [("phase_1c", "spot", 1_000.0), ("phase_1c_futures", "futures", 2_500.0)]
)
def test_phase_1c_is_its_seven_settings_and_nothing_else(
    project_root: Path, name: str, below: str, cap_usd: float
) -> None:
    one, parent = (load(project_root / "config" / f"{file}.toml") for file in (name, below))
    assert one.kernel.gates == parent.kernel.gates._replace(min_quality=1.0, min_conviction=2.0)
    assert one.kernel.risk == parent.kernel.risk._replace(trades_a_day=8, single_max_usd=cap_usd)
    assert one.kernel.sizing == parent.kernel.sizing._replace(dynamic=1.0)
    same = parent.kernel._replace(gates=one.kernel.gates, risk=one.kernel.risk, sizing=one.kernel.sizing)
    assert one.kernel == same
    assert one.agent == parent.agent._replace(name=one.agent.name)
    assert (one.timing, one.text, one.sim, one.outcome) == (parent.timing, parent.text, parent.sim, parent.outcome)


def test_phase_1c_keeps_the_cap_on_what_is_not_calibrated(project_root: Path) -> None:
    for name in ("phase_1c", "phase_1c_futures"):
        one = load(project_root / "config" / f"{name}.toml").kernel.sizing
        assert (one.uncalibrated_r, one.risk_per_trade, one.leverage) == (0.25, 0.005, 25.0)
        assert one.real_money is False


def test_phase_1c_says_what_each_old_name_means(project_root: Path) -> None:
    text = "".join((project_root / "config" / f"{name}.toml").read_text() for name in ("phase_1c", "phase_1c_futures"))
    assert set(re.findall(r"TB_\w+=[\d.]*\d", text)) == OLD_NAMES


def test_what_conviction_is_measured_by_is_the_outcome(folder: Path) -> None:
    config = loaded(folder, AGENT + '[outcome]\nhorizon = "1d"\nwin_sigma = 2.0\n')
    assert config.kernel.conviction == config.outcome[:3]
    assert config.kernel.conviction.horizon_ns == DAY_NS
    message = refused(folder, AGENT + '[kernel.conviction]\nhorizon = "1d"\n')
    assert "mine.toml:7: [kernel.conviction] horizon follows from [outcome]" in message
