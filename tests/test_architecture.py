"""The order of the house: a file imports only from files above it, in no circle, and stays short; every room exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from architecture import (
    PACKAGE_OF,
    Modules,
    broken_rules,
    calls_of_require,
    installed_by,
    long_functions,
    read_modules,
    too_long,
    unused_requirements,
)

ORDER = (
    # 1 · ground
    "_support", "ops", "runtime", "distributed",
    # 2 · parts
    "initializers", "parameters", "layers", "losses", "metrics", "schedules", "optimizers",
    # 3 · whole
    "model", "data", "proof", "training", "diagnostics",
    # 4 · tools
    "callbacks", "estimators", "tabular", "persistence", "convert", "exercises", "plots", "reporting", "explanation",
    "playground", "cli", "__main__",
)  # fmt: skip

# What breaks a rule today. Take out what you mend; put nothing in.
FUNCTIONS_TOO_LONG_TODAY: set[str] = set()
TESTS_TOO_LONG_TODAY: set[str] = set()
NAMES_TOO_LONG_TODAY: set[str] = set()

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def modules() -> Modules:
    """Those of chainrule, as its source tree has them: a wheel holds no Cython."""
    return read_modules(HERE.parent / "src" / "chainrule")


def test_the_house_is_in_order(modules: Modules) -> None:
    assert broken_rules(modules, ORDER, FUNCTIONS_TOO_LONG_TODAY) == []


def test_every_part_is_named_once_and_has_its_tests() -> None:
    assert len(set(ORDER)) == len(ORDER)
    tested = {path.stem.removeprefix("test_") for path in HERE.rglob("test_*.py")}  # test_losses.py
    tested |= {path.parent.name for path in HERE.rglob("*/test_*.py")}  # or a folder, losses/test_*.py
    assert {part for part in ORDER if part.strip("_") not in tested} == set()


def test_every_package_that_users_install_is_imported(modules: Modules) -> None:
    """What only tests and tools need is in a dependency group."""
    assert unused_requirements((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"), modules) == []


def test_each_extra_named_in_an_error_holds_the_package_that_is_missing(modules: Modules) -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wrong = [
        f"{place} sends who lacks {module} to chainrule[{extra}]"
        for place, module, extra in calls_of_require(modules)
        if PACKAGE_OF.get(module, module) not in installed_by(extra, project["optional-dependencies"])
    ]
    assert wrong == []


def test_tests_are_as_short_as_the_source() -> None:
    assert too_long(HERE) - TESTS_TOO_LONG_TODAY == set()


def test_a_test_is_named_in_less_than_75_characters() -> None:
    names = re.findall(
        r"def (test_\w{70,})", "".join(path.read_text(encoding="utf-8") for path in HERE.rglob("test_*.py"))
    )
    assert set(names) - NAMES_TOO_LONG_TODAY == set()


def test_what_is_excused_today_still_breaks_the_rule(modules: Modules) -> None:
    assert {name for name, _ in long_functions(modules)} >= FUNCTIONS_TOO_LONG_TODAY
    assert too_long(HERE) >= TESTS_TOO_LONG_TODAY


HOUSE_ORDER = ("_support", "ops", "model", "training")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A made-up package of a few files that breaks no rule."""
    root = tmp_path / "house"
    write(root, "__init__.py", "import numpy\n\n\ndef __getattr__(name):\n    from .training import Trainer\n")
    write(root, "_support.py", "from __future__ import annotations\n\nimport difflib\nimport numpy as np\n")
    write(root, "ops/__init__.py", "from .affine import affine\nfrom .softmax import softmax\n")
    write(root, "ops/affine.py", "from .._support import sentence\n")
    write(root, "ops/softmax.py", "from . import affine\n\n\ndef plot():\n    import matplotlib\n")
    write(
        root, "ops/fused/__init__.py", 'import importlib\n\nkernels = importlib.import_module("._kernels", __name__)\n'
    )
    write(root, "ops/fused/_kernels.pyx", 'include "loops.pxi"\n')
    write(root, "ops/fused/loops.pxi", "cimport numpy as cnp\nimport numpy\nfrom house._support import sentence\n")
    write(root, "model.py", "x = 1\n")
    write(root, "training.py", "from . import __version__, ops\nfrom house.ops.affine import affine\n")
    return root


