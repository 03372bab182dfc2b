"""Metrics: one number that says how good the outputs are; to be read, not differentiated.

``metric(z, y, weight=None)`` takes the outputs z (N, K) as the network gives them, the targets as the loss takes them
and sample weights (N,). Empty batches, shapes that do not match, weights below 0 and weights all 0 raise ValueError.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from ._checks import Array, as_numeric, check_integer, resolve, sentence
from .losses import LossFunction
from .losses.base import check_output, check_target, check_weight
from .losses.classification import check_classes, check_labels

Metric: TypeAlias = Callable[..., float]


def accuracy(z: Array, y: Array, weight: Array | None = None, *, threshold: float = 0.0) -> float:
    """Fraction of samples classified correctly.

        Σₙ wₙ 1[kₙ = yₙ] / Σₙ wₙ,  kₙ = argmaxₖ zₙₖ, or 1[zₙ > threshold] where there is a single output

    Parameters
    ----------
    z : array (N, K)
        Logits or probabilities of K ≥ 2 classes that exclude each other, or one column for the second of two classes.
    y : array
        For K ≥ 2 integer labels (N,) or soft labels (N, K), whose largest counts; for one column (N, 1), on above ½.
    weight : array (N,), optional
    threshold : float
        One column means the second class above it: 0 for logits, 0.5 for probabilities, which take
        ``functools.partial(accuracy, threshold=0.5)`` as the metric. Without effect where K ≥ 2.

    Notes
    -----
    For several labels that hold independently see :func:`binary_accuracy`.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import accuracy
    >>> accuracy(np.array([[0.1, 2.0], [3.0, -1.0]]), np.array([1, 1]))
    0.5
    """
    predicted, true, _ = _classes("accuracy", z, y, threshold)
    return _mean("accuracy", predicted == true, weight)


def balanced_accuracy(z: Array, y: Array, weight: Array | None = None, *, threshold: float = 0.0) -> float:
    """Mean over the classes of the share that is found: every class counts the same, rare or common.

        meanₖ Σₙ wₙ 1[kₙ = yₙ = k] / Σₙ wₙ 1[yₙ = k],  over the classes k that occur in y

    Parameters are those of :func:`accuracy`.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import balanced_accuracy
    >>> z = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    >>> balanced_accuracy(z, np.array([0, 0, 0, 1]))
    0.5
    """
    predicted, true, n_classes = _classes("balanced_accuracy", z, y, threshold)
    w = _weights("balanced_accuracy", weight, len(true))
    found = np.bincount(true, w * (predicted == true), n_classes)
    total = np.bincount(true, w, n_classes)
    return float(np.mean(found[total > 0] / total[total > 0]))


def binary_accuracy(z: Array, y: Array, weight: Array | None = None, *, threshold: float = 0.0) -> float:
    """Share of the labels that are right, each on or off by itself.

        Σₙ wₙ meanₗ 1[1[zₙₗ > threshold] = 1[yₙₗ > ½]] / Σₙ wₙ

    Parameters
    ----------
    z : array (N, L)
        Logits or probabilities.
    y : array (N, L)
        In [0, 1].
    weight : array (N,), optional
    threshold : float
        A label counts as on above it: 0 for logits, 0.5 for probabilities, which take
        ``functools.partial(binary_accuracy, threshold=0.5)`` as the metric.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import binary_accuracy
    >>> binary_accuracy(np.array([[2.0, -1.0], [0.5, 0.5]]), np.array([[1, 0], [1, 0]]))
    0.75
    """
    z = check_output("binary_accuracy", z)
    y = check_target("binary_accuracy", z, y)
    return _mean("binary_accuracy", np.mean((z > threshold) == (y > 0.5), axis=1), weight)


def root_mean_squared_error(z: Array, y: Array, weight: Array | None = None) -> float:
    """Root of the mean squared error, averaged over the outputs, in the units of y.

        meanₒ √(Σₙ wₙ (zₙₒ − yₙₒ)² / Σₙ wₙ)

    Parameters
    ----------
    z, y : array (N, O)
    weight : array (N,), optional

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import root_mean_squared_error
    >>> root_mean_squared_error(np.array([[3.0], [4.0]]), np.array([[0.0], [8.0]]), weight=np.array([16, 9]))
    3.39411...
    """
    r, _, w = _residuals("root_mean_squared_error", z, y, weight)
    return float(np.mean(np.sqrt(np.average(r**2, axis=0, weights=w))))


def mean_absolute_error(z: Array, y: Array, weight: Array | None = None) -> float:
    """Mean absolute error, averaged over the outputs, in the units of y.

        meanₒ Σₙ wₙ |zₙₒ − yₙₒ| / Σₙ wₙ

    Parameters
    ----------
    z, y : array (N, O)
    weight : array (N,), optional

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import mean_absolute_error
    >>> mean_absolute_error(np.array([[3.0], [4.0]]), np.array([[0.0], [8.0]]))
    3.5
    """
    r, _, w = _residuals("mean_absolute_error", z, y, weight)
    return float(np.mean(np.average(np.abs(r), axis=0, weights=w)))


def r2_score(z: Array, y: Array, weight: Array | None = None) -> float:
    """Share of the variance of y that is explained, averaged over the outputs: 1 is perfect, 0 no better than a mean.

        meanₒ 1 − Σₙ wₙ (zₙₒ − yₙₒ)² / Σₙ wₙ (yₙₒ − ȳₒ)²,  ȳ the weighted mean

    An output whose target is constant counts 1 if it is met exactly and 0 otherwise, as in scikit-learn.

    Parameters
    ----------
    z, y : array (N ≥ 2, O)
    weight : array (N,), optional

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import r2_score
    >>> r2_score(np.array([[1.0], [2.0], [2.0]]), np.array([[1.0], [2.0], [3.0]]))
    0.5
    """
    r, y, w = _residuals("r2_score", z, y, weight)
    if len(y) < 2:
        raise ValueError(sentence("r2_score", "at least 2 samples, as one has no variance", f"{len(y)}"))
    unexplained = w @ r**2
    spread = w @ (y - np.average(y, axis=0, weights=w)) ** 2
    constant = spread == 0
    share = np.where(constant, unexplained > 0, unexplained / np.where(constant, 1, spread))
    return float(np.mean(1 - share))


def confusion_matrix(labels_true: Array, labels_predicted: Array, n_classes: int) -> Array:
    """How often class i (row) was taken for class j (column).

        Cᵢⱼ = Σₙ 1[trueₙ = i] 1[predictedₙ = j]

    Parameters
    ----------
    labels_true, labels_predicted : array (N,)
        Integer labels 0 … K−1, else ValueError; the prediction of a classifier is ``z.argmax(axis=1)``.
    n_classes : int
        K.

    Returns
    -------
    array (K, K) of int64

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import confusion_matrix
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    who = "confusion_matrix"
    k = check_integer(who, "n_classes", n_classes)
    true, predicted = as_numeric(who, "labels_true", labels_true), as_numeric(who, "labels_predicted", labels_predicted)
    if true.ndim != 1 or true.shape != predicted.shape or true.size == 0:
        got = f"{true.shape} and {predicted.shape}"
        raise ValueError(sentence(who, "true and predicted labels of one shape (N,), N >= 1", got))
    pairs = check_labels(who, true, k) * k + check_labels(who, predicted, k)
    return np.bincount(pairs, minlength=k * k).reshape(k, k).astype(np.int64, copy=False)


