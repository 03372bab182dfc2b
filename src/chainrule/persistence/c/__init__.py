"""Models as C: one header that needs nothing but ``<math.h>``, for a microcontroller or any other program."""

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
from .compiled import check
from .header import SelfTest, costs, header
from .int8 import quantized
from .network import OUTPUTS, Network, as_network
from .steps import Step, calls, run_in_float32
from .table import write_table
from .text import as_identifier

__all__ = ["check", "write"]

PRECISIONS = ("float32", "int8")
TEST_ROWS = 10
TOLERANCE = {"float32": 1e-4, "int8": 1e-3}  # what other roundings explain
ROUNDINGS = 20  # as many as that may add up to a difference


def write(
    model: Any,
    path: str | os.PathLike[str],
    precision: str = "float32",
    name: str | None = None,
    self_test: bool = True,
    rows: Any = None,
) -> list[str]:
    """Write a model as one C99 header with a function ``NAME_predict`` for one row.

    It allocates nothing and is re-entrant. Batch normalisation is part of the weights; the scaling of an estimator, and
    of a model that ``chainrule train`` made from columns of numbers, is part of the function. What takes a table takes
    a struct with a field for each column. Equal models give equal files.

    Parameters
    ----------
    model : :class:`~chainrule.Sequential`, a fitted :class:`~chainrule.MLPClassifier` or
        :class:`~chainrule.MLPRegressor`, or a :class:`~chainrule.persistence.tables.TableModel`
    path : where to write, by custom with the suffix ``.h``
    precision : "float32", or "int8" for weights of a quarter of the size
    name : str, with which all names in the header begin; None makes one of the file's name
    self_test : bool, whether to include ten rows and a function that compares, for whoever defines ``NAME_SELF_TEST``
    rows : array (N, ...) of some rows as ``model.predict`` takes them, or columns; None for random ones

    Returns
    -------
    notes : list of str; what it costs in flash, RAM and multiply-adds, and what was lost

    Raises
    ------
    ValueError, TypeError
        A layer of your own, a name that C does not allow, parameters that are not finite; or it is no such model.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> from chainrule.persistence import c
    >>> model = cr.MLP([4, 8, 3], rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     notes = c.write(model, pathlib.Path(folder) / "iris.h")
    >>> notes
    ['flash: 268 bytes of constants, and the code', 'RAM: 32 bytes of buffers', '56 multiply-adds a row']
    """
    check_name("export to C", "a precision", precision, PRECISIONS)
    path = as_path("export to C", path)
    name = as_identifier(name, path)
    if isinstance(model, TableModel):
        return write_table(model, path, precision, name, self_test, rows)
    network = as_network(model)
    x = network.rows_for(sample_rows(model, shape=(network.inputs,)) if rows is None else rows)
    return _write_network(network, path, precision, name, self_test, x)


def _write_network(network: Network, path: Path, precision: str, name: str, self_test: bool, x: Array) -> list[str]:
    steps = quantized(network.steps) if precision == "int8" else network.steps
    plan = calls_of(steps, network.inputs)
    _check_float32(network, x)
    test = _self_test_of(steps, x, network.unit, precision) if self_test else None
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


def _self_test_of(steps: Sequence[Step], x: Array, unit: float | None, precision: str) -> SelfTest:
    """Rows, answers, and the tolerance: a larger one where the network makes much of the rounding in between."""
    x = rounded(x)
    y = run(calls(steps), x)  # so precise that the file is the same with all kernels
    units = spread(y, np.float32) if unit is None else np.full(y.shape[1], unit)
    rounding = largest_difference(run_in_float32(steps, x), y, units)
    return SelfTest(x[:TEST_ROWS], y[:TEST_ROWS], units, max(TOLERANCE[precision], ROUNDINGS * rounding))


def _check_float32(network: Network, x: Array) -> None:
    """Raise where rows that get different answers, or the answers, are the same in float32."""

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
