"""Write a row of a table in C: a struct with a field for each column, enums for words, and functions of the columns.

In their text ``NAME`` stands for the name of the model, ``MISSING`` for the number of words for a missing value. A
header contains only those that its table needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from ..._support.checks import sentence
from ...tabular.encoders import quantities as dates
from ...tabular.encoders import texts
from ...tabular.encoders.program import MOMENTS, NUMBERS, WORDS, ColumnProgram, Source
from ...tabular.moments import DAY
from ..tables import TableModel, coded, encodable
from .text import LONGEST_WORD, Names, comment, string

IS_MISSING = """\
static inline int NAME_is_missing(const char *text)
{
    if (text == NULL) {
        return 1;
    }
    for (size_t i = 0; i < MISSING; i++) {
        if (strcmp(text, NAME_missing_words[i]) == 0) {
            return 1;
        }
    }
    return 0;
}"""

CODE_OF = """\
struct NAME_word {
    const char *text;
    int code;
};

/* The code of a word among n words in the order of strcmp, or the other one. */
static inline int NAME_code_of(const struct NAME_word *words, size_t n, const char *text, int other)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(text, words[middle].text);
        if (order == 0) {
            return words[middle].code;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return other;
}"""

_PLACE_OF = """\
/* The place of a number among n values, or -1. */
static inline int NAME_place_of(double number, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (number <= values[i] && number >= values[i]) {
            return (int)i;
        }
    }
    return -1;
}"""

_DATE = f"""\
struct NAME_date {{
    double time, year, month, weekday, hour; /* days since 1970, year; the others as angles */
}};

/* The parts of a moment, by whole numbers that 64 bits always hold. */
static inline struct NAME_date NAME_date_of(int64_t at)
{{
    const double turn = 6.283185307179586;
    const int64_t before = at % {DAY} < 0, days = at / {DAY} - before;
    const int64_t since = days + {dates.TO_MARCH}, of_era = (since % {dates.ERA} + {dates.ERA}) % {dates.ERA};
    const int64_t leaps = of_era / {dates.CENTURY} - of_era / {dates.FOUR - 1} - of_era / {dates.ERA - 1};
    const int64_t years = (of_era + leaps) / {dates.YEAR_DAYS};
    const int64_t of_year = of_era - ({dates.YEAR_DAYS} * years + years / 4 - years / 100);
    const int64_t from_march = (5 * of_year + 2) / 153, next = from_march > 9;
    struct NAME_date date;
    date.time = (double)at / {DAY}.0;
    date.year = (double)(years + 400 * ((since - of_era) / {dates.ERA}) + next);
    date.month = turn * ((double)(from_march + 2 - 12 * next) / 12.0);
    date.weekday = turn * ((double)(((days + 3) % 7 + 7) % 7) / 7.0);
    date.hour = turn * ((double)(at % {DAY} + {DAY} * before) / {DAY}.0);
    return date;
}}"""

_PIECES = f"""\
/* The next letter of UTF-8, and how many bytes it has. */
static inline size_t NAME_letter(const unsigned char *text, uint32_t *letter)
{{
    const size_t more = text[0] >= 0xF0 ? 3 : text[0] >= 0xE0 ? 2 : text[0] >= 0xC0 ? 1 : 0;
    *letter = more ? text[0] & (0x3Fu >> more) : text[0];
    for (size_t i = 1; i <= more; i++) {{
        if ((text[i] & 0xC0u) != 0x80u) {{
            *letter = 0xFFFDu; /* no UTF-8 */
            return i;
        }}
        *letter = *letter << 6 | (text[i] & 0x3Fu);
    }}
    return more + 1;
}}

static inline uint64_t NAME_known(uint32_t letter, const uint32_t *alphabet, size_t letters)
{{
    size_t low = 0, high = letters;
    letter += letter >= 'A' && letter <= 'Z' ? 'a' - 'A' : 0;
    while (low < high) {{
        const size_t middle = low + (high - low) / 2;
        if (alphabet[middle] == letter) {{
            return letter;
        }}
        if (alphabet[middle] < letter) {{
            low = middle + 1;
        }} else {{
            high = middle;
        }}
    }}
    return 0;
}}

/* The sums of the hashed pieces of three letters of the text between two blanks, divided by their length. */
static inline void NAME_pieces(const char *text, const uint32_t *alphabet, size_t letters, size_t buckets, double *sums)
{{
    for (size_t i = 0; i < buckets; i++) {{
        sums[i] = 0.0;
    }}
    if (NAME_is_missing(text)) {{
        return;
    }}
    const unsigned char *next = (const unsigned char *)text;
    const uint64_t blank = NAME_known(' ', alphabet, letters);
    uint64_t first = 0, second = blank;
    double squares = 0.0;
    for (size_t count = 0, end = 0; !end; count++) {{
        uint32_t letter = ' ';
        end = *next == 0 || count == {texts.MOST_CHARACTERS};
        next += end ? 0 : NAME_letter(next, &letter);
        const uint64_t third = NAME_known(letter, alphabet, letters);
        if (count) {{
            const uint64_t mixed = first * {texts.P**2}u + second * {texts.P}u + third;
            const uint64_t hash = mixed % {texts.Q}u * {texts.MIX}u % {texts.Q}u;
            sums[hash % buckets] += hash / buckets % 2 ? 1.0 : -1.0;
        }}
        first = second;
        second = third;
    }}
    for (size_t i = 0; i < buckets; i++) {{
        squares += sums[i] * sums[i];
    }}
    for (size_t i = 0; i < buckets && squares > 0.0; i++) {{
        sums[i] /= sqrt(squares);
    }}
}}"""

#: The functions by the names that calls use, in the order in which they are written.
FUNCTIONS = {"place_of": _PLACE_OF, "date": _DATE, "pieces": _PIECES}


# --- words --------------------------------------------------------------------------------------------------------


WHO = "export to C"


@dataclass(frozen=True)
class Words:
    """A column of words, its field in the struct, the enumerator of each code and the code of each word.

    ``gaps`` are the words for a missing value, which has the enumerator ``missing`` and the code ``gap``.
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
        return self.missing if word in self.gaps else self.enumerators[self.codes.get(word, self.other)]

    def enum(self, name: str) -> str:
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


# --- rows ---------------------------------------------------------------------------------------------------------


TYPES = {NUMBERS: "double ", MOMENTS: "int64_t ", WORDS: "const char *"}
MEANING = {
    NUMBERS: "a number; NAN where it is missing",
    MOMENTS: "microseconds since 1970 in UTC; INT64_MIN where it is missing",
    WORDS: "UTF-8; NULL or empty where it is missing",
}


@dataclass
class Columns:
    """The columns of a model, whose names in C begin with ``name``: their fields in the struct, and their enums."""

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
        tables = {tuple(words.table) for words in self.words.values()}
        return sum(len(word.encode()) + 13 for table in tables for word, _ in table)
