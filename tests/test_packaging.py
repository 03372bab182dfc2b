"""What is published: one version everywhere, NumPy alone on import, and extras that hold what the code asks for."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import chainrule as cr

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGE_OF = {"sklearn": "scikit-learn", "mlflow": "mlflow-skinny"}  # where the module and its package differ in name
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


def package_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0] for requirement in requirements}


def test_importing_chainrule_loads_numpy_and_nothing_else() -> None:
    assert third_party_loaded(all_modules=False) == {"numpy"}


def test_importing_chainrule_loads_no_more_of_the_standard_library_than_training_needs() -> None:
    heavy = {"csv", "difflib", "fnmatch", "gzip", "hashlib", "json", "pathlib", "tempfile", "urllib.parse"}
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
    assert EXTRAS["all"] == ["chainrule[sklearn,tabular,onnx,keras,plots,logging]"]
    extras = ("sklearn", "tabular", "onnx", "keras", "plots", "logging", "mlflow", "mpi", "bench", "dev", "all")
    assert set(EXTRAS) == set(extras)


def test_the_package_says_that_it_is_typed() -> None:
    assert cr.__file__ is not None
    assert (Path(cr.__file__).parent / "py.typed").is_file()


def test_each_extra_named_in_an_error_holds_the_package_that_is_missing() -> None:
    spec = find_spec("chainrule")
    assert spec is not None
    assert spec.origin is not None
    wrong = []
    for path in Path(spec.origin).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("require"), args=[ast.Constant(str(module)), ast.Constant(str(extra)), *_]):
                    package = module.split(".")[0]
                    if PACKAGE_OF.get(package, package) not in package_names(EXTRAS.get(extra, [])):
                        wrong.append(f"{path.name}:{node.lineno} sends who lacks {package} to chainrule[{extra}]")
    assert wrong == []
