"""Standardisation: the step that batch and layer normalisation share.

With m the number of entries along the axis, μ their mean and σ² their (biased) variance,

    ŷ = (x − μ) / s,        s = √(σ² + ε).

x reaches ŷ in three ways: directly, through μ, and through s. Along the axis,

    ∂ŷᵢ/∂xⱼ = (δᵢⱼ − 1/m − ŷᵢ ŷⱼ / m) / s,

because ∂μ/∂xⱼ = 1/m, and ∂s/∂xⱼ = (xⱼ − μ)/(m s) = ŷⱼ/m (the variance's own dependence on μ
vanishes: Σ(x − μ) = 0). The gradient therefore has three terms, one for each way:

    dx = (dy − mean(dy) − ŷ · mean(dy · ŷ)) / s.

It removes the mean of dy and the part of dy along ŷ: the layer before can change neither the
mean nor the scale. (Ioffe and Szegedy 2015, section 3; Ba, Kiros and Hinton 2016.)
"""

from __future__ import annotations

import numpy as np

from .._support.checks import Array
from .blocks import row_blocks


def standardize(
    x: Array, axis: int, epsilon: float = 1e-5, out: Array | None = None
) -> tuple[Array, Array, Array, Array]:
    """Subtract the mean along an axis and divide by the standard deviation.

        y = (x − μ) / s,    s = √(σ² + ε)

        dx = (dy − mean(dy) − y · mean(dy · y)) / s

    Parameters
    ----------
    x : array (N, I)
        Input.
    axis : {0, 1}
        0 standardises each feature over the batch, 1 each row over its features.
    epsilon : float, > 0
        Number ε that keeps a constant column finite.
    out : array (N, I), optional
        Where to write y; may be x.

    Returns
    -------
    y : array (N, I)
        Output.
    inverse_deviation : array (1, I) or (N, 1)
        1/s, which the backward needs besides y.
    mean, variance : arrays (1, I) or (N, 1)
        μ and σ².

    Examples
    --------
    >>> import numpy as np
    >>> y, inverse_deviation, mean, variance = standardize(np.array([[1.0], [3.0]]), axis=0, epsilon=1e-12)
    >>> y.ravel().round(6), mean.item(), variance.item()
    (array([-1.,  1.]), 2.0, 1.0)
    """
    mean: Array = np.mean(x, axis=axis, keepdims=True)
    y: Array = np.subtract(x, mean, out=out)
    variance: Array = _mean_product(y, y, axis)
    inverse_deviation: Array = 1 / np.sqrt(variance + epsilon)
    y *= inverse_deviation
    return y, inverse_deviation, mean, variance


def standardize_backward(dy: Array, y: Array, inverse_deviation: Array, axis: int, out: Array | None = None) -> Array:
    """The pull-back of :func:`standardize`: dx = (dy − mean(dy) − y · mean(dy · y)) / s.

    Parameters
    ----------
    dy : array (N, I)
        Gradient ∂L/∂y of the loss with respect to the output.
    y : array (N, I)
        Output of the forward.
    inverse_deviation : array (1, I) or (N, 1)
        1/s, from the forward.
    axis : {0, 1}
        The axis of the forward.
    out : array (N, I), optional
        Where to write dx; may be dy.

    Returns
    -------
    array (N, I)
        Gradient ∂L/∂x.
    """
    along_y = np.broadcast_to(_mean_product(dy, y, axis), y.shape)
    dx: Array = np.subtract(dy, np.mean(dy, axis=axis, keepdims=True), out=out)
    for rows in row_blocks(dx):
        dx[rows] -= y[rows] * along_y[rows]
    dx *= inverse_deviation
    return dx


def _mean_product(a: Array, b: Array, axis: int) -> Array:
    """mean(a · b) along an axis, with the axis kept and without an array of the products."""
    mean: Array = np.expand_dims(np.einsum("ni,ni->i" if axis == 0 else "ni,ni->n", a, b), axis) / a.shape[axis]
    return mean
