"""What an epoch may not change is refused before anything is written; one that never began leaves nothing behind."""

from __future__ import annotations

import itertools
import shutil
import signal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.drivers.test_renewal import (
    ALL,
    another_program,
    config,
    fed_on,
    heard,
    opened,
    same,
    stories,
    until_held,
)
from tests.drivers.test_stocks import START, SYMBOLS, filled

from confidence_engine.config import Config, load
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.order import INTENT_CANCEL
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.drivers import paper, renewal, scribe
from confidence_engine.drivers.agent import Agent
from confidence_engine.drivers.carry import ledger
from confidence_engine.drivers.paper import Heard, feed_of
from confidence_engine.drivers.replay import told_about, window_of
from confidence_engine.drivers.shadow import shadow
from confidence_engine.drivers.sources import gather
from confidence_engine.feeds.store import Store
from confidence_engine.journal import kinds, retire
from confidence_engine.journal.log import reopen
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.verify import verify

NAME = "simulated"


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home of an agent that died holding a position that has a stop; not to be written to."""
    home = tmp_path_factory.mktemp("died")
    agent = opened(place_of(home, NAME), config(ALL), heard(ALL))
    until_held(agent, config(ALL), heard(ALL))
    agent.checkpoint()  # so that a start has little to step again
    agent.journal.abandon()
    return home


@pytest.fixture
def place(died: Path, tmp_path: Path) -> Place:
    """A copy of its place."""
    shutil.copytree(died, tmp_path / "copy")
    return place_of(tmp_path / "copy", NAME)


def held_in(place: Place) -> tuple[int, dict[str, Any]]:
    """(the asset that is held, all that is), of an agent that dies again."""
    agent = opened(place, config(ALL), heard(ALL))
    found = int(np.flatnonzero(agent.state.book["lots"])[0]), ledger(agent.state, agent.venue)
    agent.journal.abandon()
    return found


def last_record(place: Place) -> tuple[int, int]:
    reader = Reader(place)
    try:
        return reader.last().end_event, reader.last().end_record
    finally:
        reader.close()


# What holds for every start


class Stopper:
    """Asks a run to end as soon as an entry works."""

    def saw(self, agent: Agent, *_: object) -> None:
        if agent.works_on_entries():
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("on_stop", ["leave", pytest.param("cancel", marks=pytest.mark.nightly)])
def test_what_a_stop_does_to_entries_holds_for_every_start(on_stop: str, tmp_path: Path) -> None:
    place, fed = place_of(tmp_path, NAME), heard(ALL)
    told = config(ALL)
    told = msgspec.structs.replace(told, live=told.live._replace(on_stop=on_stop, batch=1))
    told = msgspec.structs.replace(told, journal=told.journal._replace(reserve_mb=1))
    agent = opened(place, told, fed)
    fed_on(agent, told, fed, 500)
    agent.stop("the first life")
    agent = opened(place, told, fed)
    assert (agent.cast.config.live, agent.cast.config.journal) == (told.live, told.journal)
    begun = agent.journal.next_record
    assert paper.run(agent, feed_of(told, fed, agent.intake.at_ns), 0.0, [Stopper()]) == "SIGTERM"

    agent = opened(place, told, fed)
    assert agent.epoch == 1
    reader = Reader(place)
    intents = reader.rows(kinds.INTENT, first=begun)
    reader.close()
    assert (intents["action"] == INTENT_CANCEL).any() == (on_stop == "cancel")
    working = np.flatnonzero(agent.state.book["entry_id"])
    assert len(working) > 0  # a cancel has not arrived yet
    fed_on(agent, told, fed, 60)
    assert (agent.state.book["lots"][working] != 0).any() == (on_stop == "leave")
    agent.journal.abandon()


# Measures


def measured(told: Config, fed: Heard, key: str, **measures: float) -> tuple[Config, Heard]:
    """Both with other measures of one instrument."""

    def other(some: tuple[Instrument, ...]) -> tuple[Instrument, ...]:
        return tuple(msgspec.structs.replace(one, **measures) if one.key == key else one for one in some)

    universe = msgspec.structs.replace(told.universe, instruments=other(told.universe.instruments))
    sources = fed.sources._replace(instruments=other(fed.sources.instruments))
    return msgspec.structs.replace(told, universe=universe), fed._replace(sources=sources)


@pytest.mark.parametrize(
    "name", ["tick", *(pytest.param(one, marks=pytest.mark.nightly) for one in ("lot", "multiplier"))]
)
def test_what_is_held_is_not_counted_in_other_measures(name: str, place: Place) -> None:
    asset, facts = held_in(place)
    one = heard(ALL).sources.instruments[asset]
    told, fed = measured(config(ALL), heard(ALL), one.key, **{name: getattr(one, name) / 10})
    before = last_record(place)
    with pytest.raises(UsageError, match=rf"{one.symbol}.* {name} .*flatten"):
        opened(place, told, fed)
    assert last_record(place) == before
    assert same(facts, held_in(place)[1])  # nor is anything in the way of the config that it had


def test_where_nothing_is_held_other_measures_are_taken(place: Place) -> None:
    asset, facts = held_in(place)
    other = next(k for k in range(len(ALL)) if k != asset and facts["book"][k]["entry_id"] == 0)
    one = heard(ALL).sources.instruments[other]
    told, fed = measured(config(ALL), heard(ALL), one.key, tick=one.tick / 10, lot=one.lot * 10)
    agent = opened(place, told, fed)
    assert agent.epoch > 1
    assert agent.state.inst["tick"][other] == one.tick / 10
    assert same(facts, ledger(agent.state, agent.venue))
    fed_on(agent, told, fed, 300)
    agent.stop("the end")
    assert shadow(place).equal


def test_bars_of_another_length_are_another_agents(place: Place) -> None:
    before = last_record(place)
    told = msgspec.structs.replace(config(ALL), agent=config(ALL).agent._replace(interval_ns=15 * MINUTE_NS))
    with pytest.raises(UsageError, match="heard bars of 5m, and this config wants 15m"):
        opened(place, told, heard(ALL))
    assert last_record(place) == before


# Epochs that never began


def cut_off(place: Place, told: Config, fed: Heard, patch: pytest.MonkeyPatch) -> None:
    """A start that dies after an epoch was told and before it began."""

    def death(*_: object) -> None:
        raise KeyboardInterrupt

    with patch.context() as dying:
        dying.setattr(renewal, "_learn", death)
        with pytest.raises(KeyboardInterrupt):
            opened(place, told, fed)


def test_an_asset_of_an_epoch_that_never_began_is_not_traded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of(tmp_path, NAME)
    agent = opened(place, config(ALL[:2]), heard(ALL[:2]))
    fed_on(agent, config(ALL[:2]), heard(ALL[:2]), 1500)
    agent.journal.abandon()
    cut_off(place, config(ALL), heard(ALL), monkeypatch)
    three = (*ALL[:2], ALL[3])
    for _ in range(2):
        agent = opened(place, config(three), heard(three))
        assert tuple(one.symbol for one in agent.cast.instruments) == three
        fed_on(agent, config(three), heard(three), 200)
        agent.journal.abandon()
    found = shadow(place)
    assert (found.equal, found.epochs) == (True, 2), found.difference


def test_the_old_program_after_an_upgrade_that_was_cut_off(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    _, facts = held_in(place)
    with monkeypatch.context() as newer:
        another_program(newer)
        cut_off(place, config(ALL), heard(ALL), monkeypatch)
    agent = opened(place, config(ALL), heard(ALL))
    assert same(facts, ledger(agent.state, agent.venue))
    fed_on(agent, config(ALL), heard(ALL), 100)
    reader = Reader(place)
    programs, first = reader.epochs(), agent.epoch
    reader.close()
    assert first > 1
    assert {programs.program(k) == scribe.program() for k in range(first, agent.journal.next_record)} == {True}
    agent.journal.abandon()
    again = opened(place, config(ALL), heard(ALL))
    assert again.epoch == first  # no other one for nothing
    again.journal.abandon()


# Numbers that a config gives


def test_stories_of_every_earlier_epoch_stay_with_what_they_are_about(tmp_path: Path) -> None:
    few = ALL[1:]
    agent = opened(place_of(tmp_path / "few", NAME), config(few), heard(few))
    fed_on(agent, config(few), heard(few), 2500)
    agent.journal.abandon()
    for told in (config((*few, ALL[0])), config((*few, ALL[0]), 0.6)):  # one that sorts first is added; then params
        agent = opened(place_of(tmp_path / "few", NAME), told, heard(ALL))
        fed_on(agent, told, heard(ALL), 1)
        agent.journal.abandon()
    other = opened(place_of(tmp_path / "all", NAME), config(ALL), heard(ALL))
    for one in feed_of(config(ALL), heard(ALL), -1):
        if one.at_ns > agent.intake.at_ns:
            break
        other.take([one])
    other.journal.abandon()
    names = told_about(agent.cast.instruments, agent.cast.config.universe.underlyings)
    since = agent.now_ns - 4 * DAY_NS
    for u in range(len(ALL)):
        mine, theirs = ({c: at for c, at in stories(one, u).items() if at >= since} for one in (agent, other))
        assert mine == theirs, names[u]
        assert len(theirs) > 2
    assert len(set(agent.state.asset["n_bars"][: len(ALL)].tolist())) == 1  # and its bars as well
    assert agent.state.asset["n_bars"][0] > 1700


def test_what_the_listener_remembers_is_about_the_same_coins_in_another_universe(place: Place) -> None:
    universe = config(ALL).universe
    coin = msgspec.structs.replace(universe.underlyings[0], name="AAA", names=("aaaa",), tickers=("AAA",))
    told = msgspec.structs.replace(
        config(ALL), universe=msgspec.structs.replace(universe, underlyings=(coin, *universe.underlyings))
    )
    shutil.copytree(place.folder.parent, place.folder.parent.with_name("other"))
    both = []
    for where, made in ((place, config(ALL, 0.6)), (place_of(place.folder.parent.with_name("other"), NAME), told)):
        agent = opened(where, made, heard(ALL))
        coming = itertools.islice(feed_of(made, heard(ALL), agent.intake.at_ns), 600)
        taken = [agent.intake.take(one) for one in coming]
        agent.journal.abandon()
        rows = np.concatenate([one.read.rows for one in taken if one.read is not None])
        names = [one.name for one in made.universe.underlyings]
        both.append([(names[row["underlying"]], row["cluster"], row["novelty"]) for row in rows])
    assert both[0] == both[1]
    assert len(both[0]) > 5


# Calendars


def stocks(project_root: Path, store: Store, symbols: tuple[str, ...], end: str) -> tuple[Config, Heard]:
    """The stocks agent with some symbols, of which MSFT is said to trade in London, whose calendar sorts first."""
    told = load(project_root / "config" / "stocks.toml")

    def moved(one: Instrument) -> Instrument:
        return msgspec.structs.replace(one, calendar="XLON") if one.symbol == "MSFT/USD" else one

    universe = msgspec.structs.replace(told.universe, instruments=tuple(map(moved, told.universe.instruments)))
    agent = told.agent._replace(symbols=tuple(f"{one}/USD" for one in symbols))
    told = msgspec.structs.replace(told, universe=universe, agent=agent)
    sources = gather(told, store, START, parse_time(end), symbols, run="paper")
    return told, Heard(sources, window_of(told, START, parse_time(end)), {"feed": "store"})


def test_a_calendar_that_sorts_first_shifts_no_session(project_root: Path, tmp_path: Path) -> None:
    store, place = filled(tmp_path / "home"), place_of(tmp_path / "stocks", "stocks")
    told, fed = stocks(project_root, store, SYMBOLS[:2], "2014-02-14")
    agent = opened(place, told, fed)
    agent.take(list(feed_of(told, fed, -1)))
    facts = ledger(agent.state, agent.venue)
    agent.journal.abandon()

    told, fed = stocks(project_root, store, SYMBOLS, "2014-04-01")
    for _ in range(2):  # when it is added, and when the params change thereafter
        agent = opened(place, told, fed)
        assert same(facts, ledger(agent.state, agent.venue))
        hours = [np.sort(agent.state.session["open_ns"][k]) % DAY_NS // HOUR_NS for k in (1, 2)]
        assert set(hours[0].tolist()) <= {0, 7, 8}  # London
        assert set(hours[1].tolist()) <= {0, 13, 14}  # New York
        assert (agent.state.calendar["sessions"][1:] > 300).all()
        agent.take(list(itertools.islice(feed_of(told, fed, agent.intake.at_ns), 30)))
        facts = ledger(agent.state, agent.venue)
        agent.journal.abandon()
        gap = told.kernel.divergence
        told = msgspec.structs.replace(
            told, kernel=told.kernel._replace(divergence=gap._replace(trigger=gap.trigger + 0.05))
        )
    found = shadow(place)
    assert (found.equal, found.epochs) == (True, 3), (found.difference, found.cause)


# Retired


def test_an_epoch_begins_on_what_a_retirement_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, fed = place_of(tmp_path, NAME), heard(ALL)
    monkeypatch.setattr(retire, "RETENTION_NS", 4 * DAY_NS)  # the world has 22 days
    agent = opened(place, config(ALL), fed)
    fed_on(agent, config(ALL), fed, 5000)
    agent.stop("before it is retired")
    journal = reopen(place, reserve=0)
    gone = retire.retire(journal, 1 << 62)
    journal.close()
    assert gone is not None
    assert len(gone.segments) > 3
    agent = opened(place, config(ALL, 0.6), fed)
    assert agent.epoch > 1
    assert (agent.state.asset["n_bars"][: len(ALL)] > 500).all()
    since = agent.now_ns
    fed_on(agent, config(ALL, 0.6), fed, 300)
    agent.stop("the end")
    reader = Reader(place)
    decided = [one["ts_ns"] for one in reader.rows(kinds.DECISION, first=agent.epoch)]
    reader.close()
    assert max(decided) > since
    assert verify(place).sound


def test_of_a_long_journal_only_the_days_of_the_window_are_read(place: Place) -> None:
    reader = Reader(place)
    try:
        events = np.concatenate(list(reader.events()))
        for ns in (0, *events["ts_known"][:: len(events) // 12].tolist(), 1 << 62):
            event, record = renewal._since(reader, ns)
            assert (events["ts_known"][:event] < ns).all()
            assert (events["ts_known"][event:] >= ns // DAY_NS * DAY_NS).all()
            assert all(one.ts_ns < ns for one in reader.records(kinds.DOCUMENT, end=record))
    finally:
        reader.close()
