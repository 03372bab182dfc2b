"""scikit-learn's own tests of its MLP, with ours in its place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

THEIRS = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
OURS = "from chainrule import MLPClassifier, MLPRegressor"
FIXTURE = """
import pytest


@pytest.fixture
def global_random_seed():
    return 42
"""
EXPECTED = {
    "test_fit",  # sets and reads private attributes
    "test_gradient",  # differentiates a private method
    "test_early_stopping_stratified",  # our message names the user's label [1], theirs the inner one ['True']
    "test_mlp_partial_fit_after_fit[MLPClassifier]",  # early stopping in partial_fit: theirs refuses it
    "test_mlp_partial_fit_after_fit[MLPRegressor]",
}


@pytest.mark.skipif(not sklearn.__version__.startswith("1.9."), reason="the tests of scikit-learn 1.9")
def test_all_but_those_of_private_names_pass(tmp_path):
    found = find_spec("sklearn.neural_network.tests.test_mlp")
    if found is None or found.origin is None:
        pytest.skip("this scikit-learn was installed without its tests")
    text = Path(found.origin).read_text(encoding="utf-8")
    assert THEIRS in text
    (tmp_path / "test_mlp.py").write_text(text.replace(THEIRS, OURS), encoding="utf-8")
    (tmp_path / "conftest.py").write_text(FIXTURE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider", "test_mlp.py"]
    paths = os.pathsep.join(path for path in sys.path if path)
    alone = {
        "PYTHONPATH": paths,
        "OPENBLAS_NUM_THREADS": "1",
    }  # for small products
    run = subprocess.run(command, cwd=tmp_path, env=os.environ | alone, capture_output=True, text=True, check=False)
    failed = set(re.findall(r"^FAILED test_mlp\.py::(\S+)", run.stdout, flags=re.MULTILINE))
    assert failed == EXPECTED, run.stdout
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed[1]) > 50
