"""Follow a batch through a copy of the model: each layer, on the copy, reports what enters and what leaves it.

The steps that come of it are plain arrays and words, with the equations that the docstrings state.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import ops
from .._support.checks import Array, sentence
from .._support.overrides import is_of_package
from .._support.registry import snake_case
from ..layers import (
    Activation,
    BatchNorm,
    Dropout,
    GaussianNoise,
    Identity,
    Layer,
    Linear,
    ParametricActivation,
    Workspace,
)
from ..layers.base import walk
from ..layers.chain import backward_through, forward_through
from ..layers.program import program_of
from ..losses import LossFunction
from ..model import Sequential
from ..optimizers import Optimizer

# --- equations -----------------------------------------------------------------------------------------------------

# A gradient begins with d and what it is the gradient of: dx, dW, dŷ, dE[k], dw1_j.
_GRADIENT = re.compile(r"d[^\s\d=]\w*(\[\w+\])?\u0302? = ")
_APART = re.compile(r"\s{3,}")
_ROLE = re.compile(r":\w+:`~?([^`]*)`")
Equations = tuple[tuple[str, ...], tuple[str, ...]]


def equations_of(thing: Any) -> Equations:
    """Return the equations of a layer, loss or optimizer: those of its value, and those of its gradient.

    They are the indented lines at the start of its class's docstring, or of the op that computes an activation. A class
    without any is described by its first sentence.
    """
    op = getattr(thing, "op", None)
    if isinstance(thing, Activation) and isinstance(op, str) and is_of_package(thing):
        return _split(getattr(ops, op).__doc__)
    of_loss = getattr(thing, "from_logits", None)
    return _split(thing.__doc__, None if of_loss is None else bool(of_loss))


def affine_equations(layer: Linear) -> Equations:
    """Return those of a dense layer without its activation; with its penalty if it has one."""
    value, gradient = _split(ops.affine.__doc__)
    if not (layer.l1 or layer.l2):
        return value, gradient
    own = (line.replace("dz", "dy") for line in _split(Linear.__doc__)[1] if not line.startswith("dz"))
    return value, tuple(own)


def _split(docstring: str | None, from_logits: bool | None = None) -> Equations:
    """Divide the indented lines into values and gradients; a loss has a second set of them, from probabilities."""
    head = inspect.cleandoc(docstring or "").split("\n\nParameters\n")[0].split("\n\nExamples\n")[0]
    if from_logits is not None:
        of_logits, _, of_probabilities = head.partition("From probabilities")
        head = of_logits if from_logits else of_probabilities
    lines = [line.strip() for line in head.split("\n") if line.startswith("    ")]
    pieces = [piece.removesuffix(",") for line in lines for piece in _APART.split(line)]
    if not pieces:
        return ((_ROLE.sub(r"\1", head.split(". ")[0].split("\n\n")[0].replace("\n", " ")),), ()) if head else ((), ())
    gradient = [bool(_GRADIENT.match(piece)) for piece in pieces]
    return (
        tuple(piece for piece, is_gradient in zip(pieces, gradient, strict=True) if not is_gradient),
        tuple(piece for piece, is_gradient in zip(pieces, gradient, strict=True) if is_gradient),
    )


# --- steps ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter of a layer: its value, its gradient, and what one step of the optimizer adds to it."""

    name: str
    value: Array
    gradient: Array | None = None
    update: Array | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of a layer, forward and backward.

    ``layer`` is the place of the layer in the model, "0" or, inside another layer, "2.1": with the name of a parameter
    it is the key in ``model.parameters``. The gradients are None if there was no loss.
    """

    layer: str
    name: str
    op: str
    equation: tuple[str, ...]
    gradient_equation: tuple[str, ...]
    inputs: Array
    outputs: Array
    output_gradient: Array | None = None
    input_gradient: Array | None = None
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, eq=False)
class LossStep:
    """The loss of the outputs z: its value, the penalty of the layers, and dz."""

    name: str
    equation: tuple[str, ...]
    gradient_equation: tuple[str, ...]
    outputs: Array
    target: Array
    value: float
    penalty: float
    gradient: Array


# --- the trace -----------------------------------------------------------------------------------------------------

WHO = "explain"
NOISE: dict[type[Layer], str] = {Dropout: "rate", GaussianNoise: "sigma"}
NONE: Equations = ((), ())
SPAN = 1e-5  # h of the central difference: float64 leaves about 1e-11 of the loss


class RunningNorm(BatchNorm):
    """Standardise each feature with the running statistics, as in prediction, where they are constants.

        y = gain · ŷ + bias,    ŷ = (x − μ) / √(σ² + ε)

        dx = gain · dy / √(σ² + ε)      dgain = Σₙ dyₙ ŷₙ      dbias = Σₙ dyₙ

    Its ``backward`` exists for explanations alone: training uses the statistics of the batch.
    """

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        work["standard"] = ((x - self.running_mean) * self._factor()).astype(x.dtype)
        return self.gain * work["standard"] + self.bias

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        self.dgain[:], self.dbias[:] = (dy * work["standard"]).sum(axis=0), dy.sum(axis=0)
        return (dy * self.gain * self._factor()).astype(dy.dtype)

    def _factor(self) -> Array:
        factor: Array = 1 / np.sqrt(self.running_variance + self.epsilon)
        return factor


class Problem:
    """The loss of a batch as a function of the parameters, on a copy of the model that may be changed.

    Each pass draws the same dropout. Without ``training``, dropout and noise are off, and batch normalisation uses its
    running statistics.
    """

    def __init__(self, model: Sequential, x: Array, *, training: bool, dtype: Any = None) -> None:
        self.model = copy.deepcopy(model) if dtype is None else model.astype(dtype)
        self.x, self.training = np.array(x, self.model.dtype), training
        self.work = Workspace(training, self.model.rng)
        self._drawn = copy.deepcopy(self.model.rng.bit_generator.state)
        for _, layer in walk(self.model.layers) if not training else ():
            _switch_off(layer)

    def outputs(self) -> Array:
        self.model.rng.bit_generator.state = self._drawn
        self.work.forget()
        return forward_through(self.model.layers, self.x, self.work)

    def gradient(self, dz: Array) -> Array:
        """Run backward, and return dx; the gradients of the parameters are the model's."""
        try:
            dx = backward_through(self.model.layers, dz, self.work, True)
        except KeyError as error:
            got, remedy = f"one that needs {error} of a training pass", "pass training=True"
            raise ValueError(sentence(WHO, "layers whose backward follows any forward", got, remedy)) from None
        if dx is None:
            raise TypeError(sentence(f"backward of {self.model.layers[0]!r}", "to return dx", "None"))
        return dx


