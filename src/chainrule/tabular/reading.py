"""Read tables from files: the contents determine the format, and notes say what was inferred.

Text files are UTF-8, UTF-16 or Latin-1; the delimiter is the one that splits the first lines into equal rows. The first
line is a header if it is text above numbers or dates, or words that do not occur below. Numbers may be written as
``1.234,5``, ``1 234``, ``$10``, ``12 %`` or ``−3``. Digits with leading zeros, such as ``007``, are codes and remain
text. Between numbers, ``NA``, ``?``, ``-`` and similar words are missing values; other text is unchanged. An index
without a name is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.checks import require
from .._support.text import MOST, printable
from .files.cells import Findings
from .files.columnar import agreed, columnar_blocks, read_columnar
from .files.delimited import delimited_blocks, read_delimited
from .files.records import is_json, read_json_lines, read_sqlite, read_workbook
from .files.sources import WHO, Options, Source, UnknownColumnError, kind, staged, unpacked
from .files.streams import find_encoding

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["Table", "UnknownColumnError", "read_table"]

_ROW = re.compile(r"\bat row (\d+)")


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
    source : path, list of paths, pattern, binary file, LazyFrame or dataset
        The file, or files with the same columns: ``"sales/*.csv"``, ``"s3://bucket/*.parquet"``; ``"-"`` for standard
        input, ``"file.db::table"`` for SQLite; a LazyFrame, a pyarrow dataset, a cursor, or an iterator of frames.
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
    with staged(source) as found:
        options = Options(encoding, delimiter, decimal, header, missing, columns, text, query, sheet)
        table, notes = read(found, options)
        return as_table(table, found.name, notes)


def as_table(arrow: Any, name: str, notes: Sequence[str] = ()) -> Table:
    """Wrap an Arrow table."""
    return Table(require("narwhals", "tabular", WHO).from_native(arrow, eager_only=True), tuple(notes), name)


@contextmanager
def naming_rows(source: str, start: int = 0) -> Iterator[None]:
    """Count rows in errors from 1 in the whole table, after ``start`` earlier rows."""
    try:
        yield
    except ValueError as error:
        said = _ROW.sub(lambda found: f"in row {start + int(found[1]) + 1} of {source}", str(error), count=1)
        raise ValueError(said) from None


def read_blocks(source: Any, **options: Any) -> Iterator[Table]:
    """The same in parts, of a table that may be larger than memory; the options are those of ``read_table``.

    Text of rows and cells, and Parquet, come in parts; all else is read as a whole.
    """
    asked = Options(**options)
    with staged(source) as found:
        for name, part in parts(found, asked):
            yield as_table(part, name)


def numbered(blocks: Iterable[Table]) -> Iterator[tuple[Table, int]]:
    """Yield each block, and how many rows of its file are above it."""
    file, above = "", 0
    for block in blocks:
        above = above if block.source == file else 0
        yield block, above
        file, above = block.source, above + len(block.frame)


def parts(source: Source, options: Options, findings: Findings | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the blocks as Arrow tables, and the file of each; ``findings`` as in ``delimited_blocks``."""
    what = kind(source)
    if what == "texts":
        return _of_texts(source, options, findings)
    if options.query is None and source.part is None:
        if what in ("parquet", "folder", "arrow", "arrow stream"):
            return columnar_blocks(source, what, options)
        if what == "text" and not is_json(_head(source, options), _suffix(source)):
            blocks = delimited_blocks(source, options, _suffix(source), findings)
            return ((source.name, block) for block in blocks)
    return iter([(source.name, read(source, options)[0])])


def _of_texts(source: Source, options: Options, findings: Findings | None) -> Iterator[tuple[str, Any]]:
    first: tuple[str, Any] | None = None
    for file in source.files:
        for name, block in parts(Source(file, str(file)), options, findings):
            first = first or (name, block.schema)
            if block.schema.names != first[1].names:
                agreed(source, [first, (name, block.schema)])
            yield name, block.select(first[1].names)


def _joined(source: Source, options: Options) -> tuple[Any, list[str]]:
    """Read text files with the same columns as one table."""
    arrow = require("pyarrow", "tabular", WHO)
    found = {str(file): read(Source(file, str(file)), options) for file in source.files}
    schema = agreed(source, [(file, table.schema) for file, (table, _) in found.items()])
    tables = [table.select(schema.names).cast(schema) for table, _ in found.values()]
    return arrow.concat_tables(tables), list(dict.fromkeys(note for _, notes in found.values() for note in notes))


def read(source: Source, options: Options) -> tuple[Any, list[str]]:
    """Read all rows as an Arrow table, and notes."""
    what = kind(source)
    if what == "texts":
        return _joined(source, options)
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
