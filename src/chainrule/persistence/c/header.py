"""The header as text: what it is, its sizes, constants, functions, the prediction and the self-test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ... import __version__
from ..._support.checks import Array, check_finite, sentence
from ..._support.files import digest
from .calls import Calls, Statement, body
from .network import Network
from .operations import functions
from .text import array, comment, string


@dataclass(frozen=True)
class SelfTest:
    """Rows x and answers y, and by how many units they may differ on a sound device."""

    x: Array
    y: Array
    units: Array
    tolerance: float


@dataclass(frozen=True)
class Costs:
    """What a row costs on the device."""

    flash: int
    memory: int
    multiplications: int

    def lines(self) -> list[str]:
        """For the notes and for the header."""
        return [
            f"flash: {self.flash:,} bytes of constants, and the code",
            f"RAM: {self.memory:,} bytes of buffers",
            f"{self.multiplications:,} multiply-adds a row",
        ]


def costs(network: Network, plan: Calls) -> Costs:
    """Counted, not measured."""
    arrays = [values for call in plan.calls for values in call.step.arrays.values()]
    flash = sum(values.size * (1 if values.dtype == np.int8 else 4) for values in arrays)
    flash += sum(len(name.encode("utf-8", "replace")) + 1 for name in network.classes)
    return Costs(flash, plan.memory, sum(call.step.multiplications for call in plan.calls))


def header(network: Network, plan: Calls, name: str, precision: str, test: SelfTest | None) -> str:
    """The whole file."""
    parts = [
        *_introduction(network, plan, name, precision),
        *_sizes(network, name, precision),
        *(text for call in plan.calls for text in _constants(call, name)),
        *functions(name, (call.step for call in plan.calls)),
        _predict(plan, name),
        *([] if test is None else [_self_test(name, test)]),
        f"#endif /* {name.upper()}_H */",
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(network: Network, plan: Calls, name: str, precision: str) -> Iterator[str]:
    model, upper = network.model, name.upper()
    what = {"float32": "float32", "int8": "int8 weights, a scale for each output; inputs of a layer in 16 bits"}[
        precision
    ]
    lines = [f"{name}: a neural network in plain C99, written by chainrule {__version__}.", ""]
    lines += ["  " + line for line in model.summary().splitlines()]
    lines += ["", f"Parameters, SHA-256: {digest({**model.parameters, **model.buffers}, {})}", f"Numbers: {what}."]
    lines += [line[0].upper() + line[1:] + "." for line in costs(network, plan).lines()]
    lines += ["", "Include this file in one source file, link with -lm, and call", ""]
    lines += [f"    float x[{upper}_INPUTS], y[{upper}_OUTPUTS];", f"    {name}_predict(x, y);", ""]
    lines += [
        "It is re-entrant and allocates nothing: the buffers are on the stack. To have them in static memory, for"
    ]
    lines += [f"one thread at a time, define {upper}_BUFFER as static. x must be finite, and not overlap y.", ""]
    lines += [f"y is {network.meaning}.", *(f"  y[{i}]  {label}" for i, label in enumerate(network.classes))]
    if network.columns:
        lines += ["x is one row of", *(f"  x[{i}]  {column}" for i, column in enumerate(network.columns))]
    yield "/*\n" + "\n".join(f" * {comment(line)}".rstrip() for line in lines) + "\n */"


def _sizes(network: Network, name: str, precision: str) -> Iterator[str]:
    upper = name.upper()
    standard = ["#include <math.h>", "#include <stddef.h>"] + (["#include <stdint.h>"] if precision == "int8" else [])
    yield "\n".join([f"#ifndef {upper}_H", f"#define {upper}_H", "", *standard])
    yield f"#define {upper}_INPUTS {network.inputs}\n#define {upper}_OUTPUTS {network.outputs}"
    yield f"#ifndef {upper}_BUFFER\n#define {upper}_BUFFER /* on the stack */\n#endif"
    if network.classes:
        names = "\n".join(f"    {text}," for text in _class_names(network.classes))
        yield f"static const char *const {name}_classes[{upper}_OUTPUTS] = {{\n{names}\n}};"


def _class_names(classes: Sequence[str]) -> list[str]:
    """The names as string literals, no two of which are the same in C."""
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
        text = array("int8_t" if whole else "float", f"{name}_{kind}{call.index}", values)
        yield (f"/* {comment(call.step.about)} */\n" if index == 0 else "") + text


def _check_held(call: Statement, values: Array) -> None:
    """Raise at what is no number, or none in float32."""
    check_finite("export to C", f"the parameters of {call.step.about}", values)
    with np.errstate(over="ignore"):
        if not np.isfinite(values.astype(np.float32)).all():
            expected, got = "parameters within ±3.4e38 for float32", f"larger ones in {call.step.about}"
            raise ValueError(sentence("export to C", expected, got, "export to ONNX in float64"))


def _predict(plan: Calls, name: str) -> str:
    upper = name.upper()
    lines = "\n".join(f"    {line}".rstrip() for line in body(plan, name))
    return f"""\
/* One row: reads {upper}_INPUTS numbers at x, writes {upper}_OUTPUTS numbers at y. */
static inline void {name}_predict(const float *x, float *y)
{{
{lines}
}}"""


def _self_test(name: str, test: SelfTest) -> str:
    upper, x = name.upper(), test.x
    return f"""\
#ifdef {upper}_SELF_TEST

{array("float", f"{name}_test_x", x)}

{array("float", f"{name}_test_y", test.y)}

{array("float", f"{name}_test_unit", test.units)}

/* The largest difference from what the library answers for {len(x)} rows, in units of {name}_test_unit: the spread of
   each number over the rows, or 1 for probabilities. On a sound device it is at most {test.tolerance:.1g}. */
static inline float {name}_self_test(void)
{{
    float largest = 0.0f;
    for (size_t row = 0; row < {len(x)}; row++) {{
        float y[{upper}_OUTPUTS];
        {name}_predict({name}_test_x + row * {upper}_INPUTS, y);
        for (size_t i = 0; i < {upper}_OUTPUTS; i++) {{
            const float expected = {name}_test_y[row * {upper}_OUTPUTS + i];
            const float difference = fabsf(y[i] - expected) / {name}_test_unit[i];
            if (!(difference <= largest)) {{
                largest = difference;
            }}
            if (largest != largest) {{
                return largest; /* not a number */
            }}
        }}
    }}
    return largest;
}}

#endif /* {upper}_SELF_TEST */"""
