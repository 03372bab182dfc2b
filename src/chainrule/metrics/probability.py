"""Metrics of probabilities and of the order that they give: area under the curve, log-loss, calibration."""

from __future__ import annotations

import numpy as np

from .._support.checks import Array, check_integer, sentence
from ..losses import BinaryCrossEntropy, CrossEntropy
from ..losses.classification import check_classes
from ..ops import log_softmax, sigmoid, softmax
from .base import classes, mean, outputs, targets, weights

__all__ = ["expected_calibration_error", "log_loss", "roc_auc_score"]

BINS = 15  # as in the experiments of Guo et al. (2017)


def roc_auc_score(
    y_true: Array, y_pred: Array, sample_weight: Array | None = None, *, from_logits: bool | None = None
) -> float:
    """Area under the ROC curve: how often a sample of the class is ranked above one that is not of it.

        AUC = Σᵢⱼ wᵢ wⱼ (1[sᵢ > sⱼ] + ½ 1[sᵢ = sⱼ]) / Σᵢⱼ wᵢ wⱼ,  i over the samples of the class, j over the others

    One column, or K = 2, is for two classes: the class is the second, s its score. For K ≥ 3 columns it is the mean
    over the classes that occur, each against the rest, s = pₖ.

    Parameters
    ----------
    y_true : array
        Targets y: for K ≥ 2 integer labels (N,) or soft labels (N, K), of which the largest counts; for one column
        (N, 1), on above ½.
    y_pred : array (N, K)
        Outputs z: logits or probabilities of K ≥ 2 exclusive classes, or one column for the second of two classes.
    sample_weight : array (N,), optional
        Weight of each sample, not negative and not all 0.
    from_logits : bool, optional
        True: p = softmax(z). False: z are probabilities. By default True, except that K ≥ 3 columns whose every row
        looks like probabilities are refused. Without effect on fewer columns, whose order both keep.

    Returns
    -------
    float
        The area, from 0 to 1; 0.5 for scores that say nothing.

    Raises
    ------
    ValueError
        Also if all samples of positive weight are of one class, which leaves nothing to rank.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import roc_auc_score
    >>> roc_auc_score(np.array([[0], [0], [1], [1]]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    0.75

    References
    ----------
    Fawcett, An introduction to ROC analysis (2006), sections 7 and 9.
    """
    who = "roc_auc_score"
    z = outputs(who, y_pred)
    _, true, _ = classes(who, y_true, z, 0.0)
    w = weights(who, sample_weight, len(true))
    from_logits = _are_logits(who, z, from_logits) if z.shape[1] > 2 else from_logits is not False
    z = z.astype(np.float64, copy=False)
    if z.shape[1] == 2:
        z = z[:, 1:] - z[:, :1] if from_logits else z[:, 1:]  # p₂ rises with z₂ − z₁, which does not saturate
    if z.shape[1] == 1:
        areas = [_area(z[:, 0], true == 1, w)]
    else:
        score = log_softmax(z) if from_logits else z
        areas = [_area(score[:, k], true == k, w) for k in np.unique(true[w > 0])]
    if np.isnan(areas).any():
        raise ValueError(sentence(who, "samples of at least two classes", "samples of one"))
    return float(np.mean(areas))


def log_loss(
    y_true: Array, y_pred: Array, sample_weight: Array | None = None, *, from_logits: bool | None = None
) -> float:
    """Mean negative logarithm of the probability that was predicted for what happened.

        Σₙ wₙ lₙ / Σₙ wₙ,  lₙ = −Σₖ yₙₖ log pₙₖ,  or −(yₙ log pₙ + (1 − yₙ) log(1 − pₙ)) for one column

    It is :class:`~chainrule.CrossEntropy`, or :class:`~chainrule.BinaryCrossEntropy` for one column, without label
    smoothing, class weights and penalties. Probabilities below 1e-12 count as 1e-12.

    Parameters
    ----------
    y_true : array
        Targets y: for K ≥ 2 integer labels (N,) or soft labels (N, K); for one column (N, 1) in [0, 1].
    y_pred : array (N, K)
        Outputs z: logits or probabilities of K ≥ 2 exclusive classes, or one column for the second of two classes.
    sample_weight : array (N,), optional
        Weight of each sample, not negative and not all 0.
    from_logits : bool, optional
        True: p = softmax(z), or sigmoid(z) for one column. False: z are probabilities. By default True, except that
        K ≥ 2 columns whose every row looks like probabilities are refused.

    Returns
    -------
    float
        The loss, in nats.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import log_loss
    >>> round(log_loss(np.array([0, 3]), np.zeros((2, 4))), 6)  # log 4: of four classes none is preferred
    1.386294
    """
    from_logits = _are_logits("log_loss", y_pred, from_logits)
    return mean("log_loss", sample_losses("log_loss", y_true, y_pred, from_logits=from_logits), sample_weight)


