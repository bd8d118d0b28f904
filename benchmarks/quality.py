"""Do quality and conviction know what they claim? Thirds of both over planted worlds, SYNTHETIC, with null worlds.

    python benchmarks/quality.py [SEEDS]    # 16 worlds of 300 days a table unless told; ten minutes on one core

A figure is its mean over worlds; "high less low" is the mean over worlds of the third with the highest score less
that with the lowest, with its 95 % interval by Student's t over worlds. Terciles and predictor come from the first
half of each world and every figure from the second (see evaluate/thirds.py). Fall and rise are claimed for the
planted worlds alone; the null worlds must show none.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy.stats import t as student

from confidence_engine.evaluate.planted import WORLD, Planted, planted_cases
from confidence_engine.evaluate.thirds import thirds
from confidence_engine.text.cues import CueReader

FIRST_SEED = 1000
FIGURES = ("log_loss", "log_loss_rule", "won", "net_sigma")
BLIND = WORLD._replace(stories=WORLD.stories._replace(corroboration=0.0))
TABLES = (
    ("telling: noise depends on the evidence", Planted(), ("quality", "conviction", "clarity")),
    ("null: the words know nothing", Planted(information=0.0), ("quality", "conviction")),
    ("telling, with the reaction counted (kappa 0.1)", Planted(kappa=0.1), ("quality", "conviction")),
    ("null, with the reaction counted (kappa 0.1)", Planted(information=0.0, kappa=0.1), ("quality", "conviction")),
    ("blind: noise does not depend on the evidence", Planted(world=BLIND), ("quality",)),
    ("scoring: a score with ic 0.2", Planted(days=120, ic=0.2), ("conviction",)),
    ("null: a score with ic 0", Planted(days=120, ic=1e-9), ("conviction",)),
)


def interval(differences: np.ndarray) -> str:
    """Mean with its 95 % interval over worlds."""
    n = len(differences)
    half = float(student.ppf(0.975, n - 1)) * float(np.std(differences, ddof=1)) / math.sqrt(n)
    return f"{differences.mean():+.3f} [{differences.mean() - half:+.3f}, {differences.mean() + half:+.3f}]"


def main(seeds: int) -> int:
    """Print the tables."""
    print(f"SYNTHETIC worlds, seeds {FIRST_SEED} to {FIRST_SEED + seeds - 1}, reader cues")
    for title, planted, scores in TABLES:
        worlds = [planted_cases(FIRST_SEED + k, CueReader(), planted) for k in range(seeds)]
        print(f"\n{title}: {sum(map(len, worlds)):,} cases, {np.concatenate(worlds)['y'].mean():.3f} of them won\n")
        print("| thirds of | figure | low | middle | high | high less low |\n|---|---|---|---|---|---|")
        for score in scores:
            found = [thirds(cases, score) for cases in worlds]
            for figure in FIGURES:
                values = np.array([[getattr(third, figure) for third in one] for one in found])
                low, middle, high = values.mean(axis=0)
                change = interval(values[:, 2] - values[:, 0])
                print(f"| {score} | {figure} | {low:.3f} | {middle:.3f} | {high:.3f} | {change} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 16))
