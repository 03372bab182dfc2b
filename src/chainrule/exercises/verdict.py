"""The verdict: proved by differences of the forward, or the terms of the gradient that are wrong, by name.

A gradient is a sum of terms, g = Σⱼ tⱼ. The reader's g is fitted by least squares, g ≈ Σⱼ cⱼ tⱼ, for several shapes.
All cⱼ are 1 if it is right. If not, they say what is wrong: 0 where a term is missing, −1 where its sign is wrong, N
where a sum stands in place of a mean. What no cⱼ explain is compared with known mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from .._support.checks import Array
from .._support.frozen import frozen
from .._support.text import printable
from ..proof.gradcheck import check_vjp
from .answer import Answer, Fault
from .problem import Problem, Sizes

TOLERANCE = 1e-6  # largest relative error of what is right
TRIALS = 3  # random shapes; with a batch, one more of a single sample

Trial = tuple[Sizes, dict[str, Any]]  # a shape, and the values of all that the functions of the problem take
Truth = dict[str, list[Array]]  # of each gradient, what it is for each trial


@frozen
class Verdict:
    """Result of :func:`check`: whether the answer is right, and what is said about each gradient.

    Parameters
    ----------
    problem : str
        Name of the problem.
    findings : list of (gradient, words)
        What was found, in words; ``"right"`` where nothing is wrong.
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

    def __bool__(self) -> bool:
        return self.passed

    @property
    def _head(self) -> str:
        proved = "" if np.isnan(self.error) else f", proved to {self.error:.0e} by differences of the forward"
        return f"{self.problem}: " + (f"right{proved}" if self.passed else "not yet")

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.findings)
        return "\n".join([self._head, *(f"  {name:<{width}}  {words}" for name, words in self.findings)])

    def _repr_html_(self) -> str:
        """The verdict, as a notebook shows it."""
        from .._support.notebook import table

        return table(("", "verdict"), self.findings, caption=self._head)


def judge(problem: Problem, function: Callable[..., Any]) -> Verdict:
    """Try the reader's function on several random shapes, and say what is wrong with it."""
    rng = np.random.default_rng(0)
    trials = list(_trials(problem, rng))
    try:
        answer = Answer(problem, function)
        findings = list(_findings(problem, answer, trials))
        right = all(words == "right" for _, words in findings)
        proved = right and problem.forward is not None
        error = max(_proof(problem, answer, values, rng) for _, values in trials) if proved else np.nan
    except Fault as fault:
        return Verdict(problem.name, [(problem.asks, printable(str(fault), 400))])
    if error > TOLERANCE:
        findings = [(problem.asks, f"differs from the differences of the forward by {error:.1g}")]
    return Verdict(problem.name, findings, error)


def _trials(problem: Problem, rng: np.random.Generator) -> Iterator[Trial]:
    for trial in range(TRIALS + 1):
        sizes = problem.sizes(rng)
        if trial == TRIALS:
            if "N" not in sizes:
                return
            sizes["N"] = 1
        values = problem.draw(rng, sizes)
        if problem.forward and "dy" in problem.asked_of:
            y = problem.forward(**values)
            values |= {"y": y, "dy": rng.standard_normal(np.shape(y))}
        yield sizes, values


def _asked(problem: Problem, values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in problem.asked_of}


def _proof(problem: Problem, answer: Answer, values: dict[str, Any], rng: np.random.Generator) -> float:
    """The error of the answer against differences of the forward, along random directions."""
    moved = [name.removeprefix("d") for name in answer.names]
    fixed = {name: values[name] for name in problem.inputs if name not in moved}

    def forward(*arrays: Array) -> Array:
        return np.asarray(problem.forward(**fixed, **dict(zip(moved, arrays, strict=True))))  # type: ignore[misc]

    def backward(dy: Array, *arrays: Array) -> list[Array]:
        now = fixed | dict(zip(moved, arrays, strict=True))
        if "dy" not in problem.asked_of:  # a loss
            return [dy * gradient for gradient in answer(now).values()]
        return list(answer({"y": problem.forward(**now), **now, "dy": dy}).values())  # type: ignore[misc]

    return check_vjp(forward, backward, *(np.asarray(values[name]) for name in moved), rng=rng)


# ---- what is wrong


def _findings(problem: Problem, answer: Answer, trials: list[Trial]) -> Iterator[tuple[str, str]]:
    """For each gradient its name and ``"right"``, or what is wrong with it."""
    found = [answer(values) for _, values in trials]
    terms = [problem.terms(**_asked(problem, values)) for _, values in trials]
    for name in answer.names:
        mine = [arrays[name] for arrays in found]
        yield name, _finding(problem, trials, mine, terms, name)


def _finding(problem: Problem, trials: list[Trial], mine: list[Array], terms: list[Any], name: str) -> str:
    truth = {other: [_sum(term[other]) for term in terms] for other in terms[0]}
    many = slice(0, TRIALS)  # what a single sample would not tell apart
    if not all(np.shape(a) == np.shape(b) for a, b in zip(mine[many], truth[name][many], strict=True)):
        return _wrong_shape(problem, trials[0][0], mine[many], truth, name)
    if not all(np.isfinite(array).all() for array in mine):
        return "holds NaN or infinite numbers"
    if all(map(_same, mine, truth[name])):
        return "right"
    if all(map(_same, mine[many], truth[name][many])):
        return "is wrong for a batch of a single sample (N = 1)"
    fits = [_fit(g, term[name]) for g, term in zip(mine[many], terms, strict=False)]
    if all(fit is not None for fit in fits):
        return _wrong_terms(list(terms[0][name]), np.array(fits), [sizes for sizes, _ in trials[many]])
    return _known_mistake(problem, trials[many], mine, truth, name)


