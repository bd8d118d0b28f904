"""One home with the recorded data, made once a session, and one replay of each agent to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from confidence_engine.cli.readers import reader_for
from confidence_engine.config import Config, load
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import MINUTE_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import Sources, gather
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.intake import How, intake
from confidence_engine.feeds.store import Store
from confidence_engine.text.reading import Readings

ROOT = Path(__file__).resolve().parents[2]
PERPS, SPOTS = ("BTC", "ETH"), ("BTC", "ETH", "SOL", "ADA", "XRP", "AVAX")


def import_all(home: Path, data: Path, reverse: bool = False) -> Store:
    """The files of the acceptance, in one order or the other."""
    store = Store(home)
    files: list[tuple[str, str, How]] = []
    for coin in PERPS:
        how = How(symbols=(f"{coin}/USDT",), venue="binance-perp", interval_ns=5 * MINUTE_NS)
        files.append(("bars", f"market/crypto_perp_5m/{coin}USDT_2023-01_2024-05.parquet", how))
        how = How(symbols=(f"{coin}/USDT",), venue="binance-perp")
        files.append(("funding", f"market/funding/{coin}USDT_8h_2023-01_2024-05.parquet", how))
    for coin in SPOTS:
        how = How(symbols=(f"{coin}/USDT",), venue="binance-spot", interval_ns=5 * MINUTE_NS)
        files.append(("bars", f"market/crypto_spot_5m/{coin}USDT_2022-01_2022-04.parquet", how))
    files.append(("news", "news/btc_news_2021-11_2024-02.parquet", How()))
    files.append(("news", "news/crypto_news_2021-10_2022-07.parquet", How()))
    for kind, name, how in files[::-1] if reverse else files:
        intake(store, kind, data / name, how)
    return store


class Case(NamedTuple):
    """A replay taken apart, so that a test can change one part and play again."""

    config: Config
    sources: Sources
    readings: Readings
    window: Window
    reader: Reader

    def play(self, sources: Sources | None = None, readings: Readings | None = None) -> replay.Result:
        """Compose and play with another part."""
        used = sources or self.sources
        tape = replay.compose(self.config, used, readings or self.readings, self.window)
        return replay.play(self.config, used.instruments, tape.events)

    def read(self, sources: Sources) -> Readings:
        """Read other documents."""
        return replay.read(self.config, sources, self.reader)


def default_reader(config: Config, store: Store) -> Reader:
    """The reader the config names, with what it read before at hand."""
    return reader_for(config.text.backend, config.text.model, store.folder)


def case(store: Store, config: Path, start: str, end: str) -> Case:
    """Everything of a replay up to the tape."""
    loaded = load(config)
    start_ns, end_ns = parse_time(start), parse_time(end)
    sources, reader = gather(loaded, store, start_ns, end_ns), default_reader(loaded, store)
    window = replay.window_of(loaded, start_ns, end_ns)
    return Case(loaded, sources, replay.read(loaded, sources, reader), window, reader)


@pytest.fixture(scope="session")
def recorded(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds all recorded data of the acceptance."""
    home = tmp_path_factory.mktemp("recorded")
    import_all(home, shared_data)
    return home


@pytest.fixture(scope="session")
def futures(recorded: Path) -> Case:
    """The futures agent over 2023 and two months of 2024."""
    return case(Store(recorded), ROOT / "config/futures.toml", "2023-01-01", "2024-03-01")


@pytest.fixture(scope="session")
def spot(recorded: Path) -> Case:
    """The hybrid agent over the first quarter of 2022."""
    return case(Store(recorded), ROOT / "config/spot.toml", "2022-01-06", "2022-04-17")


@pytest.fixture(scope="session")
def eager_spot(spot: Case) -> Case:
    """The hybrid agent with a trigger so low that it trades often enough to test what trades do."""
    kernel = spot.config.kernel
    eager = kernel._replace(divergence=kernel.divergence._replace(trigger=0.45, kappa=0.08))
    return spot._replace(config=msgspec.structs.replace(spot.config, kernel=eager))


@pytest.fixture(scope="session")
def futures_run(futures: Case) -> replay.Result:
    """The futures replay as it is."""
    return futures.play()


def entered(result: replay.Result) -> np.ndarray:
    """Decisions that were entered."""
    return result.decisions[result.decisions["gates"] == 0]
