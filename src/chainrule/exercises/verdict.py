"""The verdict: proved by differences of the forward, or the wrong terms of the gradient, by name.

A gradient is a sum of terms, g = Σⱼ tⱼ. The reader's g is fitted by least squares, g ≈ Σⱼ cⱼ tⱼ, for several shapes.
All cⱼ are 1 if it is right. If not, they say what is wrong: 0 where a term is missing, −1 where its sign is wrong, N
where a sum stands in place of a mean.
"""

from __future__ import annotations

import copy
import inspect
import linecache
import traceback
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import product
from typing import Any

import numpy as np

from .._support.checks import Array
from .._support.settings import frozen
from .._support.text import printable
from ..proof.gradcheck import check_vjp
from .problem import Problem, Sizes, Terms

# --- the reader's function, called with care -----------------------------------------------------------------------


class Fault(Exception):  # noqa: N818  (it is a finding, and no error of ours)
    """The answer cannot be judged; the message says why, in words for the reader."""


class Answer:
    """The reader's function of a problem; calling it returns its arrays by their names."""

    def __init__(self, problem: Problem, function: Callable[..., Any]) -> None:
        self.problem, self.function, self.names = problem, function, problem.names
        try:
            inspect.signature(function).bind(*problem.asked_of)
        except TypeError as error:
            raise Fault(f"it must take {problem.signature}: {error}") from None
        except ValueError:  # of a function in C, whose parameters nobody knows
            pass

    def __call__(self, values: dict[str, Any]) -> dict[str, Array]:
        """Return the arrays for these inputs, which stay as they are."""
        given = {name: copy.copy(values[name]) for name in self.problem.asked_of}
        try:
            returned = self.function(*given.values())
        except Exception as error:
            shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in given.items() if np.ndim(value))
            raise Fault(f"it raises {type(error).__name__}: {error}{self._line(error)}; given {shapes}") from None
        for name, array in given.items():
            if not np.array_equal(array, values[name]):
                raise Fault(f"it changes {name} in place; others still need it: compute a new array")
        return self._named(returned)

    def _named(self, returned: Any) -> dict[str, Array]:
        wanted = ", ".join(self.names)
        if returned is None:
            raise Fault(f"it returns None; end it with: return {wanted}")
        several = returned if isinstance(returned, (tuple, list)) else (returned,)
        if len(several) != len(self.names):
            count = f"{len(several)} value{'s' * (len(several) != 1)}"
            raise Fault(f"it returns {count}, expected {len(self.names)}: return {wanted}")
        found = {}
        for name, value in zip(self.names, several, strict=True):
            try:
                array = np.asarray(value)
            except ValueError:  # of lists of different lengths
                array = np.asarray(None)
            if array.dtype.kind not in "fiub":
                raise Fault(f"{name} is no array of numbers, but a {type(value).__name__}")
            found[name] = array.astype(np.float64)
        return found

    def _line(self, error: Exception) -> str:
        """Where the reader's own file last was when it happened: `` (line 3: dx = dy @ W)``."""
        file = getattr(getattr(self.function, "__code__", None), "co_filename", None)
        lines = [number for frame, number in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
        if not lines:
            return ""
        code = linecache.getline(str(file), lines[-1]).strip()
        return f" (line {lines[-1]}{': ' if code else ''}{printable(code, 100)})"


# --- the verdict ---------------------------------------------------------------------------------------------------

RIGHT, RECOGNIZED = 1e-6, 1e-3  # largest relative errors: of what is right, and of what shows which mistake it is
TRIALS = 3  # random shapes; of a batch, one more of a single sample

Values = dict[str, Any]  # of all that the functions of the problem take
Truth = dict[str, list[Array]]  # of each gradient, what it is in each trial


@frozen
class Verdict:
    """Result of :func:`check`: whether the answer is right, and what is said about each gradient.

    Parameters
    ----------
    problem : str
        Name of the problem.
    findings : list of (gradient, words)
        What was found, in words: "right" where nothing is wrong.
    error : float
        Worst relative error against differences of the forward; NaN if it was not measured.
    """

    problem: str
    findings: list[tuple[str, str]]
    error: float = np.nan

    @property
    def passed(self) -> bool:
        """Whether everything is right."""
        return all(words == "right" for _, words in self.findings)

    @property
    def _head(self) -> str:
        proved = "" if np.isnan(self.error) else f", proved to {self.error:.0e} by differences of the forward"
        return f"{self.problem}: " + (f"right{proved}" if self.passed else "not yet right")

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.findings)
        return "\n".join([self._head, *(f"  {name:<{width}}  {words}" for name, words in self.findings)])

    def _repr_html_(self) -> str:
        """The verdict, as a notebook shows it."""
        items = "".join(f"<li><b>{escape(name)}</b>&emsp;{escape(words)}</li>" for name, words in self.findings)
        return f"<p><strong>{escape(self._head)}</strong></p><ul>{items}</ul>"


