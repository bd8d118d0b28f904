"""The ablation: every neutral value is a real one, the comparison is fair, and what changes nothing is named."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs
from tests.simulated import played

from confidence_engine.domain.decision import GATE_NAMES
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.event import SIGNAL
from confidence_engine.domain.outcome import UNRESOLVED
from confidence_engine.domain.params import bounds_of
from confidence_engine.domain.units import DAY_NS, MINUTE_NS
from confidence_engine.drivers import replay
from confidence_engine.evaluate import ablation
from confidence_engine.evaluate.ablation import STAGES, Part, ablate, at_neutral, holm, neutralised, parts
from confidence_engine.evaluate.share import share_by_day
from confidence_engine.evaluate.summary import figures, summarise
from confidence_engine.feeds.calendar import sessions
from confidence_engine.kernel.gates import OF_CASE
from confidence_engine.text.cues import CueReader


@pytest.mark.parametrize("part", STAGES, ids=lambda part: part.name)
def test_every_neutral_value_is_a_key_and_within_its_range(part: Part) -> None:
    config = played().config
    for path, value in part.changes.items():
        section, *rest = path.split(".")
        tree = getattr(config, section)
        for name in rest[:-1]:
            tree = getattr(tree, name)
        kind, bound = bounds_of(type(tree))[rest[-1]]
        assert bound is not None
        assert isinstance(value, kind)
        assert value in bound.choices if bound.choices else bound.low <= value <= bound.high
    assert neutralised(config, part.changes) != config or part.name in OFF


def test_an_unknown_key_is_refused() -> None:
    for path in ("kernel.divergence.kapa", "kernel.nothing.kappa", "nothing.kappa"):
        with pytest.raises(UsageError, match="no parameter"):
            neutralised(played().config, {path: 0.0})


OFF = ("algos", "text.reader", "market", "gates.quality", "gates.conviction", "sizing.dynamic")
"""Parts that the simulated world's config has at their neutral value."""


def test_every_stage_and_gate_has_a_row_or_is_named_as_standing_at_neutral() -> None:
    one = played()
    assert {part.name for part in at_neutral(one.config)} == set(OFF)
    waived = neutralised(one.config, {"kernel.gates.waived": 1 << GATE_NAMES.index("COOLDOWN")})
    away = at_neutral(waived)
    assert (away[-1].kind, away[-1].name) == ("gate", "COOLDOWN")
    for config in (one.config, waived):
        shown, left = parts(config, one.sources), at_neutral(config)
        names = [(part.kind, part.name) for part in (*shown, *left) if part.kind != "source"]
        assert len(set(names)) == len(names)
        assert set(names) == {("stage", part.name) for part in STAGES} | {
            ("gate", name) for k, name in enumerate(GATE_NAMES) if OF_CASE >> k & 1
        }


@pytest.fixture(scope="module")
def rows() -> dict[str, ablation.Row]:
    one = played()
    kept = ("text.novelty", "divergence.reaction", "sim.fees", "exits.time")
    some = [part for part in parts(one.config, one.sources) if part.name in kept or part.kind != "stage"]
    some.append(
        Part("stage", "nothing", "the value it has", {"kernel.divergence.kappa": one.config.kernel.divergence.kappa})
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablation, "parts", lambda config, sources: tuple(some))
        found = ablate(one.config, one.sources, lambda text: CueReader(), one.window, draws=200)
    return {row.name: row for row in found}


def test_the_whole_run_is_the_replay_itself(rows: dict[str, ablation.Row]) -> None:
    whole, entered = rows["everything"], played().result.decisions
    assert whole.entries == int((entered["gates"] == 0).sum()) > 0
    assert (whole.moved, whole.delta_usd, whole.p_adjusted, whole.inert) == (0, 0.0, None, False)


def test_a_part_that_changes_nothing_is_named_and_others_are_not(rows: dict[str, ablation.Row]) -> None:
    assert rows["nothing"].inert
    assert rows["nothing"].p_adjusted is None
    changed = [rows[name] for name in ("text.novelty", "divergence.reaction", "sim.fees")]
    assert not any(row.inert for row in changed)
    assert rows["sim.fees"].delta_usd > 0.0
    assert rows["sim.fees"].delta_ci95 is not None
    assert rows["sim.fees"].delta_ci95[0] > 0.0


