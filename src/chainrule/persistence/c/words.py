"""Write columns of words in C: an enum of codes for each, and a function from a word to its code."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from ..._support.checks import sentence
from ...tabular.encoders.program import ColumnProgram
from ..tables import coded, encodable
from .column_functions import CODE_OF, IS_MISSING
from .names import Names
from .text import LONGEST_WORD, comment, string

WHO = "export to C"


@dataclass(frozen=True)
class Words:
    """A column of words.

    Attributes
    ----------
    column, field : str
        The name of the column, and of its field in the struct.
    enumerators : dict
        The enumerator of each code.
    missing, gap : str, int
        The enumerator and the code of a missing word.
    codes : dict
        The code of each word that is not missing.
    other : int
        The code of all other words.
    gaps : sequence of str
        The words for a missing value.
    """

    column: str
    field: str
    enumerators: dict[int, str]
    missing: str
    gap: int
    codes: dict[str, int]
    other: int
    gaps: frozenset[str]

    def name_of(self, word: str) -> str:
        """Return the enumerator of a word."""
        return self.missing if word in self.gaps else self.enumerators[self.codes.get(word, self.other)]

    def enum(self, name: str) -> str:
        """Return the enum type."""
        lines = [f"    {own} = {code}," for code, own in self.enumerators.items()]
        lines += [] if self.missing in self.enumerators.values() else [f"    {self.missing} = {self.gap},"]
        return f"/* {comment(repr(self.column))} */\nenum {name}_{self.field}_code {{\n" + "\n".join(lines) + "\n};"

    @property
    def table(self) -> list[tuple[str, int]]:
        """Return words and codes in the order of strcmp."""
        return sorted(self.codes.items(), key=lambda entry: entry[0].encode())


def words_of(column: ColumnProgram, field: str, missing: frozenset[str], name: str, names: Names) -> Words:
    """Return the words of a column with a lookup."""
    call, upper = column.call, name.upper()
    labels, gap = call.arrays["labels"].tolist(), int(call.numbers["gap"])
    enumerators = {code: names.new(upper, field.upper(), label.upper()) for code, label in enumerate(labels)}
    gone = enumerators[gap] if labels[gap] == "missing" else names.new(upper, field.upper(), "MISSING")
    codes = {word: code for word, code in coded(call, missing).items() if word not in missing}
    for word in codes:
        if "\0" in word or len(word.encode()) > LONGEST_WORD:
            got = f"{word[:20]!r} in column {column.source.name!r}"
            expected, remedy = f"words of at most {LONGEST_WORD} bytes without NUL", "drop the column, or rename it"
            raise ValueError(sentence(WHO, expected, got, remedy))
    return Words(column.source.name, field, enumerators, gone, gap, codes, int(call.numbers["other"]), missing)


def missing_words(missing: Collection[str], name: str) -> Iterator[str]:
    """Return the words for a missing value, and the function that recognises them."""
    words = [word for word in sorted(missing) if encodable(word) and "\0" not in word]
    lines = "\n".join(f"    {string(word, LONGEST_WORD)}," for word in words)
    head = f"static const char *const {name}_missing_words[{len(words)}]"
    yield f"/* Words for a missing value. */\n{head} = {{\n{lines}\n}};"
    yield IS_MISSING.replace("MISSING", str(len(words))).replace("NAME", name)


def from_text(columns: Iterable[Words], name: str) -> Iterator[str]:
    """Return a function for each column; equal tables of words are written once."""
    yield CODE_OF.replace("NAME", name)
    tables: dict[tuple[tuple[str, int], ...], str] = {}
    for words in columns:
        own, kind = tuple(words.table), f"enum {name}_{words.field}_code"
        if own and own not in tables:
            tables[own] = f"{name}_words{len(tables) + 1}"
            lines = "\n".join(f"    {{{string(word, LONGEST_WORD)}, {code}}}," for word, code in own)
            yield f"static const struct {name}_word {tables[own]}[{len(own)}] = {{\n{lines}\n}};"
        found = f"{name}_code_of({tables[own]}, {len(own)}, text, {words.other})" if own else str(words.other)
        yield f"""\
static inline {kind} {name}_{words.field}_from_text(const char *text)
{{
    return ({kind})({name}_is_missing(text) ? {words.gap} : {found});
}}"""
