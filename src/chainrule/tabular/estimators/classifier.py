"""A classifier for tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from ..._support.checks import Array, check_finite, sentence
from ..._support.labels import as_labels
from ...estimators.documentation import documented
from ...estimators.inputs import flat
from ...estimators.internals import StrOptions
from ...estimators.parameters import keep_parameters
from ...layers.program import Call, Program
from ...losses import BinaryCrossEntropy, CrossEntropy, Loss
from .. import recipe
from .base import CONSTRAINTS, OF_TABLES, BaseTabular

LOG_LOSS, ACCURACY = "log_loss", "accuracy"


@documented(OF_TABLES)
class TabularClassifier(ClassifierMixin, BaseTabular):
    """Neural network that classifies the rows of a table: numbers, categories, dates, text, missing values.

    It decides the kind of each column, encodes the columns, trains a network with three hidden layers (RealMLP-TD), and
    keeps the weights of the epoch with the best validation metric.

    Parameters
    ----------
    metric : {"log_loss", "accuracy"}
        Metric that chooses the best epoch. For accuracy, labels are smoothed by 0.1.
    class_weight : dict of class to weight, "balanced", or None
        Weights of the classes; ``"balanced"`` gives each class the same total.

    Attributes
    ----------
    classes_ : array (K,)
        The classes, sorted.

    Examples
    --------
    >>> import chainrule as cr
    >>> kind = ["oak", "oak", "fir", "oak", "fir", "fir"] * 10
    >>> trees = {"height": [3, 4, 20, None, 22, 19] * 10, "leaf": ["oval", "oval", "thin", "oval", "thin", None] * 10}
    >>> model = cr.TabularClassifier(max_epochs=30, random_state=0).fit(trees, kind)
    >>> model.predict({"leaf": ["thin", "oval"], "height": [25, 2]}).tolist()
    ['fir', 'oak']
    """

    _parameter_constraints = CONSTRAINTS | {
        "metric": [StrOptions({LOG_LOSS, ACCURACY})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    _recipe = recipe.CLASSES
    classes_: Array
    _multilabel: bool

    def __init__(
        self,
        *,
        columns: Mapping[str, str] | None = None,
        metric: str = LOG_LOSS,
        class_weight: Any = None,
        validation_fraction: float = 0.2,
        early_stopping: bool = True,
        max_epochs: int = recipe.EPOCHS,
        time_limit: float | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        keep_parameters(self, locals())

    def predict(self, X: Any) -> Array:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : frame, dict of columns, or matrix (N, I)
            A table with the columns of the training rows.

        Returns
        -------
        array (N,) or (N, K)
            A class per row; or zeros and ones, 1 for each label with a probability above 0.5.
        """
        p = self._answers(X)
        return (p > 0.5).astype(int) if self._multilabel else self.classes_[p.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : frame, dict of columns, or matrix (N, I)
            A table with the columns of the training rows.

        Returns
        -------
        array (N, K)
            The probabilities, in the order of ``classes_``.
        """
        return self._answers(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of the rows that is classified correctly."""
        return float(super().score(X, as_labels(type(self).__name__, "y", y), sample_weight))

    def decoding_(self) -> Program:
        return (Call("sigmoid" if self._multilabel else "softmax"),)

    def _read_targets(self, y: Any, *, fresh: bool) -> Array:
        who = type(self).__name__
        y = as_labels(who, "y", y)
        y = flat(y.toarray() if issparse(y) else np.asarray(y))
        if y.dtype.kind == "f":
            check_finite(who, "y", y)
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind.startswith("multiclass-multioutput"):
            raise ValueError(sentence(who, "one class per row, or zeros and ones (N, K)", "several classes per row"))
        if fresh:
            self._multilabel, self.classes_ = kind.startswith("multilabel"), unique_labels(y)
            self.n_outputs_ = len(self.classes_)
            if not self._multilabel and self.n_outputs_ < 2:
                got = f"one class, {self.classes_.tolist()[0]!r}" if len(y) else "no rows"
                raise ValueError(sentence(who, "at least two classes in y", got))
        elif (y.ndim == 2) != self._multilabel:
            raise ValueError(sentence(who, "y_val of the same form as y", f"shape {y.shape}"))
        if self._multilabel:
            return y.astype(np.float64)
        places = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        if (strange := self.classes_[places] != y).any():
            got = f"{y[strange][0]!r}, which y does not have"
            raise ValueError(sentence(who, "classes of y in y_val", got, "leave these rows out"))
        return places

    def _row_weights(self, y: Array, weight: Array | None) -> Array | None:
        if self.class_weight is None:
            return weight
        by_class = compute_sample_weight(self._weights_by_place(), y)
        return by_class if weight is None else by_class * weight

    def _weights_by_place(self) -> Any:
        given = self.class_weight
        if not isinstance(given, dict) or self._multilabel:
            return given
        who, known = type(self).__name__, self.classes_.tolist()
        if strange := [label for label in given if label not in known]:
            raise ValueError(sentence(f"{who}(class_weight={given!r})", f"classes among {known}", f"{strange}"))
        weights = {place: given.get(label, 1) for place, label in enumerate(known)}
        if not all(isinstance(weight, (int, float, np.number)) and 0 <= weight < np.inf for weight in weights.values()):
            got = f"{list(weights.values())}"
            raise ValueError(sentence(who, "class weights that are finite and not negative", got))
        return weights

    def _strata(self, y: Array) -> Array | None:
        return None if self._multilabel else y

    def _see(self, y: Array) -> None:
        pass

    def _targets(self, y: Array) -> Array:
        return y * (1 - self._smoothing) + self._smoothing / 2 if self._multilabel else y

    @property
    def _smoothing(self) -> float:
        return recipe.SMOOTHING if self.metric == ACCURACY else 0.0

    def _loss(self) -> tuple[Loss, int]:
        loss = BinaryCrossEntropy() if self._multilabel else CrossEntropy(label_smoothing=self._smoothing)
        return loss, self.n_outputs_

    def _error(self, y: Array, z: Array, weight: Array | None) -> float:
        if self.metric == LOG_LOSS:
            loss = BinaryCrossEntropy() if self._multilabel else CrossEntropy()
            return float(loss(z, y, weight)[0])
        right = ((z > 0) == y).all(axis=1) if self._multilabel else z.argmax(axis=1) == y
        return 1 - float(np.average(right, weights=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
