"""Another book of sentences: none of its words is a cue of a reader here, so a direction has to be understood.

The book of `plain` speaks like the lexicon of the reader `cues`, which makes a world legible to any reader. This one
shares with no reader: no phrase of text/lexicon stands in it with a direction, and no run of four words of a template
stands in the labelled headlines that the shipped reader was trained on, nor in the templates it was trained with
(tests/feeds/test_world_words.py). The reader `cues` finds nothing in it and stays silent, as it should. Kinds and
wordings are as in `plain`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["EMPTY", "FALLING", "RISING"]

RISING: Final[dict[str, tuple[str, ...]]] = {
    "ruling": (
        "Tribunal sides with {name} in its {n} million dollar dispute, holders rejoice",
        "{name} vindicated: tribunal throws the {n} million dollar dispute out",
        "Judges back {name} in {n} million dollar dispute before the tribunal",
        "A triumph for {name} as the tribunal settles the {n} million dollar dispute in its favour",
    ),
    "listing": (
        "{n} brokers open their counters to {name}, demand flourishes",
        "{name} welcomed by {n} brokers, counters crowded with customers",
        "Customers flock to {name} once {n} brokers open counters for it",
        "Counters at {n} brokers now offer {name}, an excellent reception",
    ),
    "upgrade": (
        "{name} engine becomes {n} percent quicker, a splendid rehearsal",
        "Rehearsal of the {name} engine delights: {n} percent quicker",
        "Engineers hail a {n} percent quicker {name} engine following the rehearsal",
        "{n} percent quicker and admired: the {name} engine after its rehearsal",
    ),
    "security": (
        "{name} strongroom proves impregnable, {n} million dollars safe with their owners",
        "All {n} million dollars in the {name} strongroom safe, owners relieved",
        "Owners relieved as {name} strongroom keeps {n} million dollars safe",
        "Safe and sound: {n} million dollars handed to owners of the {name} strongroom",
    ),
    "demand": (
        "Pension trustees eagerly put {n} million dollars to work in {name}",
        "{name} enjoys an enthusiastic {n} million dollars from pension trustees",
        "Enthusiastic pension trustees commit {n} million dollars to {name}",
        "Trustees of pensions hurry into {name} with {n} million dollars, spirits lively",
    ),
    "revenue": (
        "{name} takings flourish, {n} percent ahead of plan in a splendid season",
        "Season of plenty: {name} takings {n} percent ahead of plan",
        "Takings at {name} run {n} percent ahead of plan, treasurer delighted",
        "Delighted treasurer reports {name} takings {n} percent ahead of plan",
    ),
}

FALLING: Final[dict[str, tuple[str, ...]]] = {
    "ruling": (
        "Tribunal turns against {name} in its {n} million dollar dispute, holders dismayed",
        "{name} humiliated: tribunal orders it to hand over the disputed {n} million dollars",
        "Judges scold {name} in {n} million dollar dispute before the tribunal",
        "A calamity for {name} as the tribunal settles the {n} million dollar dispute against it",
    ),
    "listing": (
        "{n} brokers shut their counters to {name}, customers desert it",
        "{name} shunned by {n} brokers, counters deserted",
        "Customers flee {name} once {n} brokers shut counters for it",
        "Counters at {n} brokers turn {name} away, a dreadful verdict",
    ),
    "upgrade": (
        "{name} engine breaks for {n} hours, a miserable rehearsal",
        "Rehearsal of the {name} engine ends in ruin: {n} hours of darkness",
        "Engineers despair over {n} hours of darkness at the {name} engine in rehearsal",
        "{n} hours of darkness and ridicule: the {name} engine after its rehearsal",
    ),
    "security": (
        "{name} strongroom plundered, {n} million dollars gone from its owners",
        "All {n} million dollars in the {name} strongroom gone, owners furious",
        "Owners furious as burglars empty {name} strongroom of {n} million dollars",
        "Gone overnight: {n} million dollars plundered from owners of the {name} strongroom",
    ),
    "demand": (
        "Pension trustees hastily take {n} million dollars from {name} in disgust",
        "{name} abandoned: pension trustees pull {n} million dollars in despair",
        "Despairing pension trustees abandon {name}, taking {n} million dollars away",
        "Trustees of pensions rush out of {name} with {n} million dollars, spirits dreary",
    ),
    "revenue": (
        "{name} takings wither, {n} percent behind plan in a miserable season",
        "Season of want: {name} takings {n} percent behind plan",
        "Takings at {name} run {n} percent behind plan, treasurer dismayed",
        "Dismayed treasurer reports {name} takings {n} percent behind plan",
    ),
}

EMPTY: Final = (
    "{name} stewards gather in hall number {n}",
    "A walk of {n} minutes through the museum of {name}",
    "{n} letters to the stewards of {name}, answered",
    "Minutes of gathering number {n} of the {name} stewards",
    "How {name} couriers speak to one another, chapter {n}",
    "Chapter {n} of the {name} chronicle: the stewards",
)
