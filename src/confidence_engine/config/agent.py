"""A config file in, one frozen tree out: what two agents differ in is a file, not a program.

Every section is a tree of declared parameters and every key is checked against its declaration.
The hash is taken over the resolved values, the universe's included, so comments, order of keys
and the division into files do not matter. Secrets never stand in a file: they are environment
variables, read here and nowhere else, and shown only as set or unset.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from confidence_engine.config.source import Leaf, Spot, read_sheet
from confidence_engine.config.universe import Universe, read_universe
from confidence_engine.config.values import build, declared_spots, key_of, plain, refuse_unknown
from confidence_engine.domain.errors import ConfigError, UsageError
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from confidence_engine.domain.outcome import Params as OutcomeParams
    from confidence_engine.feeds.health import Params as HealthParams
    from confidence_engine.feeds.timing import Params as TimingParams
    from confidence_engine.journal.log import Params as JournalParams
    from confidence_engine.kernel.params import Params as KernelParams
    from confidence_engine.text.reading import Params as TextParams
    from confidence_engine.venues.sim import Params as SimParams

__all__ = ["SECRETS", "SECTIONS", "Agent", "Config", "load", "secret", "secrets_shown"]

EVIDENCE: Final = ("news", "score")
"""Kinds of evidence an agent may act on."""

SECRETS: Final = {
    "binance-spot": ("BINANCE_API_KEY", "BINANCE_API_SECRET"),
    "binance-perp": ("BINANCE_API_KEY", "BINANCE_API_SECRET"),
}
"""Environment variables a venue's account needs; a replay needs none of them."""


class Agent(NamedTuple):
    """Who trades what, where and with how much."""

    name: Annotated[str, Bound("name")]
    venue: Annotated[str, Bound("name")]
    symbols: Annotated[tuple[str, ...], Bound("name")]
    interval_ns: Annotated[int, Bound("duration", SECOND_NS, DAY_NS)] = 5 * MINUTE_NS
    initial_equity_usd: Annotated[float, Bound("usd", 1.0, 1e12)] = 100_000.0
    warmup_ns: Annotated[int, Bound("duration", 0, 3 * 365 * DAY_NS)] = 30 * DAY_NS
    evidence: Annotated[tuple[str, ...], Bound("name", choices=EVIDENCE)] = ("news",)
    real_money: Annotated[bool, Bound("flag")] = False


SECTIONS: Final[dict[str, str]] = {
    "agent": "confidence_engine.config.agent:Agent",
    "timing": "confidence_engine.feeds.timing:Params",
    "health": "confidence_engine.feeds.health:Params",
    "text": "confidence_engine.text.reading:Params",
    "kernel": "confidence_engine.kernel.params:Params",
    "sim": "confidence_engine.venues.sim:Params",
    "outcome": "confidence_engine.domain.outcome:Params",
    "journal": "confidence_engine.journal.log:Params",
}
"""Section of the file -> where its parameters are declared. A new section is a line here and a field of Config."""

DERIVED: Final = (
    ("sizing", "real_money", "real_money", lambda agent: agent.real_money),
    ("gates", "refuse_adjusted", "real_money", lambda agent: agent.real_money),
    ("divergence", "use_news", "evidence", lambda agent: "news" in agent.evidence),
    ("divergence", "use_score", "evidence", lambda agent: "score" in agent.evidence),
)
"""Kernel switches that the agent's own keys decide (stage, key, agent's key, rule): one truth, written once."""

REPEATED: Final = (
    ("feedback", "horizon_ns", "outcome"),
    ("feedback", "win_sigma", "outcome"),
    ("feedback", "loss_sigma", "outcome"),
    ("feedback", "grace_ns", "sim"),
    ("feedback", "fee_factor", "sim"),
    ("feedback", "spread_factor", "sim"),
    ("conviction", "horizon_ns", "outcome"),
    ("conviction", "win_sigma", "outcome"),
    ("conviction", "loss_sigma", "outcome"),
)
"""Kernel keys that another section decides (stage, key, section): what is learnt from is what is evaluated."""


class Config(msgspec.Struct, frozen=True):
    """One resolved config file."""

    path: Path
    agent: Agent
    timing: TimingParams
    health: HealthParams
    text: TextParams
    kernel: KernelParams
    sim: SimParams
    outcome: OutcomeParams
    journal: JournalParams
    universe: Universe

    @property
    def hash(self) -> str:
        """16 hex digits of SHA-256 over every resolved value that a decision could depend on.

        The layout of the files does not enter, nor where the record is kept.
        """
        tree = {name: one for name, one in self.tree().items() if name != "journal"}
        return hashlib.sha256(msgspec.json.encode(tree, order="sorted")).hexdigest()[:16]

    def tree(self) -> dict[str, Any]:
        """The resolved values as they would be written: durations as "5m", fractions as numbers."""
        tree = {section: plain(getattr(self, section)) for section in SECTIONS}
        return tree | {"universe": msgspec.to_builtins(self.universe)}

    def instruments(self) -> tuple[Instrument, ...]:
        """The agent's instruments, in the order of its symbols."""
        return tuple(self.universe.find(symbol, self.agent.venue) for symbol in self.agent.symbols)


