"""How much of what could be known does the engine know? Its decisions beside two oracles, SYNTHETIC worlds.

    python benchmarks/oracles.py [WORLDS] [DAYS]    # 20 of 300 days unless told

WORLDS planted ones, half as many in which the price takes nothing at once, half as many in words apart, and three times
WORLDS null ones: 100 unless told.

Oracle A knows the truth of each world but not its future, oracle B what can be heard of it (evaluate/oracle.py);
"words" is B without prices. The engine ranks by its uncalibrated confidence. Clusters of the bootstrap are days of a
world in each single world, and worlds where they are pooled. A null world's profit is tested over worlds (Student's
t, one-sided). The fit at the end says what the decision's own columns would be worth to a calibration: it is learnt
on the first half of the worlds and measured on the second.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from confidence_engine.domain.units import DAY_NS
from confidence_engine.evaluate.oracle import Verdict, oracle_cases, replayed_cases
from confidence_engine.evaluate.planted import WORLD, Planted
from confidence_engine.evaluate.skill import Interval, auc, buckets, ratio_of_skill, skill
from confidence_engine.text.cues import CueReader
from confidence_engine.text.embedded import EmbeddedReader
from confidence_engine.text.kept import KeptReader

FIRST_SEED, NULL_SEED = 5000, 6000
GOAL = 0.6
SLOW = WORLD._replace(events=WORLD.events._replace(at_once=0.0, half_life_ns=WORLD.events.half_life_ns * 4))
NULLS = {
    "the words are coins (information 0)": WORLD._replace(stories=WORLD.stories._replace(information=0.0)),
    "the gap never closes (closing 0)": WORLD._replace(events=WORLD.events._replace(closing=0.0)),
    "a random walk (impact 0)": WORLD._replace(events=WORLD.events._replace(impact=0.0)),
}
EDGES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75)


def shown(one: Interval, form: str = ".3f") -> str:
    """A figure with its interval."""
    if one.value is None:
        return "-"
    ends = "" if one.ci95 is None else f" [{one.ci95[0]:{form}}, {one.ci95[1]:{form}}]"
    return f"{one.value:{form}}{ends}"


def pooled(worlds: list[Verdict]) -> tuple[np.ndarray, np.ndarray]:
    """All cases, and the number of the world of each; of one world alone the day, for there to be an interval."""
    cases = np.concatenate([one.cases for one in worlds])
    if len(worlds) == 1:
        return cases, cases["ts_ns"] // DAY_NS
    return cases, np.repeat(np.arange(len(worlds)), [len(one.cases) for one in worlds])


def planted_table(title: str, worlds: list[Verdict]) -> None:
    """Engine and oracles on the same cases, and the shares reached."""
    cases, world = pooled(worlds)
    y = cases["y"]
    print(f"\n{title}: {len(worlds)} worlds, {len(cases):,} cases, {y.mean():.3f} of them came true\n")
    print("| who | AUC | Brier | log-loss |\n|---|---|---|---|")
    for name, chance in (("engine, confidence", "confidence"), ("oracle B, words alone", "words"),
                         ("oracle B", "b"), ("oracle A", "a")):  # fmt: skip
        found = skill(cases[chance], y, world)
        print(f"| {name} | {shown(found.auc)} | {shown(found.brier)} | {shown(found.log_loss)} |")
    naive = skill(np.full(len(y), y.mean()), y, world, cases["first"].astype(float))
    print(f"| the first telling's sign | {shown(naive.auc)} | {shown(naive.brier)} | {shown(naive.log_loss)} |\n")
    for name, column in (("oracle B", "b"), ("oracle A", "a"), ("oracle B, words alone", "words")):
        reached = ratio_of_skill(cases["confidence"], cases[column], y, world)
        goal = f"; goal {GOAL:.0%}" if column == "b" else ""
        print(f"share of {name}'s (AUC - 0.5) that the engine reaches: {shown(reached, '.0%')}{goal}")
    print("\n| confidence | n | claimed | oracle A | came true |\n|---|---|---|---|---|")
    for row in buckets(cases["confidence"], cases["a"], y, world, EDGES):
        share = f"{row.realised:.3f} [{row.ci95[0]:.3f}, {row.ci95[1]:.3f}]"
        print(f"| {row.low:.2f} to {row.high:.2f} | {row.n} | {row.confidence:.3f} | {row.oracle:.3f} | {share} |")
    print("", flush=True)


def null_table(title: str, worlds: list[Verdict]) -> None:
    """Whether the engine finds anything where there is nothing."""
    cases, world = pooled(worlds)
    found = skill(cases["confidence"], cases["y"], world).auc
    missed = 0
    for one in worlds:
        alone = skill(one.cases["confidence"], one.cases["y"], one.cases["ts_ns"] // DAY_NS).auc
        missed += alone.ci95 is not None and not alone.ci95[0] <= 0.5 <= alone.ci95[1]
    net = np.array([one.net_usd for one in worlds])
    p = "-"
    if len(net) > 1:
        p = f"{student.sf(net.mean() / (net.std(ddof=1) / np.sqrt(len(net))), len(net) - 1):.3f}"
    within = found.ci95 is not None and found.ci95[0] <= 0.5 <= found.ci95[1]
    print(f"| {title} | {len(cases):,} | {cases['y'].mean():.3f} | {shown(found)} | {'yes' if within else 'NO'} | "
          f"{missed} of {len(worlds)} | {net.mean():+,.2f} | {p} |", flush=True)  # fmt: skip


def fit(worlds: list[Verdict]) -> None:
    """What a logistic fit on the decision's own columns would reach, where there are worlds to learn and to measure."""
    if len(worlds) < 2:
        print("no fit: it is learnt on one half of the worlds and measured on the other, and there is one world")
        return
    half = len(worlds) // 2
    before, _ = pooled(worlds[:half])
    after, world = pooled(worlds[half:])
    for title, names in (("strength and quality", ("strength", "quality")),
                         ("and the move before the story", ("strength", "quality", "anticipation")),
                         ("and the move since", ("strength", "quality", "anticipation", "reaction"))):  # fmt: skip
        weights = _logistic(_columns(before, names), before["y"])
        score = _columns(after, names) @ weights
        share = ratio_of_skill(score, after["b"], after["y"], world)
        print(f"a logistic fit of {title}: AUC {auc(score, after['y']):.3f}, share of B's {shown(share, '.0%')}")


