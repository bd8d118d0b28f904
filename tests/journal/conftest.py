"""Journals on both databases: the same tests run with rows in SQLite and in a PostgreSQL that the tests start.

Without a server the second half is skipped and says why; with CI=true in the environment that is a failure.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.journal.postgres import NoServer, serve

from confidence_engine.journal.reader import Place, place_of

_NUMBER = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of the session's PostgreSQL server, without a database's name."""
    try:
        with serve() as url:
            yield url
    except NoServer as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def fresh(server: str) -> str:
    """URL of an empty database."""
    name = f"test{next(_NUMBER)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as c:
        c.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str | None:
    """URL of an empty database on a server, or None for SQLite beside the segments."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("fresh")
    return url


@pytest.fixture
def place(tmp_path: Path, database: str | None) -> Place:
    """Where a journal `probe` may be made, on each database in turn."""
    return place_of(tmp_path / "probe", "probe", database)
