"""Documents in, one row for each asset a document is about out: the table that SIGNAL events are made of.

We believe a row may depend on nothing that became known after it. Documents are taken in the order
(known, published, named publishers first, id), whatever order they come in; stories and publishers are
numbered by first appearance in that order. A document that names no asset, or that cannot be read, has no row: the
absence of a reading is not a neutral reading. Every document gets a verdict that can be shown.

What is read for direction: the title; where the title says too little, the first sentence of the text,
if that says more. An archive's "titles" may be ledes cut short; they are read as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, NamedTuple

import numpy as np

from confidence_engine.domain.document import UNKNOWN_PUBLISHER, Document, Reading, known_at
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.params import Bound
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS, HOUR_NS, WEEK_NS
from confidence_engine.text.facts import facts
from confidence_engine.text.finbert import MODEL
from confidence_engine.text.novelty import Novelty
from confidence_engine.text.plain import MAX_CHARS, first_sentence, normalised
from confidence_engine.text.relevance import Linker, Mention, link

__all__ = [
    "BACKENDS",
    "EMPTY",
    "MARKET_STORIES",
    "NAMES_NO_ASSET",
    "ROW",
    "SILENT",
    "TWICE",
    "Params",
    "Readings",
    "Verdict",
    "read_documents",
]

BACKENDS: Final = ("embedded", "hashed", "cues", "finbert")
"""Readers that a config may name; the first is the default."""

EMPTY: Final = "has no words"
NAMES_NO_ASSET: Final = "names no asset of the universe"
SILENT: Final = "the reader cannot tell its direction"
TWICE: Final = "the same item twice"

MARKET_STORIES: Final = 1 << 40
"""Ids of stories about a whole market stand above those about assets."""

ROW: Final = np.dtype(
    [
        ("document", "i8"),  # index into Readings.documents
        ("underlying", "i8"),  # index into the universe
        ("known_ns", "i8"),
        ("published_ns", "i8"),
        ("polarity", "f8"),
        ("certainty", "f8"),
        ("novelty", "f8"),
        ("relevance", "f8"),
        ("cluster", "i8"),
        ("publisher", "i8"),  # index into Readings.publishers
    ]
)


class Params(NamedTuple):
    """Who reads, what counts as the same story, and what being named where is worth."""

    backend: Annotated[str, Bound("name", choices=BACKENDS)] = "embedded"
    model: Annotated[str, Bound("name")] = MODEL  # folder or hub name, for the backend finbert alone
    cluster_window_ns: Annotated[int, Bound("duration", HOUR_NS, 2 * WEEK_NS)] = 72 * HOUR_NS
    echo_from: Annotated[float, Bound("ratio", 0.05, 1.0)] = 0.48  # probability of an echo that joins; 1: none does
    rarity_half_life_ns: Annotated[int, Bound("duration", DAY_NS, 1000 * DAY_NS)] = 14 * DAY_NS  # of counts of words
    direction_band: Annotated[float, Bound("ratio", 0.0, 0.9)] = 0.3  # |polarity| below it has no direction
    novelty_floor: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.25  # least novelty of a story's first document
    body_relevance: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.5
    declared_relevance: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.7
    sharing: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.5  # of n assets named each counts 1 / n^sharing
    lede_below: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.4  # certainty of the title under which the text is read
    min_certainty: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.4  # below it there is no reading


class Verdict(NamedTuple):
    """Whether a document became evidence; why not, or what it is about and by what words."""

    accepted: bool
    reason: str
    mentions: tuple[Mention, ...] = ()
    reading: Reading | None = None
    read: str = ""


class Readings(NamedTuple):
    """Rows (ROW) by (known, published, id, underlying), and for each document its verdict."""

    rows: np.ndarray
    documents: list[Document]
    verdicts: list[Verdict]
    publishers: list[str]
    clusters: int
    capped: int

    def signal_columns(self) -> tuple[np.ndarray, ...]:
        """(ts_event, known, underlying, publisher, (polarity, certainty, novelty, relevance, cluster)).

        In the order `domain.event.signal_events` takes them; the caller turns publisher indices into stream ids.
        """
        rows = self.rows
        names = ("polarity", "certainty", "novelty", "relevance", "cluster")
        reading = tuple(rows[name].astype(np.float64) for name in names)
        return rows["published_ns"], rows["known_ns"], rows["underlying"], rows["publisher"], reading  # type: ignore[return-value]


def read_documents(
    documents: Sequence[Document],
    underlyings: Sequence[Underlying],
    reader: Reader,
    params: Params,
    news_lag_ns: int,
    asset_of_symbol: Mapping[str, str],
) -> Readings:
    """Readings of all documents; the same for every order of `documents`.

    `news_lag_ns` is added to a publisher's stamp where nobody recorded when the item was first seen;
    `asset_of_symbol` maps an instrument's symbol to the name of its underlying.
    """
    ordered = sorted(documents, key=lambda one: _order(one, news_lag_ns))
    mentions, reasons = _relevant(ordered, underlyings, params, asset_of_symbol)
    readings = _read(ordered, [i for i, found in enumerate(mentions) if found], reader, params)
    for i, (reading, _) in readings.items():
        if reading.certainty < params.min_certainty:
            reasons[i], mentions[i] = SILENT, ()
    verdicts = [
        Verdict(bool(found), why, found, *readings.get(i, (None, "")))
        for i, (found, why) in enumerate(zip(mentions, reasons, strict=True))
    ]
    known = np.array([known_at(one, news_lag_ns) for one in ordered], np.int64)
    markets = frozenset(index for index, one in enumerate(underlyings) if one.market)
    rows, publishers, clusters = _rows(ordered, verdicts, known, params, markets)
    capped = sum(len(one.title) > MAX_CHARS or len(one.text) > MAX_CHARS for one in ordered)
    return Readings(rows, ordered, verdicts, publishers, clusters, capped)


def _order(one: Document, lag_ns: int) -> tuple[object, ...]:
    """Sort key; all that a reading can depend on is in it, so ties are equal documents.

    Of one moment an item with a named publisher comes first: a copy in an archive that names none must not lead.
    """
    nobody = one.publisher in ("", UNKNOWN_PUBLISHER)
    return (known_at(one, lag_ns), one.published_ns, nobody, one.id, one.publisher, one.title, one.text, one.symbols)


def _relevant(
    ordered: Sequence[Document],
    underlyings: Sequence[Underlying],
    params: Params,
    asset_of_symbol: Mapping[str, str],
) -> tuple[list[tuple[Mention, ...]], list[str]]:
    """For each document its assets, or none and the reason."""
    linker = Linker(underlyings)
    index_of = {one.name: index for index, one in enumerate(underlyings)}
    assets = {symbol: index_of[name] for symbol, name in asset_of_symbol.items() if name in index_of}
    mentions: list[tuple[Mention, ...]] = []
    reasons: list[str] = []
    ids: set[str] = set()
    for one in ordered:
        found: tuple[Mention, ...] = ()
        reason = ""
        if one.id in ids:
            reason = TWICE
        elif not normalised(one.title) and not normalised(one.text):
            reason = EMPTY
        else:
            found = tuple(link(one, linker, assets, params.body_relevance, params.declared_relevance, params.sharing))
            reason = "" if found else NAMES_NO_ASSET
        ids.add(one.id)
        mentions.append(found)
        reasons.append(reason)
    return mentions, reasons


def _read(
    ordered: Sequence[Document], wanted: Sequence[int], reader: Reader, params: Params
) -> dict[int, tuple[Reading, str]]:
    """Reading and the words it was made from: the title's, or the lede's where only that says something."""
    titles = [ordered[i].title if normalised(ordered[i].title) else first_sentence(ordered[i].text) for i in wanted]
    found = dict(zip(wanted, zip(reader.read(titles), titles, strict=True), strict=True))
    unsure = [i for i in wanted if found[i][0].certainty < params.lede_below and normalised(ordered[i].text)]
    ledes = [first_sentence(ordered[i].text) for i in unsure]
    for i, lede, reading in zip(unsure, ledes, reader.read(ledes), strict=True):
        if reading.certainty > found[i][0].certainty:
            found[i] = (reading, lede)
    return found


def _rows(
    ordered: Sequence[Document],
    verdicts: Sequence[Verdict],
    known: np.ndarray,
    params: Params,
    markets: frozenset[int],
) -> tuple[np.ndarray, list[str], int]:
    """Rows with story and publisher numbers, the publishers, and the number of stories."""
    accepted = [i for i, verdict in enumerate(verdicts) if verdict.accepted]
    first: dict[str, int] = {}
    for i in accepted:
        first.setdefault(ordered[i].publisher or UNKNOWN_PUBLISHER, int(known[i]))
    publishers = sorted(first, key=lambda name: (first[name], name))
    number = {name: index for index, name in enumerate(publishers)}
    alike = params.cluster_window_ns, params.echo_from, params.novelty_floor, params.rarity_half_life_ns
    assets, market = Novelty(*alike), Novelty(*alike)  # what is said of the market makes no word of an asset's common
    rows: list[tuple[float, ...]] = []
    clusters = 0
    for i in accepted:
        one, verdict = ordered[i], verdicts[i]
        assert verdict.reading is not None
        polarity, certainty = verdict.reading.polarity, verdict.reading.certainty
        sign = 0 if abs(polarity) < params.direction_band else 1 if polarity > 0 else -1
        about = [m.underlying for m in verdict.mentions]
        apart = markets.issuperset(about)
        stories = market if apart else assets
        placed = stories.place(facts(one.title, one.text), about, sign, int(known[i]), one.publisher)
        cluster = placed.cluster + apart * MARKET_STORIES
        clusters += placed.opened
        for m in verdict.mentions:
            row = (i, m.underlying, int(known[i]), one.published_ns, polarity, certainty)
            rows.append((*row, placed.novelty[m.underlying], m.relevance, cluster, number[placed.house]))
    return np.array(rows, ROW) if rows else np.zeros(0, ROW), publishers, clusters
