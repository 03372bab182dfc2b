"""The order of the house: a file imports only from files above it, in no circle, and stays short."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

ORDER = (
    # 1 · ground
    "_support", "ops", "runtime",
    # 2 · parts
    "initializers", "parameters", "layers", "losses", "metrics", "schedules", "optimizers",
    # 3 · whole
    "model", "data", "proof", "training", "diagnostics",
    # 4 · tools
    "estimators", "tabular", "persistence", "plots", "reporting", "cli", "__main__",
)  # fmt: skip
LIBRARIES = {"estimators": ("scipy", "sklearn")}  # that a part is nothing without; it is imported when first used
MAX_LINES = 400
FROM_TOP = {"__version__"}  # all else that a module needs, it imports from the module that defines it


@dataclass(frozen=True)
class Import:
    """One imported module: where it is written, and whether importing the file already imports it."""

    target: str
    name: str
    line: int
    immediate: bool


@dataclass(frozen=True)
class Module:
    """A file: its dotted name, its syntax tree and number of lines."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def part(self) -> str:
        """The piece of ORDER that the module belongs to: ``ops`` of ``chainrule.ops.affine``, ``""`` at the top."""
        return part_of(self.name)

    @property
    def package(self) -> list[str]:
        """What one leading dot means in this file."""
        parts = self.name.split(".")
        return parts if self.path.name == "__init__.py" else parts[:-1]


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def read_modules(root: Path) -> dict[str, Module]:
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = (root.name, *path.relative_to(root).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        modules[name] = Module(name, path, ast.parse(text), len(text.splitlines()))
    return modules


def walk(node: ast.AST, immediate: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below, and whether importing the file runs it: functions wait, and TYPE_CHECKING never comes."""
    for field, value in ast.iter_fields(node):
        waits = field == "body" and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"})
        )
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child, immediate and not waits
                yield from walk(child, immediate and not waits)


def read_imports(module: Module, known: dict[str, Module]) -> Iterator[Import]:
    for node, immediate in walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", node.lineno, immediate)
        elif isinstance(node, ast.ImportFrom):
            above = module.package[: len(module.package) - node.level + 1] if node.level else []
            source = ".".join([*above, node.module] if node.module else above)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield Import(inner if inner in known else source, alias.name, node.lineno, immediate)


def broken_rules(root: Path) -> list[str]:
    """A sentence for each place where the package in ``root`` breaks a rule of the house."""
    modules = read_modules(root)
    return [*broken_order(root.name, modules), *broken_files(modules), *broken_circles(root.name, modules)]


def broken_order(top: str, modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        for found in read_imports(module, modules):
            place = f"{module.name}:{found.line}"
            package = found.target.split(".")[0]
            if package != top:
                at_once = {"numpy", *sys.stdlib_module_names, *LIBRARIES.get(module.part, ())}
                if found.immediate and package not in at_once:
                    yield f"{place} imports {package} at module level: import it where it is used"
            elif module.part == "":
                continue  # the top package gathers the public names of all
            elif found.target == top:
                if found.name not in FROM_TOP:
                    yield f"{place} imports from the top package: import from the module that defines the name"
            elif position(part_of(found.target)) > position(module.part):
                yield f"{place} imports {found.target}, which is below it"


def position(part: str) -> int:
    return ORDER.index(part) if part in ORDER else -1  # what has no place at all is reported by itself


def broken_files(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.part and module.part not in ORDER:
            yield f"{module.name} has no place in ORDER"
        if module.lines > MAX_LINES:
            yield f"{module.name} has {module.lines} lines, more than {MAX_LINES}: split it by family"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Assert):
                yield f"{module.name}:{node.lineno} asserts: raise an error that says what to do"


def broken_circles(top: str, modules: dict[str, Module]) -> Iterator[str]:
    graph = {
        module.name: {found.target for found in read_imports(module, modules)} & (modules.keys() - {top})
        for module in modules.values()
        if module.name != top
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"import circle: {' → '.join(reversed(error.args[1]))}"


def package_root() -> Path:
    spec = find_spec("chainrule")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def test_the_house_is_in_order() -> None:
    assert broken_rules(package_root()) == []


def test_every_module_of_the_order_is_named_once() -> None:
    assert len(set(ORDER)) == len(ORDER)


def test_every_part_has_its_tests() -> None:
    here = Path(__file__).parent
    parts = {module.part for module in read_modules(package_root()).values() if module.part}
    tested = {path.stem.removeprefix("test_") for path in here.rglob("test_*.py")}  # test_losses.py
    tested |= {path.parent.name for path in here.rglob("*/test_*.py")}  # or a folder, losses/test_*.py
    assert {part for part in parts if part.strip("_") not in tested} == set()


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A made-up package of a few files that breaks no rule."""
    root = tmp_path / "house"
    write(root, "__init__.py", "import numpy\n\n\ndef __getattr__(name):\n    from .training import Trainer\n")
    write(root, "_support.py", "from __future__ import annotations\n\nimport difflib\nimport numpy as np\n")
    write(root, "ops/__init__.py", "from .affine import affine\nfrom .softmax import softmax\n")
    write(root, "ops/affine.py", "from .._support import sentence\n")
    write(root, "ops/softmax.py", "from . import affine\n\n\ndef plot():\n    import matplotlib\n")
    write(root, "model.py", "x = 1\n")
    write(root, "training.py", "from . import __version__, ops\nfrom house.ops.affine import affine\n")
    return root


def write(root: Path, file: str, text: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_house_in_order_breaks_no_rule(house: Path) -> None:
    assert broken_rules(house) == []


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("ops/affine.py", "from ..model import Model\n", "house.ops.affine:1 imports house.model, which is below"),
        ("ops/affine.py", "import house.model\n", "house.ops.affine:1 imports house.model, which is below"),
        ("_support.py", "from house import model\n", "house._support:1 imports house.model, which is below"),
        ("_support.py", "def f():\n    from .model import M\n", "house._support:2 imports house.model, which is below"),
        ("_support.py", "if TYPE_CHECKING:\n    from . import model\n", "house._support:2 imports house.model, which"),
        ("training.py", "from house import MLP\n", "house.training:1 imports from the top package"),
        ("training.py", "import house\n", "house.training:1 imports from the top package"),
        ("ops/affine.py", "from .softmax import f\n", "circle: house.ops."),
        ("ops/affine.py", "def f():\n    from .softmax import g\n", "circle: house.ops."),
        ("ops/affine.py", "from . import softmax_name\n", "circle: house.ops"),
        ("training.py", "import pandas\n", "house.training:1 imports pandas at module level"),
        ("__init__.py", "try:\n    import tqdm\nexcept ImportError:\n    pass\n", "house:2 imports tqdm at module"),
        (
            "training.py",
            "if TYPE_CHECKING:\n    import onnx\nelse:\n    import scipy\n",
            "house.training:4 imports scipy",
        ),
        ("training.py", "if not TYPE_CHECKING:\n    import scipy\n", "house.training:2 imports scipy"),
        ("attic.py", "", "house.attic has no place in ORDER"),
        ("training.py", "x = 1\n" * 401, "house.training has 401 lines"),
        ("training.py", "def f(x):\n    assert x\n", "house.training:2 asserts"),
    ],
)
def test_the_check_sees_each_fault(house: Path, file: str, text: str, says: str) -> None:
    write(house, file, text)
    (broken,) = broken_rules(house)
    assert says in broken


def test_a_file_of_400_lines_is_short_enough(house: Path) -> None:
    write(house, "training.py", "x = 1\n" * 400)
    assert broken_rules(house) == []
