"""Run as a process of its own with NUMBA_DISABLE_JIT=1: prints the hashes of the slice that the test compares."""

from __future__ import annotations

import sys
from pathlib import Path

from confidence_engine.domain.jit import jit_enabled
from confidence_engine.feeds.store import Store
from tests.e2e.conftest import ROOT, case
from tests.e2e.test_determinism import _play_slice

if __name__ == "__main__":
    assert not jit_enabled(), "set NUMBA_DISABLE_JIT=1"
    print(*_play_slice(case(Store(Path(sys.argv[1])), ROOT / "config/futures.toml", "2023-01-01", "2024-03-01")))
