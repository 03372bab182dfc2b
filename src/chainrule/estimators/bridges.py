"""Bridges from a fitted estimator: its program, from X to its prediction, and scikit-learn's networks, and back.

The program is scaling · network · decoding. A classifier returns the probability of each class, or of each label. A
regressor returns numbers in the units of y, the quantiles of each target in a row, or means followed by standard
deviations.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import sklearn.neural_network as theirs
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from .._support.checks import Array, sentence
from .._support.differences import MATERIAL, largest_difference
from ..layers import Identity, ReLU, Sigmoid, Tanh
from ..layers.activations import ACTIVATIONS, Activation
from ..layers.program import Call, Program, joined, standardization, stated
from ..losses import GaussianNLL
from .base import check_no_own_answers
from .classifier import MLPClassifier
from .parameters import activations, hidden_sizes, snapshot
from .regressor import MLPRegressor


def program_of_estimator(who: str, estimator: Any) -> Program:
    """Return the program of a prediction; raise a ValueError that names ``who`` if a layer has no program."""
    network = (call for program in stated(who, estimator.model_.layers) for call in program)
    return (*scaling(estimator), *network, *decoding(estimator))


def scaling(estimator: Any) -> Program:
    """Return the program that scales X for the network."""
    scaler = estimator.scaler_
    if scaler is None:
        return ()
    factor = 1 / scaler.scale_
    if scaler.with_mean:
        return (Call("standardize", {"mean": scaler.mean_, "factor": factor}),)
    return (Call("scale", {"gain": factor}),)


def decoding(estimator: Any) -> Program:
    """Return the program from the network's outputs to the estimator's predictions; a classifier's is one call."""
    activation = estimator.out_activation_
    if activation == "logistic":
        return (Call("sigmoid" if estimator._multilabel else "two_classes"),)
    if activation != "identity":
        return (Call(activation),)
    scaler, has_spread = estimator.target_scaler_, isinstance(estimator._loss, GaussianNLL)
    calls, spread = [], np.ones(estimator.n_outputs_)
    if scaler is not None:
        spread = scaler.scale_
        gain, bias = (np.repeat(one, estimator._levels) for one in (spread, scaler.mean_))
        if has_spread:  # keep log-variances
            gain, bias = np.append(gain, np.ones(len(spread))), np.append(bias, np.zeros(len(spread)))
        calls.append(Call("scale", {"gain": gain, "bias": bias}))
    if has_spread:
        calls.append(Call("deviations", {"spread": spread}, {"floor": float(estimator._loss.floor)}))
    return tuple(calls)


ROWS = 100  # rows to compare both sides on
#: scikit-learn's names.
NAMES: dict[type[Activation], str] = {Identity: "identity", Sigmoid: "logistic", Tanh: "tanh", ReLU: "relu"}
#: Attributes of a fitted estimator with the same name in both libraries.
RECORDS = (
    *("classes_", "n_features_in_", "feature_names_in_", "n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_"),
    *("loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_"),
)


def from_sklearn(estimator: Any) -> MLPClassifier | MLPRegressor:
    """Convert a fitted scikit-learn estimator, with its parameters, weights and records.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
        A fitted estimator.

    Returns
    -------
    MLPClassifier or MLPRegressor
        An estimator with the same predictions. It can be trained further, with a new optimizer state.

    Raises
    ------
    TypeError
        If it is not one of these.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import chainrule as cr
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> theirs = MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
    >>> bool((cr.convert.from_sklearn(theirs).predict(X) == theirs.predict(X)).all())
    True
    """
    if not isinstance(estimator, (theirs.MLPClassifier, theirs.MLPRegressor)):
        expected = "a fitted MLPClassifier or MLPRegressor of scikit-learn"
        raise TypeError(sentence("from_sklearn", expected, type(estimator).__name__))
    check_is_fitted(estimator)
    ours: Any = _with_parameters(
        MLPClassifier if isinstance(estimator, theirs.MLPClassifier) else MLPRegressor, estimator
    )
    if isinstance(ours, MLPClassifier):
        ours._multilabel = estimator._label_binarizer.y_type_.startswith("multilabel")
    _carry_over(RECORDS, estimator, ours)
    ours._new_network(estimator.coefs_[0].dtype, np.random.RandomState(0))
    ours.coefs_, ours.intercepts_ = estimator.coefs_, estimator.intercepts_
    ours.validation_loss_curve_ = []
    if getattr(ours, "best_validation_score_", None) is not None:
        ours._best = snapshot(ours.model_), None
    return ours


def to_sklearn(estimator: Any) -> Any:
    """Convert a fitted estimator to scikit-learn's, with scaling and batch normalization folded into the weights.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        A fitted estimator.

    Returns
    -------
    sklearn.neural_network.MLPClassifier or MLPRegressor
        An estimator with the same predictions; quantiles of one target become several targets. The weights keep their
        dtype, or are float64 if means far from zero need its digits.

    Raises
    ------
    ValueError
        If scikit-learn has no such network: other activations than its four, layer normalization, a predicted standard
        deviation, quantiles of several targets, one class, means too far from zero.
    TypeError
        If it is not one of these.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import chainrule as cr
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> ours = cr.MLPClassifier(solver="lbfgs", scale=True, random_state=0).fit(X, y)
    >>> bool((cr.convert.to_sklearn(ours).predict(X) == ours.predict(X)).all())
    True
    """
    if not isinstance(estimator, (MLPClassifier, MLPRegressor)):
        raise TypeError(sentence("to_sklearn", "a chainrule MLPClassifier or MLPRegressor", type(estimator).__name__))
    check_is_fitted(estimator)
    check_no_own_answers("to_sklearn", estimator)
    if len(getattr(estimator, "classes_", "ab")) < 2:
        raise ValueError(sentence("to_sklearn", "at least two classes", repr(estimator.classes_.tolist())))
    weights, biases = plain_weights(estimator)
    for dtype in (estimator.model_.dtype, np.dtype(np.float64)):  # float64 if the first loses digits
        with np.errstate(over="ignore"):
            twin = _twin(estimator, *([array.astype(dtype) for array in arrays] for arrays in (weights, biases)))
        if _agree(estimator, twin):
            return twin
    got = "means that are very far from zero relative to their spread"
    remedy = "subtract a constant from such columns, or from the target, before training"
    raise ValueError(sentence("to_sklearn", "scaling that float64 weights can absorb", got, remedy))


