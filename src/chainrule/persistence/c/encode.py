"""Write the function from a row of a table to the network's inputs: C statements for the columns, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..._support.checks import Array
from ...tabular.encoders import quantities as dates
from ...tabular.encoders.program import NUMBERS, ColumnProgram
from ...tabular.encoders.scaling import CLIP
from .column_functions import FUNCTIONS
from .columns import Columns
from .text import array, double


@dataclass
class Encode:
    """The C text for the columns; ``flash`` is the size of its constants in bytes."""

    columns: Columns
    flash: int = 0
    _constants: list[str] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def texts(self) -> Iterator[str]:
        """Return functions, constants, and the function of a row."""
        model, name = self.columns.model, self.columns.name
        lines: list[str] = []
        start = 0
        for column in model.columns:
            lines += self._lines(column, start) if len(column.scales) else []
            start += len(column.scales)
        lines += self._scaling(start)
        for function, text in FUNCTIONS.items():
            if function in self._used:
                yield text.replace("NAME", name)
        yield from self._constants
        body = "\n".join(f"    {line}" for line in lines)
        yield f"""\
/* A row as the network takes it. */
static inline void {name}_encode(const {name}_row *row, float *x)
{{
    {name.upper()}_BUFFER double raw[{start}];
{body}
}}"""

    def _constant(self, hint: str, values: Array, kind: str = "double") -> str:
        """Add a constant, and return its name."""
        name = f"{self.columns.name}_{hint}"
        self._constants.append(array(kind, name, values))
        self.flash += values.size * (8 if kind == "double" else 4)
        return name

    def _scaling(self, width: int) -> Iterator[str]:
        """z = (x − center) · factor within ±farthest, 0 if the factor is 0; then z / √(1 + (z/3)²) if smooth."""
        scales, farthest = self.columns.model.scales, self.columns.model.farthest
        center, factor = self._constant("center", scales.center), self._constant("factor", scales.factor)
        yield f"for (size_t i = 0; i < {width}; i++) {{"
        yield f"    double z = {factor}[i] == 0.0 ? 0.0 : (raw[i] - {center}[i]) * {factor}[i];"
        if np.isfinite(farthest):
            far = double(farthest)
            yield f"    z = z > {far} ? {far} : z < -{far} ? -{far} : z;"
        if scales.smooth.any():
            third = self._constant("smooth", np.where(scales.smooth, 1 / CLIP, 0.0))
            yield f"    z /= sqrt(1.0 + z * {third}[i] * (z * {third}[i]));"
        yield "    x[i] = (float)z;"
        yield "}"

    def _lines(self, column: ColumnProgram, at: int) -> Iterator[str]:
        """Return the statements that write the raw features of a column, starting at raw[at]."""
        value = f"row->{self.columns.fields[column.source.name]}"
        write = {"impute": self._impute, "lookup": self._lookup, "calendar": self._calendar, "pieces": self._pieces}
        return write[column.call.op](column, value, at)

    def _impute(self, column: ColumnProgram, value: str, at: int) -> Iterator[str]:
        instead = double(float(column.call.arrays["value"][0]))
        yield f"raw[{at}] = isnan({value}) ? {instead} : {value};"
        if column.call.numbers["says"]:
            yield f"raw[{at + 1}] = isnan({value}) ? 1.0 : 0.0;"

    def _lookup(self, column: ColumnProgram, value: str, at: int) -> Iterator[str]:
        call, width = column.call, len(column.scales)
        other, gap = int(call.numbers["other"]), int(call.numbers["gap"])
        yield "{"
        if column.source.takes == NUMBERS:
            known, place = call.arrays["words"], "-1"
            if len(known):
                self._used.add("place_of")
                values = self._constant(f"values{at}", known)
                place = f"{self.columns.name}_place_of({value}, {values}, {len(known)})"
            yield f"    const int place = {place};"
            yield f"    const size_t code = isnan({value}) ? {gap} : place < 0 ? {other} : (size_t)place + 1;"
        else:
            count = len(call.arrays["labels"])
            yield f"    const size_t code = (size_t){value} < {count} ? (size_t){value} : {other};"
        if column.is_code:
            yield f"    raw[{at}] = (double)code;"
        else:
            table = self._constant(f"table{at}", call.arrays["table"]) if "table" in call.arrays else ""
            made = f"{table}[code * {width} + i]" if table else "code == i + 1 ? 1.0 : 0.0"
            yield f"    for (size_t i = 0; i < {width}; i++) {{"
            yield f"        raw[{at} + i] = {made};"
            yield "    }"
        yield "}"

    def _calendar(self, column: ColumnProgram, value: str, at: int) -> Iterator[str]:
        name, median = self.columns.name, int(column.call.arrays["median"][0])
        self._used.add("date")
        yield "{"
        yield f"    const int gone = {value} == INT64_MIN;"
        yield f"    const struct {name}_date date = {name}_date_of(gone ? {median} : {value});"
        for part in column.call.arrays["parts"].tolist():
            is_line = part in (dates.TIME, dates.YEAR)
            for made in (
                [f"date.{part}"] if is_line else [f"gone ? 0.0 : {turn}(date.{part})" for turn in ("sin", "cos")]
            ):
                yield f"    raw[{at}] = {made};"
                at += 1
        if column.call.numbers["says"]:
            yield f"    raw[{at}] = gone ? 1.0 : 0.0;"
        yield "}"

    def _pieces(self, column: ColumnProgram, value: str, at: int) -> Iterator[str]:
        self._used.add("pieces")
        call, name = column.call, self.columns.name
        letters, buckets = call.arrays["alphabet"], int(call.numbers["buckets"])
        alphabet = self._constant(f"alphabet{at}", letters, "uint32_t")
        yield f"{name}_pieces({value}, {alphabet}, {len(letters)}, {buckets}, raw + {at});"
        if call.numbers["says"]:
            yield f"raw[{at + buckets}] = {name}_is_missing({value}) ? 1.0 : 0.0;"
