"""Another program may lay out its state otherwise: facts are carried over by name, or it is said what has no place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.drivers.test_renewal import ALL, another_program, config, fed_on, heard, opened, same, until_held
from tests.simulated import played

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.drivers import replay, snapshot
from confidence_engine.drivers.carry import FACTS, ledger
from confidence_engine.drivers.shadow import shadow
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Reader, place_of
from confidence_engine.journal.verify import verify
from confidence_engine.kernel.state import State
from confidence_engine.venues.sim import Venue

NAME = "simulated"
Arrays = list[tuple[str, np.ndarray]]
Layout = Callable[[str, np.ndarray], np.ndarray | None]
_REAL = snapshot._arrays


def with_field(one: np.ndarray, name: str, value: float) -> np.ndarray:
    """The array with one field more."""
    made = np.zeros(one.shape, np.dtype([*one.dtype.descr, (name, "<f8")]))
    for field in one.dtype.names or ():
        made[field] = one[field]
    made[name] = value
    return made


def without(one: np.ndarray, *names: str) -> np.ndarray:
    """The array without some of its fields."""
    kept = [field for field in one.dtype.descr if field[0] not in names]
    made = np.zeros(one.shape, np.dtype(kept))
    for field in made.dtype.names or ():
        made[field] = one[field]
    return made


def longer(one: np.ndarray) -> np.ndarray:
    """The array with twice the room on its last axis: what is held stands behind what is free."""
    return np.concatenate([np.zeros_like(one), one], axis=-1)


def more_room(name: str, one: np.ndarray) -> np.ndarray | None:
    """The older program kept more bars, stories and sessions, in an order of its own."""
    return longer(one) if name in ("state.ring", "state.story", "state.session") else one


def less_room(name: str, one: np.ndarray) -> np.ndarray | None:
    """It kept fewer bars, and had room for fewer orders and fewer stories."""
    if name == "state.ring":
        return one[:, :256]
    return one[:, :4] if name == "venue.work" else one


def other_fields(name: str, one: np.ndarray) -> np.ndarray | None:
    """It believed something that nobody does now, and knew nothing of fields that there are now."""
    if name == "state.asset":
        return without(with_field(one, "gone", 1.5), "feed", "stir_sum")
    if name == "state.book":
        return with_field(without(one, "trailed", "rejected"), "empty", 0.0)
    return without(one, "ranked_hour") if name == "state.head" else one


def other_arrays(name: str, one: np.ndarray) -> np.ndarray | None:
    """It had no trend, and beliefs of another name for the crowd's."""
    return None if name in ("state.trend", "state.crowd") else one


def everything(name: str, one: np.ndarray) -> np.ndarray | None:
    """All of it at once, but for the ring of bars, which was longer."""
    made = other_arrays(name, one)
    made = None if made is None else other_fields(name, made)
    made = None if made is None else more_room(name, made)
    return made if made is None or name == "state.ring" else less_room(name, made)


UPGRADES = [
    everything,
    *(pytest.param(one, marks=pytest.mark.nightly) for one in (more_room, less_room, other_fields, other_arrays)),
]


