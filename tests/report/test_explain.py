"""report.explain: words follow the record, carry no digit, and numbers that do not exist are null."""

from __future__ import annotations

import json
import math
import re

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulated import played

from confidence_engine.domain.decision import DECISION, GATE_WORDS
from confidence_engine.domain.document import known_at
from confidence_engine.domain.finding import FINDING_WORDS, finding_names
from confidence_engine.drivers import replay
from confidence_engine.drivers.replay import told_about
from confidence_engine.report.explain import evidence_lines, explain, headlines, stories

KEYS = {
    "symbol", "venue", "at", "action", "side", "synthetic", "narrative", "stories", "price", "score", "reaction_sigma",
    "gap", "trigger", "strength", "confidence", "calibrated", "quality", "conviction", "gates", "size", "plan",
    "evidence", "newest", "headlines", "account", "market", "horizons", "crowd", "regime",
}  # fmt: skip

number = st.floats(-5.0, 5.0) | st.just(math.nan)


def row(**fields: float) -> np.record:
    one = np.zeros(1, DECISION)
    for name in ("story", "z_story", "reaction", "score_z", "gap", "volume_z", "quality", "conviction"):
        one[name] = np.nan
    for name, value in fields.items():
        one[name] = value
    found: np.record = one.view(np.recarray)[0]
    return found


@given(
    st.sampled_from([-1, 0, 1]), st.integers(0, 5), st.floats(-4.0, 4.0), number, number, number, number,
    st.floats(0.0, 1.0),
)  # fmt: skip
def test_evidence_is_two_to_four_sentences_without_a_digit(
    side: int, told: int, z: float, reaction: float, score: float, gap: float, volume: float, strength: float
) -> None:
    lines = evidence_lines(
        row(side=side, stories=told, z_story=z if told else math.nan, reaction=reaction, score_z=score, gap=gap,
            volume_z=volume, strength=strength)
    )  # fmt: skip
    assert 1 <= len(lines) <= 4
    for line in lines:
        assert not re.search(r"\d", line)
        assert re.fullmatch(r"[A-Z][a-z ,;]+\.", line), line


def test_evidence_of_every_recorded_decision_is_number_free() -> None:
    decisions = played().result.decisions.view(np.recarray)
    seen = set()
    for k in range(0, len(decisions), 5):
        seen.update(evidence_lines(decisions[k]))
    assert len(seen) > 10
    assert not any(re.search(r"\d", line) for line in seen)


CASES = [
    ({"side": 0}, "There is no live story to act on."),
    ({"side": 1, "stories": 1, "z_story": 2.5, "gap": 1.0, "strength": 0.4}, "The story is bullish, very strong"),
    ({"side": -1, "stories": 1, "z_story": -0.5, "gap": -1.0, "strength": 0.1}, "The story is bearish, mild"),
    ({"side": 1, "stories": 1, "z_story": -0.5, "score_z": 3.0, "gap": 1.0, "strength": 0.1}, "The story is bearish"),
    ({"side": 1, "score_z": 3.0, "gap": 1.0, "strength": 0.1}, "The score is bullish, very strong by its own measure."),
    ({"side": 1, "stories": 1, "z_story": 1.0, "reaction": 2.5, "gap": 0.1}, "The price has run with it already."),
    ({"side": -1, "stories": 1, "z_story": -1.0, "reaction": 2.5, "gap": 0.1}, "The price has gone against it since."),
    ({"side": 1, "stories": 1, "z_story": 1.0, "gap": 0.1}, "What the price made of it is not known."),
    ({"side": 1, "stories": 1, "z_story": 1.0}, "cannot be measured yet"),
    ({"side": 1, "stories": 1, "z_story": 1.0, "gap": 0.3}, "The gap is too small to act on"),
    ({"side": 1, "stories": 1, "z_story": 1.0, "gap": -0.9, "strength": 0.3}, "The price has run beyond that"),
    ({"side": 1, "stories": 1, "z_story": 1.0, "gap": 0.9, "strength": 0.3}, "The case is very strong"),
    ({"side": 1, "gap": 0.9, "strength": 0.3, "quality": 8.0}, "The case is very strong and well founded;"),
    ({"side": 1, "gap": 0.9, "strength": 0.3, "quality": 3.9}, "The case is very strong and hardly founded;"),
    ({"side": 0, "volume_z": 1.0}, "The market is busier than usual."),
    ({"side": 0, "volume_z": -1.0}, "The market is quieter than usual."),
    ({"side": 0, "volume_z": -1.0, "regime": 4}, "The market is quieter than usual and prices swing wildly."),
    ({"side": 0, "volume_z": 0.0, "regime": 2}, "Activity is normal."),
    ({"side": 0}, "How many take part is not known."),
]


