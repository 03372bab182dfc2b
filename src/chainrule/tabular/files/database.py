"""Read a table, a view or the result of a query from SQLite; the file is opened read-only and never trusted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

from ..._support.checks import nearest
from .header import make_names
from .options import Options, choose
from .records import as_table
from .sources import Source

_MOST_VALUE = 16 << 20  # bytes of a text or blob
_FEW = 10
_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"


def read_sqlite(source: Source, options: Options) -> tuple[Any, list[str]]:
    """Read ``file.db::table``, the only table, or the result of ``query``."""
    uri = f"file:{quote(str(source.path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE)
            connection.execute("PRAGMA trusted_schema = OFF")
            cursor = connection.execute(options.query or _select(source, connection))
            if cursor.description is None:
                source.refuse("a query that gives rows of", repr(options.query), "begin it with SELECT")
            return _fetched(source, cursor, options)
    except (sqlite3.Error, sqlite3.Warning) as error:
        source.refuse(
            "a table that can be read in", str(error), "check the query" if options.query else "copy the file again"
        )


def _select(source: Source, connection: sqlite3.Connection) -> str:
    found = connection.execute(_TABLES)
    names = [name for (name,) in found]
    name = source.part if source.part is not None else names[0] if len(names) == 1 else None
    if name not in names:
        some = ", ".join(map(str, names[:_FEW])) + (", ..." if len(names) > _FEW else "")
        got = f"{len(names)} tables" if name is None else f"{name!r}{nearest(name, map(str, names))}"
        remedy = f"write {source.path.name}::NAME, or pass query=...; there are {some}"
        source.refuse("the name of a table in", got, remedy)
    quoted = str(name).replace('"', '""')
    return f'SELECT * FROM "{quoted}"'


def _fetched(source: Source, cursor: sqlite3.Cursor, options: Options) -> tuple[Any, list[str]]:
    notes: list[str] = []
    header = [str(entry[0]) for entry in cursor.description]
    names = make_names(source, header, [["?"]] * len(header), notes)
    chosen = choose(source, names, options)
    rows: Iterator[list[Any]] = ([row[at] for at in chosen] for row in cursor)
    table = as_table(source, [names[at] for at in chosen], rows)
    if not table.num_rows:
        source.refuse("rows in", "none")
    return table, notes
