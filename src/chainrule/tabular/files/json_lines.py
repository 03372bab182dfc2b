"""Read JSON: one object per line, or a list of objects; each key is a column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from .characters import as_utf8, find_encoding
from .options import MOST_COLUMNS, Options, choose
from .records import as_table
from .sources import Source, unpacked
from .streams import lines_of

_OBJECT = re.compile(r'\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})')
_MOST_LIST = 256 << 20  # characters of a list, which is read as a whole


def is_json(head: str, suffix: str) -> bool:
    """Whether a text is JSON: it begins with an object, or with a list if the suffix is that of JSON."""
    start = head.lstrip("\ufeff \t\r\n")
    if suffix in (".json", ".jsonl", ".ndjson"):
        return start[:1] in ("{", "[")
    return _OBJECT.match(start) is not None


def read_json_lines(source: Source, options: Options) -> tuple[Any, list[str]]:
    """Read all objects into an Arrow table; an absent key is a missing value."""
    names: dict[str, int] = {}
    for record in _records(source, options):
        for name in record:
            names.setdefault(name, len(names))
        if len(names) > MOST_COLUMNS:
            source.refuse(f"at most {MOST_COLUMNS:,} columns in", "more", "write it as CSV or Parquet")
    if not names:
        source.refuse("rows in", "none")
    found = list(names)
    chosen = [found[at] for at in choose(source, found, options)]
    table = as_table(source, chosen, ([record.get(name) for name in chosen] for record in _records(source, options)))
    return table, []


def _records(source: Source, options: Options) -> Iterator[dict[str, Any]]:
    """Yield the objects."""
    with unpacked(source) as chunks:
        encoding = find_encoding(source, next(chunks, b""), options.encoding)
    with unpacked(source) as chunks:
        lines = lines_of(source, as_utf8(source, chunks, encoding))
        for number, line in enumerate(lines, 1):
            if number == 1 and line.lstrip().startswith("["):
                yield from _of_list(source, line, lines)
                return
            if line.strip():
                yield _object(source, _parsed(source, line, f"on line {number}"), f"on line {number}")


def _of_list(source: Source, text: str, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    parts, count = [text], len(text)
    for line in lines:
        parts.append(line)
        count += len(line)
        if count > _MOST_LIST:
            got = f"more than {_MOST_LIST:,} characters in a list"
            source.refuse("objects in", got, "write one object on each line")
    found = _parsed(source, "".join(parts), "in the list")
    for number, value in enumerate(found if isinstance(found, list) else [], 1):
        yield _object(source, value, f"as number {number}")


def _parsed(source: Source, text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)  # NaN
    except json.JSONDecodeError as error:
        _refuse(source, f"{error.msg!r} at character {error.colno}", where)
    except (ValueError, RecursionError):
        _refuse(source, "a number of too many digits, or too great a depth,", where)


def _object(source: Source, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(source, f"a {type(value).__name__}", where)
    return value


def _refuse(source: Source, got: str, where: str) -> NoReturn:
    source.refuse("an object of names and values on each line of", f"{got} {where}", "write it as JSON lines or CSV")
