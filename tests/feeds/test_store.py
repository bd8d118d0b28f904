"""The store: idempotent, all or nothing at every point where an import can die, and honest about damage."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.document import Document, known_at
from confidence_engine.domain.errors import DataMissing, DataRefused, RunError, StoreDamaged, UsageError
from confidence_engine.domain.params import bounds_of
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.feeds import cache, manifest, timing
from confidence_engine.feeds.clean import BAR_ROW, FUNDING_ROW, SCORE_ROW
from confidence_engine.feeds.store import Batch, Store, series_key, venue_named

KEY = "bars/v/BTC-USDT/1h"


def rows(*hours: int, close: float = 10.0) -> np.ndarray:
    out = np.empty(len(hours), BAR_ROW)
    out["open_ns"] = (np.array(hours, np.int64) + 1_000) * HOUR_NS
    out["close_ns"] = out["open_ns"] + HOUR_NS
    out["o"], out["h"], out["l"], out["c"], out["v"] = 10.0, 20.0, 5.0, close, 1.0
    return out


def batch(part: np.ndarray, name: str = "a", symbol: str = "BTC/USDT", **more: object) -> Batch:
    base = Batch("bars", name, name, len(part), "v", HOUR_NS, {symbol: part})
    return replace(base, **more)  # type: ignore[arg-type]


def stored(store: Store) -> np.ndarray:
    return store.bars("BTC/USDT", "v", HOUR_NS)


def files(home: Path) -> dict[str, bytes]:
    return {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}


def test_the_same_again_changes_no_byte(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.add(batch(rows(1, 2, 3)))
    stored(store)
    before = files(tmp_path)
    again = store.add(batch(rows(1, 2, 3), name="another name"))
    assert (first.new, first.known, again.new, again.known, again.conflicts) == (3, 0, 0, 3, 0)
    assert files(tmp_path) == before


def test_overlaps_merge_and_of_two_values_the_first_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(batch(rows(1, 2, 3)))
    got = store.add(batch(rows(2, 3, 4, close=11.0), name="b"))
    assert (got.new, got.known, got.conflicts) == (1, 0, 2)
    assert stored(store)["c"].tolist() == [10.0, 10.0, 10.0, 11.0]
    assert got.conflict_examples[0]["stored"]["c"] == 10.0
    assert got.conflict_examples[0]["file"]["c"] == 11.0


@given(st.lists(st.sets(st.integers(0, 30), min_size=1), min_size=1, max_size=5), st.randoms())
def test_imports_in_any_order_give_the_same_rows_and_hash(parts: list[set[int]], chance: object) -> None:
    import random
    import tempfile

    assert isinstance(chance, random.Random)
    shuffled = chance.sample(parts, len(parts))
    hashes = set()
    for order in (parts, shuffled):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder))
            for i, hours in enumerate(order):
                store.add(batch(rows(*sorted(hours)), name=str(i)))
            assert stored(store).tobytes() == rows(*sorted(set().union(*parts))).tobytes()
            hashes.add(store.data_hash())
    assert len(hashes) == 1


def test_rows_come_mapped_and_read_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(batch(rows(1, 2)))
    got = stored(store)
    assert isinstance(got, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        got["c"][0] = 1.0


def test_what_is_not_there_is_said_with_what_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.listing() == []
    assert store.documents(0, 2**62) == []
    assert store.scores() == {}
    with pytest.raises(DataMissing):
        stored(store)
    store.add(batch(rows(1)))
    with pytest.raises(DataMissing, match="there is bars/v/BTC-USDT/1h"):
        store.bars("BTC/USDT", "w", HOUR_NS)


def test_every_kind_comes_back_as_it_went_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    pay = np.array([(5, 1e-4), (9, -2e-4)], FUNDING_ROW)
    told = np.array([(5, 60, 0.1, 1.0), (6, 90, 0.1, 1.0)], SCORE_ROW)
    item = Document("id", "archive", "p", "títle \x9c", 7, symbols=("A", "B"), date_only=True, first_seen_ns=9)
    store.add(Batch("funding", "f", "1", 2, "v", 0, {"BTC/USDT": pay}))
    store.add(Batch("scores", "s", "2", 2, "", 0, {"BTC/USDT": told}))
    store.add(Batch("news", "n", "3", 1, documents=[item]))
    fresh = Store(tmp_path)
    assert fresh.funding("BTC/USDT", "v").tobytes() == pay.tobytes()
    assert fresh.scores()["BTC/USDT", ""].tobytes() == told.tobytes()
    assert fresh.documents(9, 10) == [item]
    assert fresh.documents(8, 9) == fresh.documents(10, 11) == []
    assert [row["key"] for row in fresh.listing()] == ["funding/v/BTC-USDT", "news", "scores/BTC-USDT"]
    for row in fresh.listing():
        fresh.verify(row["key"])


def test_a_known_item_learns_a_symbol_and_keeps_its_address(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(Batch("news", "n", "1", 1, documents=[Document("id", "archive", "p", "t", 7, symbols=("A",))]))
    got = store.add(Batch("news", "n", "2", 1, documents=[Document("id", "archive", "p", "t", 7, symbols=("B",))]))
    assert (got.new, got.known, got.widened, got.conflicts) == (0, 1, 1, 0)
    got = store.add(Batch("news", "n", "3", 1, documents=[Document("id", "archive", "p", "t", 7, url="u")]))
    assert (got.known, got.conflicts) == (0, 1)
    assert store.documents(0, 9) == [Document("id", "archive", "p", "t", 7, symbols=("A", "B"))]


def test_items_are_found_by_when_they_are_known_and_not_by_when_they_were_published(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plain = Document("a", "archive", "p", "plain", 10 * DAY_NS + 5)
    seen = Document("b", "archive", "p", "seen", 3 * DAY_NS, first_seen_ns=10 * DAY_NS + 7)
    dated = Document("c", "archive", "p", "dated", 9 * DAY_NS, date_only=True)
    store.add(Batch("news", "n", "1", 3, documents=[plain, seen, dated]))
    assert store.documents(10 * DAY_NS, 11 * DAY_NS) == [seen, dated, plain]
    assert store.documents(10 * DAY_NS + 6, 11 * DAY_NS, 0) == [seen]
    assert store.documents(10 * DAY_NS + 6, 11 * DAY_NS, 1) == [seen, plain]
    assert store.documents(0, 10 * DAY_NS) == []


@given(
    st.integers(0, 20), st.one_of(st.none(), st.integers(0, 20)), st.booleans(), st.integers(0, 7), st.integers(0, 20)
)
def test_no_item_known_in_a_window_is_left_out(day: int, seen: int | None, dated: bool, lag: int, start: int) -> None:
    sight = None if seen is None else seen * DAY_NS + 1
    item = Document("a", "archive", "p", "t", day * DAY_NS, date_only=dated, first_seen_ns=sight)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.add(Batch("news", "n", "1", 1, documents=[item]))
        known = start * DAY_NS <= known_at(item, lag * DAY_NS) < (start + 2) * DAY_NS
        assert not known or store.documents(start * DAY_NS, (start + 2) * DAY_NS) == [item]
        assert not known or store.documents(start * DAY_NS, (start + 2) * DAY_NS, lag * DAY_NS) == [item]


def test_the_longest_lag_of_a_config_is_the_one_that_the_store_allows_for(tmp_path: Path) -> None:
    _, bound = bounds_of(timing.Params)["news_lag_ns"]
    assert bound is not None
    assert inspect.signature(Store(tmp_path).documents).parameters["lag_ns"].default == bound.high


def test_a_later_file_brings_no_second_horizon_at_a_stored_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = np.array([(5, 60, 0.1, 1.0)], SCORE_ROW)
    store.add(Batch("scores", "s", "1", 1, "", 0, {"BTC/USDT": first}))
    got = store.add(Batch("scores", "s", "2", 1, "", 0, {"BTC/USDT": np.array([(5, 30, 0.1, 1.0)], SCORE_ROW)}))
    assert (got.new, got.known, got.conflicts) == (0, 0, 1)
    assert store.scores()["BTC/USDT", ""].tobytes() == first.tobytes()


def test_real_and_simulated_rows_do_not_meet(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(batch(rows(1)))
    with pytest.raises(DataRefused):
        store.add(batch(rows(2), synthetic=True, symbol="ETH/USDT"))
    assert not store.is_synthetic()


class _Died(BaseException):
    """Stands for a kill: no handler of the product catches it."""


def test_dying_at_any_write_leaves_the_old_store_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.add(batch(rows(1, 2, 3)))
    old, new = rows(1, 2, 3), rows(1, 2, 3, 4, 5)
    real_sync, real_replace, real_unlink = os.fsync, Path.replace, Path.unlink
    seen = set()
    for point in range(1, 40):
        left = [point]

        def tick(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] <= 0:
                raise _Died

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda handle, tick=tick: (tick(), real_sync(handle))[1])
            patch.setattr(Path, "replace", lambda self, to, tick=tick: (tick(), real_replace(self, to))[1])
            patch.setattr(
                Path, "unlink", lambda self, missing_ok=False, tick=tick: (tick(), real_unlink(self, missing_ok))[1]
            )
            try:
                store.add(batch(rows(3, 4, 5), name=str(point)))
                survived = True
            except _Died:
                survived = False
        got = stored(Store(tmp_path)).tobytes()
        assert got in (old.tobytes(), new.tobytes())
        Store(tmp_path).verify(KEY)
        seen.add(got == new.tobytes())
        if survived:
            break
        if got == new.tobytes():  # set the stage again
            for path in sorted(tmp_path.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
            store.add(batch(rows(1, 2, 3)))
    else:
        pytest.fail("the import never came to its end")
    assert seen == {True, False}
    store.add(batch(rows(6), name="last"))
    assert not list(tmp_path.rglob("*.part"))
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


_VICTIM = """
import os, sys
from pathlib import Path
from confidence_engine.feeds import cache, manifest
real = Path.replace
left = int(sys.argv[2])
def replace(self, to):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
    return real(self, to)