@pytest.mark.parametrize(("fields", "words"), CASES)
def test_words_follow_the_record(fields: dict[str, float], words: str) -> None:
    assert words in " ".join(evidence_lines(row(**fields)))


def test_a_score_alone_is_never_called_a_story() -> None:
    assert "story" not in " ".join(evidence_lines(row(side=-1, score_z=-1.0, gap=-1.0, strength=0.1)))


# The whole answer.


def _explained(k: int) -> dict:
    p = played()
    decision = p.result.decisions.view(np.recarray)[k]
    one = p.sources.instruments[int(decision.asset)]
    return explain(p.config, one, p.result.state, p.readings, decision, int(decision.ts_ns))


def test_the_answer_has_every_part_and_is_strict_json() -> None:
    decisions = played().result.decisions
    for k in range(0, len(decisions), 97):
        found = _explained(k)
        assert set(found) == KEYS
        json.dumps(found, allow_nan=False)
        names = [gate["name"] for gate in found["gates"]]
        assert [gate["why"] for gate in found["gates"]] == [GATE_WORDS[name] for name in names]
        assert (found["plan"] is None) == bool(names)
        assert found["action"] in (("buy", "sell") if not names else ("abstain", "stand aside"))
        assert (found["action"] == "abstain") == ("NO_EVIDENCE" in names)
        assert (found["confidence"] is None) == (found["gap"] is None) == (found["side"] == 0)


def test_an_entry_has_its_plan_on_the_right_side_of_the_price() -> None:
    decisions = played().result.decisions
    taken = np.flatnonzero(decisions["gates"] == 0)
    sides = set()
    for k in taken.tolist():
        found = _explained(k)
        plan, price, side = found["plan"], found["price"]["last"], found["side"]
        assert side * (price - plan["invalidation"]) > 0
        assert all(side * (target - price) > 0 for target in plan["targets"])
        assert found["size"]["r_units"] > 0
        assert found["size"]["lots"] * side > 0
        assert found["size"]["notional_usd"] == pytest.approx(abs(found["size"]["quantity"]) * price)
        assert abs(found["gap"]) >= found["trigger"]
        sides.add(found["action"])
    assert sides == {"buy", "sell"}


def test_no_narrative_where_nobody_speaks() -> None:
    decisions = played().result.decisions
    silent = int(np.flatnonzero(decisions["stories"] == 0)[0])
    found = _explained(silent)
    assert (found["narrative"], found["gap"], found["confidence"]) == (None, None, None)
    assert found["evidence"][0] == "There is no live story to act on."


