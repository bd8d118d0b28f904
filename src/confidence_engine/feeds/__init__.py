"""The world in, events out: import, store, quality, and the one order in which everything is replayed."""

__all__: list[str] = []
