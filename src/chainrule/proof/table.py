"""A sample problem for every op, layer and loss, and the proof of each by random directions.

``chainrule check`` prints this table on the user's installation. The tests run it and check that it misses nothing
public. A new elementwise op, activation or loss of numbers gets its row automatically; all others are listed here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from .. import layers, losses, ops
from .._support.checks import Array
from ..layers import Layer
from ..layers.base import FeatureLayer
from ..losses import Loss
from ..model import Sequential
from ..ops.piecewise import NO_BIN
from .gradcheck import check_vjp, gradcheck

TOLERANCE = 1e-6

Generator = np.random.Generator
Row = TypeVar("Row")


@dataclass(frozen=True)
class Proof:
    """A row of the table: ``error(rng)`` is the worst relative error of this backward over random directions."""

    kind: str
    name: str
    error: Callable[[Generator], float]


def proofs() -> Iterator[Proof]:
    """Yield a proof of every op, layer and loss of this installation, in this order."""
    for name, (forward, backward, shapes) in OPS.items():
        yield Proof("op", name, partial(_op_error, forward, backward, shapes))
    for name, make_layer in LAYERS.items():
        yield Proof("layer", name, partial(_layer_error, make_layer))
    for name, front in FRONTS.items():
        yield Proof("layer", name, partial(_front_error, *front))
    for name, (loss, make_target, width) in LOSSES.items():
        yield Proof("loss", name, partial(_loss_error, loss, make_target, width))


def rows(names: Iterable[str], ordinary: Callable[[str], Row], special: dict[str, Row]) -> dict[str, Row]:
    """Add an ordinary row for each name without a special one; ``Linear (no bias)`` counts for Linear."""
    proved = {name.split(" (")[0] for name in special}
    return special | {name: ordinary(name) for name in names if name not in proved}


# ---- ops: name -> (forward(*inputs), backward(dy, *inputs), shapes of the inputs)

Op = tuple[Callable[..., Array], Callable[..., Any], tuple[tuple[int, ...], ...]]


def _elementwise(name: str, **parameters: float) -> Op:
    """Return a pair whose backward takes dy and the output y, the input x or neither."""
    forward = partial(getattr(ops, name), **parameters)
    backward = partial(getattr(ops, name + "_backward"), **parameters)
    needed = inspect.signature(backward).parameters

    def pull_back(dy: Array, x: Array) -> list[Array]:
        saved = (forward(x),) if "y" in needed else (x,) if "x" in needed else ()
        return [backward(dy, *saved)]

    return forward, pull_back, ((4, 5),)


def _standardize(axis: int) -> Op:
    def backward(dy: Array, x: Array) -> list[Array]:
        y, inverse_deviation, _, _ = ops.standardize(x, axis)
        return [ops.standardize_backward(dy, y, inverse_deviation, axis)]

    return lambda x: ops.standardize(x, axis)[0], backward, ((6, 5),)


def _dropped(x: Array) -> tuple[Array, Array]:
    return ops.dropout(x, 0.3, np.random.default_rng(0))


CODES = np.array([[3.0], [0.0], [3.0], [1.0], [3.0], [1.0], [0.0]])  # of four, one of which no row has
BINS = np.array([[-1.0, 0.0, 0.5], [0.2, 0.8, NO_BIN]]), np.array([[1.0, 0.5, 1.0], [0.6, 0.4, 1.0]])
SPECIAL_OPS: dict[str, Op] = {
    "affine": (ops.affine, lambda dy, x, W, b: ops.affine_backward(dy, x, W), ((4, 5), (5, 3), (3,))),
    "scale": (ops.scale, lambda dy, x, gain, bias: ops.scale_backward(dy, x, gain), ((4, 5), (5,), (5,))),
    "leaky_relu": _elementwise("leaky_relu", slope=0.1),
    "embedding": (
        lambda E: ops.embedding(CODES, E),
        lambda dy, E: [ops.embedding_backward(dy, CODES, E)],
        ((4, 3),),
    ),
    "pbld": (
        ops.pbld,
        lambda dy, x, w1, b1, W2, b2: ops.pbld_backward(dy, x, w1, b1, W2),
        ((6, 2), (2, 5), (2, 5), (2, 5, 3), (2, 3)),
    ),
    "piecewise_linear": (
        lambda x, steps, slope, bias: ops.piecewise_linear(x, steps, slope, bias, *BINS),
        lambda dy, x, steps, slope, bias: ops.piecewise_linear_backward(dy, x, steps, slope, *BINS),
        ((9, 2), (2, 3, 4), (2, 4), (2, 4)),
    ),
    "parametric": (ops.parametric, ops.parametric_backward, ((4, 5), (4, 5), (5,))),
    "prelu": (ops.prelu, ops.prelu_backward, ((4, 5), (5,))),
    "elu": _elementwise("elu", alpha=0.7),
    "standardize (batch)": _standardize(axis=0),
    "standardize (row)": _standardize(axis=1),
    "dropout": (
        lambda x: _dropped(x)[0],
        lambda dy, x: [ops.dropout_backward(dy, _dropped(x)[1])],
        ((4, 5),),
    ),
    "gaussian_noise": (
        lambda x: ops.gaussian_noise(x, 0.5, np.random.default_rng(0)),
        lambda dy, x: [dy],
        ((4, 5),),
    ),
}
OPS = rows((name for name in ops.__all__ if not name.endswith("_backward")), _elementwise, SPECIAL_OPS)


def _op_error(
    forward: Callable[..., Array], backward: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], rng: Generator
) -> float:
    return check_vjp(forward, backward, *(rng.standard_normal(shape) for shape in shapes), rng=rng)


# ---- layers: name -> the layer on 6 features, between two Linear layers, which proves its dx too


def _members(activation: str | None = None) -> Layer:
    networks = [[layers.Linear(6, 6)], [layers.Linear(6, 8, "tanh"), layers.Linear(8, 6)]]
    return layers.Members(networks, activation)


SPECIAL_LAYERS: dict[str, Callable[[], Layer]] = {
    "Linear": lambda: layers.Linear(6, 6),
    "Linear (no bias)": lambda: layers.Linear(6, 6, bias=False),
    "Linear (tanh, l1, l2)": lambda: layers.Linear(6, 6, activation="tanh", l1=0.01, l2=0.02),
    "Linear (gelu)": lambda: layers.Linear(6, 6, activation="gelu"),
    "GELU": layers.GELU,
    "GELU (tanh form)": lambda: layers.GELU("tanh"),
    "Dropout": lambda: layers.Dropout(0.3),
    "ParametricActivation (selu)": lambda: layers.ParametricActivation(6, "selu"),
    "ParametricActivation (mish)": lambda: layers.ParametricActivation(6, "mish"),
    "GaussianNoise": lambda: layers.GaussianNoise(0.3),
    "Columns": lambda: layers.Columns([(1, []), (2, [layers.PBLD(2, outputs=2)]), (3, [layers.Linear(3, 1)])]),
    "Members": _members,
    "Members (softmax)": partial(_members, "softmax"),
    "Members (sigmoid)": partial(_members, "sigmoid"),
    "Residual": lambda: layers.Residual([layers.LayerNorm(6), layers.Linear(6, 8, "silu"), layers.Linear(8, 6)]),
}


def _layer(name: str) -> Callable[[], Layer]:
    """Make the layer with its default parameters for so many features."""
    cls = layers.LAYERS[name]
    return partial(cls, 6) if issubclass(cls, FeatureLayer) else cls


#: Layers that change the width or take codes: the layer, its x, and the number of outputs that a Linear layer follows;
#: none follows the last layer that TabM is.
NUMBERS = np.random.default_rng(0).standard_normal((7, 3))
FRONTS: dict[str, tuple[Callable[[], Layer], Array, int]] = {
    "Embedding": (lambda: layers.Embedding(4, 5), CODES, 5),
    "PBLD": (lambda: layers.PBLD(3, outputs=3), NUMBERS, 9),
    "PiecewiseLinear": (lambda: layers.PiecewiseLinear([[-1, 0, 1, 1.5], [0, 1], [-0.5, 0, 0.1]], 3), NUMBERS, 9),
    "TabM": (lambda: layers.TabM(3, [layers.Linear(3, 5, "tanh")], 2, 4), NUMBERS, 0),
    "TabM (groups)": (lambda: layers.TabM(3, [layers.Linear(3, 2)], 1, 2, [1, 2]), NUMBERS, 0),
    "Columns (numbers and codes)": (
        lambda: layers.Columns([(2, [layers.PBLD(2)]), (1, []), (1, [layers.Embedding(4, 2)])]),
        np.hstack([NUMBERS, CODES]),
        11,
    ),
}
LAYERS = rows([name for name in layers.LAYERS if name not in FRONTS], _layer, SPECIAL_LAYERS)


def along_random_cotangent(z: Array, w: Array, weight: Array | None = None) -> tuple[float, Array]:
    """The loss ⟨w, z⟩, whose gradient is w: it tests only the model's backward."""
    return float(np.sum(w * z)), w


