"""The base of the classifier and the regressor: from X and y to a trained model, and its weights."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._support import checks as _checks
from .._support.checks import Array, as_numeric, check_shape, sentence
from .._support.errors import DivergenceError
from .._support.labels import check_no_times
from .._support.overrides import is_of_package
from ..losses import Loss
from ..model import Sequential
from ..ops.fused import twin
from ..optimizers import Optimizer
from ..training.callbacks import Callback, WeightAverage
from .again import Known, prepared
from .inputs import as_weights, explained, typical_columns
from .internals import takes_weight
from .parameters import (
    CONSTRAINTS,
    OF_THE_NETWORK,
    OF_THE_OPTIMIZER,
    STOCHASTIC,
    build_model,
    build_optimizer,
    check_together,
    hidden_sizes,
    linear_layers,
    renew_optimizer,
    restore,
    settings,
)
from .training import Data, HeldOut, Order, TakesCallbacks, minimize_loss, tasks_of, train

SPARSE = ["csr", "csc"]
FLOATS = (np.float64, np.float32)
RECORDS = ("loss_curve_", "validation_loss_curve_", "validation_scores_", "best_validation_score_", "best_loss_")
ANSWERS = ("predict", "predict_proba")
SCALED_BYTES = 16 << 20

all_finite = twin(_checks.all_finite)


class Views(list[Array]):
    """Arrays of the model's parameters; an assigned array is copied into the model."""

    def __setitem__(self, index: Any, value: Any) -> None:
        for view, array in zip(self[index], value, strict=True) if isinstance(index, slice) else [(self[index], value)]:
            array = as_numeric("coefs_ and intercepts_", "each", array)
            check_shape("coefs_ and intercepts_", "an array", array, view.shape)
            view[...] = array