def load(path: Path) -> Config:
    """Read, inherit, check and freeze a config file.

    Raises ConfigError with file, line, section and key: unknown key, wrong type or unit, out of range,
    symbol that the venue does not trade.
    """
    leaves = read_sheet(path)
    declared = {section: _declared(target) for section, target in SECTIONS.items()}
    known: set[Spot] = {("universe",)}
    for section, params in declared.items():
        known |= declared_spots(params, (section,))
    refuse_unknown(leaves, known)
    for stage, key, by, _ in DERIVED:
        if leaf := leaves.get(("kernel", stage, key)):
            raise ConfigError(f"{leaf.at}: [kernel.{stage}] {key} follows from [agent] {by}; set it there")
    for stage, key, section in REPEATED:
        if leaf := leaves.get(("kernel", stage, key_of(key))):
            raise ConfigError(f"{leaf.at}: [kernel.{stage}] {key_of(key)} follows from [{section}]; set it there")
    universe = _universe(path, leaves)
    built = {section: build(params, leaves, (section,)) for section, params in declared.items()}
    for stage, key, _, rule in DERIVED:
        ruled = getattr(built["kernel"], stage)._replace(**{key: rule(built["agent"])})
        built["kernel"] = built["kernel"]._replace(**{stage: ruled})
    for stage, key, section in REPEATED:
        same = getattr(built["kernel"], stage)._replace(**{key: getattr(built[section], key)})
        built["kernel"] = built["kernel"]._replace(**{stage: same})
    config = Config(path=path, universe=universe, **built)
    _agree(config, leaves)
    return config


def _declared(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _universe(path: Path, leaves: dict[Spot, Leaf]) -> Universe:
    leaf = leaves.get(("universe",))
    if leaf is None:
        raise ConfigError(f'{path}: universe is missing; name the file, as in universe = "universe.toml"')
    if not isinstance(leaf.value, str):
        raise ConfigError(f'{leaf.at}: universe takes the name of a file, as in universe = "universe.toml"')
    file = leaf.file.parent / leaf.value
    if not file.is_file():
        raise ConfigError(f"{leaf.at}: universe {leaf.value!r}: there is no file {file}")
    return read_universe(file)


def _agree(config: Config, leaves: dict[Spot, Leaf]) -> None:
    """What one key cannot know of another. Raises ConfigError at the key that has to change."""

    def refuse(section: str, key: str, why: str) -> None:
        leaf = leaves.get((*section.split("."), key))
        raise ConfigError(f"{leaf.at if leaf else config.path}: [{section}] {key}: {why}")

    agent = config.agent
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", agent.name):
        refuse("agent", "name", f"{agent.name!r} is not a folder name; wanted a-z, 0-9 and -, at most 32 characters")
    if agent.venue not in config.universe.venues():
        refuse("agent", "venue", f"unknown venue {agent.venue!r}; known: {', '.join(config.universe.venues())}")
    if not agent.symbols:
        refuse("agent", "symbols", "wanted at least one symbol")
    if not agent.evidence:
        refuse("agent", "evidence", f"wanted at least one of {', '.join(EVIDENCE)}")
    try:
        keys = [one.key for one in config.instruments()]
    except UsageError as error:
        refuse("agent", "symbols", str(error))
    if len(set(keys)) < len(keys):
        refuse("agent", "symbols", "two names of one instrument")
    if any("@" in symbol and not symbol.endswith(f"@{agent.venue}") for symbol in agent.symbols):
        refuse("agent", "symbols", f"an agent trades at one venue, {agent.venue}")
    if config.journal.database:
        _check_server(config.journal.database, refuse)
    gap = config.kernel.divergence
    alone = gap.kappa * gap.reaction_clip
    if gap.trigger * (1.0 - gap.volume_reach) <= alone:
        least = alone / (1.0 - gap.volume_reach)
        why = f"{gap.trigger:g} must stay above {least:.3g}, or a price move with no story to speak of could pass"
        refuse("kernel.divergence", "trigger", why)
    if config.kernel.narrative.memory_ns < config.text.cluster_window_ns:
        refuse("kernel.narrative", "memory", "shorter than [text] cluster_window: a retelling would count as new")
    if agent.real_money and config.kernel.gates.waived:
        refuse("kernel.gates", "waived", "a gate is set aside in a replay only, never with real money")
    if config.sim.grace_ns >= agent.interval_ns:
        refuse("sim", "grace", "must be shorter than a bar, or a decision could enter at a bar it already knows")
    if config.timing.funding_latency_ns <= config.timing.bar_latency_ns:
        refuse("timing", "funding_latency", "must be longer than bar_latency: a payment is due on what the bar left")
    for section, key, step in (("agent", "interval", agent.interval_ns), ("timing", "grid", config.timing.grid_ns)):
        if DAY_NS % step:
            refuse(section, key, "must divide a day, or its steps would fall at other times every day")


def _check_server(url: str, refuse: Callable[[str, str, str], None]) -> None:
    """A config names a PostgreSQL database and no password."""
    import sqlalchemy as sa

    from confidence_engine.journal.database import check_url

    try:
        found = sa.make_url(check_url(url))
    except UsageError as error:
        refuse("journal", "database", str(error))
        return
    if found.password is not None:
        refuse("journal", "database", "a password does not stand in a config; PGPASSWORD or ~/.pgpass hold it")


def secret(name: str) -> str:
    """Value of an environment variable. Raises ConfigError when it is unset; the value is never shown."""
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(f"the environment variable {name} is not set")
    return value


def secrets_shown(config: Config) -> dict[str, str]:
    """Secrets the agent's venue would need, each as "set" or "unset"."""
    return {name: "set" if os.environ.get(name) else "unset" for name in SECRETS.get(config.agent.venue, ())}
