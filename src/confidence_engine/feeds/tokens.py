"""Text that somebody split into tokens, joined as it was probably written; nothing else is touched.

Collections of tweets for research are stored in pieces: "$ aapl", "don ' t", "12 %", AT_USER for a name and URL for an
address. Readers made for headlines stumble over the pieces, so: a cashtag is joined and written in capitals, the
placeholders and a leading "rt" (a retweet) go, signs are put where a writer puts them. Case of words stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["joined"]

_CASHTAG: Final = re.compile(r"\$ ?([A-Za-z][A-Za-z.\-]{0,5})(?![A-Za-z])")
_HASHTAG: Final = re.compile(r"# (?=\w)")
_PLACEHOLDER: Final = re.compile(r"(?:(?<=\s)|^)(?:AT_USER|URL)(?=\s|$)")
_RETWEET: Final = re.compile(r"^\s*rt\b[\s:]*", re.IGNORECASE)
_MONEY: Final = re.compile(r"\$ (?=\d)")
_CLITIC: Final = re.compile(r" ' (?=(?:s|t|re|ve|ll|d|m)\b)")
_PERCENT: Final = re.compile(r"(?<=\d) %")
_STOP: Final = re.compile(r" ([.,;:!?)])(?=\s|$)")
_OPEN: Final = re.compile(r"([(]) ")
_SPACE: Final = re.compile(r"\s+")


def joined(text: str) -> str:
    """The text in one line, its tokens joined; empty where it held nothing but placeholders."""
    text = _RETWEET.sub("", _PLACEHOLDER.sub(" ", text))
    text = _MONEY.sub("$", _CASHTAG.sub(lambda found: "$" + found.group(1).upper(), text))
    text = _CLITIC.sub("'", _HASHTAG.sub("#", text))
    text = _OPEN.sub(r"\1", _STOP.sub(r"\1", _PERCENT.sub("%", _SPACE.sub(" ", text))))
    return _SPACE.sub(" ", text).strip()
