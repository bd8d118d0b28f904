"""The append-only truth of what an agent was told, decided and did."""

from __future__ import annotations

__all__: list[str] = []
