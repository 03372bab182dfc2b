"""What every loss shares: shapes, weights and the reduction, each stated once.

A loss maps the network's output z (N, K) and the target y to one number and to the derivative of exactly that number:

    L  = Σₙ wₙ lₙ / Σₙ wₙ          mean over samples, weighted where there are sample weights w (N,)
    lₙ = Σₒ l(zₙₒ, yₙₒ)            sum over outputs
    dz = ∂L/∂z = wₙ / Σₙ wₙ · ∂lₙ/∂zₙ

A loss class states l and ∂l/∂z together, in :meth:`Loss.terms`; the rest is here. Where compiled kernels are in use
and the class names one, in :meth:`Loss.kernel`, it takes the place of ``terms``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from typing import Any, TypeAlias

import numpy as np

from .._support import checks as _checks
from .._support.checks import Array, as_numeric, check_shape, sentence
from .._support.overrides import note_methods, states
from ..ops.fused import compiled, twin

LossFunction: TypeAlias = Callable[..., tuple[float, Array]]
Kernel: TypeAlias = tuple[str, tuple[float, ...]]

within = twin(_checks.within)
FOR_LABELS = 'for labels use loss="cross_entropy"'
EQUATIONS = ("terms", "target", "sample_weight", "__call__")  # what a kernel takes the place of, or relies on
LARGEST = float(np.finfo(np.float64).max)


class Loss(ABC):
    """A loss: ``value, dz = loss(z, y, weight)``; subclass it and state :meth:`terms` to make your own.

        L = Σₙ wₙ lₙ / Σₙ wₙ,  lₙ summed over the outputs of sample n

        dz = wₙ / Σₙ wₙ · ∂lₙ/∂zₙ

    Any other callable with this signature is a loss too; this class adds the checks, the weights and the mean.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import Loss
    >>> class FourthPower(Loss):
    ...     def terms(self, z, y):
    ...         r = z - y
    ...         return r**4, 4 * r**3
    >>> value, dz = FourthPower()(np.array([[2.0], [0.0]]), np.array([[1.0], [0.0]]))
    >>> value, dz.tolist()
    (0.5, [[2.0], [0.0]])
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        note_methods(cls, *EQUATIONS)

    def __call__(
        self, z: Array, y: Array, weight: Array | None = None, out: Array | None = None
    ) -> tuple[float, Array]:
        """The loss of a batch and its gradient.

        Parameters
        ----------
        z : array (N, K)
            Output of the network.
        y : array
            Target, of the shape that the loss documents; converted to the dtype of z.
        weight : array (N,), optional
            Sample weights, finite and not negative. Weights that sum to 0 give the value 0 and a gradient of zeros.
        out : array (N, K), optional
            Where the gradient is written; it may be z, unless z is what the activation of a last layer gave: its
            backward needs it.

        Returns
        -------
        value : float
            Weighted mean over samples of the sum over outputs, accumulated in float64.
        dz : array (N, K)
            The derivative of ``value`` by z, in the dtype of z.

        Raises
        ------
        ValueError
            If the batch is empty, the shapes do not match, or labels or weights are out of range.
        """
        z = check_output(self._who, z)
        y = self.target(z, y)
        w = self.sample_weight(z, y, weight)
        kernel = None if compiled is None else loss_kernel(self, y)
        result: tuple[float, Array] | None = None if kernel is None else compiled.compiled_loss(*kernel, z, y, w, out)
        if result is not None:  # else they are arrays that the kernel does not take
            return result
        with np.errstate(over="ignore", invalid="ignore"):  # outputs that diverged show in the value, inf or NaN
            value, dz = _mean(*self.terms(z, y), w)
        if out is None:
            return value, dz
        check_shape(self._who, "out", out, z.shape)
        np.copyto(out, dz)
        return value, out

    @abstractmethod
    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        """The equations: the loss of each output, and its derivative.

        Parameters
        ----------
        z : array (N, K)
            Output of the network.
        y : array
            Target, as :meth:`target` returned it.

        Returns
        -------
        l : array (N, ...)
            The loss, to be summed over the outputs of each sample.
        dz : array (N, K)
            The derivative ∂lₙ/∂zₙ, in a new array.
        """

    def kernel(self, y: Array) -> Kernel | None:
        """The compiled kernel that computes what :meth:`terms` does for this target; here none.

        Parameters
        ----------
        y : array
            Target, as :meth:`target` returned it.

        Returns
        -------
        (str, tuple of float) or None
            The kernel's name in ``ops/fused/kernels/losses.def``, and its parameters.
        """
        return None

    def target(self, z: Array, y: Array) -> Array:
        """The target as :meth:`terms` takes it, of checked shape and in the dtype of z; here one for each output.

        Parameters
        ----------
        z : array (N, K)
            Output of the network.
        y : array
            Target, as the user gave it.

        Returns
        -------
        array
            The target.
        """
        return check_target(self._who, z, y)

    def sample_weight(self, z: Array, y: Array, weight: Array | None) -> Array | None:
        """The weight of each sample, from the user's weights and from those of its class, if the loss has any.

        Parameters
        ----------
        z : array (N, K)
            Output of the network.
        y : array
            Target, as :meth:`target` returned it.
        weight : array (N,), optional
            Sample weights, as the user gave them.

        Returns
        -------
        array (N,) or None
            Weights in float64, or None where all samples weigh the same.
        """
        return None if weight is None else check_weight(self._who, weight, len(z))

    def __repr__(self) -> str:
        parameters: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        given = [f"{p.name}={getattr(self, p.name)!r}" for p in parameters if getattr(self, p.name) != p.default]
        return f"{self._who}({', '.join(given)})"

    @property
    def _who(self) -> str:
        return type(self).__name__


