"""Exercises of the book: the reader writes a backward, and it is proved, or the wrong term is named.

from chainrule import exercises

exercises.show("affine")              # the problem: forward, signature, shapes
exercises.check("affine", backward)   # the verdict
exercises.solution("affine")          # only when you want to see it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._support.checks import check_name, sentence
from . import chapters_1_to_6, chapters_7_to_12
from .problem import Problem, Sheet, problem_sheet, solution_sheet
from .verdict import Verdict, judge

__all__ = ["check", "names", "show", "solution"]

PROBLEMS: dict[str, Problem] = {
    problem.name: problem()
    for chapters in (chapters_1_to_6, chapters_7_to_12)
    for problem in vars(chapters).values()
    if isinstance(problem, type) and issubclass(problem, Problem) and problem is not Problem
}


def __dir__() -> list[str]:
    return __all__


def names() -> list[str]:
    """Name every problem, in the order of the book.

    Returns
    -------
    list of str
        The names that the other functions take.

    Examples
    --------
    >>> from chainrule import exercises
    >>> exercises.names()[:2]
    ['neuron', 'affine']
    """
    return list(PROBLEMS)


def show(name: str) -> Sheet:
    """Show a problem: what is computed, the function to write, and the shapes.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Returns
    -------
    Sheet
        The problem, which displays itself, in a notebook as HTML.

    Examples
    --------
    >>> from chainrule import exercises
    >>> exercises.show("affine")  # doctest: +NORMALIZE_WHITESPACE
    Exercise affine (chapter 2)
    <BLANKLINE>
    The affine map of a batch: each row of x is a sample, each column of W a neuron.
    <BLANKLINE>
        def forward(x, W, b):
            return x @ W + b
    <BLANKLINE>
    Write backward(dy, x, W), which returns dx, dW, db.
    <BLANKLINE>
    x (N, I), W (I, O), b (O,), y (N, O); dy has the shape of y.
    """
    return problem_sheet(_problem(name))


def check(name: str, answer: Callable[..., Any]) -> Verdict:
    """Check an answer: prove it on several random shapes, or name the terms that are wrong.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    answer : callable
        The function that the problem asks for.

    Returns
    -------
    Verdict
        ``passed``, and ``findings`` about each gradient; it displays itself, in a notebook as HTML.

    Examples
    --------
    >>> from chainrule import exercises
    >>> def backward(dy, x, W):
    ...     return dy @ W.T, -(x.T @ dy), dy.mean(axis=0)
    >>> exercises.check("affine", backward)
    affine: not yet right
      dx  right
      dW  has the wrong sign
      db  is divided by N (a mean where a sum belongs)
    """
    problem = _problem(name)
    if not callable(answer):
        raise TypeError(sentence("exercises.check", f"your function {problem.signature}", repr(answer)))
    return judge(problem, answer)


def solution(name: str) -> Sheet:
    """Show the solution of a problem.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Returns
    -------
    Sheet
        The gradients as equations and as code, which display themselves.

    Examples
    --------
    >>> from chainrule import exercises
    >>> exercises.solution("softplus")
    Solution of softplus
    <BLANKLINE>
    dx = dy·σ(x)
    <BLANKLINE>
        def backward(dy, x):
            dx = dy / (1 + np.exp(-x))
            return dx
    """
    return solution_sheet(_problem(name))


def _problem(name: str) -> Problem:
    return PROBLEMS[check_name("exercises", "a problem", name, PROBLEMS)]
