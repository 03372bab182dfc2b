"""TabularClassifier and TabularRegressor: from a table as it comes to a trained network, and its answers."""

from __future__ import annotations

from ..._support.checks import require

require("sklearn", "tabular", "chainrule.tabular.estimators")

from .learners import TabularClassifier, TabularRegressor  # noqa: E402

__all__ = ["TabularClassifier", "TabularRegressor"]
