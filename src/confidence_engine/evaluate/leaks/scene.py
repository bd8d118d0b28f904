"""What is audited: raw rows with a config, from the store, or a small simulated world that is made on the spot.

The bundled world has two coins that trade round the clock with funding, and a share that trades in the sessions of
New York, with a split and a dividend. Its headlines come as they come in life: some with the time they were first
seen, some with a publisher's stamp alone, some with a bare date. Parameters of stages, texts, venue and timing are the
audited config's; assets are the world's own, because no headline of the world names a real one.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.config import Config, load
from confidence_engine.config.simulated import write_simulated
from confidence_engine.domain.document import Document, body_hash
from confidence_engine.domain.event import DIVIDEND, SPLIT
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.evaluate.leaks.raw import (
    Table,
    as_simulated,
    bar_table,
    corporate_table,
    export,
    funding_table,
    news_table,
    score_table,
)
from confidence_engine.feeds.calendar import on_sessions
from confidence_engine.feeds.clean import CORPORATE_ROW, SCORE_ROW
from confidence_engine.feeds.store import Store
from confidence_engine.feeds.world import WORLD_ASSETS, Events, Params, Stories, World, generate

__all__ = ["Scene", "bundled", "eager", "resting", "stored"]

SHARE: Final = "ODR/USDT"
"""The asset of the bundled world that trades in sessions."""
CALENDAR: Final = "XNYS"
BEGIN: Final = "2025-01-06"
"""A Monday; the exchange was closed on the Thursday of that week, for a day of mourning nobody had foreseen."""


class Scene(NamedTuple):
    """Raw rows, the config they are audited under, and the span of the bars, ns."""

    config: Config
    tables: list[Table]
    begin_ns: int
    end_ns: int
    synthetic: bool

    @property
    def told_ns(self) -> int:
        """End of what is told, with the last bar before it: where evidence ends before the bars do, or stands in a hole
        of them, nothing is decided any more. The end of the bars where nothing is told while there are any."""
        last = [int(table.knowable.max()) + 1 for table in self.tables if table.kind in ("news", "scores")]
        told = min([self.end_ns, max(last, default=self.end_ns)])
        bars = [table.knowable[table.knowable < told] for table in self.tables if table.kind == "bars"]
        heard = [int(one[-1]) + 1 for one in bars if len(one)]
        if not heard:
            return self.end_ns
        return told if told - max(heard) < self.config.agent.interval_ns else max(heard)


def stored(config: Config, store: Store) -> Scene | None:
    """Everything the store holds for `config`; None where it has no bar of any of its symbols."""
    tables = export(store, config, 0, 2**62)
    spans = [table.knowable for table in tables if table.kind == "bars"]
    if not spans:
        return None
    begin = min(int(one[0]) for one in spans) - config.agent.interval_ns
    end = max(int(one[-1]) for one in spans) + 1
    return Scene(config, tables, begin, end, store.is_synthetic())


def bundled(config: Config | None = None, seed: int = 5, days: int | None = None, share: bool = True) -> Scene:
    """The world of a seed under the parameters of `config`, or under those of `eager`; with or without its share."""
    step = config.agent.interval_ns if config else 30 * MINUTE_NS
    length = days or (16 if step < HOUR_NS else 60 if step < DAY_NS else 400)
    events = 4.0 if step < DAY_NS else 0.1
    told = 0.0 if config is None else 1.0  # stories that many houses tell, so that a patient config trades too
    busy = Params(
        events=Events(events_a_day=events, rumours_a_day=0.2, impact=0.03),
        stories=Stories(empty_a_day=events / 8.0, corroboration=told),
    )
    begin = parse_time(BEGIN)
    world = generate(seed, WORLD_ASSETS[: 3 if share else 2], begin, length, step, params=busy)
    made = _config(world, config, step)
    return Scene(made, _tables(world, made, np.random.default_rng(seed)), begin, begin + length * DAY_NS, True)


def eager(config: Config) -> Config:
    """Parameters under which a small world trades often; the regimes, slow where nothing is compiled, left out."""
    p = config.kernel
    kernel = p._replace(
        price=p.price._replace(min_obs=20, full_obs=40, atr_frame_ns=2 * HOUR_NS, atr_obs=5.0),
        regime=p.regime._replace(follow=False),
        divergence=p.divergence._replace(trigger=0.2, kappa=0.02, use_news=True, use_score=True),
        gates=p.gates._replace(min_strength=0.0, min_volume_z=-4.0, cooldown_ns=0),
        risk=p.risk._replace(trades_a_day=100, trades_a_week=500, single_max=1.0, net_max=3.0, gross_max=3.0),
        exits=p.exits._replace(stop_atr=0.4, target_atr=0.5, trail_from_atr=0.4, trail_atr=0.4, hold_ns=6 * HOUR_NS),
        narrative=p.narrative._replace(half_life_ns=3 * HOUR_NS),
    )
    agent = config.agent._replace(evidence=("news", "score"))
    return msgspec.structs.replace(config, kernel=kernel, agent=agent, text=config.text._replace(backend="cues"))


def resting(config: Config) -> Config:
    """The same with entries that rest at a better price, as in config/limit.toml."""
    kernel = config.kernel._replace(
        algos=config.kernel.algos._replace(style="limit", limit_atr=0.1, patience_ns=2 * HOUR_NS)
    )
    return msgspec.structs.replace(config, kernel=kernel)


def _config(world: World, like: Config | None, step: int) -> Config:
    """The world's own universe and account, one asset in sessions, with the stages of `like`."""
    with TemporaryDirectory(prefix="audit-") as folder:
        own = load(write_simulated(Path(folder), world.underlyings, world.ticks, 2))
    instruments = tuple(
        msgspec.structs.replace(one, calendar=CALENDAR, funding_ns=0) if one.symbol == SHARE else one
        for one in own.universe.instruments
    )
    own = msgspec.structs.replace(own, universe=msgspec.structs.replace(own.universe, instruments=instruments))
    own = msgspec.structs.replace(own, agent=own.agent._replace(interval_ns=step))
    if like is None:
        timing = own.timing._replace(news_lag_ns=5 * MINUTE_NS, grid_ns=step)
        return eager(msgspec.structs.replace(own, timing=timing))
    mine = {name: getattr(like.agent, name) for name in ("evidence", "initial_equity_usd", "warmup_ns")}
    agent = own.agent._replace(**mine)
    return msgspec.structs.replace(
        own, agent=agent, kernel=like.kernel, timing=like.timing, text=like.text, sim=like.sim, outcome=like.outcome
    )


