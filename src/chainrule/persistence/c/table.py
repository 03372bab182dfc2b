"""Write a table model as one C99 header: a struct with a field for each column, and a function of one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, sentence
from ..._support.differences import largest_difference, spread
from ..._support.files import write_text
from ...layers.program import Call, run
from ...tabular.encoders import quantities as dates
from ...tabular.encoders.program import NUMBERS, ColumnProgram
from ...tabular.encoders.scaling import CLIP
from ...tabular.moments import NO_MOMENT
from ..agreement import LIMITS, Answers, distance
from ..tables import TableModel, rows_of
from .calls import Calls, calls_of
from .columns import FUNCTIONS, Columns
from .header import Costs, SelfTest, costs, introduction, network_function, network_texts, self_test, sizes, tolerance
from .network import WHO, Network, labelled
from .steps import Step, calls, quantized, run_in_float32
from .text import array, double, string


@dataclass
class Encode:
    """The C text for the columns; ``flash`` is the size of its constants in bytes."""

    columns: Columns
    flash: int = 0
    _constants: list[str] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def texts(self) -> Iterator[str]:
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


# --- the header ---------------------------------------------------------------------------------------------------


TEST_ROWS, TEST_BYTES = 10, 100  # characters of a text


@dataclass(frozen=True)
class _Table:
    """The parts of the header."""

    model: TableModel
    network: Network
    plan: Calls
    columns: Columns
    encode: Encode
    name: str

    @property
    def decoding(self) -> Sequence[Call]:
        """The program after the network in float64; empty for a classifier."""
        if self.model.classes is not None:
            return ()
        return [call for call in self.model.decoding if call.op != "deviations"]

    @property
    def outputs(self) -> int:
        return self.network.outputs if self.model.classes is not None else self.model.targets * self.model.levels


def network_of(model: TableModel) -> Network:
    """Return the network; for a classifier, with probabilities."""
    network = Network(model.network, len(model.scales), lambda x: x)
    network.follow((), labelled(model.network), () if model.classes is None else model.decoding)
    if model.classes is None:
        network.regress(model.levels)
    else:
        network.classify(model.classes, "label" if model.is_multilabel else "class")
    return network


def write_table(
    model: TableModel, path: Path, precision: str, name: str, with_test: bool, rows: dict[str, Array] | None
) -> list[str]:
    """Write the header; return notes."""
    network = network_of(model)
    rows = rows_of(model, None)[0] if rows is None else rows
    steps = quantized(network.steps) if precision == "int8" else network.steps
    columns = Columns(model, name)
    table = _Table(model, network, calls_of(steps, network.inputs), columns, Encode(columns), name)
    limit = _check_float32(table, steps, rows, precision)
    test = [_self_test(table, steps, rows, limit)] if with_test else []
    write_text(WHO, path, _header(table, precision, test))
    notes = [*_costs(table).lines(), f"{name}_row holds a raw row: see the struct in the file", *model.notes]
    return [*notes, f"y is {network.meaning}"]


def _check_float32(table: _Table, steps: Sequence[Step], rows: dict[str, Array], precision: str) -> float:
    """Return the tolerance for a correct device; raise if float32 loses what the answers depend on."""
    exact, rounded = (_answer(table, steps, rows, narrow=narrow) for narrow in (False, True))
    expected = table.model.answers(rows)
    found = distance(Answers(rounded), expected)
    if found > LIMITS[precision]:
        got = f"answers of which it loses digits: they differ by {found:.2g}"
        raise ValueError(sentence(WHO, "numbers that float32 can hold", got, "export to ONNX in float64"))
    return tolerance(precision, largest_difference(rounded, exact, expected.unit))


def _answer(table: _Table, steps: Sequence[Step], rows: dict[str, Array], *, narrow: bool = False) -> Array:
    """Run the steps on rows in float32, or in float64 so precisely that the file is the same with all kernels."""
    x = table.model.features(rows).astype(np.float32).astype(np.float64)
    z = run_in_float32(steps, x) if narrow else run(calls(steps), x)
    y: Array = run(table.decoding, z)[:, : table.outputs]
    return y


def _costs(table: _Table) -> Costs:
    found, more = costs(table.network, table.plan), table.network.inputs
    memory = found.memory + 12 * more + 4 * table.network.outputs
    return replace(found, flash=found.flash + table.columns.flash + table.encode.flash, memory=memory)


def _self_test(table: _Table, steps: Sequence[Step], rows: dict[str, Array], limit: float) -> str:
    name, some = table.name, {column: _few(values) for column, values in rows.items()}
    y, all_of_them = (_answer(table, steps, given) for given in (some, rows))
    units = spread(all_of_them) if table.model.classes is None else np.ones(table.outputs)
    cells = ([_cell(table.columns, column, value) for value in values] for column, values in some.items())
    lines = ",\n".join("    {" + ", ".join(row) + "}" for row in zip(*cells, strict=True))
    text = f"static const {name}_row {name}_test_rows[{len(y)}] = {{\n{lines}\n}};"
    return self_test(name, text, f"{name}_test_rows + row", _kind(table), SelfTest(y, units, limit, "double"))


def _few(values: Array) -> Array:
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


def _header(table: _Table, precision: str, test: Sequence[str]) -> str:
    name, upper = table.name, table.name.upper()
    parts = [*table.columns.texts(), *table.encode.texts()]
    fields = list(table.columns.fields.values())
    call = [f"{name}_row row;", f"row.{fields[0]} = ...;" + "  // and the other fields" * (len(fields) > 1)]
    call += [f"{_kind(table)} y[{upper}_OUTPUTS];", f"{name}_predict(&row, y);"]
    if _gives_label(table):
        call[-1] = f"size_t label = {call[-1]}  // its name is {name}_classes[label]"
    text = [
        introduction(table.network, _costs(table), name, precision, call, ""),
        *_sizes(table),
        *parts,
        *network_texts(table.plan, name),
        network_function(table.plan, name, "network"),
        *_predict(table),
        *test,
        f"#endif /* {upper}_H */",
    ]
    return "\n\n".join(text) + "\n"


def _sizes(table: _Table) -> Iterator[str]:
    upper = table.name.upper()
    for text in sizes(table.network, table.name, ["stdint", "string"]):
        yield text.replace(f"{upper}_OUTPUTS {table.network.outputs}", f"{upper}_OUTPUTS {table.outputs}")


def _kind(table: _Table) -> str:
    return "float" if table.model.classes is not None else "double"


def _gives_label(table: _Table) -> bool:
    return table.model.classes is not None and not table.model.is_multilabel


def _predict(table: _Table) -> Iterator[str]:
    """Return the function of a row; for a regressor, after the function that decodes the network's outputs."""
    name, upper = table.name, table.name.upper()
    body = [f"{upper}_BUFFER float x[{upper}_INPUTS];", f"{name}_encode(row, x);", f"{name}_network(x, y);"]
    result, about = "void", ""
    if table.model.classes is None:
        yield from _decode(table)
        body[1:1] = [f"{upper}_BUFFER float z[{table.network.outputs}];"]
        body[3:] = [f"{name}_network(x, z);", f"{name}_decode(z, y);"]
    elif _gives_label(table):
        result, about = "size_t", f"the index of the most probable one in {name}_classes, and "
        body += ["size_t label = 0;", f"for (size_t i = 1; i < {upper}_OUTPUTS; i++) {{"]
        body += ["    label = y[i] > y[label] ? i : label;", "}", "return label;"]
    lines = "\n".join(f"    {line}" for line in body)
    yield f"""\
/* Of one row {about}at y {table.network.meaning}. */
static inline {result} {name}_predict(const {name}_row *row, {_kind(table)} *y)
{{
{lines}
}}"""


