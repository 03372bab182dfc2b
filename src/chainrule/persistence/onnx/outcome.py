"""Turn the outputs of a network into a label and probabilities, or numbers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..._support.checks import Array, sentence
from ...layers.program import Call, Program
from .graph import Graph
from .nodes import through

NO_TEXT = re.compile(r"[\0\ud800-\udfff]")


def classify(g: Graph, z: str, decoding: Call, classes: Array, label: str, probabilities: str) -> None:
    """Add label and probabilities of network outputs."""
    g.Identity(through(g, [decoding], z), out=probabilities)
    if decoding.op == "sigmoid":
        g.cast(g.Greater(z, 0.0), np.int64, out=label)
        return
    if decoding.op == "softmax":
        index = g.ArgMax(z, axis=1, keepdims=0)
    else:
        index = g.Reshape(g.cast(g.Greater(z, 0.0), np.int64), np.array([-1]))
    g.Gather(labels_of(g.who, classes), index, out=label)


def regress(g: Graph, z: str, program: Program, targets: int, levels: int, prediction: str, std: str = "") -> None:
    """Add the numbers or quantiles of each target and, if it has a name, the standard deviation."""
    has_spread = bool(program) and program[-1].op == "deviations"
    y = through(g, program if std else [call for call in program if call.op != "deviations"], z)
    if has_spread:
        means = np.arange(targets)
        for name, start in ((prediction, 0), *([(std, targets)] if std else [])):
            g.Gather(y, means + start, axis=1, out=name)
    elif levels > 1 and targets > 1:
        g.Reshape(y, np.array([-1, targets, levels]), out=prediction)
    else:
        g.Identity(y, out=prediction)


def labels_of(who: str, classes: Array) -> Array:
    """Convert labels for ONNX: text or 64-bit integers."""
    if len(classes) < 2:
        remedy = "train on rows of two classes or more"
        raise ValueError(sentence(who, "at least two classes", repr(classes.tolist()), remedy))
    if classes.dtype.kind in "OUT":
        expected, remedy = "labels of text without NUL or lone surrogates", "rename such classes first"
        odd = [one for one in classes.tolist() if not isinstance(one, str) or NO_TEXT.search(one)]
    else:
        expected, remedy = "labels that are text or integers of 64 bits", "train on text, y.astype(str)"
        number = classes.dtype.kind in "iufb"
        odd = [one for one in classes.tolist() if not (number and -(2**63) <= one < 2**63)]
    if odd:
        raise ValueError(sentence(who, expected, repr(odd[0]), remedy))
    return classes.astype(object if classes.dtype.kind in "OUT" else np.int64)


def kind_of_labels(classes: Array, is_multilabel: bool) -> Any:
    """Return the type of the output."""
    return object if classes.dtype.kind in "OUT" and not is_multilabel else np.int64