def loss_kernel(loss: Loss, y: Array) -> Kernel | None:
    """The loss's kernel for this target; None also where a class or the object itself changes what it computes."""
    return loss.kernel(y) if states(loss, "kernel", EQUATIONS) else None


def total_weight(loss: LossFunction, z: Array, y: Array, weight: Array | None) -> float:
    """Σₙ wₙ as the loss takes it: sample weights times class weights, or the rows where all weigh the same."""
    if isinstance(loss, Loss):
        weight = loss.sample_weight(z, loss.target(z, y), weight)
    return float(len(z) if weight is None else weight.sum(dtype=np.float64))


def _mean(terms: Array, dz: Array, weight: Array | None) -> tuple[float, Array]:
    """L = Σₙ wₙ Σₒ lₙₒ / Σₙ wₙ, and dz times wₙ / Σₙ wₙ, in place."""
    n = len(dz)
    if weight is None:
        dz /= n
        return float(terms.sum(dtype=np.float64)) / n, dz
    total = weight.sum()
    if total == 0:
        return 0.0, np.zeros_like(dz)
    share = weight / total
    dz *= share.astype(dz.dtype)[:, None]
    return float(terms.reshape(n, -1).sum(axis=1, dtype=np.float64) @ share), dz


def check_output(who: str, z: Array) -> Array:
    """The network's output as floats (N, K), with at least one sample."""
    z = as_numeric(who, "z", z)
    if z.ndim != 2:
        remedy = "use z[:, None] for a network of one output" if z.ndim == 1 else ""
        raise ValueError(sentence(who, "the network's output z of shape (N, K)", f"{z.shape}", remedy))
    if z.size == 0:
        raise ValueError(sentence(who, "at least one sample and one output", f"z of shape {z.shape}"))
    return z if z.dtype.kind == "f" else z.astype(np.float64)


def check_target(who: str, z: Array, y: Array, outputs: int = 1, for_labels: str = FOR_LABELS) -> Array:
    """The target (N, D) in the dtype of z (N, D·outputs); nothing is ever broadcast.

    ``for_labels`` is what to do where the targets are labels and the network has an output for each class.
    """
    given, y = y, as_numeric(who, "y", y, z.dtype)
    n, k = z.shape
    if k % outputs:
        raise ValueError(sentence(who, f"z with {outputs} outputs for each target", f"z of shape {z.shape}"))
    if y.shape != (n, k // outputs):
        expected = f"y of shape {(n, k // outputs)} for z of shape {z.shape}"
        remedy = ""
        if y.shape == (n,) and k == outputs:
            remedy = "use y[:, None]"
        elif y.size == n and np.asarray(given).dtype.kind in "iub":
            remedy = for_labels
        raise ValueError(sentence(who, expected, f"{y.shape}", remedy))
    return y


def check_weight(who: str, weight: Any, n: int) -> Array:
    """Sample weights as float64 (N,): finite and not negative."""
    w = as_numeric(who, "weight", weight, np.float64)
    if w.shape != (n,):
        raise ValueError(sentence(who, f"one weight for each of the {n} samples, shape ({n},)", f"{w.shape}"))
    if n and not within(w, 0, LARGEST):
        fits = (w >= 0) & (w < np.inf)
        raise ValueError(sentence(who, "weights to be finite and not negative", f"{w[~fits][0]:g}"))
    return w
