"""Tables from files: what they are is told by their contents, and what was understood on the way is said.

Text files are UTF-8, UTF-16 or Latin-1; their delimiter is the one that cuts the first lines into equal rows. A first
line names the columns if it is text above numbers or dates, or words that do not come again below. Numbers are read as
people write them: ``1.234,5``, ``1 234``, ``$10``, ``12 %``, ``−3``. Digits with leading zeros, such as ``007``, are
codes and stay text. Between numbers, ``NA``, ``?``, ``-`` and the like are missing values; text is left as it is. An
index without a name is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.checks import require
from .._support.text import MOST, printable
from .files.characters import find_encoding
from .files.columnar import columnar_blocks, read_columnar
from .files.database import read_sqlite
from .files.delimited import delimited_blocks, read_delimited
from .files.json_lines import is_json, read_json_lines
from .files.options import Options, UnknownColumnError
from .files.sources import WHO, Source, kind, staged, unpacked
from .files.workbook import read_workbook

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["Table", "UnknownColumnError", "read_table"]


@dataclass(frozen=True, repr=False, eq=False)
class Table(Mapping[str, Any]):
    """A table that was read: a mapping from the names of its columns to these.

    Attributes
    ----------
    frame : narwhals.DataFrame, the columns; ``frame.to_native()`` is the Arrow table below it
    notes : tuple of str, what was understood while the file was read: an index left out, a decimal comma, Latin-1
    source : str, the file
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
    """Read a table from a file of any common kind.

    The contents tell what a file is: CSV, TSV, cells set off by semicolons, bars or blanks, any of them gzipped or
    alone in a zip file; Parquet, or a folder of Parquet files; Arrow IPC; JSON lines; an Excel workbook; SQLite.

    What may be understood in two ways is not guessed: the error names the option that decides.

    Parameters
    ----------
    source : path, ``"-"`` for standard input, ``"file.db::table"`` for SQLite, or an open binary file
    encoding : of a text file, such as ``"cp1251"``; None finds out
    delimiter : of a text file, what sets off its cells, ``" "`` for any blanks; None finds out
    decimal : ``"."`` or ``","``, the mark before decimals; None finds out
    header : whether the first row names the columns; None finds out
    missing : further words for a missing value, in all columns
    columns : the columns to read; None reads all
    text : columns to read as text even if they hold numbers, such as postcodes
    query, sheet : what to select from a SQLite file; name or place of an Excel sheet, None takes the first

    Returns
    -------
    Table
        The frame, and notes on what was understood.

    Raises
    ------
    ValueError
        What cannot be read, or not in one way only; a name that is no column (UnknownColumnError).
    OSError, ModuleNotFoundError
        The file cannot be opened; pyarrow or narwhals is not installed, or openpyxl for a workbook.

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
    options = Options(encoding, delimiter, decimal, header, missing, columns, text, query, sheet)
    with staged(source) as found:
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
    """That of the name, without the one that tells how it is packed."""
    path = Path(source.name)
    return (path.with_suffix("") if path.suffix.lower() in (".gz", ".zip") else path).suffix.lower()


def _head(source: Source, options: Options) -> str:
    """The first characters of a text file."""
    with unpacked(source) as chunks:
        first = next(chunks, b"")
    encoding = find_encoding(source, first, options.encoding)
    return first[: 1 << 16].decode(encoding, "replace")
