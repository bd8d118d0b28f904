"""What the simulated publishers write in plain words: sentences of our own.

Each kind of event has a rising and a falling family. The sentences of one family tell the same story in other
words, so that an echo is a rewording and not a copy; {name} is the asset, {n} a number that stays the same in all
retellings. Empty items mention the asset and say nothing about its direction.
"""

from __future__ import annotations

from typing import Final

__all__ = ["EMPTY", "FALLING", "KINDS", "RISING"]

KINDS: Final = ("ruling", "listing", "upgrade", "security", "demand", "revenue")

RISING: Final[dict[str, tuple[str, ...]]] = {
    "ruling": (
        "{name} rises after regulator grants approval for its {n} million dollar fund",
        "Regulator approves {name} fund of {n} million dollars, token gains",
        "{name} wins approval: {n} million dollar fund cleared by regulator",
        "Approval for {n} million dollar {name} fund lifts the token",
    ),
    "listing": (
        "{name} jumps as {n} exchanges add trading in the token",
        "{n} exchanges list {name}, token climbs",
        "{name} gains on news that {n} exchanges will list it",
        "Listing on {n} exchanges boosts {name}",
    ),
    "upgrade": (
        "{name} climbs as network upgrade cuts fees by {n} percent",
        "Upgrade succeeds: {name} fees drop {n} percent, token rallies",
        "{name} rallies after successful upgrade lowers fees {n} percent",
        "Fees on {name} cut {n} percent by upgrade, token rises",
    ),
    "security": (
        "{name} recovers {n} million dollars of stolen funds, token rebounds",
        "{n} million dollars returned to {name} users, token surges",
        "{name} surges after team recovers {n} million dollars",
        "Stolen {n} million dollars recovered, {name} gains",
    ),
    "demand": (
        "{name} surges on record inflows of {n} million dollars",
        "Record inflows: investors put {n} million dollars into {name}, token soars",
        "{name} soars as inflows reach {n} million dollars",
        "Inflows of {n} million dollars lift {name} to a new high",
    ),
    "revenue": (
        "{name} revenue beats estimates by {n} percent, token advances",
        "{name} advances after revenue tops forecasts by {n} percent",
        "Strong quarter: {name} beats revenue estimates by {n} percent",
        "Revenue growth at {name} exceeds expectations by {n} percent, token jumps",
    ),
}

FALLING: Final[dict[str, tuple[str, ...]]] = {
    "ruling": (
        "{name} falls after regulator files lawsuit over {n} million dollar sale",
        "Regulator sues {name} over sale of {n} million dollars, token drops",
        "{name} hit by lawsuit: {n} million dollar sale called illegal",
        "Lawsuit over {n} million dollar sale sinks {name}",
    ),
    "listing": (
        "{name} slumps as {n} exchanges delist the token",
        "{n} exchanges halt trading in {name}, token tumbles",
        "{name} drops on news that {n} exchanges will delist it",
        "Delisting by {n} exchanges weighs on {name}",
    ),
    "upgrade": (
        "{name} declines as network outage lasts {n} hours",
        "Upgrade fails: {name} network down for {n} hours, token slides",
        "{name} slides after failed upgrade halts network for {n} hours",
        "Outage of {n} hours hurts {name}, token falls",
    ),
    "security": (
        "{name} plunges after hackers steal {n} million dollars",
        "Hack drains {n} million dollars from {name}, token crashes",
        "{name} crashes on {n} million dollar exploit",
        "Exploit at {name}: {n} million dollars stolen, token sinks",
    ),
    "demand": (
        "{name} sinks on record outflows of {n} million dollars",
        "Record outflows: investors pull {n} million dollars from {name}, token tumbles",
        "{name} tumbles as outflows reach {n} million dollars",
        "Outflows of {n} million dollars drag {name} to a new low",
    ),
    "revenue": (
        "{name} revenue misses estimates by {n} percent, token retreats",
        "{name} retreats after revenue falls short of forecasts by {n} percent",
        "Weak quarter: {name} misses revenue estimates by {n} percent",
        "Revenue decline at {name} worse than expected by {n} percent, token drops",
    ),
}

EMPTY: Final = (
    "{name} developers to meet in week {n}",
    "What to know about {name} in {n} minutes",
    "Interview: {n} questions for the {name} foundation",
    "{name} foundation publishes report number {n}",
    "Explained: how {name} nodes talk to each other, part {n}",
    "Podcast episode {n}: the people behind {name}",
)
