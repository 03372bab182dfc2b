"""The primitives of programs as ONNX nodes, precise far from zero too, one table, :data:`NODES`; and their outcome."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from ..._support.checks import Array, sentence
from ...layers import Layer
from ...layers.kernels import FRONTS
from ...layers.program import LEAST_PROBABILITY, Call, Program, numbers_of, simplified
from ...ops.piecewise import NO_BIN
from ..programs import ELEMENTWISE
from .graph import Graph

CODES_OF_FLOAT16 = 2048  # which holds no larger odd number


Nodes: TypeAlias = Callable[[Graph, Call, str], str]


def through(g: Graph, program: Iterable[Call], x: str) -> str:
    """Apply a program to x."""
    kind = g.kind
    for call in program:
        g.kind = call.op
        x = NODES[call.op](g, call, x)
    g.kind = kind
    return x


def through_layers(g: Graph, programs: Iterable[tuple[Layer, Program]], x: str) -> str:
    """Apply the programs of layers to x, whose places are part of the names."""
    for index, (_, program) in enumerate(programs):
        g.prefix = f"{index}."
        x = through(g, program, x)
    g.prefix = ""
    return x


def _elementwise(g: Graph, call: Call, x: str) -> str:
    return ELEMENTWISE[call.op].onnx(g, x, **numbers_of(call))


def _affine(g: Graph, call: Call, x: str) -> str:
    """xW + b"""
    return _plus(g, g.MatMul(x, g.constant(call.arrays["W"], "W")), call, "b")


def _scale(g: Graph, call: Call, x: str) -> str:
    """x · gain + bias"""
    return _plus(g, g.Mul(x, g.constant(call.arrays["gain"], "gain")), call, "bias")


def _plus(g: Graph, x: str, call: Call, name: str) -> str:
    return _shifted(g, x, call.arrays[name], name) if name in call.arrays else x


def _shifted(g: Graph, x: str, shift: Array, name: str, sign: int = 1) -> str:
    """x ± shift; ONNX Runtime drops an Add or Sub of a number that is 0 in float32, even in float64."""
    if shift.size == 1 and shift.any() and not shift.astype(np.float32).any():
        return g.Sum(x, g.constant(sign * shift, name))
    return (g.Add if sign > 0 else g.Sub)(x, g.constant(shift, name))


def _standardize(g: Graph, call: Call, x: str) -> str:
    """(x − mean) · factor + bias, the mean in two parts: the second is the rounding error of the first."""
    call = simplified(call)
    if call.op == "scale":
        return _scale(g, call, x)
    mean = call.arrays["mean"]
    x = _shifted(g, x, mean, "mean", -1)
    low = mean - mean.astype(g.dtype).astype(np.float64)
    if low.any():
        x = g.Sub(x, g.constant(low, "mean"))
    return _plus(g, g.Mul(x, g.constant(call.arrays["factor"], "factor")), call, "bias")


def _mean(g: Graph, call: Call, x: str) -> str:
    """The sum by the number: ONNX Runtime has no Mean of float64."""
    return g.Div(g.Sum(*(through(g, branch, x) for branch in call.branches)), float(len(call.branches)))


def _in_float32(nodes: Nodes) -> Nodes:
    """Nodes that compute in float32 where the others do in float16."""

    def in_float32(g: Graph, call: Call, x: str) -> str:
        if g.dtype != np.float16:
            return nodes(g, call, x)
        x, g.dtype = g.cast(x, np.float32), np.dtype(np.float32)
        y = nodes(g, call, x)
        g.dtype = np.dtype(np.float16)
        return g.cast(y, g.dtype)

    return in_float32


@_in_float32  # in float16 squares end at 65504, and ε may be 0
def _layer_norm(g: Graph, call: Call, x: str) -> str:
    """gain · (x − μ)/s / √(σ²/s² + ε/s²) + bias, s = max(mean |x − μ|, 1): no square overflows.

    The means of a row are products, which every ONNX version has.
    """
    features = len(call.arrays["gain"])
    mean = g.constant(np.full((features, 1), 1 / features), "mean")
    centred = g.Sub(x, g.MatMul(x, mean))
    scale = g.Max(g.MatMul(g.Abs(centred), mean), 1.0)
    centred = g.Div(centred, scale)
    epsilon = g.Div(g.Div(g.constant(call.numbers["epsilon"], "epsilon"), scale), scale)
    deviation = g.Sqrt(g.Add(g.MatMul(g.Mul(centred, centred), mean), epsilon))
    return _scale(g, call, g.Div(centred, deviation))


def _parametric(g: Graph, call: Call, x: str) -> str:
    """(1 − amount) · x + amount · f(x)"""
    amount = call.arrays["amount"]
    of_f = g.Mul(through(g, call.branches[0], x), g.constant(amount, "amount"))
    return g.Add(g.Mul(x, g.constant(1 - amount, "rest")), of_f)


def _prelu(g: Graph, call: Call, x: str) -> str:
    """max(x, 0) + slope · min(x, 0)"""
    return g.Add(g.Relu(x), g.Mul(g.Min(x, 0.0), g.constant(call.arrays["slope"], "slope")))


def _log(g: Graph, x: str) -> str:
    return g.Log(g.Add(x, LEAST_PROBABILITY))


def _columns(g: Graph, call: Call, x: str) -> str:
    stops = np.cumsum(call.arrays["widths"]).tolist()
    bounds = zip([0, *stops], stops, strict=False)
    parts = [g.Slice(x, [start], [stop], [1]) for start, stop in bounds]
    return g.Concat(*(through(g, branch, part) for branch, part in zip(call.branches, parts, strict=True)), axis=1)


def _embedding(g: Graph, call: Call, x: str) -> str:
    """E[x]; an invalid code becomes an index beyond the table, so that ONNX Runtime raises an error."""
    E = call.arrays["E"]
    if g.dtype == np.float16 and len(E) > CODES_OF_FLOAT16:
        got = f"an embedding of {len(E):,}"
        raise ValueError(sentence(g.who, f"at most {CODES_OF_FLOAT16:,} codes for float16", got, "use float32"))
    code = g.Where(g.Equal(x, g.Floor(g.Abs(x))), x, float(len(E)))
    return g.Reshape(g.Gather(g.constant(E, "E"), g.cast(code, np.int64), axis=0), [0, E.shape[1]])


@_in_float32  # float16 has too few digits for waves
def _pbld(g: Graph, call: Call, x: str) -> str:
    """cos(2π x_j w1_j + b1_j) W2_j + b2_j of all columns j at once, then x"""
    w1, b1, W2, b2 = (call.arrays[name] for name in ("w1", "b1", "W2", "b2"))
    u = g.Mul(g.Reshape(x, [0, len(w1), 1, 1]), g.constant(2 * np.pi * w1[:, :, None], "w1"))
    # For ONNX Runtime 1.18: cos u = sin(u + π/2), as it has no cosine in float64; and sums of products, as its batched
    # matrix product fails for a batch without rows.
    waves = g.Sin(g.Add(u, g.constant(b1[:, :, None] + np.pi / 2, "b1")))
    z = g.ReduceSum(g.Mul(waves, g.constant(W2, "W2")), [2], keepdims=0)
    z = g.Reshape(g.Add(z, g.constant(b2, "b2")), [0, b2.size])
    return g.Concat(z, x, axis=1)


@_in_float32  # in which the edges differ
def _piecewise_linear(g: Graph, call: Call, x: str) -> str:
    """at_k + (x − left_k) slope_k, at_k being y at the beginning of bin k: two rows of tables"""
    steps, slope, bias, left, width = (call.arrays[name].astype(np.float64) for name in FRONTS[call.op])
    columns, bins, outputs = steps.shape
    known = np.where(left < NO_BIN, left, 0)
    at = np.cumsum(np.insert(steps, 0, bias, axis=1), axis=1)[:, :-1] + known[:, :, None] * slope[:, None]
    each = g.Reshape(x, [0, columns, 1])
    before = g.Not(g.Less(each, g.constant(left[:, 1:], "left")))
    k = g.Add(g.cast(g.ReduceSum(g.cast(before, g.dtype), [2], keepdims=0), np.int64), bins * np.arange(columns))
    tables = (at, left[:, :, None], steps / width[:, :, None] + slope[:, None])
    rows = (g.Gather(g.constant(table.reshape(columns * bins, -1), "rows"), k, axis=0) for table in tables)
    y, start, rise = rows
    return g.Reshape(g.Add(y, g.Mul(g.Sub(each, start), rise)), [0, columns * outputs])


def _deviations(g: Graph, call: Call, x: str) -> str:
    """μ, √(exp s + floor) · spread of x = (μ, s)"""
    first = np.arange(len(call.arrays["spread"]))
    mean, s = (g.Gather(x, first + start, axis=1) for start in (0, len(first)))
    deviation = g.Sqrt(g.Add(g.Exp(s), call.numbers["floor"]))
    return g.Concat(mean, g.Mul(deviation, g.constant(call.arrays["spread"], "spread")), axis=1)


def _clamp(g: Graph, call: Call, x: str) -> str:
    """x limited to low and high"""
    return g.Min(g.Max(x, g.constant(call.arrays["low"], "low")), g.constant(call.arrays["high"], "high"))


def _ascending(g: Graph, call: Call, x: str) -> str:
    """Each ``count`` numbers of a row in ascending order: neighbours exchanged until none is larger than the next"""
    count = int(call.numbers["count"])
    split = g.Reshape(x, [-1, count])
    column = [g.Gather(split, [at], axis=1) for at in range(count)]
    for end in range(count - 1, 0, -1):
        for at in range(end):
            pair = column[at : at + 2]
            column[at : at + 2] = g.Min(*pair), g.Max(*pair)
    return g.Reshape(g.Concat(*column, axis=1), g.Shape(x))


#: The nodes of each op.
NODES: dict[str, Nodes] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    "add": lambda g, call, x: g.Add(x, through(g, call.branches[0], x)),
    "affine": _affine,
    "ascending": _ascending,
    "clamp": _clamp,
    "columns": _columns,
    "deviations": _deviations,
    "embedding": _embedding,
    "flatten": lambda g, call, x: g.Flatten(x, axis=1),
    "layer_norm": _layer_norm,
    "log": _in_float32(lambda g, call, x: _log(g, x)),
    "logit": _in_float32(lambda g, call, x: g.Sub(_log(g, x), _log(g, g.Sub(1.0, x)))),
    "mean": _mean,
    "parametric": _parametric,
    "pbld": _pbld,
    "piecewise_linear": _piecewise_linear,
    "prelu": _prelu,
    "scale": _scale,
    "softmax": lambda g, call, x: g.Softmax(x, axis=-1),
    "standardize": _standardize,
    "two_classes": lambda g, call, x: g.Concat(g.Sigmoid(g.Neg(x)), g.Sigmoid(x), axis=1),
}


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
        index = g.Reshape(g.cast(g.Greater(z, 0.0), np.int64), [-1])
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
        g.Reshape(y, [-1, targets, levels], out=prediction)
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