METRICS: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        accuracy,
        balanced_accuracy,
        binary_accuracy,
        mean_absolute_error,
        r2_score,
        root_mean_squared_error,
    )
}


def get_metric(metric: str | Metric) -> Metric:
    """The metric of this name; any other callable ``(z, y, weight) -> float`` as it is.

    Raises
    ------
    ValueError
        If no metric has this name; the message suggests the nearest.
    TypeError
        If ``metric`` is neither a name nor callable.

    Examples
    --------
    >>> from chainrule.metrics import get_metric
    >>> get_metric("accuracy").__name__
    'accuracy'
    """
    found: Metric = resolve("get_metric", "a metric", metric, METRICS)
    if not callable(found):
        raise TypeError(sentence("get_metric", "the name of a metric or a callable", repr(metric)))
    return found


def named_metrics(loss: LossFunction, metrics: Sequence[str | Metric], taken: Sequence[str] = ()) -> dict[str, Metric]:
    """The metrics by the names of their columns in a History, each its own and none of those that are taken."""
    named: dict[str, Metric] = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
        if name in named or name in taken:
            remedy = "give the function a name of its own"
            raise ValueError(sentence("Trainer", "metrics of different names", f"another {name!r}", remedy))
        named[name] = _metric_for(loss, metric)
    return named


def _metric_for(loss: LossFunction, metric: str | Metric) -> Metric:
    """A named metric that cuts at a threshold cuts probabilities at ½, as it cuts logits at 0."""
    function = get_metric(metric)
    on_probabilities = not getattr(loss, "from_logits", True)
    cuts = isinstance(metric, str) and "threshold" in inspect.signature(function).parameters
    return partial(function, threshold=0.5) if on_probabilities and cuts else function


__all__ = [
    "METRICS",
    "accuracy",
    "balanced_accuracy",
    "binary_accuracy",
    "confusion_matrix",
    "get_metric",
    "mean_absolute_error",
    "named_metrics",
    "r2_score",
    "root_mean_squared_error",
]


def _classes(who: str, z: Array, y: Array, threshold: float) -> tuple[Array, Array, int]:
    """Predicted and true labels (N,), and how many classes there are."""
    z = check_output(who, z)
    if z.shape[1] == 1:
        return (z[:, 0] > threshold).astype(np.intp), (check_target(who, z, y)[:, 0] > 0.5).astype(np.intp), 2
    y = check_classes(who, z, y)
    return z.argmax(axis=1), y if y.ndim == 1 else y.argmax(axis=1), z.shape[1]


def _residuals(who: str, z: Array, y: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    """r = z − y, y and the weights, all in float64."""
    z = check_output(who, z)
    y = check_target(who, z.astype(np.float64, copy=False), y)
    return z - y, y, _weights(who, weight, len(y))


def _weights(who: str, weight: Array | None, n: int) -> Array:
    """Sample weights (N,), 1 where none are given; at least one is positive."""
    if weight is None:
        return np.ones(n)
    w = check_weight(who, weight, n)
    if not w.any():
        raise ValueError(sentence(who, "at least one sample of positive weight", f"{n} weights of 0"))
    return w


def _mean(who: str, values: Array, weight: Array | None) -> float:
    """Σₙ wₙ vₙ / Σₙ wₙ."""
    return float(np.average(values, weights=_weights(who, weight, len(values))))
