"""The made-up market of the journal's year: sixty perpetuals whose prices follow their stories, a day at a time.

Two stories an asset and day, each told three or four times by four houses within the hour: a quarter of a story is in
the price at once, the rest comes with a half-life of three hours, so that reading in time knows something and the
account lives; Student-t shocks beside it, funding every eight hours. Nine tellings in ten have the direction right.
Memory is that of one day. SYNTHETIC, all of it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain import event as ev
from confidence_engine.domain.document import Document, Reading, body_hash
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.drivers.replay import signals
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Streams, timers
from confidence_engine.feeds.merge import merge, validate
from confidence_engine.feeds.world import PUBLISHERS
from confidence_engine.feeds.world.plain import KINDS
from confidence_engine.feeds.world.wording import sentence
from confidence_engine.text.reading import ROW, Readings, Verdict
from confidence_engine.text.relevance import Mention

__all__ = ["ASSETS", "BEGIN", "COINS", "Market"]

ASSETS: Final = 60
STEP: Final = 5 * MINUTE_NS
STEPS: Final = DAY_NS // STEP
BEGIN: Final = 20_000 * DAY_NS
COINS: Final = tuple(
    Underlying(f"C{a}{b}", "crypto", "layer1", (f"Coin{a}{b}",), (f"C{a}{b}",)) for a in "ABCDEF" for b in "ABCDEFGHIJ"
)
LEDE: Final = "A paragraph as long as those that feeds carry beside a title, and as little to the point. " * 5


class Market:
    """Coins whose prices follow their stories, told late and more than once; made a day at a time."""

    def __init__(self, config: Config) -> None:
        self.config, self.rng = config, np.random.default_rng(5)
        self.price, self.gap, self.stories = np.full(ASSETS, 100.0), np.zeros(ASSETS), 0
        self.start_ns = BEGIN + config.agent.warmup_ns
        self.sources = Sources(config.instruments(), {}, {}, {}, [], (), True, "")
        self.streams = Streams((*(f"{what}:world" for what in ("bars", "funding")), *(p.name for p in PUBLISHERS)))

    def day(self, number: int) -> tuple[np.ndarray, Readings]:
        """EVENT [n] of a day in order, from after its first timer to that of the next midnight, and its documents."""
        clock, at = self.config.timing, BEGIN + number * DAY_NS
        readings, fresh = self._told(at)
        close = at + STEP * np.arange(1, STEPS + 1, dtype=np.int64).repeat(ASSETS)
        which = np.tile(np.arange(ASSETS), STEPS)
        bars = ev.bar_events(close, close + clock.bar_latency_ns, which, 0, self._bars(fresh))
        paid = at + 8 * HOUR_NS * np.arange(1, 4, dtype=np.int64).repeat(ASSETS)
        rate = self.rng.normal(1e-4, 5e-5, len(paid))
        funding = ev.funding_events(paid, paid + clock.funding_latency_ns, np.tile(np.arange(ASSETS), 3), 1, rate)
        news = signals(self.config, self.sources, readings)
        news["source"] += 2
        first = at + clock.settle_ns + 1
        delays = clock.grid_ns, clock.settle_ns, clock.coalesce_ns
        events = merge([bars, funding, news, timers(news, first, first + DAY_NS, *delays, self.start_ns)])
        events["marks"] |= np.uint16(ev.SYNTHETIC)
        events["marks"][events["ts_known"] < self.start_ns] |= np.uint16(ev.BACKFILL)
        validate(events, ASSETS, ASSETS)
        return events, readings

    def _told(self, at: int) -> tuple[Readings, np.ndarray]:
        """Two stories an asset, each told three or four times; their jumps of the log price by step and asset."""
        rng, n = self.rng, 2 * ASSETS
        coin, when, up = np.arange(n) % ASSETS, rng.integers(5, 86_000, n), rng.choice([-1, 1], n)
        fresh = np.zeros((STEPS, ASSETS))
        np.add.at(fresh, (when * SECOND_NS // STEP, coin), up * 0.016 * rng.lognormal(0.0, 0.4, n))
        of = np.repeat(np.arange(n), 3 + np.arange(n) % 2)
        known = np.minimum(when[of] + 20 + rng.exponential(900.0, len(of)).astype(np.int64), 86_395)
        order = np.lexsort((of, known))
        of, known = of[order], at + known[order] * SECOND_NS
        rows = np.zeros(len(of), ROW)
        rows["document"], rows["underlying"], rows["cluster"] = np.arange(len(of)), coin[of], self.stories + of
        rows["known_ns"], rows["published_ns"] = known, known - 20 * SECOND_NS
        rows["certainty"], rows["relevance"] = rng.uniform(0.6, 0.95, len(of)), 1.0
        rows["polarity"] = np.where(rng.random(len(of)) < 0.9, 1, -1) * up[of] * rows["certainty"]
        rows["polarity"] *= rng.uniform(0.6, 1.0, len(of))
        rows["novelty"], rows["publisher"] = 0.3, rng.integers(0, len(PUBLISHERS), len(of))
        rows["novelty"][np.unique(of, return_index=True)[1]] = 1.0
        self.stories += n
        papers = [_paper(row) for row in rows]
        readings = Readings(rows, [p for p, _ in papers], [v for _, v in papers], [p.name for p in PUBLISHERS], n, 0)
        return readings, fresh

    def _bars(self, fresh: np.ndarray) -> tuple[np.ndarray, ...]:
        """Open, high, low, close and volume by step, then asset: a quarter of a story at once, the rest by three hours
        of half-life, Student-t shocks beside it.
        """
        rng, fade = self.rng, 0.5 ** (STEP / (3 * HOUR_NS))
        move = 0.0008 * rng.standard_t(4, fresh.shape)
        for k in range(STEPS):
            self.gap += 0.75 * fresh[k]
            move[k] += 0.25 * fresh[k] + (1.0 - fade) * self.gap
            self.gap *= fade
        close = np.round(self.price * np.exp(np.cumsum(move, axis=0)), 2)
        opened = np.concatenate([self.price[None], close[:-1]])
        self.price = close[-1]
        high = np.round(np.maximum(opened, close) * (1.0 + np.abs(rng.normal(0.0, 4e-4, close.shape))), 2)
        low = np.round(np.minimum(opened, close) * (1.0 - np.abs(rng.normal(0.0, 4e-4, close.shape))), 2)
        return tuple(one.ravel() for one in (opened, high, low, close, rng.lognormal(8.0, 0.5, close.shape)))


def _paper(row: np.void) -> tuple[Document, Verdict]:
    """The document behind a row and what the text stage would have said of it."""
    about, story, told = COINS[row["underlying"]], int(row["cluster"]), int(np.sign(row["polarity"]))
    title, house = (
        sentence(story % len(KINDS), told, int(row["document"]), about.names[0], story % 88 + 2),
        row["publisher"],
    )
    at, known = int(row["published_ns"]), int(row["known_ns"])
    name = PUBLISHERS[house].name
    one = Document(
        body_hash(title, LEDE, name, at), "world", name, title, at, LEDE, first_seen_ns=known, fetched_ns=known
    )
    sure, way = float(row["certainty"]), float(row["polarity"])
    reading = Reading((sure - way) / 2, 1.0 - sure, (sure + way) / 2)
    return one, Verdict(True, "", (Mention(int(row["underlying"]), 1.0, "title", about.names[0], 1),), reading, title)
