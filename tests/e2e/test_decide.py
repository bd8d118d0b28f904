"""Named moments. The expectations were written down before the engine was asked; what failed stays in the list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from confidence_engine.config import load
from confidence_engine.domain.units import parse_time
from confidence_engine.feeds.store import Store
from confidence_engine.report.moment import decide_at

from .conftest import ROOT, default_reader

pytestmark = pytest.mark.realdata


def _decide(home: Path, at: str) -> dict[str, Any]:
    config, store = load(ROOT / "config/futures.toml"), Store(home)
    return decide_at(config, store, "BTC/USDT", parse_time(at), default_reader(config, store))


def test_the_depeg_night_abstains_for_want_of_evidence(recorded: Path) -> None:
    found = _decide(recorded, "2023-03-11T05:00Z")
    assert found["action"] == "abstain"
    assert [gate["name"] for gate in found["gates"]] == ["NO_EVIDENCE"]
    assert found["narrative"] is None
    assert found["confidence"] is None
    assert found["newest"]["age"] == "5 h 41 min"


UNREAD = "the two items about it are questions and announcements in which the cue reader finds no direction"
UNTOLD = "the archive holds no bitcoin item of the fourteen half-lives before it"

# moment, what was in the news (from memory), the side the story should take
MOMENTS = [
    ("2023-06-05T18:00Z", "the SEC sues Binance", -1),
    pytest.param(
        "2023-06-16T02:00Z",
        "BlackRock files for a spot bitcoin ETF",
        +1,
        marks=pytest.mark.xfail(reason=UNREAD, strict=True),
    ),
    ("2023-10-16T14:30Z", "a false report of an ETF approval, then its denial", +1),
    ("2023-11-21T21:30Z", "Binance settles, its head resigns", -1),
    pytest.param(
        "2024-01-10T22:30Z",
        "the SEC approves spot bitcoin ETFs",
        +1,
        marks=pytest.mark.xfail(reason=UNTOLD, strict=True),
    ),
]


@pytest.mark.parametrize(("at", "what", "side"), MOMENTS)
def test_the_story_takes_the_side_of_the_news(recorded: Path, at: str, what: str, side: int) -> None:
    found = _decide(recorded, at)
    assert found["side"] == side, what
