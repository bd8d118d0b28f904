"""The live loop: one consumer takes what comes, in the order in which it comes, and nothing waits for anything else.

An operator's command goes before whatever the feed says next. SIGINT and SIGTERM end it between two batches: entries
that still work are given up or left as the config says, the state is sealed, the journal anchored. What else has to be
done now and then (a checkpoint, the tables) is done between batches, or beside the loop in a thread; so is the copying
of SQLite's log, for which a batch would wait. A journal that had to take its reserve halts the agent: what reduces risk
has the rest of the disk.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from confidence_engine.domain.command import Command
from confidence_engine.domain.errors import StateUnkept
from confidence_engine.drivers.agent import Agent
from confidence_engine.drivers.feed import Feed
from confidence_engine.drivers.inbox import Inbox
from confidence_engine.drivers.stretch import Stretch
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.wal import copied_beside

__all__ = ["NO_ROOM", "POLL_S", "TAIL", "Live", "Watcher"]

POLL_S: Final = 0.1
"""How often the inbox is looked at: an operator's halt holds within this and one batch."""
NO_ROOM: Final = "no room on the disk"
TAIL: Final = 20_000
"""Events after which a checkpoint is due before its time: a start steps again what came after it, 10,000 a second."""
_PROGRAM: Final = "the program"


class Watcher(Protocol):
    """Whoever looks on: hears of every batch after it was committed."""

    def saw(self, agent: Agent, moments: Sequence[Moment], made: Sequence[Stretch], took_s: float) -> None:
        """A batch and how long it took from being taken to being committed."""
        ...


class Live:
    """Runs one agent on one feed until the feed ends or it is told to stop."""

    def __init__(
        self, agent: Agent, feed: Feed, inbox: Inbox, watchers: Sequence[Watcher] = (),
        beside: Callable[[], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        self.agent, self.feed, self.inbox, self._watchers, self._beside = agent, feed, inbox, watchers, beside
        self._params = agent.cast.config.live
        self._why: str | None = None
        self._wake = asyncio.Event()
        self._kept = self._sealed = time.monotonic()
        self._polled = 0.0
        self._looking = False
        self._covered = int(agent.state.head[0].steps)  # when a state was last kept, or tried to be
        self._low = self._unkept = False  # said already

    def stop(self, why: str) -> None:
        """Ask for a clean end; the first reason counts."""
        self._why = self._why or why
        self._wake.set()

    async def run(self) -> str:
        """Until the end; returns why. Raises what the agent raises, and then nothing more may be done with it."""
        task = None if self._beside is None else asyncio.ensure_future(self._beside())
        try:
            with copied_beside(self.agent.journal.place):
                why = await self._loop()
        except Exception:
            if self._looking:  # nothing is wrong with the agent: it ends well, and the failure is told
                self._end("whoever looks on failed")
            raise
        finally:
            if task is not None:
                task.cancel()
        self._end(why)
        if task is not None and task.done() and not task.cancelled():
            task.result()  # what ran beside it failed, and the run has ended well all the same
        return why

    async def _loop(self) -> str:
        """Take what comes until there is a reason to end; returns it."""
        while self._why is None:
            self._mind_room()
            batch = await self._batch()
            if batch is None:
                self._why = self._why or "end of the feed"
            elif batch:
                self._take(batch)
                self._now_and_then()
                await asyncio.sleep(0)
        return self._why

    async def _batch(self) -> list[Moment] | None:
        """What has come: at least one moment, or nothing where the loop was woken to stop; None at the feed's end."""
        commands = self._commands()
        if commands:
            return [Moment(self._now_ns(), (), tuple(commands))]
        coming = asyncio.ensure_future(self.feed.next(self.agent.intake.due_ns))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            while not coming.done():
                await asyncio.wait({coming, waking}, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done() and (self._why is not None or (commands := self._commands())):
                    break
        finally:
            waking.cancel()
        if not coming.done():
            coming.cancel()
            await asyncio.wait({coming})
            return [Moment(self._now_ns(), (), tuple(commands))] if commands else []
        first = coming.result()
        if first is None:
            return None
        batch = [first]
        while len(batch) < self._params.batch and (more := self.feed.ready()) is not None:
            batch.append(more)
        return batch

    def _now_ns(self) -> int:
        """When a command is obeyed: now by the feed's clock, and never before anything that was known."""
        return max(self.feed.now_ns(), self.agent.now_ns, self.agent.cast.window.load_ns)

    def _commands(self) -> list[Command]:
        """The operator's, looked for now and then only: a folder is slower than a queue."""
        now = time.monotonic()
        if now - self._polled < POLL_S:
            return []
        self._polled = now
        return self.inbox.waiting()

    def _take(self, batch: list[Moment]) -> None:
        began = time.perf_counter()
        made = self.agent.take(batch)
        took = time.perf_counter() - began
        for moment in batch:
            for command in moment.commands:
                self.inbox.done(command)
        self._looking = True
        for one in self._watchers:
            one.saw(self.agent, batch, made, took)
        self._looking = False

    def _mind_room(self) -> None:
        """Halt when the journal has had to take its reserve. It is said once: whoever resumes then knows of it."""
        if self._low or not self.agent.journal.low:
            return
        self._low = True
        if not _halted_for_room(self.agent.journal.place):  # it may have been, before a restart
            self._command("halt", NO_ROOM)

    def _now_and_then(self) -> None:
        """A seal once in a long while, a checkpoint more often, where something has happened.

        A disk that takes neither makes the next start longer and nothing else: it is said and survived. The reserve is
        for what has to be recorded, so nothing is sealed of it.
        """
        now, stepped = time.monotonic(), int(self.agent.state.head[0].steps)
        tail = stepped - self._covered
        try:
            if now - self._sealed >= self._params.seal_ns / 1e9 and not self.agent.journal.low:
                self._sealed, self._kept, self._covered = now, now, stepped
                self.agent.seal("now and then", reserve=False)
                self._unkept = False
            elif tail >= TAIL or (tail > 0 and now - self._kept >= self._params.checkpoint_ns / 1e9):
                self._kept, self._covered = now, stepped
                self.agent.checkpoint()
                self._unkept = False
        except (OSError, StateUnkept) as error:
            if not self._unkept:
                self.agent.report("checkpoint", str(error))
            self._unkept = True

    def _end(self, why: str) -> None:
        """Give up what still works of entries where the config says so, then seal, anchor and close."""
        if self._params.on_stop == "cancel" and self.agent.works_on_entries():
            self._command("stand down", why)
        self.agent.stop(why)

    def _command(self, word: str, why: str) -> None:
        """What the program tells itself, on record as an operator's word is."""
        command = Command(str(uuid.uuid4()), word, _PROGRAM, why, time.time_ns())
        self.agent.take([Moment(self._now_ns(), (), (command,))])


def _halted_for_room(place: Place) -> bool:
    """Whether the last word on halting was the program's own, for want of room."""
    reader = Reader(place)
    try:
        for one in reader.records(kinds.COMMAND, backwards=True):
            said = msgspec.json.decode(one.payload or b"{}")
            if said.get("command") in ("halt", "flatten", "resume"):
                return bool((said["command"], said["operator"], said["reason"]) == ("halt", _PROGRAM, NO_ROOM))
    finally:
        reader.close()
    return False