def laid_out(layout: Layout) -> Callable[[State, Venue], Arrays]:
    """How a program of that layout would describe its arrays."""

    def arrays(state: State, venue: Venue) -> Arrays:
        told = [(name, layout(name, one)) for name, one in _REAL(state, venue)]
        extra = [("state.older", np.ones((3, 2), [("amount", "<f8")]))] if layout in (everything, other_arrays) else []
        return [*((name, one) for name, one in told if one is not None), *extra]

    return arrays


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home of an agent that died holding a position that has a stop."""
    home = tmp_path_factory.mktemp("held")
    agent = opened(place_of(home, NAME), config(ALL), heard(ALL))
    until_held(agent, config(ALL), heard(ALL))
    agent.checkpoint()  # so that a start has little to step again
    agent.journal.abandon()
    return home


def halved(name: str, found: np.ndarray, place: np.ndarray) -> None:
    """What `more_room` made longer, read by the program that lays it out so."""
    own = found if found.shape == place.shape else found[..., place.shape[-1] :]
    place[...] = own


def stopped(held: Path, home: Path, layout: Layout, patch: pytest.MonkeyPatch) -> dict[str, object]:
    """A copy of it, stopped by a program of that layout; what it held."""
    shutil.copytree(held, home)
    agent = opened(place_of(home, NAME), config(ALL), heard(ALL))
    facts = ledger(agent.state, agent.venue)
    with patch.context() as older:
        older.setattr(snapshot, "_arrays", laid_out(layout))
        agent.stop("before the upgrade")
    return facts


@pytest.mark.parametrize("layout", UPGRADES)
def test_a_stopped_agent_is_carried_into_another_layout(
    layout: Layout, held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    home, told, fed = tmp_path / "home", config(ALL), heard(ALL)
    facts = stopped(held, home, layout, monkeypatch)
    place = place_of(home, NAME)
    another_program(monkeypatch)
    agent = opened(place, told, fed)
    assert agent.epoch > 1
    assert same(facts, ledger(agent.state, agent.venue))
    assert (agent.state.asset["n_bars"][: len(ALL)] > 1000).all()
    assert (agent.state.story["traded"] != 0).any()
    begun = agent.journal.next_event
    agent.journal.abandon()  # a death

    agent = opened(place, told, fed)
    assert same(facts, ledger(agent.state, agent.venue))
    fed_on(agent, told, fed, 800)
    assert (agent.state.book["lots"] != 0).sum() != 1 or agent.state.head[0].day_trades > 0
    agent.stop("the end")
    assert verify(place).sound
    found = shadow(place, since=begun)
    assert (found.equal, found.epochs) == (True, 1), (found.difference, found.cause)
    assert found.events > 800
    found = shadow(place)  # what the older program sealed is laid out otherwise, and is no state to compare with
    assert (found.equal, found.epochs, found.passed_over) == (True, 2, 0), (found.difference, found.cause)
    reader = Reader(place)
    assert len(reader.rows(kinds.DECISION, first=agent.epoch)) > 20
    reader.close()


def lost_lots(name: str, one: np.ndarray) -> np.ndarray | None:
    """Positions without their lots."""
    return without(one, "lots") if name == "state.book" else one


def another_fact(name: str, one: np.ndarray) -> np.ndarray | None:
    """Something that is held and that this program knows nothing of."""
    return with_field(one, "borrowed", 1.0) if name == "state.book" else one


def more_orders(name: str, one: np.ndarray) -> np.ndarray | None:
    """Working orders beyond those that this program has room for."""
    return longer(one) if name == "venue.work" else one


def no_venue(name: str, one: np.ndarray) -> np.ndarray | None:
    """No positions at the venue."""
    return None if name == "venue.pos" else one


REFUSED = [
    (lost_lots, "holds no state.book.lots, which has to be carried over"),
    (another_fact, "state.book.borrowed has no place"),
    (more_orders, "venue.work has shape .* cannot hold all of it"),
    (no_venue, "holds no venue.pos"),
]


@pytest.mark.parametrize(("layout", "why"), REFUSED)
def test_a_fact_that_has_no_place_is_named(layout: Layout, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    p = played()
    state, venue = replay.initial(p.config, p.sources.instruments)
    venue.work["order_id"][1, 2] = 7
    with monkeypatch.context() as older:
        older.setattr(snapshot, "_arrays", laid_out(layout))
        kept = snapshot.snapshot(state, venue, b"rim")
    fresh = replay.initial(p.config, p.sources.instruments)
    with pytest.raises(JournalDamaged, match=why):
        snapshot.restore_facts(kept, *fresh, FACTS)
    assert snapshot.restore_facts(snapshot.snapshot(state, venue, b"rim"), *fresh, FACTS) == b"rim"
    assert fresh[1].work["order_id"][1, 2] == 7


def test_an_agent_with_a_fact_that_has_no_place_stays_as_it_is(
    held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    home = tmp_path / "home"
    stopped(held, home, another_fact, monkeypatch)
    another_program(monkeypatch)
    reader = Reader(place_of(home, NAME))
    before = reader.last()
    with pytest.raises(JournalDamaged, match=r"state\.book\.borrowed has no place") as refused:
        opened(place_of(home, NAME), config(ALL), heard(ALL))
    assert "once more" not in str(refused.value)  # it was stopped; that would not help
    assert reader.last() == before
    reader.close()


def test_the_end_of_a_journal_is_left_to_the_program_that_wrote_it(
    held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    home, told, fed = tmp_path / "home", config(ALL), heard(ALL)
    stopped(held, home, more_room, monkeypatch)
    with monkeypatch.context() as older:  # it lives on a little, and dies
        older.setattr(snapshot, "_put", halved)
        agent = opened(place_of(home, NAME), told, fed)
        fed_on(agent, told, fed, 30)
        agent.journal.abandon()
    another_program(monkeypatch)
    with pytest.raises(JournalDamaged, match=r"state.ring has shape .* once more, stop it, and then this one"):
        opened(place_of(home, NAME), told, fed)
