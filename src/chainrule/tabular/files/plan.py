"""Plan the type of each column: inferred from the first rows, corrected by later ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..numerals import COMMA, POINT, is_code, is_plain, is_whole, numeral, style
from ..words import is_missing_number
from .options import Options, choose
from .sources import Source

INTEGER, FLOAT, TEXT = "int64", "float64", "string"
ROWS = 100  # that determine the first plan


@dataclass(frozen=True)
class Plan:
    """The columns of a file: names, which to read, and the type that Arrow converts each to.

    ``doubtful`` are columns of text that may be numbers as people write them. ``shows_point`` means that a number in
    the first rows certainly has a decimal point.
    """

    names: list[str]
    chosen: list[int]
    types: list[str]
    decimal: str
    doubtful: frozenset[int]
    shows_point: bool

    @staticmethod
    def of(source: Source, names: Sequence[str], columns: Sequence[Sequence[str]], options: Options) -> Plan:
        """Plan for columns with these first cells."""
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
        """Read these columns as text, to be examined later."""
        types = [TEXT if at in places else kind for at, kind in enumerate(self.types)]
        return replace(self, types=types, doubtful=self.doubtful | set(places))

    def numbers(self, *kinds: str) -> list[int]:
        """Return the positions of the chosen columns of these types."""
        return [at for at in self.chosen if self.types[at] in kinds]

    def corrected(self, at: int, word: str) -> Plan:
        """Correct the plan after Arrow found this word in a column of numbers."""
        if self.types[at] == INTEGER and is_plain(word, self.decimal) and not is_whole(word):
            types = [FLOAT if place == at else kind for place, kind in enumerate(self.types)]
            return replace(self, types=types)
        return self.with_text([at])


def _type(words: Sequence[str], decimal: str) -> str:
    """Infer the type of a column from its first words."""
    if not words or any(map(is_code, words)) or not all(is_plain(word, decimal) for word in words):
        return TEXT
    if not all(map(is_whole, words)):
        return FLOAT
    return INTEGER if all(abs(int(word)) < 2**63 for word in words if len(word) < 100) else TEXT
