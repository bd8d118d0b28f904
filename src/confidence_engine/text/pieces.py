"""The pieces of a headline and their vectors: a vocabulary of 30,522 word pieces, each 384 numbers in 4 bits.

We believe the meaning of a piece need not be exact: a vector is stored as whole numbers -7..7 in groups of 32,
each group with its own scale (its largest number / 7), and the reader was trained on just these vectors, so
nothing is lost by it. The pieces are those of BERT, uncased (Devlin et al. 2019; WordPiece, Wu et al. 2016).
A text is read without its links and control characters, and no further than MAX_PIECES.
Others may use the table for likeness of texts: `tokens` cuts, `table` gives all vectors, `vectors` those of one text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from confidence_engine.text.plain import plain

__all__ = ["FOLDER", "GROUP", "MAX_PIECES", "cutter", "headline", "table", "tokens", "unpack", "vectors"]

FOLDER: Final = Path(__file__).parent / "model"
MAX_PIECES: Final = 96
GROUP: Final = 32

_LINK = re.compile(r"https?://\S*|www\.\S+|\bpic\.twitter\.com\S*")
_START, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"


def headline(text: str) -> str:
    """One line of ordinary characters, without links, with single spaces."""
    line = " ".join(_LINK.sub(" ", plain(text)).split())
    return line if line.isascii() else line.encode("utf-8", "replace").decode()


@functools.cache
def cutter(folder: Path = FOLDER) -> Any:
    """The tokenizer made of the shipped vocabulary, one piece a line."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = (folder / "vocabulary.txt").read_text("utf-8").splitlines()
    number = {word: at for at, word in enumerate(words)}
    made = Tokenizer(models.WordPiece(vocab=number, unk_token=_UNKNOWN))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}", special_tokens=[(_START, number[_START]), (_END, number[_END])]
    )
    made.enable_truncation(MAX_PIECES)
    return made


def tokens(texts: Sequence[str], folder: Path = FOLDER) -> list[list[int]]:
    """Numbers of the pieces of each text, with a start and an end piece around them."""
    return [one.ids for one in cutter(folder).encode_batch([headline(text) for text in texts])]


@functools.cache
def _packed(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(folder / "pieces.npz") as file:
        return file["nibbles"], file["scales"]


def unpack(nibbles: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Vectors (n, width) float32 of nibbles (n, width / 2) uint8, low half first, and scales (n, width / GROUP)."""
    whole = np.stack((nibbles & 15, nibbles >> 4), -1).reshape(len(nibbles), -1).astype(np.float32) - 8
    return whole * np.repeat(scales.astype(np.float32), GROUP, 1)


def vectors(numbers: Sequence[int], folder: Path = FOLDER) -> np.ndarray:
    """Vectors (n, 384) float32 of the pieces of one text."""
    nibbles, scales = _packed(folder)
    at = np.asarray(numbers, np.int64)
    return unpack(nibbles[at], scales[at])


@functools.cache
def table(folder: Path = FOLDER) -> np.ndarray:
    """All vectors (30,522, 384) float32, 47 MB: made once, to be read only."""
    whole = unpack(*_packed(folder))
    whole.setflags(write=False)
    return whole
