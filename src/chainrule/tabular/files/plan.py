"""What Arrow is to make of each column: a guess from the first rows, corrected by what comes later."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..numerals import COMMA, POINT, is_code, is_plain, is_whole, numeral, style
from ..words import is_missing_number
from .options import Options, choose
from .sources import Source

INTEGER, FLOAT, TEXT = "int64", "float64", "string"
ROWS = 100  # that the first guess is made from


@dataclass(frozen=True)
class Plan:
    """The columns of a file: their names, which to read, and the type that Arrow is asked to make of each.

    ``doubtful`` are columns of text that may be numbers as people write them. ``shows_point`` says whether a number in
    the first rows has a decimal point for certain.
    """

    names: list[str]
    chosen: list[int]
    types: list[str]
    decimal: str
    doubtful: frozenset[int]
    shows_point: bool

    @staticmethod
    def of(source: Source, names: Sequence[str], columns: Sequence[Sequence[str]], options: Options) -> Plan:
        """The plan for columns of which these are the first cells."""
        chosen = choose(source, names, options)
        columns = [column[:ROWS] for column in columns]
        marks = {style(columns[at]).decimal for at in chosen} - {""}
        decimal = options.decimal or (COMMA if marks == {COMMA} else POINT)
        types, doubtful = [TEXT] * len(names), set()
        for at in chosen:
            if names[at] not in options.text:
                words = [cell for cell in columns[at] if not is_missing_number(cell, options.missing)]
                types[at] = _type(words, decimal)
                if types[at] == TEXT and 2 * sum(numeral(word) is not None for word in words) >= len(words):
                    doubtful.add(at)
        return Plan(list(names), chosen, types, decimal, frozenset(doubtful), POINT in marks)

    def with_text(self, places: Collection[int]) -> Plan:
        """The plan in which these columns are read as text, and then looked at."""
        types = [TEXT if at in places else kind for at, kind in enumerate(self.types)]
        return replace(self, types=types, doubtful=self.doubtful | set(places))

    def numbers(self, *kinds: str) -> list[int]:
        """The places of the chosen columns of these types."""
        return [at for at in self.chosen if self.types[at] in kinds]

    def corrected(self, at: int, word: str) -> Plan:
        """The plan after Arrow met this word in a column of numbers."""
        if self.types[at] == INTEGER and is_plain(word, self.decimal) and not is_whole(word):
            types = [FLOAT if place == at else kind for place, kind in enumerate(self.types)]
            return replace(self, types=types)
        return self.with_text([at])


def _type(words: Sequence[str], decimal: str) -> str:
    """The type of a column that begins with these words."""
    if not words or any(map(is_code, words)) or not all(is_plain(word, decimal) for word in words):
        return TEXT
    if not all(map(is_whole, words)):
        return FLOAT
    return INTEGER if all(abs(int(word)) < 2**63 for word in words if len(word) < 100) else TEXT
