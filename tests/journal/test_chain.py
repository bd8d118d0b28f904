"""Hashes of a journal: every field counts, and no two different things run into each other."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from confidence_engine.journal.chain import HEADER, Block, Record, block_hash, events_hash, header, records_hash

whole = st.integers(-(1 << 63), (1 << 63) - 1)
digest = st.binary(min_size=32, max_size=32)
name = st.text("0123456789.seg", max_size=12)
BLOCK = (whole, whole, whole, name, whole, digest, whole, whole, digest, whole, digest, digest)
RECORD = (whole, whole, whole, whole, st.binary(max_size=20), st.none() | st.binary(max_size=20))
blocks = st.builds(Block, *BLOCK)
records = st.lists(st.builds(Record, *RECORD), max_size=4)
JOURNAL = uuid.UUID("6f2d1f6e-0b5e-4c0e-9d51-2b1f6f6f0c11")


@given(blocks, st.data())
def test_every_field_of_a_block_is_in_its_hash(block: Block, data: st.DataObject) -> None:
    before = block_hash(JOURNAL, block)
    for field, values in zip(Block._fields[:-1], BLOCK, strict=False):
        value = data.draw(values, field)
        assert (block_hash(JOURNAL, block._replace(**{field: value})) == before) == (value == getattr(block, field))
    assert block_hash(JOURNAL, block._replace(hash=data.draw(digest))) == before  # it is not in itself


@given(blocks, st.uuids(), st.uuids())
def test_a_block_belongs_to_one_journal(block: Block, one: uuid.UUID, two: uuid.UUID) -> None:
    assert (block_hash(one, block) == block_hash(two, block)) == (one == two)


@given(records, st.data())
def test_every_field_of_a_record_is_in_the_hash(found: list[Record], data: st.DataObject) -> None:
    assume(found)
    before = records_hash(found)
    k = data.draw(st.integers(0, len(found) - 1))
    for field, values in zip(Record._fields, RECORD, strict=True):
        value: Any = data.draw(values, field)
        changed = [*found[:k], found[k]._replace(**{field: value}), *found[k + 1 :]]
        assert (records_hash(changed) == before) == (changed == found)


@given(records, records)
def test_two_lists_of_records_have_one_hash_only_if_they_are_one(one: list[Record], two: list[Record]) -> None:
    assert (records_hash(one) == records_hash(two)) == (one == two)


@given(records, st.randoms())
def test_order_counts_and_so_does_each(found: list[Record], chance: Any) -> None:
    other = list(found)
    chance.shuffle(other)
    assert (records_hash(other) == records_hash(found)) == (other == found)
    for k in range(len(found)):
        assert records_hash([*found[:k], *found[k + 1 :]]) != records_hash(found)


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_bytes_cannot_move_from_body_to_payload(body: bytes, payload: bytes) -> None:
    one = Record(1, 1, 1, 1, body, payload)
    assert records_hash([one]) != records_hash([one._replace(body=body + b"x", payload=payload[1:])])
    assert records_hash([one]) != records_hash([one._replace(body=body + payload, payload=None)])
    nothing, empty = one._replace(payload=None), one._replace(payload=b"")
    assert records_hash([nothing]) != records_hash([empty])


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_events_have_one_hash_only_if_they_are_one(one: bytes, two: bytes) -> None:
    assert (events_hash(one) == events_hash(two)) == (one == two)


@given(st.tuples(st.uuids(), st.integers(0, 9), whole), st.tuples(st.uuids(), st.integers(0, 9), whole))
def test_a_header_says_whose_segment_it_is(one: tuple[Any, ...], two: tuple[Any, ...]) -> None:
    assert len(header(*one)) == HEADER
    assert (header(*one) == header(*two)) == (one == two)


def test_the_format_of_the_hashes_is_what_stands_on_disks() -> None:
    block = Block(3, 100, 2, "20260301.seg", 64, bytes(32), 7, 1, bytes(32), 5, bytes(32), b"")
    assert block_hash(JOURNAL, block).hex() == "ec15d911ed89b952240d4f318d5ac2b7720506ef055b98e0263a0cfe780d954b"
    one = Record(7, 101, 20, 9, b"body", b"{}")
    assert records_hash([one]).hex() == "897dc04fba775b567e2720ecc0e7a6c19af48ce243af022dd0d8d3ea635ba275"
