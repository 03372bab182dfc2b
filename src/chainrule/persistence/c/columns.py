"""Write a row of a table in C: a struct with a field for each column, and enums for words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..._support.checks import sentence
from ...tabular.encoders.program import MOMENTS, NUMBERS, WORDS, Source
from ..tables import TableModel
from .names import Names
from .text import comment
from .words import WHO, Words, from_text, missing_words, words_of

TYPES = {NUMBERS: "double ", MOMENTS: "int64_t ", WORDS: "const char *"}
MEANING = {
    NUMBERS: "a number; NAN where it is missing",
    MOMENTS: "microseconds since 1970 in UTC; INT64_MIN where it is missing",
    WORDS: "UTF-8; NULL or empty where it is missing",
}


@dataclass
class Columns:
    """The columns of a model, whose names in C begin with ``name``.

    Attributes
    ----------
    fields : dict of str to str
        The name of each column in the struct.
    words : dict of str to Words
        The words of each column that has an enum.
    """

    model: TableModel
    name: str
    fields: dict[str, str] = field(default_factory=dict)
    words: dict[str, Words] = field(default_factory=dict)

    def __post_init__(self) -> None:
        members, enumerators = Names(), Names()
        for end in ("H", "INPUTS", "OUTPUTS", "BUFFER", "SELF_TEST"):
            enumerators.new(self.name.upper(), end)
        self.fields = {source.name: members.new(source.name) for source in self.model.sources}
        for column in self.model.columns:
            if column.source.takes != WORDS or column.call.op != "lookup":
                continue
            name = column.source.name
            known = self.words.get(name)
            taken = enumerators if known is None else Names()
            found = words_of(column, self.fields[name], self.model.missing, self.name, taken)
            if self.words.setdefault(name, found).codes != found.codes:
                got = f"several of {name!r}"
                raise ValueError(sentence(WHO, "one encoding of each column of text", got, "export to ONNX"))

    def texts(self) -> Iterator[str]:
        """Return the enums, the struct of a row, and the functions from words to codes."""
        for words in self.words.values():
            yield words.enum(self.name)
        lines = "\n".join(map(self._line, self.model.sources))
        yield f"/* One row. */\ntypedef struct {self.name}_row {{\n{lines}\n}} {self.name}_row;"
        if any(source.takes == WORDS for source in self.model.sources):
            yield from missing_words(self.model.missing, self.name)
        if self.words:
            yield from from_text(self.words.values(), self.name)

    def _line(self, source: Source) -> str:
        own = self.fields[source.name]
        kind, what = TYPES[source.takes], MEANING[source.takes]
        if source.name in self.words:
            kind, what = f"enum {self.name}_{own}_code ", f"{self.name}_{own}_from_text(word)"
        return f"    {kind}{own}; /* {comment(repr(source.name))}: {what} */"

    @property
    def flash(self) -> int:
        """Size of the words in bytes."""
        tables = {tuple(words.table) for words in self.words.values()}
        return sum(len(word.encode()) + 13 for table in tables for word, _ in table)
