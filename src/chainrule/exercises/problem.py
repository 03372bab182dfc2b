"""A problem says once what it computes and, term by term, what its gradient is; all else is derived from that."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, cast

import numpy as np

Terms = dict[str, dict[str, Any]]  # of each gradient: its terms, by the formula of each; the gradient is their sum
Sizes = dict[str, int]
Generator = np.random.Generator


class Problem:
    """One exercise: its docstring is the statement.

    A problem without ``dy`` among the parameters of ``terms`` is a loss: the chain starts there, with dL = 1.
    A problem without ``forward`` asks for what its terms sum up to, and for no gradient.
    """

    chapter: ClassVar[int]
    shapes: ClassVar[str]  #: of what goes in and comes out, as shown: ``x (N, I), W (I, O), y (N, O)``
    asks: ClassVar[str] = "backward"  #: the name of the function that the reader writes
    forward: ClassVar[Callable[..., Any] | None] = None
    terms: ClassVar[Callable[..., Terms]]
    mistakes: ClassVar[Callable[..., Terms] | None] = None  #: wrong gradients, each by the words that explain it

    @property
    def name(self) -> str:
        """``batch_norm`` of class ``BatchNorm``."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def statement(self) -> str:
        """What the problem says in words."""
        return inspect.cleandoc(self.__doc__ or "")

    @property
    def signature(self) -> str:
        """``backward(dy, x, W)``."""
        return f"{self.asks}({', '.join(self.asked_of)})"

    @property
    def names(self) -> list[str]:
        """The names of what the reader's function returns."""
        return [name for name, _ in _entries(_returned(_plain(self.terms, self.asks)))]

    @property
    def asked_of(self) -> list[str]:
        """The names of what the reader's function is given."""
        return list(inspect.signature(self.terms).parameters)

    @property
    def inputs(self) -> list[str]:
        """The names of what the forward is given, or without one, the reader's function."""
        return list(inspect.signature(self.forward or self.terms).parameters)

    @property
    def letters(self) -> dict[str, list[str]]:
        """The letters of each shape: ``["N", "I"]`` of x."""
        return {name: re.findall(r"\w+", shape) for name, shape in re.findall(r"(\w+) (\([^)]*\))", self.shapes)}

    def sizes(self, rng: Generator) -> Sizes:
        """Draw a different number for each letter, so that no shape fits by accident."""
        letters = dict.fromkeys(letter for shape in self.letters.values() for letter in shape)
        return dict(zip(letters, map(int, rng.permutation(np.arange(3, 10))), strict=False))

    def draw(self, rng: Generator, sizes: Sizes) -> dict[str, Any]:
        """Draw inputs: normal arrays; single numbers between 0.1 and 0.9, as rates are."""
        shapes = {name: tuple(sizes[letter] for letter in self.letters[name]) for name in self.inputs}
        return {
            name: rng.standard_normal(shape) if shape else float(rng.uniform(0.1, 0.9))
            for name, shape in shapes.items()
        }

    def code_of_forward(self) -> str:
        """The forward as a reader would write it; empty if there is none."""
        return "" if self.forward is None else ast.unparse(_plain(self.forward, "forward"))

    def code_of_solution(self) -> str:
        """A right answer: each gradient is the sum of its terms."""
        function = _plain(self.terms, self.asks)
        sums = {name: [code for _, code in _entries(terms)] for name, terms in _entries(_returned(function))}
        lines = (f"{name} = {_sum(map(ast.unparse, codes))}" for name, codes in sums.items())
        function.body[-1:] = ast.parse("\n".join(lines)).body
        return f"{ast.unparse(function)}\n    return {', '.join(sums)}"

    def equations(self) -> list[str]:
        """``dx = dy Wᵀ``, one for each gradient."""
        gradients = _entries(_returned(_plain(self.terms, self.asks)))
        return [f"{name} = {_sum(formula for formula, _ in _entries(terms))}" for name, terms in gradients]


def _plain(function: Callable[..., Any], name: str) -> ast.FunctionDef:
    """The definition of a function as its source has it, without decorators and annotations."""
    (tree,) = cast("list[ast.FunctionDef]", ast.parse(textwrap.dedent(inspect.getsource(function))).body)
    tree.name, tree.decorator_list, tree.returns = name, [], None
    for argument in tree.args.args:
        argument.annotation = None
    return tree


def _returned(function: ast.FunctionDef) -> ast.Dict:
    return cast("ast.Dict", cast("ast.Return", function.body[-1]).value)


def _entries(node: ast.Dict) -> Iterator[tuple[str, Any]]:
    return ((ast.literal_eval(cast("ast.expr", key)), value) for key, value in zip(node.keys, node.values, strict=True))


def _sum(terms: Iterable[str]) -> str:
    """``a + b − c``, in code or in formulas."""
    return re.sub(r"\+ ([-−])", r"\1 ", " + ".join(terms))
