"""Every difference between a run and the replay of its period has one cause, the one that was done to it."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from tests.drivers import paired

from confidence_engine.domain.command import Command
from confidence_engine.domain.document import Document
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.event import EVENT, FEED, FEED_BACK, FEED_GAP, FEED_STALE
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, format_time
from confidence_engine.drivers import replay, scribe
from confidence_engine.drivers.agent import go_on
from confidence_engine.drivers.epochs import Epoch, epochs_of
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.lived import life_of
from confidence_engine.drivers.mishaps import (
    CAUSES,
    CLOCK,
    CODE,
    COMMANDED,
    HOLE,
    PARAMS,
    UNEXPLAINED,
    Part,
    edits_between,
    items_of,
)
from confidence_engine.drivers.parity import DECISION, TRADE, Parity
from confidence_engine.drivers.rungs import NOTHING, Key, Trade, said_of
from confidence_engine.feeds import faults
from confidence_engine.feeds.delivery import BARS, Delivery, Moment
from confidence_engine.feeds.ticker import Ticker
from confidence_engine.journal import kinds
from confidence_engine.journal.epoch import Program
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.retired import snapshots_of
from confidence_engine.report.parity import parity_payload

DOCUMENTS = {"missing document", "late document", "document that nobody stored"}
NAMED = {
    "late": (faults.Params(late_share=0.01), {"late bar", "latency", "bar out of order", "late funding"}),
    "revised": (faults.Params(revised_share=0.01), {"revised bar"}),
    "silent": (faults.Params(silent_a_day=0.4, silent_ns=50 * MINUTE_NS, lost_share=0.0), {HOLE, "late document"}),
    "lost": (faults.Params(silent_a_day=0.4, silent_ns=50 * MINUTE_NS, lost_share=1.0), {HOLE, "missing document"}),
    "died": (faults.Params(deaths_a_day=0.4, death_ns=2 * HOUR_NS), {HOLE, "missing funding", "late funding"}),
    "duplicate": (faults.Params(duplicate_share=0.01), {"duplicate bar", "duplicate funding"}),
    "out of order": (faults.Params(out_of_order_share=0.01), {"bar out of order"}),
    "broken": (faults.Params(broken_share=0.01), {"unsound bar"}),
    "contradiction": (faults.Params(contradiction_share=0.2), {"document that nobody stored"}),
    "clock": (faults.Params(clock_jumps_a_day=1.0), {CLOCK}),
}
"""A fault alone, and the causes by which it may be named; a feed that dies takes its documents with it."""
FAST = {"late"}
"""The others nightly; the command's test has revised bars."""


def differences(found: Parity) -> Counter[str]:
    return Counter(one.cause for one in found.differing)


def stamps(found: Parity) -> list[tuple[str, str, int]]:
    """Of what stands nearest to each difference: kind, key and stamp, as the truth about faults has them."""
    told = []
    for one in found.differing:
        if one.nearest is None:
            continue
        kind, key, stamp, _ = one.nearest.name
        said = (one.nearest.was or one.nearest.now)[0].said if kind != CLOCK else None
        told.append((kind, key, said.published_ns if isinstance(said, Document) else stamp))
    return told


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return paired.lived(tmp_path_factory.mktemp("clean"), faults.Params())[0]


def copied(place: Place, folder: Path) -> Place:
    shutil.copytree(place.anchor.parent, folder / "copy")
    return place_of(folder / "copy", place.name)


def test_a_run_without_faults_is_its_replay(clean: Place) -> None:
    found = paired.compared(clean)
    assert found.equal
    assert found.run_hash == found.replay_hash
    assert found.decisions > 500
    assert found.trades > 2
    assert not found.edits


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else pytest.mark.nightly) for name in NAMED]
)
def test_a_fault_is_named_as_what_it_was(tmp_path: Path, name: str) -> None:
    params, causes = NAMED[name]
    place, truth = paired.lived(tmp_path, params)
    found = paired.compared(place)
    assert found.unexplained == 0
    told = differences(found)
    more = DOCUMENTS if name == "died" else set()
    assert sum(told[cause] for cause in causes | more) == sum(told.values()) > 5
    done = {(one.kind, one.key, one.ts_event if name != "clock" else one.known_ns) for one in truth}
    if name == "contradiction":  # the truth has the stamp of what was contradicted
        done = {(one.kind, one.key, one.ts_event + one.came_ns - one.known_ns) for one in truth}
    near = stamps(found)
    assert len(near) == len(found.differing)
    if name == "clock":
        assert {kind for kind, _, _ in near} == {CLOCK}
        held = [(one.known_ns, one.came_ns + HOUR_NS) for one in truth]
        assert all(any(begin <= stamp <= end for begin, end in held) for _, _, stamp in near)
    else:
        assert set(near) <= done


