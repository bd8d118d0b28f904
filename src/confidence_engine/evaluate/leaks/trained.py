"""What was learnt from data, until when that data reaches, and whether it served an earlier decision.

A weight that was fitted on words of 2024 knows what 2023 was about. So every fitted number of this package carries the
end of the data that it, or the choice of it, rests on; a decision from before that end leaks, in the strict sense,
and it is said. Where a training set has no dates its end is set too late rather than too early: by the end of the
year of the latest date found in its texts. A key of the config with a value of yours says nothing of the data it was
chosen on, or a nudge would make any default young. What the engine learns while it runs (sources, triggers,
yardsticks) is state: it is made of the past alone, which the other checks hold.
Texts of a simulated world are made of word lists of its own and stood in no training set, whatever their date: a run
on them is exempt, by this rule and no other. Numbers that nobody fitted (gates, quality, conviction, sizes, the event
of an outcome) carry nothing; who chose them knew the world in which they were chosen, which no check can see.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from confidence_engine.config import Config
from confidence_engine.domain.units import format_time, parse_time
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.kernel import divergence
from confidence_engine.text import echo, hashed, reading, weights
from confidence_engine.text.embedded import FILES

__all__ = ["TRAINED", "Learnt", "learnt", "trained"]

TRAINED: Final = "trained-until"
ENTRIES_SEEN: Final = "2024-01-01"
"""End of the year of bars whose number of entries a week was in view when trigger and kappa were set."""


class Learnt(NamedTuple):
    """Something fitted, or chosen by looking at data: where it lives, until when the data reaches (None: not said)."""

    name: str
    where: tuple[str, ...]
    trained_until: str | None
    basis: str


def learnt(config: Config) -> list[Learnt]:
    """Everything learnt that a decision under `config` rests on."""
    found: list[Learnt] = []
    if "news" in config.agent.evidence:
        found += _reader(config)
        now, usual = config.text, reading.Params()
        if now.echo_from < 1.0:
            basis = "pairs of recorded headlines of 2021-10 to 2024-02, labelled and fitted on (docs/echoes.md)"
            where = ("text/echo.py", "text/novelty.py")
            found.append(Learnt("echo weights", where, echo.TRAINED_UNTIL, basis))
            at, basis = echo.TRAINED_UNTIL, "chosen on the same pairs"
            found.append(_key("[text] echo_from", "text/reading.py", now.echo_from == usual.echo_from, at, basis))
        at, basis = hashed.TRAINED_UNTIL, "chosen on headlines of the recorded archives among others (docs/reader.md)"
        same = now.min_certainty == usual.min_certainty
        found.append(_key("[text] min_certainty", "text/reading.py", same, at, basis))
    mine, default = config.kernel.divergence, divergence.Params()
    basis = "set with the number of entries a week on Bitcoin's bars of 2023 in view"
    for name in ("trigger", "kappa"):
        same = getattr(mine, name) == getattr(default, name)
        found.append(_key(f"[kernel.divergence] {name}", "kernel/divergence.py", same, ENTRIES_SEEN, basis))
    return found


def _key(name: str, where: str, same: bool, trained_until: str, basis: str) -> Learnt:
    """A key of the config: at its default with the default's date, else nobody has said what it was chosen on."""
    if same:
        return Learnt(name, (where,), trained_until, basis)
    return Learnt(name, (where,), None, "yours, which does not say until when the data reached that it was chosen on")


def _reader(config: Config) -> list[Learnt]:
    """The text model, and the warmth that was chosen on headlines read by hand."""
    backend = config.text.backend
    sets = "SEntFiN 1.0 (published 2022-03-08) and twitter-financial-news-sentiment (its newest text is of 2023-02)"
    files = {
        "embedded": tuple(f"text/model/{name}" for name in FILES), "hashed": (f"text/model/{hashed.FILE}",),
        "cues": ("text/weights.py",),
    }  # fmt: skip
    if backend not in files:
        basis = f"{config.text.model}: a model of yours, which does not say until when it was trained"
        return [Learnt(f"reader {backend}", (config.text.model,), None, basis)]
    found = [Learnt(f"reader {backend}", files[backend], weights.TRAINED_UNTIL, sets)]
    if backend != "cues":
        basis = "chosen on 400 recorded headlines of 2021-10 to 2024-02 (docs/reader.md)"
        found.append(Learnt("warmth away from home", ("text/hashed.py",), hashed.TRAINED_UNTIL, basis))
    return found


def trained(config: Config, decided_ns: Any, synthetic: bool, check: Check) -> list[dict[str, Any]]:
    """One row a learnt thing; `decided_ns` i8[n] are the times of decisions it served, in any order."""
    rows = []
    with check.timed():
        for one in learnt(config):
            check.n += 1
            early = len(decided_ns)
            if one.trained_until is not None:
                early = int((decided_ns < parse_time(one.trained_until)).sum())
            leaks = early > 0 and not synthetic
            if leaks:
                told = f"reaches to {one.trained_until}" if one.trained_until else "does not say to when it reaches"
                first = format_time(int(decided_ns.min()))
                check.leak(f"{one.name} {told} and served {early:,} earlier decisions, from {first} on")
            rows.append(one._asdict() | {"served_earlier": early, "exempt": synthetic, "leaks": leaks})
    return rows
