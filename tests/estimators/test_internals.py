"""What scikit-learn does not promise to keep: which of it we use, that it is there, and what to do when it is not."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer, max_error

import chainrule as cr
from chainrule.estimators import internals
from chainrule.estimators.internals import takes_weight

#: Each private name, and what of it we rely on.
PRIVATE = {
    ("sklearn.base", "_fit_context"): ["prefer_skip_nested_validation"],
    ("sklearn.utils._param_validation", "Interval"): ["type", "left", "right", "closed"],
    ("sklearn.utils._param_validation", "Options"): ["type", "options"],
    ("sklearn.utils._param_validation", "StrOptions"): ["options"],
}


def private_imports(path: Path) -> set[tuple[str, str]]:
    """Names that begin with _, or come from a module that does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sklearn":
            hidden = any(part.startswith("_") for part in node.module.split("."))
            found |= {(node.module, alias.name) for alias in node.names if hidden or alias.name.startswith("_")}
    return found


def test_private_names_are_imported_in_one_place():
    package = Path(cr.__file__).parent
    found = {path.name: names for path in package.rglob("*.py") if (names := private_imports(path))}
    assert found == {"internals.py": set(PRIVATE)}


@pytest.mark.parametrize(("module", "name"), PRIVATE)
def test_a_private_name_is_where_it_was_and_takes_what_it_took(module, name):
    moved = f"{module}.{name} has moved: mend chainrule/estimators/internals.py"
    assert hasattr(import_module(module), name), moved
    parameters = inspect.signature(getattr(import_module(module), name)).parameters
    assert set(PRIVATE[module, name]) <= set(parameters), moved


def test_parameters_are_validated_in_the_words_of_scikit_learn():
    with pytest.raises(ValueError, match="The 'solver' parameter of MLPClassifier must be a str among"):
        cr.MLPClassifier(solver="newton").fit([[0.0], [1.0]], [0, 1])
    assert internals.fitting is not None


# ---- scorers, with weights where they take them

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


def score_of(estimator, X, y):
    """A scorer of the user's own, without weights."""
    return -float(np.abs(estimator.predict(X) - y).max())


def weighted_score_of(estimator, X, y, sample_weight=None):
    return -float(np.average(np.abs(estimator.predict(X) - y), weights=sample_weight))


@pytest.mark.parametrize(
    ("scorer", "takes"),
    [
        (get_scorer("accuracy"), True),
        (get_scorer("r2"), True),
        (make_scorer(max_error, greater_is_better=False), False),
        (score_of, False),
        (weighted_score_of, True),
        (None, False),
    ],
)
def test_whether_a_scorer_takes_weights(scorer, takes):
    assert takes_weight(scorer) == takes


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:.*ill-defined")
@pytest.mark.filterwarnings("ignore:The number of unique classes is greater than 50")  # by scorers of clusters
@pytest.mark.parametrize("name", get_scorer_names())
def test_every_scorer_of_scikit_learn_stops_a_weighted_training(name):
    of_numbers = any(word in name for word in ("error", "r2", "deviance", "variance", "d2_a", "d2_p"))
    of_classes = "log_loss" in name or "brier" in name or not of_numbers
    X, y = IRIS if of_classes else DIABETES
    if of_classes:
        y = np.eye(3, dtype=int)[y] if "samples" in name else (y > 0).astype(int)
    estimator = cr.MLPClassifier if of_classes else cr.MLPRegressor
    settings = {"hidden_layer_sizes": (4,), "max_iter": 2, "early_stopping": True, "random_state": 0, "scale": True}
    weight = np.linspace(1, 2, len(y))
    model = estimator(scoring=name, **settings)
    if not of_classes:
        model.set_params(loss="poisson")  # whose predictions are above 0, as some scorers need
    model.fit(X, y, sample_weight=weight)
    assert len(model.validation_scores_) == 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scorer", [score_of, weighted_score_of])
def test_a_scorer_of_ones_own_stops_a_weighted_training(scorer):
    X, y = DIABETES
    model = cr.MLPRegressor(
        hidden_layer_sizes=(4,), max_iter=2, early_stopping=True, scale=True, scoring=scorer, random_state=0
    )
    assert len(model.fit(X, y, sample_weight=np.linspace(1, 2, len(y))).validation_scores_) == 2