def _columns(cases: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    found = [np.ones(len(cases))]
    for name in names:
        signed = cases["side"] if name in ("anticipation", "reaction") else 1.0
        found.append(np.nan_to_num(cases[name] * signed))
    return np.stack(found, axis=1)


def _logistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights of a logistic fit by Newton's steps, with a faint ridge."""
    w = np.zeros(x.shape[1])
    for _ in range(25):
        p = 1.0 / (1.0 + np.exp(-(x @ w)))
        curve = (x * (p * (1.0 - p))[:, None]).T @ x + 1e-3 * np.eye(len(w))
        w += np.linalg.solve(curve, x.T @ (y - p) - 1e-3 * w)
    return w


def main(count: int, days: int) -> int:
    """Print the tables."""
    print(f"SYNTHETIC worlds of {days} days, seeds from {FIRST_SEED} and {NULL_SEED}")
    cues: Any = CueReader()
    few = max(count // 2, 1)
    worlds = [oracle_cases(FIRST_SEED + k, cues, Planted(days=days)) for k in range(count)]
    planted_table("planted worlds (evaluate/planted), reader cues", worlds)
    fit(worlds)
    slow = [oracle_cases(FIRST_SEED + k, cues, Planted(days=days, world=SLOW)) for k in range(few)]
    planted_table("nothing at once, half-life 12 h, reader cues", slow)
    apart = WORLD._replace(stories=WORLD.stories._replace(wording="apart"))
    with tempfile.TemporaryDirectory() as folder:
        embedded: Any = KeptReader(EmbeddedReader(), Path(folder))
        strange = [oracle_cases(FIRST_SEED + k, embedded, Planted(days=days, world=apart)) for k in range(few)]
    planted_table("planted worlds in words that no reader was made with, reader embedded", strange)
    print("| null worlds | cases | came true | pooled AUC | holds 0.5 | single intervals that miss 0.5 | "
          "mean net USD | p of a profit |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for title, law in NULLS.items():
        null_table(title, [replayed_cases(NULL_SEED + k, cues, Planted(days=days, world=law)) for k in range(count)])
    return 0


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    raise SystemExit(main(*(asked + [20, 300][len(asked) :])))
