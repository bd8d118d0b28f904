"""What the JSON records of a journal must say for a report to be made of them; what else they say is not looked at.

A journal is written for years by many programs, and may be tampered with: a payload of another shape is refused by
these types where it is read, so that nothing later has to ask what it holds.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

__all__ = ["Asset", "Config", "Document", "Faded", "Heard", "Item", "Kernel", "Narrative", "Params"]

_Time = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Narrative(msgspec.Struct):
    """Of the parameters of the stories how fast they fade, as text with its unit."""

    half_life: Annotated[str, msgspec.Meta(max_length=40)]


class Kernel(msgspec.Struct):
    """Of the kernel's parameters those of the stories."""

    narrative: Narrative


class Config(msgspec.Struct):
    """Of a configuration the kernel's."""

    kernel: Kernel


class Faded(msgspec.Struct):
    """What of a PARAMS record tells how long a story counts."""

    config: Config


class Params(msgspec.Struct):
    """A PARAMS record: the hash of the resolved configuration, and all of it."""

    hash: str
    config: dict[str, Any]


class Asset(msgspec.Struct):
    """An INSTRUMENT record: the number it has in rows; without a calendar it trades round the clock."""

    asset: int
    symbol: str
    venue: str
    underlying: str
    calendar: str = ""


class Item(msgspec.Struct):
    """An item of news; the time in ns UTC."""

    title: str
    publisher: str
    published_ns: _Time
    url: str = ""


class Heard(msgspec.Struct):
    """What a document says of one underlying; null is a number that does not exist."""

    underlying: str
    polarity: float | None
    certainty: float | None
    novelty: float | None
    relevance: float | None
    cluster: int


class Document(msgspec.Struct):
    """A DOCUMENT record: the item, and what it says of each underlying."""

    document: Item
    heard: list[Heard]

    def of(self, underlying: str) -> Heard | None:
        """What it says of an underlying."""
        return next((one for one in self.heard if one.underlying == underlying), None)