def write(root: Path, file: str, text: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_house_in_order_breaks_no_rule(house: Path) -> None:
    assert broken_rules(read_modules(house), HOUSE_ORDER) == []


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("ops/affine.py", "from ..model import Model\n", "house.ops.affine:1 imports house.model, which is below"),
        ("ops/affine.py", "import house.model\n", "house.ops.affine:1 imports house.model, which is below"),
        ("_support.py", "from house import model\n", "house._support:1 imports house.model, which is below"),
        ("_support.py", "def f():\n    from .model import M\n", "house._support:2 imports house.model, which is below"),
        ("_support.py", "if TYPE_CHECKING:\n    from . import model\n", "house._support:2 imports house.model, which"),
        (
            "ops/fused/loops.pxi",
            "\nfrom house.model import (\n    M,\n)\n",
            "loops.pxi:2 imports house.model, which",
        ),
        ("training.py", "from house import MLP\n", "house.training:1 imports from the top package"),
        ("training.py", "import house\n", "house.training:1 imports from the top package"),
        ("ops/affine.py", "from .softmax import f\n", "circle: house.ops."),
        ("ops/affine.py", "def f():\n    from .softmax import g\n", "circle: house.ops."),
        ("ops/affine.py", "from . import softmax_name\n", "circle: house.ops"),
        ("training.py", "import pandas\n", "house.training:1 imports pandas at module level"),
        ("ops/fused/_kernels.pyx", "cimport scipy\nimport scipy\n", "house.ops.fused._kernels:2 imports scipy at"),
        ("__init__.py", "try:\n    import tqdm\nexcept ImportError:\n    pass\n", "house:2 imports tqdm at module"),
        (
            "training.py",
            "if TYPE_CHECKING:\n    import onnx\nelse:\n    import scipy\n",
            "house.training:4 imports scipy",
        ),
        ("training.py", "if not TYPE_CHECKING:\n    import scipy\n", "house.training:2 imports scipy"),
        ("attic.py", "", "house.attic has no place in ORDER"),
        ("training.py", "x = 1\n" * 401, "house.training has 401 lines"),
        ("ops/fused/loops.pxi", "\n" * 401, "loops.pxi has 401 lines"),
        ("training.py", "def f(x):\n    assert x\n", "house.training:2 asserts"),
        ("training.py", "class A:\n    def f(x):\n" + "        x = 1\n" * 60, "house.training.f has 61 lines"),
    ],
)
def test_the_check_sees_each_fault(house: Path, file: str, text: str, says: str) -> None:
    write(house, file, text)
    (broken,) = broken_rules(read_modules(house), HOUSE_ORDER)
    assert says in broken


def test_the_check_sees_a_circle_through_a_compiled_module(house: Path) -> None:
    """It needs the package that imports it."""
    write(house, "ops/__init__.py", "from .affine import affine\nfrom .fused import kernels\n")
    write(house, "ops/fused/loops.pxi", "from house.ops.affine import affine as plain\n")
    (broken,) = broken_rules(read_modules(house), HOUSE_ORDER)
    assert "circle: house.ops" in broken
    assert "house.ops.fused._kernels" in broken


def test_the_check_sees_a_room_that_does_not_exist(house: Path) -> None:
    assert broken_rules(read_modules(house), (*HOUSE_ORDER, "attic")) == ["ORDER names attic, which does not exist"]


def test_the_check_sees_a_package_that_nothing_imports(house: Path) -> None:
    write(house, "training.py", 'def f():\n    import pandas\n    require("sklearn.base", "all", "f")\n')
    project = '[project]\nname = "house"\ndependencies = ["numpy>=2", "tqdm"]\n[project.optional-dependencies]\n'
    extras = 'mpi = ["mpi4py>=4"]\nall = ["house[mpi]", "pandas", "scikit-learn>=1"]\n'
    assert unused_requirements(project + extras, read_modules(house)) == ["mpi4py", "tqdm"]


def test_what_is_as_long_as_it_may_be_is_short_enough(house: Path) -> None:
    write(house, "training.py", "def f():\n" + "    x = 1\n" * 59 + "x = 1\n" * 340)
    assert broken_rules(read_modules(house), HOUSE_ORDER) == []
    write(house, "model.py", "x = 1\n" * 401)
    assert too_long(house) == {"model.py"}
