"""Tables from files: CSV, TSV and Parquet, refused in one sentence where they are not clean."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ..._support.checks import sentence
from ..._support.files import as_path
from .delimited import read_delimited
from .parquet import read_parquet
from .table import LEAVE_OUT, Table, UnknownColumnError

__all__ = ["LEAVE_OUT", "Table", "UnknownColumnError", "read_table"]


def read_table(
    path: str | os.PathLike[str],
    *,
    header: bool | None = None,
    columns: Collection[str] | None = None,
    text: Collection[str] = (),
) -> Table:
    """The table in a CSV, TSV (either may be gzipped) or Parquet file, told apart by suffix.

    Text files are UTF-8, with or without a byte-order mark; the delimiter is the one among comma, semicolon and tab
    that cuts the first lines into equal rows, or the one that a first line ``sep=;`` states, as Excel reads it. Blanks
    around a cell do not belong to it; blank lines are skipped.

    **Header.** With ``header=None`` a first line of numbers alone is data, and one of text alone is the header. If it
    mixes the two, a column of numbers under a text cell proves a header. What may be either is refused, because a
    wrong guess would lose a row or train on the names: other mixtures, numbers that ascend as names do (``0,1,2``
    or ``2019,2020``), text that stands again below in its column. Without a header the columns are called
    ``c0, c1, ...``.

    **Missing values.** An empty cell, ``?``, ``NA``, ``n/a``, ``NaN``, ``null`` or an error of a spreadsheet such as
    ``#DIV/0!`` is a missing value, and rows that have one are refused with their line numbers. In a column that is
    listed in ``text`` only an empty cell is one.

    **Numbers or text.** A column is numbers if every cell is a plain number. It is text if words are at least half of
    its cells, and half of its different cells. What lies between is refused, and the first cell that does not fit is
    named. So are numbers written for people (``1,5``, ``1 234``, ``$10``, ``12 %``, ``12 kg``, ``0x1F``), whole
    numbers that float64 would round, and dates. List such a column in ``text`` to read its cells as they are. Digits
    that begin with a zero, such as ``007``, are codes, and therefore text, if all cells of the column have that length.

    **Parquet** states the kind of each column. Text there is held to the same rules, but stays text if every cell is a
    plain number. The index that pandas stores is read only if ``columns`` names it.

    Parameters
    ----------
    path : a file that ends in .csv, .tsv, .csv.gz, .tsv.gz or .parquet; a pipe without a suffix is read as .csv.
    header : whether the first line names the columns; None finds out.
    columns : the columns to read; None reads all. The others may hold anything, and lack a name.
    text : columns to read as text even if they hold numbers, such as postcodes.

    Returns
    -------
    Table
        The columns in the order of the file, and the line number of each row.

    Raises
    ------
    ValueError
        An empty file, a header alone, ragged rows, bytes that are not UTF-8, nameless or equally named columns, missing
        values, text among numbers, numbers not written plainly, dates, an unknown suffix or column; the sentence names
        the file and the line.
    TypeError
        ``columns`` or ``text`` that is one string, ``header`` that is no bool.
    OSError
        The file cannot be opened.
    ModuleNotFoundError
        Parquet without pyarrow.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "trees.csv"
    ...     _ = path.write_text("height;kind\\n3.5;oak\\n20;pine\\n")
    ...     table = cr.data.read_table(path)
    >>> {name: column.tolist() for name, column in table.items()}
    {'height': [3.5, 20.0], 'kind': ['oak', 'pine']}
    >>> table.lines
    array([2, 3])
    """
    _check_options(header, columns, text)
    path = as_path("read_table", path)
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path, columns, text)
    if suffix in (".csv", ".tsv") or (not suffix and _is_pipe(path)):
        return read_delimited(path, "\t,;" if suffix == ".tsv" else ",;\t", header, columns, text)
    raise ValueError(
        sentence("read_table", "a .csv, .tsv, .csv.gz, .tsv.gz or .parquet file", str(path), "rename it if it is one")
    )


def _check_options(header: object, columns: object, text: object) -> None:
    for name, value in (("columns", columns), ("text", text)):
        if isinstance(value, str):
            raise TypeError(sentence("read_table", f"{name} to be a list of names", repr(value), f"pass [{value!r}]"))
    if header is not None and not isinstance(header, bool):
        remedy = "pass True if the first line names the columns"
        raise TypeError(sentence("read_table", "header to be True, False or None", repr(header), remedy))


def _is_pipe(path: Path) -> bool:
    return path.exists() and not (path.is_file() or path.is_dir())
