"""What can go wrong at the rim. In the kernel a refusal is a bit, never an exception.

ConfidenceError            exit code 1
 |- UsageError             2   a command, a time or a unit that cannot be read
 |   '- ConfigError        2   a config file: what, where (file, line), what is allowed
 |- DataError              3   data that is not there or may not be used
 |   |- DataMissing        3   nothing stored for what was asked
 |   |- DataRefused        3   a file or a row that cannot be placed honestly
 |   |- StoreDamaged       3   the store's own files do not verify
 |   '- JournalDamaged     3   a journal that cannot be what was written
 '- RunError               1   a run that had to stop
     |- KernelHalted       1   step returned a non-zero status; where says at which event
     '- JournalUnwritable  1   the record can no longer be kept, so nothing may be done
"""

from __future__ import annotations

__all__ = [
    "ConfidenceError",
    "ConfigError",
    "DataError",
    "DataMissing",
    "DataRefused",
    "JournalDamaged",
    "JournalUnwritable",
    "KernelHalted",
    "RunError",
    "StateUnkept",
    "StoreDamaged",
    "UsageError",
]


class ConfidenceError(Exception):
    """Root of the tree; `exit_code` is what the command ends with."""

    exit_code = 1


class UsageError(ConfidenceError):
    """A command line, a time or a unit that cannot be read."""

    exit_code = 2


class ConfigError(UsageError):
    """A config file that is refused: the message holds file, line and the allowed range."""


class DataError(ConfidenceError):
    """Data that is missing or refused."""

    exit_code = 3


class DataMissing(DataError):
    """Nothing is stored for what was asked."""


class DataRefused(DataError):
    """Input that cannot be read or placed in time without guessing."""


class StoreDamaged(DataError):
    """A file of the store does not match what its own record says of it."""


class JournalDamaged(DataError):
    """A journal's segments, rows or anchor contradict each other; nothing is appended to it."""


class RunError(ConfidenceError):
    """A run that had to stop before its end."""


class KernelHalted(RunError):
    """`step` returned a non-zero status; the state since the last whole event is to be discarded."""


class JournalUnwritable(RunError):
    """The journal cannot take what has to be recorded, or another process writes it: stop, do nothing unrecorded."""


class StateUnkept(JournalUnwritable):
    """There is no room for a state beside the journal. Nothing was sealed; the journal itself goes on."""
