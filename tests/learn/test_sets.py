"""The labelled headlines: parted by their words, so that no part knows another."""

from __future__ import annotations

from pathlib import Path

import pytest

from confidence_engine.learn.sets import LONGEST, key_of, load

HEAD = "text,label\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train = [f"Firm {k} rises,1\n" for k in range(60)] + ["Acme falls https://t.co/a,0\n", f"{'long ' * 60},2\n"]
    (tmp_path / "twitter_fin_train.csv").write_text(HEAD + "".join(train))
    (tmp_path / "twitter_fin_valid.csv").write_text(HEAD + "acme FALLS!,0\nAcme waits,2\nFund gains,1\n")
    rows = [
        f"{k},Coin {k} gains and Bank {k} falls,\"{{'Coin': 'positive', 'Bank': 'negative'}}\",6\n" for k in range(40)
    ]
    rows += [f"{k},Share {k} gains,\"{{'Share': 'positive'}}\",3\n" for k in range(200)]
    rows += ["9,Fund gains,\"{'Fund': 'positive'}\",2\n", "9,One up,\"{'A': 'positive', 'B': 'neutral'}\",2\n"]
    (tmp_path / "sentfin.csv").write_text("S No.,Title,Decisions,Words\n" + "".join(rows))
    return tmp_path


def test_no_headline_is_in_two_parts(folder: Path) -> None:
    parts = load(folder)
    keys = [{key_of(one.text) for one in part} for part in parts[:4]]
    for at, one in enumerate(keys):
        assert one
        for other in keys[at + 1 :]:
            assert not one & other


def test_what_is_left_out_is_counted(folder: Path) -> None:
    parts = load(folder)
    assert parts.left_out["valid rows that stand in train"] == 1  # Acme falls, in other dress
    assert parts.left_out["rows too long"] == 1
    assert {one.text for one in parts.twitter} == {"Acme waits", "Fund gains"}
    assert all(len(one.text) <= LONGEST for one in (*parts.train, *parts.check))


def test_mixed_headlines_have_shares_and_are_not_tested_on(folder: Path) -> None:
    parts = load(folder)
    assert {one.target for one in parts.sentfin} == {(0.0, 0.0, 1.0)}
    mixed = {one.target for one in (*parts.train, *parts.check) if max(one.target) < 1}
    assert mixed <= {(0.5, 0.0, 0.5), (0.0, 0.5, 0.5)}
    assert (0.5, 0.0, 0.5) in mixed


def test_labels_of_twitter_are_put_in_order(folder: Path) -> None:
    found = {one.text: one.target for one in load(folder).twitter}
    assert found == {"Acme waits": (0.0, 1.0, 0.0), "Fund gains": (0.0, 0.0, 1.0)}


@pytest.mark.realdata
def test_the_recorded_sets(shared_data: Path) -> None:
    parts = load(shared_data / "sentiment")
    assert [len(part) for part in parts[:4]] == [16_130, 1_912, 1_908, 2_337]
    assert parts.left_out == {
        "valid rows that stand in train": 51,
        "rows too long": 1_666,
        "SEntFiN headlines of mixed label in the test fifth": 267,
    }
    test = {key_of(one.text) for one in (*parts.sentfin, *parts.twitter)}
    assert not test & {key_of(one.text) for one in (*parts.train, *parts.check)}
