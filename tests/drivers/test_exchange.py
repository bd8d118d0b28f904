"""A market with sessions, splits and a dividend gives the same bytes with the compiler on and off."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.venues.test_sessions import DIVIDEND, SPLIT, TOLD, played

from confidence_engine.domain.units import DAY_NS
from confidence_engine.kernel.state import state_hash


def digest() -> str:
    """One hash over state and everything said of a story, a position, two splits and a dividend."""
    actions = {TOLD + 1: (SPLIT, 2.0), TOLD + 3: (DIVIDEND, 0.5), TOLD + 5: (SPLIT, 1.5)}
    state, _, out = played(actions, exits={"hold_ns": 8 * DAY_NS})
    assert out.head[0].entries == 4
    said = b"".join(getattr(out, name).tobytes() for name in ("decisions", "intents", "entries", "equities", "marks"))
    return state_hash(state) + hashlib.sha256(said).hexdigest()


def test_the_compiler_changes_no_byte_of_it(project_root: Path) -> None:
    path = os.pathsep.join((str(project_root / "src"), str(project_root)))
    plain = subprocess.run(
        [sys.executable, "-c", "from tests.drivers.test_exchange import digest; print(digest())"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path}, capture_output=True, text=True, check=True,
        cwd=project_root,
    )  # fmt: skip
    assert plain.stdout.strip() == digest()
