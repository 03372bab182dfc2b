"""What an explanation is made of: plain arrays and words."""

from __future__ import annotations

from dataclasses import dataclass

from .._support.checks import Array


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
