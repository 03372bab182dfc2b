"""MLPRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from .._support.checks import Array, as_numeric, sentence
from .._support.labels import check_no_times
from .._support.strangers import as_array
from ..data.scale import check_resolution, is_resolved
from ..losses import AbsoluteError, GaussianNLL, HalfSquaredError, Huber, LogCosh, Loss, PoissonNLL, Quantile
from .again import Known
from .base import FLOATS, SPARSE, BaseMLP, all_finite, standardiser, stochastic_only
from .documentation import OF_MLP, documented
from .inputs import check_numbers, explained, flat
from .internals import StrOptions, fitting
from .parameters import CONSTRAINTS, keep_parameters

LOSSES: dict[str, type[Loss]] = {
    "absolute_error": AbsoluteError,
    "gaussian_nll": GaussianNLL,
    "huber": Huber,
    "log_cosh": LogCosh,
    "poisson": PoissonNLL,
    "quantile": Quantile,
    "squared_error": HalfSquaredError,
}


@documented(OF_MLP)
class MLPRegressor(RegressorMixin, BaseMLP):
    """A multilayer perceptron for regression, with the interface of scikit-learn's class of the same name.

        L = (Σₙ wₙ l(zₙ, yₙ) + α/2 ΣW²) / Σₙ wₙ  for each batch,  l = ½ Σ (z − y)²  by default, summed over the targets

    With several targets, scikit-learn reports the mean of their squared errors but uses the gradient of the sum; here
    both are the sum.

    Parameters
    ----------
    loss : str or Loss
        "squared_error", "poisson" (predicts the exponential of the output), "absolute_error", "huber", "log_cosh",
        "quantile" (0.1, 0.5 and 0.9), "gaussian_nll" (also predicts the standard deviation), or an object such as
        ``Huber(2.0)`` or ``Quantile([0.05, 0.95])``.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import MLPRegressor
    >>> x = np.linspace(-3, 3, 300)[:, None]
    >>> y = np.sin(x[:, 0]) + np.random.default_rng(0).normal(scale=0.2, size=300)
    >>> model = MLPRegressor("gaussian_nll", (16,), activation="tanh", solver="lbfgs", tol=0.01, random_state=0)
    >>> model = model.fit(x, y)
    >>> mean, std = model.predict([[1.5]], return_std=True)
    >>> mean.round(1), std.round(1)
    (array([1.]), array([0.2]))
    """

    target_scaler_: Any = None
    _far = False  # whether y is so far from 0 that only float64 can distinguish its rows
    _parameter_constraints = CONSTRAINTS | {"loss": [StrOptions(set(LOSSES)), Loss]}

    def __init__(
        self,
        loss: Any = "squared_error",
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
    ) -> MLPRegressor:
        """Train on X and y, from new weights unless ``warm_start``.

        Parameters
        ----------
        X : array, frame or sparse matrix (N, I)
            Input.
        y : array (N,) or (N, D)
            Numbers to predict.
        sample_weight : array (N,), optional
            Weight of each row; 2 counts the row twice, 0 omits it.
        X_val, y_val, sample_weight_val : arrays, optional
            Validation rows, in place of a part of X; ``validation_loss_curve_`` is then recorded.

        Returns
        -------
        MLPRegressor
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
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPRegressor:
        """Train one epoch on X and y, from the present weights and optimizer state; arguments as for :meth:`fit`."""
        self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), incremental=True)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict numbers.

        Parameters
        ----------
        X : array, frame or sparse matrix (N, I)
            Input.
        return_std : bool
            Whether to return the predicted standard deviation too, with ``loss="gaussian_nll"``.

        Returns
        -------
        y : array (N,) or (N, D)
            Predictions; for Q quantiles (N, Q) or (N, D, Q).
        std : array of y's shape
            Standard deviations, with ``return_std=True``.
        """
        z = self._outputs(X)
        if not return_std:
            return self._numbers(z)
        if not isinstance(self._loss, GaussianNLL):
            got = f"loss={self.loss!r}"
            raise ValueError(sentence("MLPRegressor.predict(return_std=True)", 'loss="gaussian_nll"', got))
        variance = _exp(z[:, self.n_outputs_ :]) + self._loss.floor
        return self._numbers(z), self._shaped(np.sqrt(variance) * self._spread)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² of the predictions; of quantiles, that of the one nearest to the median."""
        check_no_times(type(self).__name__, "y", y)
        return float(r2_score(y, self._middle(self.predict(X)), sample_weight=sample_weight))

    def _numbers(self, z: Array) -> Array:
        z = z.reshape(len(z), -1, self._levels) if self._levels > 1 else z[:, : self.n_outputs_]
        if isinstance(self._loss, PoissonNLL):
            return self._shaped(_exp(z))
        if self.target_scaler_ is None:
            return self._shaped(z)
        spread, mean = self._spread, self.target_scaler_.mean_
        if z.ndim == 3:
            spread, mean = spread[:, None], mean[:, None]
        dtype = np.float64 if self._far else z.dtype
        return self._shaped((z * spread + mean).astype(dtype, copy=False))

    @property
    def _spread(self) -> Any:
        return 1 if self.target_scaler_ is None else self.target_scaler_.scale_

    @property
    def _levels(self) -> int:
        return len(self._loss.levels) if isinstance(self._loss, Quantile) else 1

    def _shaped(self, numbers: Array) -> Array:
        return numbers[:, 0] if self.n_outputs_ == 1 else numbers

    def _middle(self, prediction: Array) -> Array:
        if not isinstance(self._loss, Quantile) or self._levels == 1:
            return prediction
        nearest: int = np.argmin(np.abs(np.array(self._loss.levels) - 0.5)).item()
        return np.take(prediction, nearest, axis=-1)

    def _metric(self, y: Array, z: Array, weight: Array | None) -> float:
        return float(r2_score(y, self._middle(self._numbers(z)), sample_weight=weight))

    def _check_data(self, X: Any, y: Any, reset: bool, incremental: bool) -> tuple[Any, Array]:
        who = type(self).__name__
        check_numbers(who, "X", X)
        check_numbers(who, "y", y)
        y = as_numeric(who, "y", y) if as_array(y).dtype.kind == "O" and y is not None and not issparse(y) else y
        how: dict[str, Any] = {"accept_sparse": SPARSE, "multi_output": True, "y_numeric": True, "dtype": FLOATS}
        with explained(who, X):
            X, y = validate_data(self, X, y, **how, reset=reset)
        y = flat(y)
        width = 1 if y.ndim == 1 else y.shape[1]
        if reset:
            self.n_outputs_ = width
        elif width != self.n_outputs_:
            raise ValueError(sentence(who, f"{self.n_outputs_} targets, as before", str(width)))
        numbers = as_numeric(who, "y", y, X.dtype)
        if self._standardises:  # in float64, in which y may lie far from 0
            return X, as_numeric(who, "y", y, np.float64)
        check_resolution(who, "y", y, X.dtype)
        return X, numbers

    def _fit_scalers(self, X: Any, y: Array, weight: Array | None) -> None:
        super()._fit_scalers(X, y, weight)
        self.target_scaler_ = None
        if self._standardises:
            self._far = not is_resolved(y, X.dtype)
            self.target_scaler_ = standardiser(type(self).__name__, "y", y.reshape(len(y), -1), weight)

    @property
    def _standardises(self) -> bool:
        loss = LOSSES[self.loss] if isinstance(self.loss, str) else type(self.loss)
        return bool(self.scale) and loss is not PoissonNLL

    def _known_targets(self, y: Array) -> Known | None:
        dtype = y.dtype

        def known(numbers: Array | list[Any]) -> bool:
            array = np.asarray(numbers)
            return array.dtype == dtype and all_finite(array)

        return known if dtype == self.model_.dtype else None

    def _targets(self, y: Array) -> Array:
        y = y.reshape(len(y), -1)
        scaled = y if self.target_scaler_ is None else self.target_scaler_.transform(y)
        return scaled.astype(self.model_.dtype, copy=False)

    def _make_loss(self) -> tuple[Loss, int, str]:
        loss = LOSSES[self.loss]() if isinstance(self.loss, str) else self.loss
        outputs = self.n_outputs_ * (len(loss.levels) if isinstance(loss, Quantile) else 1)
        if isinstance(loss, GaussianNLL):
            outputs *= 2
        return loss, outputs, "exp" if isinstance(loss, PoissonNLL) else "identity"


def _exp(z: Array) -> Array:
    """eᶻ, or the largest number there is."""
    with np.errstate(over="ignore"):
        return np.minimum(np.exp(z), np.finfo(z.dtype).max)