def _switch_off(layer: Layer) -> None:
    """Make a layer of the copy compute in ``backward`` the derivative of its prediction."""
    for kind, amount in NOISE.items():
        if isinstance(layer, kind):
            setattr(layer, amount, 0.0)
    if type(layer) is BatchNorm:
        layer.__class__ = RunningNorm


def trace(
    model: Sequential,
    x: Array,
    y: Any = None,
    loss: LossFunction | None = None,
    optimizer: Optimizer | None = None,
    *,
    training: bool = False,
) -> tuple[tuple[Step, ...], LossStep | None]:
    """Follow a batch x (N, ...) forward; with a loss, backward too; with an optimizer, through its update.

    Nothing is modified. With ``training``, dropout is drawn and batch normalisation uses the batch, as in a step of
    training. The steps are in the order of the forward pass; a layer with inner layers comes after them.
    """
    problem = Problem(model, x, training=training)
    order: list[_Recorder] = []
    for (prefix, own), (_, layer) in zip(walk(model.layers), walk(problem.model.layers), strict=True):
        _Recorder(prefix[:-1], own, layer).listen(order)
    z = problem.outputs()
    if loss is None:
        return tuple(step for recorder in order for step in recorder.steps({})), None
    z = z.copy()
    value, dz = loss(z, y)
    name = getattr(loss, "__name__", repr(loss))
    found = LossStep(name, *equations_of(loss), z, np.array(y), float(value), problem.model.penalty(), dz.copy())
    problem.gradient(dz)
    updates = {} if optimizer is None else updates_of(problem.model, optimizer)
    return tuple(step for recorder in order for step in recorder.steps(updates)), found


def updates_of(model: Sequential, optimizer: Optimizer) -> dict[str, Array]:
    """Return what one step of a copy of the optimizer would add to each parameter, by name."""
    rule, parameters = copy.deepcopy(optimizer), copy.deepcopy(model.parameters)
    rule.setup(parameters, rule.total_steps)
    rule.step(parameters.vector, model.gradients.vector)
    return {name: parameters[name] - before for name, before in model.parameters.items()}


