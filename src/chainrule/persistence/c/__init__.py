"""Models as C: one header that needs nothing but ``<math.h>``, for a microcontroller or any other program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..._support.checks import Array, check_name, sentence
from ..._support.files import write_text
from ..agreement import LIMITS, Answers, float32_distance, largest_difference, lost_columns
from ..rows import sample_rows
from .calls import calls_of
from .compiled import check
from .header import costs, header
from .int8 import quantized
from .network import OUTPUTS, Network, as_network
from .steps import run
from .text import as_identifier

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
    """Write a model as one C99 header with a function ``NAME_predict(const float *x, float *y)`` for one row.

    It allocates nothing and is re-entrant. Batch normalisation is part of the weights; the scaling of an estimator, and
    of a model that ``chainrule train`` made from columns of numbers, is part of the function. Equal models give equal
    files.

    Parameters
    ----------
    model : :class:`~chainrule.Sequential`, or a fitted :class:`~chainrule.MLPClassifier` or
        :class:`~chainrule.MLPRegressor`
    path : where to write, by custom with the suffix ``.h``
    precision : "float32", or "int8" for weights of a quarter of the size
    name : str, with which all names in the header begin; None makes one of the file's name
    self_test : bool, whether to include ten rows and a function that compares, for whoever defines ``NAME_SELF_TEST``
    rows : array (N, ...) of some rows as ``model.predict`` takes them; None for random ones

    Returns
    -------
    notes : list of str; what it costs in flash, RAM and multiply-adds, and what was lost

    Raises
    ------
    ValueError
        A layer of your own, a name that C does not allow, parameters that are not finite.
    TypeError
        It is no such model.
    OSError
        The folder does not exist or cannot be written.

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
    path = Path(path)
    name = as_identifier(name, path)
    network = as_network(model)
    steps = quantized(network.steps) if precision == "int8" else network.steps
    plan = calls_of(steps, network.inputs)
    x = network.rows_for(sample_rows(model, TEST_ROWS, (network.inputs,)) if rows is None else rows[:TEST_ROWS])
    _check_float32(network, x)
    x = x.astype(np.float32)
    expected = run(steps, x.astype(np.float64))  # so precise that the file is the same with all kernels
    text = header(network, plan, name, precision, (x, expected) if self_test else None)
    write_text("export to C", path, text)
    notes = costs(network, plan).lines() + network.notes
    if network.meaning != OUTPUTS:
        notes.append(f"y is {network.meaning}")
    if network.model.dtype == np.float64:
        notes.append("the model computes in float64, the C code in float32")
    if precision == "int8":
        exact = run(network.steps, x.astype(np.float64))
        lost = largest_difference(expected, exact, network.unit)
        of = "" if network.unit else " of their spread"
        notes.append(f"int8 weights change the outputs of {len(x)} rows by up to {lost:.2g}{of}")
    return notes


def _check_float32(network: Network, x: Array) -> None:
    """Raise where rows that get different answers, or the answers, are the same in float32."""

    def answer(x: Array) -> Answers:
        return Answers(network.answer(x), unit=network.unit)

    limit = LIMITS["float32"]
    if float32_distance(answer, x) <= limit:
        return
    lost = lost_columns(answer, x, network.columns, limit)
    got = f"columns of which it loses digits: {lost}" if lost else "answers of which it loses digits"
    what = "such a column" if lost else "the target"
    remedy = f"shift and scale {what} before training, or export to ONNX in float64"
    raise ValueError(sentence("export to C", "numbers that float32 can hold", got, remedy))
