"""Losses that fit a distribution of y: counts, quantiles, a mean with its variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, check_number, sentence
from .._support.settings import ABOVE_ZERO, checking, frozen
from .base import Kernel, Loss, check_target, within

__all__ = ["GaussianNLL", "PoissonNLL", "Quantile"]

STEEPEST = 70.0  # e^70 = 2.5e30 leaves float32 room for what is multiplied with it


@frozen
class PoissonNLL(Loss):
    """Poisson loss for counts and rates, with z = log of the expected count.

        l = Σ (eᶻ − y z),  the negative log-likelihood less log y!, on which z has no influence

        dz = eᶻ − y

    Above z = 70, eᶻ is continued by its tangent e⁷⁰ (1 + z − 70): value and gradient stay finite and stay together.

    Notes
    -----
    z is (N, O), y is (N, O) and not negative, else ValueError.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import PoissonNLL
    >>> value, dz = PoissonNLL()(np.array([[0.0]]), np.array([[3.0]]))
    >>> value, dz.tolist()
    (1.0, [[-2.0]])

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.6 (canonical links).
    """

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        near = np.minimum(z, STEEPEST)
        rate = np.exp(near)
        return rate * (1 + (z - near)) - y * z, rate - y

    def kernel(self, y: Array) -> Kernel | None:
        return "poisson_nll", ()

    def target(self, z: Array, y: Array) -> Array:
        y = super().target(z, y)
        if not within(y, 0, math.inf):
            raise ValueError(sentence(self._who, "counts y that are not negative", f"{y.min():g}"))
        return y


def _check_levels(who: str, name: str, levels: Any) -> tuple[float, ...]:
    array = as_numeric(who, name, levels, np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(sentence(who, f"a sequence of {name}", f"{levels!r}", f"pass {name}=(0.5,)"))
    checked = tuple(check_number(who, "each level", level, above=0, below=1) for level in array.tolist())
    if not (np.diff(array) > 0).all():
        raise ValueError(sentence(who, f"{name} in increasing order", f"{checked}"))
    return checked


@frozen
@checking(levels=_check_levels)
class Quantile(Loss):
    """Pinball loss: one output for each of several quantiles of y.

        l = Σ (1[r > 0] − τ) r,  r = z − y, summed over the targets and the levels τ

        dz = 1[r > 0] − τ

    Parameters
    ----------
    levels : sequence of float
        The Q levels τ, strictly between 0 and 1 and strictly increasing.

    Notes
    -----
    y is (N, D); z is (N, D·Q), read as (N, D, Q): the Q quantiles of a target stand side by side.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import Quantile
    >>> value, dz = Quantile(levels=(0.25, 0.5))(np.array([[0.0, 3.0]]), np.array([[1.0]]))
    >>> value, dz.tolist()  # one too low by 1, one too high by 2
    (1.25, [[-0.25, 0.5]])

    References
    ----------
    Koenker and Bassett, Regression quantiles (1978).
    """

    levels: Sequence[float] = (0.1, 0.5, 0.9)

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        r = z.reshape(*y.shape, -1) - y[:, :, None]
        slope = (r > 0) - np.asarray(self.levels, z.dtype)
        return slope * r, slope.reshape(z.shape)

    def kernel(self, y: Array) -> Kernel | None:
        return "quantile", (float(len(self.levels)), *self.levels)

    def target(self, z: Array, y: Array) -> Array:
        return check_target(self._who, z, y, outputs=len(self.levels))


@frozen
@checking(floor=ABOVE_ZERO)
class GaussianNLL(Loss):
    """Negative log-likelihood of a normal distribution whose mean and variance are both outputs.

        l = ½ Σ (v + r² e⁻ᵛ + log 2π),  r = μ − y,  v = log(eˢ + floor), the log of the variance

        dμ = r e⁻ᵛ

        ds = ½ (1 − r² e⁻ᵛ) ∂v/∂s,  ∂v/∂s = eˢ⁻ᵛ

    Parameters
    ----------
    floor : float
        Smallest variance, > 0, in the squared units of y.

    Notes
    -----
    y is (N, D); z is (N, 2D): the D means μ, then the D log variances s.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import GaussianNLL
    >>> value, dz = GaussianNLL()(np.array([[0.0, 0.0]]), np.array([[0.0]]))
    >>> round(value, 4), dz.round(4).tolist()  # ½ log 2π, and a variance that should shrink
    (0.9189, [[0.0, 0.5]])

    References
    ----------
    Nix and Weigend, Estimating the mean and variance of the target probability distribution (1994).
    """

    floor: float = 1e-6

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        mu, s = np.split(z, 2, axis=1)
        v = np.logaddexp(s, math.log(self.floor))
        r = mu - y
        pull = r * np.exp(-v)
        return (v + r * pull + math.log(2 * math.pi)) / 2, np.hstack([pull, (1 - r * pull) / 2 * np.exp(s - v)])

    def kernel(self, y: Array) -> Kernel | None:
        return "gaussian_nll", (self.floor,)

    def target(self, z: Array, y: Array) -> Array:
        return check_target(self._who, z, y, outputs=2)
