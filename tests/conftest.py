"""What all tests share: where the recorded data lies, and how properties are run.

The recorded data is not part of the project. It lies beside it; where it does not, the tests that
need it are skipped and say so.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

# The first example may pay for a compilation, so no deadline. The same examples every time in `make test`;
# `make nightly` looks further.
settings.register_profile(
    "house", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("nightly", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the recorded data where it is absent, with the reason."""
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason=f"recorded data is not at {SHARED}")
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(absent)


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Folder with pyproject.toml and config/."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the recorded data."""
    if not SHARED.is_dir():
        pytest.skip(f"recorded data is not at {SHARED}")
    return SHARED