Path.replace = replace
sys.path.insert(0, sys.argv[3])
from test_store import batch, rows
from confidence_engine.feeds.store import Store
Store(Path(sys.argv[1])).add(batch(rows(*range(200)), name="b"))
"""


@pytest.mark.parametrize("point", [1, 2])
def test_a_killed_process_leaves_the_store_and_no_lock(tmp_path: Path, point: int, project_root: Path) -> None:
    store = Store(tmp_path)
    store.add(batch(rows(1, 2, 3)))
    before = stored(store).tobytes()
    words = [sys.executable, "-c", _VICTIM, str(tmp_path), str(point), str(Path(__file__).parent)]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(project_root / "src")}, check=False)
    assert done.returncode == -9
    assert stored(store).tobytes() == before
    assert store.add(batch(rows(*range(200)), name="b")).new == 197  # the lock went with the process


def test_a_full_disk_is_a_run_error_and_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.add(batch(rows(1, 2, 3)))
    before = files(tmp_path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(manifest.os, "fsync", full)
        with pytest.raises(RunError, match="unharmed"):
            store.add(batch(rows(4), name="b"))
    after = files(tmp_path)
    assert {name: after[name] for name in before} == before
    assert not [name for name in after if name.endswith((".part", ".parquet")) and name not in before]


def test_damage_is_seen(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(batch(rows(1, 2, 3)))
    stored(store)
    (mapped,) = tmp_path.rglob("*.npy")
    body = bytearray(mapped.read_bytes())
    body[-1] ^= 1
    mapped.write_bytes(body)
    store.verify(KEY)  # a hurt cache is made anew from the truth
    assert stored(store).tobytes() == rows(1, 2, 3).tobytes()
    mapped.write_bytes(body[:-9])
    assert stored(store).tobytes() == rows(1, 2, 3).tobytes()
    mapped.unlink()
    (truth,) = tmp_path.rglob("*.parquet")
    body = bytearray(truth.read_bytes())
    body[len(body) // 2] ^= 1
    truth.write_bytes(body)
    with pytest.raises(StoreDamaged):
        stored(store)
    truth.unlink()
    with pytest.raises(StoreDamaged):
        stored(store)
    (tmp_path / "store" / "manifest.json").write_text("{")
    with pytest.raises(StoreDamaged):
        store.listing()


def test_the_cache_is_a_convenience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.add(batch(rows(1, 2, 3)))

    def full(path: Path, fill: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "replace_file", full)
    got = stored(store)
    assert not isinstance(got, np.memmap)
    assert got.tobytes() == rows(1, 2, 3).tobytes()
    assert not got.flags.writeable


def test_names() -> None:
    assert series_key("bars", "binance-perp", "BTC/USDT", HOUR_NS) == "bars/binance-perp/BTC-USDT/1h"
    for wrong in ("", "Binance", "a/b", "..", "a b"):
        with pytest.raises(UsageError):
            venue_named(wrong)