class BaseMLP(TakesCallbacks, BaseEstimator):
    """A multilayer perceptron trained by :class:`~chainrule.Trainer`; the subclass defines y."""

    _parameter_constraints = CONSTRAINTS

    scaler_: Any = None
    model_: Sequential
    loss_: float
    n_iter_: int
    t_: int
    n_outputs_: int
    n_features_in_: int
    _loss: Loss
    _optimizer: Optimizer
    _described: dict[str, str]  # the parameters that the optimizer was made from
    _average: WeightAverage | None
    _best: tuple[list[Array], WeightAverage | None] | None  # by the score of the validation rows

    # To be defined by a subclass.

    @abstractmethod
    def _check_data(self, X: Any, y: Any, reset: bool, incremental: bool) -> tuple[Any, Array]:
        """Validate X and y, and record what predictions need to know about y."""

    @abstractmethod
    def _known_targets(self, y: Array) -> Known | None:
        """Return what tells whether other targets like y pass all checks unchanged; None if nothing simple does."""

    @abstractmethod
    def _targets(self, y: Array) -> Array:
        """Convert y for the loss."""

    @abstractmethod
    def _make_loss(self) -> tuple[Loss, int, str]:
        """Return the loss, the number of outputs that it needs, and the activation that makes them predictions."""

    @abstractmethod
    def _metric(self, y: Array, z: Array, weight: Array | None) -> float:
        """Compute the default score of network outputs z."""

    def _see(self, y: Array, weight: Array | None, fresh: bool) -> None:
        """Record statistics of the rows before training on them."""

    def _row_weights(self, y: Array, weight: Array | None) -> Array | None:
        """Return the weight of each row."""
        return weight

    # Training.

    def _fit(
        self, X: Any, y: Any, weight: Any, held_out: tuple[Any, Any, Any] = (None,) * 3, incremental: bool = False
    ) -> None:
        """Train; where the call is refused, leave all attributes as they were."""
        before = dict(vars(self))
        try:
            self._train(X, y, weight, held_out, incremental)
        except (TypeError, ValueError) as error:
            if not isinstance(error, DivergenceError):
                self.__dict__ = before
            raise

    def _train(self, X: Any, y: Any, weight: Any, held_out: tuple[Any, Any, Any], incremental: bool) -> None:
        self.__dict__.pop("_again", None)
        hidden_sizes(self)
        check_together(self)
        raw = X, y, weight
        fresh = not hasattr(self, "model_") or not (self.warm_start or incremental)
        X, y = self._check_data(X, y, reset=fresh, incremental=incremental)
        weight = as_weights(type(self).__name__, weight, X)
        random = check_random_state(self.random_state)
        if self.input_dropout and issparse(X):
            who = f"{type(self).__name__}(input_dropout={self.input_dropout:g})"
            raise TypeError(sentence(who, "dense X", "a sparse one", "leave input_dropout out, or pass X.toarray()"))
        if fresh:
            self._begin(X, y, weight, random)
        self._go_on()
        self._see(y, weight, fresh or not incremental)
        given = self._given_validation(*held_out)
        data = self._network_data(X, y, weight)
        tasks = tasks_of(self, *raw, count=1 if incremental else self.max_iter)
        if self.solver in STOCHASTIC:
            self._fit_stochastic(data, y, weight, given, random, incremental, [tasks] if tasks else [])
        else:
            minimize_loss(self, data, tasks)
        if tasks:
            tasks.finish()
        if incremental and given is None and (again := prepared(self, data, y)):
            self._again = again

    def _begin(self, X: Any, y: Array, weight: Array | None, random: np.random.RandomState) -> None:
        self.n_iter_ = self.t_ = 0
        for name in RECORDS:
            self.__dict__.pop(name, None)
        self._fit_scalers(X, y, weight)
        self._typical = typical_columns(X)
        self._new_network(X.dtype, random)

    def _keep_records(self) -> None:
        self.loss_curve_: list[float] = getattr(self, "loss_curve_", [])
        self.validation_loss_curve_: list[float] = getattr(self, "validation_loss_curve_", [])
        if not self.early_stopping:
            self.validation_scores_: list[float] | None = None
            self.best_validation_score_: float | None = None
            best = getattr(self, "best_loss_", None)
            self.best_loss_ = np.inf if best is None else best
        elif getattr(self, "validation_scores_", None) is None:
            self.validation_scores_, self.best_validation_score_, self.best_loss_ = [], -np.inf, None

    def _new_network(self, dtype: Any, random: np.random.RandomState) -> None:
        self._take_network(build_model(self, self.n_features_in_, self._take_loss(), dtype, random))

    def _take_loss(self) -> int:
        """Keep the loss that is asked for; how many outputs the network needs for it."""
        self._loss, outputs, self.out_activation_ = self._make_loss()
        return outputs

    def _take_network(self, model: Sequential) -> None:
        """Make this the network, of which no training is recorded."""
        self.n_layers_ = len(hidden_sizes(self)) + 2
        self.model_ = model
        self._built = settings(self, OF_THE_NETWORK)
        self.__dict__.pop("_optimizer", None)
        self._average = WeightAverage(self.average) if self.average else None
        self._averages: dict[WeightAverage, WeightAverage] = {}
        self._no_improvement_count, self._best = 0, None

    def _fit_stochastic(
        self,
        data: Data,
        y: Array,
        weight: Array | None,
        given: HeldOut | None,
        random: np.random.RandomState,
        incremental: bool,
        listeners: list[Callback],
    ) -> None:
        described = settings(self, OF_THE_OPTIMIZER)
        if not hasattr(self, "_optimizer"):
            self._optimizer = build_optimizer(self)
        elif described != self._described:
            self._optimizer = renew_optimizer(self, self._optimizer)
        self._described = described
        self._keep_records()
        held_out: Data | Array | None = None if given is None else given.data
        order = Order(random, self.shuffle)
        if given is None and self.early_stopping:
            kept, held_out = self._split(y, random)
            given = HeldOut(data.at(held_out), y[held_out], None if weight is None else weight[held_out])
            order.start_with(kept)
        score = self._score_function(given) if given is not None and self.early_stopping else None
        watchers: list[Callback] = [] if self._average is None else [self._average]
        if not incremental:
            self.n_iter_ = self._no_improvement_count = 0
        ended = train(self, data, held_out, score, order, incremental, watchers, listeners)
        if score is not None and (ended or not incremental) and self._best is not None:
            weights, average = self._best
            restore(self.model_, weights)
            self._average = copy.deepcopy(average)  # training may continue from it more than once
            self._no_improvement_count = 0

    def _watching(self) -> list[Callback]:
        """Return the user's callbacks; copy a WeightAverage, which belongs to one network."""
        given, known = list(self.callbacks or ()), self._averages
        means = [callback for callback in given if isinstance(callback, WeightAverage)]
        self._averages = {mean: known.get(mean) or copy.deepcopy(mean) for mean in means}
        return [self._averages[one] if isinstance(one, WeightAverage) else one for one in given]

    def _go_on(self) -> None:
        who, remedy = type(self).__name__, "set warm_start=False, or call clone() for a new estimator"
        have = [layer.out_features for layer in linear_layers(self.model_)]
        if have[:-1] != hidden_sizes(self):
            got = f"hidden_layer_sizes={hidden_sizes(self)}"
            raise ValueError(sentence(who, f"the hidden layers {have[:-1]} that were trained", got, remedy))
        for name, now in settings(self, OF_THE_NETWORK).items():
            if now != self._built[name]:
                expected = f"{name}={self._built[name]} as in the fit that it continues"
                raise ValueError(sentence(who, expected, f"{name}={now}", remedy))
        loss, outputs, activation = self._make_loss()
        if (outputs, activation) != (have[-1], self.out_activation_):
            expected = f"a loss for the {have[-1]} outputs ({self.out_activation_}) that were trained"
            raise ValueError(sentence(who, expected, f"{loss!r}, which takes {outputs} ({activation})", remedy))
        self._loss = loss

    # Data.

    def _fit_scalers(self, X: Any, y: Array, weight: Array | None) -> None:
        self.scaler_ = None
        if self.scale:
            self.scaler_ = standardiser(type(self).__name__, "X", X, weight)

    def _inputs(self, X: Any) -> Any:
        if self.scaler_ is None:
            return X
        if issparse(X) and self.scaler_.with_mean:
            who = f"{type(self).__name__}(scale=True)"
            raise TypeError(sentence(who, "dense X, as it was fitted on", "a sparse one", "pass X.toarray()"))
        return self.scaler_.transform(X)

    def _network_data(self, X: Any, y: Array, weight: Array | None) -> Data:
        return Data(self._inputs(X), self._targets(y), self._row_weights(y, weight))

    def _given_validation(self, X_val: Any, y_val: Any, weight_val: Any) -> HeldOut | None:
        if X_val is None and y_val is None:
            if weight_val is not None:
                raise ValueError(sentence(type(self).__name__, "X_val and y_val", "sample_weight_val alone"))
            return None
        if X_val is None or y_val is None:
            raise ValueError(sentence(type(self).__name__, "X_val and y_val together", "one of them"))
        if self.solver not in STOCHASTIC:
            raise ValueError(sentence(type(self).__name__, 'solver "adam" or "sgd" for X_val', f"{self.solver!r}"))
        X_val, y_val = self._check_data(X_val, y_val, reset=False, incremental=True)
        weight_val = as_weights(type(self).__name__, weight_val, X_val)
        return HeldOut(self._network_data(X_val, y_val, weight_val), y_val, weight_val)

    def _split(self, y: Array, random: np.random.RandomState) -> tuple[Array, Array]:
        """Return the row numbers to train on and to validate with, in scikit-learn's order."""
        count = len(y)
        size = self.validation_fraction if self.validation_fraction * count > 1 else 2  # at least two rows
        if count < 3 or not self.validation_fraction:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset "
                f"(n_samples={count})."
            )
        binary = self.n_outputs_ == 1 and hasattr(self, "classes_")
        stratify = y if binary else None
        kept, aside = train_test_split(np.arange(count), random_state=random, test_size=size, stratify=stratify)
        return kept, aside

    def _score_function(self, held_out: HeldOut) -> Callable[[], float]:
        """Score the validation rows with the model's present weights: the averaged ones, at the end of an epoch."""
        data, y, weight = held_out
        nameless = copy.copy(self)  # it accepts arrays without column names
        nameless.__dict__.pop("feature_names_in_", None)
        scorer = None if self.scoring is None else check_scoring(nameless, self.scoring)
        extra = {"sample_weight": weight} if weight is not None and takes_weight(scorer) else {}

        def score() -> float:
            if scorer is None:
                z = self.model_.predict(data.x)
                return float(self._metric(y, z, data.weight)) if np.isfinite(z).all() else np.nan
            nameless.scaler_ = None  # these rows are scaled
            return float(scorer(nameless, data.x, y, **extra))

        return score

    # Prediction.

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self)
        check_no_times(type(self).__name__, "X", X)
        with explained(type(self).__name__, X):
            X = validate_data(self, X, accept_sparse=SPARSE, dtype=FLOATS, reset=False)
        z = self.model_.predict(X) if self.scaler_ is None else self._predict_scaled(X)
        if not all_finite(z):
            row = int(np.argmin(np.isfinite(z).all(axis=1)))
            got = f"{z[row]} for row {row}"
            remedy = "look for very large numbers in X, and for a fit that diverged"
            raise ValueError(sentence(type(self).__name__, "finite outputs of its network", got, remedy))
        return z

    def _predict_scaled(self, X: Any) -> Array:
        """Yield parts of the rows: scaling does not copy all of X."""
        size = max(1, SCALED_BYTES // (X.shape[1] * X.dtype.itemsize))
        parts = [X[start : start + size] for start in range(0, X.shape[0], size)]
        return np.concatenate([self.model_.predict(self._inputs(part)) for part in parts])

    # Weights, under scikit-learn's names.

    @property
    def coefs_(self) -> list[Array]:
        """The weight matrices (inputs, outputs) of the layers, as views into ``model_``."""
        return self._views("W")

    @coefs_.setter
    def coefs_(self, arrays: Sequence[Array]) -> None:
        self._assign("W", arrays)

    @property
    def intercepts_(self) -> list[Array]:
        """The bias vectors of the layers, as views into ``model_``."""
        return self._views("b")

    @intercepts_.setter
    def intercepts_(self, arrays: Sequence[Array]) -> None:
        self._assign("b", arrays)

    def _views(self, name: str) -> Views:
        if "model_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no weights before fit")
        return Views(getattr(layer, name) for layer in linear_layers(self.model_))

    def _assign(self, name: str, arrays: Sequence[Array]) -> None:
        views = self._views(name)
        if len(arrays) != len(views):
            expected = f"{len(views)} arrays, one for each layer of weights"
            raise ValueError(sentence(type(self).__name__, expected, f"{len(arrays)}"))
        views[:] = arrays

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@np.errstate(over="ignore", invalid="ignore")
def standardiser(who: str, what: str, values: Any, weight: Array | None) -> StandardScaler:
    """Return a scaler for the columns of X, or y; raise if their squares overflow."""
    scaler = StandardScaler(with_mean=not issparse(values)).fit(values, sample_weight=weight)
    if not np.isfinite(scaler.var_).all():
        got = f"column {int(np.argmin(np.isfinite(scaler.var_)))}, whose variance is not finite"
        raise ValueError(sentence(f"{who}(scale=True)", f"columns of {what} that can be standardised", got, "scale it"))
    return scaler


def check_no_own_answers(who: str, estimator: Any) -> None:
    """Raise if a subclass, or the object, overrides a method of prediction."""
    name = next((one for one in ANSWERS if hasattr(estimator, one) and not is_of_package(estimator, one)), None)
    if name is not None:
        expected, got = "an estimator that predicts as ours do", f"{type(estimator).__name__}, which overrides {name}"
        raise TypeError(sentence(who, expected, got, "pass the network alone, estimator.model_"))


def stochastic_only(estimator: Any) -> bool:
    """Whether ``partial_fit`` exists; raise scikit-learn's error if not."""
    if estimator.solver not in STOCHASTIC:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True
