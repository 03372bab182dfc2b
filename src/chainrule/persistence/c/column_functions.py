"""C functions that compute features of columns; a header contains only those that its table needs.

``NAME`` stands for the name of the model, ``MISSING`` for the number of words for a missing value.
"""

from __future__ import annotations

from ...tabular.encoders import quantities as dates
from ...tabular.encoders import texts
from ...tabular.moments import DAY

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
