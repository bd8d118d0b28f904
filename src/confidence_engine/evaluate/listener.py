"""Oracle B: what can be known of a simulated world from its parameters, its readings and its prices alone.

A particle filter for each asset. A particle holds for every live story whether there is an event behind it, its side
and size, when it happened, how clear it is and what was told first; it is drawn from the world's own law given the
first reading, and weighed by everything heard since: which house followed, when, and saying what; which house is still
silent; and what the price did, from the supposed event on. Returns are taken against the other assets (the shared
shocks leave their mark on all) and weighed by a Student-t with the volatility that a filter over the regimes expects.
It knows no truth: not which story is true, not an event that nobody told. Sources: Gordon, Salmond and Smith, IEE
Proceedings F 140 (1993), p. 107 (the filter); Hamilton, Econometrica 57 (1989), p. 357 (the regimes).
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.domain.units import DAY_NS, SECOND_NS
from confidence_engine.feeds.world import PUBLISHERS, Params
from confidence_engine.feeds.world.market import busy
from confidence_engine.feeds.world.stories import FOLLOW_MIN, LEAST_DELAY_NS

__all__ = ["HEARD", "Hearing", "Listener", "Tape", "regime_filter", "tape_of"]

HEARD: Final = np.dtype([("known_ns", "i8"), ("house", "i8"), ("said", "i8"), ("cluster", "i8")])
"""What a SIGNAL says: when it was known, who said it, the sign of its polarity, and its story."""
PARTICLES: Final = 1000
_DEAD: Final = 10.0
"""Half-lives after which a story moves nothing that could be seen."""
_BEFORE: Final = 8.0
"""Mean delays behind the first telling at which an event is looked for at most."""


class Hearing(NamedTuple):
    """How well a reader reads this world: chance that a story's document is read at all, that its sign is right, and
    documents without a story that are read as one, a day and asset. Measured, as a parameter of the world."""

    voiced: float = 1.0
    right: float = 1.0
    false_a_day: float = 0.0


class Tape(NamedTuple):
    """Closes i8[n], and for one asset the returns f8[n] less what others say of them, with their scale f8[n]."""

    close_ns: np.ndarray
    surprise: np.ndarray
    scale: np.ndarray


class _Tale:
    """One story as the particles believe it; arrays f8[particles]."""

    def __init__(self, size: np.ndarray, at_ns: np.ndarray, clarity: np.ndarray, told: np.ndarray, hype: np.ndarray):
        self.size, self.at_ns, self.clarity, self.told, self.hype = size, at_ns, clarity, told, hype
        self.silence = np.zeros(len(size))
        self.houses: set[int] = set()
        self.broke_ns = 0

    def take(self, which: np.ndarray) -> None:
        for name in ("size", "at_ns", "clarity", "told", "hype", "silence"):
            setattr(self, name, getattr(self, name)[which])


def regime_filter(returns: np.ndarray, open_ns: np.ndarray, interval_ns: int, mix: np.ndarray, p: Params) -> np.ndarray:
    """Chances f8[n, regimes] of each regime after each bar, from the returns f8[assets, n] of all assets.

    mix f8[assets, assets]: correlation of the shocks.
    """
    m = p.market
    levels = np.array(m.regimes)
    usual = m.daily_vol * math.sqrt(interval_ns / DAY_NS) * busy(open_ns, m.vol_swing)
    white = np.linalg.solve(np.linalg.cholesky(mix + 1e-9 * np.eye(len(mix))), returns) / usual
    score = np.empty((len(open_ns), len(levels)))
    for k, level in enumerate(levels):
        score[:, k] = _log_t(white / level, m.shock_df).sum(axis=0) - len(mix) * math.log(level)
    likelihood = np.exp(score - score.max(axis=1, keepdims=True)) + 1e-300
    stay = math.exp(-interval_ns / m.regime_ns)
    believed = np.full(len(levels), 1.0 / len(levels))
    found = np.empty_like(score)
    for t in range(len(score)):
        believed = (stay * believed + (1.0 - stay) / len(levels)) * likelihood[t]
        believed /= believed.sum()
        found[t] = believed
    return found


def tape_of(
    i: int, returns: np.ndarray, open_ns: np.ndarray, interval_ns: int, mix: np.ndarray, believed: np.ndarray, p: Params
) -> Tape:
    """What is left of the returns of asset i once the others' are known, and its scale."""
    level = np.sqrt(believed @ np.square(p.market.regimes))
    sigma = p.market.daily_vol * math.sqrt(interval_ns / DAY_NS) * busy(open_ns, p.market.vol_swing) * level
    others = np.delete(np.arange(len(mix)), i)
    surprise, variance = returns[i], 1.0
    if len(others):
        tied = np.linalg.solve(mix[np.ix_(others, others)] + 1e-9 * np.eye(len(others)), mix[others, i])
        surprise = surprise - tied @ returns[others]
        variance = max(1.0 - float(tied @ mix[others, i]), 1e-4)
    return Tape(open_ns + interval_ns, surprise, sigma * math.sqrt(variance))


