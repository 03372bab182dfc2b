"""The proof of a gradient: ⟨w, J v⟩ = ⟨Jᵀ w, v⟩ for random v and w.

J v, the change of the output when the input moves along v, comes from the forward pass alone, by a central difference

    J v ≈ (f(x + h v) − f(x − h v)) / 2h   (extrapolated from h and h/2),

and Jᵀ w from the backward pass. The two numbers must agree for random v and w. An all-ones w would prove nothing for a
softmax: its outputs sum to a constant, so a backward that returns zeros would pass.

At a kink the difference mixes two slopes and means nothing. Kinks are detected, and v or the point is drawn again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from .._support.checks import (
    Array,
    RandomState,
    as_numeric,
    as_rng,
    check_finite,
    check_integer,
    check_number,
    sentence,
)
from .._support.settings import frozen
from ..layers.columns import code_columns
from ..losses import LossFunction, get_loss
from ..model import Sequential

STEP = 1e-5  # h: the rounding error is 1e-16/h = 1e-11 of the value; a larger h would only meet more kinks
REDRAWS = 20


def check_vjp(
    forward: Callable[..., Array],
    backward: Callable[..., Sequence[Array]],
    *inputs: Array,
    rng: RandomState = 0,
    draws: int = 3,
) -> float:
    """Measure the worst relative error of a backward over several random directions.

        max |⟨w, J v⟩ − ⟨Jᵀ w, v⟩| / max(‖w‖ ‖J v‖, ‖Jᵀ w‖)

    Parameters
    ----------
    forward : callable ``(*inputs) -> y``
        The function.
    backward : callable ``(dy, *inputs) -> list of arrays``
        Its pull-back: the gradient of each input.
    *inputs : arrays of float64
        The point at which to check; all inputs move together.
    rng : int, numpy.random.Generator or None
        Source of the directions.
    draws : int, >= 1
        Number of pairs (v, w).

    Returns
    -------
    float
        The error: about 1e-11 for a correct gradient, near 1 for a wrong one.

    Raises
    ------
    ValueError
        If a gradient has another shape than its input, or every draw lay on a kink.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.random.default_rng(0).normal(size=(4, 3))
    >>> cr.check_vjp(np.sin, lambda dy, x: [dy * np.cos(x)], x) < 1e-8
    True
    >>> cr.check_vjp(np.sin, lambda dy, x: [dy * np.sin(x)], x) < 1e-8
    False
    """
    rng = as_rng(rng, "check_vjp")
    check_integer("check_vjp", "draws", draws)
    return max(_one_draw(forward, backward, inputs, rng) for _ in range(draws))


def _one_draw(
    forward: Callable[..., Array],
    backward: Callable[..., Sequence[Array]],
    inputs: Sequence[Array],
    rng: np.random.Generator,
) -> float:
    inputs, v, Jv = _away_from_kinks(forward, inputs, rng)
    y = forward(*inputs)
    w = rng.standard_normal(np.shape(y))
    gradients = backward(w, *inputs)
    expected, got = [np.shape(x) for x in inputs], [np.shape(gradient) for gradient in gradients]
    if got != expected:
        bare = [getattr(gradients, "shape", None)] == expected
        remedy = "return the gradient of a single input as [dx]" if bare else ""
        raise ValueError(sentence("check_vjp", f"gradients of the inputs' shapes {expected}", str(got), remedy))
    numeric = float(np.sum(w * Jv))
    analytic = sum(float(np.sum(gradient * direction)) for gradient, direction in zip(gradients, v, strict=True))
    size = np.linalg.norm(w)
    longest = max(size * np.linalg.norm(Jv), *(np.linalg.norm(gradient) for gradient in gradients))
    return relative_error(numeric, analytic, longest, size * np.linalg.norm(y))


def _away_from_kinks(
    forward: Callable[..., Array], inputs: Sequence[Array], rng: np.random.Generator
) -> tuple[Sequence[Array], list[Array], Array]:
    """Find inputs where the function is smooth along a random direction v; return them, v and J v."""
    for _ in range(REDRAWS):
        v = [rng.standard_normal(np.shape(x)) for x in inputs]
        Jv, smooth = _directional(partial(_moved, forward, inputs, v))
        if smooth:
            return inputs, v, Jv
        inputs = [x + 1e-2 * rng.standard_normal(np.shape(x)) for x in inputs]
    raise ValueError(sentence("check_vjp", "inputs away from kinks", f"a kink at each of {REDRAWS} draws"))


def _moved(forward: Callable[..., Array], inputs: Sequence[Array], v: Sequence[Array], t: float) -> Array:
    return forward(*(x + t * direction for x, direction in zip(inputs, v, strict=True)))


def _directional(f: Callable[[float], Any]) -> tuple[Any, bool]:
    """The derivative of f at 0 and whether f is smooth there.

    Central differences D(h) and D(h/2) have error c h² + O(h⁴), so (4 D(h/2) − D(h)) / 3 has error O(h⁴). The second
    differences S(h) and S(h/2) of a smooth f are h² f″ and h² f″ / 4; a kink between −h and h breaks this ratio.
    """
    # Copies: f may return the same array each time, as a model's forward does in training.
    left, near_left, centre, near_right, right = (np.array(f(t * STEP)) for t in (-1.0, -0.5, 0.0, 0.5, 1.0))
    derivative = (8 * (near_right - near_left) - (right - left)) / (6 * STEP)
    bend = ((right - 2 * centre + left) - 4 * (near_right - 2 * centre + near_left)) / STEP
    allowed = 1e-7 * np.max(np.abs(derivative), initial=0.0) + 1e-9 * np.max(np.abs(centre), initial=0.0)
    return derivative, bool(np.max(np.abs(bend), initial=0.0) <= allowed)


def relative_error(numeric: float, analytic: float, scale: Any, magnitude: Any) -> float:
    """Return |numeric − analytic| relative to the size that the two numbers could have had.

    The difference of two function values of this magnitude is rounded to about 1e-16 · magnitude / h. A derivative far
    below that (0, for a bias before a normalisation) is compared with 1e-4 of the magnitude instead.
    """
    error = abs(numeric - analytic) / max(float(scale), abs(analytic), 1e-4 * float(magnitude), 1e-300)
    return float(error) if np.isfinite(error) else float("inf")


@frozen
class GradientCheck:
    """Result of :func:`gradcheck`: both derivatives of each parameter, and of the input, along a random direction.

    Parameters
    ----------
    rows : list of (name, derivative from backward, derivative from differences, relative error)
        One row for the input and one for each parameter.
    tolerance : float
        Largest relative error that passes.
    """

    rows: list[tuple[str, float, float, float]]
    tolerance: float

    @property
    def error(self) -> float:
        """Worst relative error."""
        return max(row[3] for row in self.rows)

    @property
    def passed(self) -> bool:
        """Whether every relative error is within the tolerance."""
        return self.error <= self.tolerance

    def _repr_html_(self) -> str:
        from .._support.notebook import table

        rows = [
            (name, f"{analytic:.8g}", f"{numeric:.8g}", f"{error:.1e}", "" if error <= self.tolerance else "WRONG")
            for name, analytic, numeric, error in self.rows
        ]
        said = "passed" if self.passed else "FAILED"
        return table(("", "backward", "differences", "relative error", ""), rows, caption=f"gradients {said}")

    def __str__(self) -> str:
        head = f"{'':<24}{'backward':>16}{'differences':>16}{'relative error':>16}"
        lines = [
            f"{name:<24}{analytic:>16.8g}{numeric:>16.8g}{error:>16.1e}{'' if error <= self.tolerance else '  WRONG'}"
            for name, analytic, numeric, error in self.rows
        ]
        return "\n".join([head, *lines, "passed" if self.passed else "FAILED"])


def gradcheck(
    model: Sequential,
    x: Any,
    y: Any,
    loss: str | LossFunction,
    *,
    sample_weight: Array | None = None,
    tolerance: float = 1e-6,
    rng: RandomState = 0,
) -> GradientCheck:
    """Prove the gradients of this model with this loss on these data.

        ⟨∂L/∂θ, v⟩ = (L(θ + h v) − L(θ − h v)) / 2h    for a random direction v of x and of each parameter θ

    Parameters
    ----------
    model : Sequential
        The model, which is not modified: the check runs in float64 on a copy.
    x : array (N, ...)
        A few rows of input.
    y : array
        Targets, in the form that the loss expects.
    loss : str, Loss or callable
        The loss L; the model's penalties are added, and every pass draws the same dropout.
    sample_weight : array (N,), optional
        Weight of each row.
    tolerance : float, > 0
        Largest relative error that passes.
    rng : int, numpy.random.Generator or None
        Source of the directions.

    Returns
    -------
    GradientCheck
        The result, with ``passed``, ``error`` and ``rows``; print it for a table.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.MLP([4, 8, 3], activation="gelu", dropout=0.2, rng=0)
    >>> x = np.random.default_rng(0).normal(size=(8, 4))
    >>> check = cr.gradcheck(model, x, np.arange(8) % 3, loss="cross_entropy")
    >>> check.passed, [row[0] for row in check.rows]
    (True, ['x', '0.W', '0.b', '2.W', '2.b'])
    """
    check_number("gradcheck", "tolerance", tolerance, above=0)
    rng = as_rng(rng, "gradcheck")
    x = as_numeric("gradcheck", "x", x, np.float64)
    check_finite("gradcheck", "x", x)
    y = as_numeric("gradcheck", "y", y)
    check_finite("gradcheck", "y", y)
    problem = _Problem(model, x, y, get_loss(loss), sample_weight)
    for _ in range(REDRAWS):
        rows = list(problem.rows(rng))
        if all(row is not None for row in rows):
            return GradientCheck([row for row in rows if row is not None], tolerance)
        problem.move(rng)
    raise ValueError(sentence("gradcheck", "a point away from kinks", f"a kink at each of {REDRAWS} draws"))


class _Problem:
    """L as a function of the input and of the parameters of a float64 copy of the model."""

    def __init__(self, model: Sequential, x: Array, y: Array, loss: LossFunction, weight: Array | None) -> None:
        self.model = model.astype(np.float64)
        self.x, self.y, self.loss, self.weight = x.copy(), y, loss, weight
        self.random_state = copy.deepcopy(self.model.rng.bit_generator.state)
        self.buffers = {name: array.copy() for name, array in self.model.buffers.items()}
        self.arrays = {"x": self.x} | dict(self.model.parameters)

    def value(self) -> tuple[float, Array, Array]:
        """Compute L, z and dz, with the same noise and running statistics at each call."""
        self.model.rng.bit_generator.state = self.random_state
        for name, array in self.model.buffers.items():
            array[...] = self.buffers[name]
        z = self.model.forward(self.x, training=True)
        value, dz = self.loss(z, self.y, self.weight)
        return value + self.model.penalty(), z, dz

    def rows(self, rng: np.random.Generator) -> Iterator[tuple[str, float, float, float] | None]:
        """Yield both derivatives and their error for the input and each parameter; None at a kink."""
        value, z, dz = self.value()
        magnitude = abs(value) + np.linalg.norm(z) * np.linalg.norm(dz)  # a value near 0 may be a sum of large terms
        gradients = {"x": np.asarray(self.model.backward(dz, input_gradient=True))} | {
            name: array.copy() for name, array in self.model.gradients.items()
        }
        for name, array in self.arrays.items():
            smooth = False
            for _ in range(REDRAWS):
                direction = self.direction(name, rng)
                numeric, smooth = self.differentiate(array, direction)
                if smooth:
                    break
            analytic = float(np.sum(gradients[name] * direction))
            scale = max(abs(numeric), np.linalg.norm(gradients[name]))
            error = relative_error(numeric, analytic, scale, magnitude)
            yield (name, analytic, numeric, error) if smooth else None

    def differentiate(self, array: Array, direction: Array) -> tuple[float, bool]:
        """Return the derivative of L along a direction of one array, and whether L is smooth there."""
        start = array.copy()

        def along(t: float) -> float:
            array[...] = start + t * direction
            return self.value()[0]

        derivative, smooth = _directional(along)
        array[...] = start
        return float(derivative), smooth

    def move(self, rng: np.random.Generator) -> None:
        """Move away from a kink, to a point nearby."""
        for name, array in self.arrays.items():
            array += 1e-2 * self.direction(name, rng)

    def direction(self, name: str, rng: np.random.Generator) -> Array:
        """Draw a random direction of one array, 0 for the codes in x."""
        direction = rng.standard_normal(self.arrays[name].shape)
        if name == "x":
            direction[..., [column for column, _ in code_columns(self.model.layers)]] = 0
        return direction