def _layer_error(make_layer: Callable[[], Layer], rng: Generator) -> float:
    return _network_error([layers.Linear(4, 6), make_layer(), layers.Linear(6, 3)], rng.standard_normal((7, 4)), rng)


def _front_error(make_layer: Callable[[], Layer], x: Array, outputs: int, rng: Generator) -> float:
    return _network_error([make_layer(), *([layers.Linear(outputs, 3)] if outputs else [])], x, rng)


def _network_error(network: list[Layer], x: Array, rng: Generator) -> float:
    model = Sequential(network, rng=rng, dtype="float64")
    vector = model.parameters.vector
    vector += 0.3 * rng.standard_normal(vector.shape)  # no gain is 1, no bias is 0
    w = rng.standard_normal(model.forward(x, training=True).shape)
    return gradcheck(model, x, w, along_random_cotangent, rng=rng).error


# ---- losses: name -> (loss, target(rng, z), width of z)

Target = Callable[[Generator, Array], Array]


def _numbers(rng: Generator, z: Array) -> Array:
    return rng.standard_normal(z.shape)


def _labels(rng: Generator, z: Array) -> Array:
    return rng.integers(0, z.shape[1], len(z))


def _soft_labels(rng: Generator, z: Array) -> Array:
    return rng.dirichlet(np.ones(z.shape[1]), len(z))


