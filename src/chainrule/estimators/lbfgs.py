"""L-BFGS, from SciPy, over the flat vector of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from .._support.checks import Array, sentence
from .._support.errors import DivergenceError
from .._support.notices import warn
from ..runtime.threads import blas_threads
from .advice import after_divergence, after_last_step
from .callbacks import Tasks
from .parameters import linear_layers, set_penalty
from .training import Data


def minimize_loss(estimator: Any, data: Data, tasks: Tasks | None = None) -> None:
    """Minimise the loss of all rows over the estimator's model, and set ``loss_`` and ``n_iter_``.

    L(θ) = (Σₙ wₙ l(f(xₙ; θ), yₙ) + α/2 ΣW²) / Σₙ wₙ
    """
    model, loss = estimator.model_, estimator._loss
    x, y, weight = data
    total = x.shape[0] if weight is None else float(weight.sum(dtype=np.float64))
    if not total > 0:
        expected = "a row whose weight, times that of its class, is above 0"
        raise ValueError(sentence(type(estimator).__name__, expected, "none"))
    set_penalty(model, float(estimator.alpha / total))

    def value_and_gradient(vector: Array) -> tuple[float, Array]:
        if tasks:
            tasks.begin()
        model.parameters.vector[:] = vector
        value, dz = loss(model.forward(x, training=True), y, weight)
        model.backward(dz)
        return value + model.penalty(), model.gradients.vector.astype(np.float64)

    largest = max(2 * x.shape[0] * layer.in_features * layer.out_features for layer in linear_layers(model))
    try:
        with blas_threads(largest), np.errstate(over="ignore", invalid="ignore"):
            result = minimize(
                value_and_gradient,
                model.parameters.vector.astype(np.float64),
                method="L-BFGS-B",
                jac=True,
                callback=tasks.after_iteration if tasks else None,
                options={"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol},
            )
    finally:
        model.forget_batches()  # activations of all rows
    model.parameters.vector[:] = result.x
    estimator.loss_ = float(result.fun)
    if not (np.isfinite(estimator.loss_) and np.isfinite(result.x).all()):
        raise DivergenceError(after_divergence(estimator, data, ""))
    estimator.n_iter_ = min(int(result.nit), estimator.max_iter)
    if result.status != 0:
        warn(after_last_step(estimator, str(result.message)), ConvergenceWarning)
