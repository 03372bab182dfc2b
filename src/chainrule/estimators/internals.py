"""All that we use of scikit-learn and that it does not promise to keep, in one place.

Its own estimators are written with these, and so is whatever is to word errors, validate parameters and call back as
they do. ``tests/estimators/test_internals.py`` says when one of them moves.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions

from ..training.claim import Claim

__all__ = ["Interval", "Options", "StrOptions", "fitting", "takes_weight"]


def fitting(method: Callable[..., Any]) -> Any:
    """Around ``fit`` and ``partial_fit``: parameters are validated by ``_parameter_constraints``, callbacks called.

    No other fit of the same estimator may run meanwhile.
    """

    @functools.wraps(method)
    def alone(self: Any, *args: Any, **options: Any) -> Any:
        with Claim(type(self).__name__, "an estimator of its own for each fit", "estimator") as claim:
            claim.add(self)
            return method(self, *args, **options)

    return _fit_context(prefer_skip_nested_validation=True)(alone)


def takes_weight(scorer: Any) -> bool:
    """Whether a scorer, or a function of the user's, has a use for sample weights.

    A scorer takes them whatever its function does; in scikit-learn 1.6 it has no other way to say so.
    """
    function = getattr(scorer, "_score_func", scorer)
    if hasattr(scorer, "_estimator"):  # the score method of the estimator
        function = scorer._estimator.score
    parameters = inspect.signature(function).parameters if callable(function) else {}
    return "sample_weight" in parameters
