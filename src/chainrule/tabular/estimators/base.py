"""Training and prediction that the classifier and the regressor for tables share."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..._support.checks import Array, sentence
from ..._support.notices import warn
from ...estimators.internals import Interval, fitting
from ...layers.program import Program, run
from ...losses import Loss
from ...model import Sequential
from ...ops.fused import KERNELS
from ...training.callbacks import Callback, History
from ...training.trainer import Trainer
from .. import recipe
from ..encoding import TableEncoder
from ..kinds import Kinds
from . import tables
from .tables import Columns, EncodedRows
from .watching import BestEpoch, Deadline, Lines

PARAMETERS = """
columns : mapping of column to kind, optional
    Overrides, such as ``{"zip": "category", "id": "drop"}``. The kinds are number, category, flag, date, text and drop.
validation_fraction : float in [0, 1)
    Share of the rows, stratified by class, that is set aside to find the best epoch, unless ``fit`` gets ``X_val``; 0
    keeps the last epoch.
early_stopping : bool
    Whether to stop once the epoch exceeds 3b + 40, where b is the last epoch that improved the metric.
max_epochs : int
    Number of planned epochs.
time_limit : float or None
    Maximum time in seconds. The number of epochs and the fall of the learning rate are fitted to it.
random_state : int, RandomState or None
    Seed. The same integer gives the same network, bit for bit, unless there is a time limit.
verbose : bool
    Whether to print progress and the time left.
"""

ATTRIBUTES = """
column_kinds_ : Kinds
    The kind of each column and the reason for it; prints as a table.
encoder_ : TableEncoder
    The encoding of the columns as inputs of the network.
model_ : :class:`~chainrule.Sequential`
    The network. Its outputs are logits, or standardised numbers.
best_epoch_, n_epochs_ : int
    The epoch whose weights are kept, and the number of epochs trained.
history_ : :class:`~chainrule.callbacks.History`
    The training loss and the validation metric of each epoch.
n_features_in_, feature_names_in_, n_outputs_ : int, array of str, int
    As in scikit-learn.
