"""Whatever changes about an agent, what it holds is kept, what it believes is learnt anew; a death changes nothing."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.simulated import played

from confidence_engine.config import Config
from confidence_engine.domain.order import INTENT_SUBMIT
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers import paper, scribe
from confidence_engine.drivers import shadow as shadows
from confidence_engine.drivers.agent import Agent
from confidence_engine.drivers.carry import ledger
from confidence_engine.drivers.paper import Heard, agent_of, feed_of
from confidence_engine.drivers.replay import told_about
from confidence_engine.drivers.shadow import shadow
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.verify import verify
from confidence_engine.text.cues import CueReader

CHANGES = ["params", "add", "delist", "code"]
ALL = ("KVX/USDT", "ODR/USDT", "PGS/USDT", "VLT/USDT")


def heard(symbols: tuple[str, ...]) -> Heard:
    """The small world, of which only some symbols are known to the agent."""
    p = played()
    kept = tuple(one for one in p.sources.instruments if one.symbol in symbols)
    keys = {one.key for one in kept}

    def only(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {key: one for key, one in rows.items() if key in keys}

    sources = p.sources._replace(instruments=kept, bars=only(p.sources.bars), funding=only(p.sources.funding))
    return Heard(sources, p.window, {"feed": "test"})


def config(symbols: tuple[str, ...], trigger: float | None = None) -> Config:
    made = played().config
    made = msgspec.structs.replace(made, agent=made.agent._replace(symbols=symbols))
    if trigger is None:
        return made
    gap = made.kernel.divergence._replace(trigger=trigger)
    return msgspec.structs.replace(made, kernel=made.kernel._replace(divergence=gap))


def opened(place: Place, told: Config, fed: Heard) -> Agent:
    return agent_of(place, told, fed, CueReader())


def until_held(agent: Agent, told: Config, fed: Heard) -> None:
    """Fed until it holds a position that has a stop."""
    for one in feed_of(told, fed, agent.intake.at_ns):
        agent.take([one])
        book = agent.state.book
        if ((book["lots"] != 0) & (book["stop_id"] != 0)).any():
            return
    pytest.fail("it never held a position")


def fed_on(agent: Agent, told: Config, fed: Heard, moments: int) -> None:
    coming = itertools.islice(feed_of(told, fed, agent.intake.at_ns), moments)
    while some := list(itertools.islice(coming, 50)):
        agent.take(some)


def same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether all that was held is held; marks follow the market, and what is new holds nothing."""
    rows = [(row, after["book"][k]) for k, row in before["book"].items()]
    books = all(repr(a[n]) == repr(b[n]) for a, b in rows for n in a if n != "mark_price")
    fresh = all(row["lots"] == 0 for k, row in after["book"].items() if k not in before["book"])
    return books and fresh and all(repr(before[n]) == repr(after[n]) for n in ("account", "works", "venue"))


def another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package had been replaced."""
    mine = scribe.program()
    other = type(mine)(mine.event_schema, mine.state_schema + 1, "9.9.9+new", mine.layouts, mine.versions)
    monkeypatch.setattr(scribe, "program", lambda: other)
    monkeypatch.setattr(paper, "program", lambda: other)
    monkeypatch.setattr(shadows, "program", lambda: other)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_held_is_kept_over_every_change(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    place = place_of(tmp_path, "simulated")
    symbols = ALL[:3] if change == "add" else ALL
    before, fed = config(symbols), heard(symbols)
    agent = opened(place, before, fed)
    until_held(agent, before, fed)
    facts, event = ledger(agent.state, agent.venue), agent.journal.next_event
    held = [one.symbol for k, one in enumerate(agent.cast.instruments) if agent.state.book["lots"][k] != 0]
    agent.journal.abandon()  # a death, without a checkpoint

    kept = tuple(one for one in ALL if one not in held[:1]) if change == "delist" else ALL
    after, fed_after = config(kept, 0.6 if change == "params" else None), heard(ALL)
    if change == "code":
        another_program(monkeypatch)
    agent = opened(place, after, fed_after)
    assert agent.epoch > 1
    assert same(facts, ledger(agent.state, agent.venue))
    assert agent.journal.next_event == event  # learning anew writes no events and decides nothing
    assert (agent.state.asset["n_bars"][: len(ALL)] > 1000).all()
    facts = ledger(agent.state, agent.venue)
    agent.journal.abandon()  # and another death

    agent = opened(place, after, fed_after)
    assert same(facts, ledger(agent.state, agent.venue))
    fed_on(agent, after, fed_after, 1500)
    gone = [k for k, one in enumerate(agent.cast.instruments) if one.symbol not in kept]
    assert (agent.state.book["lots"][gone] == 0).all()  # it left by its stop, its target or its time
    agent.journal.abandon()
    agent = opened(place, after, fed_after)
    agent.stop("the end")

    assert verify(place).sound
    found = shadow(place)
    assert found.equal, (found.difference, found.cause)
    assert found.epochs == 2
    reader = Reader(place)
    orders = [one["order_id"] for one in reader.rows(kinds.INTENT) if one["action"] == INTENT_SUBMIT]
    decided = [one["asset"] for one in reader.rows(kinds.DECISION, first=agent.epoch)]
    reader.close()
    assert len(orders) == len(set(orders)) > 0
    assert not set(gone) & set(decided)


def test_an_asset_that_is_added_knows_its_stories_from_before(tmp_path: Path) -> None:
    """As they would be known to one that traded it all the time."""
    agent = opened(place_of(tmp_path / "few", "simulated"), config(ALL[:3]), heard(ALL[:3]))
    until_held(agent, config(ALL[:3]), heard(ALL[:3]))
    now_ns = agent.intake.at_ns
    agent.journal.abandon()
    agent = opened(place_of(tmp_path / "few", "simulated"), config(ALL), heard(ALL))
    other = opened(place_of(tmp_path / "all", "simulated"), config(ALL), heard(ALL))
    for one in feed_of(config(ALL), heard(ALL), -1):
        if one.at_ns > now_ns:
            break
        other.take([one])
    names = told_about(agent.cast.instruments)
    u = names.index(ALL[3].partition("/")[0])
    since = now_ns - 4 * DAY_NS  # an old one that is over may be forgotten sooner where less came before it
    mine, told = ({c: at for c, at in stories(one, u).items() if at >= since} for one in (agent, other))
    assert len(told) > 2
    assert mine == told
    for one in (agent, other):
        one.journal.abandon()


def stories(agent: Agent, u: int) -> dict[int, int]:
    """Stories of an underlying that are held, and since when."""
    rows = agent.state.story[u]
    return {int(row["cluster"]): int(row["since_ns"]) for row in rows if row["since_ns"] > 0}
