"""A small simulated world for the demonstration and for tests whose answer is known. SYNTHETIC, all of it.

Prices are exp(noise + absorbed news). Noise: Student-t shocks, a common and an own part, a volatility that changes
regime. News: latent events move the fundamental at once; the price takes a part at once and closes the gap with a
half-life, A(t + dt) = F - (F - A) 2^(-dt / half_life), so that a story read in time knows something. Four publishers
tell the stories late, echo each other, are sometimes wrong, and print empty items. `information` i in [0, 1] is the
knob: a story is told from the event with chance i, else by a coin; at 0 words and later prices are independent. It
changes the words only: the bars of one seed are the same at every i. `corroboration` c in [0, 1] (0 in the demo)
lets it be seen how good a telling is. A story has a clarity k, uniform, times 1 - c for a rumour without an event:
it is told wrong with chance (1 - c) wrong_share + c (1 - k) / 2, another house takes it up with chance (1 - c) echo +
c k, and one that does says the opposite with chance c (1 - k) / 2. So many voices that agree are right more often.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.document import Document, body_hash
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.feeds.world_text import EMPTY, KINDS, PUBLISHERS, RISING, WORLD_ASSETS, sentence

__all__ = ["BAR_COLUMNS", "EVENT_TRUTH", "FUNDING_COLUMNS", "TELLING", "Params", "World", "generate", "symbol_of"]

BAR_COLUMNS: Final = np.dtype(
    [("open_ns", "i8"), ("close_ns", "i8"), ("o", "f8"), ("h", "f8"), ("l", "f8"), ("c", "f8"), ("v", "f8")]
)
FUNDING_COLUMNS: Final = np.dtype([("ts_ns", "i8"), ("rate", "f8")])
EVENT_TRUTH: Final = np.dtype(
    [("event", "i8"), ("asset", "i8"), ("at_ns", "i8"), ("kind", "i8"), ("impact", "f8"), ("told", "i8"),
     ("clarity", "f8")]
)  # fmt: skip
"""A latent event: its jump of the log fundamental (0 for a rumour without an event), the direction told first, and
how clear it is."""
TELLING: Final = np.dtype(
    [("document", "i8"), ("event", "i8"), ("asset", "i8"), ("publisher", "i8"), ("known_ns", "i8"), ("told", "i8"),
     ("echo", "i8")]
)  # fmt: skip
"""What each document is: the event behind it (-1 for an empty item), the direction told, whether it retells."""
_START: Final = (40.0, 2.5, 700.0, 0.9)


class Params(NamedTuple):
    """Rates a day and asset, shares in [0, 1], volatility a day as a fraction; durations in ns."""

    events_a_day: float = 1.2
    rumours_a_day: float = 0.3
    empty_a_day: float = 1.5
    wrong_share: float = 0.1
    corroboration: float = 0.0
    impact: float = 0.016
    at_once: float = 0.25
    half_life_ns: int = 3 * HOUR_NS
    daily_vol: float = 0.03
    regimes: tuple[float, ...] = (0.6, 1.0, 2.0)
    regime_ns: int = 30 * HOUR_NS
    shock_df: float = 4.0
    common_share: float = 0.5
    ingest_ns: int = 20 * SECOND_NS
    delay_factor: float = 1.0


class World(NamedTuple):
    """Bars, funding and tick size by symbol, documents as they become known, and the truth nobody in it knows."""

    underlyings: tuple[Underlying, ...]
    ticks: dict[str, float]
    bars: dict[str, np.ndarray]
    funding: dict[str, np.ndarray]
    documents: list[Document]
    truth: np.ndarray
    tellings: np.ndarray


def symbol_of(underlying: Underlying) -> str:
    """Symbol that an underlying trades under in the world."""
    return f"{underlying.name}/USDT"


def _decimals(asset: int) -> int:
    """Decimals of the price, so that it has about five digits."""
    return 4 - math.floor(math.log10(_START[asset % len(_START)]))


def generate(
    seed: int,
    assets: tuple[Underlying, ...] = WORLD_ASSETS,
    start_ns: int = 0,
    days: int = 45,
    interval_ns: int = 5 * MINUTE_NS,
    information: float = 1.0,
    params: Params = Params(),  # noqa: B008 (a NamedTuple is immutable)
) -> World:
    """The world of a seed: bars of interval_ns over whole days from start_ns.

    Raises UsageError where information is outside [0, 1], an asset has no name in words, or the interval does not
    divide a day.
    """
    if not 0.0 <= information <= 1.0:
        raise UsageError(f"information is a share in [0, 1], not {information}")
    if not 0.0 <= params.corroboration <= 1.0:
        raise UsageError(f"corroboration is a share in [0, 1], not {params.corroboration}")
    if days < 1 or interval_ns < SECOND_NS or DAY_NS % interval_ns:
        raise UsageError(f"{days} days in bars of {interval_ns} ns: a world has whole days and whole bars in them")
    if not assets or any(not one.names for one in assets):
        raise UsageError("a world needs assets, each with a name to write about")
    streams = [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(5)]
    market, happening, telling, chatter, doubting = streams
    truth = _events(happening, len(assets), start_ns, days, params)
    truth["clarity"] = doubting.random(len(truth)) * np.where(truth["impact"] != 0.0, 1.0, 1.0 - params.corroboration)
    open_ns = start_ns + interval_ns * np.arange(days * (DAY_NS // interval_ns), dtype=np.int64)
    sigma = _volatility(market, open_ns, interval_ns, params)
    moves = _noise(market, len(assets), sigma, params)
    bars, funding = {}, {}
    for k, one in enumerate(assets):
        path = np.cumsum(moves[k]) + _absorbed(truth[truth["asset"] == k], open_ns + interval_ns, params)
        bars[symbol_of(one)] = _bars(market, open_ns, interval_ns, path, sigma, k)
        funding[symbol_of(one)] = _funding(market, open_ns, interval_ns, path)
    truth["told"] = _told(telling, truth, information, params)
    documents, tellings = _print(telling, chatter, doubting, truth, assets, start_ns, days, params)
    ticks = {symbol_of(one): float(f"1e-{_decimals(k)}") for k, one in enumerate(assets)}
    return World(assets, ticks, bars, funding, documents, truth, tellings)


def _events(rng: np.random.Generator, assets: int, start_ns: int, days: int, p: Params) -> np.ndarray:
    """EVENT_TRUTH by Poisson counts, in order of time; rumours have no impact."""
    rows = []
    for asset in range(assets):
        for rate, size in ((p.events_a_day, p.impact), (p.rumours_a_day, 0.0)):
            count = rng.poisson(rate * days)
            some = np.zeros(count, EVENT_TRUTH)
            some["asset"] = asset
            some["at_ns"] = start_ns + rng.integers(0, days * DAY_NS, count)
            some["kind"] = rng.integers(0, len(KINDS), count)
            some["impact"] = size * rng.choice([-1.0, 1.0], count) * rng.lognormal(0.0, 0.4, count)
            rows.append(some)
    truth = np.concatenate(rows)
    truth = truth[np.argsort(truth["at_ns"], kind="stable")]
    truth["event"] = np.arange(len(truth))
    return truth


def _volatility(rng: np.random.Generator, open_ns: np.ndarray, interval_ns: int, p: Params) -> np.ndarray:
    """Standard deviation f8[n] of a bar's log return: regimes of exponential length times the hour of day."""
    span = int(open_ns[-1] - open_ns[0]) + interval_ns
    count = 2 * math.ceil(span / p.regime_ns) + 50
    edges = open_ns[0] + np.cumsum(rng.exponential(p.regime_ns, count))
    level = np.array(p.regimes)[rng.integers(0, len(p.regimes), count + 1)]
    regime = level[np.searchsorted(edges, open_ns)]
    hour = (open_ns % DAY_NS) / DAY_NS
    busy = 1.0 + 0.35 * np.sin(2 * np.pi * (hour - 0.4))
    return p.daily_vol * math.sqrt(interval_ns / DAY_NS) * regime * busy


