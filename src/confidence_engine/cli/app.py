"""The command line: a table of names, imported one at a time, and the only place errors become exit codes.

0 good, 1 the run failed, 2 bad usage or config, 3 data missing or refused, 130 stopped by hand.
Help is drawn from the table in `wire`, so it costs no import; a command's module loads when it runs.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from confidence_engine import __version__
from confidence_engine.cli.show import note
from confidence_engine.domain.errors import ConfidenceError
from confidence_engine.wire import COMMANDS, GROUPS, Row, resolve

__all__ = ["TableGroup", "app", "main"]


class TableGroup(TyperGroup):
    """Commands of the table whose names start with `prefix`."""

    prefix = ""

    def list_commands(self, ctx: Any) -> list[str]:
        """First words under the prefix, in the table's order."""
        del ctx
        return list(dict.fromkeys(name.split()[0] for name in self._under()))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The named command, its module imported now; an unknown name is refused with the nearest ones."""
        if cmd_name not in self.list_commands(ctx):
            near = difflib.get_close_matches(cmd_name, self.list_commands(ctx), n=2)
            ctx.fail(f"no such command {cmd_name!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""))
        full = self.prefix + cmd_name
        if full in COMMANDS:
            return _leaf(cmd_name, COMMANDS[full])
        group = TableGroup(name=cmd_name, help=GROUPS[cmd_name], no_args_is_help=True, rich_markup_mode=None)
        group.prefix = f"{full} "
        return group

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """All rows under the prefix with their one line; nothing is imported for it."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[self.prefix + name].line) for name in self._under()])

    def _under(self) -> list[str]:
        return [name.removeprefix(self.prefix) for name in COMMANDS if name.startswith(self.prefix)]


def _leaf(name: str, row: Row) -> Any:
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, short_help=row.line)(resolve(row))
    return get_command(single)


_CODES = "Exit codes: 0 good, 1 the run failed, 2 bad usage or config, 3 data missing or refused, 130 Ctrl-C."

app = typer.Typer(
    cls=TableGroup,
    add_completion=False,
    rich_markup_mode=None,
    invoke_without_command=True,
    epilog=_CODES,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"confidence {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    ctx: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder for the store, the runs and the agents.", file_okay=False)
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="postgresql://user@host/name for rows and tables; default: files in the home.")
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Measure the gap between what is said and what the price has done, and how far that may be trusted."""
    del version  # its callback has already answered
    ctx.obj = home
    if database is not None:
        from confidence_engine.journal.database import check_url

        database = check_url(database)
    ctx.meta["database"] = database
    if ctx.invoked_subcommand is None:
        note(ctx.get_help())
        raise typer.Exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; every known failure is one line on stderr."""
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except ConfidenceError as error:
        note(f"error: {error}")
        return error.exit_code
    except typer.TyperException as error:
        _usage(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        note("stopped")
        return 130
    except BrokenPipeError:
        _close_pipe()
        return 0
    except OSError as error:
        note(f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return 1
    return code


def _run(arguments: list[str]) -> int:
    command = get_command(app)
    try:
        with command.make_context("confidence", arguments) as ctx:
            command.invoke(ctx)
    except typer.Exit as done:
        return done.exit_code
    return 0


def _usage(error: Any) -> None:
    # Usage errors know how to show themselves, with the usage line of their command.
    if hasattr(error, "show"):
        error.show()
    else:
        note(f"error: {error}")


def _close_pipe() -> None:
    # The reader went away. Point stdout at nothing, or the interpreter complains when it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
