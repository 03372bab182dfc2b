"""Assemble the text of a header: introduction, sizes, constants, functions, prediction and self-test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ... import __version__
from ..._support.checks import Array, check_finite, sentence
from ..._support.files import digest
from .calls import Calls, Statement, body, functions
from .network import Network
from .text import array, comment, string

TOLERANCE = {"float32": 1e-4, "int8": 1e-3}  # differences that other roundings explain
ROUNDINGS = 20  # how many such roundings may add up


def tolerance(precision: str, rounding: float) -> float:
    """Return the largest difference on a correct device, if float32 makes one of ``rounding``."""
    return max(TOLERANCE[precision], ROUNDINGS * rounding)


@dataclass(frozen=True)
class SelfTest:
    """Answers y, the tolerance in units on a correct device, and the type in C of what is compared."""

    y: Array
    units: Array
    tolerance: float
    kind: str = "float"


@dataclass(frozen=True)
class Costs:
    """The costs of a row on the device."""

    flash: int
    memory: int
    multiplications: int

    def lines(self) -> list[str]:
        return [
            f"flash: {self.flash:,} bytes of constants, and the code",
            f"RAM: {self.memory:,} bytes of buffers",
            f"{self.multiplications:,} multiply-adds a row",
        ]


def costs(network: Network, plan: Calls) -> Costs:
    """Count the costs of a network."""
    arrays = [values for call in plan.calls for values in call.step.arrays.values()]
    flash = sum(values.size * (1 if values.dtype == np.int8 else 4) for values in arrays)
    flash += sum(len(name.encode("utf-8", "replace")) + 1 for name in network.classes)
    return Costs(flash, plan.memory, sum(call.step.multiplications for call in plan.calls))


def header(network: Network, plan: Calls, name: str, precision: str, test: Sequence[str]) -> str:
    """Return the whole file."""
    upper = name.upper()
    call = [f"float x[{upper}_INPUTS], y[{upper}_OUTPUTS];", f"{name}_predict(x, y);"]
    note = "x must be finite, and not overlap y."
    parts = [
        introduction(network, costs(network, plan), name, precision, call, note, network.columns),
        *sizes(network, name, ["stdint"] if precision == "int8" else []),
        *network_texts(plan, name),
        network_function(plan, name, "predict"),
        *test,
        f"#endif /* {name.upper()}_H */",
    ]
    return "\n\n".join(parts) + "\n"


def introduction(
    network: Network,
    spent: Costs,
    name: str,
    precision: str,
    call: Sequence[str],
    note: str,
    columns: Sequence[str] = (),
) -> str:
    """Return the opening comment: what the file is, its costs, and how to call it."""
    model, upper = network.model, name.upper()
    what = {"float32": "float32", "int8": "int8 weights, a scale for each output; inputs of a layer in 16 bits"}
    lines = [f"{name}: a neural network in plain C99, written by chainrule {__version__}.", ""]
    lines += ["  " + line for line in model.summary().splitlines()]
    lines += ["", f"Parameters, SHA-256: {digest({**model.parameters, **model.buffers}, {})}"]
    lines += [f"Numbers: {what[precision]}."]
    lines += [line[0].upper() + line[1:] + "." for line in spent.lines()]
    lines += ["", "Include this file in one source file, link with -lm, and call", ""]
    lines += [*(f"    {line}" for line in call), ""]
    lines += [
        "It is re-entrant and allocates nothing: the buffers are on the stack. To have them in static memory, for",
        f"one thread at a time, define {upper}_BUFFER as static. {note}".rstrip(),
        "",
    ]
    lines += [f"y is {network.meaning}.", *(f"  y[{i}]  {label}" for i, label in enumerate(network.classes))]
    lines += ["x is one row of", *(f"  x[{i}]  {column}" for i, column in enumerate(columns))] if columns else []
    return "/*\n" + "\n".join(f" * {comment(line)}".rstrip() for line in lines) + "\n */"


def network_texts(plan: Calls, name: str) -> Iterator[str]:
    """Return the constants of a network, and the functions that it calls."""
    for call in plan.calls:
        yield from _constants(call, name)
    yield from functions(name, (call.step for call in plan.calls))


def sizes(network: Network, name: str, more: Sequence[str]) -> Iterator[str]:
    """Return the includes, the sizes, and the names of classes."""
    upper = name.upper()
    standard = [f"#include <{one}.h>" for one in ("math", "stddef", *more)]
    yield "\n".join([f"#ifndef {upper}_H", f"#define {upper}_H", "", *standard])
    yield f"#define {upper}_INPUTS {network.inputs}\n#define {upper}_OUTPUTS {network.outputs}"
    yield f"#ifndef {upper}_BUFFER\n#define {upper}_BUFFER /* on the stack */\n#endif"
    if network.classes:
        names = "\n".join(f"    {text}," for text in _class_names(network.classes))
        yield f"static const char *const {name}_classes[{upper}_OUTPUTS] = {{\n{names}\n}};"


def _class_names(classes: Sequence[str]) -> list[str]:
    literals = [string(label) for label in classes]
    if len({text.split(string("\0")[1:-1])[0].rstrip('"') for text in literals}) < len(literals):
        got = "some that differ behind a NUL, in halves of characters, or too far behind"
        raise ValueError(sentence("export to C", "class names that differ as strings of C", got, "rename the classes"))
    return literals


def _constants(call: Statement, name: str) -> Iterator[str]:
    for number in call.step.call.numbers.values():
        _check_held(call, np.array(number))
    for index, (kind, values) in enumerate(call.step.arrays.items()):
        whole = values.dtype == np.int8
        if not whole:
            _check_held(call, values)
        text = array("int8_t" if whole else "float", call.constant(name, kind), values)
        yield (f"/* {comment(call.step.about)} */\n" if index == 0 else "") + text


def _check_held(call: Statement, values: Array) -> None:
    check_finite("export to C", f"the parameters of {call.step.about}", values)
    with np.errstate(over="ignore"):
        if not np.isfinite(values.astype(np.float32)).all():
            expected, got = "parameters within ±3.4e38 for float32", f"larger ones in {call.step.about}"
            raise ValueError(sentence("export to C", expected, got, "export to ONNX in float64"))


def network_function(plan: Calls, name: str, function: str) -> str:
    """Return the function of the network."""
    upper = name.upper()
    sizes = (f"{upper}_INPUTS", f"{upper}_OUTPUTS") if function == "predict" else ("features", "outputs")
    lines = "\n".join(f"    {line}".rstrip() for line in body(plan, name))
    return f"""\
