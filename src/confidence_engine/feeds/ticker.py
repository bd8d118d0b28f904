"""Timers as time passes: what `assemble.timers` sets among a whole tape, one after another and never looking ahead.

The grid fires at k * grid + settle; evidence fires a coalescing delay after the first that no timer waits for, unless
the grid fires at that very time. Markets with sessions are judged in them, and where a bar is a whole session after its
close; then evidence that comes while all are open waits for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from confidence_engine.domain import event as ev
from confidence_engine.feeds import timing

__all__ = ["NEVER", "Ticker"]

NEVER = 1 << 62
"""A time, in ns, that does not come."""

_NOTHING = np.zeros(0, ev.EVENT)


class Ticker:
    """TIMER events from `load_ns` on; those before `start_ns` bear the mark BACKFILL.

    `sessions` (SESSION_ROW, one a calendar, where no asset trades round the clock) and `whole` as in `assemble.timers`.
    """

    def __init__(
        self, clock: timing.Params, load_ns: int, start_ns: int, sessions: Sequence[np.ndarray] = (),
        whole: bool = False,
    ) -> None:  # fmt: skip
        self._grid, self._settle, self._coalesce = clock.grid_ns, clock.settle_ns, clock.coalesce_ns
        self._start_ns, self._sessions, self._whole = start_ns, tuple(sessions), whole and bool(sessions)
        self._closes = np.zeros(0, np.int64)
        if self._whole:
            self._closes = np.unique(np.concatenate([one["close_ns"] for one in sessions])) + clock.settle_ns
        self._from_ns = load_ns
        self._on_grid = self._grid_from(load_ns)
        self._after = NEVER

    @property
    def due_ns(self) -> int:
        """When the next timer fires."""
        return min(self._on_grid, self._after)

    def hear(self, known_ns: int) -> None:
        """Evidence became known; it shares a timer that still waits."""
        if self._after == NEVER and not (self._whole and self._all_open(known_ns)):
            self._after = known_ns + self._coalesce

    def until(self, now_ns: int) -> np.ndarray:
        """TIMER [n] of all that fire by `now_ns`, each once."""
        if self.due_ns > now_ns:
            return _NOTHING
        fired = []
        while (at := self.due_ns) <= now_ns:
            grid = at == self._on_grid
            marks = ev.BACKFILL if at < self._start_ns else 0
            fired.append(ev.timer_events(np.array([at], np.int64), grid, marks))
            if at == self._after:
                self._after = NEVER
            if grid:
                self._from_ns = at + 1
                self._on_grid = self._grid_from(self._from_ns)
        return ev.joined(fired)

    def memory(self) -> dict[str, Any]:
        """From when on the grid is looked for, and when evidence fires."""
        return {"from": self._from_ns, "after": self._after}

    def remember(self, memory: dict[str, Any]) -> None:
        """Go on from where another was; the grid and the sessions are this one's, which may know more of them."""
        self._from_ns, self._after = memory["from"], memory["after"]
        self._on_grid = self._grid_from(self._from_ns)

    def _grid_from(self, now_ns: int) -> int:
        """First time on the grid at or after `now_ns`."""
        if self._whole:
            k = int(np.searchsorted(self._closes, now_ns))
            return int(self._closes[k]) if k < len(self._closes) else NEVER
        at = self._step_from(now_ns)
        while self._sessions and not any(_inside(one, at - self._settle, 1) for one in self._sessions):
            opens = [_next_open(one, at - self._settle) for one in self._sessions]
            if min(opens) == NEVER:
                return NEVER
            at = self._step_from(max(at + 1, min(opens) + self._settle))
        return at

    def _step_from(self, now_ns: int) -> int:
        return -((self._settle - now_ns) // self._grid) * self._grid + self._settle

    def _all_open(self, now_ns: int) -> bool:
        return all(_inside(one, now_ns, 0) for one in self._sessions)


def _inside(sessions: np.ndarray, at_ns: int, after: int) -> bool:
    """Whether a time lies in [open + after, close + after)."""
    k = int(np.searchsorted(sessions["open_ns"], at_ns - after, side="right")) - 1
    return k >= 0 and at_ns - after < int(sessions["close_ns"][k])


def _next_open(sessions: np.ndarray, at_ns: int) -> int:
    k = int(np.searchsorted(sessions["open_ns"], at_ns, side="left"))
    return int(sessions["open_ns"][k]) if k < len(sessions) else NEVER
