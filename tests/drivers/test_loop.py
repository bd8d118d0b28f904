"""The compiled loop: one pass is the same bytes however it is cut, and no world makes the books lie.

`make nightly` runs the random worlds a hundred times over.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.drivers.tape import Said, World, digest, narrow, play, world
from tests.kernel.world import START
from tests.ledger_reference import curve

from confidence_engine.domain.event import BAR, COMMAND, FUNDING, SIGNAL, TIMER, signal_events, timer_events
from confidence_engine.domain.jit import jit_enabled
from confidence_engine.domain.order import CMD_RESUME, INTENT_CANCEL, INTENT_SUBMIT, ORDER_MARKET, ORDER_STOP, WHY_ENTRY
from confidence_engine.domain.units import SECOND_NS
from confidence_engine.drivers.loop import run
from confidence_engine.kernel.out import STATUS_NO_ROOM, STATUS_UNSOUND, clear, new_out
from confidence_engine.venues import sim

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="the loop is compiled: run these without NUMBA_DISABLE_JIT")


def steps_of(w: World) -> dict[int, tuple[str, str]]:
    """Tick and quantity of a lot as they are written."""
    rows = w.state.inst[: int(w.state.head[0].n_assets)]
    return {i: (repr(float(r.tick)), repr(float(r.lot * r.multiplier))) for i, r in enumerate(rows)}


# The same bytes.


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_one_pass_is_event_by_event_is_any_cut(seed: int) -> None:
    whole = world(seed)
    said = play(whole)
    expected = digest(whole, said)
    assert len(said.entries) > 5
    for rows, size in ((65_536, 1), (65_536, 7), (1, 1 << 60), (13, 1 << 60), (50, 11)):
        again = world(seed)
        assert digest(again, play(again, rows, size)) == expected, (rows, size)


@given(seed=st.integers(0, 50), rows=st.integers(1, 200), size=st.integers(1, 1000))
def test_any_drain_is_the_same_bytes(seed: int, rows: int, size: int) -> None:
    whole, cut = world(seed, bars=40), world(seed, bars=40)
    assert digest(whole, play(whole)) == digest(cut, play(cut, rows, size))


def test_the_compiler_off_gives_the_same_bytes(project_root: Path) -> None:
    seeds = ["4", "5"]
    told = {}
    for off in ("0", "1"):
        env = dict(os.environ, NUMBA_DISABLE_JIT=off, PYTHONPATH=f"{project_root / 'src'}{os.pathsep}{project_root}")
        done = subprocess.run(
            [sys.executable, "-m", "tests.drivers.tape", *seeds], env=env, capture_output=True, text=True, check=True,
            cwd=project_root,
        )  # fmt: skip
        told[off] = done.stdout
    assert told["0"] == told["1"]
    assert len(told["0"].split()) == 2 * len(seeds)
    here = world(4, bars=60, assets=2)
    assert digest(here, play(here)) == told["0"].split()[1]


def test_it_stops_where_the_output_is_full_and_loses_nothing() -> None:
    w = world(0)
    out = narrow(w, 1)
    done = run(w.state, w.venue, w.events, 0, w.params, w.assume, out)
    assert 0 < done < len(w.events)
    assert out.head[0].status == 0
    assert run(w.state, w.venue, w.events, done, w.params, w.assume, out) == done
    clear(out)
    assert run(w.state, w.venue, w.events, done, w.params, w.assume, out) > done


def test_a_venue_that_cannot_say_everything_ends_the_pass() -> None:
    w = world(0)
    out = new_out(len(w.state.asset))
    w.venue.head[0].queued = sim.QUEUE
    w.venue.queue["ts_known"] = 1 << 62  # all of it still to come
    done = run(w.state, w.venue, w.events, 0, w.params, w.assume, out)
    assert out.head[0].status == STATUS_NO_ROOM
    assert out.head[0].where == done < len(w.events)


@pytest.mark.parametrize(("field", "value"), [("x0", math.nan), ("x3", -1.0), ("x1", math.inf), ("asset", 3)])
def test_an_unsound_bar_reaches_neither_kernel_nor_venue(field: str, value: float) -> None:
    w = world(0)
    k = int(np.flatnonzero(w.events["kind"] == 13)[40])
    w.events[k][field] = value
    out = new_out(len(w.state.asset))
    assert run(w.state, w.venue, w.events, 0, w.params, w.assume, out) == k
    assert out.head[0].status == STATUS_UNSOUND
    before = world(0)
    play(before, size=1) if k == 0 else run(
        before.state, before.venue, before.events[:k], 0, before.params, before.assume, new_out(len(before.state.asset))
    )
    assert before.venue.pos.tobytes() == w.venue.pos.tobytes()
    assert before.state.asset.tobytes() == w.state.asset.tobytes()


def test_the_future_changes_no_past_decision() -> None:
    w = world(2)
    whole = play(w)
    for cut in (200, 400, 600):
        other, now = world(2), int(w.events[cut]["ts_known"])
        later = other.events["ts_known"] > now
        for name in ("x0", "x1", "x2", "x3"):  # whole bars, so that they stay sound
            other.events[name][later & (other.events["kind"] == BAR)] *= 1.07
        other.events["x0"][later & (other.events["kind"] == SIGNAL)] *= -1.0
        other.events["x0"][later & (other.events["kind"] == FUNDING)] *= -3.0
        changed = play(other)
        for name, stamp in (("decisions", "ts_ns"), ("intents", "ts_ns"), ("entries", "ts_known")):
            a, b = getattr(whole, name), getattr(changed, name)
            assert a[a[stamp] <= now].tobytes() == b[b[stamp] <= now].tobytes()
        assert changed.decisions.tobytes() != whole.decisions.tobytes()


# No world makes the books lie.


def check_books(w: World) -> None:
    """What holds after every event: kernel and venue agree, the account adds up, nothing of ours is naked."""
    h, n = w.state.head[0], int(w.state.head[0].n_assets)
    book, pos = w.state.book[:n], w.venue.pos[:n]
    assert h.balance == w.venue.head[0].balance
    assert (book["lots"] == pos["lots"]).all()
    held = book["lots"] != 0
    assert (book["entry_price"][held] == pos["entry_price"][held]).all()
    assert book["margin"][held] == pytest.approx(pos["margin"][held], rel=1e-9, abs=1e-9)
    assert h.balance == pytest.approx(h.start_equity + h.realised - h.fees + h.funding, abs=1e-6)
    assert h.realised == pytest.approx(book["realised"].sum(), abs=1e-6)
    assert h.balance - pos["margin"].sum() >= -1e-6 - abs(book["funding"]).sum()
    for i in np.flatnonzero(held):
        work = w.venue.work[i]
        mine = work[(work["order_id"] == book[i]["stop_id"]) & (work["order_id"] != 0)]
        assert len(mine) == 1
        assert (mine[0].kind, mine[0].armed) == (ORDER_STOP, 1)
    for i in np.flatnonzero(~held):
        assert pos[i].margin == 0.0
        assert book[i].exit_id == 0 or book[i].exit_leaves != 0


def check_orders(w: World, said: Said) -> None:
    """Ids once, no order filled beyond itself, no reduction that adds or turns, positions the sum of fills."""
    submits = said.intents[said.intents["action"] == INTENT_SUBMIT]
    ids = submits["order_id"].tolist()
    assert ids == list(range(1, len(ids) + 1))
    order = {int(r.order_id): r for r in submits}
    filled: dict[int, int] = defaultdict(int)
    position: dict[int, int] = defaultdict(int)
    fills = said.entries[said.entries["kind"] != FUNDING]
    for e in fills:
        before = position[int(e.asset)]
        after = position[int(e.asset)] = before + int(e.lots)
        assert e.ts_event <= e.ts_known
        if e.order_id == 0:
            assert after == 0  # a liquidation takes all
            continue
        one = order[int(e.order_id)]
        assert e.ts_event >= one.ts_ns or one.kind != ORDER_MARKET
        filled[int(e.order_id)] += int(e.lots)
        if one.kind == ORDER_MARKET:
            assert e.lots * one.lots > 0
            assert abs(filled[int(e.order_id)]) <= abs(one.lots)
        if one.reduce_only:
            assert before * after >= 0
            assert abs(after) < abs(before)
        else:
            assert e.why == WHY_ENTRY
    for i in range(int(w.state.head[0].n_assets)):
        assert position[i] == w.state.book[i].lots
    assert said.entries["seq"].tolist() == list(range(1, len(said.entries) + 1))
    assert (np.diff(said.entries["ts_known"]) >= 0).all()
    assert (np.diff(said.decisions["seq"]) > 0).all()


def check_halts(w: World, said: Said) -> None:
    """From a halt to its resume no order adds risk, and what worked is taken back."""
    codes = w.events[w.events["kind"] == COMMAND]
    halted, since = 0, 0
    spans = []
    for c in codes:
        if c.x0 == CMD_RESUME:
            if halted:
                spans.append((since, int(c.ts_known)))
            halted = 0
        elif c.x0 in (1.0, 3.0) and not halted:
            halted, since = 1, int(c.ts_known)
    entries = said.intents[(said.intents["action"] == INTENT_SUBMIT) & (said.intents["reduce_only"] == 0)]
    for begin, end in spans:
        assert not ((entries["ts_ns"] >= begin) & (entries["ts_ns"] < end)).any()


def check_money(w: World, said: Said) -> None:
    """The Decimal ledger finds every hourly equity from the entries alone."""
    times = said.equities["ts_ns"].tolist()
    found = curve(100_000.0, steps_of(w), said.entries, said.marks, times)
    assert np.array([float(x) for x in found]) == pytest.approx(said.equities["equity"], abs=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_books_after_every_event_of_a_random_world(seed: int) -> None:
    w = world(1000 + seed, bars=60, assets=2)
    out = new_out(len(w.state.asset))
    for k in range(len(w.events)):
        assert run(w.state, w.venue, w.events[: k + 1], k, w.params, w.assume, out) == k + 1
        check_books(w)
    assert math.isfinite(w.state.head[0].equity)


def random_worlds(seeds: range) -> dict[str, int]:
    """Play and check; how much was traded in them."""
    seen: dict[str, int] = defaultdict(int)
    for seed in seeds:
        w = world(seed, bars=80, assets=3)
        said = play(w)
        try:
            check_books(w)
            check_orders(w, said)
            check_halts(w, said)
            check_money(w, said)
        except AssertionError as error:
            raise AssertionError(f"world {seed}: {error}") from error
        seen["fills"] += int((said.entries["kind"] != FUNDING).sum())
        seen["liquidations"] += int(w.venue.head[0].liquidations)
        seen["cancels"] += int((said.intents["action"] == INTENT_CANCEL).sum())
        seen["rejected"] += int(w.state.book["rejected"].sum())
        for why in range(9):
            seen[f"why {why}"] += int((said.entries["why"] == why).sum())
    return seen


def test_a_thousand_random_worlds_keep_the_invariants() -> None:
    seen = random_worlds(range(1000))
    assert seen["fills"] > 20_000
    for way in ("why 1", "why 2", "why 3", "why 4", "why 5", "why 6", "why 7", "why 8", "cancels"):
        assert seen[way] > 50, way  # every way in and out was taken


@pytest.mark.nightly
def test_a_hundred_thousand_random_worlds_keep_the_invariants() -> None:
    random_worlds(range(10_000, 110_000))


def test_timers_and_stories_alone_trade_nothing() -> None:
    w = world(0)
    at = START + SECOND_NS * np.arange(1, 50)
    n = len(at)
    ones = np.ones(n)
    events = np.concatenate(
        [
            signal_events(at, at, np.zeros(n, int), np.ones(n, int), (ones, ones, ones, ones, ones)),
            timer_events(at, True),
        ]
    )
    events = events[np.argsort(events["ts_known"], kind="stable")]
    assert set(events["kind"]) == {SIGNAL, TIMER}
    said = play(w._replace(events=events))
    assert len(said.decisions) > 0
    assert len(said.intents) == 0
