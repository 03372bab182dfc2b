"""From scikit-learn's fitted networks to ours, and back."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import sklearn.neural_network as theirs
from sklearn.preprocessing import LabelBinarizer

from .._checks import Array, sentence
from ..layers import BatchNorm, Dropout, Linear
from ..losses import GaussianNLL
from .classifier import MLPClassifier
from .parameters import CLASSIC
from .regressor import MLPRegressor

#: What training leaves behind, under the same name in both libraries.
RECORDS = (
    *("n_features_in_", "feature_names_in_", "n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_"),
    *("loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_"),
)


def from_sklearn(estimator: Any) -> MLPClassifier | MLPRegressor:
    """Our estimator with the parameters, the weights and the records of a fitted one of scikit-learn.

    It predicts the same, and may be trained further; the state of the optimizer begins anew.

    Parameters
    ----------
    estimator : fitted ``sklearn.neural_network.MLPClassifier`` or ``MLPRegressor``

    Raises
    ------
    TypeError if it is anything else; ``sklearn.exceptions.NotFittedError`` if it is not fitted.

    Examples
    --------
    >>> import chainrule as cr
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> theirs = MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
    >>> bool((cr.from_sklearn(theirs).predict(X) == theirs.predict(X)).all())
    True
    """
    from sklearn.utils.validation import check_is_fitted

    ours: MLPClassifier | MLPRegressor
    if isinstance(estimator, theirs.MLPClassifier):
        ours = MLPClassifier(**estimator.get_params())
        check_is_fitted(estimator)
        ours.classes_ = estimator.classes_
        ours._multilabel = estimator._label_binarizer.y_type_.startswith("multilabel")
    elif isinstance(estimator, theirs.MLPRegressor):
        ours = MLPRegressor(**estimator.get_params())
        check_is_fitted(estimator)
        ours.n_outputs_ = estimator.n_outputs_
    else:
        expected = "a fitted MLPClassifier or MLPRegressor of scikit-learn"
        raise TypeError(sentence("from_sklearn", expected, f"{type(estimator).__name__}"))
    ours.n_features_in_ = estimator.n_features_in_
    ours._new_network(estimator.coefs_[0].dtype, np.random.RandomState(0))
    for name in RECORDS:
        if hasattr(estimator, name):
            setattr(ours, name, copy.copy(getattr(estimator, name)))
    ours.coefs_, ours.intercepts_ = estimator.coefs_, estimator.intercepts_
    return ours


def to_sklearn(estimator: Any) -> Any:
    """scikit-learn's estimator with the weights of ours: what scaling and batch normalisation do is part of them.

    Parameters
    ----------
    estimator : fitted :class:`~chainrule.MLPClassifier` or :class:`~chainrule.MLPRegressor`

    Raises
    ------
    ValueError if scikit-learn's has no such network: another activation than its four, layer normalisation, a predicted
    spread; TypeError if it is no estimator of ours.

    Examples
    --------
    >>> import chainrule as cr
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> ours = cr.MLPClassifier(solver="lbfgs", scale=True, random_state=0).fit(X, y)
    >>> bool((cr.to_sklearn(ours).predict(X) == ours.predict(X)).all())
    True
    """
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(estimator, (MLPClassifier, MLPRegressor)):
        raise TypeError(sentence("to_sklearn", "a chainrule MLPClassifier or MLPRegressor", type(estimator).__name__))
    check_is_fitted(estimator)
    cls = theirs.MLPClassifier if isinstance(estimator, MLPClassifier) else theirs.MLPRegressor
    known = cls().get_params()
    given = {name: value for name, value in estimator.get_params().items() if name in known}
    if isinstance(estimator, MLPRegressor):
        given["loss"] = "poisson" if estimator.out_activation_ == "exp" else "squared_error"
    twin = cls(**given | {"activation": _activation(estimator)})
    for name in RECORDS:
        if hasattr(estimator, name):
            setattr(twin, name, copy.copy(getattr(estimator, name)))
    twin.coefs_, twin.intercepts_ = plain_weights(estimator)
    twin.n_outputs_ = len(twin.intercepts_[-1])
    twin._no_improvement_count = 0
    if isinstance(estimator, MLPClassifier):
        count = len(estimator.classes_)
        labels = np.eye(count, dtype=int) if estimator._multilabel else estimator.classes_
        twin.classes_, twin._label_binarizer = estimator.classes_, LabelBinarizer().fit(labels)
    return twin


def _activation(estimator: Any) -> str:
    """The one of scikit-learn's four that stands behind every hidden layer."""
    given = estimator.activation
    names = set(given) if isinstance(given, (list, tuple)) else {given}
    by_ours = {ours: name for name, ours in CLASSIC.items()}
    found = {name if name in CLASSIC else by_ours.get(name) for name in names if isinstance(name, str)}
    if len(names) != 1 or None in found or len(found) != 1:
        expected = "one activation among " + ", ".join(CLASSIC)
        raise ValueError(sentence("to_sklearn", expected, f"{given!r}", "scikit-learn's networks have no other"))
    return str(found.pop())


def plain_weights(estimator: Any) -> tuple[list[Array], list[Array]]:
    """Weights and biases of dense layers that do all that the estimator's network does in prediction.

    A normalisation (z − mean) / √(variance + ε) · gain + bias behind zW + b is part of W and b; so is the scaling of X
    in front of the first layer, and of y behind the last.
    """
    if isinstance(getattr(estimator, "_loss", None), GaussianNLL):
        raise ValueError(sentence("to_sklearn", "a network that predicts numbers alone", "loss='gaussian_nll'"))
    weights: list[Array] = []
    biases: list[Array] = []
    for layer in estimator.model_.layers:
        if isinstance(layer, Linear):
            weights.append(layer.W.copy())
            biases.append(layer.b.copy())
        elif isinstance(layer, BatchNorm):
            factor = layer.gain / np.sqrt(layer.running_variance + layer.epsilon)
            weights[-1] = (weights[-1] * factor).astype(layer.gain.dtype)
            biases[-1] = ((biases[-1] - layer.running_mean) * factor + layer.bias).astype(layer.gain.dtype)
        elif not isinstance(layer, Dropout) and layer.parameter_shapes():
            raise ValueError(sentence("to_sklearn", "dense layers and batch normalisation", repr(layer)))
    dtype = weights[0].dtype
    if estimator.scaler_ is not None:
        scaled = weights[0] / estimator.scaler_.scale_[:, None]
        if estimator.scaler_.with_mean:
            biases[0] = (biases[0] - estimator.scaler_.mean_ @ scaled).astype(dtype)
        weights[0] = scaled.astype(dtype)
    target = getattr(estimator, "target_scaler_", None)
    if target is not None:
        levels = len(biases[-1]) // len(target.scale_)
        spread, mean = (np.repeat(numbers, levels) for numbers in (target.scale_, target.mean_))
        weights[-1] = (weights[-1] * spread).astype(dtype)
        biases[-1] = (biases[-1] * spread + mean).astype(dtype)
    return weights, biases
