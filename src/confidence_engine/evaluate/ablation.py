"""What each part is worth: the same run again with one part neutralised, all figures side by side.

A part is neutralised by its parameters alone: a value, within its range, at which it has no say. A source is
neutralised by leaving its documents out before anything is read; a gate by waiving its bit. The difference to the
whole run is taken day by day on the same days, with a stationary bootstrap (Politis and Romano, JASA 89 (1994),
p. 1303, mean block 5 days) for its interval and a two-sided p, and p is adjusted over all rows that changed anything
(Holm, Scandinavian J. Statistics 6 (1979), p. 65). A part that changes no decision and no fill is named so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.config import Config
from confidence_engine.config.agent import REPEATED
from confidence_engine.domain.decision import GATE_NAMES
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.outcome import UNRESOLVED, WON
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.performance import daily_equity
from confidence_engine.evaluate.share import Share, share_of_cases
from confidence_engine.evaluate.summary import outcomes, rows_hash
from confidence_engine.feeds.assemble import Window
from confidence_engine.kernel.gates import OF_CASE
from confidence_engine.text.reading import Params as TextParams
from confidence_engine.text.reading import Readings

__all__ = ["BLOCK_DAYS", "DRAWS", "STAGES", "Part", "Row", "ablate", "at_neutral", "holm", "neutralised", "parts"]

DRAWS: Final = 2000
BLOCK_DAYS: Final = 5.0


class Part(NamedTuple):
    """What is neutralised: `changes` maps "kernel.divergence.kappa" to its neutral value; a source by its name."""

    kind: str  # stage, source or gate
    name: str
    what: str
    changes: dict[str, Any]


_FAR: Final = 50.0
STAGES: Final = (
    Part("stage", "text.reader", "a word list reads", {"text.backend": "cues"}),
    Part("stage", "text.relevance", "every mention counts fully",
         {"text.body_relevance": 1.0, "text.declared_relevance": 1.0, "text.sharing": 0.0}),
    Part("stage", "text.novelty", "every document is its own story",
         {"text.echo_from": 1.0, "text.novelty_floor": 1.0}),
    Part("stage", "text.silence", "what cannot be read counts as read", {"text.min_certainty": 0.0}),
    Part("stage", "price.volatility", "its own history hardly counts", {"kernel.price.vol_prior_obs": 10_000.0}),
    Part("stage", "price.participation", "volume has no say",
         {"kernel.divergence.volume_slope": 0.0, "kernel.gates.min_volume_z": -5.0}),
    Part("stage", "narrative.fading", "stories hardly fade", {"kernel.narrative.half_life_ns": 30 * DAY_NS}),
    Part("stage", "narrative.publishers", "a second publisher adds nothing",
         {"kernel.narrative.publisher_weight": 1.0}),
    Part("stage", "narrative.yardstick", "no yardstick of its own", {"kernel.narrative.readings_prior": 10_000.0}),
    Part("stage", "divergence.reaction", "the reaction does not count", {"kernel.divergence.kappa": 0.0}),
    Part("stage", "regime", "volatility knows no classes", {"kernel.regime.follow": False}),
    Part("stage", "crowd.broad", "many publishers add nothing", {"kernel.crowd.broad": 1.0}),
    Part("stage", "crowd.narrow", "one publisher alone takes nothing", {"kernel.crowd.narrow": 1.0}),
    Part("stage", "crowd.hype", "noise without support takes nothing", {"kernel.crowd.hype": 1.0}),
    Part("stage", "crowd.spent", "an extreme already paid for takes nothing", {"kernel.crowd.spent": 1.0}),
    Part("stage", "crowd.ignored", "an extreme nobody acts on takes nothing", {"kernel.crowd.ignored": 1.0}),
    Part("stage", "feedback.sources", "every source counts alike", {"kernel.sources.rate": 0.0}),
    Part("stage", "feedback.thresholds", "the trigger does not learn", {"kernel.thresholds.rate": 0.0}),
    Part("stage", "market", "the market's story does not lean", {"kernel.divergence.market_share": 0.0}),
    Part("stage", "gates.quality", "quality is not asked for", {"kernel.gates.min_quality": 0.0}),
    Part("stage", "gates.conviction", "conviction is not asked for", {"kernel.gates.min_conviction": 0.0}),
    Part("stage", "sizing.dynamic", "size knows neither of the two", {"kernel.sizing.dynamic": 0.0}),
    Part("stage", "ranking.top", "as many at once as there are", {"kernel.ranking.top": 256}),
    Part("stage", "ranking.rotation", "momentum and calm have no say", {"kernel.ranking.rotation": 0.0}),
    Part("stage", "ranking.cost", "cost has no say in the order", {"kernel.ranking.cost_factor": 0.0}),
    Part("stage", "sizing.volatility", "size does not know volatility", {"kernel.sizing.target_volatility": 0.0}),
    Part("stage", "sizing.funding", "no margin set aside for funding", {"kernel.sizing.funding_reserve": 0.0}),
    Part("stage", "exits.stop", "the stop is far away", {"kernel.exits.stop_atr": 20.0}),
    Part("stage", "exits.target", "no target", {"kernel.exits.target_atr": _FAR}),
    Part("stage", "exits.ratchet", "the stop does not trail", {"kernel.exits.trail_from_atr": _FAR}),
    Part("stage", "exits.time", "no time exit for a month", {"kernel.exits.hold_ns": 30 * DAY_NS}),
    Part("stage", "algos", "all at once", {"kernel.algos.style": "immediate"}),
    Part("stage", "sim.cost", "no spread and no impact", {"sim.spread_factor": 0.0, "sim.impact": 0.0}),
    Part("stage", "sim.fees", "no fees", {"sim.fee_factor": 0.0}),
)  # fmt: skip
"""The stages, in the order of the flow. `horizons` has no part: it is recorded and shown and moves no decision."""


class Row(msgspec.Struct, frozen=True):
    """One neutralised run beside the whole one (`kind` "whole"), in USD; `p_adjusted` None where no day differs."""

    kind: str
    name: str
    what: str
    entries: int
    moved: int  # entries that only one of the two runs has
    net_usd: float
    delta_usd: float
    delta_ci95: tuple[float, float] | None
    p_adjusted: float | None
    closed: Share
    inert: bool  # no decision and no fill differs


class _Run(NamedTuple):
    """What a run leaves for the comparison."""

    entered: set[tuple[int, int, int]]
    days: np.ndarray
    equity: np.ndarray
    closed: Share
    hashes: tuple[str, str]


def neutralised(config: Config, changes: dict[str, Any]) -> Config:
    """`config` with "section.key" or "kernel.stage.key" set. Raises UsageError for a key that does not exist."""
    for path, value in changes.items():
        section, *rest = path.split(".")
        tree = getattr(config, section, None)
        config = msgspec.structs.replace(config, **{section: _set(tree, rest, value, path)})
    kernel = config.kernel
    for stage, key, section in REPEATED:  # what one section says twice stays one truth
        same = getattr(kernel, stage)._replace(**{key: getattr(getattr(config, section), key)})
        kernel = kernel._replace(**{stage: same})
    return msgspec.structs.replace(config, kernel=kernel)


def _set(tree: Any, rest: Sequence[str], value: Any, path: str) -> Any:
    if tree is None or rest[0] not in getattr(tree, "_fields", ()):
        raise UsageError(f"there is no parameter {path}")
    changed = value if len(rest) == 1 else _set(getattr(tree, rest[0]), rest[1:], value, path)
    return tree._replace(**{rest[0]: changed})


def parts(config: Config, sources: Sources) -> tuple[Part, ...]:
    """Every stage, each kind of evidence, each publisher of the documents, and each waivable gate."""
    found = [part for part in STAGES if neutralised(config, part.changes) != config]
    if len(config.agent.evidence) > 1:
        found += [Part("source", kind, "does not speak", {f"kernel.divergence.use_{kind}": False})
                  for kind in config.agent.evidence]  # fmt: skip
    names = sorted({one.publisher for one in sources.documents})
    found += [Part("source", f"news:{name}", "left out", {}) for name in names]
    return tuple(found) + _gates(config, ~config.kernel.gates.waived)


def at_neutral(config: Config) -> tuple[Part, ...]:
    """The stages and gates that get no row, since the config has them at their neutral value already."""
    found = tuple(part for part in STAGES if neutralised(config, part.changes) == config)
    return found + _gates(config, config.kernel.gates.waived)


def _gates(config: Config, bits: int) -> tuple[Part, ...]:
    """The waivable gates among `bits`."""
    return tuple(
        Part("gate", name, "waived", {"kernel.gates.waived": config.kernel.gates.waived | 1 << k})
        for k, name in enumerate(GATE_NAMES)
        if OF_CASE & bits & 1 << k
    )


def ablate(
    config: Config, sources: Sources, reader: Callable[[TextParams], Reader], window: Window,
    progress: Callable[[int, int], None] | None = None, draws: int = DRAWS, seed: int = 0,
) -> list[Row]:  # fmt: skip
    """The whole run first, then a row for each part; `reader` gives the reader of a [text] section."""
    readings = replay.read(config, sources, reader(config.text))
    whole = _run(config, sources, readings, window)
    todo = parts(config, sources)
    rows: list[Row] = []
    p: list[float | None] = []
    for k, part in enumerate(todo):
        changed, given = neutralised(config, part.changes), sources
        if part.name.startswith("news:"):
            given = sources._replace(documents=[d for d in sources.documents if f"news:{d.publisher}" != part.name])
        fresh = given is not sources or changed.text != config.text
        told = replay.read(changed, given, reader(changed.text)) if fresh else readings
        row, chance = _compare(part, whole, _run(changed, given, told, window), draws, seed)
        rows.append(row)
        p.append(chance)
        if progress is not None:
            progress(k + 1, len(todo))
    adjusted = holm(p)
    first = Part("whole", "everything", "as it is", {})
    return [
        _compare(first, whole, whole, 0, seed)[0],
        *(msgspec.structs.replace(row, p_adjusted=q) for row, q in zip(rows, adjusted, strict=True)),
    ]


def _run(config: Config, sources: Sources, readings: Readings, window: Window) -> _Run:
    tape = replay.compose(config, sources, readings, window)
    result = replay.play(config, sources.instruments, tape.events)
    days, equity = daily_equity(result.equities["ts_ns"], result.equities["equity"])
    labelled = outcomes(config, sources, result.decisions)
    seen = labelled[labelled["y"] != UNRESOLVED]
    closed = share_of_cases(seen["y"] == WON, seen["ts_ns"], sources, config.outcome.horizon_ns)
    entered = result.decisions[result.decisions["gates"] == 0]
    keys = set(zip(entered["ts_ns"].tolist(), entered["asset"].tolist(), entered["side"].tolist(), strict=True))
    return _Run(keys, days, equity, closed, (rows_hash(result.decisions), rows_hash(result.entries)))


def _compare(part: Part, whole: _Run, other: _Run, draws: int, seed: int) -> tuple[Row, float | None]:
    """The row of one part, and its p before adjusting; None where not one fill differs."""
    ends = np.union1d(whole.days, other.days)  # fewer stories are fewer timers, and so fewer marks at the edges
    delta = np.diff(_at(other, ends)) - np.diff(_at(whole, ends))
    interval, p = _bootstrap(delta, draws, seed) if draws and np.any(delta != 0.0) else (None, None)
    row = Row(
        part.kind, part.name, part.what, len(other.entered), len(whole.entered ^ other.entered),
        float(other.equity[-1] - other.equity[0]), float(delta.sum()), interval, None, other.closed,
        part.kind != "whole" and whole.hashes == other.hashes,
    )  # fmt: skip
    return row, p


def _at(run: _Run, ends: np.ndarray) -> np.ndarray:
    """Equity f8[n] of a run at the given times, the last known; before its first mark that one."""
    return run.equity[np.maximum(np.searchsorted(run.days, ends, side="right") - 1, 0)]


def _bootstrap(delta: np.ndarray, draws: int, seed: int) -> tuple[tuple[float, float], float]:
    """95 % interval of the sum of daily differences f8[n] and the two-sided p of a true mean of zero."""
    n = len(delta)
    rng = np.random.Generator(np.random.PCG64(seed))
    at = rng.integers(0, n, (draws, n))
    stay = rng.random((draws, n)) >= 1.0 / BLOCK_DAYS
    for k in range(1, n):
        at[:, k] = np.where(stay[:, k], (at[:, k - 1] + 1) % n, at[:, k])
    sums = delta[at].sum(axis=1)
    off = np.abs(sums - delta.sum())
    low, high = np.quantile(sums, (0.025, 0.975))
    return (float(low), float(high)), float((1 + (off >= abs(delta.sum())).sum()) / (1 + draws))


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p of those that have one."""
    seen = sorted((value, k) for k, value in enumerate(p) if value is not None)
    found: list[float | None] = [None] * len(p)
    least = 0.0
    for rank, (value, k) in enumerate(seen):
        least = max(least, min(1.0, value * (len(seen) - rank)))
        found[k] = least
    return found
