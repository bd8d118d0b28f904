"""What an operator tells an agent: with a name, a reason and an id, so that it is obeyed once and can be shown."""

from __future__ import annotations

from typing import Final

import msgspec

from confidence_engine.domain.order import CMD_FLATTEN, CMD_HALT, CMD_LIMIT, CMD_RESUME, CMD_STAND_DOWN

__all__ = ["COMMAND_CODES", "Command"]

COMMAND_CODES: Final = {
    "halt": CMD_HALT, "resume": CMD_RESUME, "flatten": CMD_FLATTEN, "limit": CMD_LIMIT, "stand down": CMD_STAND_DOWN,
}  # fmt: skip
"""Words for people -> codes of a COMMAND event."""


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command. `command` is a key of COMMAND_CODES; `value` its argument: a limit's gross exposure in USD, none to
    lift it.
    """

    id: str
    command: str
    operator: str
    reason: str
    asked_ns: int
    value: float | None = None
