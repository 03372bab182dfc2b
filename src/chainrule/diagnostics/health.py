"""Can this network learn? The signals, gradients and steps of each layer, and advice about them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, sentence
from ..data.scale import MOST_ROWS, about_scale, about_targets
from ..layers import Layer
from ..layers.program import last_op
from ..layers.workspace import Workspace
from ..losses import BinaryCrossEntropy, CrossEntropy, LossFunction, get_loss
from ..model import Sequential
from ..optimizers import Optimizer, get_optimizer
from ..training.inputs import as_data

MANY_DEAD, MANY_SATURATED = 0.3, 0.5  # shares of a layer's units
VANISHED, EXPLODED = 1e-3, 1e3  # gradient of the first layer over that of the last, each relative to its weights
SLOW, FAST = 1e-5, 1e-1  # size of a step relative to the weights
HEAD = ("layer", "output", "dead", "saturated", "‖W‖", "‖dW‖", "step/‖W‖")
LIMITS = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # of the ops that saturate


@dataclass(frozen=True)
class LayerState:
    """One layer on these data: its outputs and, if it has parameters, their gradient and next step.

    Attributes
    ----------
    name : str
        The layer's ``repr``.
    mean, spread : float
        Mean and standard deviation of its outputs.
    dead : float
        Share of its units that are 0 for every row.
    saturated : float
        Share of its outputs within 1 % of the limits of a sigmoid or tanh.
    weight, gradient, step : float
        Euclidean norms of its parameters, their gradient and the optimizer's next step; NaN without parameters.
    """

    name: str
    mean: float
    spread: float
    dead: float
    saturated: float
    weight: float
    gradient: float
    step: float


@dataclass(frozen=True)
class Diagnosis:
    """Result of :func:`diagnose`; print it, or read its attributes.

    Attributes
    ----------
    layers : list of LayerState
        The layers in order.
    loss : float
        Loss of the examined rows.
    findings : list of str
        Problems, each with a remedy; empty if nothing looks wrong.
    """

    layers: list[LayerState]
    loss: float
    findings: list[str]

    def __str__(self) -> str:
        rows = [HEAD, *map(_written, self.layers)]
        wide = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
        table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, wide, strict=True)).rstrip() for row in rows]
        return "\n".join([*table, f"loss {self.loss:.4g}", *(self.findings or ["Nothing looks wrong."])])

    def _repr_html_(self) -> str:
        """The layers and the findings, as a notebook shows them."""
        from .._support.notebook import table

        notes = self.findings or ["Nothing looks wrong."]
        return table(HEAD, map(_written, self.layers), caption=f"loss {self.loss:.4g}", notes=notes)


def diagnose(
    model: Sequential, x: Any, y: Any, loss: str | LossFunction | None = None, optimizer: str | Optimizer = "adam"
) -> Diagnosis:
    """Examine a model on some data, before training or if it does not learn.

    Parameters
    ----------
    model : Sequential
        The model, which is not modified.
    x : array (N, ...)
        Input; the first 2,048 rows are used.
    y : array (N,) or (N, O)
        Targets, in the form that the loss expects.
    loss : str, Loss, callable or None
        As for :class:`~chainrule.Trainer`; None for the cross-entropy with labels, else the squared error.
    optimizer : str or Optimizer
        As for the Trainer; its next step is computed on a copy.

    Returns
    -------
    Diagnosis
        The state of each layer, and what to improve.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(100, 3)) * [1, 1, 1e6]
    >>> y = (x[:, 0] > 0).astype(int)
    >>> print(cr.diagnose(cr.MLP([3, 8, 2], rng=0), x, y).findings[0])
    Column 2 of x has a spread of 9.55e+05, the median column 1.09: standardise x.
    """
    model, x, y, loss = examined("diagnose", model, x, y, loss)
    value, states = _states(model, x, y, loss, copy.deepcopy(get_optimizer(optimizer)))
    findings = [
        *about_scale(x),
        *_about_constants(x),
        *about_targets(y, labels=isinstance(loss, (CrossEntropy, BinaryCrossEntropy))),
        *_about_outputs(states),
        *_about_steps(states),
    ]
    return Diagnosis(states, value, findings)


@np.errstate(over="ignore", invalid="ignore")
def examined(
    who: str, model: Sequential, x: Any, y: Any, loss: str | LossFunction | None
) -> tuple[Sequential, Array, Array, LossFunction]:
    """Return a copy of the model, the first rows as arrays, and the loss."""
    check_model(who, model)
    model = copy.deepcopy(model)
    x, y, _ = as_data(who, model, x, y, None)
    x, y = x[:MOST_ROWS], y[:MOST_ROWS]
    loss = _loss_for(model, y, loss)
    single = y.ndim == 1 and model.predict(x[:1]).shape[1:] == (1,)
    return model, x, y[:, None] if single else y, loss


@np.errstate(over="ignore", invalid="ignore")
def one_pass(model: Sequential, x: Array, y: Array, loss: LossFunction) -> tuple[list[Array], float]:
    """Return each layer's outputs (N, ...) and the loss, and leave the gradients in the model."""
    outputs, work, signal = [], Workspace(False, model.rng), x
    for index, layer in enumerate(model.layers):
        signal = layer.forward(signal, work.child(index))
        outputs.append(signal.reshape(len(signal), -1).astype(np.float64))
    value, dz = loss(model.forward(x, training=True), y, None)
    model.backward(dz)
    return outputs, float(value) + model.penalty()