def judge(problem: Problem, function: Callable[..., Any]) -> Verdict:
    """Try the reader's function on several random shapes, and say what is wrong with it."""
    rng = np.random.default_rng(0)
    sizes, values = zip(*_trials(problem, rng), strict=True)
    try:
        answer = Answer(problem, function)
        found = [answer(given) for given in values]
        findings = [(name, _finding(problem, name, [f[name] for f in found], sizes, values)) for name in found[0]]
        verdict = Verdict(problem.name, findings)
        if not verdict.passed or problem.forward is None:
            return verdict
        error = max(_error(problem, answer, given, rng) for given in values)
    except Fault as fault:
        return Verdict(problem.name, [(problem.asks, printable(str(fault), 400))])
    if error > RIGHT:
        findings = [(problem.asks, f"differs from the differences of the forward by {error:.1g}")]
    return Verdict(problem.name, findings, error)


def _trials(problem: Problem, rng: np.random.Generator) -> Iterator[tuple[Sizes, Values]]:
    """Draw shapes and values; at last a batch of a single sample."""
    for trial in range(TRIALS + 1):
        sizes = problem.sizes(trial)
        if trial == TRIALS:
            sizes = sizes | {"N": 1} if "N" in sizes else sizes
        values = problem.draw(rng, sizes)
        if problem.forward and "dy" in problem.asked_of:
            y = problem.forward(**values)
            values |= {"y": y, "dy": rng.standard_normal(np.shape(y))}
        yield sizes, values


def _error(problem: Problem, answer: Answer, values: Values, rng: np.random.Generator) -> float:
    """Measure the error of the answer against differences of the forward, along random directions."""
    moved = [name.removeprefix("d") for name in problem.names]
    compute: Callable[..., Any] = problem.forward  # type: ignore[assignment]

    def inputs(arrays: Sequence[Array]) -> Values:
        return {name: values[name] for name in problem.inputs} | dict(zip(moved, arrays, strict=True))

    def forward(*arrays: Array) -> Array:
        return np.asarray(compute(**inputs(arrays)))

    def backward(dy: Array, *arrays: Array) -> list[Array]:
        given = inputs(arrays)
        if "dy" not in problem.asked_of:  # a loss
            return [dy * gradient for gradient in answer(given).values()]
        return list(answer({"y": compute(**given), **given, "dy": dy}).values())

    return check_vjp(forward, backward, *(np.asarray(values[name]) for name in moved), rng=rng)


def _finding(problem: Problem, name: str, mine: list[Array], sizes: Sequence[Sizes], values: Sequence[Values]) -> str:
    """Say that a gradient is right, or what is wrong with it."""
    asked = [{key: given[key] for key in problem.asked_of} for given in values]
    terms = [problem.terms(**given) for given in asked]
    truth = {other: [_sum(term[other]) for term in terms] for other in problem.names}
    right = list(map(_same, mine, truth[name]))
    if all(right):
        return "right"
    if all(right[:TRIALS]):
        return "is wrong for a batch of a single sample (N = 1)"
    for trial in range(TRIALS):
        if mine[trial].shape != truth[name][trial].shape:
            return _about_shape(problem, name, trial, sizes[trial], mine, truth)
    if not all(np.isfinite(array).all() for array in mine[:TRIALS]):
        return "holds NaN or infinite numbers"
    for words, wrong in _known_mistakes(problem, name, asked):
        if _all_same(mine, wrong, RECOGNIZED):
            return words
    fits = [_fit(array, term[name]) for array, term in zip(mine[:TRIALS], terms, strict=False)]
    words = "" if any(c is None for c in fits) else _about_terms(list(terms[0][name]), np.array(fits), sizes[:TRIALS])
    place = right.index(False)
    return words or _another(mine, truth) or _difference(mine[place], truth[name][place])


def _sum(terms: dict[str, Any]) -> Array:
    return np.asarray(sum(np.asarray(term, np.float64) for term in terms.values()))


def _same(a: Array, b: Array, tolerance: float = RIGHT) -> bool:
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= tolerance * np.max(np.abs(b), initial=1e-300)))


def _all_same(mine: Sequence[Array], wrong: Sequence[Any], tolerance: float = RIGHT) -> bool:
    return all(_same(a, np.asarray(b), tolerance) for a, b in zip(mine[:TRIALS], wrong, strict=False))


