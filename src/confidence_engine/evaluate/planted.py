"""Cases from planted worlds: simulated ones in which it is known how good the evidence and how large the edge is.

Telling (`ic` 0): in `feeds.world` with `corroboration` 1 the noise of a story depends on what can be seen of it. A
clear event is told by more houses and alike, an unclear one by few, who contradict each other and are wrong more
often, and nearly half the stories have no event behind them; where a story is true the price closes the gap with the
world's half-life. `information` 0 is its null world. Scoring (`ic` > 0): no story speaks, but a score of every asset
every six hours, z = ic x + sqrt(1 - ic^2) noise, x the standardised move of the next six hours: so the edge is
proportional to the score (Grinold and Kahn, Active Portfolio Management, 2000, ch. 10). SYNTHETIC, all of it. Both
go through the replay that recorded data goes through; event Y and net return are those of `domain.outcome`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.config import Config, load
from confidence_engine.config.simulated import write_simulated
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.outcome import UNRESOLVED
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.summary import ROUND_THE_CLOCK, label_cases
from confidence_engine.feeds import world
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.clean import SCORE_ROW
from confidence_engine.text.reading import Readings

__all__ = [
    "CASE",
    "WARMUP_DAYS",
    "WORLD",
    "Planted",
    "Played",
    "cases_of",
    "clarity_of",
    "play_planted",
    "planted_cases",
    "played_in",
]

WARMUP_DAYS: Final = 15
SCORE_NS: Final = 6 * HOUR_NS
CASE: Final = np.dtype(
    [("ts_ns", "i8"), ("asset", "i8"), ("quality", "f8"), ("conviction", "f8"), ("strength", "f8"),
     ("confidence", "f8"), ("y", "i8"), ("net_return", "f8"), ("net_sigma", "f8"), ("clarity", "f8"), ("side", "i8"),
     ("sigma", "f8"), ("lead", "i8"), ("reaction", "f8"), ("anticipation", "f8")]
)  # fmt: skip
"""A resolved case: y is 1 or 0, the net return a fraction and in standard deviations over the horizon; clarity is
the truth behind its leading story, which only the world knows (NaN where a score spoke); sigma is of one bar, as the
engine knew it, lead the story that led, reaction and anticipation the moves since and before it, in sigma."""
_AS_DECIDED: Final = (
    "ts_ns", "asset", "quality", "conviction", "strength", "confidence", "side", "sigma", "lead", "reaction",
    "anticipation",
)  # fmt: skip
WORLD: Final = world.Params(
    events=world.Events(rumours_a_day=1.0, impact=0.02), stories=world.Stories(corroboration=1.0, delay_factor=0.2)
)
"""The planted world: many rumours, large events, and houses five times as quick, so that others are heard in time."""


class Planted(NamedTuple):
    """Length, what the words (None: as the world says) or the score know, how long a story has led when its case is
    taken, and kappa.

    Kappa is 0 here: prices of this world trend while news is absorbed, and a gap that counts the reaction selects the
    cases whose price runs against the story, so that cases would be lost predictably even where the words know nothing.
    """

    days: int = 300
    information: float | None = None
    ic: float = 0.0
    world: world.Params = WORLD
    age_ns: int = 15 * MINUTE_NS
    kappa: float = 0.0
    assets: int = 4


class Played(NamedTuple):
    """One planted world and what became of it in a replay."""

    made: world.World
    config: Config
    sources: Sources
    readings: Readings
    result: replay.Result


def planted_cases(seed: int, reader: Reader, p: Planted = Planted()) -> np.ndarray:  # noqa: B008 (immutable)
    """CASE [n] in order of time from the world of a seed, replayed with the config of simulated worlds and `kappa`."""
    found = play_planted(seed, reader, p)
    clear = clarity_of(found.made, found.readings)
    return cases_of(found.config, found.sources, found.result.decisions, p.age_ns, clear)


def play_planted(seed: int, reader: Reader, p: Planted = Planted()) -> Played:  # noqa: B008 (immutable)
    """The world of a seed and its replay."""
    made = world.generate(seed, world.assets(p.assets), days=p.days, information=p.information, params=p.world)
    config = _config(made, "score" if p.ic > 0.0 else "news", p.kappa)
    instruments = tuple(sorted(config.instruments(), key=lambda one: one.key))
    bars = {one.key: made.bars[one.symbol] for one in instruments}
    funding = {one.key: made.funding[one.symbol] for one in instruments}
    scores = _scores(np.random.default_rng([seed, 1]), instruments, bars, p.ic) if p.ic > 0.0 else {}
    documents = [] if p.ic > 0.0 else made.documents
    sources = Sources(instruments, bars, funding, scores, documents, (), True, "not stored")
    return played_in(made, config, sources, replay.window_of(config, WARMUP_DAYS * DAY_NS, p.days * DAY_NS), reader)


def played_in(made: world.World, config: Config, sources: Sources, window: Window, reader: Reader) -> Played:
    """The replay of a window of a world."""
    readings = replay.read(config, sources, reader)
    tape = replay.compose(config, sources, readings, window)
    return Played(made, config, sources, readings, replay.play(config, sources.instruments, tape.events))


def _config(made: world.World, evidence: str, kappa: float) -> Config:
    with tempfile.TemporaryDirectory() as folder:
        below = write_simulated(Path(folder), made.underlyings, made.ticks, WARMUP_DAYS)
        path = below.with_name("planted.toml")
        text = f'inherits = "{below.name}"\n[agent]\nevidence = ["{evidence}"]\n[kernel.divergence]\nkappa = {kappa}\n'
        path.write_text(text, encoding="utf-8")
        return load(path)


def _scores(
    rng: np.random.Generator, instruments: tuple[Instrument, ...], bars: Mapping[str, np.ndarray], ic: float
) -> dict[str, np.ndarray]:
    """SCORE_ROW by instrument: it looks into the future, as only a planted score can."""
    found = {}
    for one in instruments:
        opens, closes = bars[one.key]["open_ns"], bars[one.key]["c"]
        step = int(SCORE_NS // (opens[1] - opens[0]))
        at = np.arange(step - 1, len(closes) - step, step)
        ahead = np.log(closes[at + step] / closes[at])
        deviation = float(np.std(ahead))
        rows = np.zeros(len(at), SCORE_ROW)
        rows["known_ns"], rows["horizon_ns"] = bars[one.key]["close_ns"][at] + MINUTE_NS, SCORE_NS
        noise = rng.normal(0.0, math.sqrt(1.0 - ic * ic), len(at))
        rows["mean"], rows["std"] = deviation * (ic * ahead / deviation + noise), deviation
        found[one.key] = rows
    return found


def clarity_of(made: world.World, readings: Readings) -> dict[int, float]:
    """Cluster -> clarity of the event that its first document tells of; 0 where it tells of none."""
    event = {made.documents[row["document"]].id: int(row["event"]) for row in made.tellings}
    found: dict[int, float] = {}
    for row in readings.rows:
        k = event[readings.documents[row["document"]].id]
        found.setdefault(int(row["cluster"]), float(made.truth["clarity"][k]) if k >= 0 else 0.0)
    return found


def cases_of(
    config: Config, sources: Sources, decisions: np.ndarray, age_ns: int, clarity: Mapping[int, float]
) -> np.ndarray:
    """CASE [n] in order of time; unresolved ones are left out.

    Of each story that leads an asset's reading the first decision at least `age_ns` after it first led, where its gap
    is beyond the trigger and on the story's side; a story without such a decision is no case. Of each score where no
    story speaks the first such decision.
    """
    found = [np.zeros(0, CASE)]
    horizon_bars = config.outcome.horizon_ns / config.agent.interval_ns
    for i, one in enumerate(sources.instruments):
        mine = decisions[decisions["asset"] == i]
        known = sources.scores[one.key]["known_ns"] if one.key in sources.scores else np.zeros(0, np.int64)
        told = mine["stories"] > 0
        which = np.where(told, mine["lead"], -1 - np.searchsorted(known, mine["ts_ns"], side="right"))
        _, first, story = np.unique(which, return_index=True, return_inverse=True)
        old = ~told | (mine["ts_ns"] - mine["ts_ns"][first][story] >= age_ns)
        beyond = np.flatnonzero(old & (mine["strength"] > 0.0) & (mine["gap"] * mine["side"] > 0.0))
        taken = mine[beyond[np.sort(np.unique(story[beyond], return_index=True)[1])]]
        labelled = label_cases(config, one, sources.bars[one.key], taken, config.outcome.horizon_ns, ROUND_THE_CLOCK)
        rows = np.zeros(len(taken), CASE)
        for name in _AS_DECIDED:
            rows[name] = taken[name]
        rows["y"], rows["net_return"] = labelled["y"], labelled["net_return"]
        rows["net_sigma"] = labelled["net_return"] / (taken["sigma"] * np.sqrt(horizon_bars))
        rows["clarity"] = [clarity.get(int(lead), np.nan) for lead in taken["lead"]]
        found.append(rows[rows["y"] != UNRESOLVED])
    return np.sort(np.concatenate(found), order=("ts_ns", "asset"))
