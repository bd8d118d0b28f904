"""Fitted weights of the reader `cues`; made by `python -m confidence_engine.text.fit FOLDER`, not by hand.

In the order of `cues.features`. Direction: the families of the lexicon, the first and the last cue,
the sign of the sum, cues in a subordinate part, the sum in a weakened text, in a question, and beside
each kind of marker. Emphasis: the constant, the families present, size of the sum, mixed signs,
weakened, question, log length, main part first, and the kinds of marker.
Learnt from twitter-financial-news-sentiment (MIT card, Ricky Costa) and SEntFiN 1.0 (MIT, Sinha et al.).
"""

from __future__ import annotations

__all__ = ["DIRECTION", "EMPHASIS", "TRAINED_UNTIL"]

TRAINED_UNTIL = "2024-01-01"
"""Neither set has dates; the newest text in them is of February 2023, so the end of that year."""

DIRECTION: tuple[float, ...] = (
    0.883,
    0.616,
    0.856,
    0.473,
    1.539,
    0.506,
    0.230,
    0.603,
    0.300,
    1.126,
    -0.118,
    0.398,
    0.148,
    0.104,
    -0.436,
    -0.153,
    -0.415,
    0.146,
    -0.013,
    0.072,
    0.092,
    0.310,
    -0.107,
)
EMPHASIS: tuple[float, ...] = (
    1.159,
    1.404,
    0.896,
    0.868,
    1.047,
    1.509,
    1.164,
    -0.260,
    0.157,
    -0.470,
    1.741,
    1.020,
    0.230,
    0.429,
    0.224,
    -1.976,
    -1.161,
    -0.297,
    -0.680,
    -0.659,
    -0.741,
    0.712,
    0.301,
    -0.286,
)
