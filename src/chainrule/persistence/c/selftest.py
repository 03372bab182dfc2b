"""Write the self-test of a table header, compiled if NAME_SELF_TEST is defined: rows, answers, and a function."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._support.checks import Array
from ...tabular.moments import NO_MOMENT
from .columns import Columns
from .text import array, double, string

TEST_ROWS, TEST_BYTES = 10, 100  # characters of a text


def table_test(columns: Columns, rows: dict[str, Array], y: Array, units: Array, kind: str, tolerance: float) -> str:
    """Return the text for rows of :func:`few` and their answers y."""
    name, upper, count = columns.name, columns.name.upper(), len(y)
    cells = ([_cell(columns, column, values[row]) for column, values in rows.items()] for row in range(count))
    lines = ",\n".join("    {" + ", ".join(row) + "}" for row in cells)
    return f"""\
#ifdef {upper}_SELF_TEST

static const {name}_row {name}_test_rows[{count}] = {{
{lines}
}};

{array("double", f"{name}_test_y", y)}

{array("double", f"{name}_test_unit", units)}

/* The largest difference from what the library answers for {count} rows, in units of {name}_test_unit: the spread of
   each number over the rows, or 1 for probabilities. On a sound device it is at most {tolerance:.1g}. */
static inline double {name}_self_test(void)
{{
    double largest = 0.0;
    for (size_t row = 0; row < {count}; row++) {{
        {kind} y[{upper}_OUTPUTS];
        {name}_predict({name}_test_rows + row, y);
        for (size_t i = 0; i < {upper}_OUTPUTS; i++) {{
            const double difference = fabs((double)y[i] - {name}_test_y[row * {upper}_OUTPUTS + i]);
            if (!(difference / {name}_test_unit[i] <= largest)) {{
                largest = difference / {name}_test_unit[i];
            }}
            if (largest != largest) {{
                return largest; /* not a number */
            }}
        }}
    }}
    return largest;
}}

#endif /* {upper}_SELF_TEST */"""


def few(values: Array) -> Array:
    """Select the first and the last (harder) rows of a column; texts are cut to fit on a line."""
    chosen = np.concatenate([values[: TEST_ROWS // 2], values[-TEST_ROWS // 2 :]])
    return np.array([_cut(text) for text in chosen], object) if chosen.dtype == object else chosen


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:TEST_BYTES].decode("utf-8", "ignore").replace("\0", " ")


def _cell(columns: Columns, column: str, value: Any) -> str:
    if column in columns.words:
        return columns.words[column].name_of(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, np.integer):
        return "INT64_MIN" if value == NO_MOMENT else str(int(value))
    return double(float(value))