def test_horizons_and_the_crowd_are_those_of_the_record() -> None:
    decisions = played().result.decisions
    told = np.flatnonzero(decisions["stories"] > 0)
    seen = set()
    for k in told[:: len(told) // 40].tolist():
        found, d = _explained(k), decisions[k]
        gaps = [one["gap"] for one in found["horizons"]["gaps"]]
        assert [one["horizon"] for one in found["horizons"]["gaps"]] == ["1 h", "3 h", "6 h"]
        wanted = (d["gap_short"], d["gap_mid"], d["gap_long"])
        assert [math.nan if gap is None else gap for gap in gaps] == pytest.approx(wanted, nan_ok=True)
        assert found["crowd"]["factor"] == d["crowd"]
        names = [one["name"] for one in found["crowd"]["findings"]]
        assert names == finding_names(int(d["findings"]))
        assert [one["why"] for one in found["crowd"]["findings"]] == [FINDING_WORDS[name] for name in names]
        assert found["market"] is None  # the simulated universe has none
        seen.update(names)
    assert {"ALIGNED_SHORT", "ALIGNED_LONG"} <= seen


def test_the_markets_story_is_shown_by_itself() -> None:
    p = played()
    *others, last = p.config.universe.underlyings
    universe = msgspec.structs.replace(
        p.config.universe, underlyings=(*others, msgspec.structs.replace(last, market=True))
    )
    state = type(p.result.state)(*(part.copy() for part in p.result.state))
    u = told_about(p.sources.instruments).index(last.name)
    decision = p.result.decisions.view(np.recarray)[-1].copy()
    asset = int(decision.asset)
    state.klass["market"][int(state.inst[asset].klass)] = u
    state.told[u].live, state.told[u].weight, state.told[u].z_story, state.told[u].story = 1, 0.5, -2.0, -0.8
    decision.market = -1.0
    config = msgspec.structs.replace(p.config, universe=universe)
    found = explain(config, p.sources.instruments[asset], state, p.readings, decision, int(decision.ts_ns))["market"]
    beta = float(state.beta[asset].beta)
    assert (found["name"], found["reading"], found["unusual"], found["weight"]) == (last.name, -0.8, -2.0, 0.5)
    assert (found["beta"], found["lean"], found["share"]) == (beta, -1.0, 0.0)
    assert beta != 1.0
    json.dumps(found, allow_nan=False)


# What was read.


def test_headlines_are_those_known_by_then_each_with_its_reading_or_its_reason() -> None:
    p = played()
    for k, at in enumerate(range(p.window.start_ns, p.window.end_ns, 37 * 3_600_000_000_000)):
        one = p.sources.instruments[k % 4]
        found = headlines(p.config, one, p.readings, at)
        known = [d for d in p.readings.documents if known_at(d, p.config.timing.news_lag_ns) <= at]
        titles = {d.title for d in known}
        assert found
        assert [item["known_ns"] for item in found] == sorted((item["known_ns"] for item in found), reverse=True)
        for item in found:
            assert item["title"] in titles
            assert item["known_ns"] <= at
            assert item["accepted"] == (item["why"] is None) == ("polarity" in item)
            if item["accepted"]:
                coin = p.config.universe.underlying(one.underlying)
                assert any(name.casefold() in item["title"].casefold() for name in (coin.name, *coin.names))
    assert {item["why"] for item in found} - {None}


def test_stories_are_the_kernels_own_with_its_own_weights() -> None:
    """The sum of the weights of the live ones is W of the decision made at that moment."""
    p = played()
    last = p.result.decisions[-4:]
    at = int(last["ts_ns"][-1])
    for d in last[last["ts_ns"] == at]:
        told = stories(p.config, p.result.state, int(d["underlying"]), at)
        alive = [one for one in told if one["alive"]]
        assert len(alive) == d["stories"]
        assert sum(one["weight"] for one in alive) == pytest.approx(d["amount"], abs=1e-9)
        assert [one["weight"] for one in told] == sorted((one["weight"] for one in told), reverse=True)


def test_what_a_source_has_earned_is_in_the_weights() -> None:
    """With factors learnt from outcomes the shown stories are still those that the kernel counted."""
    p = played()
    learning = p.config.kernel.sources._replace(rate=1.0, min_obs=1, high=3.0)
    config = msgspec.structs.replace(p.config, kernel=p.config.kernel._replace(sources=learning))
    moved = 0
    for end in range(len(p.tape.events) - 4000, len(p.tape.events), 500):
        result = replay.play(config, p.sources.instruments, p.tape.events[:end])
        at = int(result.decisions["ts_ns"][-1])
        share = config.kernel.narrative.publisher_weight
        for d in result.decisions[result.decisions["ts_ns"] == at]:
            told = stories(config, result.state, int(d["underlying"]), at)
            alive = [one for one in told if one["alive"]]
            assert len(alive) == d["stories"]
            assert sum(one["weight"] for one in alive) == pytest.approx(d["amount"], abs=1e-12)
            unsaid = {int(item.cluster): float(item.unsaid) for item in result.state.story[int(d["underlying"])]}
            moved += sum(unsaid[one["cluster"]] != (1.0 - share) ** one["publishers"] for one in alive)
    assert moved > 5
