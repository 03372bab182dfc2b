"""Write a table model as one C99 header: a struct with a field for each column, and a function of one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..._support.checks import Array, sentence
from ..._support.differences import largest_difference, spread
from ..._support.files import write_text
from ...layers.program import Call, run
from ..agreement import LIMITS, Answers, distance
from ..table_rows import rows_of
from ..tables import TableModel
from .calls import Calls, calls_of
from .columns import Columns
from .encode import Encode
from .header import Costs, costs, introduction, network_function, network_texts, sizes
from .int8 import quantized
from .network import Network, labelled
from .selftest import few, table_test
from .steps import Step, calls, run_in_float32
from .text import array

WHO = "export to C"
TOLERANCE = {"float32": 1e-4, "int8": 1e-3}
ROUNDINGS = 20


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
        """Number of predicted numbers."""
        return self.network.outputs if self.model.classes is not None else self.model.targets * self.model.levels


def network_of(model: TableModel) -> Network:
    """Return the network; for a classifier, with probabilities."""
    network = Network(model.network, len(model.scales), lambda x: x)
    is_classifier = model.classes is not None
    network.follow((), labelled(model.network), model.decoding if is_classifier else ())
    if model.classes is not None:
        network.classes, network.unit = [str(label) for label in model.classes], 1.0
        network.meaning = "the probability of each label" if model.is_multilabel else "the probability of each class"
        if len(network.classes) < 2:
            raise ValueError(sentence(WHO, "at least two classes", repr(network.classes)))
        return network
    network.meaning = "the prediction, in the units of the target"
    if model.levels > 1:
        network.meaning += f"; of each target its {model.levels} quantiles"
    return network


def write_table(
    model: TableModel, path: Path, precision: str, name: str, self_test: bool, rows: dict[str, Array] | None
) -> list[str]:
    """Write the header; return notes."""
    network = network_of(model)
    rows = rows_of(model, None)[0] if rows is None else rows
    steps = quantized(network.steps) if precision == "int8" else network.steps
    columns = Columns(model, name)
    table = _Table(model, network, calls_of(steps, network.inputs), columns, Encode(columns), name)
    tolerance = _check_float32(table, steps, rows, precision)
    test = [_self_test(table, steps, rows, tolerance)] if self_test else []
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
    return max(TOLERANCE[precision], ROUNDINGS * largest_difference(rounded, exact, expected.unit))


def _answer(table: _Table, steps: Sequence[Step], rows: dict[str, Array], *, narrow: bool = False) -> Array:
    """Run the steps on rows in float32, or in float64 so precisely that the file is the same with all kernels."""
    x = table.model.features(rows).astype(np.float32).astype(np.float64)
    z = run_in_float32(steps, x) if narrow else run(calls(steps), x)
    y: Array = run(table.decoding, z)[:, : table.outputs]
    return y


def _costs(table: _Table) -> Costs:
    """Add up the costs of the network and its columns."""
    found, more = costs(table.network, table.plan), table.network.inputs
    memory = found.memory + 12 * more + 4 * table.network.outputs
    return replace(found, flash=found.flash + table.columns.flash + table.encode.flash, memory=memory)


def _self_test(table: _Table, steps: Sequence[Step], rows: dict[str, Array], tolerance: float) -> str:
    some = {column: few(values) for column, values in rows.items()}
    y, all_of_them = (_answer(table, steps, given) for given in (some, rows))
    units = spread(all_of_them) if table.model.classes is None else np.ones(table.outputs)
    return table_test(table.columns, some, y, units, _kind(table), tolerance)


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
