"""Files as they come: read, or refused with the file's name; never a crash, whatever the bytes."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import msgspec
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confidence_engine.domain.errors import DataRefused
from confidence_engine.feeds import read as reading
from confidence_engine.feeds.read import read


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame({"date": ["2023-01-01T00:05Z", "2023-01-01T00:10Z"] * 50, "close": [1.5, 2.25] * 50})


def test_the_three_forms_hold_the_same_rows(tmp_path: Path, frame: pl.DataFrame) -> None:
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "a.csv")
    frame.write_ndjson(tmp_path / "a.jsonl")
    assert read(tmp_path / "a.parquet").rows.equals(frame)
    for name in ("a.csv", "a.jsonl"):
        rows = read(tmp_path / name).rows
        assert rows.with_columns(pl.col("close").cast(pl.Float64)).equals(frame)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_a_byte_order_mark(tmp_path: Path, frame: pl.DataFrame, separator: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + frame.write_csv(separator=separator).encode())
    assert read(path).rows.columns == ["date", "close"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("empty.parquet", b""),
        ("empty.csv", b""),
        ("header.csv", b"date,open\n"),
        ("junk.parquet", b"not parquet at all"),
        ("stub.parquet", b"PAR1"),
        ("stub2.parquet", b"PAR1PAR1"),
        ("junk.csv", bytes(range(256)) * 20),
        ("latin.csv", "date,título\n1,2\n".encode("latin-1")),
        ("ragged.csv", b"a,b\n1,2,3\n1,2,3,4\n"),
        ("open.csv", b'a,b\n1,2,3\n1,"2\n'),
        ("object.json", b'{\n  "a": 1\n}\n'),
        ("none.json", b"[]"),
        ("cut.json", b'[\n{"a": 1},\n{"a": 2'),
        ("junk.jsonl", b"\x80\x81\n[1,2]\n3\n"),
        ("deep.jsonl", b"[" * 100_000),
        ("what.xlsx", b"PK\x03\x04"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, name: str, body: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    with pytest.raises(DataRefused, match=name.split(".")[0]):
        read(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(DataRefused):
            read(path)


def test_a_row_with_more_cells_than_the_header_is_counted_and_never_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    body = 'date,title,n\n1,"a, b",2\n2,c, d,3\n3,"two\nlines",NA\n4,e\n5,f,6,,\n'
    path.write_text("\ufeff" + body)
    got = read(path)
    assert got.unread == {reading.RAGGED: 2}
    assert got.rows.rows() == [("1", "a, b", "2"), ("3", "two\nlines", None), ("4", "e", None)]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40))
def test_rows_read_and_rows_lost_are_the_rows_of_the_file(lengths: list[int]) -> None:
    body = "".join(",".join(f"{i}.{k}" for k in range(n)) + "\n" for i, n in enumerate([3, *lengths]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text(body)
        kept = [[f"{i}.{k}" if k < n else None for k in range(3)] for i, n in enumerate(lengths, 1) if n <= 3]
        if not kept:
            with pytest.raises(DataRefused, match=f"{len(lengths)} x row has more cells"):
                read(path)
            return
        got = read(path)
    assert [list(row) for row in got.rows.rows()] == kept
    assert sum(got.unread.values()) == len(lengths) - len(kept)


@pytest.mark.parametrize("indent", [0, 2])
def test_a_json_array_is_its_objects(tmp_path: Path, indent: int) -> None:
    path = tmp_path / "a.json"
    body = msgspec.json.format(b'[{"a": 1, "b": "x"}, 7, {"a": 2.5}]', indent=indent)
    for mark in (b"", b"\xef\xbb\xbf", b"\n  "):
        path.write_bytes(mark + body)
        got = read(path)
        assert got.rows.rows() == [("1", "x"), ("2.5", None)]
        assert sum(got.unread.values()) == 1


def test_lines_of_which_the_first_is_an_array_stay_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('[1, 2]\n{"a": 1}\n')
    got = read(path)
    assert (got.rows.rows(), sum(got.unread.values())) == ([("1",)], 1)


def test_what_is_no_json_lines_is_told_what_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{\n  "a": 1\n}\n')
    with pytest.raises(DataRefused, match="one object a line"):
        read(path)


def test_bad_lines_of_json_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": 2\n\n{"a": "3"}\n')
    got = read(path)
    assert got.rows["a"].to_list() == ["1", "3"]
    assert sum(got.unread.values()) == 1


def test_every_truncation_of_a_parquet_is_refused(tmp_path: Path, frame: pl.DataFrame) -> None:
    frame.write_parquet(tmp_path / "whole.parquet")
    body = (tmp_path / "whole.parquet").read_bytes()
    path = tmp_path / "cut.parquet"
    for length in range(0, len(body), max(1, len(body) // 60)):
        path.write_bytes(body[:length])
        with pytest.raises(DataRefused):
            read(path)


def test_random_damage_is_read_or_refused_and_never_a_crash(tmp_path: Path, frame: pl.DataFrame) -> None:
    frame.write_parquet(tmp_path / "whole.parquet")
    body = (tmp_path / "whole.parquet").read_bytes()
    chance = random.Random(11)
    path, refused = tmp_path / "hurt.parquet", 0
    for _ in range(400):
        hurt = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            hurt[chance.randrange(4, len(hurt))] = chance.randrange(256)
        path.write_bytes(hurt)
        try:
            read(path)
        except DataRefused:
            refused += 1
    assert refused > 50


def test_declared_sizes_are_not_believed(tmp_path: Path, frame: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.parquet"
    frame.write_parquet(path)
    monkeypatch.setattr(reading, "MAX_ROWS", 99)
    with pytest.raises(DataRefused, match="declares 100 rows"):
        read(path)


def test_a_footer_of_a_thousand_million_rows_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "huge.parquet"
    pl.DataFrame({"a": [7] * 1000}).write_parquet(path, compression="uncompressed")
    body = path.read_bytes()
    footer = int.from_bytes(body[-8:-4], "little")
    head, tail = body[: -8 - footer], body[-8 - footer :]
    small = bytes([0xD0, 0x0F])  # 1000 as a zigzag varint, as Thrift writes it
    assert small in tail
    huge = bytes([0xFE, 0xFF, 0xFF, 0xFF, 0x0F])
    grown = tail[:-8].replace(small, huge)
    path.write_bytes(head + grown + len(grown).to_bytes(4, "little") + b"PAR1")
    assert pq.read_metadata(path).num_rows > 10**9
    with pytest.raises(DataRefused):
        read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["x.csv", "x.jsonl", "x.parquet", "x.txt"]))
def test_any_bytes_at_all(tmp_path: Path, body: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    try:
        height, refusal = read(path).rows.height, ""
    except DataRefused as error:
        height, refusal = 0, str(error)
    assert height > 0 or name in refusal
