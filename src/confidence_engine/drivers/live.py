"""The live loop: one consumer takes what comes, in the order in which it comes, and nothing waits for anything else.

An operator's command goes before whatever the feed says next. SIGINT and SIGTERM end it between two batches: entries
that still work are given up or left as the config says, the state is sealed, the journal anchored. What else has to be
done now and then (a checkpoint, the tables) is done between batches, or beside the loop in a thread.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from confidence_engine.domain.command import Command
from confidence_engine.drivers.agent import Agent
from confidence_engine.drivers.feed import Feed
from confidence_engine.drivers.inbox import Inbox
from confidence_engine.drivers.stretch import Stretch
from confidence_engine.feeds.delivery import Moment

__all__ = ["POLL_S", "Live", "Watcher"]

POLL_S: Final = 0.1
"""How often the inbox is looked at: an operator's halt holds within this and one batch."""


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
        self._stepped = int(agent.state.head[0].steps)

    def stop(self, why: str) -> None:
        """Ask for a clean end; the first reason counts."""
        self._why = self._why or why
        self._wake.set()

    async def run(self) -> str:
        """Until the end; returns why. Raises what the agent raises, and then nothing more may be done with it."""
        task = None if self._beside is None else asyncio.ensure_future(self._beside())
        try:
            while self._why is None:
                batch = await self._batch()
                if batch is None:
                    self._why = self._why or "end of the feed"
                elif batch:
                    self._take(batch)
                    self._now_and_then()
                    await asyncio.sleep(0)
        except Exception:
            if self._looking:  # nothing is wrong with the agent: it ends well, and the failure is told
                self._end("whoever looks on failed")
            raise
        finally:
            if task is not None:
                task.cancel()
        self._end(self._why)
        if task is not None and task.done() and not task.cancelled():
            task.result()  # what ran beside it failed, and the run has ended well all the same
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

    def _now_and_then(self) -> None:
        """A seal once in a long while, a checkpoint more often, where something has happened."""
        now, stepped = time.monotonic(), int(self.agent.state.head[0].steps)
        if now - self._sealed >= self._params.seal_ns / 1e9:
            self.agent.seal("now and then")
            self._sealed = self._kept = now
        elif now - self._kept >= self._params.checkpoint_ns / 1e9 and stepped > self._stepped:
            self.agent.checkpoint()
            self._kept = now
        self._stepped = stepped

    def _end(self, why: str) -> None:
        """Give up what still works of entries where the config says so, then seal, anchor and close."""
        if self._params.on_stop == "cancel" and self.agent.works_on_entries():
            command = Command(str(uuid.uuid4()), "stand down", "the program", why, time.time_ns())
            self.agent.take([Moment(self._now_ns(), (), (command,))])
        self.agent.stop(why)
