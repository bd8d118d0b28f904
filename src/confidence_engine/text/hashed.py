"""The reader `hashed`: counted words and pairs of words beside the cues, in a table of 131,072 small weights.

We believe that what the grammar of cues misses is mostly single words and pairs of them ("guides above",
"going concern"), and that counting them on labelled headlines is enough for a reader of a third of a megabyte
that needs no library. Words, pairs and the first five letters of long words are hashed (CRC-32) to SIZE rows
(the hashing trick: Weinberger et al. 2009); a row holds two whole numbers -127..127, for negative and positive
against neutral. logits = (u_neg, 0, u_pos), u = bias + scale * sum of rows / sqrt(their number) + cues * weights;
fitted by maximum likelihood with a ridge and then warmed on headlines it was not fitted on. The reader `embedded`
adds this opinion to its own. Fitted by `python -m confidence_engine.learn.reader`; attribution in model/NOTICE.
Far from home a reader is sure of too much: logits are divided by T = 1 + (WARMTH_AWAY - 1) * strangeness, for
strangeness = 1 in text about coins and else the share of words never seen (temperature: Guo et al. 2017).
"""

from __future__ import annotations

import functools
import hashlib
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.document import Reading
from confidence_engine.text import cues
from confidence_engine.text import weights as cue_weights
from confidence_engine.text.pieces import FOLDER

__all__ = [
    "FILE", "KNOWN", "SIZE", "TRAINED_UNTIL", "WARMTH_AWAY", "HashedReader", "Weights", "cue_row", "reading_of",
    "rows_of", "softmax", "sources", "strangeness", "warmth", "weights", "words_of",
]  # fmt: skip

SIZE: Final = 1 << 17
KNOWN: Final = 1 << 18
"""Bits of the set of words that the training headlines had; some one in fifteen strange words passes for known."""

FILE: Final = "hashed.npz"
WARMTH_AWAY: Final = 2.0
"""Found on 200 bitcoin ledes read by hand, confirmed on 200 coin headlines (docs/reader.md): of 16,130 training
headlines 14 name bitcoin."""
TRAINED_UNTIL: Final = "2024-03-01"
"""Those ledes and headlines are older than this; the labelled sets of the table are older than `weights` says."""

_AWAY: Final = frozenset(
    [
        "bitcoin",
        "bitcoins",
        "btc",
        "satoshi",
        "satoshis",
        "crypto",
        "cryptos",
        "cryptocurrency",
        "cryptocurrencies",
        "cryptoasset",
        "cryptoassets",
        "ethereum",
        "ether",
        "eth",
        "altcoin",
        "altcoins",
        "stablecoin",
        "stablecoins",
        "blockchain",
        "blockchains",
        "defi",
        "nft",
        "nfts",
        "token",
        "tokens",
        "tether",
        "usdt",
        "usdc",
        "dogecoin",
        "doge",
        "shiba",
        "solana",
        "cardano",
        "xrp",
        "ripple",
        "litecoin",
        "polkadot",
        "avalanche",
        "binance",
        "coinbase",
        "halving",
        "hodl",
        "metaverse",
        "memecoin",
        "airdrop",
        "staking",
    ]
)
_STEM: Final = 5
_STEPS: Final = 10_000


class Weights(NamedTuple):
    """What the file holds: table (SIZE, 2) int8, scale (2,), bias (2,), cues (features, 2),
    warmth, and the known words as KNOWN / 8 bytes of bits."""

    table: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    cues: np.ndarray
    warmth: float
    known: np.ndarray


@functools.cache
def weights(folder: Path = FOLDER) -> Weights:
    """The shipped weights, read once."""
    with np.load(folder / FILE) as file:
        return Weights(file["table"], file["scale"], file["bias"], file["cues"], float(file["warmth"]), file["known"])


def rows_of(text: str) -> list[int]:
    """Rows of the table that a text touches, each once, ascending."""
    words = cues.tokens_of(text)
    grams = {f"1 {word}" for word in words}
    grams |= {f"2 {left} {right}" for left, right in zip(["<", *words], [*words, ">"], strict=True)}
    grams |= {f"5 {word[:_STEM]}" for word in words if len(word) > _STEM}
    return sorted({zlib.crc32(gram.encode()) % SIZE for gram in grams})


def cue_row(text: str) -> list[float]:
    """The cue features of a text in one row; zeros where it has no cue."""
    found = cues.scan(text)
    if not found.cues:
        return [0.0] * (len(cue_weights.DIRECTION) + len(cue_weights.EMPHASIS))
    odd, even = cues.features(found)
    return odd + even


def words_of(text: str) -> list[int]:
    """Bits of the words of a text; numbers, amounts and stops are no words."""
    return [zlib.crc32(f"w {word}".encode()) % KNOWN for word in cues.tokens_of(text) if word[0].isalpha()]


def strangeness(text: str, folder: Path = FOLDER) -> float:
    """1 for text about coins; else the share of words that the training headlines never had, 0 where it has no word."""
    words = [word for word in cues.tokens_of(text) if word[0].isalpha()]
    if not _AWAY.isdisjoint(words):
        return 1.0
    known = weights(folder).known
    bits = words_of(text)
    return sum(not known[bit >> 3] >> (bit & 7) & 1 for bit in bits) / max(1, len(bits))


def warmth(text: str, folder: Path = FOLDER) -> float:
    """What the logits of a text are divided by, in [1, WARMTH_AWAY]."""
    return 1.0 + (WARMTH_AWAY - 1.0) * strangeness(text, folder)


def sources() -> bytes:
    """SHA-256 over the source of this package: with the files, all that a reading depends on."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()


def softmax(logits: Sequence[float]) -> list[float]:
    """Probabilities of logits; the sum is 1 to the last bits."""
    top = max(logits)
    parts = [math.exp(each - top) for each in logits]
    whole = math.fsum(parts)
    return [part / whole for part in parts]


def reading_of(shares: Sequence[float]) -> Reading:
    """Negative, neutral, positive in whole ten-thousandths: coarser than the last bits of two machines."""
    negative, positive = round(shares[0] * _STEPS), round(shares[2] * _STEPS)
    neutral = max(0, _STEPS - negative - positive)
    negative, positive = min(negative, _STEPS - positive), min(positive, _STEPS)
    return Reading(negative / _STEPS, neutral / _STEPS, positive / _STEPS)


class HashedReader:
    """Port `Reader` with the hashed table alone: no library, some thousands a second."""

    name = "hashed"

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder, self._weights = folder, weights(folder)
        self.version = hashlib.sha256(sources() + (folder / FILE).read_bytes()).hexdigest()[:12]

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading a text, in order."""
        return [reading_of(softmax([u / warmth(text, self._folder) for u in self.logits(text)])) for text in texts]

    def logits(self, text: str) -> list[float]:
        """Calibrated logits, strange words not looked at, of negative, neutral, positive."""
        w = self._weights
        rows, row = rows_of(text), cue_row(text)
        counted = w.table[rows].sum(0, dtype=np.int64) / math.sqrt(max(1, len(rows)))
        negative, positive = (
            float(w.bias[k])
            + float(w.scale[k]) * float(counted[k])
            + math.fsum(map(float.__mul__, row, w.cues[:, k].tolist()))
            for k in (0, 1)
        )
        return [negative / w.warmth, 0.0, positive / w.warmth]
