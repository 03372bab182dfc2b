"""Check the options of ``read_table``, and choose columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ..._support.checks import nearest, sentence
from ..numerals import COMMA, POINT
from .sources import WHO, Source

MOST_COLUMNS = 1 << 16
_FEW = 20  # names that a message lists


class UnknownColumnError(ValueError):
    """The table has no column of this name.

    Attributes
    ----------
    name : str
        The requested column.
    known : list of str
        The columns of the table.
    """

    def __init__(self, message: str, name: str, known: Sequence[str]) -> None:
        super().__init__(message)
        self.name, self.known = name, list(known)


@dataclass(frozen=True)
class Options:
    """The options of ``read_table``; None for those that the file determines."""

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    header: bool | None = None
    missing: Collection[str] = ()
    columns: Collection[str] | None = None
    text: Collection[str] = ()
    query: str | None = None
    sheet: str | int | None = None

    def __post_init__(self) -> None:
        for name in ("missing", "columns", "text"):
            value: Any = getattr(self, name)
            if isinstance(value, str) or (value is not None and not all(isinstance(part, str) for part in value)):
                raise TypeError(sentence(WHO, f"{name} to be a list of texts", repr(value), f"pass {name}=[...]"))
        header: Any = self.header
        if header is not None and not isinstance(header, bool):
            remedy = "pass True if the first line names the columns"
            raise TypeError(sentence(WHO, "header to be True, False or None", repr(header), remedy))
        mark: Any = self.delimiter
        if mark is not None and (not isinstance(mark, str) or len(mark) != 1 or mark.isalnum() or mark in '"\r\n'):
            expected = "delimiter to be one character, such as ';', or ' ' for any blanks"
            raise ValueError(sentence(WHO, expected, repr(mark)))
        if self.decimal not in (None, POINT, COMMA):
            raise ValueError(sentence(WHO, "decimal to be '.' or ','", repr(self.decimal)))


def choose(source: Source, names: Sequence[str], options: Options) -> list[int]:
    """Return the positions of the columns to read: the requested ones, or all with a name."""
    known = [name for name in names if name]
    there = set(known)
    for name in [*(options.columns or ()), *options.text]:
        if name not in there:
            some = ", ".join(known[:_FEW]) + (", ..." if len(known) > _FEW else "")
            got = f"{name!r}{nearest(name, known)}"
            message = sentence(WHO, f"the name of a column of {source.name}", got, f"its columns: {some}")
            raise UnknownColumnError(message, name, known)
    wanted = None if options.columns is None else set(options.columns)
    chosen = [at for at, name in enumerate(names) if name and (wanted is None or name in wanted)]
    if not chosen:
        source.refuse("a column with a name in", "none")
    if len(chosen) > MOST_COLUMNS:
        source.refuse(f"at most {MOST_COLUMNS:,} columns in", f"{len(chosen):,}", "choose some with columns=[...]")
    return chosen
