"""Decide the kind of each column of a table: number, category, flag, date, text, id or constant.

Every decision has a reason, is printed before training, and can be overridden by name.

- **number**: numbers, in texts too. **date**: dates and moments, in texts too; integers such as ``20240131``.
- **flag**: two words for yes and no in any spelling, or 0 and 1; or one value that is present or missing.
- **category**: repeated words, digits with leading zeros, integers named like codes (``zip``, ``class``, ``type``).
  **text**: different texts of several words.
- **id**: integers, or texts of a word or two, that differ in every row, unless that is likely by chance.
  **constant**: one value everywhere. **drop**: columns dropped by name, or unusable by a network. These three are not
  inputs. If nothing else is left, an id becomes a number or a category.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._support.checks import check_name, sentence
from .._support.text import printable
from .columns import Frame
from .judging import CONSTANT, DROP, ID, INTEGER, KINDS, Facts, judge, judge_target

_GAP = 2  # spaces between columns
_MOST = (24, 9, 9, 9, 16)  # maximum widths of columns; the last takes the rest


def as_lines(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: Collection[int]) -> list[str]:
    """Format rows below their head; columns in ``right`` are right-aligned."""
    table = [[printable(cell, 200) for cell in row] for row in (head, *rows)]
    widths = [min(max(map(cells_of, column)), _limit(at)) for at, column in enumerate(zip(*table, strict=True))]
    left = width - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    widths[-1] = max(min(widths[-1], left), 1)
    return ["  ".join(_set(cell, widths[at], at in right) for at, cell in enumerate(row)).rstrip() for row in table]


def _limit(column: int) -> int:
    return _MOST[column] if column < len(_MOST) else 200


def cells_of(text: str) -> int:
    """Count the terminal cells of a text: two for a wide character, none for a combining mark."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _set(text: str, width: int, right: bool) -> str:
    """Pad a text to the width of its column, or cut its end."""
    if cells_of(text) > width:
        while cells_of(text) > width - 1:
            text = text[:-1]
        text += "…"
    gap = " " * (width - cells_of(text))
    return gap + text if right else text + gap


__all__ = ["KINDS", "ColumnKind", "Kinds", "understand"]

_WHO = "understand"
_FORMS = {"date": ("dmy", "mdy"), "number": (".", ",")}


@dataclass(frozen=True)
class ColumnKind:
    """The kind of a column, and the reason for it.

    Attributes
    ----------
    name : str
        Name of the column.
    kind : str
        One of number, category, flag, date, text, id, constant, drop.
    missing : int
        Number of cells without a value.
    distinct : int
        Number of different values.
    example : str
        The first value.
    why : str
        The reason in a few words.
    form : str
        Format of dates (``dmy``, ``mdy``, ``yyyymmdd``) or numbers in texts (``,`` as the decimal mark).
    is_target : bool
        Whether it is the target.
    """

    name: str
    kind: str
    missing: int
    distinct: int
    example: str
    why: str
    form: str = ""
    is_target: bool = False

    @property
    def is_input(self) -> bool:
        """Whether the column is an input of the model."""
        return not self.is_target and self.kind not in (ID, CONSTANT, DROP)


class Kinds(list[ColumnKind]):
    """A list of :class:`ColumnKind`, which prints as a table 80 characters wide."""

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self, width: int = 80) -> list[str]:
        """Format the table in lines of at most ``width`` characters."""
        head = ("column", "kind", "missing", "distinct", "example", "why")
        rows = [
            (kind.name, kind.kind, f"{kind.missing:,}", f"{kind.distinct:,}", kind.example, kind.why) for kind in self
        ]
        return as_lines(head, rows, width, right=(2, 3))

    def of(self, name: str) -> ColumnKind:
        """Return the kind of the column of this name."""
        found = {kind.name: kind for kind in self}
        return found[check_name(_WHO, "a column", name, found)]