def _decode(table: _Table) -> Iterator[str]:
    """Return the conversion to the target's units, in float64: 2e9 ± 50 has more digits than float32."""
    name, upper = table.name, table.name.upper()
    each, after = ["y[i] = (double)z[i];"], ""
    for index, call in enumerate(table.decoding):
        names = {kind: f"{name}_{kind}_of_y{index}" for kind in call.arrays}
        for kind, values in call.arrays.items():
            yield array("double", names[kind], np.asarray(values[: table.outputs], np.float64))
        if call.op == "ascending":
            after = ASCENDING.format(count=int(call.numbers["count"]), outputs=f"{upper}_OUTPUTS")
        else:
            each.append(EACH[call.op].format(**{kind: f"{own}[i]" for kind, own in names.items()}))
    lines = "\n".join(f"        {line}" for line in each)
    yield f"""\
/* Numbers in the units of the target. */
static inline void {name}_decode(const float *z, double *y)
{{
    for (size_t i = 0; i < {upper}_OUTPUTS; i++) {{
{lines}
    }}{after}
}}"""


#: Statements for each number y[i] in float64.
EACH = {
    "scale": "y[i] = y[i] * {gain} + {bias};",
    "clamp": "y[i] = y[i] < {low} ? {low} : y[i] > {high} ? {high} : y[i];",
    "exp": "y[i] = exp(y[i] > 88.72283 ? 88.72283 : y[i]);",
}
ASCENDING = """
    for (size_t i = 0; i < {outputs}; i++) {{ /* each {count} in ascending order */
        for (size_t k = i; k % {count} > 0 && y[k] < y[k - 1]; k--) {{
            const double larger = y[k - 1];
            y[k - 1] = y[k];
            y[k] = larger;
        }}
    }}"""