def _noise(rng: np.random.Generator, assets: int, sigma: np.ndarray, p: Params) -> np.ndarray:
    """Log returns f8[assets, n]: unit Student-t shocks, a share of the variance common to all."""
    unit = math.sqrt((p.shock_df - 2.0) / p.shock_df)
    common = rng.standard_t(p.shock_df, len(sigma)) * unit
    own = rng.standard_t(p.shock_df, (assets, len(sigma))) * unit
    mixed: np.ndarray = sigma * (math.sqrt(p.common_share) * common + math.sqrt(1.0 - p.common_share) * own)
    return mixed


def _absorbed(events: np.ndarray, close_ns: np.ndarray, p: Params) -> np.ndarray:
    """Part of the news that is in the log price at each close, f8[n]: some at once, the rest by the half-life."""
    absorbed = np.zeros(len(close_ns))
    for event in events[events["impact"] != 0.0]:
        first = int(np.searchsorted(close_ns, event["at_ns"]))
        age = (close_ns[first:] - event["at_ns"]) / p.half_life_ns
        absorbed[first:] += event["impact"] * (1.0 - (1.0 - p.at_once) * np.exp2(-age))
    return absorbed


def _bars(
    rng: np.random.Generator, open_ns: np.ndarray, interval_ns: int, path: np.ndarray, sigma: np.ndarray, asset: int
) -> np.ndarray:
    """BAR_COLUMNS of a log path at the closes. Extremes are those of a Brownian bridge between open and close:
    M = (r + sqrt(r^2 - 2 s^2 ln U)) / 2 (Beghin and Orsingher 1999), its minimum likewise; prices to five digits.
    """
    n = len(path)
    before = np.concatenate([[0.0], path[:-1]])
    move = path - before
    top = 0.5 * (move + np.sqrt(move**2 - 2 * sigma**2 * np.log1p(-rng.random(n))))
    bottom = 0.5 * (move - np.sqrt(move**2 - 2 * sigma**2 * np.log1p(-rng.random(n))))
    start, decimals = _START[asset % len(_START)], _decimals(asset)
    bars = np.zeros(n, BAR_COLUMNS)
    bars["open_ns"], bars["close_ns"] = open_ns, open_ns + interval_ns
    for name, log_price in (("o", before), ("h", before + top), ("l", before + bottom), ("c", path)):
        bars[name] = np.maximum(np.round(start * np.exp(log_price), decimals), 10.0**-decimals)
    day, hour = open_ns // DAY_NS, (open_ns % DAY_NS) / DAY_NS
    weekend = np.where((day + 4) % 7 % 6 == 0, 0.6, 1.0)  # 1970-01-01 was a Thursday: 0 is Sunday, 6 is Saturday
    busy = weekend * (1.0 + 0.6 * np.sin(2 * np.pi * (hour - 0.4)))
    active = 0.4 + 0.6 * np.abs(move) / sigma
    dollars = 4e5 * interval_ns / (5 * MINUTE_NS) * busy * active * rng.lognormal(0.0, 0.5, n)
    bars["v"] = np.round(dollars / bars["c"], 3)
    return bars


