"""A problem says once what it computes and, term by term, what its gradient is; all else is derived from that."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from html import escape
from textwrap import dedent, indent
from typing import Any, ClassVar, cast

import numpy as np

from .._support.settings import frozen

Terms = dict[str, dict[str, Any]]  # of each gradient: its terms, by the formula of each; the gradient is their sum
Sizes = dict[str, int]
Generator = np.random.Generator
LENGTHS = (5, 7, 6, 4, 3, 8)


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

    name: ClassVar[str]  #: ``batch_norm`` of class ``BatchNorm``

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<=[a-z\d])(?=[A-Z])", "_", cls.__name__).lower()

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
        return list(self._written)

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

    def sizes(self, trial: int) -> Sizes:
        """Choose lengths of which no letter has the same in two trials, and no trial the same for two letters."""
        letters = dict.fromkeys(letter for shape in self.letters.values() for letter in shape)
        return dict(zip(letters, LENGTHS[trial:] + LENGTHS[:trial], strict=False))

    def draw(self, rng: Generator, sizes: Sizes) -> dict[str, Any]:
        """Draw inputs: normal arrays; single numbers between 0.1 and 0.9, as rates are."""
        shapes = {name: tuple(sizes[letter] for letter in self.letters[name]) for name in self.inputs}
        return {
            name: rng.standard_normal(shape) if shape else float(rng.uniform(0.1, 0.9))
            for name, shape in shapes.items()
        }

    def code_of_forward(self) -> str:
        """The forward as a reader would write it; empty if there is none."""
        head = f"def forward({', '.join(self.inputs)}):"
        return "\n".join([head, *_body(self.forward)]) if self.forward else ""

    def code_of_solution(self) -> str:
        """A right answer: each gradient is the sum of its terms."""
        returned = [f"    return {', '.join(self._written)}"]
        sums = [f"    {_sum(name, terms.values(), 84)}" for name, terms in self._written.items()]
        return "\n".join([f"def {self.signature}:", *_body(self.terms), *sums, *returned])

    def equations(self) -> list[str]:
        """``dx = dy Wᵀ``, one for each gradient."""
        return [_sum(name, terms) for name, terms in self._written.items()]

    @property
    def _written(self) -> dict[str, dict[str, str]]:
        """For each gradient the formula of each term and its code."""
        source = dedent(inspect.getsource(self.terms))
        returned = cast("Any", ast.parse(source)).body[0].body[-1].value
        return {
            name.value: {
                formula.value: str(ast.get_source_segment(source, code))
                for formula, code in zip(terms.keys, terms.values, strict=True)
            }
            for name, terms in zip(returned.keys, returned.values, strict=True)
        }


def _body(function: Callable[..., Any]) -> list[str]:
    """The lines of a function, without its head and without the return of terms."""
    lines = dedent(inspect.getsource(function)).partition(":\n")[2]
    return lines.partition("    return {")[0].rstrip().splitlines()


def _sum(name: str, terms: Iterable[str], longest: int = 1000) -> str:
    """``name = a + b − c``, in code or in formulas; of a long one, each term in a line."""
    signed = re.sub(r"\+ ([-−])", r"\1 ", "\n+ ".join(terms))
    line = f"{name} = {signed}".replace("\n", " ")
    return line if len(line) <= longest else f"{name} = (\n{indent(signed, ' ' * 8)}\n    )"


# --- how it looks --------------------------------------------------------------------------------------------------


@frozen
class Sheet:
    """A problem or a solution, which displays itself.

    Parameters
    ----------
    title : str
        Its first line.
    parts : list of (kind, text)
        What follows: ``("text", words)`` or ``("code", lines)``.
    """

    title: str
    parts: list[tuple[str, str]]

    @property
    def code(self) -> str:
        """All code in it."""
        return "\n\n".join(text for kind, text in self.parts if kind == "code")

    def __repr__(self) -> str:
        return "\n\n".join([self.title, *(indent(text, "    " * (kind == "code")) for kind, text in self.parts)])

    def _repr_html_(self) -> str:
        """The parts, as a notebook shows them."""
        tags = {
            "code": '<pre style="margin-bottom:1em"><code>{}</code></pre>',
            "text": '<p style="white-space:pre-line">{}</p>',
        }
        shown = "".join(tags[kind].format(escape(text)) for kind, text in self.parts)
        return f"<p><strong>{escape(self.title)}</strong></p>{shown}"


def problem_sheet(problem: Problem) -> Sheet:
    """What the reader has to know."""
    shapes = problem.shapes.replace("()", "(a number)")
    shapes += "; dy has the shape of y." if "dy" in problem.asked_of else "."
    asked = f"Write {problem.signature}, which returns {', '.join(problem.names)}."
    parts = [("text", problem.statement), ("code", problem.code_of_forward()), ("text", asked), ("text", shapes)]
    return Sheet(f"Exercise {problem.name} (chapter {problem.chapter})", [part for part in parts if part[1]])


def solution_sheet(problem: Problem) -> Sheet:
    """The gradients as equations, and the code that sums the terms."""
    parts = [("text", "\n".join(problem.equations())), ("code", problem.code_of_solution())]
    return Sheet(f"Solution of {problem.name}", parts)
