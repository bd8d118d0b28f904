"""drivers.paper: an agent goes on with the feed that it had, and of another is told what is other."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.simulated import played

from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.jit import jit_enabled
from confidence_engine.domain.units import DAY_NS, parse_time
from confidence_engine.drivers.paper import Heard, agent_of
from confidence_engine.journal.reader import place_of
from confidence_engine.text.cues import CueReader

FIRST = parse_time("2025-01-01")


def feed(seed: int, wording: str, start_ns: int) -> dict[str, object]:
    """What is told of a world."""
    stories = {"wording": wording, "copies": 0.1, "regimes": [0.5, 1.0]}
    return {"feed": "world", "seed": seed, "world": {"stories": stories}, "start_ns": start_ns}


@pytest.mark.skipif(not jit_enabled(), reason="an agent is compiled")
@pytest.mark.parametrize(
    ("now", "said"),
    [
        (feed(8, "plain", FIRST), "seed was 7 and is 8"),
        (feed(7, "apart", FIRST + DAY_NS), "start was 2025-01-01T00:00:00Z and is 2025-01-02T00:00:00Z, "
                                           "world.stories.wording was plain and is apart"),
        (feed(7, "plain", FIRST) | {"more": 1}, "more was not said and is 1"),
        ({"feed": "store", "synthetic": False}, "world, and this is store"),
    ],
)  # fmt: skip
def test_of_another_feed_only_what_is_other_is_said(tmp_path: Path, now: dict[str, object], said: str) -> None:
    p, place = played(), place_of(tmp_path, "simulated")
    agent_of(place, p.config, Heard(p.sources, p.window, feed(7, "plain", FIRST)), CueReader()).journal.abandon()
    with pytest.raises(UsageError) as error:
        agent_of(place, p.config, Heard(p.sources, p.window, now), CueReader())
    assert str(error.value) == f"{place.folder} heard another feed: {said}; use another --home, or the feed that it had"