_LITTLE = ("late", "revised", "duplicate", "out_of_order", "broken")


def mixed(seed: int) -> faults.Params:
    """A little of everything, another mixture for each seed."""
    rng = np.random.default_rng(seed)
    little = dict(zip((f"{name}_share" for name in _LITTLE), rng.random(5) * 0.01, strict=True))
    return faults.Params(
        silent_a_day=0.3 * rng.random(), deaths_a_day=0.3 * rng.random(), contradiction_share=0.1 * rng.random(),
        clock_jumps_a_day=float(rng.random() < 0.5) * 0.5, late_by_ns=int(rng.integers(1, 15)) * MINUTE_NS, **little,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 14))])
def test_of_a_mixture_nothing_is_unexplained(tmp_path: Path, seed: int) -> None:
    days = 3 if seed > 1 else 1
    size = 37 * seed if seed % 2 else 0
    place, truth = paired.lived(tmp_path, mixed(seed), seed, size, paired.BEGIN_NS + days * DAY_NS)
    found = paired.compared(place)
    assert truth
    assert found.differing
    assert found.unexplained == 0
    assert set(differences(found)) <= set(CAUSES) - {UNEXPLAINED, CODE, PARAMS, COMMANDED}
    for one in found.differing:
        assert one.nearest is not None
        assert one.replay != one.run


def test_a_command_is_a_cause(tmp_path: Path) -> None:
    agent = paired.begun(tmp_path)
    halt = Command("1", "halt", "someone", "to see", paired.BEGIN_NS)
    at = paired.BEGIN_NS + 20 * HOUR_NS + 7
    coming = deliveries(paired.sources(), paired.config().timing, paired.WINDOW)
    early = list(itertools.takewhile(lambda one: one.at_ns < at, coming))
    agent.take([*early, Moment(at, (), (halt,))])
    agent.take(list(deliveries(paired.sources(), paired.config().timing, paired.WINDOW))[len(early) :])
    agent.stop("end of the feed")
    found = paired.compared(agent.journal.place)
    assert set(differences(found)) == {COMMANDED}
    assert all(one.nearest is not None and one.nearest.name[3] == "1" for one in found.differing)
    assert min(one.ts_ns for one in found.differing) > at
    assert any(one.what == TRADE and one.run is None for one in found.differing)


def test_another_config_is_a_cause(clean: Place) -> None:
    config = paired.config()
    kernel = config.kernel._replace(exits=config.kernel.exits._replace(stop_atr=config.kernel.exits.stop_atr * 2))
    found = paired.compared(clean, msgspec.structs.replace(config, kernel=kernel))
    assert found.run_hash != found.replay_hash
    assert set(differences(found)) == {PARAMS}
    assert any(one.what == TRADE for one in found.differing)


def test_a_config_that_does_not_fit_is_refused(clean: Place) -> None:
    agent = paired.config().agent._replace(interval_ns=10 * MINUTE_NS)
    config = msgspec.structs.replace(paired.config(), agent=agent)
    with pytest.raises(UsageError, match="heard bars of 5m, and this config wants 10m"):
        paired.compared(clean, config)


