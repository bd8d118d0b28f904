"""Compiler options and the cache key, in this one place.

`stage` marks a function that only compiled code calls; `entry` marks the few that Python
calls, which are cached on disk. Numba's own cache looks at the file of the entry alone: an
edit in another file that the entry calls would go unnoticed and give the old results. So
the cache folder bears a hash of every source that can be compiled in, of Numba and of the CPU.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite import binding
from numba.core import config as numba_config

__all__ = ["cache_folder", "entry", "jit_enabled", "source_hash", "stage"]

F = TypeVar("F", bound=Callable[..., Any])

PLAIN = False
"""True goes back to Numba's documented options alone, for a Numba whose private ones changed."""

_PACKAGE = Path(__file__).resolve().parent.parent
_COMPILED = ("domain", "kernel", "venues", "drivers")
_KEEP = 4


def jit_enabled() -> bool:
    """False under NUMBA_DISABLE_JIT=1: every stage is then a plain Python function."""
    return not numba_config.DISABLE_JIT


def source_hash(package: Path = _PACKAGE) -> str:
    """24 hex digits of the SHA-256 over all sources that compiled code may come from, Numba, its checks and the CPU."""
    digest = hashlib.sha256(
        f"{numba.__version__} {binding.get_host_cpu_name()} {PLAIN} {numba_config.BOUNDSCHECK}".encode()
    )
    for folder in _COMPILED:
        for file in sorted((package / folder).rglob("*.py")):
            digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:24]


def cache_folder(package: Path = _PACKAGE) -> Path:
    """Folder for this source's machine code: beside the package, else in the user's cache folder."""
    name = f"kernel-{source_hash(package)}"
    beside = package / "__pycache__"
    with contextlib.suppress(OSError):
        beside.mkdir(exist_ok=True)
        folder = beside / name
        folder.mkdir(exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        _retire(beside, folder)
        return folder
    return Path.home() / ".cache" / "confidence-engine" / name


def _retire(parent: Path, current: Path) -> None:
    """Keep the newest few folders of machine code; older sources are not coming back."""
    old = sorted(
        (f for f in parent.glob("kernel-*") if f != current and f.is_dir()),
        key=lambda f: f.stat().st_mtime,
        reverse=True,
    )
    for folder in old[_KEEP:]:
        shutil.rmtree(folder, ignore_errors=True)


def stage(function: F) -> F:
    """Compile `function` for callers that are compiled themselves: no Python wrapper, no cache."""
    if PLAIN:
        return numba.njit(error_model="numpy")(function)  # type: ignore[no-any-return]
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False, "error_model": "numpy"}
    return numba.njit(**options)(function)  # type: ignore[no-any-return]


def entry(function: F) -> F:
    """Compile `function` for callers in Python and cache it under the hash of all sources."""
    before = numba_config.CACHE_DIR
    numba_config.CACHE_DIR = str(cache_folder())
    try:
        return numba.njit(cache=True, error_model="numpy")(function)  # type: ignore[no-any-return]
    finally:
        numba_config.CACHE_DIR = before
