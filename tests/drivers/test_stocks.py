"""The stocks agent on a small made-up market: what stands on the tape, what is decided when, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from confidence_engine.cli import app
from confidence_engine.config import Config, load
from confidence_engine.domain.decision import GATE_ADJUSTED
from confidence_engine.domain.errors import DataRefused, UsageError
from confidence_engine.domain.event import ADJUSTED, BAR, CORPORATE, DIVIDEND, SESSION, SIGNAL, SPLIT, TIMER
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import Sources, gather, used_hash
from confidence_engine.evaluate.comparable import comparable
from confidence_engine.evaluate.summary import figures, live_hours, outcomes, summarise, warmup_days
from confidence_engine.feeds.store import Store
from confidence_engine.text.cues import CueReader

START, END = parse_time("2014-01-02"), parse_time("2014-06-30")
SYMBOLS = ("AAPL", "BA", "MSFT")
SPLIT_DAY, PAID_DAY = "2014-03-11", "2014-04-15"


def tables() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Daily bars (weekdays, the holidays among them), tweets, and corporate actions of AAPL."""
    rng = np.random.default_rng(11)
    days = pl.date_range(pl.date(2013, 6, 3), pl.date(2014, 6, 27), eager=True).to_list()
    days = [d for d in days if d.weekday() < 5]
    bars, tweets = [], []
    for symbol in SYMBOLS:
        close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, len(days))))
        factor = np.array([2.0 if symbol == "AAPL" and str(d) < SPLIT_DAY else 1.0 for d in days])
        for d, c, f in zip(days, close, factor, strict=True):
            o = c * float(np.exp(rng.normal(0, 0.003)))
            bars.append((d, symbol, o * f, max(o, c) * 1.004 * f, min(o, c) * 0.996 * f, c * f, 1e7 / f))
        for k in range(160):
            word = "surges on record profit" if rng.random() < 0.8 else "plunges on fraud probe"
            at = parse_time("2014-01-02") + int(rng.integers(0, 175 * DAY_NS))
            tweets.append((at // 1000, symbol, f"rt AT_USER $ {symbol.lower()} {word} no {k} {rng.integers(1e9)} URL"))
    actions = pl.DataFrame({"ex_date": [SPLIT_DAY, PAID_DAY], "split": [2.0, 1.0], "dividend": [0.0, 1.5]})
    names = ["date", "symbol", "open", "high", "low", "close", "volume"]
    news = pl.DataFrame(tweets, schema=["published_at", "symbol", "title"], orient="row")
    news = news.with_columns(pl.col("published_at").cast(pl.Datetime("us", "UTC")))
    return pl.DataFrame(bars, schema=names, orient="row"), news, actions


@pytest.fixture(scope="module")
def config(project_root: Path) -> Config:
    return load(project_root / "config" / "stocks.toml")


def filled(home: Path, *more: str, actions: bool = True) -> Store:
    """The tables in a home, through the commands a person would type."""
    bars, tweets, done = tables()
    home.mkdir(parents=True, exist_ok=True)
    for name, table in (("bars", bars), ("news", tweets), ("corporate", done)):
        table.write_parquet(home / f"{name}.parquet")
    ask: list[tuple[str, ...]] = [
        ("bars", "bars.parquet", "--venue", "alpaca", "--interval", "1d", "--quote", "USD", *more),
        ("news", "news.parquet", "--quote", "USD", "--tokenised"),
    ]
    if actions:
        ask.append(("corporate", "corporate.parquet", "--venue", "alpaca", "--symbol", "AAPL", "--quote", "USD"))
    for kind, file, *rest in ask:
        assert app.main(["--home", str(home), "import", kind, str(home / file), *rest, "--json"]) == 0
    return Store(home)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return filled(tmp_path_factory.mktemp("stocks"))


@pytest.fixture(scope="module")
def sources(config: Config, store: Store) -> Sources:
    return gather(config, store, START, END, SYMBOLS)


@pytest.fixture(scope="module")
def played(config: Config, sources: Sources) -> dict[str, Any]:
    window = replay.window_of(config, START, END)
    tape = replay.compose(config, sources, replay.read(config, sources, CueReader()), window)
    result = replay.play(config, sources.instruments, tape.events)
    made = figures(config, sources, result)
    return {"tape": tape, "result": result, "made": made, "window": window}


def test_bars_stand_on_sessions_and_holidays_are_left_out(config: Config, store: Store, sources: Sources) -> None:
    rows, sessions = sources.bars["AAPL/USD@alpaca"], sources.sessions["XNYS"]
    assert np.isin(rows["close_ns"], sessions["close_ns"]).all()
    assert np.isin(rows["open_ns"], sessions["open_ns"]).all()
    assert parse_time("2013-11-29T18:00Z") in rows["close_ns"]  # the half day after Thanksgiving
    assert sources.outside["AAPL/USD@alpaca"] >= 8
    assert gather(config, store, START, END).missing[:2] == ("ABB/USD", "ABBV/USD")


def test_the_tape_says_each_thing_when_it_could_be_known(played: dict[str, Any], sources: Sources) -> None:
    events, sessions = played["tape"].events, sources.sessions["XNYS"]
    bars, opens = events[events["kind"] == BAR], events[events["kind"] == SESSION]
    assert np.isin(bars["ts_known"] - SECOND_NS, sessions["close_ns"]).all()
    assert opens["ts_known"].tolist() == sessions["open_ns"].tolist()
    done = events[events["kind"] == CORPORATE]
    assert done["ts_known"].tolist() == [parse_time(f"{d}T13:30Z") for d in (SPLIT_DAY, PAID_DAY)]
    assert done["x0"].tolist() == [SPLIT, DIVIDEND]


def test_whole_sessions_are_judged_after_their_close_and_never_inside(played: dict[str, Any], sources: Sources) -> None:
    events, sessions = played["tape"].events, sources.sessions["XNYS"]
    at = events["ts_known"][events["kind"] == TIMER]
    k = np.searchsorted(sessions["open_ns"], at, side="right") - 1
    later = at - sessions["close_ns"][k]
    assert (later[k >= 0] > 0).all()
    grid = np.isin(at, sessions["close_ns"] + 2 * SECOND_NS)
    assert grid.sum() >= len(sessions) - 1
    told = events[events["kind"] == SIGNAL]["ts_known"]
    night = told[(told - sessions["close_ns"][np.searchsorted(sessions["open_ns"], told, side="right") - 1]) > 0]
    assert np.isin(night[:50] + SECOND_NS, at).mean() > 0.9


def test_orders_fill_at_opens_and_holdings_last_three_sessions(played: dict[str, Any], sources: Sources) -> None:
    trades, sessions = played["made"].trades, sources.sessions["XNYS"]
    assert len(trades) >= 12
    first, last = (np.searchsorted(sessions["open_ns"], trades[n], side="right") - 1 for n in ("entry_ns", "exit_ns"))
    assert (trades["entry_ns"] - sessions["open_ns"][first] < SECOND_NS).all()
    assert (last - first <= 3).all()
    assert ((last - first) == 3).mean() > 0.3


def test_the_split_is_no_trade_s_gain(played: dict[str, Any], sources: Sources) -> None:
    """AAPL halves on its ex-date; nobody lost half."""
    trades, result = played["made"].trades, played["result"]
    assert np.abs(trades["pnl_usd"] / trades["notional_usd"]).max() < 0.15
    mine = result.decisions[result.decisions["asset"] == 0]
    assert mine["sigma"].max() < 0.03
    assert np.nanmax(np.abs(mine["reaction"])) <= 4.0
    rows = comparable(sources, sources.instruments[0])
    assert (
        np.abs(np.diff(np.log(rows["c"]))).max()
        < 0.06
        < np.abs(np.diff(np.log(sources.bars["AAPL/USD@alpaca"]["c"]))).max()
    )


def test_profit_of_trades_is_the_change_of_equity(played: dict[str, Any]) -> None:
    result, made = played["result"], played["made"]
    held = result.state.book["lots"][:3]
    open_gain = (held * (result.state.book["mark_price"][:3] - result.state.book["entry_price"][:3])).sum()
    start = float(result.equities["equity"][0])
    paid = result.entries["fee_usd"].sum() - made.trades["fees_usd"].sum()
    total = made.trades["pnl_usd"].sum() + open_gain - paid
    assert float(result.equities["equity"][-1]) - start == pytest.approx(total, abs=1.0 if held.any() else 1e-6)
    assert result.venue.head[0].balance == pytest.approx(result.state.head[0].balance, abs=1e-6)


def test_each_horizon_has_its_figures(config: Config, sources: Sources, played: dict[str, Any]) -> None:
    summary = summarise(
        config, sources, played["window"], played["tape"], played["result"], played["made"], "cues"
    )  # fmt: skip
    told = summary["outcomes_by_horizon"]
    assert list(told) == ["1d", "3d", "5d"]
    assert told["3d"] == summary["outcomes"]
    assert all(one["closed"]["n"] > 10 for one in told.values())
    assert told["1d"]["closed"]["n_days"] > told["5d"]["closed"]["n_days"]
    assert summary["bars_outside_sessions"] == sum(sources.outside.values())
    assert summary["adjusted_symbols"] == []
    assert summary["sharpe"]["n"] == int((sources.sessions["XNYS"]["close_ns"] > START).sum())


def test_a_label_of_one_day_is_the_next_session(config: Config, sources: Sources, played: dict[str, Any]) -> None:
    """Decided after a close: entered at the next open, out at that session's close, over a weekend too."""
    wide = msgspec.structs.replace(config, outcome=config.outcome._replace(win_sigma=20.0, loss_sigma=20.0))
    rows = outcomes(wide, sources, played["result"].decisions, DAY_NS)
    found = {int(r["seq"]): r for r in rows if r["y"] >= 0}
    seen = 0
    for d in played["result"].decisions:
        if int(d["seq"]) not in found:
            continue
        bars = comparable(sources, sources.instruments[int(d["asset"])])
        k = int(np.searchsorted(bars["open_ns"], d["ts_ns"]))
        gross = int(d["side"]) * (bars["c"][k] / bars["o"][k] - 1.0)
        assert found[int(d["seq"])]["net_return"] == pytest.approx(gross - 0.0005, abs=2e-4)
        assert found[int(d["seq"])]["resolved_ns"] == bars["close_ns"][k]
        seen += 1
    assert seen > 20


def test_evidence_of_the_night_counts_in_the_hour_of_the_next_open(sources: Sources, played: dict[str, Any]) -> None:
    hours = live_hours(played["result"].decisions, sources)
    opens = {int(ns) // HOUR_NS for ns in sources.bars["AAPL/USD@alpaca"]["open_ns"]}
    assert hours[0].size > 20
    assert set(hours[0].tolist()) <= opens


def test_the_warm_up_is_told_in_days_of_the_calendar(config: Config, sources: Sources) -> None:
    assert warmup_days(config, sources, START)["found"] == pytest.approx(
        (START - parse_time("2013-06-03T13:30Z")) / DAY_NS, abs=0.01
    )


# Adjusted prices.


@pytest.fixture(scope="module")
def adjusted(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return filled(tmp_path_factory.mktemp("adjusted"), "--adjusted")


def test_adjusted_prices_are_for_replays_and_flagged(config: Config, adjusted: Store) -> None:
    found = gather(config, adjusted, START, END, SYMBOLS)
    assert found.adjusted == tuple(f"{s}/USD@alpaca" for s in SYMBOLS)
    assert found.corporate["AAPL/USD@alpaca"]["what"].tolist() == [DIVIDEND]  # its split is in the prices already
    tape = replay.compose(config, found, replay.read(config, found, CueReader()), replay.window_of(config, START, END))
    assert (tape.events["marks"][tape.events["kind"] == BAR] & ADJUSTED).all()
    for run in ("paper", "live"):
        with pytest.raises(DataRefused, match=f"are adjusted.*a {run} run"):
            gather(config, adjusted, START, END, SYMBOLS, run=run)
    with pytest.raises(UsageError, match="replay, paper, live"):
        gather(config, adjusted, START, END, SYMBOLS, run="shadow")


def with_actions(home: Path, *more: str) -> Store:
    """A home whose AAPL also has actions before the bars, before its split, after the period and after all bars."""
    store = filled(home, *more)
    dated = ["2012-08-09", "2014-02-06", "2014-08-07", "2015-06-09"]
    table = pl.DataFrame({"ex_date": dated, "split": [1.0, 1.0, 1.0, 4.0], "dividend": [2.0, 3.0, 0.5, 0.0]})
    table.write_parquet(home / "more.parquet")
    words = ("--venue", "alpaca", "--symbol", "AAPL", "--quote", "USD", "--json")
    assert app.main(["--home", str(home), "import", "corporate", str(home / "more.parquet"), *words]) == 0
    return store


def paid(config: Config, sources: Sources) -> list[tuple[int, int, float]]:
    """(day, what, value) of the CORPORATE events of a run."""
    window = replay.window_of(config, START, END)
    events = replay.compose(config, sources, replay.read(config, sources, CueReader()), window).events
    done = events[events["kind"] == CORPORATE]
    return [(int(e["ts_known"]) // DAY_NS * DAY_NS, int(e["x0"]), float(e["x1"])) for e in done]


def test_a_dividend_beside_adjusted_prices_is_one_of_the_share_after_all_later_splits(
    config: Config, tmp_path: Path
) -> None:
    """The period's split halves what was paid before it, and one stored for the year after quarters both."""
    found = gather(config, with_actions(tmp_path, "--adjusted"), START, END, SYMBOLS)
    days = [parse_time(d) for d in ("2014-02-06", PAID_DAY)]
    assert paid(config, found) == [(days[0], DIVIDEND, 3.0 / 8.0), (days[1], DIVIDEND, 1.5 / 4.0)]


def test_actions_outside_the_period_are_no_part_of_a_run(config: Config, tmp_path: Path, sources: Sources) -> None:
    key = "AAPL/USD@alpaca"
    found = gather(config, with_actions(tmp_path), START, END, SYMBOLS)
    days = [parse_time(d) for d in ("2014-02-06", SPLIT_DAY, PAID_DAY)]
    assert paid(config, found) == [(days[0], DIVIDEND, 3.0), (days[1], SPLIT, 2.0), (days[2], DIVIDEND, 1.5)]
    inside = found.corporate[key]
    alike = found._replace(corporate={key: inside[inside["ex_ns"] != days[0]]})
    assert used_hash(alike) == sources.data_hash != found.data_hash
    until = gather(config, Store(tmp_path), START, days[1], SYMBOLS, load_ns=days[0] + 1)  # an ex-date is a whole day
    assert until.corporate[key]["ex_ns"].tolist() == days[:1]


def test_raw_prices_are_good_for_every_run(config: Config, store: Store) -> None:
    for run in ("replay", "paper", "live"):
        assert gather(config, store, START, END, SYMBOLS, run=run).adjusted == ()


def test_real_money_enters_nothing_on_adjusted_prices(config: Config, adjusted: Store) -> None:
    kernel = config.kernel._replace(gates=config.kernel.gates._replace(refuse_adjusted=True))
    real = msgspec.structs.replace(config, kernel=kernel)
    found = gather(real, adjusted, START, END, SYMBOLS)
    tape = replay.compose(real, found, replay.read(real, found, CueReader()), replay.window_of(real, START, END))
    decisions = replay.play(real, found.instruments, tape.events).decisions
    strong = decisions[decisions["strength"] > 0.05]
    assert len(strong) > 20
    assert (strong["gates"] >> GATE_ADJUSTED & 1).all()


def test_the_money_flag_sets_the_gate(tmp_path: Path, project_root: Path) -> None:
    for name in ("spot.toml", "stocks.toml", "stocks_universe.toml", "universe.toml"):
        (tmp_path / name).write_text((project_root / "config" / name).read_text("utf-8"), "utf-8")
    file = tmp_path / "stocks.toml"
    file.write_text(
        file.read_text("utf-8").replace('name = "stocks" ', 'real_money = true\nname = "stocks" ', 1), "utf-8"
    )
    assert load(file).kernel.gates.refuse_adjusted is True
    assert load(project_root / "config" / "stocks.toml").kernel.gates.refuse_adjusted is False


def test_raw_and_adjusted_prices_do_not_meet_in_one_series(adjusted: Store, capsys: pytest.CaptureFixture[str]) -> None:
    home = adjusted.folder.parent
    words = ["--home", str(home), "import", "bars", str(home / "bars.parquet"), "--venue", "alpaca", "--interval", "1d"]
    assert app.main([*words, "--quote", "USD"]) != 0
    assert "raw ones beside them would make a false move" in " ".join(capsys.readouterr().err.split())


def test_intraday_grids_keep_to_the_session(config: Config, sources: Sources) -> None:
    from confidence_engine.feeds.assemble import timers

    grid = timers(
        np.zeros(0, [("ts_known", "i8"), ("kind", "u2")]), START, END, 5 * MINUTE_NS, 2 * SECOND_NS, SECOND_NS, 0,
        tuple(sources.sessions.values()),
    )["ts_known"]  # fmt: skip
    sessions = sources.sessions["XNYS"]
    k = np.searchsorted(sessions["open_ns"], grid, side="right") - 1
    assert (grid - 2 * SECOND_NS <= sessions["close_ns"][k]).all()
    day = grid[k == k[-1]]
    assert len(day) == 78
    assert day[-1] == sessions["close_ns"][k[-1]] + 2 * SECOND_NS
