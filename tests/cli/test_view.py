"""The live view of a small real run: everything that is promised is on a terminal of 80 by 24, and it costs little."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tests.simulated import played

from confidence_engine.cli import view as module
from confidence_engine.cli.panel import decision_words
from confidence_engine.cli.view import Lines, View, watcher
from confidence_engine.drivers.agent import Cast, start
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.stretch import Stretch
from confidence_engine.journal.reader import place_of
from confidence_engine.kernel.risk import HALT_OPERATOR
from confidence_engine.text.cues import CueReader


def terminal(width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, legacy_windows=False, highlight=False
    )


def shown(seen: View, width: int = 80, height: int = 24) -> list[str]:
    """The lines of the picture as they stand on a terminal."""
    console = Console(file=io.StringIO(), width=width, height=height, record=True, highlight=False)
    console.print(seen.picture(width, height))
    return console.export_text().splitlines()


class Run:
    """An agent that has lived through the shared world and is left in the middle of it, and who looked on."""

    def __init__(self, folder: Path) -> None:
        p = played()
        cast = Cast(p.config, p.sources.instruments, CueReader(), p.window, p.sources.sessions, True)
        ticks = itertools.count(1)
        self.agent = start(place_of(folder, "simulated"), cast, clock=lambda: next(ticks), reserve=0)
        self.console = terminal()
        self.seen = View(self.agent, 600.0, self.console)
        self.made: list[list[Stretch]] = []
        coming = deliveries(p.sources, p.config.timing, p.window)
        began = time.monotonic()
        with self.seen:
            while some := list(itertools.islice(coming, 97)):
                before = time.perf_counter()
                made = self.agent.take(some)
                self.seen.saw(self.agent, some, made, time.perf_counter() - before)
                self.made.append(made)
                if self.agent.state.head[0].open_positions and self.agent.state.head[0].steps > 20_000:
                    break
        self.took_s = time.monotonic() - began


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    made = Run(tmp_path_factory.mktemp("view"))
    yield made
    made.agent.journal.abandon()


def test_everything_promised_is_there(run: Run) -> None:
    lines, state = shown(run.seen), run.agent.state
    text, head = "\n".join(lines), state.head[0]
    assert "SYNTHETIC" in lines[0]
    assert "600 x the clock" in lines[0]
    assert f"equity {head.equity:,.2f} USD" in text
    assert f"P&L {head.equity - head.start_equity:+,.2f}" in text
    assert f"open {head.open_positions}" in text
    for k, one in enumerate(run.agent.cast.instruments):
        row = next(line for line in lines if line.startswith(one.symbol))
        assert f"{state.asset[k].price:,.6g}" in row
        if state.book[k].lots:
            assert ("long" if state.book[k].lots > 0 else "short") in row
        told = state.told[int(state.inst[k].underlying)]
        if told.live and np.isfinite(told.z_story):
            assert f"{told.z_story:+.2f}" in row
    assert any("no evidence" in line or "small gap" in line for line in lines)
    assert "feed: well, newest bar" in text
    assert f"{head.steps:,} events" in text
    assert "p50" in text
    assert "p99" in text
    assert "events/s" in text
    assert any(word in text for word in (" bought at ", " sold at "))
    assert any(word in text for word in (" buy: The story", " sell: The story", " stand aside: "))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 15), (200, 60), (40, 8), (80, 3)])
def test_it_fits(run: Run, width: int, height: int) -> None:
    lines = shown(run.seen, width, height)
    assert max(map(len, lines)) <= width
    assert "SYNTHETIC" in lines[0]
    if height >= 15:
        assert len(lines) <= height - 1


def test_it_is_drawn_seldom_and_the_cursor_comes_back(run: Run) -> None:
    assert run.seen.drawn <= run.took_s / module.LEAST_S + 2
    file = run.console.file
    assert isinstance(file, io.StringIO)
    said = file.getvalue()
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l")


def test_many_assets_are_counted_and_held_ones_come_first(run: Run) -> None:
    lines = shown(run.seen, 80, 15)
    held = [one.symbol for k, one in enumerate(run.agent.cast.instruments) if run.agent.state.book[k].lots]
    rows = [line for line in lines if line.startswith(tuple(one.symbol for one in run.agent.cast.instruments))]
    assert len(rows) < len(run.agent.cast.instruments)
    assert rows[0].startswith(held[0])
    assert f"and {len(run.agent.cast.instruments) - len(rows)} more" in lines


def test_a_feed_that_is_ill_and_a_halt_are_said(run: Run) -> None:
    state, symbol = run.agent.state, run.agent.cast.instruments[1].symbol
    state.asset[1].feed, state.head[0].halted = 1, HALT_OPERATOR
    try:
        text = "\n".join(shown(run.seen))
    finally:
        state.asset[1].feed, state.head[0].halted = 0, 0
    assert f"DEGRADED, no entries on {symbol}" in text
    assert f"{symbol} !" in text
    assert "HALTED by operator" in text


class Broken(io.StringIO):
    """A terminal that went away."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_goes_away_does_not_stop_the_agent(run: Run) -> None:
    console = terminal()
    with View(run.agent, 1.0, console) as seen:
        console.file = Broken()
        seen._next = 0.0
        seen.saw(run.agent, [], [], 0.001)
        seen._next = 0.0
        drawn = seen.drawn
        seen.saw(run.agent, [], [], 0.001)
        assert seen.drawn == drawn
        console.file = io.StringIO()


def test_an_error_gives_the_terminal_back(run: Run) -> None:
    console = terminal()
    with pytest.raises(KeyboardInterrupt), View(run.agent, 1.0, console):
        raise KeyboardInterrupt
    file = console.file
    assert isinstance(file, io.StringIO)
    assert file.getvalue().endswith("\x1b[?25h")


def test_a_slow_terminal_is_drawn_more_seldom(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    console = terminal()
    with View(run.agent, 1.0, console) as seen:
        real = seen.picture

        def slow(width: int, height: int) -> Any:
            time.sleep(0.05)
            return real(width, height)

        monkeypatch.setattr(seen, "picture", slow)
        seen._draw()
        assert seen._next - time.monotonic() > 0.05 / module.SHARE - 0.1


@pytest.mark.parametrize("plain", [True, False])
def test_where_there_is_no_terminal_there_are_lines(run: Run, plain: bool) -> None:
    with watcher(run.agent, 1.0, plain) as seen:
        assert isinstance(seen, Lines)


def test_lines_tell_fills_and_days(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(run.agent)
    lines._day -= 1
    for made in run.made:
        lines.saw(run.agent, [], made, 0.0)
    err = capsys.readouterr().err
    assert " bought at " in err
    assert err.count("equity=") == 1


def test_a_decision_in_words_says_why_not(run: Run) -> None:
    decisions = played().result.decisions.view(np.recarray)
    symbols = [one.symbol for one in run.agent.cast.instruments]
    refused = decisions[(decisions["gates"] != 0) & (decisions["side"] != 0)][0]
    entered = decisions[decisions["gates"] == 0][0]
    assert decision_words(refused, symbols).startswith(f"{symbols[int(refused.asset)]} stand aside: ")
    assert decision_words(entered, symbols).split(": ")[0].split()[1] in ("buy", "sell")
