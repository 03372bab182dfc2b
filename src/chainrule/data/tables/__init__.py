"""Tables from files: CSV, TSV and Parquet, refused in one sentence where they are not clean."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ..._support.checks import sentence
from .delimited import read_delimited
from .parquet import read_parquet
from .table import AS_TEXT, Table, UnknownColumnError

__all__ = ["AS_TEXT", "Table", "UnknownColumnError", "read_table"]


def read_table(
    path: str | os.PathLike[str],
    *,
    header: bool | None = None,
    columns: Collection[str] | None = None,
    text: Collection[str] = (),
) -> Table:
    """The table in a CSV, TSV (either may be gzipped) or Parquet file, told apart by suffix.

    Text files are UTF-8, with or without a byte-order mark; the delimiter is the one among comma, semicolon and tab
    that cuts the first lines into equal rows. Blanks around a cell do not belong to it; blank lines are skipped.

    **Header.** With ``header=None`` a first line of numbers alone is data, and one of text alone is the header. If it
    mixes the two, a column of numbers under a text cell proves a header; otherwise the file is refused, because a
    wrong guess would silently lose a row. Without a header the columns are called ``c0, c1, ...``.

    **Missing values.** An empty cell, ``?``, ``NA``, ``N/A``, ``NaN`` or ``null`` is a missing value, and rows that
    have one are refused with their line numbers.

    **Numbers or text.** A column is numbers if every cell is one, text if fewer than 90 % are. A column between the
    two is taken for numbers with mistakes in them, and refused, naming the first; list it in ``text`` if it is text.
    So is a column of text whose every cell is a number with a decimal comma (``1,5``), a currency sign (``$10``) or a
    percent sign (``12 %``). A column with a cell of digits that begin with a zero, such as ``007``, is always text.

    **Parquet** states the kind of each column. The index that pandas stores is read only if ``columns`` names it.

    Parameters
    ----------
    path : a file that ends in .csv, .tsv, .csv.gz, .tsv.gz or .parquet; a pipe without a suffix is read as .csv.
    header : whether the first line names the columns; None finds out.
    columns : the columns to read; None reads all. The others may hold anything.
    text : columns to read as text even if they hold numbers, such as postcodes.

    Returns
    -------
    Table
        The columns in the order of the file, and the line number of each row.

    Raises
    ------
    ValueError
        An empty file, a header alone, ragged rows, bytes that are not UTF-8, nameless or equally named columns, missing
        values, text among numbers, numbers not written plainly, an unknown suffix or column; the sentence names the
        file and the line.
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
    ...     table = cr.read_table(path)
    >>> {name: column.tolist() for name, column in table.items()}
    {'height': [3.5, 20.0], 'kind': ['oak', 'pine']}
    >>> table.lines
    array([2, 3])
    """
    path = Path(path)
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path, columns, text)
    if suffix in (".csv", ".tsv") or (not suffix and _is_pipe(path)):
        return read_delimited(path, "\t,;" if suffix == ".tsv" else ",;\t", header, columns, text)
    raise ValueError(sentence("read_table", "a .csv, .tsv, .csv.gz, .tsv.gz or .parquet file", str(path)))


def _is_pipe(path: Path) -> bool:
    return path.exists() and not (path.is_file() or path.is_dir())
