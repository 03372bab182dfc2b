"""What the architecture test reads of a package, its imports of Python and of Cython; and the rules it checks."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TypeAlias

#: That a part, or a room of one, is nothing without; it is imported when first used.
LIBRARIES = {"estimators": ("scipy", "sklearn"), "tabular.estimators": ("scipy", "sklearn")}
MAX_LINES, MAX_LINES_OF_A_FUNCTION = 400, 60
FROM_TOP = {"__version__"}  # all else that a module needs, it imports from the module that defines it
NOT_IMPORTED = {"mpich"}  # the MPI that mpi4py loads, and its mpiexec
PACKAGE_OF = {"sklearn": "scikit-learn", "mlflow": "mlflow-skinny"}  # where the module and its package differ in name


@dataclass(frozen=True)
class Import:
    """One imported module: where it is written, and whether importing the file already imports it."""

    target: str
    name: str
    line: int
    immediate: bool


@dataclass(frozen=True)
class Module:
    """A file: the dotted name of its module, its syntax tree (of Cython its imports) and number of lines."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def part(self) -> str:
        """The piece of ORDER that the module belongs to: ``ops`` of ``chainrule.ops.affine``, ``""`` at the top."""
        return part_of(self.name)

    @property
    def room(self) -> str:
        """Its folder in that part: ``tabular.files`` of ``chainrule.tabular.files.cells``."""
        return ".".join(self.package[1:])

    @property
    def package(self) -> list[str]:
        """What one leading dot means in this file."""
        parts = self.name.split(".")
        return parts if self.path.name == "__init__.py" else parts[:-1]

    @property
    def place(self) -> str:
        """The module, or the file that is included in it."""
        return self.path.name if self.path.suffix == ".pxi" else self.name