"""

NOTES = """
Prediction finds the columns by name, in any order, and ignores others. Missing and unseen values are safe. The columns
of a matrix are named x0, x1, ...; in a matrix of numbers, all of them are numbers.
"""

REFERENCES = """
Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), arXiv:2407.04491.
"""

OF_TABLES = {"Parameters": PARAMETERS, "Attributes": ATTRIBUTES, "Notes": NOTES, "References": REFERENCES}


AT_ONCE = 1 << 16  # rows encoded together in prediction
FEWEST = 2  # rows

#: Allowed values of the parameters, in scikit-learn's terms, so that scikit-learn words the errors.
CONSTRAINTS: dict[str, list[Any]] = {
    "columns": [Mapping, None],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "early_stopping": ["boolean"],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "time_limit": [Interval(Real, 0, None, closed="neither"), None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class Part(NamedTuple):
    """Some rows: columns, internal form of y, and weights or None."""

    columns: Columns
    y: Array
    weight: Array | None

    def at(self, chosen: Array) -> Part:
        return Part(
            tables.take(self.columns, chosen), self.y[chosen], None if self.weight is None else self.weight[chosen]
        )


class BaseTabular(BaseEstimator):
    """Neural network for tables; the subclass defines what y is."""

    _parameter_constraints = CONSTRAINTS

    encoder_: TableEncoder
    model_: Sequential
    column_kinds_: Kinds
    history_: History
    best_epoch_: int
    n_epochs_: int
    n_features_in_: int
    n_outputs_: int
    _names: list[str]
    _by_place: bool  # whether the columns have no names

    # Defined by the subclass.

    @property
    @abstractmethod
    def _recipe(self) -> recipe.Recipe:
        """The recipe of the network."""

    @abstractmethod
    def _read_targets(self, y: Any, *, fresh: bool) -> Array:
        """Convert y to its internal form; remember its classes if it is ``fresh``."""

    @abstractmethod
    def _row_weights(self, y: Array, weight: Array | None) -> Array | None:
        """Return the weights of the rows."""

    @abstractmethod
    def _see(self, y: Array) -> None:
        """Look at the targets of the training rows."""

    @abstractmethod
    def _targets(self, y: Array) -> Array:
        """Convert y for the loss."""

    @abstractmethod
    def _loss(self) -> tuple[Loss, int]:
        """Return the loss and the number of network outputs that it needs."""

    @abstractmethod
    def _error(self, y: Array, z: Array, weight: Array | None) -> float:
        """Return the metric of network outputs z; lower is better."""

    @abstractmethod
    def decoding_(self) -> Program:
        """Return the program that turns network outputs into predictions (:mod:`chainrule.layers.program`)."""

    # Training.

    @fitting
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train on the rows of X and their classes or numbers.

        Parameters
        ----------
        X : frame, dict of columns, or matrix (N, I)
            The table: a pandas, polars or Arrow frame, a dict, or an array.
        y : array (N,), (N, K) or (N, D)
            For a classifier, a class per row, or zeros and ones for K labels, of which a row may have several. For a
            regressor, a number per row, or D numbers.
        X_val, y_val : optional
            Validation rows. By default, a share of the rows is set aside (``validation_fraction``).
        sample_weight, sample_weight_val : array (N,), optional
            Weights of the rows: 2 counts as the row twice, 0 leaves it out.

        Returns
        -------
        self
            This estimator.
        """
        began, who = time.monotonic(), type(self).__name__
        rng = np.random.default_rng(check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=4))
        columns = tables.read(who, X)
        self.__dict__.pop("model_", None)  # an estimator whose fit fails is not fitted
        self._by_place = tables.is_matrix(X)
        self._names, self.n_features_in_ = list(columns), len(columns)
        self.__dict__.pop("feature_names_in_", None)
        if not self._by_place:
            self.feature_names_in_ = np.array(self._names, object)
        part = self._part(columns, y, sample_weight, "sample_weight", fresh=True)
        with tables.speaking_as(who):
            self.column_kinds_ = tables.kinds_of(X, part.columns, self.columns)
            train, held_out = self._split(part, X_val, y_val, sample_weight_val, rng)
            self.encoder_ = TableEncoder().fit(train.columns, self.column_kinds_)
            self._see(train.y)
            self._train(train, held_out, rng, began)
        return self

    def _part(self, columns: Columns, y: Any, weight: Any, name: str, *, fresh: bool) -> Part:
        """Check that rows, targets and weights have one length, and drop rows of weight 0."""
        who, count = type(self).__name__, tables.count_rows(columns)
        if y is None:
            raise ValueError(f"This {who} estimator requires y to be passed, but the target y is None.")
        targets = self._read_targets(y, fresh=fresh)
        if len(targets) != count:
            raise ValueError(sentence(who, f"as many values in y as rows in X, {count}", f"{len(targets)}"))
        part = Part(columns, targets, tables.weights_of(who, name, weight, count))
        return part if part.weight is None or part.weight.all() else part.at(np.flatnonzero(part.weight))

    def _split(self, part: Part, X_val: Any, y_val: Any, weight_val: Any, rng: np.random.Generator) -> Any:
        """Return training rows, and validation rows or None: the user's own, or a share of all rows."""
        who = type(self).__name__
        if (X_val is None) != (y_val is None):
            raise ValueError(sentence(who, "X_val and y_val together", "one of them"))
        if X_val is not None:
            needed = [kind.name for kind in self.column_kinds_ if kind.is_input]
            columns = tables.as_in_training(who, X_val, self._names, needed, by_place=self._by_place)
            return part, self._part(columns, y_val, weight_val, "sample_weight_val", fresh=False)
        if weight_val is not None:
            raise ValueError(sentence(who, "X_val and y_val", "sample_weight_val alone"))
        if len(part.y) < FEWEST:
            raise ValueError(sentence(who, f"at least {FEWEST} rows to learn from", f"n_samples = {len(part.y)}"))
        chosen = tables.set_aside(self._strata(part.y), len(part.y), float(self.validation_fraction), rng)
        return (part.at(~chosen), part.at(chosen)) if chosen.any() else (part, None)

    def _strata(self, y: Array) -> Array | None:
        """Return the labels by which rows are stratified when some are set aside."""
        return None

    def _train(self, train: Part, held_out: Part | None, rng: np.random.Generator, began: float) -> None:
        loss, outputs = self._loss()
        model = recipe.network(self.encoder_, outputs, self._recipe, rng)
        x, weight = self.encoder_.matrix(train.columns), self._row_weights(train.y, train.weight)
        recipe.begin(model, x, rng)
        watchers: list[Callback] = [recipe.fading_dropout(self._recipe)]
        best = None
        if held_out is not None:
            best = BestEpoch(f"validation_{self.metric}", self._score(held_out, model), bool(self.early_stopping))
            watchers.append(best)
        if self.time_limit is not None:
            watchers.append(Deadline(float(self.time_limit), began))
        if self.verbose:
            watchers.append(Lines())
        size = min(recipe.BATCH, len(train.y))
        optimizer = recipe.optimizer(model, self._recipe)
        trainer = Trainer(model, loss, optimizer, size, callbacks=watchers, rng=rng, drop_last=True)
        self.history_ = trainer.fit(x, self._targets(train.y), weight, epochs=self.max_epochs, verbose=0)
        if self.history_.interrupted and not self.history_.reason:
            warn("Training interrupted by user.")
        self.n_epochs_ = trainer.epoch
        self.best_epoch_ = best.epoch if best is not None and best.epoch else self.n_epochs_
        self.model_ = model

    def _score(self, held_out: Part, model: Sequential) -> Callable[[], float]:
        """Return a function that computes the current validation error."""
        x, weight = self.encoder_.matrix(held_out.columns), self._row_weights(held_out.y, held_out.weight)
        return lambda: self._error(held_out.y, model.predict(x).astype(np.float64), weight)

    # Prediction.

    def encoding_(self, X: Any) -> EncodedRows:
        """Encode X for the network; ``predict`` accepts the result in place of X."""
        check_is_fitted(self)
        x = np.concatenate(list(self._encoded(X)))
        return EncodedRows(x, tuple(self.encoder_.matrix_columns))

    def _encoded(self, X: Any) -> Iterator[Array]:
        """Encode X for the network, in parts."""
        if isinstance(X, EncodedRows):
            yield X.x
            return
        who = type(self).__name__
        columns = tables.as_in_training(who, X, self._names, self.encoder_.columns, by_place=self._by_place)
        for start in range(0, max(tables.count_rows(columns), 1), AT_ONCE):
            with tables.speaking_as(who):
                part = self.encoder_.matrix(tables.take(columns, slice(start, start + AT_ONCE)))
            yield part

    def _answers(self, X: Any) -> Array:
        """Return the decoded network outputs in float64."""
        check_is_fitted(self)
        decoding = self.decoding_()
        # Without kernels in float64: BLAS rounds a row by its place in the batch, the kernels do not.
        model = self.model_ if KERNELS == "fused" else self.model_.astype(np.float64)
        return np.concatenate([run(decoding, model.predict(x).astype(np.float64)) for x in self._encoded(X)])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = True
        tags.non_deterministic = self.time_limit is not None
        return tags
