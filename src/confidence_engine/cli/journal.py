"""`confidence journal ...`: check the record of what was told, decided and done, read it, and thin it.

The journals of a home are those of its agents; that of a replay lies in the run's folder and is named by the run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from confidence_engine.cli.show import Json, database, emit, grid, home, note
from confidence_engine.domain.errors import DataMissing, JournalDamaged, RunError, UsageError
from confidence_engine.domain.units import parse_time

if TYPE_CHECKING:
    from confidence_engine.journal.faults import Findings
    from confidence_engine.journal.reader import Place

__all__ = ["anchor_journal", "export_journal", "retire_journal", "show_stats", "verify_journals"]

_T = TypeVar("_T")
Agent = Annotated[str | None, typer.Option(help="One agent of the home; without it, all.")]
Run = Annotated[
    str | None, typer.Option(help="A replay made with --journal: its name, the start of it, or its folder.")
]


def verify_journals(ctx: typer.Context, agent: Agent = None, run: Run = None, as_json: Json = False) -> None:
    """Check that journals are what was committed, and where not; exit code 1 on any fault."""
    from confidence_engine.journal.verify import verify

    made: dict[str, bool | None] = {}

    def look(place: Place) -> Findings:
        found = verify(place)
        made[found.folder] = _synthetic(place)
        return found

    checked, unchecked, _ = _each(ctx, agent, run, look)
    if not checked and not unchecked:
        raise DataMissing("none of these agents has a journal yet")
    payload = {"journals": [_payload(one, made[one.folder]) for one in checked], "unchecked": unchecked}
    emit(as_json, payload, lambda: _table(checked, made) if checked else None)
    for one in checked:
        for text in one.notes:
            note(f"{one.name}: {text}")
    for other in unchecked:
        note(f"not checked: {other['why']}")
    if unchecked or not all(one.sound for one in checked):
        raise typer.Exit(1)


def anchor_journal(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Why its anchor is gone; kept in the journal.")],
    agent: Agent = None,
    run: Run = None,
    as_json: Json = False,
) -> None:
    """Check a journal whose anchor is gone from end to end, and anchor it anew."""
    from confidence_engine.journal.reanchor import reanchor

    if not reason.strip():
        raise UsageError("--reason: say why its anchor is gone; it is kept in the journal")
    place = _one(ctx, agent, run)
    told = reanchor(place, _operator(), reason)
    note("nothing can tell whether blocks beyond these were cut off while it had no anchor")
    payload = {"name": told.name, "journal": told.journal, "blocks": told.blocks, "head": told.head}
    emit(as_json, payload | {"anchor": place.anchor}, lambda: grid(("anchored", ""), list(payload.items())))


def export_journal(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder to make; one that holds something is refused.", file_okay=False)],
    agent: Agent = None,
    run: Run = None,
    as_json: Json = False,
) -> None:
    """Write a journal as Parquet (events, rows) and JSON lines (payloads)."""
    from confidence_engine.journal.export import export
    from confidence_engine.journal.reader import Reader

    told = export(Reader(_one(ctx, agent, run)), out.resolve())
    if told["retired_events"] or told["retired_records"]:
        note(f"retired, so not here: {told['retired_events']} events, {told['retired_records']} records")
    rows = [*told["events"].items(), *told["records"].items()]
    emit(as_json, told | {"folder": out}, lambda: grid((str(out), "rows"), rows))


def show_stats(ctx: typer.Context, agent: Agent = None, run: Run = None, as_json: Json = False) -> None:
    """Show what journals hold, how much, and since when."""
    from confidence_engine.journal.reader import Reader
    from confidence_engine.journal.stats import stats

    found, unread, code = _each(ctx, agent, run, lambda one: stats(Reader(one)))

    def table() -> Any:
        from rich.console import Group

        said = [[(key.replace("_", " "), _said(value)) for key, value in one.items()] for one in found]
        return Group(*(grid((one["name"], ""), rows) for one, rows in zip(found, said, strict=True)))

    emit(as_json, {"journals": found, "unread": unread}, table)
    for other in unread:
        note(f"error: {other['why']}")
    if unread:
        raise typer.Exit(code)


def retire_journal(
    ctx: typer.Context,
    before: Annotated[str, typer.Option(help="Days that end by then may go, as 2026-01-01.")],
    agent: Agent = None,
    keep: Annotated[int, typer.Option(help="How many of the last sealed states to keep.", min=1)] = 2,
    as_json: Json = False,
) -> None:
    """Let go of old days that a sealed state stands for; never of the last 30 days."""
    from confidence_engine.journal.log import reopen
    from confidence_engine.journal.retire import retire
    from confidence_engine.journal.verify import verify

    place, before_ns = _one(ctx, agent, None), parse_time(before)
    found = verify(place)
    if not found.sound or not found.anchored:
        why, see = ("it has faults", "verify") if not found.sound else ("its end is not anchored", "anchor")
        raise JournalDamaged(f"{place.folder}: {why}, so nothing is retired; see `confidence journal {see}`")
    journal = reopen(place, reserve=0)
    try:
        if journal.recovered is not None:
            note(f"{place.name}: what the power had not let arrive was taken out: {journal.recovered}")
        told = retire(journal, before_ns, keep)
    finally:
        journal.abandon()
    if told is None:
        note("nothing goes: no sealed state stands for whole days that are old enough")
        emit(as_json, {"retired": None}, lambda: None)
        return
    payload = {
        "through_block": told.through_block, "segments": list(told.segments), "records": told.removed,
        "snapshots": list(told.snapshots),
    }  # fmt: skip
    rows = [("segments", len(told.segments)), ("records", told.removed), ("snapshots", len(told.snapshots))]
    emit(as_json, {"retired": payload}, lambda: grid(("retired", ""), rows))


def _each(
    ctx: typer.Context, agent: str | None, run: str | None, look: Callable[[Place], _T]
) -> tuple[list[_T], list[dict[str, str]], int]:
    """What is seen of each journal by itself, those of which nothing is, with the reason, and the worst exit code.

    None keeps the others from sight; one that was never begun is told beside.
    """
    from confidence_engine.journal.reader import place_of

    seen, unseen, code = list[_T](), list[dict[str, str]](), 0
    for folder, name in _folders(ctx, agent, run):
        try:
            seen.append(look(place_of(folder, name, database(ctx) if run is None else None)))
        except DataMissing as error:
            note(str(error))
        except (JournalDamaged, RunError, OSError) as error:
            why = str(error)
            if isinstance(error, OSError):
                why = f"{error.filename or folder}: {error.strerror or error}"
            unseen.append({"name": name, "folder": str(folder / "journal"), "why": why})
            code = max(code, getattr(error, "exit_code", 1))
    return seen, unseen, code


def _operator() -> str:
    """Who runs this, by name where the system knows one."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _folders(ctx: typer.Context, agent: str | None, run: str | None) -> list[tuple[Path, str]]:
    """Folders of the journals that are meant, and their names.

    Raises DataMissing where there is none, UsageError for an agent and a run.
    """
    from confidence_engine.journal.reader import ANCHOR

    if agent is not None and run is not None:
        raise UsageError("--agent names a journal of the home, --run that of a replay: give one of them")
    if run is not None:
        from confidence_engine.report.artefacts import find_run

        folder, summary = find_run(home(ctx), run)
        if not (folder / "journal").is_dir() and not (folder / ANCHOR).is_file():
            raise DataMissing(f"{folder} holds no journal; replay with --journal writes one")
        return [(folder, summary["agent"])]
    agents = home(ctx) / "agents"
    found = [
        (one, one.name) for one in (sorted(agents.iterdir()) if agents.is_dir() else [])
        if agent in (None, one.name) and _has_journal(one)
    ]  # fmt: skip
    if not found:
        who = "no agent" if agent is None else f"no agent {agent!r}"
        raise DataMissing(f"{who} under {agents} has a journal; a replay's is named by --run")
    return found


