"""Training and prediction that the classifier and the regressor for tables share."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..._support.checks import Array, sentence
from ..._support.notices import warn
from ...data.sources.spool import spooled
from ...distributed.serial import SERIAL
from ...estimators.internals import Interval, StrOptions, fitting
from ...layers.program import Program, run
from ...losses import Loss
from ...model import Sequential
from ...ops.fused import KERNELS
from ...runtime.threads import available_threads
from ...training.callbacks import History
from .. import recipe
from ..encoding import AT_ONCE, TableEncoder
from ..kinds import Kinds
from ..plans import MARGIN, PRESETS, Plan, planned, read_plan, shared_out, validation_share
from . import tables
from .members import Crew, Rows, Task, Trained, divided, joined, scale_outputs
from .tables import Columns, EncodedRows
from .watching import Lines

FEWEST = 2  # rows
UNCHANGED = 1.0, np.zeros(1)  # outputs: their factor and shift

#: Allowed values of the parameters, in scikit-learn's terms, so that scikit-learn words the errors.
CONSTRAINTS: dict[str, list[Any]] = {
    "columns": [Mapping, None],
    "preset": [StrOptions(set(PRESETS))],
    "validation_fraction": [Interval(Real, 0, 1, closed="left"), None],
    "early_stopping": ["boolean"],
    **{name: [Interval(Integral, 1, None, closed="left"), None] for name in ("n_ensemble", "n_folds", "max_epochs")},
    "plan": [Mapping, None],
    "time_limit": [Interval(Real, 0, None, closed="neither"), None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class Part(NamedTuple):
    """Some rows: the whole table by columns, internal form of y, weights or None, and their places in the table."""

    columns: Columns
    y: Array
    weight: Array | None
    places: Array
    stream: Any = None  # of all rows, encoded, if these are a sample

    def at(self, chosen: Array) -> Part:
        weight = None if self.weight is None else self.weight[chosen]
        return Part(self.columns, self.y[chosen], weight, self.places[chosen], self.stream)


class BaseTabular(BaseEstimator):
    """Neural network for tables; the subclass defines what y is."""

    _parameter_constraints = CONSTRAINTS
    _communicator = SERIAL  # of the ranks that share the members

    encoder_: TableEncoder
    model_: Sequential
    column_kinds_: Kinds
    history_: History
    best_epoch_: int
    n_epochs_: int
    plan_: dict[str, int]
    members_: list[dict[str, Any]]
    validation_error_: float | None
    oof_predictions_: Array
    n_features_in_: int
    n_outputs_: int
    _names: list[str]
    _by_place: bool  # whether the columns have no names
    _balance: dict[int, float] | None  # weights of the classes of a stream

    # Defined by the subclass.

    @property
    @abstractmethod
    def _recipe(self) -> recipe.Recipe:
        """The recipe of the network."""

    @abstractmethod
    def _read_targets(self, y: Any, name: str = "y", *, fresh: bool) -> Array:
        """Convert y, which messages call ``name``, to its internal form; remember its classes if it is ``fresh``."""

    @abstractmethod
    def _row_weights(self, y: Array, weight: Array | None) -> Array | None:
        """Return the weights of the rows."""

    @abstractmethod
    def _see(self, y: Array) -> None:
        """Look at the targets of the training rows."""

    def _widen(self, y: Array) -> None:
        """Look at the targets of more training rows."""

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
        y: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train on the rows of X and their classes or numbers.

        Parameters
        ----------
        X : frame, dict of columns, matrix (N, I), path, list of paths, pattern, LazyFrame or dataset
            The table: a pandas, polars or Arrow frame, a dict, or an array. Or what ``read_table`` takes, such as files
            or a LazyFrame, which may be larger than memory.
        y : array (N,), (N, K) or (N, D), or str
            For a classifier, a class per row, or zeros and ones for K labels, of which a row may have several. For a
            regressor, a number per row, or D numbers. For files, the name of a column.
        X_val, y_val : optional
            Validation rows. By default, a share of the rows is set aside (``validation_fraction``).
        sample_weight, sample_weight_val : array (N,) or str, optional
            Weights of the rows: 2 counts as the row twice, 0 leaves it out. For files, the name of a column.

        Returns
        -------
        self
            This estimator.
        """
        began, who = time.monotonic(), type(self).__name__
        for name in ("model_", "oof_predictions_", "feature_names_in_"):  # an estimator whose fit fails is not fitted
            self.__dict__.pop(name, None)
        X, y, sample_weight, stream = tables.in_memory(self, X, y, sample_weight)
        X_val, y_val, sample_weight_val, _ = tables.in_memory(
            self, X_val, y_val, sample_weight_val, always=True, of="_val"
        )
        columns = tables.read(who, X)
        self._by_place = tables.is_matrix(X)
        self._names, self.n_features_in_ = list(columns), len(columns)
        if not self._by_place:
            self.feature_names_in_ = np.array(self._names, object)
        self._balance = None if stream is None else tables.balanced(stream.target.counts)
        if stream is not None:
            self._read_targets(stream.all_labels, fresh=True)
        part = self._part(columns, y, sample_weight, fresh=stream is None)
        rows = len(part.y) if stream is None else stream.rows
        with tables.speaking_as(who):
            count = tables.count_rows(columns)
            seen = columns if len(part.y) == count else tables.take(columns, part.places)
            self.column_kinds_ = tables.kinds_of(X, seen, self.columns)
            own = self._own_validation(X_val, y_val, sample_weight_val)
            plan = self._planned(rows, own is not None, may_fold=stream is None)
            self.encoder_ = TableEncoder().fit(columns, self.column_kinds_, rows=part.places)
            self._see(part.y)
            if stream is not None:
                part, aside = (part, None) if own is not None else self._split(part, plan.seed, rows)
                part, own = part._replace(stream=self._encoded_once(stream, aside)), own or aside
            self._train(plan, part, own, count, began)
        return self

    def _encoded_once(self, stream: tables.Opened, aside: Part | None) -> Any:
        """Encode the rows of a stream, without those set aside, into a temporary file."""

        def blocks() -> Iterator[tuple[Array, ...]]:
            for x, y, weight in stream.encoded(self.encoder_, self.column_kinds_, aside and aside.places):
                targets = self._read_targets(y, fresh=False)
                self._widen(targets)
                w = self._row_weights(targets, weight)
                yield (x, self._targets(targets)) if w is None else (x, self._targets(targets), w.astype(x.dtype))

        return spooled(blocks())

    def _part(self, columns: Columns, y: Any, weight: Any, of: str = "", *, fresh: bool) -> Part:
        """Check that rows, targets and weights have one length, and drop rows of weight 0."""
        who, count = type(self).__name__, tables.count_rows(columns)
        if y is None:
            raise ValueError(f"This {who} estimator requires y to be passed, but the target y is None.")
        targets = self._read_targets(y, f"y{of}", fresh=fresh)
        if len(targets) != count:
            raise ValueError(sentence(who, f"as many values in y{of} as rows in X{of}, {count}", f"{len(targets)}"))
        part = Part(columns, targets, tables.weights_of(who, f"sample_weight{of}", weight, count), np.arange(count))
        return part if part.weight is None or part.weight.all() else part.at(np.flatnonzero(part.weight))

    def _own_validation(self, X_val: Any, y_val: Any, weight_val: Any) -> Part | None:
        """Return the user's validation rows."""
        who = type(self).__name__
        if (X_val is None) != (y_val is None):
            raise ValueError(sentence(who, "X_val and y_val together", "one of them"))
        if X_val is None:
            if weight_val is not None:
                raise ValueError(sentence(who, "X_val and y_val", "sample_weight_val alone"))
            return None
        needed = [kind.name for kind in self.column_kinds_ if kind.is_input]
        columns = tables.as_in_training(who, X_val, self._names, needed, by_place=self._by_place)
        return self._part(columns, y_val, weight_val, "_val", fresh=False)

    def _planned(self, rows: int, has_validation: bool, *, may_fold: bool) -> Plan:
        """Plan a training with so many rows in all, before the time limit."""
        who, seed, share = type(self).__name__, self.random_state, self.validation_fraction
        if self.plan is not None:
            plan = read_plan(who, self.plan)
        else:
            if not isinstance(seed, Integral):
                seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
            aside = has_validation or not may_fold or share is not None
            folds = 1 if aside and self.n_folds is None else self.n_folds
            members, folds = shared_out(self.preset, rows, self.n_ensemble, folds)
            left_out = 0.0 if has_validation else 1 / folds if folds > 1 else self._share(rows)
            learned = max(int(rows * (1 - left_out)), 1)
            plan = planned(self.preset, learned, self.max_epochs, members, folds, int(seed))
        if plan.n_folds > 1 and (has_validation or share is not None):
            other = "X_val" if has_validation else "validation_fraction"
            raise ValueError(sentence(who, f"either {other} or folds", "both", f"leave out {other}, or pass n_folds=1"))
        if share and has_validation:
            raise ValueError(sentence(who, "either X_val or validation_fraction", "both", "leave out one of them"))
        if plan.n_folds > 1 and not may_fold:
            raise ValueError(sentence(who, "n_folds=1 for a table larger than memory", f"{plan.n_folds}"))
        if rows < (least := max(plan.n_folds, 1 if has_validation else FEWEST)):
            raise ValueError(sentence(who, f"at least {least} rows to learn from", f"n_samples = {rows}"))
        return plan

    def _split(self, part: Part, seed: int, rows: int) -> tuple[Part, Part | None]:
        """Return training rows, and validation rows or None: a share of all ``rows``, at most half of the part."""
        rng, count, share = np.random.default_rng(seed), len(part.y), self._share(rows)
        share = share if rows == count else min(share * rows / count, 0.5)
        chosen = tables.set_aside(self._strata(part.y), count, share, rng)
        return (part.at(~chosen), part.at(chosen)) if chosen.any() else (part, None)

    def _share(self, rows: int) -> float:
        return validation_share(rows) if self.validation_fraction is None else float(self.validation_fraction)

    def _strata(self, y: Array) -> Array | None:
        """Return the labels by which rows are stratified when some are set aside."""
        return None

    def _train(self, plan: Plan, part: Part, own: Part | None, count: int, began: float) -> None:
        loss, outputs = self._loss()
        labels, share = self._strata(part.y), self._share(len(part.y))
        division = partial(divided, part=part, own=own, encode=self._rows, labels=labels, share=share)
        task = Task(
            plan, self._recipe, self.encoder_, loss, outputs, self._targets, self._epoch_error, self.metric,
            bool(self.early_stopping), division(plan),
        )  # fmt: skip
        limit = None if self.plan is not None else self.time_limit
        ranks, end = self._communicator, began + float(limit or 0)
        self._whole = plan
        plan, seconds, last = self._timed(task, limit, end)
        plan = ranks.allgather(plan)[0]  # by the clock of the first
        task = replace(task, plan=plan, rows=division(plan))
        mine = range(ranks.rank, plan.members, ranks.size)
        lines = Lines(mine, plan.epochs, seconds) if self.verbose and ranks.rank == 0 else None
        trained = Crew(task, limit, end - last, lines.tell if lines else lambda member, report: None, ranks).train()
        self._keep(task, trained, count)
        if lines:
            lines.end(self.history_.reason)
        if self.history_.interrupted and not self.history_.reason:
            warn("Training interrupted by user.")

    def _timed(self, task: Task, limit: float | None, end: float) -> tuple[Plan, float, float]:
        """Return the plan within the time limit, about how many seconds it takes, and those after the last epoch."""
        plan, own = task.plan, available_threads()
        if limit is None and not self.verbose:
            return plan, 0.0, 0.0
        processors = own * self._communicator.size
        each, start, score = task.pace(max(1, min(own, processors // min(processors, plan.members))))
        if limit is not None:
            fits, start_fits = (part / max(each, 1e-9) for part in ((end - time.monotonic()) * MARGIN, start))
            may_drop = self.n_ensemble is None and self.n_folds in (None, 1)
            plan = plan.within(fits, processors, may_drop=may_drop, start=start_fits)
        return plan, (each * plan.epochs + start) * plan.rounds(processors), plan.members * score

    def _keep(self, task: Task, trained: list[Trained], rows: int) -> None:
        """Calibrate the members, average them, and keep what is known of them; there were so many rows."""
        first, members, scored = trained[0], [], []
        calibrated = dict.fromkeys((member.fold for member in trained), UNCHANGED)
        for fold in calibrated:
            if (held_out := task.rows.held_out(fold)) is not None:
                each = [member.model.predict(held_out.x) for member in trained if member.fold == fold]
                z = sum(each[1:], each[0].astype(np.float64)) / len(each)
                calibrated[fold] = beta, shift = self._calibration(held_out.y, z, held_out.weight)
                scored.append((fold, held_out, beta * z + shift))
        for member in trained:
            beta, shift = calibrated[member.fold]
            scale_outputs(member.model, beta, shift)
            members.append(member.facts() | {"temperature": 1 / beta})
        changes = [[member, *change] for member, one in enumerate(trained) for change in one.changes]
        self.members_, self.plan_ = members, task.plan._replace(shortened=changes).told()
        self.history_, self.best_epoch_, self.n_epochs_ = first.history, first.best_epoch, first.n_epochs
        self.history_.interrupted = any(member.history.interrupted for member in trained)
        self.history_.reason = next((reason for member in trained if (reason := member.history.reason)), "")
        self.model_, self.validation_error_ = joined(trained, first.model.rng), None
        if scored:
            weights = [held_out.weight for _, held_out, _ in scored if held_out.weight is not None]
            y, z = np.concatenate([rows.y for _, rows, _ in scored]), np.concatenate([z for *_, z in scored])
            self.validation_error_ = self._error(y, z, np.concatenate(weights) if weights else None)
        if task.plan.n_folds > 1:
            answers = [(task.rows.places(fold), self._predictions(run(self.decoding_(), z))) for fold, _, z in scored]
            self.oof_predictions_ = np.full((rows, *answers[0][1].shape[1:]), np.nan)
            for where, found in answers:
                self.oof_predictions_[where] = found

    def _calibration(self, y: Array, z: Array, weight: Array | None) -> tuple[float, Array]:
        """Return the factor for network outputs, and the shift after it, that calibrate them."""
        return UNCHANGED

    def _epoch_error(self, y: Array, z: Array, weight: Array | None) -> float:
        """Return the metric after calibration, by which epochs compete: how wrong their order is, not their scale."""
        beta, shift = self._calibration(y, z, weight)
        return self._error(y, beta * z + shift, weight)

    def _predictions(self, answers: Array) -> Array:
        """Return what ``predict_proba`` of a classifier, and ``predict`` of a regressor, make of decoded outputs."""
        return answers

    def _rows(self, part: Part) -> Rows:
        if part.stream is not None and len(part.y) > tables.FEW:
            some = np.random.default_rng(0).permutation(len(part.y))[: tables.FEW]
            part = part.at(np.sort(some))
        weight = self._row_weights(part.y, part.weight)
        return Rows(self.encoder_.matrix(part.columns, part.places), part.y, weight, part.stream)

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
        who, by_place = type(self).__name__, self._by_place
        names, needed = self._names, self.encoder_.columns
        if (row := tables.row_of(who, X, names, needed, by_place=by_place)) is not None:
            with tables.speaking_as(who):
                part = self.encoder_.row(row)
            yield part
            return
        if tables.is_stored(X):
            yield from tables.encoded_blocks(who, X, self.encoder_)
            return
        columns = tables.as_in_training(who, X, names, needed, by_place=by_place)
        count = tables.count_rows(columns)
        for start in range(0, max(count, 1), AT_ONCE):
            with tables.speaking_as(who):
                part = self.encoder_.matrix(columns, np.arange(start, min(start + AT_ONCE, count)))
            yield part

    def _answers(self, X: Any) -> Array:
        """Return the decoded network outputs in float64."""
        if not hasattr(self, "model_"):  # faster than the check
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
