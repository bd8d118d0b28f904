"""What was learnt from data says until when, and serving an earlier decision is a leak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from confidence_engine.config import Config, load
from confidence_engine.domain.units import parse_time
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.evaluate.leaks.trained import learnt, trained
from confidence_engine.text import pieces

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def config() -> Config:
    return load(ROOT / "config/futures.toml")


def at(*times: str) -> np.ndarray:
    return np.array([parse_time(one) for one in times], np.int64)


def test_every_file_of_the_shipped_model_is_in_something_that_says_until_when(config: Config) -> None:
    shipped = {f"text/model/{file.name}" for file in pieces.FOLDER.iterdir() if file.name != "NOTICE"}
    named = {name for one in learnt(config) for name in one.where}
    assert shipped <= named
    package = ROOT / "src/confidence_engine"
    assert all((package / name).is_file() for name in named)
    assert all(one.trained_until is not None and parse_time(one.trained_until) for one in learnt(config))


def test_an_earlier_decision_is_a_leak_and_a_later_one_is_none(config: Config) -> None:
    early, late = Check("x", ""), Check("x", "")
    rows = trained(config, at("2023-05-01", "2025-01-01", "2023-06-01"), False, early)
    assert early.leaks == early.n == len(learnt(config)) == 7
    assert {row["served_earlier"] for row in rows} == {2}
    assert "2023-05-01" in early.examples[0]
    rows = trained(config, at("2024-03-01", "2025-01-01"), False, late)
    assert (late.n, late.leaks) == (7, 0)
    assert not any(row["leaks"] for row in rows)


def test_simulated_texts_stood_in_no_training_set(config: Config) -> None:
    check = Check("x", "")
    rows = trained(config, at("1999-01-01"), True, check)
    assert check.leaks == 0
    assert all(row["exempt"] and row["served_earlier"] == 1 for row in rows)


def test_a_model_that_does_not_say_until_when_is_a_leak_at_any_date(config: Config) -> None:
    mine = msgspec.structs.replace(config, text=config.text._replace(backend="finbert", model="mine"))
    check = Check("x", "")
    rows = trained(mine, at("2030-01-01"), False, check)
    assert [row["name"] for row in rows if row["leaks"]] == ["reader finbert"]


def test_only_what_a_config_uses_is_asked(config: Config) -> None:
    scores = config.agent._replace(evidence=("score",))
    assert [one.name for one in learnt(msgspec.structs.replace(config, agent=scores))] == [
        "[kernel.divergence] trigger", "[kernel.divergence] kappa"
    ]  # fmt: skip
    plain = msgspec.structs.replace(config, text=config.text._replace(backend="cues", echo_from=1.0))
    assert [one.name for one in learnt(plain)][:2] == ["reader cues", "[text] min_certainty"]


@pytest.mark.parametrize(
    ("section", "key"),
    [("divergence", "trigger"), ("divergence", "kappa"), ("text", "min_certainty"), ("text", "echo_from")],
)
def test_a_nudge_makes_nothing_younger(config: Config, section: str, key: str) -> None:
    def nudged(params: Any) -> Any:
        return params._replace(**{key: getattr(params, key) * 1.0001})

    if section == "text":
        mine = msgspec.structs.replace(config, text=nudged(config.text))
    else:
        mine = msgspec.structs.replace(
            config, kernel=config.kernel._replace(divergence=nudged(config.kernel.divergence))
        )
    check = Check("x", "")
    rows = trained(mine, at("2030-01-01"), False, check)
    assert [row["name"].split()[-1] for row in rows if row["leaks"]] == [key]
    assert len(rows) == len(learnt(config))
    assert "does not say" in check.examples[0]
