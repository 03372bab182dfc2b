"""Losses for classes: cross-entropy over K classes that exclude each other, binary cross-entropy over L that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, check_integer, check_number, sentence
from .._support.settings import FRACTION, checking, frozen, optional
from ..ops import sigmoid, softplus
from .base import Kernel, Loss, check_target, within

__all__ = ["BinaryCrossEntropy", "CrossEntropy"]

FLOOR = 1e-12  # under a logarithm, no probability counts as smaller


def _check_class_weight(who: str, name: str, weights: Any) -> dict[int, float] | tuple[float, ...]:
    if isinstance(weights, Mapping):
        return {
            check_integer(who, f"each label in {name}", label, minimum=0): check_number(
                who, f"{name}[{label}]", weight, minimum=0
            )
            for label, weight in weights.items()
        }
    array = as_numeric(who, name, weights, np.float64)
    if array.ndim != 1:
        raise ValueError(sentence(who, f"{name} of shape (K,) or a dict", f"shape {array.shape}"))
    return tuple(check_number(who, f"{name}[{k}]", weight, minimum=0) for k, weight in enumerate(array.tolist()))


@frozen
@checking(label_smoothing=FRACTION, class_weight=optional(_check_class_weight))
class CrossEntropy(Loss):
    """Cross-entropy over K ≥ 2 classes that exclude each other.

        l = −Σₖ tₖ log pₖ,  p = softmax(z),  t = (1 − ε) y + ε/K with the label smoothing ε

        dz = p Σₖ tₖ − t,  which is p − t, because labels sum to 1

    From probabilities z = p, where a Softmax layer is the last:

        l = −Σₖ tₖ log max(pₖ, 1e-12)

        dpₖ = −tₖ / pₖ,  0 where pₖ < 1e-12

    A sample weighs wₙ Σₖ yₙₖ cₖ, with the class weights c and its label y before smoothing.

    Parameters
    ----------
    from_logits : bool
        True: z are logits of any size. False: z are probabilities, the output of a Softmax layer.
    label_smoothing : float
        Share ε of the label that is spread evenly over the classes, in [0, 1).
    class_weight : K numbers, or dict of label to number, optional
        Weight of each class, finite and not negative; a label that the dict does not name weighs 1.

    Notes
    -----
    z is (N, K); y is (N,) integer labels 0 … K−1, or (N, K) soft labels, none negative, each row summing to 1.
    Other labels raise ValueError. For a single output use :class:`BinaryCrossEntropy`.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import CrossEntropy
    >>> value, dz = CrossEntropy()(np.zeros((2, 4)), np.array([0, 3]))
    >>> round(value, 6)  # log 4: of four classes none is preferred
    1.386294
    >>> dz.round(6).tolist()
    [[-0.375, 0.125, 0.125, 0.125], [0.125, 0.125, 0.125, -0.375]]

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.4. Label smoothing: Szegedy et al., Rethinking
    the Inception Architecture for Computer Vision (2016), section 7.
    """

    from_logits: bool = True
    label_smoothing: float = 0.0
    class_weight: Mapping[int, float] | Sequence[float] | Array | None = None

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        if not self.from_logits:
            return _from_probabilities(z, _smooth(y, z, self.label_smoothing))
        if y.ndim == 2:
            return _from_soft_labels(z, _smooth(y, z, self.label_smoothing))
        return _from_labels(z, y, self.label_smoothing)

    def kernel(self, y: Array) -> Kernel | None:
        if self.from_logits:
            kind = "cross_entropy_labels" if y.ndim == 1 else "cross_entropy_soft"
        else:
            kind = "labels_from_probabilities" if y.ndim == 1 else "shares_from_probabilities"
        return kind, (self.label_smoothing,)

    def target(self, z: Array, y: Array) -> Array:
        if z.shape[1] < 2:
            remedy = "use BinaryCrossEntropy for a single output"
            raise ValueError(sentence(self._who, "at least 2 classes, z of shape (N, K >= 2)", f"{z.shape}", remedy))
        return check_classes(self._who, z, y)

    def sample_weight(self, z: Array, y: Array, weight: Array | None) -> Array | None:
        w = super().sample_weight(z, y, weight)
        if self.class_weight is None:
            return w
        c = _class_weights(self._who, self.class_weight, n_classes=z.shape[1])
        share = c[y] if y.ndim == 1 else y @ c
        return share if w is None else w * share


@frozen
class BinaryCrossEntropy(Loss):
    """Binary cross-entropy over L ≥ 1 labels, each on or off by itself.

        l = −Σ (y log p + (1 − y) log(1 − p)) = Σ (log(1 + eᶻ) − y z),  p = sigmoid(z)

        dz = p − y

    From probabilities z = p, where a Sigmoid layer is the last:

        l = −Σ (y log max(p, 1e-12) + (1 − y) log max(1 − p, 1e-12))

        dp = −y / p + (1 − y) / (1 − p),  each term 0 where its denominator is below 1e-12

    Parameters
    ----------
    from_logits : bool
        True: z are logits of any size. False: z are probabilities, the output of a Sigmoid layer.

    Notes
    -----
    z is (N, L), y is (N, L) in [0, 1]; anything else raises ValueError.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.losses import BinaryCrossEntropy
    >>> value, dz = BinaryCrossEntropy()(np.array([[0.0, 0.0]]), np.array([[1, 0]]))
    >>> round(value, 6)  # 2 log 2: two labels, each a coin toss
    1.386294
    >>> dz.tolist()
    [[-0.5, 0.5]]

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.2.
    """

    from_logits: bool = True

    def terms(self, z: Array, y: Array) -> tuple[Array, Array]:
        if self.from_logits:
            # log(1 + eᶻ) = log(1 + e^−|z|) + max(z, 0): the small term is added last and survives
            return np.maximum(z, 0) - y * z + softplus(-np.abs(z)), sigmoid(z) - y
        log_p, slope_p = _floored_log(z)
        log_q, slope_q = _floored_log(1 - z)
        return -y * log_p - (1 - y) * log_q, -y * slope_p + (1 - y) * slope_q

    def kernel(self, y: Array) -> Kernel | None:
        return ("binary_cross_entropy" if self.from_logits else "bits_from_probabilities"), ()

    def target(self, z: Array, y: Array) -> Array:
        remedy = 'for labels give the network one output, or use loss="cross_entropy"'
        y = check_target(self._who, z, y, for_labels=remedy)
        if not within(y, 0, 1):
            raise ValueError(sentence(self._who, "y from 0 to 1", f"values from {y.min():g} to {y.max():g}"))
        return y


def _from_labels(z: Array, y: Array, smoothing: float) -> tuple[Array, Array]:
    """l = −(1 − ε) log p_y − ε/K Σₖ log pₖ;  dz = p − ε/K, less 1 − ε at y. No one-hot array is formed."""
    rows = np.arange(len(z))
    log_p, dz = _log_softmax(z)
    value = (smoothing - 1) * log_p[rows, y]
    dz[rows, y] -= 1 - smoothing
    if smoothing:
        value -= smoothing * log_p.mean(axis=1)
        dz -= smoothing / z.shape[1]
    return value, dz


def _from_soft_labels(z: Array, t: Array) -> tuple[Array, Array]:
    """l = −Σₖ tₖ log pₖ;  dz = p Σₖ tₖ − t."""
    log_p, p = _log_softmax(z)
    return -t * log_p, p * t.sum(axis=1, keepdims=True) - t


def _log_softmax(z: Array) -> tuple[Array, Array]:
    """log p = s − log Σₖ exp sₖ and p = exp s / Σₖ exp sₖ from one exponential, with s = z − max z."""
    log_p = z - z.max(axis=1, keepdims=True)
    p = np.exp(log_p)
    total = p.sum(axis=1, keepdims=True)
    log_p -= np.log(total)
    p /= total
    return log_p, p


def _from_probabilities(p: Array, t: Array) -> tuple[Array, Array]:
    """l = −Σₖ tₖ log max(pₖ, floor);  dpₖ = −tₖ/pₖ, 0 below the floor."""
    log_p, slope = _floored_log(p)
    return -t * log_p, -t * slope


def _floored_log(p: Array) -> tuple[Array, Array]:
    """log max(p, floor) and its derivative: 1/p, 0 below the floor."""
    floored = np.maximum(p, FLOOR)
    return np.log(floored), (p >= FLOOR) / floored


def _smooth(y: Array, z: Array, smoothing: float) -> Array:
    """t = (1 − ε) y + ε/K, in the dtype of z, from integer labels (N,) or soft labels (N, K)."""
    if y.ndim == 2:
        soft: Array = (1 - smoothing) * y + smoothing / z.shape[1]
        return soft
    t = np.full(z.shape, smoothing / z.shape[1], z.dtype)
    t[np.arange(len(y)), y] += 1 - smoothing
    return t


def check_classes(who: str, z: Array, y: Array) -> Array:
    """Labels as indices (N,), or soft labels (N, K) in the dtype of z (N, K)."""
    y = as_numeric(who, "y", y)
    if y.shape == z.shape:
        return _check_soft_labels(who, y.astype(z.dtype, copy=False))
    if y.shape != z.shape[:1]:
        remedy = "use y[:, 0]" if y.shape == (len(z), 1) else ""
        expected = f"y of shape {z.shape[:1]} or {z.shape} for z of shape {z.shape}"
        raise ValueError(sentence(who, expected, f"{y.shape}", remedy))
    return check_labels(who, y, n_classes=z.shape[1])


def check_labels(who: str, y: Array, n_classes: int) -> Array:
    """Labels (N,) as indices: whole numbers from 0 to K − 1."""
    if y.dtype.kind == "f" and not (whole := y == np.floor(y)).all():
        remedy = "pass class numbers 0, 1, 2, ..., or soft labels of shape (N, K)"
        raise ValueError(sentence(who, "whole numbers as labels", f"{y[~whole][0]:g}", remedy))
    if not within(y, 0, n_classes - 1):
        worst = y.min() if y.min() < 0 else y.max()
        got = f"{worst:g}" if y.dtype.kind == "f" else str(worst)
        raise ValueError(sentence(who, f"labels from 0 to {n_classes - 1}", got, "number the classes from 0"))
    return y.astype(np.intp, copy=False)


def _check_soft_labels(who: str, y: Array) -> Array:
    """Soft labels (N, K): no negative entry, and every row sums to 1 (to 0.001, for labels in low precision)."""
    if not within(y, 0, np.inf):
        raise ValueError(sentence(who, "soft labels that are not negative", f"{y.min():g}"))
    total = y.sum(axis=1)
    if not within(total, 1 - 1e-3, 1 + 1e-3):
        fits = np.abs(total - 1) <= 1e-3
        remedy = "use BinaryCrossEntropy and binary_accuracy where several classes hold at once"
        got = f"{total[~fits][0]:g} in row {int(np.argmin(fits))}"
        raise ValueError(sentence(who, "each row of soft labels to sum to 1", got, remedy))
    return y


def _class_weights(who: str, weights: Any, n_classes: int) -> Array:
    """c (K,) from the dict or the tuple that :func:`_check_class_weight` made."""
    if isinstance(weights, tuple):
        if len(weights) != n_classes:
            raise ValueError(sentence(who, f"class_weight for {n_classes} classes", f"{len(weights)} weights"))
        return np.array(weights)
    if unknown := [label for label in weights if label >= n_classes]:
        raise ValueError(sentence(who, f"class_weight for labels 0 to {n_classes - 1}", f"label {unknown[0]}"))
    return np.array([weights.get(k, 1.0) for k in range(n_classes)])