def _twin(estimator: Any, weights: list[Array], biases: list[Array]) -> Any:
    changed = {"activation": _activation(estimator)}
    if isinstance(estimator, MLPRegressor):
        changed["loss"] = "poisson" if estimator.out_activation_ == "exp" else "squared_error"
    cls = theirs.MLPClassifier if isinstance(estimator, MLPClassifier) else theirs.MLPRegressor
    twin = _with_parameters(cls, estimator, **changed)
    _carry_over(RECORDS, estimator, twin)
    twin.coefs_, twin.intercepts_ = weights, biases
    twin.n_outputs_ = len(biases[-1])
    twin._best_coefs, twin._best_intercepts = copy.deepcopy((weights, biases))
    twin._no_improvement_count = 0
    if isinstance(estimator, MLPClassifier):
        labels = np.eye(len(twin.classes_), dtype=int) if estimator._multilabel else twin.classes_
        twin._label_binarizer = LabelBinarizer().fit(labels)
    return twin


def _agree(estimator: Any, twin: Any) -> bool:
    """Whether both predict the same for rows like the training data."""
    mean, spread = getattr(estimator, "_typical", (0.0, 1.0))  # unknown for scikit-learn's estimators
    x = np.random.default_rng(0).standard_normal((ROWS, estimator.n_features_in_)) * spread + mean
    x = x.astype(estimator.model_.dtype).astype(np.float64)
    ours, their = (_without_names(one) for one in (estimator, twin))
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(estimator, MLPClassifier):
            return largest_difference(their.predict_proba(x), ours.predict_proba(x), 1.0) <= MATERIAL
        return largest_difference(their.predict(x), ours.predict(x)) <= MATERIAL


def _without_names(estimator: Any) -> Any:
    nameless = copy.copy(estimator)
    nameless.__dict__.pop("feature_names_in_", None)
    return nameless


def _with_parameters(cls: type[Any], estimator: Any, **changed: Any) -> Any:
    known = cls().get_params()
    given = {name: value for name, value in estimator.get_params().items() if name in known} | changed
    if given.get("loss", "squared_error") != "squared_error" and "loss" not in known:
        got = f"loss={given['loss']!r}"
        raise ValueError(sentence("to_sklearn", "squared_error, which this version of scikit-learn has", got))
    return cls(**{name: copy.deepcopy(value) for name, value in given.items() if name in known})


def _carry_over(names: tuple[str, ...], source: Any, target: Any) -> None:
    for name in names:
        if hasattr(source, name):
            setattr(target, name, copy.copy(getattr(source, name)))


def _activation(estimator: Any) -> str:
    """Return the activation of all hidden layers, one of scikit-learn's four; any if there are no hidden layers."""
    chosen: list[Activation] = activations(estimator, len(hidden_sizes(estimator)))
    kinds = {type(one) for one in chosen} or {Identity}
    if len(kinds) != 1 or not kinds <= NAMES.keys():
        expected = "one activation among " + ", ".join(NAMES.values())
        remedy = "scikit-learn's networks have no other"
        raise ValueError(sentence("to_sklearn", expected, repr(estimator.activation), remedy))
    return NAMES[kinds.pop()]


def plain_weights(estimator: Any) -> tuple[list[Array], list[Array]]:
    """Return float64 weights and biases of dense layers that compute the network's predictions.

    W and b absorb a normalization (z − mean) / √(variance + ε) · gain + bias after zW + b, the scaling of X before the
    first layer, and that of y after the last.
    """
    loss = getattr(estimator, "_loss", None)
    if isinstance(loss, GaussianNLL):
        raise ValueError(sentence("to_sklearn", "a network that predicts only numbers", "a predicted spread"))
    levels = getattr(estimator, "_levels", 1)
    if levels > 1 and estimator.n_outputs_ > 1:
        got = f"{levels} quantiles of {estimator.n_outputs_} targets"
        raise ValueError(sentence("to_sklearn", "one number for each target, or quantiles of one", got))
    layers, network = estimator.model_.layers, list[Call]()
    for layer, program in zip(layers, stated("to_sklearn", layers), strict=True):
        if not all(call.op in ("affine", "standardize", *ACTIVATIONS) for call in program):
            raise ValueError(sentence("to_sklearn", "dense layers and batch normalisation", repr(layer)))
        network += program
    calls = network[:1]
    for call in (*network[1:], *decoding(estimator)):
        both = joined(calls[-1], call)
        calls[-1:] = [calls[-1], call] if both is None else [both]
    dense = [call.arrays for call in calls if call.op == "affine"]
    weights, biases = ([arrays[name].astype(np.float64) for arrays in dense] for name in ("W", "b"))
    for call in scaling(estimator):
        mean, factor, _ = standardization(call)
        biases[0] = biases[0] - (mean * factor) @ weights[0]
        weights[0] = weights[0] * factor[:, None]
    return weights, biases
