"""What to do about a training that diverged, or did not converge: said in the message itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._checks import Array

WIDE = 1e3  # a column with numbers this large needs to be scaled
RECENT = 10  # epochs
FALLING = 1e-3  # of the loss, an epoch


def after_divergence(estimator: Any, x: Any, error: Exception) -> str:
    """scikit-learn's sentence, then ours, then the likely cause."""
    remedies = [advice for advice in (_about_scale(estimator, x), _about_rate(estimator)) if advice]
    return (
        "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
        f"preprocessed. {error} {'; '.join(remedies)}."
    )


def after_last_iteration(estimator: Any) -> str:
    """scikit-learn's sentence, then whether more iterations are worth it."""
    return (
        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
        f"converged yet. {_about_curve(estimator.loss_curve_)}"
    )


def _about_curve(curve: list[float]) -> str:
    recent = np.array(curve[-RECENT - 1 :])
    if len(recent) < 2 or not (np.isfinite(recent).all() and recent[0] > 0 and recent[-1] > 0):
        return "Raise max_iter, or tol."
    fall = 1 - (recent[-1] / recent[0]) ** (1 / (len(recent) - 1))
    if fall > FALLING:
        return f"The loss still falls by {100 * fall:.2g} % an epoch: raise max_iter."
    if recent[-1] > 0.99 * curve[0]:
        return "The loss has hardly fallen at all: standardise X (scale=True), or raise learning_rate_init."
    return "The loss moves up and down: lower learning_rate_init, or raise batch_size or tol."


def _about_scale(estimator: Any, x: Any) -> str:
    """The widest column of x, if it is wide."""
    low, high = _ranges(x)
    widest = int(np.argmax(np.maximum(np.abs(low), np.abs(high))))
    if max(abs(low[widest]), abs(high[widest])) < WIDE:
        return ""
    names = getattr(estimator, "feature_names_in_", None)
    name = f"column {widest}" if names is None else f"column {names[widest]!r}"
    return f"{name} of X goes from {low[widest]:.3g} to {high[widest]:.3g}: standardise X (scale=True)"


def _about_rate(estimator: Any) -> str:
    return "" if estimator.solver == "lbfgs" else f"lower learning_rate_init={estimator.learning_rate_init:g}"


def _ranges(x: Any) -> tuple[Array, Array]:
    """The least and the greatest number of each column, dense or sparse."""
    if hasattr(x, "toarray"):
        return x.min(axis=0).toarray().ravel(), x.max(axis=0).toarray().ravel()
    return x.min(axis=0), x.max(axis=0)
