"""Every reader that a config may name keeps the port's promises."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.text.tiny_model import tiny_model

from confidence_engine.cli.readers import reader_for
from confidence_engine.domain.ports import Reader
from confidence_engine.text.reading import BACKENDS
from confidence_engine.wire import READERS

HEADLINES = [
    "Bitcoin rises 5% after ETF approval",
    "Exchange hacked, $200m stolen",
    "Company to present at the spring conference",
    "Losses narrow as costs fall",
    "Will ether fall below $1,000?",
]
ODD = [
    "\x00",
    "\u202e\u05d0\u05d1 falls",
    "\U0001f680" * 50,
    "a" * 100_000,
    "\ud800",
    "9" * 5000,
    "$",
    "n't",
    "+%",
    " ",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model for `finbert` to read with."""
    return str(tiny_model(tmp_path_factory.mktemp("tiny"), {0: "positive", 1: "negative", 2: "neutral"}))


@pytest.fixture(params=sorted(READERS))
def reader(request: pytest.FixtureRequest, tiny: str) -> Reader:
    return reader_for(request.param, tiny)


def test_the_table_and_the_config_name_the_same_readers() -> None:
    assert set(READERS) == set(BACKENDS)


def test_name_and_version(reader: Reader) -> None:
    assert reader.name in READERS
    assert reader.version


def test_empty_batch(reader: Reader) -> None:
    assert reader.read([]) == []


def test_the_same_text_reads_the_same_in_any_batch(reader: Reader) -> None:
    alone = [reader.read([text])[0] for text in HEADLINES]
    assert reader.read(HEADLINES) == alone
    assert reader.read(HEADLINES[::-1]) == alone[::-1]
    assert reader.read(HEADLINES * 3) == alone * 3


def test_odd_and_long_texts_do_not_raise(reader: Reader) -> None:
    for reading in reader.read(ODD):
        _sound(reading.p_negative, reading.p_neutral, reading.p_positive)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(texts=st.lists(st.text(max_size=300), max_size=4))
def test_probabilities_are_sound_for_any_text(tiny: str, texts: list[str]) -> None:
    for name in READERS:
        read = reader_for(name, tiny).read(texts)
        assert len(read) == len(texts)
        for reading in read:
            _sound(reading.p_negative, reading.p_neutral, reading.p_positive)
            assert -1.0 <= reading.polarity <= 1.0
            assert 0.0 <= reading.certainty <= 1.0


def _sound(*shares: float) -> None:
    assert all(math.isfinite(share) and 0.0 <= share <= 1.0 for share in shares)
    assert abs(math.fsum(shares) - 1.0) < 1e-12