class _Recorder:
    """Listens to one layer of the copy, and to the activation inside it."""

    def __init__(self, place: str, original: Layer, layer: Layer) -> None:
        self.place, self.name, self.layer, self.seen = place, repr(original), layer, dict[str, Array]()
        self.op = _op_of(original)
        known = isinstance(layer, (Linear, ParametricActivation)) and is_of_package(layer)
        self.equations = affine_equations(layer) if known and isinstance(layer, Linear) else equations_of(layer)
        if any(isinstance(layer, kind) and getattr(layer, amount) == 0 for kind, amount in NOISE.items()):
            self.equations = equations_of(Identity())
        self.inner: Activation | None = layer.activation if known else None  # type: ignore[attr-defined]
        self.inner_op = "" if self.inner is None else _op_of(self.inner)
        self.inner_equations = NONE if self.inner is None else equations_of(self.inner)

    def listen(self, order: list[_Recorder]) -> None:
        """Put a listener between the layer and its callers."""
        self._tap(self.layer, "forward", "x", "y", lambda: order.append(self))
        self._tap(self.layer, "backward", "dy", "dx")
        if self.inner is not None:
            self._tap(self.inner, "apply_blocked", "inner x", "inner y")
            self._tap(self.inner, "pull_back_blocked", "inner dy", "inner dx")

    def _tap(self, layer: Layer, method: str, enters: str, leaves: str, after: Callable[[], Any] | None = None) -> None:
        original: Callable[..., Any] = getattr(layer, method)

        def tapped(first: Array, *rest: Any, **options: Any) -> Any:
            self.seen[enters] = np.array(first)  # copies: workspaces are written again
            result = original(first, *rest, **options)
            if result is not None:
                self.seen[leaves] = np.array(result)
            if after is not None:
                after()
            return result

        vars(layer)[method] = tapped

    def steps(self, updates: dict[str, Array]) -> list[Step]:
        """Return the layer's own operation and, in the order of computation, that of its activation."""
        own = self._step(self.op, self.equations, "", self._parameters(updates))
        if self.inner is None:
            return [own]
        inner = self._step(self.inner_op, self.inner_equations, "inner ")
        if isinstance(self.layer, Linear):
            return [replace(own, outputs=inner.inputs, output_gradient=inner.input_gradient), inner]
        return [inner, own]

    def _step(self, op: str, equations: Equations, of: str, parameters: tuple[Parameter, ...] = ()) -> Step:
        x, y = self.seen[of + "x"], self.seen[of + "y"]
        dy, dx = self.seen.get(of + "dy"), self.seen.get(of + "dx")
        return Step(self.place, self.name, op, *equations, x, y, dy, dx, parameters)

    def _parameters(self, updates: dict[str, Array]) -> tuple[Parameter, ...]:
        layer, backward = self.layer, "dy" in self.seen
        return tuple(
            Parameter(
                name,
                getattr(layer, name).copy(),
                getattr(layer, "d" + name).copy() if backward else None,
                updates.get(f"{self.place}.{name}"),
            )
            for name in layer.parameter_shapes()
        )


def _op_of(layer: Layer) -> str:
    """The first primitive of the layer's program, or the name of its class."""
    program = program_of(layer, training=True)
    return program[0].op if program else snake_case(type(layer).__name__)


@dataclass(frozen=True)
class Difference:
    """The central difference (L(θ + h) − L(θ − h)) / 2h of the loss along one entry θ."""

    above: float
    below: float
    span: float

    @property
    def slope(self) -> float:
        """The quotient: an estimate of ∂L/∂θ."""
        return (self.above - self.below) / (2 * self.span)


def difference(
    model: Sequential,
    x: Array,
    y: Any,
    loss: LossFunction,
    parameter: str,
    index: tuple[int, ...],
    *,
    training: bool = False,
) -> Difference:
    """Measure the slope of the loss along one entry of a parameter, such as "0.W", or of "x", in float64 on a copy.

    ∂L/∂θ ≈ (L(θ + h) − L(θ − h)) / 2h
    """
    problem = Problem(model, x, training=training, dtype=np.float64)
    array = problem.x if parameter == "x" else problem.model.parameters[parameter]
    here = array[index]

    def at(value: float) -> float:
        array[index] = value
        z = problem.outputs()
        return float(loss(z, y)[0]) + problem.model.penalty()

    return Difference(at(here + SPAN), at(here - SPAN), SPAN)
