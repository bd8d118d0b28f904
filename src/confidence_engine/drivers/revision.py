"""Which code made a result: the version and a hash over every source file of the package."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from confidence_engine import __version__

__all__ = ["code_revision"]


@functools.cache
def code_revision() -> str:
    """ "0.1.0+3f9c0a1b2c3d": the same for a checkout, an installed wheel and another machine."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"
