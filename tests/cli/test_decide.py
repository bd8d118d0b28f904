"""`confidence decide`: the decision of a moment, explained to people and to scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report.test_explain import KEYS
from tests.simulated import config_file, home, played

from confidence_engine.cli import app
from confidence_engine.domain.units import DAY_NS, format_time, parse_time


def run(*words: str, config: Path | None = None) -> int:
    file = config or home() / "config/simulated.toml"
    return app.main(["--home", str(home()), "decide", *words, "--config", str(file)])


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = run(*words, "--json")
    out = capsys.readouterr()
    assert code == 0, out.err
    assert out.out.count("\n") == 1
    found = json.loads(out.out)
    assert isinstance(found, dict)
    return found


def moments() -> list[tuple[str, str]]:
    """(symbol, time) just after some entries, when the story is fresh."""
    p = played()
    taken = p.result.decisions[p.result.decisions["gates"] == 0][::6]
    return [(p.sources.instruments[int(d["asset"])].symbol, format_time(int(d["ts_ns"]) // 1000 * 1000)) for d in taken]


def test_a_machine_gets_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    for symbol, at in moments():
        found = answer(capsys, symbol, "--at", at)
        assert set(found) == KEYS | {"learnt_from"}
        assert found["learnt_from"] == format_time(parse_time(at) - 6 * DAY_NS)
        assert (found["symbol"], found["at"], found["synthetic"]) == (symbol, at, True)
        assert found["narrative"]["stories"] >= 1
        assert any(item["accepted"] for item in found["headlines"])
        assert all(item["accepted"] or item["why"] for item in found["headlines"])


def test_a_person_gets_a_page_without_missing_words(capsys: pytest.CaptureFixture[str]) -> None:
    pages = []
    for symbol, at in moments():
        assert run(symbol, "--at", at) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert "SYNTHETIC" in out
        assert "None" not in out
        assert "nan" not in out.split()
        pages.append(out)
    shown = "\n".join(pages)
    for words in (
        "headlines about it",
        "headlines not used",
        "gap, trigger",
        "faded",
        "USD",
        "not calibrated",
        "newest item",
        "out below",
    ):
        assert words in shown


def test_since_the_replays_load_time_it_is_the_replays_own_decision(capsys: pytest.CaptureFixture[str]) -> None:
    p = played()
    taken = p.result.decisions[p.result.decisions["gates"] == 0]
    differ = 0
    for d in taken[len(taken) // 2 :: 4]:
        symbol, at = p.sources.instruments[int(d["asset"])].symbol, format_time(int(d["ts_ns"]))
        found = answer(capsys, symbol, "--at", at, "--since", format_time(p.window.load_ns))
        assert found["learnt_from"] == format_time(p.window.load_ns)
        for name in ("gap", "trigger", "strength"):  # the time as written is cut to the microsecond
            assert found[name] == pytest.approx(d[name], rel=1e-6)
        differ += answer(capsys, symbol, "--at", at)["gap"] != pytest.approx(d["gap"], rel=1e-4)
    assert differ > 0


def test_where_nobody_speaks_it_abstains(capsys: pytest.CaptureFixture[str]) -> None:
    p = played()
    rows = p.result.decisions[p.result.decisions["stories"] == 0]
    silent = rows[np.argmax(rows["ts_ns"] - rows["newest_ns"])]  # the longest silence: no story is near its end
    symbol, at = p.sources.instruments[int(silent["asset"])].symbol, format_time(int(silent["ts_ns"]))
    found = answer(capsys, symbol, "--at", at)
    assert (found["action"], found["narrative"], found["confidence"], found["plan"]) == ("abstain", None, None, None)
    assert [gate["name"] for gate in found["gates"]] == ["NO_EVIDENCE"]
    assert run(symbol, "--at", at) == 0
    assert "no live story about it" in capsys.readouterr().out


def test_a_coin_by_its_name_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    symbol, at = moments()[0]
    coin = played().config.universe.underlying(symbol.partition("/")[0])
    one, two, three = (answer(capsys, name, "--at", at) for name in (symbol, coin.name.lower(), coin.names[0]))
    assert one == two == three


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("BTC", "--at", "2025-01-18"), 2, "unknown symbol"),
        (("KVX", "--at", "2025-01-18T10:00"), 2, "has no time zone"),
        (("KVX", "--at", "noon"), 2, "ISO 8601"),
        (("KVX",), 2, "--at"),
        (("KVX", "--at", "2025-01-18", "--since", "2025-01-18"), 2, "is not before"),
        (("KVX", "--at", "2025-01-18", "--since", "soon"), 2, "ISO 8601"),
        (("KVX", "--at", "2024-12-31"), 3, "no 5m bars"),
        (("KVX", "--at", "2025-03-01"), 3, "no 5m bars"),
    ],
)
def test_what_cannot_be_decided(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    assert run(*words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


def test_a_wrong_symbol_is_refused_before_anything_is_compiled_or_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(*_: object) -> None:
        raise AssertionError("too early")

    monkeypatch.setattr("confidence_engine.cli.warm.compile_kernel", slow)
    monkeypatch.setattr("confidence_engine.cli.readers.reader_for", slow)
    assert run("FOO", "--at", "2025-01-18") == 2
    assert "unknown symbol" in capsys.readouterr().err


def test_an_ambiguous_symbol_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = config_file(tmp_path)
    universe = tmp_path / "universe.toml"
    text = universe.read_text("utf-8")
    mine = next(block for block in text.split("[[instrument]]") if "KVX/USDT" in block)
    universe.write_text(text + "\n[[instrument]]" + mine.replace("KVX/USDT", "KVX/USDC"), encoding="utf-8")
    assert run("KVX", "--at", "2025-01-18", config=file) == 2
    assert "ambiguous" in capsys.readouterr().err
    assert run("KVX/USDT", "--at", "2025-01-18", config=file) == 0


def test_just_after_the_last_bar_the_price_is_called_stale(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "KVX", "--at", "2025-01-24T00:00Z")
    assert "PRICE_STALE" in {gate["name"] for gate in found["gates"]}
    assert found["plan"] is None
    assert np.isfinite(found["price"]["last"])