/* One row: reads {sizes[0]} numbers at x, writes {sizes[1]} numbers at y. */
static inline void {name}_{function}(const float *x, float *y)
{{
{lines}
}}"""


#: How a self-test computes and compares the difference of one answer from what is expected.
_COMPARED = {
    "float": """\
            const float expected = NAME_test_y[row * UPPER_OUTPUTS + i];
            const float difference = fabsf(y[i] - expected) / NAME_test_unit[i];
            if (!(difference <= largest)) {
                largest = difference;
            }""",
    "double": """\
            const double difference = fabs((double)y[i] - NAME_test_y[row * UPPER_OUTPUTS + i]);
            if (!(difference / NAME_test_unit[i] <= largest)) {
                largest = difference / NAME_test_unit[i];
            }""",
}


def self_test(name: str, rows: str, row: str, answer: str, test: SelfTest) -> str:
    """Return the self-test, compiled if NAME_SELF_TEST is defined: rows, answers, and a function.

    ``rows`` is the text of their constant, ``row`` the address of one in C, and ``answer`` the type of y.
    """
    kind, upper, count = test.kind, name.upper(), len(test.y)
    return f"""\
#ifdef {upper}_SELF_TEST

{rows}

{array(kind, f"{name}_test_y", test.y)}

{array(kind, f"{name}_test_unit", test.units)}

/* The largest difference from what the library answers for {count} rows, in units of {name}_test_unit: the spread of
   each number over the rows, or 1 for probabilities. On a sound device it is at most {test.tolerance:.1g}. */
static inline {kind} {name}_self_test(void)
{{
    {kind} largest = 0.0{"f" * (kind == "float")};
    for (size_t row = 0; row < {count}; row++) {{
        {answer} y[{upper}_OUTPUTS];
        {name}_predict({row}, y);
        for (size_t i = 0; i < {upper}_OUTPUTS; i++) {{
{_COMPARED[kind].replace("NAME", name).replace("UPPER", upper)}
            if (largest != largest) {{
                return largest; /* not a number */
            }}
        }}
    }}
    return largest;
}}

#endif /* {upper}_SELF_TEST */"""