def check_model(who: str, model: Any) -> None:
    """Raise unless this is a Sequential model."""
    if not isinstance(model, Sequential):
        remedy = "pass trainer.model" if isinstance(getattr(model, "model", None), Sequential) else ""
        raise TypeError(sentence(who, "a Sequential model", repr(model), remedy))


def _loss_for(model: Sequential, y: Array, loss: str | LossFunction | None) -> LossFunction:
    if loss is not None:
        return get_loss(loss)
    single = model.layers[-1].output_shape(None) == (1,)
    labels = y.dtype.kind in "iub" and (y.ndim == 1 or (y.shape[1:] == (1,) and not single))
    return get_loss(("binary_cross_entropy" if single else "cross_entropy") if labels else "squared_error")


@np.errstate(over="ignore", invalid="ignore")
def _states(
    model: Sequential, x: Array, y: Array, loss: LossFunction, optimizer: Optimizer
) -> tuple[float, list[LayerState]]:
    """Take one step of training on a copy, and record the state of each layer."""
    outputs, value = one_pass(model, x, y, loss)
    weights = {name: array.copy() for name, array in model.parameters.items()}
    optimizer.setup(model.parameters, total_steps=1000)
    optimizer.step(model.parameters.vector, model.gradients.vector)
    steps = {name: array - weights[name] for name, array in model.parameters.items()}
    states = [
        _state(layer, output, *(_norm(arrays, f"{index}.") for arrays in (weights, model.gradients, steps)))
        for index, (layer, output) in enumerate(zip(model.layers, outputs, strict=True))
    ]
    return value, states


def _norm(arrays: Mapping[str, Array], prefix: str) -> float:
    """Return the Euclidean norm of all of a layer's arrays together; NaN if it has none."""
    squares = [
        float(np.sum(np.square(array, dtype=np.float64))) for name, array in arrays.items() if name.startswith(prefix)
    ]
    return float(np.sqrt(sum(squares))) if squares else np.nan


def _state(layer: Layer, output: Array, weight: float, gradient: float, step: float) -> LayerState:
    limits = LIMITS.get(last_op([layer]))
    saturated = 0.0
    if limits is not None:
        low, high = limits
        margin = 0.01 * (high - low)
        saturated = float(np.mean((output < low + margin) | (output > high - margin)))
    dead = float(np.mean(~output.any(axis=0)))
    return LayerState(repr(layer), float(output.mean()), float(output.std()), dead, saturated, weight, gradient, step)


def _about_constants(x: Array) -> Iterator[str]:
    columns = x.reshape(len(x), -1)
    constant = np.flatnonzero((columns == columns[0]).all(axis=0))
    if len(constant) == columns.shape[1]:
        yield "All rows of x are equal: there is nothing to learn from."
        return
    constant = constant[columns[0, constant] != 0]  # zero pixels at the border are normal
    if len(constant):
        found = f"always {columns[0, constant[0]]:.3g} ({len(constant)} in total)"
        yield f"Column {constant[0]} of x is {found}: leave it out."


def _about_outputs(states: list[LayerState]) -> Iterator[str]:
    for index, state in enumerate(states[:-1]):
        who = f"Layer {index}, {state.name}, has"
        if state.dead > MANY_DEAD:
            yield f"{who} {state.dead:.0%} dead units: lower the learning rate, or use leaky_relu or gelu."
        if state.saturated > MANY_SATURATED:
            share = f"{state.saturated:.0%} of its outputs at their limits"
            yield f"{who} {share}: standardise x, or start with smaller weights."


def _about_steps(states: list[LayerState]) -> Iterator[str]:
    trained = [(f"Layer {index}, {state.name},", state) for index, state in enumerate(states) if state.weight > 0]
    if not trained:
        return
    for who, state in trained:
        if not np.isfinite(state.gradient):
            yield f"{who} has a gradient that is not finite: standardise x and y, or start with smaller weights."
            return
    by_pace = sorted(trained, key=lambda pair: pair[1].step / pair[1].weight)
    least, most = by_pace[0], by_pace[-1]
    if (ratio := most[1].step / most[1].weight) > FAST:
        yield f"{most[0]} would move by {ratio:.0%} of its weights in one step: lower the learning rate."
    if (ratio := least[1].step / least[1].weight) < SLOW:
        yield f"{least[0]} would move by {ratio:.1g} of its weights in one step: raise the learning rate."
    first, last = (state.gradient / state.weight for _, state in (trained[0], trained[-1]))
    found = f"on its way to the first layer ({first:.2g} against {last:.2g} of the weights)"
    if first < VANISHED * last:
        yield f"The gradient vanishes {found}: add normalization, or use relu."
    elif first > EXPLODED * last > 0:
        yield f"The gradient explodes {found}: add normalization, or set clip_norm."


def _written(state: LayerState) -> tuple[str, ...]:
    learns = not np.isnan(state.weight)
    return (
        state.name,
        f"{state.mean:.2g} ± {state.spread:.2g}",
        f"{state.dead:.0%}",
        f"{state.saturated:.0%}",
        f"{state.weight:.3g}" if learns else "",
        f"{state.gradient:.2g}" if learns else "",
        f"{state.step / state.weight:.1g}" if learns and state.weight else "",
    )
