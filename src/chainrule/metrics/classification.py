"""Metrics of classes: accuracy, plain, balanced and by label; F1; the confusion matrix."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array, as_numeric, check_integer, sentence
from ..losses.classification import check_labels
from .base import classes, mean, outputs, targets, weights

__all__ = ["accuracy", "balanced_accuracy", "binary_accuracy", "confusion_matrix", "f1_score"]


def accuracy(y_true: Array, y_pred: Array, sample_weight: Array | None = None, *, threshold: float = 0.0) -> float:
    """Fraction of samples classified correctly.

        Σₙ wₙ 1[kₙ = yₙ] / Σₙ wₙ,  kₙ = argmaxₖ zₙₖ, or 1[zₙ > threshold] where there is a single output

    Parameters
    ----------
    y_true : array
        Targets y: for K ≥ 2 integer labels (N,) or soft labels (N, K), of which the largest counts; for one column
        (N, 1), on above ½.
    y_pred : array (N, K)
        Outputs z: logits or probabilities of K ≥ 2 exclusive classes, or one column for the second of two classes.
    sample_weight : array (N,), optional
        Weight of each sample, not negative and not all 0.
    threshold : float
        One column means the second class above it: 0 for logits, 0.5 for probabilities. In a Trainer it is the one
        that fits its loss, or the model's last layer. Without effect where K ≥ 2.

    Returns
    -------
    float
        The fraction, from 0 to 1.

    Notes
    -----
    For several labels that hold independently see :func:`binary_accuracy`.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import accuracy
    >>> accuracy(np.array([1, 1]), np.array([[0.1, 2.0], [3.0, -1.0]]))
    0.5
    """
    predicted, true, _ = classes("accuracy", y_true, y_pred, threshold)
    return mean("accuracy", predicted == true, sample_weight)


def balanced_accuracy(
    y_true: Array, y_pred: Array, sample_weight: Array | None = None, *, threshold: float = 0.0
) -> float:
    """Mean over the classes of the fraction that is found: every class counts the same, rare or common.

        meanₖ Σₙ wₙ 1[kₙ = yₙ = k] / Σₙ wₙ 1[yₙ = k],  over the classes k that occur in y

    Parameters
    ----------
    y_true, y_pred, sample_weight, threshold : array, array, array, float
        As in :func:`accuracy`.

    Returns
    -------
    float
        The mean, from 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import balanced_accuracy
    >>> z = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), z)
    0.5
    """
    predicted, true, n_classes = classes("balanced_accuracy", y_true, y_pred, threshold)
    w = weights("balanced_accuracy", sample_weight, len(true))
    found = np.bincount(true, w * (predicted == true), n_classes)
    total = np.bincount(true, w, n_classes)
    return float(np.mean(found[total > 0] / total[total > 0]))


def binary_accuracy(
    y_true: Array, y_pred: Array, sample_weight: Array | None = None, *, threshold: float = 0.0
) -> float:
    """Fraction of the labels that are right, each on or off by itself.

        Σₙ wₙ meanₗ 1[1[zₙₗ > threshold] = 1[yₙₗ > ½]] / Σₙ wₙ

    Parameters
    ----------
    y_true : array (N, L)
        Targets y, in [0, 1].
    y_pred : array (N, L)
        Outputs z: logits or probabilities.
    sample_weight : array (N,), optional
        Weight of each sample, not negative and not all 0.
    threshold : float
        A label counts as on above it: 0 for logits, 0.5 for probabilities. In a Trainer it is the one that fits its
        loss, or the model's last layer.

    Returns
    -------
    float
        The fraction, from 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import binary_accuracy
    >>> binary_accuracy(np.array([[1, 0], [1, 0]]), np.array([[2.0, -1.0], [0.5, 0.5]]))
    0.75
    """
    z = outputs("binary_accuracy", y_pred)
    y = targets("binary_accuracy", z, y_true)
    return mean("binary_accuracy", np.mean((z > threshold) == (y > 0.5), axis=1), sample_weight)


def f1_score(y_true: Array, y_pred: Array, sample_weight: Array | None = None, *, threshold: float = 0.0) -> float:
    """Harmonic mean of precision and recall: of the second class for one column, else averaged over the classes.

        F₁(k) = 2 Σₙ wₙ 1[kₙ = yₙ = k] / (Σₙ wₙ 1[kₙ = k] + Σₙ wₙ 1[yₙ = k])

        for K ≥ 2 columns meanₖ F₁(k),  over the classes k that occur in y or are predicted

    Parameters
    ----------
    y_true, y_pred, sample_weight, threshold : array, array, array, float
        As in :func:`accuracy`.

    Returns
    -------
    float
        The mean, from 0 to 1; 0 for one column whose second class neither occurs nor is predicted, as in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import f1_score
    >>> round(f1_score(np.array([[1], [0], [1], [0]]), np.array([[1.0], [2.0], [-3.0], [-4.0]])), 3)
    0.5
    >>> z = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> round(f1_score(np.array([0, 0, 1, 1]), z), 4)  # (4/5 + 2/3) / 2
    0.7333

    References
    ----------
    Van Rijsbergen, Information Retrieval (1979), chapter 7.
    """
    predicted, true, n_classes = classes("f1_score", y_true, y_pred, threshold)
    w = weights("f1_score", sample_weight, len(true))
    found = np.bincount(true, w * (predicted == true), n_classes)
    either = np.bincount(true, w, n_classes) + np.bincount(predicted, w, n_classes)
    occurs = either > 0
    if np.shape(y_pred)[1] == 1:
        occurs[0] = False
    return float(np.mean(2 * found[occurs] / either[occurs])) if occurs.any() else 0.0


def confusion_matrix(labels_true: Array, labels_predicted: Array, n_classes: int) -> Array:
    """How often class i (row) was taken for class j (column).

        Cᵢⱼ = Σₙ 1[trueₙ = i] 1[predictedₙ = j]

    Parameters
    ----------
    labels_true, labels_predicted : array (N,)
        Integer labels 0 … K−1, else ValueError; the prediction of a classifier is ``z.argmax(axis=1)``.
    n_classes : int
        Number of classes K.

    Returns
    -------
    array (K, K) of int64
        The counts C.

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
