"""Write models as C: one header that needs only ``<math.h>``, for a microcontroller or any other program."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, check_name, sentence
from ..._support.differences import largest_difference, spread
from ..._support.files import as_path, write_text
from ...layers.program import run
from ..agreement import LIMITS, Answers, lost_columns, rounded
from ..rows import sample_rows
from ..tables import TableModel
from .calls import calls_of
from .compiled import check, found_compiler
from .header import SelfTest, costs, header, self_test, tolerance
from .network import OUTPUTS, Network, as_network
from .steps import Step, calls, quantized, run_in_float32
from .table import write_table
from .text import array, as_identifier

__all__ = ["check", "write"]

PRECISIONS = ("float32", "int8")
TEST_ROWS = 10


def write(
    model: Any,
    path: str | os.PathLike[str],
    precision: str = "float32",
    name: str | None = None,
    self_test: bool = True,
    rows: Any = None,
) -> list[str]:
    """Write a model, of a table or of numbers, as one C99 header with ``NAME_predict`` for one row; return its costs.

    It allocates nothing and is re-entrant. Batch normalisation becomes part of the weights, and the scaling of an
    estimator part of the function. A table model takes a struct with a field for each column. Equal models give equal
    files.
    """
    check_name("export to C", "a precision", precision, PRECISIONS)
    path = as_path("export to C", path)
    name = as_identifier(name, path)
    if isinstance(model, TableModel):
        notes = write_table(model, path, precision, name, self_test, rows)
    else:
        network = as_network(model)
        x = network.rows_for(sample_rows(model, shape=(network.inputs,)) if rows is None else rows)
        notes = _write_network(network, path, precision, name, self_test, x)
    return notes if found_compiler() else [*notes, "not compiled and compared with the model: there is no C compiler"]


def _write_network(network: Network, path: Path, precision: str, name: str, with_test: bool, x: Array) -> list[str]:
    steps = quantized(network.steps) if precision == "int8" else network.steps
    plan = calls_of(steps, network.inputs)
    _check_float32(network, x)
    test = [_self_test(name, steps, x, network.unit, precision)] if with_test else []
    write_text("export to C", path, header(network, plan, name, precision, test))
    notes = costs(network, plan).lines() + network.notes
    if network.meaning != OUTPUTS:
        notes.append(f"y is {network.meaning}")
    if network.model.dtype == np.float64:
        notes.append("the model computes in float64, the C code in float32")
    if precision == "int8":
        x = rounded(x)
        lost = largest_difference(run(calls(steps), x), run(calls(network.steps), x), network.unit)
        of = "" if network.unit else " of their spread"
        notes.append(f"int8 weights change the outputs of {len(x)} rows by up to {lost:.2g}{of}")
    return notes


def _self_test(name: str, steps: Sequence[Step], x: Array, unit: float | None, precision: str) -> str:
    """The tolerance is larger if the network amplifies rounding errors."""
    x = rounded(x)
    y = run(calls(steps), x)  # precise enough that the file is the same with all kernels
    units = spread(y, np.float32) if unit is None else np.full(y.shape[1], unit)
    rounding = largest_difference(run_in_float32(steps, x), y, units)
    test = SelfTest(y[:TEST_ROWS], units, tolerance(precision, rounding))
    rows = array("float", f"{name}_test_x", x[:TEST_ROWS])
    return self_test(name, rows, f"{name}_test_x + row * {name.upper()}_INPUTS", "float", test)


def _check_float32(network: Network, x: Array) -> None:
    """Raise a ValueError if rows with different answers, or the answers, are equal in float32."""

    def answer(x: Array) -> Answers:
        return Answers(network.answer(x), unit=network.unit)

    limit = LIMITS["float32"]
    found = run_in_float32(network.steps, rounded(x))
    if largest_difference(found, network.answer(x), network.unit) <= limit:
        return
    lost = lost_columns(answer, x, network.columns, limit)
    got = f"columns of which it loses digits: {lost}" if lost else "answers of which it loses digits"
    what = "such a column" if lost else "the target"
    remedy = f"shift and scale {what} before training, or export to ONNX in float64"
    raise ValueError(sentence("export to C", "numbers that float32 can hold", got, remedy))