Modules: TypeAlias = tuple[Module, ...]


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def read_modules(root: Path) -> Modules:
    """All files of Python and Cython; an included file is part of the module whose folder it is in."""
    modules = []
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".py", ".pyx", ".pxi")):
        text = path.read_text(encoding="utf-8")
        module = path if path.suffix != ".pxi" else next(path.parent.glob("*.pyx"))
        parts = (root.name, *module.relative_to(root).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        tree = ast.parse(text) if path.suffix == ".py" else imports_of_cython(text)
        modules.append(Module(name, path, tree, len(text.splitlines())))
    return tuple(modules)


def imports_of_cython(text: str) -> ast.Module:
    """Its import statements alone, each in its line: the rest is not Python, and cimports are of C."""
    tree = ast.Module([], [])
    for found in re.finditer(r"^[ \t]*((?:from\s+\S+\s+)?import\s+(?:\([^)]*\)|[^\n(]+))", text, re.MULTILINE):
        (statement,) = ast.parse(found[1]).body
        tree.body.append(ast.increment_lineno(statement, text.count("\n", 0, found.start(1))))
    return tree


def walk(node: ast.AST, immediate: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether importing the file runs it: functions wait, and TYPE_CHECKING never comes."""
    left = [(node, immediate)]
    while left:
        node, immediate = left.pop()
        yield node, immediate
        for field, value in ast.iter_fields(node):
            waits = field == "body" and (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                or (isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"})
            )
            children = value if isinstance(value, list) else [value]
            left += [(child, immediate and not waits) for child in children if isinstance(child, ast.AST)]


@cache
def read_imports(module: Module, known: frozenset[str]) -> tuple[Import, ...]:
    return tuple(imports_in(module, known))


def imports_in(module: Module, known: frozenset[str]) -> Iterator[Import]:
    for node, immediate in walk(module.tree):
        match node:
            case ast.Import(names):
                yield from (Import(alias.name, "", node.lineno, immediate) for alias in names)
            case ast.ImportFrom(source, names, level):
                source = absolute(module, source or "", level or 0)
                for alias in names:
                    inner = f"{source}.{alias.name}"
                    yield Import(inner if inner in known else source, alias.name, node.lineno, immediate)
            case ast.Call(
                ast.Name("import_module") | ast.Attribute(attr="import_module"), [ast.Constant(str(name)), *_]
            ):
                dots = len(name) - len(name.lstrip("."))
                yield Import(absolute(module, name.lstrip("."), dots), "", node.lineno, immediate)


def absolute(module: Module, source: str, level: int) -> str:
    above = module.package[: len(module.package) - level + 1] if level else []
    return ".".join([*above, source] if source else above)


def broken_rules(modules: Modules, order: tuple[str, ...], excused: Collection[str] = ()) -> list[str]:
    """A sentence for each place where a package breaks a rule of the house, but for functions excused."""
    return [
        *broken_order(modules, order),
        *broken_files(modules, order),
        *(
            f"{name} has {lines} lines, more than {MAX_LINES_OF_A_FUNCTION}: take it apart"
            for name, lines in long_functions(modules)
            if name not in excused
        ),
        *broken_circles(arrows(modules)),
    ]


def names_of(modules: Modules) -> frozenset[str]:
    return frozenset(module.name for module in modules)


def broken_order(modules: Modules, order: tuple[str, ...]) -> Iterator[str]:
    def position(part: str) -> int:
        return order.index(part) if part in order else -1  # what has no place at all is reported by itself

    top = modules[0].name.split(".")[0]
    for module in modules:
        for found in read_imports(module, names_of(modules)):
            place = f"{module.place}:{found.line}"
            package = found.target.split(".")[0]
            if package != top:
                allowed = (LIBRARIES.get(room, ()) for room in (module.part, module.room))
                at_once = {"numpy", *sys.stdlib_module_names, *(library for each in allowed for library in each)}
                if found.immediate and package not in at_once:
                    yield f"{place} imports {package} at module level: import it where it is used"
            elif module.part == "":
                continue  # the top package gathers the public names of all
            elif found.target == top:
                if found.name not in FROM_TOP:
                    yield f"{place} imports from the top package: import from the module that defines the name"
            elif position(part_of(found.target)) > position(module.part):
                yield f"{place} imports {found.target}, which is below it"


def broken_files(modules: Modules, order: tuple[str, ...]) -> Iterator[str]:
    yield from (f"ORDER names {part}, which does not exist" for part in order if part not in {m.part for m in modules})
    for module in modules:
        if module.part and module.part not in order:
            yield f"{module.name} has no place in ORDER"
        if module.lines > MAX_LINES:
            yield f"{module.place} has {module.lines} lines, more than {MAX_LINES}: split it by family"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Assert):
                yield f"{module.name}:{node.lineno} asserts: raise an error that says what to do"


def long_functions(modules: Modules) -> Iterator[tuple[str, int]]:
    """Each function that fits no screen, and its lines, docstring and all."""
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MAX_LINES_OF_A_FUNCTION:
                    yield f"{module.name}.{node.name}", lines


def arrows(modules: Modules) -> set[tuple[str, str]]:
    """Which module below the top imports which; a compiled one, which names it in full, needs its package too."""
    found = set()
    for module in modules:
        for one in read_imports(module, names_of(modules)):
            named = {one.target, one.target.rpartition(".")[0] if module.path.suffix != ".py" else one.target}
            found |= {(module.name, target) for target in named & names_of(modules)}
    return {(source, target) for source, target in found if "." in source and "." in target}


def broken_circles(arrows: Collection[tuple[str, str]]) -> Iterator[str]:
    graph: dict[str, set[str]] = {}
    for source, target in arrows:
        graph.setdefault(source, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"import circle: {' → '.join(reversed(error.args[1]))}"


def unused_requirements(pyproject: str, modules: Modules) -> list[str]:
    """The packages, of users' dependencies and extras, that no file imports or asks for."""
    project = tomllib.loads(pyproject)["project"]
    needs = [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]
    used = {found.target.split(".")[0] for module in modules for found in read_imports(module, frozenset())}
    used |= {module for _, module, _ in calls_of_require(modules)}
    return sorted(
        package_names(needs) - {project["name"], *NOT_IMPORTED, *(PACKAGE_OF.get(module, module) for module in used)}
    )


def package_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0] for requirement in requirements}


def installed_by(extra: str, extras: dict[str, list[str]]) -> set[str]:
    """The packages of an extra, and of the extras that it names, as chainrule[sklearn]."""
    needs = extras.get(extra, [])
    inner = [
        name for need in needs if need.startswith("chainrule[") for name in need[len("chainrule[") : -1].split(",")
    ]
    return package_names(needs).union(*(installed_by(name, extras) for name in inner))


def calls_of_require(modules: Modules) -> list[tuple[str, str, str]]:
    """Where the code asks for a module of an extra: the place, the module, the extra."""
    found = []
    for module in modules:
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(func=ast.Name("require"), args=[ast.Constant(str(name)), ast.Constant(str(extra)), *_]):
                    found.append((f"{module.name}:{node.lineno}", name.split(".")[0], extra))
    return found


def too_long(folder: Path) -> set[str]:
    """The files of Python that are longer than they may be."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*.py")}
    return {path.relative_to(folder).as_posix() for path, lines in lengths.items() if lines > MAX_LINES}
