"""The page of a demonstration: it stands alone, it holds the figures, and what comes from data is words to it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.report.page import curves_svg, page

SHADOW = {"equal": True, "events": 10_636, "decisions_hash": "ad" * 32, "state_hash": "5f" * 32}
AGENT = {
    "equity": 100_002.19, "net_usd": 2.19, "fees_usd": 0.42, "entries": 4, "events": 10_636, "shadow": SHADOW,
    "trades": [{
        "symbol": "KVX/USDT", "side": "long", "entered": "2025-01-18T00:55:00Z", "left": "2025-01-18T06:55:02Z",
        "entry_price": 3.0944, "exit_price": 3.2218, "pnl_usd": 3.42, "why": "time", "decision": 345,
    }],
}  # fmt: skip
SKILL = {"n": 197, "n_clusters": 80, "auc": {"value": 0.77, "ci95": (0.7, 0.83)}}


def told(**changes: Any) -> dict[str, Any]:
    bucket = {"low": 0.5, "high": 0.525, "n": 146, "confidence": 0.509, "oracle": 0.524, "realised": 0.52,
              "ci95": (0.42, 0.62)}  # fmt: skip
    truth = {"worlds": 3, "table": [bucket], "confidence": SKILL, "oracle": SKILL, "entries": 4, "net_usd": 2.19}
    decision = {
        "id": "futures:345", "at": "2025-01-18T00:50:00Z", "symbol": "KVX/USDT", "action": "buy",
        "evidence": ["The story is bullish, strong."], "refused": ["too soon"], "came": ["2025-01-18 bought 5 lots"],
        "numbers": {"gap": "0.589"}, "headlines": ["1 s before, Harbour Wire: <script>alert(1)</script> & more"],
    }  # fmt: skip
    return {
        "seed": 7, "agents": {"hybrid": AGENT, "futures": AGENT}, "decisions": [decision], "truth": truth,
        "world": {"assets": 6, "days": 40, "warmup": "10 d", "documents": 1332, "end": "2025-01-25T00:00:00Z"},
        "without_information": truth | {"net_usd": -24.79},
        "replay": {"what": "futures", "entries": 4, "net_usd": 2.19, "told": "equal"},
        "kill": {"told": "kill -9 of process 4242"}, "leak": {"told": "planted and caught"}, "next": ["confidence why"],
    } | changes  # fmt: skip


def curve(name: str, values: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    return name, DAY_NS * 20_000 + HOUR_NS * np.arange(len(values)), values


class Loads(HTMLParser):
    """Gathers every tag, and whatever would be loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "data", "srcset")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_stands_alone_and_is_whole() -> None:
    text = page(told(), [curve("futures", np.linspace(1e5, 1.001e5, 48))])
    found = Loads()
    found.feed(text)
    assert found.open == []
    assert found.loaded == []
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    assert "svg" in found.tags
    for word in ("http:", "https:", "url(", "@import"):
        assert word not in text


@pytest.mark.parametrize(
    "figure",
    ["SYNTHETIC", "100,002.19", "+2.19", "-24.79", "futures:345", "146", "0.509", "0.42 to 0.62", "0.77 (0.70 to 0.83)",
     "ad" * 12, "process 4242", "planted and caught", "KVX/USDT", "3.0944", "confidence why", "1,332"],
)  # fmt: skip
def test_it_holds_the_figures(figure: str) -> None:
    assert figure in page(told(), [curve("futures", np.linspace(1e5, 1.001e5, 48))])


def test_what_comes_from_data_is_escaped() -> None:
    text = page(told(), [])
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text
    assert "<script" not in text


def test_what_is_missing_is_said() -> None:
    none = {"n": 0, "n_clusters": 0, "auc": {"value": None, "ci95": None}}
    truth = {"worlds": 1, "table": [], "confidence": none, "oracle": None, "entries": 0, "net_usd": 0.0}
    empty = {name: AGENT | {"trades": []} for name in ("hybrid", "futures")}
    text = page(told(truth=truth, without_information=truth, decisions=[], agents=empty), [])
    for words in ("No case was decided", "insufficient", "Nothing was decided", "No equity was recorded", "None."):
        assert words in text


def test_a_figure_of_another_feed_is_not_the_agents() -> None:
    what = "a replay of futures, without the feed's faults"
    text = page(told(replay={"what": what, "entries": 5, "net_usd": 1.26, "told": "not compared"}), [])
    assert f"{what.replace(chr(39), '&#x27;')}, one draw each" in text
    assert "futures, one draw each" not in text


def test_a_curve_keeps_its_ends_and_stays_in_its_frame() -> None:
    values = np.concatenate([np.full(5000, 100.0), [250.0]])
    text = curves_svg([curve("one", values), curve("two", values / 2)])
    lines = [part.split('"')[0] for part in text.split('points="')[1:]]
    assert len(lines) == 2
    for line in lines:
        points = np.array([point.split(",") for point in line.split()], float)
        assert 2 < len(points) < 1000
        assert points[:, 0].min() >= 0
        assert points[:, 0].max() <= 760
        assert points[:, 1].min() >= 0
        assert points[:, 1].max() <= 280
        assert points[-1, 1] < points[0, 1]  # the last value is the highest


def test_a_flat_curve_is_drawn() -> None:
    assert "nan" not in curves_svg([curve("flat", np.full(10, 1e5))])
