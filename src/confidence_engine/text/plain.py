"""What of a text is looked at: its first 2,000 characters, as plain characters.

We believe text from outside is material, never to be trusted to be well formed. Compatibility forms
are folded (full-width letters, ligatures), escapes that a scraper left behind ("\\xa0", "\\r\\n") and
control characters become spaces. Nothing here raises, whatever the characters.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["MAX_CHARS", "first_sentence", "normalised", "plain"]

MAX_CHARS: Final = 2_000
"""No more characters of a text are looked at than this; a headline has a tenth of it."""

_ESCAPE = re.compile(r"(?:\u00c2|\u00e2)?\\(?:x[0-9a-fA-F]{2}|[rnt](?![a-z]))")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]+")
_APOSTROPHE = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2212": "-", "\u00a0": " "})
_END = re.compile(r"(?<=[.!?])[\"'\u201d]?\s+(?=[^\sa-z])|\n")


def plain(text: str) -> str:
    """The first MAX_CHARS characters in one line of ordinary characters; case is kept."""
    text = text[:MAX_CHARS]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHE))[:MAX_CHARS]
    if "\\" in text:
        text = _ESCAPE.sub(" ", text)
    return _CONTROL.sub(" ", text)


def first_sentence(text: str) -> str:
    """Up to the first full stop, question or exclamation mark before a new sentence."""
    return _END.split(text[:MAX_CHARS].strip(), maxsplit=1)[0]


def normalised(text: str) -> str:
    """Words and digits in lower case with one space between: equal for titles that differ in dress only."""
    return " ".join(re.findall(r"[^\W_]+", plain(text).casefold()))
