"""Read tables from files: the contents determine the format, and notes say what was inferred.

Text files are UTF-8, UTF-16 or Latin-1; the delimiter is the one that splits the first lines into equal rows. The first
line is a header if it is text above numbers or dates, or words that do not occur below. Numbers may be written as
``1.234,5``, ``1 234``, ``$10``, ``12 %`` or ``−3``. Digits with leading zeros, such as ``007``, are codes and remain
text. Between numbers, ``NA``, ``?``, ``-`` and similar words are missing values; other text is unchanged. An index
without a name is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.checks import require
from .._support.text import MOST, printable
from .files.columnar import columnar_blocks, read_columnar
from .files.delimited import delimited_blocks, read_delimited
from .files.records import is_json, read_json_lines, read_sqlite, read_workbook
from .files.sources import WHO, Options, Source, UnknownColumnError, kind, staged, unpacked
from .files.streams import find_encoding

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["Table", "UnknownColumnError", "read_table"]


@dataclass(frozen=True, repr=False, eq=False)
class Table(Mapping[str, Any]):
    """A table from a file: a mapping from column names to columns.

    Attributes
    ----------
    frame : narwhals.DataFrame
        The columns; ``frame.to_native()`` is the underlying Arrow table.
    notes : tuple of str
        What was inferred: an index left out, a decimal comma, Latin-1.
    source : str
        The file.
    """

    frame: nw.DataFrame[Any]
    notes: tuple[str, ...]
    source: str

    def __getitem__(self, name: str) -> Any:
        return self.frame[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.frame.columns)

    def __len__(self) -> int:
        return len(self.frame.columns)

    def __repr__(self) -> str:
        rows, columns = self.frame.shape
        said = "".join(f"; {note}" for note in self.notes)
        return printable(f"Table({rows} rows, {columns} columns of {self.source}{said})", MOST)


def read_table(
    source: Any,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    missing: Collection[str] = (),
    columns: Collection[str] | None = None,
    text: Collection[str] = (),
    query: str | None = None,
    sheet: str | int | None = None,
) -> Table:
    """Read a table from a file of any common format.

    The contents determine the format: CSV or TSV, semicolons, bars or blanks as delimiters, also gzipped or alone in a
    zip file; Parquet, or a folder of it; Arrow IPC; JSON lines; Excel; SQLite. Ambiguity raises an error.

    Parameters
    ----------
    source : path or binary file
        The file; ``"-"`` for standard input, ``"file.db::table"`` for SQLite.
    encoding, delimiter, decimal : str, optional
        Encoding of a text file, such as ``"cp1251"``; delimiter, ``" "`` for any white space; decimal mark, ``"."`` or
        ``","``; all detected by default.
    header : bool, optional
        Whether the first row names the columns; detected by default.
    missing, columns, text : list of str, optional
        Additional words for a missing value; the columns to read, all by default; those to read as text, as postcodes.
    query, sheet : str, optional
        The query for a SQLite file; name or position of an Excel sheet, the first by default.

    Returns
    -------
    Table
        The frame, and notes on what was inferred.

    Raises
    ------
    ValueError
        If the file cannot be read or is ambiguous, or a name is not a column (UnknownColumnError).
    OSError, ModuleNotFoundError
        If the file cannot be opened, or pyarrow, narwhals or (for a workbook) openpyxl is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from chainrule.tabular.reading import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "trees.csv"
    ...     _ = path.write_text("height;kind;planted\\n3,5;oak;1.2.2020\\n20;;13.2.2020\\n", encoding="utf-8")
    ...     table = read_table(path)
    >>> table.frame["height"].to_list(), table.frame["kind"].to_list()
    ([3.5, 20.0], ['oak', ''])
    """
    narwhals = require("narwhals", "tabular", WHO)
    with staged(source) as found:
        options = Options(encoding, delimiter, decimal, header, missing, columns, text, query, sheet)
        table, notes = _read(found, options)
        return Table(narwhals.from_native(table, eager_only=True), tuple(notes), found.name)


def read_blocks(source: Any, **options: Any) -> Iterator[Table]:
    """The same in parts, of a table that may be larger than memory; the options are those of ``read_table``.

    Text of rows and cells, and Parquet, come in parts; all else is read as a whole.
    """
    narwhals = require("narwhals", "tabular", WHO)
    asked = Options(**options)
    with staged(source) as found:
        for part in _parts(found, asked):
            yield Table(narwhals.from_native(part, eager_only=True), (), found.name)


def _parts(source: Source, options: Options) -> Iterator[Any]:
    what = kind(source)
    if options.query is None and source.part is None:
        if what in ("parquet", "folder"):
            return columnar_blocks(source, options)
        if what == "text" and not is_json(_head(source, options), _suffix(source)):
            return delimited_blocks(source, options, _suffix(source))
    return iter([_read(source, options)[0]])


def _read(source: Source, options: Options) -> tuple[Any, list[str]]:
    what = kind(source)
    if (options.query is not None or source.part is not None) and what != "sqlite":
        source.refuse("a SQLite file for a query or ::table in", f"a {what} file", "name the file alone")
    if what == "sqlite":
        return read_sqlite(source, options)
    if what == "workbook":
        return read_workbook(source, options)
    if what != "text":
        return read_columnar(source, what, options)
    suffix = _suffix(source)
    head = _head(source, options)
    if is_json(head, suffix):
        return read_json_lines(source, options)
    if (head.lstrip()[:1] == "<" and "<html" in head.lower()) or head.lstrip().startswith("<?xml"):
        source.refuse("a table in", "a page of HTML or XML", "download the file itself, or save the table as CSV")
    return read_delimited(source, options, suffix)


def _suffix(source: Source) -> str:
    """Return the suffix of the name, without that of the compression."""
    path = Path(source.name)
    return (path.with_suffix("") if path.suffix.lower() in (".gz", ".zip") else path).suffix.lower()


def _head(source: Source, options: Options) -> str:
    """Return the first characters of a text file."""
    with unpacked(source) as chunks:
        first = next(chunks, b"")
    encoding = find_encoding(source, first, options.encoding)
    return first[: 1 << 16].decode(encoding, "replace")
