"""The estimators for tables: a classifier, and a regressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from ..._support.checks import Array, as_numeric, check_finite, sentence
from ..._support.labels import as_labels, check_no_times
from ...estimators.documentation import documented
from ...estimators.inputs import check_numbers, flat
from ...estimators.internals import StrOptions
from ...estimators.parameters import keep_parameters
from ...layers.program import Call, Program, run
from ...losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError, Loss, Quantile
from .. import recipe
from ..judging import LARGEST
from . import tables
from .base import CONSTRAINTS, UNCHANGED, BaseTabular
from .calibration import conformal_shift, inverse_temperature
from .texts import OF_TABLES

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
    calibrate : bool
        Whether to multiply the logits by the number that gives the best log-loss on the validation rows (temperature
        scaling). The weights of the last layer take it in, so that every exported model has it.

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
        "calibrate": ["boolean"],
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
        calibrate: bool = True,
        preset: str = "default",
        n_ensemble: int | None = None,
        n_folds: int | None = None,
        validation_fraction: float | None = None,
        early_stopping: bool = True,
        max_epochs: int | None = None,
        time_limit: float | None = None,
        plan: Mapping[str, int] | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        keep_parameters(self, locals())

    def predict(self, X: Any) -> Array:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : frame, dict of columns, matrix (N, I), or files
            A table with the columns of the training rows; or a row.

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
        X : frame, dict of columns, matrix (N, I), or files
            A table with the columns of the training rows; or a row.

        Returns
        -------
        array (N, K)
            The probabilities, in the order of ``classes_``.
        """
        return self._answers(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of the rows that is classified correctly. Of files, y is a column's name."""
        X, y, sample_weight, _ = tables.in_memory(self, X, y, sample_weight, always=True)
        return float(super().score(X, as_labels(type(self).__name__, "y", y), sample_weight))

    def decoding_(self) -> Program:
        return (Call("sigmoid" if self._multilabel else "softmax"),)

    def _read_targets(self, y: Any, name: str = "y", *, fresh: bool) -> Array:
        who = type(self).__name__
        y = as_labels(who, name, y)
        y = flat(y.toarray() if issparse(y) else np.asarray(y))
        if y.dtype.kind == "f":
            check_finite(who, name, y)
        check_classification_targets(y)
        kind = type_of_target(y, input_name=name)
        if kind.startswith("multiclass-multioutput"):
            raise ValueError(sentence(who, "one class per row, or zeros and ones (N, K)", "several classes per row"))
        if fresh:
            self._multilabel, self.classes_ = kind.startswith("multilabel"), unique_labels(y)
            self.n_outputs_ = len(self.classes_)
            if not self._multilabel and self.n_outputs_ < 2:
                got = f"one class, {self.classes_.tolist()[0]!r}" if len(y) else "no rows"
                raise ValueError(sentence(who, f"at least two classes in {name}", got))
        elif (y.ndim == 2) != self._multilabel:
            raise ValueError(sentence(who, f"{name} of the same form as y", f"shape {y.shape}"))
        if self._multilabel:
            return y.astype(np.float64)
        places = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        if (strange := self.classes_[places] != y).any():
            got = f"{y[strange].tolist()[0]!r}, which y does not have"
            raise ValueError(sentence(who, f"classes of y in {name}", got, "leave these rows out"))
        return places

    def _row_weights(self, y: Array, weight: Array | None) -> Array | None:
        if self.class_weight is None:
            return weight
        by_class = compute_sample_weight(self._weights_by_place(), y)
        return by_class if weight is None else by_class * weight

    def _weights_by_place(self) -> Any:
        given = self.class_weight
        if given == "balanced" and self._balance is not None:
            return self._balance
        if not isinstance(given, dict) or self._multilabel:
            return given
        who, known = f"{type(self).__name__}(class_weight={given!r})", self.classes_.tolist()
        if strange := [label for label in given if label not in known]:
            raise ValueError(sentence(who, f"classes among {known}", f"{strange}"))
        numbers = [given.get(label, 1) for label in known]
        if not (all(isinstance(n, (int, float, np.number)) and 0 <= n < np.inf for n in numbers) and any(numbers)):
            raise ValueError(sentence(who, "class weights that are finite and not negative, one above 0", f"{numbers}"))
        return dict(enumerate(tables.scaled(np.array(numbers, np.float64))))

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

    def _calibration(self, y: Array, z: Array, weight: Array | None) -> tuple[float, Array]:
        if not self.calibrate:
            return UNCHANGED
        loss = BinaryCrossEntropy() if self._multilabel else CrossEntropy()
        return inverse_temperature(loss, y, z, weight), UNCHANGED[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


RMSE, MAE = "root_mean_squared_error", "mean_absolute_error"


@documented(OF_TABLES)
class TabularRegressor(RegressorMixin, BaseTabular):
    """Neural network that predicts numbers from a table: numbers, categories, dates, text, missing values.

    It decides the kind of each column, encodes the columns, trains a network with three hidden layers (RealMLP-TD), and
    keeps the weights of the epoch with the best validation metric. Predictions stay in the range of the training
    targets.

    Parameters
    ----------
    metric : {"root_mean_squared_error", "mean_absolute_error"}
        Metric that chooses the best epoch. With ``quantiles``, it is the quantile loss.
    quantiles : sequence of float in (0, 1), or None
        Quantiles to learn instead of the mean.
    calibrate : bool
        Whether to shift each quantile until its share of the validation rows lies below it (conformal prediction). The
        biases of the last layer take it in, so that every exported model has it.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> rng = np.random.default_rng(0)
    >>> flats = {"size": rng.integers(20, 120, 300), "town": rng.choice(["Ulm", "Bonn"], 300)}
    >>> rent = 9.0 * flats["size"] + 200 * (flats["town"] == "Bonn")
    >>> model = cr.TabularRegressor(max_epochs=100, random_state=0).fit(flats, rent)
    >>> bool(abs(model.predict({"town": ["Bonn"], "size": [60]})[0] - 740) < 30)
    True
    """

    _parameter_constraints = CONSTRAINTS | {
        "metric": [StrOptions({RMSE, MAE})],
        "quantiles": ["array-like", None],
        "calibrate": ["boolean"],
    }

    _recipe = recipe.NUMBERS
    mean_: Array  # of y in the training rows (D,)
    scale_: Array
    low_: Array
    high_: Array

    def __init__(
        self,
        *,
        columns: Mapping[str, str] | None = None,
        metric: str = RMSE,
        quantiles: Sequence[float] | None = None,
        calibrate: bool = True,
        preset: str = "default",
        n_ensemble: int | None = None,
        n_folds: int | None = None,
        validation_fraction: float | None = None,
        early_stopping: bool = True,
        max_epochs: int | None = None,
        time_limit: float | None = None,
        plan: Mapping[str, int] | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        keep_parameters(self, locals())

    def predict(self, X: Any) -> Array:
        """Predict the numbers of each row.

        Parameters
        ----------
        X : frame, dict of columns, matrix (N, I), or files
            A table with the columns of the training rows; or a row.

        Returns
        -------
        array (N,) or (N, D)
            The numbers, in the units of y. With ``quantiles``, the quantile nearest to the median.
        """
        return self._predictions(self._answers(X))

    @available_if(lambda self: self.quantiles is not None)
    def predict_quantiles(self, X: Any) -> Array:
        """Predict quantiles; only with ``quantiles``.

        Parameters
        ----------
        X : frame, dict of columns, matrix (N, I), or files
            A table with the columns of the training rows; or a row.

        Returns
        -------
        array (N, Q) or (N, D, Q)
            The quantiles, in ascending order.
        """
        answers = self._answers(X).reshape(-1, self.n_outputs_, self._width)
        return answers[:, 0] if self.n_outputs_ == 1 else answers

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² of the predictions. Of files, y is a column's name."""
        X, y, sample_weight, _ = tables.in_memory(self, X, y, sample_weight, always=True)
        check_no_times(type(self).__name__, "y", y)
        return float(r2_score(y, self.predict(X), sample_weight=sample_weight))

    def decoding_(self) -> Program:
        """Return the program that gives numbers in the units and range of y, quantiles in ascending order."""
        each = (np.repeat(one, self._width) for one in (self.scale_, self.mean_, self.low_, self.high_))
        gain, bias, low, high = each
        calls = [Call("scale", {"gain": gain, "bias": bias}), Call("clamp", {"low": low, "high": high})]
        if self._width > 1:
            calls.append(Call("ascending", numbers={"count": self._width}))
        return tuple(calls)

    @property
    def _width(self) -> int:
        """Number of outputs per target."""
        return 1 if self._levels is None else len(self._levels)

    def _predictions(self, answers: Array) -> Array:
        middle = self._middle(answers)
        return middle[:, 0] if self.n_outputs_ == 1 else middle

    def _middle(self, answers: Array) -> Array:
        """Return the answer nearest to the median for each target (N, D)."""
        place = 0 if self._levels is None else int(np.argmin(np.abs(np.array(self._levels) - 0.5)))
        return answers.reshape(-1, self.n_outputs_, self._width)[:, :, place]

    def _read_targets(self, y: Any, name: str = "y", *, fresh: bool) -> Array:
        who = type(self).__name__
        check_numbers(who, name, y)
        y = flat(as_numeric(who, name, y, np.float64))
        check_finite(who, name, y)
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or not y.shape[1]:
            raise ValueError(sentence(who, "y of shape (N,) or (N, D)", f"{y.shape}"))
        if fresh:
            self.n_outputs_ = y.shape[1]
        elif y.shape[1] != self.n_outputs_:
            raise ValueError(sentence(who, f"{self.n_outputs_} numbers per row in {name}", f"{y.shape[1]}"))
        if (rows := np.flatnonzero((np.abs(y) > LARGEST).any(axis=1))).size:
            got = f"{np.abs(y[rows[0]]).max():g} at row {rows[0]}"
            raise ValueError(sentence(who, f"numbers up to {LARGEST:g} in {name}", got, "scale them"))
        return y

    def _row_weights(self, y: Array, weight: Array | None) -> Array | None:
        return weight

    def _see(self, y: Array) -> None:
        """Compute mean, deviation and range in float64, and sort the quantiles."""
        self._levels = None if self.quantiles is None else Quantile(tuple(np.sort(self.quantiles).tolist())).levels
        self.low_, self.high_, middle = y.min(axis=0), y.max(axis=0), y[0]
        self.mean_, deviation = middle + (y - middle).mean(axis=0), (y - middle).std(axis=0)
        if ((deviation < 1 / LARGEST) & (self.low_ < self.high_)).any():
            raise ValueError(sentence(type(self).__name__, "numbers in y that differ by 1e-100", "less", "scale them"))
        self.scale_ = np.where(deviation > 0, deviation, 1.0)

    def _widen(self, y: Array) -> None:
        self.low_, self.high_ = np.minimum(self.low_, y.min(axis=0)), np.maximum(self.high_, y.max(axis=0))

    def _targets(self, y: Array) -> Array:
        return ((y - self.mean_) / self.scale_).astype(np.float32)

    def _loss(self) -> tuple[Loss, int]:
        if self._levels is None:
            return HalfSquaredError(), self.n_outputs_
        return Quantile(self._levels), self.n_outputs_ * self._width

    def _calibration(self, y: Array, z: Array, weight: Array | None) -> tuple[float, Array]:
        if not self.calibrate or self._levels is None:
            return UNCHANGED
        above = ((y - self.mean_) / self.scale_)[:, :, None] - z.reshape(len(y), self.n_outputs_, self._width)
        return 1.0, conformal_shift(above, self._levels, weight).ravel()

    def _error(self, y: Array, z: Array, weight: Array | None) -> float:
        if self._levels is not None:
            return float(Quantile(self._levels)(z, (y - self.mean_) / self.scale_, weight)[0])
        off = self._middle(run(self.decoding_(), z)) - y
        if self.metric == MAE:
            return float(np.average(np.abs(off).mean(axis=1), weights=weight))
        return float(np.sqrt(np.average((off**2).mean(axis=1), weights=weight)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
