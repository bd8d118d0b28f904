"""What the houses print: a story is broken by one house and taken up by others, late, in other words, now and then
wrong; some items are empty, and hype is shouted by all of them at once.

`information` i: a story is told from the event with chance i, else by a coin. `corroboration` c lets it be seen how
good a telling is: a story has a clarity k, uniform, times 1 - c for a rumour without an event; it is told wrong with
chance (1 - c) wrong_share + c (1 - k) / 2, another house takes it up with chance (1 - c) echo + c k, and one that does
says the opposite with chance c (1 - k) / 2. So many voices that agree are right more often, hype apart.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.document import Document, body_hash
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.units import DAY_NS, SECOND_NS
from confidence_engine.feeds.world.names import PUBLISHERS
from confidence_engine.feeds.world.params import Stories
from confidence_engine.feeds.world.plain import EMPTY
from confidence_engine.feeds.world.wording import sentence, wordings

__all__ = ["LEAST_DELAY_NS", "TELLING", "Chance", "clarities", "follows", "printed", "told"]

TELLING: Final = np.dtype(
    [("document", "i8"), ("event", "i8"), ("asset", "i8"), ("publisher", "i8"), ("known_ns", "i8"), ("told", "i8"),
     ("echo", "i8")]
)  # fmt: skip
"""What each document is: the event behind it (-1 for an empty item), the direction told, whether it retells."""
LEAST_DELAY_NS: Final = 20 * SECOND_NS
FOLLOW_MIN: Final = 5.0
"""Minutes that a house needs to follow another, beside its own delay."""
_SHOUT: Final = 0.2
"""Hype travels in a fifth of the time."""


class Chance(NamedTuple):
    """Streams of chance, each for one thing, so that what is added leaves the rest of a seed's world as it is."""

    telling: np.random.Generator
    chatter: np.random.Generator
    doubting: np.random.Generator
    disputing: np.random.Generator


class _Draft(NamedTuple):
    at_ns: int
    event: int
    asset: int
    publisher: int
    told: int
    words: str


def clarities(rng: np.random.Generator, truth: np.ndarray, p: Stories) -> np.ndarray:
    """How clear each story is, f8[n] in [0, 1]; hype has nothing to be clear about."""
    drawn = rng.random(len(truth)) * np.where(truth["impact"] != 0.0, 1.0, 1.0 - p.corroboration)
    return np.where(truth["hype"] == 1, 0.0, drawn)


def told(rng: np.random.Generator, truth: np.ndarray, information: float, p: Stories) -> np.ndarray:
    """Direction +-1 each story is told in: from the event with chance `information`, wrong sometimes, else a coin."""
    n = len(truth)
    coin = rng.choice([-1, 1], n)
    c = p.corroboration
    wrong = (1.0 - c) * p.wrong_share + c * (1.0 - truth["clarity"]) / 2.0
    knows, errs = rng.random(n) < information, rng.random(n) < wrong
    seen = np.sign(truth["impact"]).astype(np.int64) * np.where(errs, -1, 1)
    return np.where(knows & (seen != 0), seen, coin)


def follows(echo: float, clarity: float, p: Stories) -> float:
    """Chance that a house takes a story up."""
    return min(((1.0 - p.corroboration) * echo + p.corroboration * clarity) * p.echo_factor, 1.0)


def printed(
    rng: Chance, truth: np.ndarray, assets: tuple[Underlying, ...], start_ns: int, days: int, p: Stories
) -> tuple[list[Document], np.ndarray]:
    """Documents in order of known_ns and their TELLING rows; items after the last bar are not printed."""
    drafts: list[_Draft] = []
    for story in truth:
        drafts += _tell(rng, story, assets[int(story["asset"])], p)
    for asset, one in enumerate(assets):
        for _ in range(rng.chatter.poisson(p.empty_a_day * days)):
            at = start_ns + int(rng.chatter.integers(0, days * DAY_NS))
            wording, number = int(rng.chatter.integers(len(EMPTY))), int(rng.chatter.integers(2, 60))
            words = sentence(0, 0, wording, one.names[0], number, p.wording)
            drafts.append(_Draft(at, -1, asset, int(rng.chatter.integers(len(PUBLISHERS))), 0, words))
    drafts = sorted(d for d in drafts if d.at_ns + p.ingest_ns < start_ns + days * DAY_NS)
    documents, rows, broken = [], np.zeros(len(drafts), TELLING), set()
    for i, d in enumerate(drafts):
        documents.append(_document(d, p))
        rows[i] = (i, d.event, d.asset, d.publisher, d.at_ns + p.ingest_ns, d.told, int(d.event in broken))
        if d.event >= 0:
            broken.add(d.event)
    return documents, rows


def _tell(rng: Chance, story: np.void, about: Underlying, p: Stories) -> list[_Draft]:
    """One house breaks the story, others may follow it in other words; every number in it stays the same.

    With corroboration the unclear stories are followed less, and contradicted.
    """
    kind, first, number = int(story["kind"]), int(story["told"]), int(rng.telling.integers(2, 90))
    event, asset, hype = int(story["event"]), int(story["asset"]), bool(story["hype"])
    ways = rng.telling.permutation(wordings(kind, p.wording))
    breaking = int(rng.telling.choice(len(PUBLISHERS), p=[house.breaks for house in PUBLISHERS]))
    haste = p.delay_factor * (_SHOUT if hype else 1.0)
    at = int(story["at_ns"]) + _delay(rng.telling, PUBLISHERS[breaking].delay_min * haste)

    def draft(at_ns: int, house: int, said: int, way: int) -> _Draft:
        return _Draft(at_ns, event, asset, house, said, sentence(kind, said, way, about.names[0], number, p.wording))

    drafts = [draft(at, breaking, first, int(ways[0]))]
    for k, house in enumerate(PUBLISHERS):
        if k == breaking:
            continue
        chance = 1.0 if hype else follows(house.echo, float(story["clarity"]), p)
        if not rng.telling.random() < chance:
            continue
        said = -first if not hype and _disputed(rng, float(story["clarity"]), p) else first
        later = at + _delay(rng.telling, (house.delay_min + FOLLOW_MIN) * haste)
        copied = p.copies > 0.0 and said == first and rng.disputing.random() < p.copies
        drafts.append(draft(later, k, said, int(ways[0 if copied else len(drafts)])))
    return drafts


def _disputed(rng: Chance, clarity: float, p: Stories) -> bool:
    """Whether a house that follows says the opposite."""
    c = p.corroboration
    if c > 0.0 and rng.doubting.random() < c * (1.0 - clarity) / 2.0:
        return True
    return p.contradiction > 0.0 and rng.disputing.random() < p.contradiction


def _delay(rng: np.random.Generator, mean_min: float) -> int:
    """Exponential delay in whole seconds, at least 20 s."""
    return LEAST_DELAY_NS + int(rng.exponential(mean_min * 60.0)) * SECOND_NS


def _document(d: _Draft, p: Stories) -> Document:
    publisher = PUBLISHERS[d.publisher].name
    return Document(
        id=body_hash(d.words, "", publisher, d.at_ns),
        source="world",
        publisher=publisher,
        title=d.words,
        published_ns=d.at_ns,
        first_seen_ns=d.at_ns + p.ingest_ns,
        fetched_ns=d.at_ns + p.ingest_ns,
    )
