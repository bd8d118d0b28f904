"""The venue has no Python wrapper when compiled: its tests run it as plain Python, or say why they cannot."""

from __future__ import annotations

import pytest

from confidence_engine.domain.jit import jit_enabled


def pytest_configure(config: pytest.Config) -> None:
    """Fail at once, with what to type."""
    if jit_enabled():
        raise pytest.UsageError("tests/venues need the compiler off: NUMBA_DISABLE_JIT=1 python -m pytest tests/venues")
