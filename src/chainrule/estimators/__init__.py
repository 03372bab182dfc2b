"""MLPClassifier and MLPRegressor: scikit-learn's estimators of these names, and what their users asked for."""

from __future__ import annotations

from .._support.checks import require

require("sklearn", "sklearn", "chainrule.estimators")

from .bridges import from_sklearn, to_sklearn  # noqa: E402
from .classifier import MLPClassifier  # noqa: E402
from .regressor import MLPRegressor  # noqa: E402

__all__ = ["MLPClassifier", "MLPRegressor", "from_sklearn", "to_sklearn"]
