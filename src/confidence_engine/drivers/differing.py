"""A run beside the rungs of a ladder: every decision and trade that differs, with the cause at whose rung it changed.

A decision is matched by asset and time, one that moved with the nearest of its asset, story and side, a trade by the
decision it was entered on. What was done otherwise is told apart from mere other numbers.
"""

from __future__ import annotations

import bisect
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from confidence_engine.domain.event import NO_ASSET
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.ladder import Rung, touched
from confidence_engine.drivers.mishaps import CODE, UNEXPLAINED, Edit
from confidence_engine.drivers.rungs import Judged, Key, Said, Trade
from confidence_engine.feeds import timing

__all__ = ["DECISION", "ORDER", "TRADE", "Comparison", "Differing"]

DECISION, TRADE, ORDER = "decision", "trade", "order or ledger line"
_FOREVER: Final = 1 << 62


class Differing(NamedTuple):
    """One decision or trade that is not the replay's: `replay` and `run` hold it, None where there is none.

    `ts_ns` is the replay's time of it, the run's where only the run has it. `acts` is whether anything was done
    otherwise, or only other numbers stand beneath. `nearest` is the last thing before it that its cause did to it;
    `epoch` the run's, from 1.
    """

    what: str
    asset: int
    ts_ns: int
    replay: Judged | Trade | None
    run: Judged | Trade | None
    acts: bool
    cause: str
    nearest: Edit | None
    epoch: int = 1


class Comparison:
    """The run against the lowest rung, each difference with the cause that the ladder gives it."""

    def __init__(
        self, rungs: Sequence[Rung], run: Said, edits: Sequence[Edit], instruments: tuple[Instrument, ...],
        clock: timing.Params, residue: Callable[[], str],
    ) -> None:  # fmt: skip
        self._rungs, self._run, self._clock, self._residue = rungs, run, clock, functools.cache(residue)
        about: dict[str, frozenset[str]] = {}
        for one in rungs:
            for name, names in one.said.about.items():
                about[name] = about.get(name, frozenset()) | names
        self._edits: dict[str, list[tuple[Edit, frozenset[int] | None]]] = defaultdict(list)
        for edit in edits:
            self._edits[edit.cause].append((edit, touched(edit, instruments, about)))

    def all(self) -> Iterator[Differing]:
        """Decisions, then trades, each by time; then what of the bytes is left."""
        decisions = [rung.said.decisions for rung in self._rungs]
        moved = _moved(decisions[0], self._run.decisions, self._clock)
        found = [*self._of(DECISION, decisions, self._run.decisions, moved)]
        found += self._of(TRADE, [rung.said.trades for rung in self._rungs], self._run.trades, moved)
        yield from found
        last = self._rungs[-1].said
        if last.rows != self._run.rows and not any(one.cause in (CODE, UNEXPLAINED) for one in found):
            yield Differing(ORDER, NO_ASSET, 0, None, None, True, self._residue(), None)

    def _of(
        self, what: str, ladder: Sequence[Mapping[Key, Any]], run: Mapping[Key, Any], moved: Mapping[Key, Key]
    ) -> list[Differing]:
        """Differences of one sort; one that `moved` is looked for under both of its keys."""
        pairs = {key: moved.get(key, key) for key in ladder[0]}
        met = set(pairs.values())
        pairs |= {key: key for key in (*run, *ladder[-1]) if key not in met and key not in pairs}
        found = []
        for key, other in sorted(pairs.items(), key=lambda one: (min(one[0][1], one[1][1]), one)):
            tellings = [(one.get(key), one.get(other)) for one in ladder]
            told = run.get(key), run.get(other)
            if tellings[0] == told == tellings[-1]:
                continue
            replay, mine = tellings[0][0], told[1]
            done = [tuple(map(_act, one)) for one in tellings]
            acts = done[0] != done[-1]
            cause = _settled_at(self._rungs, done if acts else tellings) if tellings[-1] == told else self._residue()
            near = self._nearest(cause, key[0], _until(key, other, replay, mine))
            found.append(Differing(what, key[0], min(key[1], other[1]), replay, mine, acts, cause, near))
        return found

    def _nearest(self, cause: str, asset: int, until_ns: int) -> Edit | None:
        """The last thing that its cause did to the asset by then; else to any."""
        some = self._edits.get(cause, [])
        before = some[: bisect.bisect_right(some, until_ns, key=lambda one: one[0].at_ns)]
        mine = next((one for one, about in reversed(before) if about is None or asset in about), None)
        if mine is None and some:  # a clock that is behind lets it come later than what it did
            mine = (before[-1] if before else some[0])[0]
        return mine


def _settled_at(rungs: Sequence[Rung], tellings: Sequence[Any]) -> str:
    """The cause at whose rung the last value was taken for good."""
    k = len(tellings) - 1
    while k > 0 and tellings[k - 1] == tellings[-1]:
        k -= 1
    return rungs[k].cause


def _act(one: Judged | Trade | None) -> Any:
    """What was done, without how much of it and the numbers beneath."""
    if isinstance(one, Trade):
        return one.side, one.entry_ns, one.exit_ns, one.why
    return None if one is None else one.act


def _until(key: Key, other: Key, replay: Any, run: Any) -> int:
    """Before when the cause of a difference is to be looked for."""
    if isinstance(replay, Trade) and isinstance(run, Trade) and replay[:4] == run[:4]:
        left = [one.exit_ns for one in (replay, run) if one.exit_ns >= 0]
        return min(left, default=_FOREVER)
    return min(key[1], other[1])


def _moved(replay: Mapping[Key, Judged], run: Mapping[Key, Judged], clock: timing.Params) -> dict[Key, Key]:
    """Decisions of the replay alone, each with the nearest of the run alone that is of its asset, story and side.

    Only what was decided upon evidence moves with it; on the grid nothing does.
    """
    waiting: dict[tuple[int, str, int], list[Key]] = defaultdict(list)
    for key in sorted(run.keys() - replay.keys()):
        if not _on_grid(key, clock):
            waiting[key[0], run[key].story, run[key].act[0]].append(key)
    found: dict[Key, Key] = {}
    for key in sorted(replay.keys() - run.keys()):
        one = replay[key]
        mine = waiting.get((key[0], one.story, one.act[0]), []) if one.story and not _on_grid(key, clock) else []
        if mine:
            at = bisect.bisect(mine, key)
            near = min((k for k in (at - 1, at) if 0 <= k < len(mine)), key=lambda k: abs(mine[k][1] - key[1]))
            if abs(mine[near][1] - key[1]) <= DAY_NS:
                found[key] = mine.pop(near)
    return found


def _on_grid(key: Key, clock: timing.Params) -> bool:
    return (key[1] - clock.settle_ns) % clock.grid_ns == 0
