"""What is published: one version everywhere, NumPy alone on import, and extras that hold what the code asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import chainrule as cr

ROOT = Path(__file__).resolve().parents[1]
CONTENT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONTENT["project"]
EXTRAS = PROJECT["optional-dependencies"]
GROUPS = CONTENT["dependency-groups"]
NEEDS_AN_EXTRA = ("chainrule.estimators", "chainrule.tabular")  # their classes inherit from scikit-learn's

LOADED_BY = """
import importlib, pathlib, sys
import numpy.random  # with whatever NumPy itself brings
before = {name.split(".")[0] for name in sys.modules}
import chainrule
root = pathlib.Path(chainrule.__path__[0])
for path in sorted(root.rglob("*.py")):
    name = ".".join(["chainrule", *path.relative_to(root).with_suffix("").parts]).removesuffix(".__init__")
    if %r and not name.startswith(%r) and not name.endswith("__main__"):
        importlib.import_module(name)
after = {name.split(".")[0] for name in sys.modules}
print(*(after - before - sys.stdlib_module_names))
"""


def third_party_loaded(*, all_modules: bool) -> set[str]:
    script = LOADED_BY % (all_modules, NEEDS_AN_EXTRA)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {"numpy", *result.stdout.split()} - {"chainrule"}
    return {name for name in loaded if not name.startswith("_cython_")}  # which a compiled module makes in memory


def test_importing_chainrule_loads_numpy_and_nothing_else() -> None:
    assert third_party_loaded(all_modules=False) == {"numpy"}


def test_importing_loads_no_more_than_training_needs() -> None:
    heavy = {"csv", "difflib", "fnmatch", "gzip", "hashlib", "json", "pathlib", "tempfile", "urllib.parse"}
    heavy |= {"chainrule.reporting", "chainrule.training.callbacks.logs"}
    script = f"import sys, numpy; had = set(sys.modules); import chainrule; print(*{heavy} & (set(sys.modules) - had))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_no_module_but_those_built_on_scikit_learn_loads_more_than_numpy() -> None:
    assert third_party_loaded(all_modules=True) == {"numpy"}


def test_pyproject_states_the_version() -> None:
    assert PROJECT["version"] == cr.__version__


def test_the_changelog_opens_with_the_version() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert re.fullmatch(rf"\[{re.escape(cr.__version__)}\] - (Unreleased|\d{{4}}-\d\d-\d\d)", headings[0])


def test_the_citation_states_the_version() -> None:
    versions = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions == [cr.__version__]


def test_all_is_what_a_user_would_want() -> None:
    assert EXTRAS["all"] == ["chainrule[sklearn,tabular,excel,onnx,keras,plots,logging]"]
    assert set(EXTRAS) == {"sklearn", "tabular", "excel", "onnx", "keras", "plots", "logging", "mlflow", "mpi", "all"}
    assert set(GROUPS) == {"test", "dev", "docs", "works-with", "bench"}


def requirements() -> list[str]:
    """All that pyproject.toml asks for, without what refers to another of its own lists."""
    lists = [PROJECT["dependencies"], *EXTRAS.values(), *GROUPS.values()]
    return [need for needs in lists for need in needs if isinstance(need, str) and not need.startswith("chainrule[")]


def test_every_requirement_has_a_floor_and_no_cap() -> None:
    assert [need for need in requirements() if not re.fullmatch(r"[\w-]+>=\d+(\.\d+)*", need)] == []
    packages = [need.split(">=")[0] for need in requirements()]
    assert len(packages) == len(set(packages))  # one floor each


def test_the_lowest_versions_that_are_tested_are_those_that_are_stated() -> None:
    script = [sys.executable, ROOT / ".ci" / "lowest.py"]
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout.split()
    assert printed == [need.replace(">=", "==") for need in requirements()]


def test_the_package_says_that_it_is_typed() -> None:
    assert cr.__file__ is not None
    assert (Path(cr.__file__).parent / "py.typed").is_file()
