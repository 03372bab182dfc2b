"""Every warning points at the line that the user wrote, and says what to do."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr

X, Y = load_iris(return_X_y=True)


def classifier(**settings):
    return cr.MLPClassifier(**{"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0} | settings)


#: What warns, and of what. Each is one line of this file.
CASES = {
    "last epoch": (lambda: classifier().fit(X, Y), ConvergenceWarning, "raise max_iter"),
    "keywords": (lambda: classifier().fit(X=X, y=Y), ConvergenceWarning, "raise max_iter"),
    "lbfgs": (lambda: classifier(solver="lbfgs").fit(X, Y), ConvergenceWarning, "Raise max_iter=2"),
    "evaluations": (lambda: classifier(solver="lbfgs", max_fun=1).fit(X, Y), ConvergenceWarning, "max_fun=1"),
    "column": (lambda: classifier(max_iter=400, tol=1).fit(X, Y[:, None]), DataConversionWarning, "ravel"),
    "column in parts": (
        lambda: classifier().partial_fit(X, Y[:, None], classes=[0, 1, 2]),
        DataConversionWarning,
        "ra",
    ),
    "column of numbers": (lambda: cr.MLPRegressor(tol=1).fit(X, X[:, :1]), DataConversionWarning, "ravel"),
    "batch size": (lambda: classifier(batch_size=151).partial_fit(X, Y, classes=[0, 1, 2]), UserWarning, "batch_size"),
    "a pipeline": (
        lambda: make_pipeline(StandardScaler(), classifier()).fit(X, Y),
        ConvergenceWarning,
        "raise max_iter",
    ),
    "a search": (lambda: GridSearchCV(classifier(), {"alpha": [0.1]}, cv=2).fit(X, Y), ConvergenceWarning, "max_iter"),
    "validation": (lambda: cross_val_score(classifier(), X, Y, cv=2), ConvergenceWarning, "max_iter"),
    "many outputs": (
        lambda: MultiOutputRegressor(cr.MLPRegressor(max_iter=2)).fit(X, X),
        ConvergenceWarning,
        "max_iter",
    ),
    "nothing": (
        lambda: classifier(learning_rate_init=1e-9, max_iter=99).fit(X, Y),
        ConvergenceWarning,
        "learned nothing",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_warning_points_at_the_users_line(name):
    act, category, says = CASES[name]
    lines, start = inspect.getsourcelines(act)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    assert caught
    assert {warning.filename for warning in caught} == {__file__}
    assert {warning.lineno for warning in caught} <= set(range(start, start + len(lines)))
    assert any(issubclass(warning.category, category) and says in str(warning.message) for warning in caught)


def test_a_warning_in_a_worker_without_a_line_of_the_users_points_at_chainrule(tmp_path):
    program = tmp_path / "users.py"
    program.write_text(
        textwrap.dedent("""
            import numpy as np
            from joblib import Parallel, delayed
            import chainrule as cr
            if __name__ == "__main__":
                one = cr.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2)
                Parallel(n_jobs=2)([delayed(one.fit)(np.eye(4), np.arange(4))])
        """)
    )
    command = [sys.executable, "-W", "always", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    places = [line.split(":")[0].strip() for line in said.splitlines() if ": ConvergenceWarning: " in line]
    assert places
    assert all("chainrule" in Path(place).parts for place in places), said


# ---- kernels that are missing

PROGRAM = """
    import sys
    sys.modules["chainrule.ops.fused._kernels"] = None  # as where no compiler was at hand
    import numpy as np
    import chainrule as cr
    x = np.eye(2)
    cr.MLP([2, 1]).predict(x)
    for _ in range(2):
        cr.Trainer(cr.MLP([2, 1], rng=0), "squared_error").fit(x, x[:, :1], epochs=1, verbose=0)
"""


@pytest.mark.parametrize("choice", ["", "numpy"])
def test_a_training_without_kernels_says_so_once_and_not_to_who_chose_it(choice, monkeypatch, tmp_path):
    monkeypatch.setenv("CHAINRULE_KERNELS", choice)
    program = tmp_path / "users.py"
    program.write_text(textwrap.dedent(PROGRAM))
    run = subprocess.run([sys.executable, "-W", "always", program], capture_output=True, text=True, check=True)
    if choice == "numpy":
        assert run.stderr == ""
    else:
        assert run.stderr.count("Warning") == 1
        assert f"{program}:9: UserWarning: chainrule trains with NumPy alone" in run.stderr
        assert "Install a C compiler and reinstall chainrule" in run.stderr


def test_a_training_with_kernels_has_nothing_to_say():
    x = np.eye(2)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cr.Trainer(cr.MLP([2, 1], rng=0), "squared_error").fit(x, x[:, :1], epochs=1, verbose=0)
    assert said == []