def understand(
    frame: Any,
    columns: Mapping[str, str] | None = None,
    target: str | None = None,
    *,
    missing: Collection[str] = (),
) -> Kinds:
    """Decide the kind of each column of a table, by the rules of this module.

    Words such as ``NA`` and ``?`` count as missing; in a category nothing is lost, because missing is a category too.
    The target is a category if it is text, has two values, or has few repeated integers; otherwise it is a number.

    Parameters
    ----------
    frame : frame, Table or dict of arrays
        A pandas, polars or Arrow frame, a Table, or a dict.
    columns : mapping of name to kind, optional
        Overrides, such as ``{"zip": "category", "id": "drop"}``; also ``"date:dmy"`` or ``"date:mdy"`` for the order of
        day and month, and ``"number:,"`` for a decimal comma.
    target : str, optional
        Name of the column to predict.
    missing : list of str, optional
        Additional words for a missing value.

    Returns
    -------
    Kinds
        A :class:`ColumnKind` for each column, in order.

    Raises
    ------
    ValueError
        If a name is not a column, a kind is unknown or does not fit, or the order of day and month is ambiguous.

    Examples
    --------
    >>> from chainrule.tabular.kinds import understand
    >>> trees = {"no": [1, 2, 3, 4, 5, 6], "kind": ["oak", "fir", "NA", "oak", "fir", "fir"],
    ...          "felled": ["no", "yes", "no", "no", "yes", "no"], "height": [3.5, 4, 20, 9.25, 7, 4]}
    >>> print(understand(trees, target="height"))
    column  kind      missing  distinct  example  why
    no      id              0         6  1        left out: counts the rows
    kind    category        1         2  oak      words
    felled  flag            0         2  no       no and yes
    height  number          0         5  3.5      the target
    """
    table = Frame(_WHO, frame, trims=True)
    chosen = _checked(table, columns or {}, target)
    found = Kinds()
    for name in table.names:
        column, facts = table.column(name), chosen.get(name, ("", ""))
        if name == target:
            judged = judge_target(_WHO, name, column, missing, *facts)
        else:
            judged = judge(_WHO, name, column, missing, *facts)
        found.append(_as_kind(name, judged, is_target=name == target))
    _keep_one(found, chosen)
    return found


def _as_kind(name: str, facts: Facts, *, is_target: bool) -> ColumnKind:
    return ColumnKind(
        name, facts.kind, facts.missing, facts.distinct, facts.example, facts.why, facts.form, is_target=is_target
    )


def _checked(table: Frame, columns: Mapping[str, str], target: str | None) -> dict[str, tuple[str, str]]:
    for name in [*columns, *([] if target is None else [target])]:
        check_name(_WHO, "a column", name, table.names)
    chosen = {}
    for name, stated in columns.items():
        kind, _, form = str(stated).partition(":")
        check_name(_WHO, f"a kind for column {name!r}", kind, KINDS)
        if form and form not in _FORMS.get(kind, ()):
            known = ", ".join(f"{known}:{form}" for known, forms in _FORMS.items() for form in forms)
            raise ValueError(sentence(_WHO, f"a kind for column {name!r}", repr(stated), f"known with a form: {known}"))
        chosen[name] = kind, form
    return chosen


def _keep_one(found: Kinds, chosen: Collection[str]) -> None:
    """Turn left-out columns into inputs, if nothing else is left."""
    if any(kind.is_input for kind in found):
        return
    for wanted in (ID, CONSTANT):
        for at, kind in enumerate(found):
            if kind.kind == wanted and not kind.is_target and kind.name not in chosen:
                used = "number" if kind.form == INTEGER else "category"
                found[at] = replace(kind, kind=used, why="the only column left")
                return


def inputs(kinds: Iterable[ColumnKind]) -> list[ColumnKind]:
    """Return the columns that are inputs."""
    return [kind for kind in kinds if kind.is_input]