def _tables(world: World, config: Config, rng: np.random.Generator) -> list[Table]:
    clock, step, tables = config.timing, config.agent.interval_ns, []
    for one in config.instruments():
        bars = world.bars[one.symbol]
        if one.calendar:
            bars = on_sessions(bars, one.calendar, step).rows
            tables.append(corporate_table(_actions(bars), one))
        else:
            tables.append(funding_table(world.funding[one.symbol], one, clock.funding_latency_ns))
        tables.append(bar_table(bars, one, step, clock.bar_latency_ns))
        if "score" in config.agent.evidence:
            tables.append(score_table(_scores(bars, rng), one))
    if "news" in config.agent.evidence:
        tables.append(news_table(_as_in_life(world.documents), clock.news_lag_ns))
    return as_simulated([table for table in tables if len(table.frame)])


def _actions(bars: np.ndarray) -> np.ndarray:
    """A split and a dividend, in the middle of the bars and after two thirds."""
    rows = np.zeros(2, CORPORATE_ROW)
    days = bars["open_ns"] // DAY_NS * DAY_NS
    rows[0] = int(days[len(days) // 2]), SPLIT, 2.0
    rows[1] = int(days[2 * len(days) // 3]), DIVIDEND, round(0.01 * float(bars["c"][0]), 4)
    return rows


def _scores(bars: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A score every fourteenth bar, known in the middle of it, without any information."""
    chosen = bars[7::14]
    rows = np.zeros(len(chosen), SCORE_ROW)
    rows["known_ns"] = (chosen["open_ns"] + chosen["close_ns"]) // 2
    rows["horizon_ns"], rows["std"] = 6 * HOUR_NS, 0.01
    rows["mean"] = rng.normal(0.0, 0.01, len(chosen))
    return rows


def _as_in_life(documents: list[Document]) -> list[Document]:
    """Every second item loses the time it was first seen, and every ninth has a bare date for a stamp."""
    made = []
    for k, one in enumerate(documents):
        if k % 9 == 4:
            at = one.published_ns // DAY_NS * DAY_NS
            again = body_hash(one.title, one.text, one.publisher, at)
            one = msgspec.structs.replace(
                one, id=again, published_ns=at, date_only=True, first_seen_ns=None, fetched_ns=None
            )
        elif k % 2:
            one = msgspec.structs.replace(one, first_seen_ns=None, fetched_ns=None)
        made.append(one)
    return made
