"""MLPClassifier."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from .. import ops
from .._support.checks import Array, sentence
from .._support.labels import as_labels
from ..losses import BinaryCrossEntropy, CrossEntropy, Loss
from .again import Known
from .base import FLOATS, SPARSE, BaseMLP, stochastic_only
from .documentation import OF_MLP, documented
from .inputs import check_numbers, explained, flat
from .internals import Interval, StrOptions, fitting
from .parameters import CONSTRAINTS, keep_parameters


@documented(OF_MLP)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multilayer perceptron for classification, with the interface of scikit-learn's class of the same name.

        L = (Σₙ wₙ l(zₙ, yₙ) + α/2 ΣW²) / Σₙ wₙ  for each batch,  l the cross-entropy of softmax(z) or sigmoid(z)

    Parameters
    ----------
    class_weight : dict from class to weight, "balanced" or None
        Weights of the classes.
    label_smoothing : float in [0, 1)
        Share of each target that is spread over all classes.

    Attributes
    ----------
    classes_ : array (K,)
        The classes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from chainrule import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), solver="lbfgs", scale=True, class_weight="balanced", random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.97
    True
    """

    _parameter_constraints = CONSTRAINTS | {
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    classes_: Array
    _class_counts: Array

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        normalization: str | None = None,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        optimizer: Any = None,
        schedule: Any = None,
        weight_decay: float = 0.0,
        max_norm: float | None = None,
        average: float | None = None,
        scale: bool = False,
        scoring: Any = None,
        callbacks: Any = None,
        products: str | None = None,
    ) -> None:
        keep_parameters(self, locals())

    @fitting
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPClassifier:
        """Train on X and y, from new weights unless ``warm_start``.

        Parameters
        ----------
        X : array, frame or sparse matrix (N, I)
            Input.
        y : array (N,) or (N, K)
            Labels, or zeros and ones for K labels that are not exclusive.
        sample_weight : array (N,), optional
            Weight of each row; 2 counts the row twice, 0 omits it.
        X_val, y_val, sample_weight_val : arrays, optional
            Validation rows, in place of a part of X; ``validation_loss_curve_`` is then recorded.

        Returns
        -------
        MLPClassifier
            This estimator.
        """
        self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        return self

    @available_if(stochastic_only)
    @fitting
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPClassifier:
        """Train one epoch on X and y, from the present weights and optimizer state.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val, sample_weight_val : arrays
            As for :meth:`fit`.
        classes : array (K,)
            All classes that will ever occur; required at the first call.

        Returns
        -------
        MLPClassifier
            This estimator.
        """
        self._announce(y, classes)
        self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), incremental=True)
        return self

    def _announce(self, y: Any, classes: Any) -> None:
        """Set the classes at the first part of the rows; later, check that they are the same."""
        known = getattr(self, "classes_", None)
        if classes is None:
            if known is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            return
        given = unique_labels(as_labels(type(self).__name__, "classes", classes))
        if known is None:
            y = as_labels(type(self).__name__, "y", y)
            self._multilabel = getattr(y, "ndim", 1) == 2 and y.shape[1] > 1
            self.classes_ = np.arange(y.shape[1]) if self._multilabel else given
        elif not np.array_equal(known, given):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}")

    def predict(self, X: Any) -> Array:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : array, frame or sparse matrix (N, I)
            Input.

        Returns
        -------
        array (N,) or (N, K)
            Labels, or zeros and ones: 1 for each label that is more likely than not.
        """
        return self._decide(self._outputs(X))

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array, frame or sparse matrix (N, I)
            Input.

        Returns
        -------
        array (N, K)
            Probabilities, in the order of ``classes_``.
        """
        return self._probabilities(self._outputs(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : array, frame or sparse matrix (N, I)
            Input.

        Returns
        -------
        array (N, K)
            Finite logarithms, in the order of ``classes_``.
        """
        return np.log(self.predict_proba(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the accuracy; with several labels, the share of rows with all of them right."""
        return float(super().score(X, as_labels(type(self).__name__, "y", y), sample_weight))

    def _probabilities(self, z: Array) -> Array:
        """Compute probabilities that never round to 0 or 1, so that their logarithms are finite."""
        p = ops.softmax(z) if self.out_activation_ == "softmax" else ops.sigmoid(z)
        if self.out_activation_ == "logistic" and not self._multilabel:
            p = np.hstack([1 - p, p]) if len(self.classes_) > 1 else np.ones_like(p)
        limits = np.finfo(p.dtype)
        return np.clip(p, limits.tiny, 1 - limits.epsneg, out=p)

    def _decide(self, z: Array) -> Array:
        if self._multilabel:
            return (z > 0).astype(int)
        index = (z[:, 0] > 0).astype(int) if self.n_outputs_ == 1 else z.argmax(axis=1)
        return self.classes_[np.minimum(index, len(self.classes_) - 1)]

    def _metric(self, y: Array, z: Array, weight: Array | None) -> float:
        """Compute the accuracy or, with class weights, minus the loss: a few heavy rows would dominate the accuracy."""
        if self.class_weight is None:
            right = self._decide(z) == y
            return float(np.average(right.all(axis=1) if self._multilabel else right, weights=weight))
        return -self._loss(z, self._targets(y), weight)[0]

    def _check_data(self, X: Any, y: Any, reset: bool, incremental: bool) -> tuple[Any, Array]:
        who = type(self).__name__
        check_numbers(who, "X", X)
        y = as_labels(who, "y", y)
        with explained(who, X):
            X, y = validate_data(self, X, y, accept_sparse=SPARSE, multi_output=True, dtype=FLOATS, reset=reset)
        y = flat(y)
        kind = type_of_target(y, input_name="y")
        plain = kind in ("binary", "multiclass") and isinstance(y, np.ndarray) and y.dtype.kind in "biufU"
        classes = np.unique(y) if plain else None
        if classes is None or (len(y) > 20 and 2 * len(classes) >= len(y)):
            check_classification_targets(y)  # raises, or warns of as many classes
        if "multioutput" in kind:
            raise ValueError("Multioutput target data is not supported with label binarization")
        y = y.toarray() if issparse(y) else y
        if kind.startswith("multilabel") and not np.isin(y, (0, 1)).all():
            expected = "zeros and ones in y (N, K), for labels that are not exclusive"
            raise ValueError(sentence(who, expected, f"numbers from {y.min()} to {y.max()}"))
        if not hasattr(self, "classes_") or (reset and not incremental):
            self._multilabel = kind.startswith("multilabel")
            self.classes_ = unique_labels(y) if classes is None else classes
        else:
            self._check_classes(y, unique_labels(y) if classes is None else classes, incremental)
        return X, y

    def _check_classes(self, y: Array, classes: Array, incremental: bool) -> None:
        """Raise unless the labels of a later fit are those of the first; a part of the rows may have fewer."""
        if (y.ndim == 2) != self._multilabel:
            kinds = "zeros and ones (N, K)", "labels (N,)"
            expected, got = kinds if self._multilabel else kinds[::-1]
            raise ValueError(sentence(type(self).__name__, f"y as before, {expected}", got))
        if not incremental and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _known_targets(self, y: Array) -> Known | None:
        classes, kind = self.classes_.tolist(), self.classes_.dtype.kind
        if self._multilabel or kind not in "biufU" or 20 < len(y) < 2 * len(classes):  # scikit-learn may warn
            return None
        types, labels = {type(classes[0]), self.classes_.dtype.type}, set(classes)

        def known(labels_of_rows: Array | list[Any]) -> bool:
            if not isinstance(labels_of_rows, list):
                labels_of_rows = labels_of_rows.tolist() if labels_of_rows.dtype.kind == kind else [None]
            return all(type(label) in types and label in labels for label in labels_of_rows)

        return known

    def _targets(self, y: Array) -> Array:
        if not self._multilabel and len(self.classes_) > 2:
            return np.searchsorted(self.classes_, y)
        ones = y != 0 if self._multilabel else (y == self.classes_[-1])[:, None] & (len(self.classes_) == 2)
        return ones * (1 - self.label_smoothing) + self.label_smoothing / 2

    def _make_loss(self) -> tuple[Loss, int, str]:
        count = len(self.classes_)
        if self._multilabel or count <= 2:
            self.n_outputs_ = count if self._multilabel else 1
            return BinaryCrossEntropy(), self.n_outputs_, "logistic"
        self.n_outputs_ = count
        return CrossEntropy(label_smoothing=float(self.label_smoothing)), count, "softmax"

    def _row_weights(self, y: Array, weight: Array | None) -> Array | None:
        if self.class_weight is None:
            return weight
        if self._multilabel:
            by_row = compute_sample_weight(self.class_weight, y)
        else:
            given = self.class_weight
            by_class = self._balance if given == "balanced" else self._of_the_classes(given)
            by_row = by_class[np.searchsorted(self.classes_, y)]
        return by_row if weight is None else by_row * weight

    def _of_the_classes(self, given: Any) -> Array:
        """Return the weight of each class, 1 by default; of all classes, even if these rows lack some."""
        who, classes = f"{type(self).__name__}(class_weight={given!r})", self.classes_.tolist()
        if not isinstance(given, dict):
            raise ValueError(sentence(who, "a dict from class to weight, or 'balanced'", "a list", "pass its dict"))
        unknown = [label for label in given if label not in classes]
        if unknown:
            raise ValueError(sentence(who, f"classes among {classes}", f"{unknown}"))
        weights = np.array([given.get(label, 1) for label in classes], float)
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(sentence(who, "weights that are finite and not negative", f"{weights.tolist()}"))
        return weights

    def _see(self, y: Array, weight: Array | None, fresh: bool) -> None:
        """Count the classes over all parts of the rows, to balance them; a row of weight 2 counts twice."""
        if fresh:
            self.__dict__.pop("_class_counts", None)
        if self.class_weight == "balanced" and not self._multilabel:
            count = np.bincount(np.searchsorted(self.classes_, y), weight, minlength=len(self.classes_))
            self._class_counts = getattr(self, "_class_counts", 0) + count
            seen = self._class_counts[self._class_counts > 0]
            self._balance = seen.mean() / np.where(self._class_counts > 0, self._class_counts, np.inf)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
