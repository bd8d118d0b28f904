"""A snapshot is the state: cut anywhere, put back, and the run ends in the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulated import played

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.params import params_record
from confidence_engine.drivers import replay, snapshot
from confidence_engine.drivers.loop import run
from confidence_engine.kernel.out import clear, new_out
from confidence_engine.kernel.state import State, state_hash
from confidence_engine.venues.sim import Venue


def fresh() -> tuple[State, Venue]:
    p = played()
    return replay.initial(p.config, p.sources.instruments)


def stepped(state: State, venue: Venue, first: int, end: int) -> int:
    """Step the world's tape from `first` to `end`; the output is thrown away."""
    p = played()
    out = new_out(len(p.sources.instruments))
    records = params_record(p.config.kernel), params_record(p.config.sim)
    while first < end:
        first = int(run(state, venue, p.tape.events[:end], first, *records, out))
        clear(out)
    return first


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_any_cuts_end_in_the_same_bytes(data: st.DataObject) -> None:
    n = len(played().tape.events)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), min_size=1, max_size=4)))
    state, venue = fresh()
    at = 0
    for cut in cuts:
        at = stepped(state, venue, at, cut)
        kept = snapshot.snapshot(state, venue)
        state, venue = fresh()
        snapshot.restore(kept, state, venue)
        assert snapshot.snapshot(state, venue) == kept
    stepped(state, venue, at, n)
    assert state_hash(state) == state_hash(played().result.state)


def test_any_changed_byte_is_refused() -> None:
    state, venue = fresh()
    kept = snapshot.snapshot(state, venue)
    rng = np.random.default_rng(2)
    for at in rng.integers(0, len(kept), 200):
        wrong = bytearray(kept)
        wrong[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(JournalDamaged):
            snapshot.restore(bytes(wrong), *fresh())
    for size in (0, 7, 40, 100, len(kept) - 1):
        with pytest.raises(JournalDamaged):
            snapshot.restore(kept[:size], *fresh())


def changed(field: str, place: str, how: str) -> tuple[State, Venue]:
    """A fresh state whose array `field` has lost, gained or reordered the field `place`."""
    state, venue = fresh()
    old = getattr(state, field)
    names = [(name, old.dtype[name]) for name in old.dtype.names]
    if how == "lost":
        names = [one for one in names if one[0] != place]
    elif how == "gained":
        names = [*names, (place, np.dtype("i8"))]
    else:
        names = names[::-1]
    return state._replace(**{field: np.zeros(old.shape, np.dtype((np.record, names)))}), venue


def test_fields_are_found_by_name() -> None:
    p = played()
    kept = snapshot.snapshot(p.result.state, p.result.venue)
    for how in ("gained", "reordered"):
        state, venue = changed("book", "later", how)
        snapshot.restore(kept, state, venue)
        for name in p.result.state.book.dtype.names:
            assert state.book[name].tobytes() == p.result.state.book[name].tobytes()
    assert (changed("book", "later", "gained")[0].book["later"] == 0).all()


def test_what_has_no_place_is_refused_only_where_it_held_something() -> None:
    p = played()
    kept = snapshot.snapshot(p.result.state, p.result.venue)
    with pytest.raises(JournalDamaged, match=r"state\.book\.realised has no place"):
        snapshot.restore(kept, *changed("book", "realised", "lost"))
    empty = snapshot.snapshot(*fresh())
    snapshot.restore(empty, *changed("book", "realised", "lost"))


def test_another_capacity_is_refused() -> None:
    state, venue = fresh()
    kept = snapshot.snapshot(state, venue)
    with pytest.raises(JournalDamaged, match=r"state\.day has shape"):
        snapshot.restore(kept, state._replace(day=state.day[:, :5].copy()), venue)
