"""Messages about training that diverged or did not converge, with remedies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.scale import extremes
from ..training.divergence import best_constant

WIDE = 1e3  # a column with numbers this large needs scaling
RECENT = 10  # epochs
FALLING = 1e-3  # relative change of the loss per epoch
STILL = 1e-9
ENOUGH = 10_000  # rows that determine the loss of a constant


def after_divergence(estimator: Any, data: Any, error: str) -> str:
    """Return scikit-learn's sentence, the reason and the likely cause."""
    found = _about_inputs(estimator, data.x), _about_targets(estimator, data.y), _about_rate(estimator)
    remedies = "; ".join(advice for advice in found if advice) or "standardise X (scale=True)"
    return " ".join(
        [
            "Solver produced non-finite parameter weights.",
            "The input data may contain large values and need to be preprocessed.",
            *([error] if error else []),
            f"{remedies[0].upper()}{remedies[1:]}.",
        ]
    )


def after_last_iteration(estimator: Any) -> str:
    """Return scikit-learn's sentence, then whether more iterations are worth it."""
    return (
        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
        f"converged yet. {_about_curve(estimator.loss_curve_)}"
    )


def after_last_step(estimator: Any, reason: str) -> str:
    """Return the same for L-BFGS, which ended for this reason before it converged."""
    remedies = ["standardise X (scale=True)"] if estimator.scaler_ is None else []
    if estimator.n_iter_ >= estimator.max_iter:
        remedies.insert(0, f"raise max_iter={estimator.max_iter}")
    elif "EVALUATIONS" in reason:
        remedies.insert(0, f"raise max_fun={estimator.max_fun}")
    return f"lbfgs failed to converge after {estimator.n_iter_} iteration(s): {reason}. " + (
        f"{'; '.join(remedies or ['raise tol'])}.".capitalize()
    )


def after_learning_nothing(estimator: Any, data: Any) -> str:
    """Return advice if a constant is as good as the network; otherwise, or if unknown, ""."""
    constant = best_constant(estimator._loss, data.y, data.weight)
    if constant is None:
        return ""
    some = slice(None, None, -(-data.y.shape[0] // ENOUGH))
    y, weight = data.y[some], None if data.weight is None else data.weight[some]
    if weight is not None and not weight.any():
        return ""
    z = np.broadcast_to(constant.astype(estimator.model_.dtype), (len(y), len(constant)))
    least = estimator._loss(z, y, weight)[0]
    total = data.y.shape[0] if data.weight is None else float(data.weight.sum(dtype=np.float64))
    loss = estimator.loss_ - estimator.model_.penalty() / total
    if not loss >= least > 0:
        return ""
    found = _about_inputs(estimator, data.x), _about_targets(estimator, data.y)
    remedies = [advice for advice in found if advice] + ["try a higher or a lower learning_rate_init"]
    return (
        f"Stochastic Optimizer: The network has learned nothing: its loss ends at {loss:.3g}, and a constant "
        f"prediction has {least:.3g}. {remedies[0][0].upper()}{'; '.join(remedies)[1:]}."
    )


def _about_curve(curve: list[float]) -> str:
    recent = np.array(curve[-RECENT - 1 :])
    if len(recent) < 2 or not (np.isfinite(recent).all() and recent[0] > 0 and recent[-1] > 0):
        return "Raise max_iter, or tol."
    if np.ptp(recent) <= STILL * recent[-1]:
        return (
            "The loss stands still: raise tol; or, if it is too high, the units may all be saturated or dead, "
            "so lower learning_rate_init, or standardise X (scale=True)."
        )
    steadily = np.median(recent[1:] / recent[:-1])  # not one large drop long ago
    fall = 1 - max((recent[-1] / recent[0]) ** (1 / (len(recent) - 1)), steadily)
    if fall > FALLING:
        return f"The loss still falls by {100 * fall:.2g} % per epoch: raise max_iter."
    if recent[-1] > 1.01 * curve[0]:
        return (
            f"The loss has risen from {curve[0]:.3g} to {recent[-1]:.3g}: "
            "lower learning_rate_init, or standardise X (scale=True)."
        )
    if recent[-1] > 0.99 * curve[0]:
        return "The loss has hardly fallen at all: standardise X (scale=True), or raise learning_rate_init."
    return "The loss oscillates: lower learning_rate_init, or raise batch_size or tol."


def _about_inputs(estimator: Any, x: Any) -> str:
    wide = _widest(x)
    if wide is None:
        return ""
    column, low, high = wide
    names = getattr(estimator, "feature_names_in_", None)
    name = f"column {column}" if names is None else f"column {str(names[column])!r}"
    return f"{name} of X goes from {low:.3g} to {high:.3g}: standardise X (scale=True)"


def _about_targets(estimator: Any, y: Any) -> str:
    wide = None if hasattr(estimator, "classes_") else _widest(y)
    return (
        ""
        if wide is None
        else f"the target y goes from {wide[1]:.3g} to {wide[2]:.3g}: standardise y (scale=True does), or divide it"
    )


def _about_rate(estimator: Any) -> str:
    return "" if estimator.solver == "lbfgs" else f"lower learning_rate_init={estimator.learning_rate_init:g}"


def _widest(x: Any) -> tuple[int, float, float] | None:
    """Return the column with the largest number, and its range, if that is large."""
    low, high = extremes(x)
    column = int(np.argmax(np.maximum(np.abs(low), np.abs(high))))
    wide = max(abs(low[column]), abs(high[column])) >= WIDE
    return (column, float(low[column]), float(high[column])) if wide else None