def _funding(rng: np.random.Generator, open_ns: np.ndarray, interval_ns: int, path: np.ndarray) -> np.ndarray:
    """FUNDING_COLUMNS every 8 hours: one basis point, more where the last day rose, clipped at 10."""
    step = 8 * HOUR_NS
    first = -(-int(open_ns[0]) // step) * step
    at = np.arange(first, int(open_ns[-1]) + interval_ns, step, dtype=np.int64)
    now = np.maximum(np.searchsorted(open_ns + interval_ns, at, side="right") - 1, 0)
    day = np.maximum(now - DAY_NS // interval_ns, 0)
    funding = np.zeros(len(at), FUNDING_COLUMNS)
    funding["ts_ns"] = at
    funding["rate"] = np.clip(1e-4 + 2e-3 * (path[now] - path[day]) + rng.normal(0, 3e-5, len(at)), -1e-3, 1e-3)
    return funding


def _told(rng: np.random.Generator, truth: np.ndarray, information: float, p: Params) -> np.ndarray:
    """Direction +-1 each story is told in: from the event with chance `information`, wrong sometimes, else a coin."""
    n = len(truth)
    coin = rng.choice([-1, 1], n)
    c = p.corroboration
    wrong = (1.0 - c) * p.wrong_share + c * (1.0 - truth["clarity"]) / 2.0
    knows, errs = rng.random(n) < information, rng.random(n) < wrong
    seen = np.sign(truth["impact"]).astype(np.int64) * np.where(errs, -1, 1)
    return np.where(knows & (seen != 0), seen, coin)


def _print(
    telling: np.random.Generator,
    chatter: np.random.Generator,
    doubting: np.random.Generator,
    truth: np.ndarray,
    assets: tuple[Underlying, ...],
    start_ns: int,
    days: int,
    p: Params,
) -> tuple[list[Document], np.ndarray]:
    """Documents in order of known_ns and their TELLING rows; items after the last bar are not printed."""
    drafts: list[tuple[int, int, int, int, int, str]] = []  # known, event, asset, publisher, told, title
    for story in truth:
        drafts += _tell(telling, doubting, story, assets[int(story["asset"])], p)
    for asset, one in enumerate(assets):
        for _ in range(chatter.poisson(p.empty_a_day * days)):
            at = start_ns + int(chatter.integers(0, days * DAY_NS))
            words = sentence(0, 0, int(chatter.integers(len(EMPTY))), one.names[0], int(chatter.integers(2, 60)))
            drafts.append((at, -1, asset, int(chatter.integers(len(PUBLISHERS))), 0, words))
    drafts = sorted(d for d in drafts if d[0] + p.ingest_ns < start_ns + days * DAY_NS)
    documents, rows, broken = [], np.zeros(len(drafts), TELLING), set()
    for i, (at, event, asset, publisher, told, title) in enumerate(drafts):
        documents.append(_document(at, PUBLISHERS[publisher].name, title, p))
        rows[i] = (i, event, asset, publisher, at + p.ingest_ns, told, int(event in broken))
        if event >= 0:
            broken.add(event)
    return documents, rows


def _tell(
    rng: np.random.Generator, doubting: np.random.Generator, story: np.void, about: Underlying, p: Params
) -> list[tuple[int, int, int, int, int, str]]:
    """One house breaks the story, others may follow it in other words; every number in it stays the same.

    With corroboration the unclear stories are followed less, and contradicted.
    """
    kind, told, number = int(story["kind"]), int(story["told"]), int(rng.integers(2, 90))
    c, clarity = p.corroboration, float(story["clarity"])
    wordings = rng.permutation(len(RISING[KINDS[kind]]))
    breaking = int(rng.choice(len(PUBLISHERS), p=(0.55, 0.2, 0.15, 0.1)))
    at = int(story["at_ns"]) + _delay(rng, PUBLISHERS[breaking].delay_min * p.delay_factor)
    drafts = [(at, int(story["event"]), int(story["asset"]), breaking, told, int(wordings[0]))]
    for k, house in enumerate(PUBLISHERS):
        if k == breaking or not rng.random() < (1.0 - c) * house.echo + c * clarity:
            continue
        said = -told if c > 0.0 and doubting.random() < c * (1.0 - clarity) / 2.0 else told
        follows = at + _delay(rng, (house.delay_min + 5.0) * p.delay_factor)
        drafts.append((follows, *drafts[0][1:3], k, said, int(wordings[len(drafts)])))
    return [(*d[:5], sentence(kind, d[4], d[5], about.names[0], number)) for d in drafts]


def _delay(rng: np.random.Generator, mean_min: float) -> int:
    """Exponential delay in whole seconds, at least 20 s."""
    return 20 * SECOND_NS + int(rng.exponential(mean_min * 60.0)) * SECOND_NS


def _document(at_ns: int, publisher: str, title: str, p: Params) -> Document:
    return Document(
        id=body_hash(title, "", publisher, at_ns),
        source="world",
        publisher=publisher,
        title=title,
        published_ns=at_ns,
        first_seen_ns=at_ns + p.ingest_ns,
        fetched_ns=at_ns + p.ingest_ns,
    )
