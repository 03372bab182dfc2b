"""A call of ``partial_fit`` on as many rows as the last: what that one has checked and made is used again.

A call that has taken one step keeps a compiled engine with rows of its own, and what each attribute of the estimator
is. If none has been assigned since, and the new rows are arrays of the same shapes and dtypes, finite and of known
classes, they are copied there and the step is taken. All else takes the long way, which also words the errors.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any, TypeAlias

import numpy as np
from sklearn.utils import check_random_state

from .._support import checks as _checks
from .._support.checks import Array
from ..data.batches import Batches
from ..layers import Linear
from ..ops.fused import twin
from ..runtime.signals import deferred
from ..training.callbacks.base import learned
from ..training.compiled import Compiled, compiled_engine
from ..training.engine import Parts
from ..training.inputs import check_targets
from ..training.state import watching_schedules
from .internals import claimed
from .training import Data, Order, Watch

Known: TypeAlias = "Callable[[Array | list[Any]], bool]"  # whether targets need no more checks

all_finite = twin(_checks.all_finite)
FIXED = (bool, int, float, str, type(None), np.random.RandomState)  # objects that stay what they are, or are asked
NOTICED = ("early_stopping", "max_norm", "average", "callbacks", "class_weight", "products", "_skl_callbacks")


class Again:
    """The next call; a copy of the estimator has none."""

    def __init__(
        self, estimator: Any, engine: Compiled, parts: Parts, x: Array, target: Array, y: Array, known: Known
    ) -> None:
        self._engine, self._parts, self._x, self._target = engine, parts, x, target
        self._y_shape, self._known = y.shape, known
        model, optimizer, random = parts.model, parts.optimizer, estimator.random_state
        self._changing = [*learned(model), *optimizer.state.values()]
        self._before = [array.copy() for array in self._changing]
        self._draws = not all(type(layer) is Linear for layer in model.layers)
        self._outputs = np.zeros((len(x), model.predict(x).shape[1]), x.dtype)
        shuffled = estimator.shuffle and len(x) > 1
        self._random = check_random_state(random) if shuffled and not isinstance(random, int) else None
        self._order = Order(check_random_state(random), True)(len(x)) if shuffled and self._random is None else None
        self._left = list(vars(estimator).values())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()

    def train(self, estimator: Any, *args: Any, classes: Any = None, **others: Any) -> bool:
        """Take the step; return False if this takes the long way, and nothing has changed."""
        now = vars(estimator).values()
        if len(args) != 2 or others or len(now) != len(self._left) or not all(map(is_, now, self._left)):
            return False
        if classes is not None and not np.array_equal(classes, estimator.classes_):
            return False
        X, y, parts = _array(args[0]), _array(args[1]), self._parts
        if X is None or X.shape != self._x.shape or X.dtype != self._x.dtype or not all_finite(X):
            return False
        if y is None or y.shape != self._y_shape or not self._known(args[1]) or not self._engine.obeys(parts):
            return False
        with claimed(estimator) as claim:
            claim.add(parts.model, parts.optimizer)
            self._target[...] = estimator._loss.target(self._outputs, estimator._targets(y))
            self._x[...] = estimator._inputs(X)
            loss = self._step() if all_finite(self._x) else None
            if loss is not None:
                mean = loss * float(len(X)) / len(X)  # of an epoch; rounded as by the trainer
                Watch(estimator, len(X), None, True).take_note(mean, parts.optimizer)
                self._left = list(vars(estimator).values())
        return loss is not None

    def _step(self) -> float | None:
        """Return the loss; None, with everything as before, if it or a parameter is not finite."""
        engine, model = self._engine, self._parts.model
        drawn = model.rng.bit_generator.state if self._draws else None
        for room, array in zip(self._before, self._changing, strict=True):
            np.copyto(room, array)
        order = self._order if self._random is None else Order(self._random, True)(len(self._x))
        loss = engine.step(order)
        if engine.failure is None and all_finite(model.parameters.vector):
            return loss
        engine.failure = None
        with deferred():
            for room, array in zip(self._before, self._changing, strict=True):
                np.copyto(array, room)
            if drawn is not None:
                model.rng.bit_generator.state = drawn
        return None


def _array(values: Any) -> Array | None:
    if type(values) is not list:
        return values if type(values) is np.ndarray else None
    try:
        return np.asarray(values)
    except Exception:  # of whatever the list holds; the long way says what it is
        return None


def prepared(estimator: Any, data: Data, y: Array) -> Again | None:
    """Return the next call; None if it may need more than a step on its rows, or there is no compiled engine."""
    x, rows = data.x, len(y)
    given = [getattr(estimator, name) for name in estimator._parameter_constraints]
    plain = all(isinstance(one, FIXED) or (type(one) is tuple and all(type(i) in FIXED for i in one)) for one in given)
    noticed = any(getattr(estimator, name, None) for name in NOTICED) or "feature_names_in_" in vars(estimator)
    if not plain or noticed or data.weight is not None:
        return None
    if type(x) is not np.ndarray or x.dtype != estimator.model_.dtype:
        return None
    if rows > 200 if estimator.batch_size == "auto" else rows != estimator.batch_size:
        return None
    model, loss, optimizer = estimator.model_, estimator._loss, estimator._optimizer
    known, targets = estimator._known_targets(y), check_targets(model, loss, (x, data.y, None))
    if known is None or targets is None or any(watching_schedules(optimizer)):
        return None
    x, target = np.array(x, order="C"), np.array(targets[0], order="C")
    batches = Batches(x, target, None, size=None, rng=model.rng, drop_last=False, sample="all")
    parts = Parts(model, loss, optimizer, model.rng, average_penalty=True, augment=())
    engine = compiled_engine(parts, batches, (target, None))
    return None if engine is None else Again(estimator, engine, parts, x, target, y, known)
