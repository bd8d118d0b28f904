"""drivers.sources: what a run is made from, and that nothing is made up where something is missing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.simulated import BEGIN, END, START, WARMUP_DAYS, config_file, fill, home, played, world

from confidence_engine.config import Config, load
from confidence_engine.config.simulated import VENUE
from confidence_engine.domain.errors import DataMissing, UsageError
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.drivers.sources import LEAST_BARS, covered, gather, gather_covered, meant, used_hash
from confidence_engine.feeds.clean import SCORE_ROW
from confidence_engine.feeds.store import Batch, Store

FIRST, LAST = parse_time(START), parse_time(END)
SYMBOLS = list(world().ticks)


@pytest.fixture(scope="module")
def config() -> Config:
    return load(home() / "config/simulated.toml")


def scores(*known_ns: int) -> np.ndarray:
    rows = np.zeros(len(known_ns), SCORE_ROW)
    rows["known_ns"], rows["horizon_ns"], rows["mean"], rows["std"] = known_ns, 6 * HOUR_NS, 0.02, 0.01
    return rows


# Who is meant.


@pytest.mark.parametrize("text", ["KVX/USDT", "kvx/usdt", "KVX", "kvx", " KVX ", "KVX/USDT@world"])
def test_a_symbol_is_found_by_what_people_call_it(config: Config, text: str) -> None:
    assert meant(config, text).key == "KVX/USDT@world"


def test_a_coin_is_found_by_its_name(config: Config) -> None:
    for one in world().underlyings:
        assert meant(config, one.names[0].upper()).underlying == one.name


@pytest.mark.parametrize(
    ("text", "words"), [("BTC", "unknown symbol"), ("KVX/USDT@moon", "trades at moon"), ("", "unknown symbol")]
)
def test_what_is_not_there_is_refused(config: Config, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        meant(config, text)


def test_a_coin_with_two_contracts_is_ambiguous_and_its_symbols_are_not(tmp_path: Path) -> None:
    path = config_file(tmp_path)
    universe = tmp_path / "universe.toml"
    text = universe.read_text("utf-8")
    mine = next(block for block in text.split("[[instrument]]") if "KVX/USDT" in block)
    universe.write_text(text + "\n[[instrument]]" + mine.replace("KVX/USDT", "KVX/USDC"), encoding="utf-8")
    two = load(path)
    for name in ("KVX", "kvx"):
        with pytest.raises(UsageError, match="ambiguous: say KVX/USDT or KVX/USDC"):
            meant(two, name)
    assert meant(two, "KVX/USDC").symbol == "KVX/USDC"


# What is gathered.


def test_everything_of_the_period_and_its_warm_up_and_nothing_later(config: Config) -> None:
    end = FIRST + 3 * DAY_NS
    found = gather(config, Store(home()), FIRST, end)
    assert [one.symbol for one in found.instruments] == sorted(SYMBOLS)
    assert (found.missing, found.synthetic, found.scores) == ((), True, {})
    for rows in found.bars.values():
        assert rows["close_ns"][0] == BEGIN + 5 * MINUTE_NS  # six days of warm-up, then three
        assert rows["close_ns"][-1] == end
        assert len(rows) == (WARMUP_DAYS + 3) * 288
    for rows in found.funding.values():
        assert rows["ts_ns"].max() < end
    assert max(one.published_ns for one in found.documents) < end


def test_a_symbol_without_bars_is_named_and_left_out(config: Config, tmp_path: Path) -> None:
    fill(Store(tmp_path), without=("ODR/USDT",))
    found = gather(config, Store(tmp_path), FIRST, LAST)
    assert found.missing == ("ODR/USDT",)
    assert [one.symbol for one in found.instruments] == [name for name in sorted(SYMBOLS) if name != "ODR/USDT"]
    assert set(found.bars) == set(found.funding) == {one.key for one in found.instruments}
    with pytest.raises(DataMissing, match="ODR/USDT"):
        gather(config, Store(tmp_path), FIRST, LAST, ["ODR/USDT"])


def test_without_a_bar_in_the_period_there_is_no_run(config: Config, tmp_path: Path) -> None:
    for store, first, last in (
        (Store(tmp_path), FIRST, LAST),
        (Store(home()), LAST, LAST + DAY_NS),
        (Store(home()), BEGIN - 9 * DAY_NS, BEGIN),
    ):
        with pytest.raises(DataMissing, match="no 5m bars of KVX/USDT"):
            gather(config, store, first, last)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (0, 1 << 62, " are stored; see"),
        (FIRST, 1 << 62, " are stored after 2025-01-07T00:00:00Z; see"),
        (0, LAST, " are stored before 2025-01-23T00:00:00Z; see"),
        (FIRST, LAST, " are stored between 2025-01-07T00:00:00Z and 2025-01-23T00:00:00Z; see"),
    ],
)
def test_only_what_was_asked_for_is_named(config: Config, tmp_path: Path, first: int, last: int, said: str) -> None:
    with pytest.raises(DataMissing) as error:
        gather(config, Store(tmp_path), first, last)
    assert said in str(error.value)
    assert "2116" not in str(error.value)


def test_symbols_are_taken_once_and_an_empty_list_is_no_list(config: Config) -> None:
    found = gather(config, Store(home()), FIRST, LAST, ["vlt", "VLT/USDT", "KVX/USDT"])
    assert [one.symbol for one in found.instruments] == ["KVX/USDT", "VLT/USDT"]
    with pytest.raises(UsageError, match="no symbol is named"):
        gather(config, Store(home()), FIRST, LAST, [])


def test_missing_funding_is_an_empty_series_and_not_a_zero_rate(config: Config, tmp_path: Path) -> None:
    fill(Store(tmp_path), funding=False, news=False)
    found = gather(config, Store(tmp_path), FIRST, LAST)
    assert [len(rows) for rows in found.funding.values()] == [0] * len(SYMBOLS)
    assert found.documents == []


def test_evidence_decides_what_is_read(config: Config, tmp_path: Path) -> None:
    fill(Store(tmp_path))
    news_only = gather(config, Store(tmp_path), FIRST, LAST)
    rows = {"KVX/USDT": scores(FIRST, FIRST + HOUR_NS, LAST)}
    Store(tmp_path).add(Batch("scores", "s", "any", 3, "", rows=rows, synthetic=True))
    assert gather(config, Store(tmp_path), FIRST, LAST).data_hash == news_only.data_hash
    scored = msgspec.structs.replace(config, agent=config.agent._replace(evidence=("score",)))
    found = gather(scored, Store(tmp_path), FIRST, LAST)
    assert found.documents == []
    assert {key: len(one) for key, one in found.scores.items()} == {"KVX/USDT@world": 2}  # one is known at the end
    assert found.data_hash != news_only.data_hash
    Store(tmp_path).add(Batch("scores", "t", "own", 1, VENUE, rows={"KVX/USDT": scores(FIRST + 5)}, synthetic=True))
    assert gather(scored, Store(tmp_path), FIRST, LAST).scores["KVX/USDT@world"]["known_ns"].tolist() == [FIRST + 5]


def test_equal_parts_give_equal_sources_however_much_was_asked_for(config: Config) -> None:
    """News begins long before the bars; what is read with the clipped part must not depend on the part asked for."""
    late = BEGIN + 8 * DAY_NS
    bars = {name: rows[rows["open_ns"] >= late] for name, rows in world().bars.items()}
    folder = Path(tempfile.mkdtemp(prefix="late-"))
    try:
        store = Store(folder)
        fill(store, bars=False)
        store.add(Batch("bars", "w", "bars", 0, VENUE, 5 * MINUTE_NS, rows=bars, synthetic=True))
        wide = gather_covered(config, store, BEGIN - 90 * DAY_NS, LAST + 90 * DAY_NS)
        exact = gather_covered(config, store, late, LAST + 5 * MINUTE_NS)
    finally:
        shutil.rmtree(folder)
    assert wide[1:] == exact[1:] == (late, LAST + 5 * MINUTE_NS)
    assert wide[0].data_hash == exact[0].data_hash
    assert wide[0].documents == exact[0].documents
    assert min(one.published_ns for one in wide[0].documents) >= late - WARMUP_DAYS * DAY_NS
    for name in ("bars", "funding"):
        for key, rows in getattr(wide[0], name).items():
            assert rows.tobytes() == getattr(exact[0], name)[key].tobytes()


def test_a_period_without_enough_whole_bars_says_so(config: Config) -> None:
    bar = 5 * MINUTE_NS
    store = Store(home())
    with pytest.raises(DataMissing, match="no whole bar: the period is shorter than one 5m bar"):
        gather_covered(config, store, FIRST, FIRST + MINUTE_NS)
    for count in range(1, LEAST_BARS):
        with pytest.raises(DataMissing, match=r"whole bars? stored, and a replay needs at least 3 whole 5m bars"):
            gather_covered(config, store, FIRST, FIRST + count * bar)
    assert len(gather_covered(config, store, FIRST, FIRST + LEAST_BARS * bar)[0].bars) == len(SYMBOLS)


def test_the_hash_is_over_what_is_used_and_over_nothing_else(config: Config, tmp_path: Path) -> None:
    """Other months and the order of imports change nothing; one row, item or rate that is used changes it."""
    whole = gather(config, Store(home()), FIRST, LAST - 2 * DAY_NS)
    part = Store(tmp_path)
    last = LAST - 2 * DAY_NS
    some = [one for one in world().documents if one.published_ns < last]
    part.add(Batch("news", "w", "some", 0, documents=some[::-1], synthetic=True))
    funding = {name: rows[rows["ts_ns"] < last] for name, rows in world().funding.items()}
    part.add(Batch("funding", "w", "some", 0, VENUE, rows=funding, synthetic=True))
    bars = {name: rows[rows["close_ns"] <= last] for name, rows in world().bars.items()}
    part.add(Batch("bars", "w", "some", 0, VENUE, 5 * MINUTE_NS, rows=bars, synthetic=True))
    assert gather(config, part, FIRST, last).data_hash == whole.data_hash
    key = whole.instruments[0].key
    touched = whole.bars[key].copy()
    touched["c"][100] += touched["c"][100] * 1e-12
    changes = (
        {"bars": whole.bars | {key: touched}},
        {"funding": whole.funding | {key: whole.funding[key][:-1]}},
        {"documents": whole.documents[:-1]},
        {"scores": {key: scores(FIRST)}},
        {"synthetic": False},
    )
    assert len({whole.data_hash, *(used_hash(whole._replace(**one)) for one in changes)}) == 6


def test_the_period_ends_with_the_bars() -> None:
    sources, bar = played().sources, 5 * MINUTE_NS
    assert covered(sources, FIRST, LAST) == (FIRST, LAST)
    assert covered(sources, 0, parse_time("2999-01-01")) == (BEGIN, LAST + bar)