def sample_losses(who: str, y_true: Array, y_pred: Array, *, from_logits: bool) -> Array:
    """lₙ (N,) in float64, the log-loss of each sample."""
    z = outputs(who, y_pred).astype(np.float64, copy=False)
    single = z.shape[1] == 1
    loss = BinaryCrossEntropy(from_logits) if single else CrossEntropy(from_logits)
    terms, _ = loss.terms(z, targets(who, z, y_true) if single else check_classes(who, z, y_true))
    losses: Array = terms.reshape(len(z), -1).sum(axis=1)
    return losses


def expected_calibration_error(
    y_true: Array,
    y_pred: Array,
    sample_weight: Array | None = None,
    *,
    from_logits: bool | None = None,
    bins: int = BINS,
) -> float:
    """How far the confidence in predictions is from the fraction of them that is right.

        ECE = Σₘ |Σₙ∈Bₘ wₙ (1[kₙ = yₙ] − cₙ)| / Σₙ wₙ,  cₙ = maxₖ pₙₖ,  kₙ = argmaxₖ pₙₖ

    where Bₘ are the samples whose confidence cₙ lies in ((m − 1)/M, m/M], m = 1 … M. It is 0 if, of all predictions
    made with confidence c, a fraction c is right. A model that ignores its inputs can reach 0: read it beside the
    accuracy.

    Parameters
    ----------
    y_true, y_pred, sample_weight, from_logits : array, array, array, bool
        As in :func:`log_loss`; of soft labels the largest counts, and of one column what is above ½.
    bins : int
        Number of bins M.

    Returns
    -------
    float
        The error, from 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.metrics import expected_calibration_error
    >>> p = np.array([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.8, 0.2]])  # sure to 80 %, right in 3 of 4
    >>> round(expected_calibration_error(np.array([0, 0, 0, 1]), p, from_logits=False), 6)
    0.05

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks (2017), equation 3.
    """
    who = "expected_calibration_error"
    bins = check_integer(who, "bins", bins)
    from_logits = _are_logits(who, y_pred, from_logits)
    p = _probabilities(outputs(who, y_pred).astype(np.float64, copy=False), from_logits)
    predicted, true, _ = classes(who, y_true, p, 0.5)
    w = weights(who, sample_weight, len(true))
    confidence = np.maximum(p[:, 0], 1 - p[:, 0]) if p.shape[1] == 1 else p.max(axis=1)
    gaps = np.bincount(confidence_bins(confidence, bins), w * ((predicted == true) - confidence), bins)
    return float(np.abs(gaps).sum() / w.sum())


def confidence_bins(confidence: Array, bins: int) -> Array:
    """The bin m − 1 of each confidence, (m − 1)/M < c ≤ m/M."""
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence, side="left")


def _are_logits(who: str, y_pred: Array, from_logits: bool | None) -> bool:
    """As the user says; who says nothing may mean probabilities, which scikit-learn's log_loss takes."""
    z = outputs(who, y_pred)
    if from_logits is None and z.shape[1] > 1 and z.min() >= 0 and np.allclose(z.sum(axis=1), 1, rtol=0, atol=1e-5):
        remedy = "pass from_logits=False for probabilities, or from_logits=True if these are logits after all"
        raise ValueError(sentence(who, "logits", "rows of probabilities, each from 0 to 1 with the sum 1", remedy))
    return from_logits is not False


def _probabilities(z: Array, from_logits: bool) -> Array:
    if not from_logits:
        return z
    return sigmoid(z) if z.shape[1] == 1 else softmax(z)


def _area(score: Array, positive: Array, w: Array) -> float:
    """Each sample of the class is above the others of lower scores, and half above those of its own; NaN without."""
    _, place = np.unique(score, return_inverse=True)
    of_class, others = np.bincount(place, w * positive), np.bincount(place, w * ~positive)
    pairs = of_class.sum() * others.sum()
    return float(of_class @ (np.cumsum(others) - others / 2) / pairs) if pairs else float("nan")