def _about_shape(problem: Problem, name: str, trial: int, sizes: Sizes, mine: list[Array], truth: Truth) -> str:
    """Name the shapes, and the slip if it is a known one."""
    slips: dict[str, Callable[[Array], Any]] = {
        ": this is the transpose": np.transpose,
        ": drop the axis of length 1": np.squeeze,
        ": the sum over the rows is missing": lambda g: g.sum(axis=0),
        ": the sum over all entries is missing": np.sum,
    }
    known = (words for words, mend in slips.items() if _all_same([np.asarray(mend(g)) for g in mine], truth[name]))
    letters = str(tuple(problem.letters[name.removeprefix("d")])).replace("'", "")
    lengths = ", ".join(f"{letter} = {length}" for letter, length in sizes.items())
    got = f"has shape {mine[trial].shape}, expected {truth[name][trial].shape}, which is {letters} for {lengths}"
    return got + (next(known, "") or _another(mine, truth, ": "))


def _another(mine: list[Array], truth: Truth, before: str = "") -> str:
    others = (name for name, arrays in truth.items() if _all_same(mine, arrays))
    return next((f"{before}this is {name}; the order is {', '.join(truth)}" for name in others), "")


def _known_mistakes(problem: Problem, name: str, asked: list[Values]) -> Iterator[tuple[str, list[Any]]]:
    """Yield what is said about a wrong gradient, and the gradient."""
    tried: list[Terms] = [problem.mistakes(**given) for given in asked] if problem.mistakes else [{}]
    yield from ((words, [mistakes[name][words] for mistakes in tried]) for words in tried[0].get(name, ()))
    if "dy" in problem.asked_of:
        ones = [problem.terms(**given | {"dy": np.ones_like(given["dy"])}) for given in asked]
        yield "does not use dy, which the chain rule makes a factor of it", [_sum(terms[name]) for terms in ones]


def _fit(gradient: Array, terms: dict[str, Any]) -> Array | None:
    """The c of g ≈ Σⱼ cⱼ tⱼ; None where no c explain g, and where the answer is a choice and no sum."""
    if any(np.asarray(term).dtype.kind == "i" for term in terms.values()):
        return None
    columns = np.stack([np.broadcast_to(term, gradient.shape).ravel() for term in terms.values()], axis=1)
    c: Array = np.linalg.lstsq(columns, gradient.ravel(), rcond=None)[0]
    return c if _same(columns @ c, gradient.ravel(), RECOGNIZED) else None


def _about_terms(formulas: list[str], c: Array, sizes: Sequence[Sizes]) -> str:
    """What the factors c (trials, terms) say; about the whole if they say the same of each term."""
    said = [_about_factor(column, sizes) for column in c.T]
    if len(set(said)) == 1:
        return said[0].replace("is missing", "is 0 everywhere")
    return "; ".join(f"the term {formula} {words}" for formula, words in zip(formulas, said, strict=True) if words)


def _about_factor(c: Array, sizes: Sequence[Sizes]) -> str:
    """Say nothing of 1, "is missing" of 0, "has the wrong sign" of −1, "is multiplied by N …" of the batch's length."""
    if np.max(np.abs(c)) < RECOGNIZED:
        return "is missing"
    means, sums = " (a mean where a sum belongs)", " (a sum where a mean belongs)"
    for letter, power in (("", 0), *product(sizes[0], (1, -1))):
        k = c / np.array([float(size.get(letter, 1)) ** power for size in sizes])
        if np.ptp(k) < RECOGNIZED * np.max(np.abs(k)):
            factor = ("", f"is multiplied by {letter}{sums}", f"is divided by {letter}{means}")[power]
            other = "" if abs(abs(k[0]) - 1) < RECOGNIZED else f"is multiplied by {abs(k[0]):.3g}"
            return " and ".join(filter(None, (factor, other, "has the wrong sign" if k[0] < 0 else "")))
    return f"has a wrong factor ({', '.join(f'{factor:.3g}' for factor in c)} in {len(c)} trials)"


def _difference(mine: Array, truth: Array) -> str:
    """Where it differs most."""
    place = tuple(map(int, np.unravel_index(np.argmax(np.abs(mine - truth)), truth.shape)))
    where = f"at [{', '.join(map(str, place))}] " if place else ""
    almost = "is almost right: " if _same(mine, truth, RECOGNIZED) else ""
    return f"{almost}{where}is {mine[place]:.6g}, and should be {truth[place]:.6g}"
