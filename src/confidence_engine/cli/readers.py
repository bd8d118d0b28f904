"""The reader a command uses: made by its name in `wire`, with what it read before at hand.

Readings are kept in the store's `cache/readings`, which may be deleted at any time (text/kept). What a reader
has to say of itself, that a library is missing for instance, goes to stderr once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from confidence_engine.cli.show import note
from confidence_engine.domain.ports import Reader
from confidence_engine.wire import READERS, resolve

__all__ = ["reader_for"]

_SLOW: Final = ("embedded", "finbert")
"""Readers whose readings are worth keeping; the others read thousands a second."""


def reader_for(backend: str, model: str, folder: Path | None = None) -> Reader:
    """The reader of that name; its readings kept under `folder`, the store's, where one is given.

    `model` is the folder or hub name that `finbert` reads with. Raises DataMissing, DataRefused, UsageError.
    """
    kind = resolve(READERS[backend])
    made: Reader = kind(model) if backend == "finbert" else kind()
    told = getattr(made, "told", "")
    if told:
        note(told)
    if folder is None or backend not in _SLOW:
        return made
    from confidence_engine.text.kept import KeptReader

    return KeptReader(made, folder / "cache" / "readings")
