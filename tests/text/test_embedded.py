"""The reader `embedded`: plain news, one text at a time, softened far from home, and serving without its library."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confidence_engine.text import embedded, hashed, pieces
from confidence_engine.text.embedded import EmbeddedReader
from confidence_engine.text.hashed import HashedReader

READER = EmbeddedReader()
HERE = os.environ | {"PYTHONPATH": str(Path(embedded.__file__).parents[2])}


def polarity(text: str) -> float:
    return READER.read([text])[0].polarity


@pytest.mark.parametrize(
    "text",
    [
        "BTC hits $121k amid broader market gains and ETF inflows",
        "Bitcoin rises 5% after ETF approval",
        "Acme beats estimates, raises guidance",
        "Losses narrow at Acme",
        "Bitcoin reclaims USD 40,000",
        "Shares soar to an all-time high",
        "Acme upgraded to overweight at Example Bank",
        "MicroStrategy buys the dip, adds 480 bitcoin",
    ],
)
def test_good_news(text: str) -> None:
    assert polarity(text) > 0.2


@pytest.mark.parametrize(
    "text",
    [
        "Bitcoin Falls 0.22 %",
        "Bitcoin falls 5% after ETF approval",
        "Acme misses estimates, cuts guidance",
        "Losses widen at Acme",
        "Bitcoin fails to rise",
        "Exchange hacked: $200m stolen",
        "Lender files for bankruptcy",
        "SEC sues exchange",
        "Coin sinks to lowest since March",
        "Exchange halts withdrawals",
    ],
)
def test_bad_news(text: str) -> None:
    assert polarity(text) < -0.2


@pytest.mark.parametrize(
    "text",
    [
        "Acme to present at the spring conference",
        "What is a blockchain and how does it work?",
        "Team opens office in Lisbon",
    ],
)
def test_no_news(text: str) -> None:
    reading = READER.read([text])[0]
    assert reading.p_neutral > 0.5
    assert reading.certainty < 0.5


def test_a_number_or_currency_does_not_turn_the_reading() -> None:
    for one, other in (("Acme profit rises 5%", "Acme profit rises 87%"), ("Acme fined $20m", "Acme fined Rs 300m")):
        assert polarity(one) * polarity(other) > 0
        assert abs(polarity(one) - polarity(other)) < 0.4


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=4), st.integers(1, 60))
def test_neighbours_of_any_length_change_nothing(texts: list[str], words: int) -> None:
    alone = [READER.read([text])[0] for text in texts]
    assert READER.read([*texts, "word " * words, *texts])[: len(texts)] == alone


def test_another_process_reads_the_same_bytes() -> None:
    texts = ["Bitcoin rises 5% after ETF approval", "Traders wait", "Exchange hacked, $200m stolen"]
    code = f"from confidence_engine.text.embedded import EmbeddedReader as R; print(R().version, R().read({texts!r}))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=HERE).stdout
    assert told.strip() == f"{READER.version} {READER.read(texts)!r}"


def test_without_onnxruntime_the_hashed_table_serves_alone_and_says_so() -> None:
    code = """
import importlib.abc, importlib.util, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
whole = importlib.util.find_spec
def find_spec(name, package=None):
    try:
        return whole(name, package)
    except ModuleNotFoundError:
        return None
importlib.util.find_spec = find_spec
from confidence_engine.text.embedded import EmbeddedReader
reader = EmbeddedReader()
assert "onnxruntime" not in sys.modules
print(reader.version); print(reader.told); print(reader.read(["Shares soar on record profit"]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=HERE)
    version, told, read = run.stdout.splitlines()
    assert version == f"hashed-{HashedReader().version}" != READER.version
    assert "onnxruntime" in told
    assert read == repr(HashedReader().read(["Shares soar on record profit"]))


def test_the_version_is_the_files() -> None:
    digest = hashlib.sha256(hashed.sources() + b"".join((pieces.FOLDER / name).read_bytes() for name in embedded.FILES))
    assert READER.version == digest.hexdigest()[:12]
    shipped = {file.name for file in pieces.FOLDER.iterdir()} - {"NOTICE", "__pycache__"}
    assert shipped == set(embedded.FILES)
    assert sum((pieces.FOLDER / name).stat().st_size for name in shipped) < 24e6


def test_the_network_says_nothing_of_where_it_was_made() -> None:
    raw = (pieces.FOLDER / "network.onnx").read_bytes()
    assert b".py" not in raw
    assert b"site-packages" not in raw


def test_text_about_coins_and_strange_words_is_softened() -> None:
    how, text = embedded.stack(), "Acme rises after results"
    assert hashed.warmth(text) == 1.0 < hashed.warmth("Acme rises after zyxxqw") < hashed.WARMTH_AWAY
    assert hashed.warmth("Bitcoin rises after results") == hashed.WARMTH_AWAY
    [logits] = embedded.network_logits(["Bitcoin rises"])
    added = [how.network * n + how.hashed * c + b for n, c, b in
             zip(logits, HashedReader().logits("Bitcoin rises"), how.bias, strict=True)]  # fmt: skip
    assert READER.read(["Bitcoin rises"])[0] == hashed.reading_of(hashed.softmax([u / 2.0 for u in added]))


def test_a_headline_takes_milliseconds() -> None:
    texts = [f"Bitcoin rises {i}% as traders hope that losses narrow after the ETF approval" for i in range(100)]
    READER.read(texts[:5])
    begin = process_time()
    READER.read(texts)
    assert (process_time() - begin) / 100 < 0.03  # 0.003 on the quiet machine this was written on


@pytest.mark.realdata
def test_figures_on_headlines_it_never_saw(shared_data: Path) -> None:
    from confidence_engine.learn import measure, sets
    from confidence_engine.text.cues import CueReader

    parts = sets.load(shared_data / "sentiment")
    for examples, wanted in ((parts.sentfin[::4], 0.84), (parts.twitter[::4], 0.80)):
        got, plain = measure.figures(READER, examples), measure.figures(CueReader(), examples)
        assert got["macro_f1"] >= wanted
        assert got["accuracy"] >= plain["accuracy"] - 0.01
        assert got["ece"] <= 0.05
