"""config.world: a file nobody has seen makes a sound world, or is refused with its file, line and key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_origin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confidence_engine.config import world as config_world
from confidence_engine.config.values import key_of
from confidence_engine.config.world import SECTIONS, load_world, made
from confidence_engine.domain.errors import ConfigError
from confidence_engine.domain.params import Bound, bounds_of
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.feeds.faults import Params as Faults
from confidence_engine.feeds.world import Events, Market, Params, Shape, Stories, World, generate

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "config" / "worlds").glob("*.toml"))
DECLARED: dict[str, Any] = {
    "world": Shape, "market": Market, "events": Events, "stories": Stories, "faults": Faults,
}  # fmt: skip


def sound(world: World) -> None:
    """What everything downstream relies on."""
    for symbol, bars in world.bars.items():
        assert np.all(np.diff(bars["open_ns"]) == bars["close_ns"][0] - bars["open_ns"][0])
        for name in "ohlcv":
            assert np.isfinite(bars[name]).all(), name
        assert np.all(bars["l"] > 0.0)
        assert np.all(bars["v"] >= 0.0)
        assert np.all(bars["h"] >= np.maximum(bars["o"], bars["c"]))
        assert np.all(bars["l"] <= np.minimum(bars["o"], bars["c"]))
        assert np.isfinite(world.funding[symbol]["rate"]).all()
        assert np.all(world.book[symbol]["half_spread"] >= 0.0)
    known = world.tellings["known_ns"]
    assert np.all(np.diff(known) >= 0)
    assert len(world.documents) == len(known)
    assert len({one.id for one in world.documents}) == len(known)


def write(folder: Path, text: str) -> Path:
    path = folder / "some.toml"
    path.write_text(text, encoding="utf-8")
    return path


def as_toml(value: Any, bound: Bound) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(as_toml(one, bound) for one in value)}]"
    if bound.unit == "duration":
        return f'"{value}ns"'
    return f'"{value}"' if isinstance(value, str) else repr(value)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Any keys with any values of their range; worlds are kept small, so that many can be made."""
    lines = []
    for section, declared in DECLARED.items():
        lines.append(f"[{section}]")
        for field, (kind, bound) in bounds_of(declared).items():
            assert bound is not None
            if section == "world" or not draw(st.booleans()):
                continue
            many = get_origin(kind) is tuple
            one = (
                st.sampled_from(bound.choices) if bound.choices
                else st.integers(int(bound.low), int(bound.high)) if bound.unit in ("count", "duration")
                else st.floats(bound.low, bound.high)
            )  # fmt: skip
            value = tuple(draw(st.lists(one, max_size=4))) if many else draw(one)
            lines.append(f"{key_of(field)} = {as_toml(value, bound)}")
        if section == "world":
            lines += [f"assets = {draw(st.integers(1, 6))}", f"days = {draw(st.integers(2, 6))}"]
            step = draw(st.sampled_from(["1h", "15m", "1d", "7m", "8h"]))
            lines += [f'interval = "{step}"', f'warmup = "{draw(st.integers(0, 48))}h"']
    return "\n".join(lines)


@given(files(), st.integers(0, 5))
@settings(max_examples=80)
def test_any_file_makes_a_sound_world_or_is_refused_at_its_key(
    tmp_path_factory: pytest.TempPathFactory, text: str, seed: int
) -> None:
    path = write(tmp_path_factory.mktemp("world"), text)
    refused = ""
    try:
        file = load_world(path)
        world = made(file, seed)
    except ConfigError as error:
        refused = str(error)
    if refused:
        where = re.match(r".*some\.toml:(\d+): \[(\w+)\] (\w+)", refused)
        assert where is not None or refused.startswith(f"{path}: seed {seed}: "), refused
        assert where is None or where[2] in SECTIONS
        assert where is None or text.splitlines()[int(where[1]) - 1].startswith(f"{where[3]} = "), refused
        return
    sound(world)
    assert len(world.bars) == file.shape.assets
    assert len(next(iter(world.bars.values()))) == file.shape.days * DAY_NS // file.shape.interval_ns
    assert file.start_ns <= file.begin_ns < file.end_ns