def test_the_net_of_two_runs_differs_by_the_change(rows: dict[str, ablation.Row]) -> None:
    for row in rows.values():
        assert row.net_usd - rows["everything"].net_usd == pytest.approx(row.delta_usd, abs=1e-9)
        if row.delta_ci95 is not None:
            assert row.delta_ci95[0] <= row.delta_ci95[1]
        assert row.p_adjusted is None or 0.0 < row.p_adjusted <= 1.0


def test_each_publisher_is_left_out_before_reading(rows: dict[str, ablation.Row]) -> None:
    names = {one.publisher for one in played().sources.documents}
    assert {f"news:{name}" for name in names} <= set(rows)
    assert sum(rows[f"news:{name}"].moved > 0 for name in names) >= 2


def test_the_gap_closed_bears_the_interval_that_the_replay_gives_it_and_lessons_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same decisions as of stocks, traded on a clock that runs 6.5 hours a day."""
    one = played()
    clock = sessions("XNYS", one.window.load_ns, one.window.end_ns + 60 * DAY_NS, 5 * MINUTE_NS)
    listed = tuple(msgspec.structs.replace(each, calendar="XNYS") for each in one.sources.instruments)
    sources = one.sources._replace(instruments=listed, sessions={"XNYS": clock})
    monkeypatch.setattr(replay, "compose", lambda *_: one.tape)
    monkeypatch.setattr(replay, "play", lambda *_: one.result)
    closed = ablation._run(one.config, sources, one.readings, one.window).closed
    made = figures(one.config, sources, one.result)
    told = summarise(one.config, sources, one.window, one.tape, one.result, made, "cues")
    assert msgspec.to_builtins(closed) == told["outcomes"]["closed"]
    seen = made.labelled[made.labelled["y"] != UNRESOLVED]
    assert closed.n_days < len(np.unique(seen["ts_ns"] // DAY_NS))  # a day of this clock is nearly four sessions
    learnt = told["feedback"]
    assert learnt["block"] == told["outcomes"]["block"] == "1d"
    assert 1 < learnt["cases"]["all"]["won"]["n_days"] < one.made.performance.sharpe.n / 2


def test_without_news_nothing_is_entered() -> None:
    one = played()
    mute = neutralised(one.config, {"kernel.divergence.use_news": False})
    assert (one.tape.events["kind"] == SIGNAL).any()
    found = ablation._run(mute, one.sources, one.readings, one.window)
    assert found.entered == set()


@given(hs.lists(hs.one_of(hs.none(), hs.floats(1e-6, 1.0)), max_size=12))
def test_holm_is_never_below_p_and_keeps_its_order(p: list[float | None]) -> None:
    q = holm(p)
    seen = sorted((a, b) for a, b in zip(p, q, strict=True) if a is not None and b is not None)
    assert [one is None for one in p] == [one is None for one in q]
    assert all(a <= b <= 1.0 for a, b in seen)
    assert [b for _, b in seen] == sorted(b for _, b in seen)


def test_holm_of_a_textbook_row() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_the_bootstrap_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(150):
        delta = rng.standard_normal(200) + 0.3
        (low, high), _ = ablation._bootstrap(delta, 300, 0)
        covered += low <= 0.3 * 200 <= high
    assert 0.86 <= covered / 150 <= 0.99


def test_runs_of_different_length_are_compared_on_the_days_of_both() -> None:
    closed = share_by_day(np.zeros(0, bool), np.zeros(0, np.int64))
    days = np.arange(6) * DAY_NS
    one = ablation._Run(set(), days, 100.0 + np.array([0.0, 1.0, 1.0, 3.0, 2.0, 2.0]), closed, ("a", "b"))
    two = ablation._Run(set(), days[1:5], 100.0 + np.array([0.0, 5.0, 5.0, 6.0]), closed, ("c", "d"))
    row, _ = ablation._compare(Part("stage", "x", "x", {}), one, two, 50, 0)
    assert (row.net_usd, row.delta_usd) == (6.0, 4.0)
