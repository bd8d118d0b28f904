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
from typing import Annotated, Any, Final, NamedTuple

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
    "Listener",
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

ID_MEMORY_NS: Final = 60 * DAY_NS
"""An item that comes again after so long counts as a new one; a feed repeats its items for days, not for months."""

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


class Listener:
    """Reads documents as they become known, in stretches of any length: the same rows however they are cut.

    `news_lag_ns` is added to a publisher's stamp where nobody recorded when the item was first seen;
    `asset_of_symbol` maps an instrument's symbol to the name of its underlying.
    """

    def __init__(
        self, underlyings: Sequence[Underlying], reader: Reader, params: Params, news_lag_ns: int,
        asset_of_symbol: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._reader, self._params, self._lag_ns = reader, params, news_lag_ns
        self._linker = Linker(underlyings)
        index_of = self._index_of = {one.name: index for index, one in enumerate(underlyings)}
        self._assets = {symbol: index_of[name] for symbol, name in asset_of_symbol.items() if name in index_of}
        self._markets = frozenset(index for index, one in enumerate(underlyings) if one.market)
        alike = params.cluster_window_ns, params.echo_from, params.novelty_floor, params.rarity_half_life_ns
        self._stories = Novelty(*alike)
        self._market = Novelty(*alike)  # what is said of the market makes no word of an asset's common
        self._publishers: dict[str, int] = {}
        self._ids: dict[str, int] = {}
        self._forgot_ns = 0
        self._heard = self._clusters = self._capped = 0

    @property
    def publishers(self) -> list[str]:
        """Publishers in the order in which they were first heard."""
        return list(self._publishers)

    def hear(self, documents: Sequence[Document], known_ns: int | None = None) -> Readings:
        """Readings of the next documents, none known before those heard earlier; indices count all that were heard.

        `known_ns` is when all of these became known; None: each when its own times say.
        """
        ordered = sorted(documents, key=lambda one: _order(one, self._lag_ns))
        at = [known_at(one, self._lag_ns) if known_ns is None else known_ns for one in ordered]
        known = np.array(at, np.int64)
        mentions, reasons = self._relevant(ordered, known)
        readings = _read(ordered, [i for i, found in enumerate(mentions) if found], self._reader, self._params)
        for i, (reading, _) in readings.items():
            if reading.certainty < self._params.min_certainty:
                reasons[i], mentions[i] = SILENT, ()
        verdicts = [
            Verdict(bool(found), why, found, *readings.get(i, (None, "")))
            for i, (found, why) in enumerate(zip(mentions, reasons, strict=True))
        ]
        rows = self._rows(ordered, verdicts, known)
        self._heard += len(ordered)
        self._capped += sum(len(one.title) > MAX_CHARS or len(one.text) > MAX_CHARS for one in ordered)
        return Readings(rows, ordered, verdicts, self.publishers, self._clusters, self._capped)

    def memory(self) -> dict[str, Any]:
        """All that later readings depend on, as msgspec can say it."""
        return {
            "underlyings": list(self._index_of),
            "stories": self._stories.memory(), "market": self._market.memory(), "publishers": self.publishers,
            "ids": list(self._ids.items()), "forgot_ns": self._forgot_ns,
            "counts": [self._heard, self._clusters, self._capped],
        }  # fmt: skip

    def remember(self, memory: dict[str, Any]) -> None:
        """Go on from what another listener of the same parameters remembered, whose universe may have been another."""
        told = memory.get("underlyings")  # not told before there was a name to it: then the universe is the same
        numbers = None if told is None else {k: self._index_of[n] for k, n in enumerate(told) if n in self._index_of}
        self._stories.remember(memory["stories"], numbers)
        self._market.remember(memory["market"], numbers)
        self._publishers = {name: k for k, name in enumerate(memory["publishers"])}
        self._ids = dict(memory["ids"])
        self._forgot_ns = memory["forgot_ns"]
        self._heard, self._clusters, self._capped = memory["counts"]

    def _relevant(
        self, ordered: Sequence[Document], known: np.ndarray
    ) -> tuple[list[tuple[Mention, ...]], list[str]]:  # fmt: skip
        """For each document its assets, or none and the reason."""
        mentions: list[tuple[Mention, ...]] = []
        reasons: list[str] = []
        p = self._params
        for one, at in zip(ordered, known.tolist(), strict=True):
            self._forget_ids(at)
            found: tuple[Mention, ...] = ()
            reason = ""
            if one.id in self._ids:
                reason = TWICE
            elif not normalised(one.title) and not normalised(one.text):
                reason = EMPTY
            else:
                shares = p.body_relevance, p.declared_relevance, p.sharing
                found = tuple(link(one, self._linker, self._assets, *shares))
                reason = "" if found else NAMES_NO_ASSET
            self._ids[one.id] = at
            mentions.append(found)
            reasons.append(reason)
        return mentions, reasons

    def _forget_ids(self, now_ns: int) -> None:
        """Items that nobody has sent again for a long time; looked for once a day, at times that items alone set."""
        if now_ns // DAY_NS > self._forgot_ns // DAY_NS:
            self._forgot_ns = now_ns
            self._ids = {one: at for one, at in self._ids.items() if at >= now_ns - ID_MEMORY_NS}

    def _rows(self, ordered: Sequence[Document], verdicts: Sequence[Verdict], known: np.ndarray) -> np.ndarray:
        """Rows with story and publisher numbers."""
        accepted = [i for i, verdict in enumerate(verdicts) if verdict.accepted]
        first: dict[str, int] = {}
        for i in accepted:
            first.setdefault(ordered[i].publisher or UNKNOWN_PUBLISHER, int(known[i]))
        for name in sorted(first.keys() - self._publishers.keys(), key=lambda name: (first[name], name)):
            self._publishers[name] = len(self._publishers)
        rows: list[tuple[float, ...]] = []
        for i in accepted:
            one, verdict = ordered[i], verdicts[i]
            assert verdict.reading is not None
            polarity, certainty = verdict.reading.polarity, verdict.reading.certainty
            sign = 0 if abs(polarity) < self._params.direction_band else 1 if polarity > 0 else -1
            about = [m.underlying for m in verdict.mentions]
            apart = self._markets.issuperset(about)
            stories = self._market if apart else self._stories
            placed = stories.place(facts(one.title, one.text), about, sign, int(known[i]), one.publisher)
            cluster = placed.cluster + apart * MARKET_STORIES
            self._clusters += placed.opened
            for m in verdict.mentions:
                row = (self._heard + i, m.underlying, int(known[i]), one.published_ns, polarity, certainty)
                told = placed.novelty[m.underlying], m.relevance, cluster, self._publishers[placed.house]
                rows.append((*row, *told))
        return np.array(rows, ROW) if rows else np.zeros(0, ROW)


def read_documents(
    documents: Sequence[Document],
    underlyings: Sequence[Underlying],
    reader: Reader,
    params: Params,
    news_lag_ns: int,
    asset_of_symbol: Mapping[str, str],
) -> Readings:
    """Readings of all documents at once, the same for every order of `documents`; arguments as of Listener."""
    return Listener(underlyings, reader, params, news_lag_ns, asset_of_symbol).hear(documents)


def _order(one: Document, lag_ns: int) -> tuple[object, ...]:
    """Sort key; all that a reading can depend on is in it, so ties are equal documents.

    Of one moment an item with a named publisher comes first: a copy in an archive that names none must not lead.
    """
    nobody = one.publisher in ("", UNKNOWN_PUBLISHER)
    return (known_at(one, lag_ns), one.published_ns, nobody, one.id, one.publisher, one.title, one.text, one.symbols)


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
