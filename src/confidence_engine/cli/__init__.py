"""One file a group of commands; a command parses, calls one thing below, and shows the result."""

__all__: list[str] = []