def planted(place: Place, since: int = 0) -> int:
    """Change one decision of a journal, of those from a record on; its asset."""
    engine = sa.create_engine(f"sqlite:///{place.folder}/journal.db")
    with engine.begin() as c:
        such = "SELECT id, body FROM record WHERE kind = 20 AND id > :i ORDER BY id"
        rows = c.execute(sa.text(such), {"i": since}).all()
        at, body = rows[len(rows) // 2]
        c.execute(
            sa.text("UPDATE record SET body = :b WHERE id = :i"), {"b": body[:-1] + bytes([body[-1] ^ 1]), "i": at}
        )
    engine.dispose()
    return int.from_bytes(body[16:24], "little")


def test_a_changed_decision_is_unexplained(clean: Place, tmp_path: Path) -> None:
    place = copied(clean, tmp_path)
    asset = planted(place)
    found = paired.compared(place)
    assert found.unexplained == 1
    (one,) = found.differing
    assert (one.what, one.asset, one.cause, one.nearest) == (DECISION, asset, UNEXPLAINED, None)
    assert not found.equal


@pytest.mark.nightly
def test_other_code_is_no_excuse_for_a_changed_journal(
    clean: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine: Program = scribe.program()
    monkeypatch.setattr(
        "confidence_engine.drivers.parity.program",
        lambda: Program(mine.event_schema, mine.state_schema, "another", mine.layouts, mine.versions),
    )
    place = copied(clean, tmp_path)
    planted(place)
    assert paired.compared(place).unexplained == 1
    monkeypatch.setattr("confidence_engine.drivers.parity.verify", lambda _: Sound())
    (one,) = paired.compared(place).differing
    assert one.cause == CODE


class Sound:
    sound = True


def test_who_was_killed_and_went_on_is_its_replay(tmp_path: Path) -> None:
    agent, end_ns = paired.begun(tmp_path), paired.BEGIN_NS + 8 * HOUR_NS
    for k in range(4):
        coming = deliveries(paired.sources(), paired.config().timing, paired.WINDOW._replace(end_ns=end_ns))
        mine = [one for one in coming if one.at_ns > agent.intake.at_ns]
        agent.take(mine[: len(mine) // (4 - k)])
        if k < 3:
            agent.journal.abandon()
            agent = go_on(agent.journal.place, paired.cast(), clock=lambda: 1, reserve=0)
    agent.stop("end of the feed")
    found = paired.compared(agent.journal.place)
    assert found.equal
    assert found.decisions > 20


def test_a_hole_in_the_store_is_told_to_a_replay_as_to_a_run(tmp_path: Path) -> None:
    said = paired.sources()
    key, rows = next(iter(said.bars.items()))
    holed = rows[~((rows["close_ns"] > paired.BEGIN_NS) & (rows["close_ns"] <= paired.BEGIN_NS + HOUR_NS))]
    said = said._replace(bars={**said.bars, key: holed})
    place, _ = paired.lived(tmp_path, faults.Params(), end_ns=paired.BEGIN_NS + DAY_NS, said=said)
    found = paired.compared(place, said=said)
    assert found.equal
    reader = Reader(place)
    told = np.concatenate([some[some["kind"] == FEED] for some in reader.events()])
    reader.close()
    assert {int(one["x0"]) for one in told} == {FEED_STALE, FEED_GAP, FEED_BACK}


def test_a_replay_that_is_not_what_a_run_hears_of_the_same_rows_is_unexplained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = paired.sources()
    key, rows = next(iter(said.bars.items()))
    holed = rows[~((rows["close_ns"] > paired.BEGIN_NS) & (rows["close_ns"] <= paired.BEGIN_NS + HOUR_NS))]
    said = said._replace(bars={**said.bars, key: holed})
    params = faults.Params(late_share=0.02)
    place, _ = paired.lived(tmp_path, params, end_ns=paired.BEGIN_NS + DAY_NS, said=said)
    monkeypatch.setattr(replay, "bars_heard", lambda stored, *_: (np.ones(len(stored.bars), bool), np.zeros(0, EVENT)))
    found = paired.compared(place, said=said)
    assert found.unexplained > 0


def test_who_stopped_early_is_compared_until_then(tmp_path: Path) -> None:
    agent = paired.begun(tmp_path)
    coming = deliveries(paired.sources(), paired.config().timing, paired.WINDOW)
    agent.take(list(itertools.takewhile(lambda one: one.at_ns < paired.BEGIN_NS + 30 * HOUR_NS, coming)))
    agent.stop("SIGTERM")
    found = paired.compared(agent.journal.place)
    assert found.equal
    assert found.decisions > 100
    reader = Reader(agent.journal.place)
    assert found.window.end_ns == agent.intake.at_ns + 1
    reader.close()


BOTH = faults.Params(late_share=0.01, revised_share=0.005)
SOON, LATER = paired.BEGIN_NS + 26 * HOUR_NS, paired.BEGIN_NS + 32 * HOUR_NS


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run without faults that got other parameters amid a position."""
    lives = [paired.config(), paired.others()]
    return paired.changed(tmp_path_factory.mktemp("promoted"), lives, faults.Params(), end_ns=LATER)[0]


def epochs_in(place: Place) -> list[Epoch]:
    reader = Reader(place)
    found = epochs_of(reader)
    reader.close()
    return found


def decided(place: Place, first: int = 0, end: int | None = None) -> np.ndarray:
    reader = Reader(place)
    found = reader.rows(kinds.DECISION, first, end)
    reader.close()
    return found


def traded(place: Place, end: int | None) -> dict[Key, Trade]:
    """Trades of a journal up to a record, by one walk over all of it."""
    reader = Reader(place)
    rows = [reader.rows(kind, end=end) for kind in (kinds.DECISION, kinds.ENTRY, kinds.INTENT)]
    reader.close()
    return said_of(*rows, NOTHING).trades


def test_who_was_changed_amid_a_position_is_its_replay_in_both_epochs(promoted: Place) -> None:
    found = paired.compared(promoted)
    assert (found.epochs, found.left_out, found.equal, found.differing, found.edits) == (2, (), True, [], [])
    assert found.decisions == len(decided(promoted))
    assert len(decided(promoted, epochs_in(promoted)[1].record)) > 100
    assert found.run_hash == found.replay_hash == hashlib.sha256(decided(promoted).tobytes()).hexdigest()
    first, whole = (traded(promoted, end) for end in (epochs_in(promoted)[1].record, None))
    over = [key for key, one in first.items() if one.exit_ns < 0]
    assert over
    assert all(whole[key].exit_ns > 0 for key in over)
    assert found.trades == len(whole)  # the one that lasts over the change is one
    reader = Reader(promoted)
    before, behind = (one.said.trades for one in life_of(reader, epochs_of(reader)).lived)
    reader.close()
    assert before == first
    assert {**before, **behind} == whole
    assert set(over) <= behind.keys()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 5))])
def test_faults_on_both_sides_of_a_change_have_their_causes(tmp_path: Path, seed: int) -> None:
    end_ns = LATER if seed == 1 else paired.END_NS
    place, (began,) = paired.changed(tmp_path, [paired.config(), paired.others()], BOTH, seed, end_ns)
    found = paired.compared(place)
    assert found.unexplained == 0
    for epoch in (1, 2):
        mine = [one for one in found.differing if one.epoch == epoch]
        assert {"late bar", "revised bar"} <= {one.cause for one in found.edits if one.epoch == epoch}
        assert {one.cause for one in mine} & {"late bar", "revised bar"}
        assert all((one.ts_ns > began) is (epoch == 2) for one in mine if one.what == DECISION)
        assert all(one.nearest is not None and one.nearest.epoch == epoch for one in mine)
    told = parity_payload(found, 0)
    assert (told["epochs"], told["epochs_compared"], told["left_out"]) == (2, 2, [])
    assert {one["epoch"] for one in told["differences"]} == {1, 2}


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 8))
def test_of_a_mixture_over_changes_nothing_is_unexplained(tmp_path: Path, seed: int) -> None:
    few = [one.symbol for one in paired.sources().instruments][:3]
    lives = [paired.others(0.7, few), paired.config(), paired.others(symbols=few), paired.others(0.8)][: 2 + seed % 3]
    place, _ = paired.changed(tmp_path, lives, mixed(seed), seed)
    found = paired.compared(place)
    assert found.epochs == len(lives)
    assert not found.left_out
    assert found.differing
    assert found.unexplained == 0
    assert set(differences(found)) <= set(CAUSES) - {UNEXPLAINED, CODE, PARAMS, COMMANDED}


def test_a_changed_decision_of_a_later_epoch_is_unexplained(
    promoted: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = copied(promoted, tmp_path)
    asset = planted(place, epochs_in(place)[1].record)
    (one,) = paired.compared(place).differing
    assert (one.what, one.asset, one.epoch, one.cause) == (DECISION, asset, 2, UNEXPLAINED)
    mine = scribe.program()
    other = Program(mine.event_schema, mine.state_schema, "another", mine.layouts, mine.versions)
    monkeypatch.setattr("confidence_engine.drivers.lived.program", lambda: other)
    monkeypatch.setattr("confidence_engine.drivers.parity.program", lambda: other)
    monkeypatch.setattr("confidence_engine.drivers.parity.verify", lambda _: Sound())
    (one,) = paired.compared(place).differing  # other code wrote it, and it is compared all the same
    assert (one.epoch, one.cause) == (2, CODE)


@pytest.mark.parametrize("change", ["add", pytest.param("delist", marks=pytest.mark.nightly)])
def test_what_is_added_or_no_longer_traded_is_compared(tmp_path: Path, change: str) -> None:
    few = [one.symbol for one in paired.sources().instruments][1:]
    lives = [paired.others(0.7, few), paired.others(0.7)]
    place, _ = paired.changed(tmp_path, lives if change == "add" else lives[::-1], faults.Params(), end_ns=SOON)
    found = paired.compared(place)
    assert found.unexplained == 0
    assert len(found.instruments) == 4
    later = decided(place, epochs_in(place)[1].record)["asset"]
    if change == "add":
        assert found.equal
        assert 3 in later
    else:
        assert 0 not in later


def test_an_epoch_whose_sealed_state_is_gone_is_named(promoted: Place, tmp_path: Path) -> None:
    place = copied(promoted, tmp_path)
    first, second = epochs_in(place)
    assert second.sealed is not None
    (snapshots_of(place) / second.sealed.file).unlink()
    found = paired.compared(place)
    (one,) = found.left_out
    assert (one.number, one.start_ns) == (2, second.window.start_ns)
    assert one.start_ns < one.end_ns <= LATER
    assert second.sealed.file in one.why
    assert found.equal is None
    assert not found.differing
    told = parity_payload(found, 0)
    assert (told["equal"], told["epochs"], told["epochs_compared"]) == (None, 2, 1)
    assert [(row["epoch"], row["start"]) for row in told["left_out"]] == [(2, format_time(one.start_ns))]
    assert found.decisions == len(decided(place, first.record, second.record))


def test_an_epoch_that_remembered_otherwise_is_named(promoted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ticker, "remember", lambda self, memory: memory["by another name"])
    found = paired.compared(promoted)
    (one,) = found.left_out
    assert one.number == 2
    assert "reads otherwise by this program: KeyError('by another name')" in one.why
    assert (found.equal, found.differing) == (None, [])


def test_an_epoch_whose_beginning_is_retired_is_named(promoted: Place, tmp_path: Path) -> None:
    place = copied(promoted, tmp_path)
    _, second = epochs_in(place)
    min(place.segments.iterdir()).unlink()  # as `retire` lets go of it
    found = paired.compared(place)
    (one,) = found.left_out
    assert (one.number, one.start_ns, one.end_ns) == (1, paired.BEGIN_NS, second.window.start_ns)
    assert "its beginning is retired" in one.why
    assert (found.equal, found.differing) == (None, [])
    assert found.decisions == len(decided(place, second.record))


def test_what_was_due_in_one_part_and_came_in_another_has_one_cause_in_both() -> None:
    key, rows = next(iter(paired.sources().bars.items()))
    times = rows["close_ns"][:6].tolist()
    due = [Moment(at, (Delivery(at, BARS, key, rows[k : k + 1]),)) for k, at in enumerate(times)]
    change = due[3].at_ns + MINUTE_NS
    late = due[3]._replace(at_ns=change + 2 * MINUTE_NS)
    now = items_of([*due[:3], late, *due[4:]])
    for part, stored, came in ((Part(last=3), due[:4], 0), (Part(change, 3), due, 1)):
        (one,) = edits_between(items_of(stored), now, paired.config(), part)
        assert one.cause == "late bar"
        assert len(part.heard(one.now)) == came
