"""`confidence text score`: headlines in, one a line; JSON lines out, one a headline.

The output is for machines by its nature, so there is no table; `--json` gathers it into one object.
What could not be read is counted on stderr: empty lines are skipped, bytes that are not UTF-8 replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, BinaryIO, Final

import typer

from confidence_engine.cli.readers import reader_for
from confidence_engine.cli.show import Json, note, to_json
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.ports import Reader
from confidence_engine.wire import READERS

__all__ = ["score"]

_BATCH: Final = 512


def score(
    file: Annotated[str, typer.Argument(help="Text file, one headline a line; - for standard input.")],
    backend: Annotated[str, typer.Option(help=f"Reader: {', '.join(READERS)}.")] = "embedded",
    model: Annotated[
        str, typer.Option(help="Folder or hub name of the model that the backend finbert reads with.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Score headlines, one a line, as JSON lines: text, polarity, probabilities, backend."""
    if backend not in READERS:
        raise UsageError(f"unknown backend {backend!r}; known: {', '.join(READERS)}")
    if model and backend != "finbert":
        raise UsageError(f"--model is for the backend finbert; {backend} has its own")
    if backend == "finbert" and not model:
        raise UsageError("the backend finbert needs --model: a folder, or a hub name as ProsusAI/finbert")
    reader = reader_for(backend, model)
    counts = {"scored": 0, "empty": 0, "undecodable": 0}
    kept: list[dict[str, Any]] = []
    with _opened(file) as stream:
        for batch in _batches(stream, counts):
            lines = _lines(reader, batch, backend)
            if as_json:
                kept += lines
            else:
                sys.stdout.writelines(to_json(line) + "\n" for line in lines)
                sys.stdout.flush()
    if as_json:
        sys.stdout.write(to_json({**counts, "readings": kept}) + "\n")
    note(f"{counts['scored']} scored, {counts['empty']} empty skipped, {counts['undecodable']} with undecodable bytes")


def _batches(stream: BinaryIO, counts: dict[str, int]) -> Iterator[list[str]]:
    """Headlines of the stream in batches; what is skipped or replaced is counted."""
    batch: list[str] = []
    for raw in stream:
        line = raw.decode("utf-8", "replace").removeprefix("\ufeff").strip()
        counts["undecodable"] += _undecodable(raw)
        counts["scored" if line else "empty"] += 1
        if line:
            batch.append(line)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _undecodable(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Bytes of the file or of standard input; a file that cannot be opened is a usage error (exit 2)."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115 - closed below; only opening may be blamed on the user
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    with stream:
        yield stream


def _lines(reader: Reader, texts: list[str], backend: str) -> list[dict[str, Any]]:
    """One object a text, its numbers in whole ten-thousandths; the shares add up to one."""
    from confidence_engine.text.hashed import reading_of

    told = [reading_of((one.p_negative, one.p_neutral, one.p_positive)) for one in reader.read(texts)]
    return [
        {
            "text": text,
            "polarity": round(reading.polarity, 4) + 0.0,  # never -0.0
            "p_negative": reading.p_negative,
            "p_neutral": reading.p_neutral,
            "p_positive": reading.p_positive,
            "backend": backend,
        }
        for text, reading in zip(texts, told, strict=True)
    ]