class Listener:
    """The filter of one asset; `hear` and `gap` are called in order of time. Without `prices` it weighs words alone."""

    def __init__(
        self, p: Params, tape: Tape, hearing: Hearing, seed: int, prices: bool = True, particles: int = PARTICLES
    ) -> None:
        self._p, self._tape, self._hearing, self._n, self._prices = p, tape, hearing, particles, prices
        self._step = int(tape.close_ns[1] - tape.close_ns[0])
        self._rng = np.random.Generator(np.random.PCG64([seed, 33]))
        self._weight = np.zeros(particles)
        self._tales: dict[int, _Tale] = {}
        self._at = 0

    def hear(self, one: Any) -> None:
        """One HEARD row."""
        self._advance(int(one["known_ns"]))
        cluster, house = int(one["cluster"]), int(one["house"])
        tale = self._tales.get(cluster)
        if tale is None:
            self._begin(cluster, house, int(one["said"]), int(one["known_ns"]))
        elif house not in tale.houses:
            self._follow(tale, house, int(one["said"]), int(one["known_ns"]))
        self._renew()

    def gap(self, at_ns: int, entry_ns: int, paths: int) -> np.ndarray:
        """The open log gap f8[paths] at entry_ns as believed at at_ns, drawn from the particles by weight."""
        self._advance(at_ns)
        self._listen_to_silence(at_ns)
        self._renew()
        events, total = self._p.events, np.zeros(self._n)
        for tale in self._tales.values():
            age = np.maximum(entry_ns - tale.at_ns, 0.0) / events.half_life_ns
            total += tale.size * (1.0 - events.at_once) * events.closing * np.exp2(-age)
        return total[self._drawn(paths)]

    def _advance(self, at_ns: int) -> None:
        """Weigh the bars that are over by `at_ns`."""
        ends = int(np.searchsorted(self._tape.close_ns, at_ns, side="right"))
        if self._prices and self._tales and ends > self._at:
            bars = slice(self._at, ends)
            self._weight += self._fit(bars, self._explained(bars)).sum(axis=1)
        self._at = max(self._at, ends)
        over = at_ns - _DEAD * self._p.events.half_life_ns
        for cluster in [k for k, tale in self._tales.items() if tale.broke_ns < over]:
            del self._tales[cluster]
        if not self._tales:
            self._weight[:] = 0.0

    def _fit(self, bars: slice, moved: np.ndarray) -> np.ndarray:
        """Log likelihood f8[particles, bars] of the surprises, less the moves that stories explain."""
        scale = self._tape.scale[bars]
        return _log_t((self._tape.surprise[bars] - moved) / scale, self._p.market.shock_df)

    def _moved(self, tale: _Tale, bars: slice) -> np.ndarray:
        """Log moves f8[particles, bars] that a story makes: all alike but for their size once it has happened."""
        events, closes = self._p.events, self._tape.close_ns[bars]
        edges = np.concatenate([[closes[0] - self._step], closes]).astype(np.float64)
        grown = np.exp2((tale.at_ns - tale.broke_ns) / events.half_life_ns)
        faded = np.exp2(-(edges - tale.broke_ns) / events.half_life_ns)
        open_part = tale.size * (1.0 - events.at_once) * events.closing * grown
        moves = open_part[:, None] * -np.diff(faded)
        k = int(np.searchsorted(edges[:-1], tale.at_ns.max()))
        if k:
            age = edges[: k + 1] - tale.at_ns[:, None]
            still = 1.0 - events.closing * (1.0 - np.minimum(grown[:, None] * faded[: k + 1], 1.0))
            taken = np.where(age >= 0.0, 1.0 - (1.0 - events.at_once) * still, 0.0)
            moves[:, :k] = tale.size[:, None] * np.diff(taken, axis=1)
        return moves

    def _begin(self, cluster: int, house: int, said: int, known_ns: int) -> None:
        """A story nobody told before: drawn from the law given who broke it and in which direction."""
        p, rng, n = self._p, self._rng, self._n
        s, events = p.stories, p.events
        rates = np.array([events.events_a_day, events.rumours_a_day, events.hype_a_day])
        rates = np.append(rates * self._hearing.voiced, self._hearing.false_a_day)
        what = rng.choice(4, n, p=rates / rates.sum()) if rates.sum() > 0.0 else np.full(n, 3)
        clarity = rng.random(n) * np.where(what == 0, 1.0, 1.0 - s.corroboration) * (what != 2)
        told = np.where(rng.random(n) < self._hearing.right, said, -said)
        wrong = (1.0 - s.corroboration) * s.wrong_share + s.corroboration * (1.0 - clarity) / 2.0
        knows = s.information * (1.0 - wrong) + (1.0 - s.information) * 0.5
        side = np.where(rng.random(n) < knows, told, -told)
        size = np.where(what == 0, side * events.impact * rng.lognormal(0.0, events.impact_spread, n), 0.0)
        mean_ns = PUBLISHERS[house].delay_min * 60.0 * SECOND_NS * s.delay_factor
        late = np.minimum(rng.exponential(mean_ns, n), _BEFORE * mean_ns) + LEAST_DELAY_NS + s.ingest_ns
        tale = _Tale(size, known_ns - late, clarity, told, what == 2)
        tale.broke_ns, tale.houses = known_ns, {house}
        self._look_back(tale)
        self._tales[cluster] = tale

    def _look_back(self, tale: _Tale) -> None:
        """Weigh what the price did between the supposed event and now."""
        first = int(np.searchsorted(self._tape.close_ns, tale.at_ns.min()))
        if first >= self._at or not self._prices:
            return
        bars = slice(first, self._at)
        before = self._explained(bars)
        with_it = self._fit(bars, before + self._moved(tale, bars))
        self._weight += (with_it - self._fit(bars, before)).sum(axis=1)

    def _explained(self, bars: slice) -> np.ndarray:
        """Log moves f8[particles, bars] that the stories heard so far make."""
        moved = np.zeros((self._n, bars.stop - bars.start))
        for tale in self._tales.values():
            moved += self._moved(tale, bars)
        return moved

    def _chances(self, tale: _Tale, house: int) -> np.ndarray:
        """Chance f8[particles] that a house takes the story up, and is read."""
        s = self._p.stories
        c = s.corroboration
        usual = np.minimum(((1.0 - c) * PUBLISHERS[house].echo + c * tale.clarity) * s.echo_factor, 1.0)
        return self._hearing.voiced * np.where(tale.hype, 1.0, usual)

    def _delay(self, tale: _Tale, house: int) -> np.ndarray:
        """Mean delay f8[particles], ns, of a house that follows."""
        mean = (PUBLISHERS[house].delay_min + FOLLOW_MIN) * 60.0 * SECOND_NS * self._p.stories.delay_factor
        return mean * np.where(tale.hype, 0.2, 1.0)

    def _follow(self, tale: _Tale, house: int, said: int, known_ns: int) -> None:
        """Another house tells it: that it does, when, and what it says."""
        s = self._p.stories
        tale.houses.add(house)
        mean = self._delay(tale, house)
        since = max(known_ns - tale.broke_ns - LEAST_DELAY_NS, 0)
        opposite = s.corroboration * (1.0 - tale.clarity) / 2.0
        opposite = opposite + (1.0 - opposite) * s.contradiction
        opposite = np.where(tale.hype, 0.0, opposite)
        agrees = opposite * (1.0 - self._hearing.right) + (1.0 - opposite) * self._hearing.right
        said_so = np.where(tale.told == said, agrees, 1.0 - agrees)
        self._weight += _log(self._chances(tale, house) * said_so) - since / mean - np.log(mean)
        self._hush(tale, known_ns)

    def _listen_to_silence(self, at_ns: int) -> None:
        for tale in self._tales.values():
            self._hush(tale, at_ns)

    def _hush(self, tale: _Tale, at_ns: int) -> None:
        """Weigh that the houses not heard yet have not spoken: 1 - e F(t)."""
        silence = np.zeros(self._n)
        since = max(at_ns - tale.broke_ns - LEAST_DELAY_NS, 0)
        for house in range(len(PUBLISHERS)):
            if house not in tale.houses:
                spoken = -np.expm1(-since / self._delay(tale, house))
                silence += _log(1.0 - self._chances(tale, house) * spoken)
        self._weight += silence - tale.silence
        tale.silence = silence

    def _renew(self) -> None:
        """Draw the particles anew where few of them carry the weight."""
        if not self._tales:
            return
        w = np.exp(self._weight - self._weight.max())
        if w.sum() ** 2 >= 0.3 * self._n * (w * w).sum():
            return
        which = self._drawn(self._n)
        for tale in self._tales.values():
            tale.take(which)
        self._weight[:] = 0.0

    def _drawn(self, count: int) -> np.ndarray:
        """Indices i8[count] by weight (systematic: Kitagawa, J. Comp. Graph. Stat. 5, 1996, p. 1), in random order."""
        w = np.exp(self._weight - self._weight.max())
        edges = np.cumsum(w / w.sum())
        which = np.searchsorted(edges, (np.arange(count) + self._rng.random()) / count)
        return self._rng.permutation(np.minimum(which, self._n - 1))


def _log(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.log(np.maximum(x, 1e-12))
    return found


def _log_t(x: np.ndarray, df: float) -> np.ndarray:
    """Log density of a Student-t with unit variance, up to a constant."""
    found: np.ndarray = -0.5 * (df + 1.0) * np.log1p(x * x / (df - 2.0))
    return found
