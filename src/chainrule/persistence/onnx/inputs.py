"""Turn a frame into the inputs of an exported table model; the ONNX file is enough."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import numpy as np

from ..._support.checks import Array, require, sentence
from ..._support.files import as_path, check_readable
from ...tabular.encoders.program import Source
from ...tabular.inputs import inputs_of

WHO = "onnx_inputs"
NOT_IN_UTF8 = re.compile(r"[\ud800-\udfff]")


def onnx_inputs(model: str | os.PathLike[str] | Any, frame: Any) -> dict[str, Array]:
    """Turn a frame into the inputs of an ONNX file that :func:`~chainrule.export` wrote from a table model.

    Numbers become float64, text, categories and flags become text, and dates become int64 microseconds since 1970 in
    UTC. A missing value is NaN, ``""`` or the smallest integer. The file knows how dates and decimals are written as
    text, and which words count as missing.

    Parameters
    ----------
    model : path or onnxruntime.InferenceSession
        The file, or the session that runs it.
    frame : frame or dict of arrays
        A pandas, polars or Arrow frame, or a dict. Columns that the model does not use are ignored.

    Returns
    -------
    dict of str to array (N, 1)
        The inputs, for ``session.run(None, inputs)``.

    Raises
    ------
    ValueError
        If the file takes no table, a column is missing, or a column has values of another kind.

    Examples
    --------
    >>> import onnxruntime, pathlib, tempfile
    >>> import chainrule as cr
    >>> trees = {"height": [3.0, 4.0, 20.0, None, 22.0, 19.0] * 10, "leaves": ["round", "round", "thin"] * 20}
    >>> model = cr.TabularClassifier(max_epochs=5, random_state=0).fit(trees, ["oak", "oak", "fir"] * 20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = cr.export(model, pathlib.Path(folder) / "trees.onnx").path
    ...     session = onnxruntime.InferenceSession(file)
    >>> inputs = cr.convert.onnx_inputs(session, {"leaves": ["thin", None], "height": [25, 2]})
    >>> {name: x.shape for name, x in inputs.items()}
    {'height': (2, 1), 'leaves': (2, 1)}
    >>> label, probabilities = session.run(None, inputs)
    >>> probabilities.shape
    (2, 2)
    """
    facts = model.get_modelmeta().custom_metadata_map if hasattr(model, "get_modelmeta") else _of_file(model)
    if "columns" not in facts:
        expected = "an ONNX file that takes a table, as export writes it"
        raise ValueError(sentence(WHO, expected, "one that takes numbers alone", "pass them as its inputs say"))
    return as_inputs(facts, frame)


def _of_file(path: Any) -> dict[str, str]:
    onnx = require("onnx", "onnx", WHO)
    path = as_path(WHO, path)
    check_readable(WHO, path, "ONNX file")
    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf
        raise ValueError(sentence(WHO, "an ONNX file", f"{path} ({type(error).__name__})")) from None
    return {entry.key: entry.value for entry in proto.metadata_props}


def as_inputs(facts: dict[str, str], frame: Any) -> dict[str, Array]:
    """Turn a frame into inputs, by the metadata of the file."""
    try:
        names = {Source(*known): name for *known, name in json.loads(facts["columns"])}
        missing = frozenset(json.loads(facts["missing"]))
    except (ValueError, TypeError, KeyError):
        raise ValueError(sentence(WHO, "a file as export writes it", "one whose columns were changed")) from None
    columns = inputs_of(WHO, frame, names, missing)
    return {name: _held(columns[source.name])[:, None] for source, name in names.items()}


def _held(column: Array) -> Array:
    if column.dtype != object:
        return column
    return np.array([NOT_IN_UTF8.sub("\N{REPLACEMENT CHARACTER}", word).replace("\0", " ") for word in column], object)
