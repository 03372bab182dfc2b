"""A regressor for tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from ..._support.checks import Array, as_numeric, check_finite, sentence
from ..._support.labels import check_no_times
from ...estimators.documentation import documented
from ...estimators.inputs import check_numbers, flat
from ...estimators.internals import StrOptions
from ...estimators.parameters import keep_parameters
from ...layers.program import Call, Program, run
from ...losses import HalfSquaredError, Loss, Quantile
from .. import recipe
from .base import CONSTRAINTS, OF_TABLES, BaseTabular

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
        validation_fraction: float = 0.2,
        early_stopping: bool = True,
        max_epochs: int = recipe.EPOCHS,
        time_limit: float | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        keep_parameters(self, locals())

    def predict(self, X: Any) -> Array:
        """Predict the numbers of each row.

        Parameters
        ----------
        X : frame, dict of columns, or matrix (N, I)
            A table with the columns of the training rows.

        Returns
        -------
        array (N,) or (N, D)
            The numbers, in the units of y. With ``quantiles``, the quantile nearest to the median.
        """
        answers = self._answers(X)
        return self._middle(answers)[:, 0] if self.n_outputs_ == 1 else self._middle(answers)

    @available_if(lambda self: self.quantiles is not None)
    def predict_quantiles(self, X: Any) -> Array:
        """Predict quantiles; only with ``quantiles``.

        Parameters
        ----------
        X : frame, dict of columns, or matrix (N, I)
            A table with the columns of the training rows.

        Returns
        -------
        array (N, Q) or (N, D, Q)
            The quantiles, in ascending order.
        """
        answers = self._answers(X).reshape(-1, self.n_outputs_, self._width)
        return answers[:, 0] if self.n_outputs_ == 1 else answers

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² of the predictions."""
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

    def _middle(self, answers: Array) -> Array:
        """Return the answer nearest to the median for each target (N, D)."""
        place = 0 if self._levels is None else int(np.argmin(np.abs(np.array(self._levels) - 0.5)))
        return answers.reshape(-1, self.n_outputs_, self._width)[:, :, place]

    def _read_targets(self, y: Any, *, fresh: bool) -> Array:
        who = type(self).__name__
        check_numbers(who, "y", y)
        y = flat(as_numeric(who, "y", y, np.float64))
        check_finite(who, "y", y)
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or not y.shape[1]:
            raise ValueError(sentence(who, "y of shape (N,) or (N, D)", f"{y.shape}"))
        if fresh:
            self.n_outputs_ = y.shape[1]
        elif y.shape[1] != self.n_outputs_:
            raise ValueError(sentence(who, f"{self.n_outputs_} numbers per row in y_val", f"{y.shape[1]}"))
        return y

    def _row_weights(self, y: Array, weight: Array | None) -> Array | None:
        return weight

    def _see(self, y: Array) -> None:
        """Compute mean, deviation and range in float64, and sort the quantiles."""
        self._levels = None if self.quantiles is None else Quantile(tuple(np.sort(self.quantiles).tolist())).levels
        self.low_, self.high_ = y.min(axis=0), y.max(axis=0)
        middle = y[0]
        self.mean_, deviation = middle + (y - middle).mean(axis=0), (y - middle).std(axis=0)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)

    def _targets(self, y: Array) -> Array:
        return ((y - self.mean_) / self.scale_).astype(np.float32)

    def _loss(self) -> tuple[Loss, int]:
        if self._levels is None:
            return HalfSquaredError(), self.n_outputs_
        return Quantile(self._levels), self.n_outputs_ * self._width

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