def _bits(rng: Generator, z: Array) -> Array:
    return rng.integers(0, 2, z.shape).astype(np.float64)


def _counts(rng: Generator, z: Array) -> Array:
    return rng.poisson(2.0, z.shape).astype(np.float64)


def _half_as_wide(rng: Generator, z: Array) -> Array:
    return rng.standard_normal((len(z), z.shape[1] // 2))


def _probabilities(z: Array) -> Array:
    return ops.softmax(z)


Problem = tuple[Loss, Target, int]

SPECIAL_LOSSES: dict[str, Problem] = {
    "CrossEntropy": (losses.CrossEntropy(), _labels, 4),
    "CrossEntropy (soft labels)": (losses.CrossEntropy(), _soft_labels, 4),
    "CrossEntropy (label smoothing)": (losses.CrossEntropy(label_smoothing=0.1), _labels, 4),
    "CrossEntropy (class weights)": (losses.CrossEntropy(class_weight=[1.0, 2.0, 0.5, 3.0]), _labels, 4),
    "CrossEntropy (probabilities)": (losses.CrossEntropy(from_logits=False), _labels, 4),
    "BinaryCrossEntropy": (losses.BinaryCrossEntropy(), _bits, 3),
    "BinaryCrossEntropy (probabilities)": (losses.BinaryCrossEntropy(from_logits=False), _bits, 3),
    "PoissonNLL": (losses.PoissonNLL(), _counts, 3),
    "Quantile": (losses.Quantile((0.2, 0.8)), _half_as_wide, 4),
    "GaussianNLL": (losses.GaussianNLL(), _half_as_wide, 4),
}
OF_NUMBERS = {loss.__name__: loss for loss in losses.LOSSES.values()}
LOSSES = rows(OF_NUMBERS, lambda name: (OF_NUMBERS[name](), _numbers, 3), SPECIAL_LOSSES)


def _loss_error(loss: Loss, make_target: Target, width: int, rng: Generator) -> float:
    """Return the worst error with and without sample weights."""
    z = rng.standard_normal((7, width))
    y, weight = make_target(rng, z), rng.uniform(0.5, 2.0, 7)
    if not getattr(loss, "from_logits", True):
        z = _probabilities(z)

    def error(w: Array | None) -> float:
        return check_vjp(lambda z: np.asarray(loss(z, y, w)[0]), lambda dy, z: [dy * loss(z, y, w)[1]], z, rng=rng)

    return max(error(None), error(weight))