@pytest.mark.parametrize("section", DECLARED)
def test_every_key_is_read_and_out_of_its_range_refused_with_its_line(tmp_path: Path, section: str) -> None:
    for field, (kind, bound) in bounds_of(DECLARED[section]).items():
        assert bound is not None
        key = key_of(field)
        wrong = {"name": '"nonsense"', "duration": '"100000d"', "count": "1_000_000"}.get(bound.unit, "1e300")
        wrong = f"[{wrong}]" if get_origin(kind) is tuple else wrong
        with pytest.raises(ConfigError, match=rf"some\.toml:3: \[{section}\] {key}"):
            load_world(write(tmp_path, f"# a world\n[{section}]\n{key} = {wrong}\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[market]\nvolatility = 1\n", r":2: unknown key \[market\] volatility"),
        ("[weather]\nrain = 1\n", r":1: unknown section \[weather\]|:2: unknown section \[weather\]"),
        ("[stories]\nwordin = 'apart'\n", r":2: unknown key \[stories\] wordin; nearest: wording"),
        ("[world]\nstart = '2025-13-01'\n", r":2: \[world\] start"),
        ("[world]\nstart = '2025-01-01T01:00Z'\n", r":2: \[world\] start"),
        ("[world]\ninterval = '7m'\n", r":2: \[world\] interval: must divide a day"),
        ("[world]\ndays = 3\nwarmup = '3d'\n", r":3: \[world\] warmup: leaves fewer than"),
        ("[market]\nregimes = []\n", r":2: \[market\] regimes"),
        ("[market]\nregimes = 'wild'\n", r":2: \[market\] regimes = 'wild' is refused: wanted a list of numbers"),
        ("[market]\nregimes = [1.0, 'wild']\n", r":2: \[market\] regimes"),
        ("[market]\ncommon_share = 0.7\nsector_share = 0.4\n", r":3: \[market\] sector_share: more than"),
        ("[market]\ndaily_vol = '50%'\nregimes = [20.0]\n", r":2: \[market\] daily_vol: so large"),
        ("[world]\nassets = 128\ndays = 2000\ninterval = '1m'\n", r":3: \[world\] days: more than 20,000,000 bars"),
        ("[world]\nassets = 128\ndays = 2000\ninterval = '1d'\n[events]\nevents_a_day = 50\n", r":6: .*: more than"),
        ("[stories]\nempty_a_day = 50\n[world]\ndays = 2000\nassets = 128\ninterval = '1d'\n",
         r":2: \[stories\] empty_a_day: more than 400,000 stories"),
        ("[events]\nrumours_a_day = 50\n[world]\ndays = 2000\nassets = 128\ninterval = '1d'\n",
         r":2: \[events\] rumours_a_day: more than"),
        ("[world]\ninterval = '1d'\ndays = 2000\nassets = 128\n", r":3: \[world\] days: more than 400,000 stories"),
        ("[world]\nassets = 128\ninterval = '1m'\ndays = 120\n", r":4: \[world\] days: more than 20,000,000 bars"),
        ("[world]\ninterval = '1d'\ndays = 6\n", r":3: \[world\] days: leaves fewer than"),
        ("[market]\nregimes = [20.0]\n[world]\ndays = 2000\n", r":2: \[market\] regimes: so large"),
        ("[events]\nat_once = 3.0\nevents_a_day = 50\n[world]\ndays = 2000\nassets = 1\n",
         r":2: \[events\] at_once: so large"),
        ("[faults]\nlate = 1\n", r":2: unknown key \[faults\] late"),
        ("world = 3\n", r":1: world is a section"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_world(write(tmp_path, text))


def test_an_empty_file_is_the_default_world_and_a_short_one_warms_up_shortly(tmp_path: Path) -> None:
    file = load_world(write(tmp_path, ""))
    assert (file.shape, file.params) == (Shape(), Params(stories=Stories(wording="apart")))
    assert file.faults is None
    assert file.start_ns == parse_time("2025-01-01")
    assert file.begin_ns - file.start_ns == 15 * DAY_NS
    short = load_world(write(tmp_path, "[world]\ndays = 10\n"))
    assert short.shape.warmup_ns == 3 * DAY_NS
    assert load_world(write(tmp_path, ""), start_ns=HOUR_NS).start_ns == HOUR_NS


def test_a_file_says_what_it_says(tmp_path: Path) -> None:
    text = (
        '[world]\nassets = 2\ndays = 4\ninterval = "15m"\nwarmup = "1d"\n'
        '[market]\nregimes = [0.5, 3]\nhalf_spread = "3bps"\n'
        '[events]\nhalf_life = "90min"\nat_once = 1.5\n[stories]\ninformation = 0.25\nwording = "apart"\n'
    )
    file = load_world(write(tmp_path, text))
    assert file.params.market.regimes == (0.5, 3.0)
    assert file.params.events.half_life_ns == 90 * MINUTE_NS
    world = made(file, 3)
    by_hand = generate(
        3, world.underlyings, parse_time("2025-01-01"), 4, 15 * MINUTE_NS,
        params=Params(Market(regimes=(0.5, 3.0), half_spread=3e-4), Events(half_life_ns=90 * MINUTE_NS, at_once=1.5),
                      Stories(information=0.25, wording="apart")),
    )  # fmt: skip
    assert world.documents == by_hand.documents
    assert all(world.bars[s].tobytes() == by_hand.bars[s].tobytes() for s in world.bars)
    tree = file.tree()
    assert tree["events"]["half_life"] == "90m"
    assert set(tree) == set(SECTIONS)
    below = tmp_path / "below.toml"
    below.write_text('inherits = "some.toml"\n[stories]\ninformation = 0.75\n', encoding="utf-8")
    other = load_world(below)
    assert other.params.stories.information == 0.75
    assert other.params.events == file.params.events


def test_prices_that_no_number_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = load_world(write(tmp_path, "[world]\ndays = 5\nassets = 1\n"))
    wild = file._replace(params=Params(Market(daily_vol=400.0)))
    with pytest.raises(ConfigError, match="seed 1: the params lead to prices"), np.errstate(all="ignore"):
        made(wild, 1)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda one: one.stem)
def test_the_worlds_that_come_with_the_engine_are_worlds(path: Path) -> None:
    file = load_world(path)
    small = file._replace(shape=file.shape._replace(days=6, warmup_ns=2 * DAY_NS))
    sound(made(small, 7))
    assert "SYNTHETIC" in path.read_text("utf-8").splitlines()[0]
    assert {"plain", "overreaction", "null", "fifty"} <= {one.stem for one in EXAMPLES}
    assert config_world.made(small, 7).documents == made(small, 7).documents


def test_the_page_tells_every_key(project_root: Path) -> None:
    page = (project_root / "docs" / "world.md").read_text("utf-8")
    assert set(DECLARED) == set(SECTIONS)
    for section, declared in DECLARED.items():
        table = page.partition(f"\n| `[{section}]` |")[2].partition("\n\n")[0]
        cells = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
        told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
        assert {key_of(field) for field in bounds_of(declared)} == told, section
    assert [one.name for one in EXAMPLES if f"{one.name}`" not in page] == []
