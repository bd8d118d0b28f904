"""Names to objects: the only place that knows every command and every class behind a name.

A row is a name, a "module:attribute" that is imported when the name is used and not before,
and the one line that help shows. So `confidence --help` reads this table and nothing heavier.
Commands of two words ("import bars") form a group by their first word.
"""

from __future__ import annotations

import importlib
from typing import Any, Final, NamedTuple

__all__ = ["COMMANDS", "GROUPS", "READERS", "Row", "resolve"]

_CLI = "confidence_engine.cli"


class Row(NamedTuple):
    """Where a named thing lives and what it is, in one line."""

    target: str
    line: str


COMMANDS: Final[dict[str, Row]] = {
    "demo": Row(f"{_CLI}.demo:demo", "Show in a simulated world what this is: two agents, one killed, all proved."),
    "replay": Row(f"{_CLI}.replay:replay", "Replay stored data, or a simulated world, and simulate the trades."),
    "paper": Row(f"{_CLI}.paper:paper", "Run one agent on paper, on the store or on a simulated world."),
    "shadow": Row(f"{_CLI}.shadow:shadow", "Step journals again and compare every byte with what is written."),
    "status": Row(f"{_CLI}.operator:status", "Show how the agents are."),
    "halt": Row(f"{_CLI}.operator:halt", "Stop every order that adds risk, until a resume."),
    "resume": Row(f"{_CLI}.operator:resume", "Lift every halt."),
    "flatten": Row(f"{_CLI}.operator:flatten", "Halt, and leave every position at market."),
    "limit": Row(f"{_CLI}.operator:limit", "Cap the gross exposure of the agents."),
    "parity": Row(f"{_CLI}.parity:parity", "Compare a run with a replay of its period, cause by cause."),
    "decide": Row(f"{_CLI}.decide:decide", "Explain the decision on one symbol as of a moment."),
    "study": Row(f"{_CLI}.study:study", "Show what the price does after a story, per source, class and polarity."),
    "audit": Row(f"{_CLI}.audit:audit", "Look for decisions that knew more than could be known; exit 1 on any leak."),
    "ablate": Row(f"{_CLI}.ablate:ablate", "Neutralise each stage, source and gate in turn and compare the figures."),
    "why": Row(f"{_CLI}.why:why", "Reconstruct a past decision from the journal alone."),
    "runs": Row(f"{_CLI}.runs:runs", "List the replays that were made."),
    "diff": Row(f"{_CLI}.runs:diff", "Compare two replays, figure by figure."),
    "trades": Row(f"{_CLI}.runs:trades", "Write the trades of a replay as CSV."),
    "import bars": Row(f"{_CLI}.data:import_bars", "Bring price bars into the store."),
    "import news": Row(f"{_CLI}.data:import_news", "Bring news items into the store."),
    "import funding": Row(f"{_CLI}.data:import_funding", "Bring funding rates into the store."),
    "import corporate": Row(f"{_CLI}.data:import_corporate", "Bring splits and dividends into the store."),
    "import scores": Row(f"{_CLI}.data:import_scores", "Bring your own model's scores into the store."),
    "data list": Row(f"{_CLI}.data:list_data", "List what the store holds."),
    "data check": Row(f"{_CLI}.data:check_data", "Look for gaps, duplicates, spikes and other faults in the store."),
    "text score": Row(f"{_CLI}.text:score", "Score headlines, one a line."),
    "config show": Row(f"{_CLI}.config:show_config", "Print a config file as it resolves, with its hash."),
    "journal verify": Row(f"{_CLI}.journal:verify_journals", "Check that journals are what was committed."),
    "journal export": Row(f"{_CLI}.journal:export_journal", "Write a journal as Parquet and JSON lines."),
    "journal stats": Row(f"{_CLI}.journal:show_stats", "Show what journals hold, how much, and since when."),
    "journal retire": Row(f"{_CLI}.journal:retire_journal", "Let go of old days that a sealed state stands for."),
    "journal anchor": Row(f"{_CLI}.journal:anchor_journal", "Anchor a journal whose anchor is gone, after a check."),
    "journal rebuild": Row(f"{_CLI}.rebuild:rebuild", "Tell the home's tables anew from its agents' journals."),
    "warm": Row(f"{_CLI}.warm:warm", "Compile the kernel once, ahead of the first run."),
}

GROUPS: Final[dict[str, str]] = {
    "import": "Bring files into the store.",
    "data": "Look at the store.",
    "text": "Turn words into numbers.",
    "config": "Look at config files.",
    "journal": "Check, read and thin the record of what was told, decided and done.",
}

READERS: Final[dict[str, Row]] = {
    "embedded": Row("confidence_engine.text.embedded:EmbeddedReader", "the shipped network and table; the default"),
    "hashed": Row("confidence_engine.text.hashed:HashedReader", "the shipped table of words and cues alone"),
    "cues": Row("confidence_engine.text.cues:CueReader", "direction verbs, beat and miss, inversion, negation"),
    "finbert": Row("confidence_engine.text.finbert:FinbertReader", "a model of yours, from a folder or the hub"),
}


def resolve(row: Row) -> Any:
    """The object a row points at, importing its module now."""
    module, _, attribute = row.target.partition(":")
    return getattr(importlib.import_module(module), attribute)