def _has_journal(folder: Path) -> bool:
    """Whether a folder has a journal or what is left of one; one that cannot be looked into may."""
    from confidence_engine.journal.reader import ANCHOR

    try:
        return (folder / "journal").is_dir() or (folder / ANCHOR).exists()
    except OSError:
        return True


def _one(ctx: typer.Context, agent: str | None, run: str | None) -> Place:
    """The one journal that is meant. Raises UsageError where several could be."""
    from confidence_engine.journal.reader import place_of

    (folder, name), *others = _folders(ctx, agent, run)
    if others:
        names = ", --agent ".join((name, *(other for _, other in others)))
        raise UsageError(f"which journal? --agent {names} or --run")
    return place_of(folder, name, database(ctx) if run is None else None)


def _synthetic(place: Place) -> bool | None:
    """Whether its first record says that it is of a simulated world; None where it cannot be read any more."""
    from confidence_engine.journal.reader import Reader

    try:
        reader = Reader(place)
        try:
            return reader.genesis().synthetic
        finally:
            reader.close()
    except (DataMissing, JournalDamaged, OSError):  # what is wrong is among the findings
        return None


def _payload(found: Findings, synthetic: bool | None) -> dict[str, Any]:
    return {
        "name": found.name, "synthetic": synthetic, "folder": found.folder, "sound": found.sound,
        "journal": found.uuid, "head": found.head,
        "blocks": found.blocks, "events": found.events, "records": found.records, "anchored": found.anchored,
        "faults": [one._asdict() for one in found.faults], "more_faults": found.more, "notes": found.notes,
        "bytes": found.read, "seconds": round(found.seconds, 3),
    }  # fmt: skip


def _table(found: list[Findings], made: dict[str, bool | None]) -> Any:
    from rich.console import Group

    head = ("journal", "blocks", "events", "records", "MB/s", "anchored to", "", "of")
    origins = {True: "SYNTHETIC", False: "recorded rows", None: "-"}
    rows = [
        (one.name, one.blocks, one.events, one.records, round(one.read / max(one.seconds, 1e-9) / 1e6),
         one.anchored or None, "sound" if one.sound else _counted(len(one.faults) + one.more),
         origins[made[one.folder]])
        for one in found
    ]  # fmt: skip
    tables = [grid(head, rows)]
    for one in found:
        if one.faults:
            body: list[tuple[Any, ...]] = [(fault.what, fault.block, fault.where) for fault in one.faults]
            if one.more:
                body.append(("...", None, f"and {one.more} more"))
            tables.append(grid((one.name, "block", "where"), body))
    return Group(*tables)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one:,}" if isinstance(one, int) else f"{name} {one}" for name, one in value.items())
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _counted(faults: int) -> str:
    return "1 fault" if faults == 1 else f"{faults} faults"