def _sum(terms: dict[str, Any]) -> Array:
    return np.asarray(sum(np.asarray(term, np.float64) for term in terms.values()))


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= TOLERANCE * np.max(np.abs(b), initial=1e-300)))


def _wrong_shape(problem: Problem, sizes: Sizes, mine: Sequence[Array], truth: Truth, name: str) -> str:
    """The shapes, and which slip they come from, where it is a known one."""
    first, wanted = mine[0].shape, truth[name][0].shape
    got = f"has shape {first}, expected {wanted} for {_letters(problem, name)} with {_lengths(sizes)}"
    slips: dict[str, Callable[[Array], Array]] = {
        "this is the transpose": np.transpose,
        "drop the axis of length 1": np.squeeze,
        "the sum over the rows is missing": lambda g: g.sum(axis=0),
        "the sum over all entries is missing": np.sum,
    }
    for words, mend in slips.items():
        if all(_same(np.asarray(mend(g)), t) for g, t in zip(mine, truth[name], strict=False)):
            return f"{got}: {words}"
    return got + _another(mine, truth)


def _another(mine: Sequence[Array], truth: Truth) -> str:
    for other, arrays in truth.items():
        if all(map(_same, mine, arrays)):
            return f": this is {other}; the order is {', '.join(truth)}"
    return ""


def _letters(problem: Problem, name: str) -> str:
    return str(tuple(problem.letters[name.removeprefix("d")])).replace("'", "")


def _lengths(sizes: Sizes) -> str:
    return ", ".join(f"{letter} = {length}" for letter, length in sizes.items())


def _fit(gradient: Array, terms: dict[str, Any]) -> Array | None:
    """The c of g ≈ Σⱼ cⱼ tⱼ; None where no c explain g."""
    columns = np.stack([np.broadcast_to(term, gradient.shape).ravel() for term in terms.values()], axis=1)
    c = np.linalg.lstsq(columns, gradient.ravel(), rcond=None)[0]
    return c if _same(columns @ c, gradient.ravel()) else None


def _wrong_terms(formulas: list[str], c: Array, sizes: list[Sizes]) -> str:
    """What the factors c (trials, terms) say; about all terms at once if they say the same."""
    said = [_about_factor(column, sizes) for column in c.T]
    if len(set(said)) == 1:
        return said[0].replace("is missing", "is 0 everywhere")
    return "; ".join(f"the term {formula} {words}" for formula, words in zip(formulas, said, strict=True) if words)


def _about_factor(c: Array, sizes: list[Sizes]) -> str:
    """``is missing`` for 0, ``has the wrong sign`` for −1, ``is multiplied by N …`` for the length of the batch."""
    if np.max(np.abs(c)) < TOLERANCE:
        return "is missing"
    for letter, divided in (("", False), *product(sizes[0], (False, True))):
        lengths = np.array([size.get(letter, 1) for size in sizes])
        factors = c * lengths if divided else c / lengths
        if np.ptp(factors) < TOLERANCE * np.max(np.abs(factors)):
            return _factor_in_words(float(factors[0]), letter, divided)
    return f"has wrong factors: {', '.join(f'{x:.3g}' for x in c)} for {'; '.join(map(_lengths, sizes))}"


def _factor_in_words(k: float, letter: str, divided: bool) -> str:
    is_one = abs(abs(k) - 1) < TOLERANCE
    words = []
    if letter and divided:
        words.append(f"is divided by {letter} (a mean where a sum belongs)")
    elif letter:
        words.append(f"is multiplied by {letter} (a sum where a mean belongs)")
    if not is_one:
        words.append(f"is multiplied by {abs(k):.3g}")
    if k < 0:
        words.append("has the wrong sign")
    return " and ".join(words)


def _known_mistake(problem: Problem, trials: list[Trial], mine: list[Array], truth: Truth, name: str) -> str:
    """What no factors explain: a known mistake, another gradient; or where it differs."""
    for words, wrong in _mistakes(problem, trials, name):
        if all(map(_same, mine, wrong)):
            return words
    if another := _another(mine, truth):
        return another.removeprefix(": ")
    gap = np.abs(mine[0] - truth[name][0])
    place = tuple(map(int, np.unravel_index(np.argmax(gap), gap.shape)))
    where = f"[{', '.join(map(str, place))}] " if place else ""
    return f"is no sum of its terms: {where}is {mine[0][place]:.6g}, and should be {truth[name][0][place]:.6g}"


def _mistakes(problem: Problem, trials: list[Trial], name: str) -> Iterator[tuple[str, list[Array]]]:
    asked = [_asked(problem, values) for _, values in trials]
    if problem.mistakes:
        known = [problem.mistakes(**values).get(name, {}) for values in asked]
        yield from ((words, [np.asarray(wrong[words]) for wrong in known]) for words in known[0])
    if "dy" in problem.asked_of:
        ones = [values | {"dy": np.ones_like(values["dy"])} for values in asked]
        yield (
            "does not use dy: by the chain rule, what comes back is a factor",
            [_sum(problem.terms(**values)[name]) for values in ones],
        )
