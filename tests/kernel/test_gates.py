"""kernel.gates: every bit against its sentence, and no bit for another's reason."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.world import BAR_NS, PERP, START, decision, make_params, make_state

from confidence_engine.domain.decision import GATE_NAMES, gate_names
from confidence_engine.domain.event import BACKFILL, DEGRADED, SYNTHETIC
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS
from confidence_engine.kernel import gates, narrative

NOW = START + 1000 * HOUR_NS
MIN_OBS, STALE = 288, 3.0


def healthy(**instrument: Any) -> Any:
    """A state that no gate has anything against."""
    s = make_state(**(PERP | instrument))
    a = s.asset[0]
    a.n_bars, a.atr_n, a.close_ns, a.funding_ns = 1000, 50, NOW - MINUTE_NS, NOW - HOUR_NS
    return s


def case(**values: Any) -> Any:
    """A decision that no gate has anything against."""
    good = {"side": 1, "gap": 1.2, "trigger": 0.8, "strength": 0.3, "volume_z": 0.0, "stories": 2, "lead": 7}
    return decision(**(good | values))


def data(s: Any, p: Any = None) -> list[str]:
    return gate_names(int(gates.data(s, 0, NOW, MIN_OBS, STALE, (p or make_params()).gates)))


def check(s: Any, d: Any, evidence: bool = True, p: Any = None) -> list[str]:
    return gate_names(int(gates.check(s, 0, NOW, d, evidence, (p or make_params()).gates)))


def test_a_good_case_passes_every_gate() -> None:
    assert data(healthy()) == []
    assert check(healthy(), case()) == []
    assert check(healthy(), case(side=-1, gap=-1.2)) == []


@pytest.mark.parametrize(
    ("asset", "bit"),
    [
        ({"n_bars": MIN_OBS - 1}, "PRICE_COLD"),
        ({"atr_n": 1}, "PRICE_COLD"),
        ({"close_ns": NOW - 3 * BAR_NS - 1}, "PRICE_STALE"),
        ({"seen_marks": DEGRADED | SYNTHETIC}, "DEGRADED"),
        ({"funding_ns": NOW - 12 * HOUR_NS - 1}, "DEGRADED"),
        ({"funding_ns": 0}, "DEGRADED"),  # never seen
    ],
)
def test_inputs_that_may_not_be_believed(asset: dict[str, int], bit: str) -> None:
    s = healthy()
    for name, value in asset.items():
        s.asset[0][name] = value
    assert data(s) == [bit]


@pytest.mark.parametrize(
    "asset",
    [
        {"n_bars": MIN_OBS, "atr_n": 2},
        {"close_ns": NOW - 3 * BAR_NS},
        {"seen_marks": BACKFILL | SYNTHETIC},
        {"funding_ns": NOW - 12 * HOUR_NS},
    ],
)
def test_inputs_just_good_enough(asset: dict[str, int]) -> None:
    s = healthy()
    for name, value in asset.items():
        s.asset[0][name] = value
    assert data(s) == []


def test_spot_pays_no_funding_and_an_asset_without_bars_is_cold_and_stale() -> None:
    s = healthy(funding_ns=0)
    s.asset[0].funding_ns = 0
    assert data(s) == []
    assert data(make_state()) == ["PRICE_COLD", "PRICE_STALE"]


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        ({"side": 0}, ["NO_EVIDENCE"]),
        ({"gap": math.nan, "strength": 0.0}, ["PRICE_COLD"]),
        ({"gap": 0.799, "strength": 0.0}, ["SMALL_GAP", "WEAK_STRENGTH"]),
        ({"gap": -1.2}, ["OVERREACTION"]),
        ({"strength": 0.0199}, ["WEAK_STRENGTH"]),
        ({"volume_z": -1.501}, ["WEAK_VOLUME"]),
        ({"volume_z": math.nan}, []),  # unknown is not weak
        ({"gap": 0.8, "strength": 0.02, "volume_z": -1.5}, []),  # just enough
    ],
)
def test_cases_that_are_not_strong_enough(values: dict[str, float], bits: list[str]) -> None:
    assert check(healthy(), case(**values)) == bits


def test_no_evidence_has_no_other_reason_about_the_case() -> None:
    assert check(healthy(), case(gap=0.0, strength=0.0), evidence=False) == ["NO_EVIDENCE"]


def test_a_bearish_story_needs_a_venue_that_lets_go_short() -> None:
    spot = healthy(can_short=False)
    assert check(spot, case(side=-1, gap=-1.2)) == ["NO_SHORT"]
    assert check(spot, case()) == []


@pytest.mark.parametrize(
    ("book", "bits"),
    [
        ({"lots": -3}, ["POSITION_OPEN"]),
        ({"entry_id": 5}, ["ORDER_WORKING"]),
        ({"exit_id": 5}, ["ORDER_WORKING"]),
        ({"closed_ns": NOW - 6 * HOUR_NS + 1}, ["COOLDOWN"]),
        ({"closed_ns": NOW - 6 * HOUR_NS}, []),
        ({"lots": 1, "exit_id": 2, "closed_ns": NOW}, ["POSITION_OPEN", "ORDER_WORKING", "COOLDOWN"]),
    ],
)
def test_one_story_one_trade_one_position_and_a_pause(book: dict[str, int], bits: list[str]) -> None:
    s = healthy()
    for name, value in book.items():
        s.book[0][name] = value
    assert check(s, case()) == bits


def lead(s: Any, slot: int, *assets: int) -> Any:
    """A live story in `slot` that pulls most and was entered on by these assets."""
    s.told[0].live, s.told[0].lead_slot = 1, slot
    for i in assets:
        narrative.mark_traded(s, 0, i)
    return s


@pytest.mark.parametrize(("assets", "bits"), [((), []), ((0,), ["SAME_STORY"]), ((1,), []), ((1, 0), ["SAME_STORY"])])
def test_a_story_is_used_up_for_the_asset_that_entered_on_it(assets: tuple[int, ...], bits: list[str]) -> None:
    assert check(lead(healthy(), 5, *assets), case()) == bits


def test_a_story_stays_used_up_when_another_leads_in_between() -> None:
    s = lead(lead(healthy(), 5, 0), 6)
    assert check(s, case()) == []
    assert check(lead(s, 6, 0), case()) == ["SAME_STORY"]
    assert check(lead(s, 5), case()) == ["SAME_STORY"]


def test_a_score_alone_has_no_story_to_repeat() -> None:
    s = lead(healthy(), 5, 0)
    assert check(s, case(stories=0, lead=-1)) == []


BOOLS = st.booleans()


@given(*[BOOLS] * 8)
def test_a_refusal_names_all_its_reasons(
    small: bool, over: bool, weak: bool, quiet: bool, held: bool, working: bool, told: bool, soon: bool
) -> None:
    s = healthy(can_short=False)
    b = s.book[0]
    b.lots, b.entry_id = held, working
    lead(s, 7, *([0] if told else []))
    b.closed_ns = NOW - 1 if soon else 0
    side = -1 if over else 1
    d = case(side=side, gap=0.5 if small else 1.2, strength=0.0 if weak else 0.3, volume_z=-3.0 if quiet else 0.0)
    expected = {
        "SMALL_GAP": small, "OVERREACTION": over, "WEAK_STRENGTH": weak, "WEAK_VOLUME": quiet, "NO_SHORT": over,
        "POSITION_OPEN": held, "ORDER_WORKING": working, "SAME_STORY": told, "COOLDOWN": soon,
    }  # fmt: skip
    assert check(s, d) == [name for name in GATE_NAMES if expected.get(name)]


@given(st.floats(-4, 4), st.floats(-4, 4), st.floats(0.1, 2), st.floats(0, 1))
def test_a_stronger_case_is_never_refused_more(gap: float, more: float, trigger: float, strength: float) -> None:
    side = 1 if gap >= 0 else -1
    weaker, stronger = (
        set(check(healthy(), case(side=side, gap=g, trigger=trigger, strength=x)))
        for g, x in ((gap, strength), (gap + side * abs(more), min(strength + 0.1, 1.0)))
    )
    assert stronger <= weaker


@given(st.integers(0, (1 << len(GATE_NAMES)) - 1))
def test_only_gates_of_the_case_can_be_waived(waived: int) -> None:
    s = healthy()
    s.book[0].lots, s.book[0].closed_ns = 5, NOW - MINUTE_NS
    weak = case(side=-1, gap=0.1, strength=0.0, volume_z=-3.0)
    s.inst[0].can_short = 0
    all_bits, left = check(s, weak), check(s, weak, p=make_params(gates={"waived": waived}))
    of_case = set(gate_names(gates.OF_CASE))
    assert set(left) == {bit for bit in all_bits if bit not in of_case or not waived >> GATE_NAMES.index(bit) & 1}
    assert {"POSITION_OPEN", "NO_SHORT"} <= set(left)
