"""`confidence` and `python -m confidence_engine` both start here."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code."""
    from confidence_engine.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
