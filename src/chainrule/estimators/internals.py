"""The only place that uses private parts of scikit-learn.

Its own estimators use them to word errors, validate parameters and call callbacks, and so must ours to behave alike.
``tests/estimators/test_internals.py`` fails if one of them moves.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions

from ..training.run import Claim

__all__ = ["Interval", "Options", "StrOptions", "fitting", "takes_weight"]


def fitting(method: Callable[..., Any]) -> Any:
    """Wrap ``fit`` or ``partial_fit``: validate by ``_parameter_constraints``, call callbacks, exclude other fits.

    A call of ``partial_fit`` that only repeats the one before it needs nothing of that.
    """

    @functools.wraps(method)
    def alone(self: Any, *args: Any, **options: Any) -> Any:
        with claimed(self):
            return method(self, *args, **options)

    whole = _fit_context(prefer_skip_nested_validation=True)(alone)
    if method.__name__ != "partial_fit":
        return whole

    @functools.wraps(method)
    def again_or_whole(self: Any, *args: Any, **options: Any) -> Any:
        again = vars(self).pop("_again", None)
        if again is None or not again.train(self, *args, **options):
            return whole(self, *args, **options)
        self._again = again
        return self

    return again_or_whole


def claimed(estimator: Any) -> Claim:
    """Hold the estimator for one fit."""
    claim = Claim(type(estimator).__name__, "an estimator of its own for each fit", "estimator")
    claim.add(estimator)
    return claim


def takes_weight(scorer: Any) -> bool:
    """Whether a scorer, or a user's function, uses sample weights.

    A scorer accepts them even if its function does not; scikit-learn 1.6 has no other way to find out.
    """
    function = getattr(scorer, "_score_func", scorer)
    if hasattr(scorer, "_estimator"):  # the score method of the estimator
        function = scorer._estimator.score
    parameters = inspect.signature(function).parameters if callable(function) else {}
    return "sample_weight" in parameters
